//! The running recorder: drainer thread, writer thread, and what the owner of the program shares with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::drainer::Drainer;
use crate::outlet::Outlet;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::storage::Storage;
use crate::syncer;
use crate::writer::Writer;

/// The pause between two offers to a sink that had no room.
const BLOCKED_PAUSE: Duration = Duration::from_millis(1);

/// The drainer and where its pieces go, behind one lock: the thread holds it for a round at a time.
pub(crate) struct Engine {
    pub(crate) drainer: Drainer,
    pub(crate) outlet: Box<dyn Outlet + Send>,
}

impl Engine {
    /// Bytes of the capture so far: in the storage, or given to the sink.
    pub(crate) fn bytes(&self, progress: &Progress) -> u64 {
        if self.outlet.end_offset().is_some() {
            progress.written()
        } else {
            self.outlet.bytes()
        }
    }

    /// Bytes of the capture that the storage does not have: those in the spool, and those that did not get there.
    pub(crate) fn unwritten_bytes(&mut self) -> u64 {
        self.drainer.queued_bytes() + self.drainer.owner.spool().used_bytes()
    }

    /// One round; see [`Drainer::drain_once`].
    fn drain(&mut self) -> crate::Round {
        let now = self.drainer.now();
        self.drainer.drain_at(now, &mut *self.outlet)
    }
}

/// What the threads and the owner share.
pub(crate) struct Shared {
    engine: Mutex<Engine>,
    pub(crate) progress: Arc<Progress>,
    stopping: AtomicBool,
    /// How long stop and flush wait for the storage.
    pub(crate) patience: Duration,
}

impl Shared {
    pub(crate) fn new(engine: Engine, progress: Arc<Progress>, patience: Duration) -> Self {
        Self {
            engine: Mutex::new(engine),
            progress,
            stopping: AtomicBool::new(false),
            patience,
        }
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_engine(self) -> Engine {
        self.engine
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// When patience ends, counted from now; `None` if it is so long that it does not.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.patience)
    }

    /// Encodes what was recorded so far and gives it to the outlet, within the patience. False if that refuses it.
    pub(crate) fn push_out(&self) -> bool {
        let deadline = self.deadline();
        loop {
            let mut engine = self.engine();
            let round = engine.drain();
            if !round.is_blocked && !round.has_more {
                let Engine { drainer, outlet } = &mut *engine;
                drainer.cut();
                if drainer.offer(&mut **outlet) {
                    return true;
                }
            }
            drop(engine);
            if is_over(deadline) {
                return false;
            }
            if round.is_blocked {
                thread::sleep(BLOCKED_PAUSE);
            }
        }
    }

    /// The drainer thread: round after round until the recorder stops, then the end of the capture.
    fn run_drainer(&self) {
        {
            let drainer = &mut self.engine().drainer;
            let totals = drainer.totals(perf_probe::clock::now().0);
            drainer.books.open(totals);
        }
        let mut pace = Pace::new();
        while !self.is_stopping() {
            let round = self.engine().drain();
            if round.has_more && !round.is_blocked {
                continue;
            }
            let sleep = pace.after(round.slots, round.fullest);
            thread::park_timeout(if round.is_blocked {
                BLOCKED_PAUSE
            } else {
                sleep
            });
        }
        self.finish();
        self.progress.complete();
    }

    /// Writes the end of the capture, within the patience.
    fn finish(&self) {
        let deadline = self.deadline();
        loop {
            let mut engine = self.engine();
            let now = engine.drainer.now();
            let Engine { drainer, outlet } = &mut *engine;
            if drainer.finish_at(now, &mut **outlet) {
                return;
            }
            drop(engine);
            if is_over(deadline) {
                return;
            }
            thread::sleep(BLOCKED_PAUSE);
        }
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// The recorder's threads.
pub(crate) struct Threads {
    drainer: JoinHandle<()>,
    writer: Option<JoinHandle<()>>,
}

impl Threads {
    /// Starts the drainer, beside a writer that may run already.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        writer: Option<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let for_thread = Arc::clone(shared);
        let builder = thread::Builder::new().name("perf-drainer".into());
        let drainer = builder.spawn(move || for_thread.run_drainer());
        if drainer.is_err() {
            // The writer waits for pieces that nobody will bring.
            shared.progress.complete();
        }
        Ok(Self {
            drainer: drainer?,
            writer,
        })
    }

    pub(crate) fn wake_writer(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }

    /// Ends both, the drainer first. `Err` names a thread that panicked.
    pub(crate) fn stop(self, shared: &Shared) -> Result<(), &'static str> {
        shared.stopping.store(true, Ordering::Release);
        self.drainer.thread().unpark();
        let drained = self.drainer.join();
        // Also after a panic, or the writer would wait for more.
        shared.progress.complete();
        shared.progress.limit_patience(shared.patience);
        if let Some(writer) = self.writer {
            writer.thread().unpark();
            writer.join().map_err(|_| "writer")?;
        }
        drained.map_err(|_| "drainer")
    }
}

/// Starts the thread that syncs. It ends by itself after the writer's last order; nobody waits for it, since a storage can
/// hang.
pub(crate) fn start_syncer(
    storage: Arc<dyn Storage>,
    progress: Arc<Progress>,
) -> std::io::Result<()> {
    let work = move || syncer::run(&*storage, &progress);
    thread::Builder::new()
        .name("perf-sync".into())
        .spawn(work)
        .map(drop)
}

/// Starts the writer thread.
pub(crate) fn start_writer(mut writer: Writer) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("perf-writer".into())
        .spawn(move || writer.run())
}
