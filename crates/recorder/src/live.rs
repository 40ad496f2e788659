//! The running recorder: drainer thread, writer thread, and what the owner of the program shares with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use perf_arena::{RingStatus, block_signals};

use crate::drainer::Drainer;
use crate::outlet::Outlet;
use crate::pace::Pace;
use crate::parts::PartFiles;
use crate::progress::Progress;
use crate::storage::Storage;
use crate::syncer;
use crate::writer::Writer;

/// The pause between two offers to a sink that had no room.
const BLOCKED_PAUSE: Duration = Duration::from_millis(1);

/// How much longer than its patience the end of a writer is waited for, which looks at the time between its writes.
const GRACE: Duration = Duration::from_secs(1);

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
    /// The capture's files, if it goes into some.
    pub(crate) files: Option<Arc<PartFiles>>,
}

impl Shared {
    pub(crate) fn new(
        engine: Engine,
        progress: Arc<Progress>,
        patience: Duration,
        files: Option<Arc<PartFiles>>,
    ) -> Self {
        Self {
            engine: Mutex::new(engine),
            progress,
            stopping: AtomicBool::new(false),
            patience,
            files,
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

    /// Ends who looks after closed parts. Nobody depends on what it leaves undone.
    fn end_keeper(&self, patience: Duration, grace: Duration) {
        let keeper = self.files.as_ref().and_then(|files| files.keeper.as_ref());
        if let Some(keeper) = keeper {
            keeper.end(patience, grace);
        }
    }

    /// When patience ends, counted from now; `None` if it is so long that it does not.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.patience)
    }

    /// Encodes what was recorded before the call and gives it to the outlet, within the patience. Returns how many bytes of
    /// the capture have it; `None` if the outlet refuses it.
    ///
    /// Threads that go on recording may keep the rings from ever being empty, and the outlet from ever having everything.
    pub(crate) fn push_out(&self) -> Option<u64> {
        let deadline = self.deadline();
        let mut published = None;
        let mut end = None;
        loop {
            let mut engine = self.engine();
            // It meets the rings that are new.
            let round = engine.drain();
            let Engine { drainer, outlet } = &mut *engine;
            let rings = drainer.owner.rings();
            let published = published.get_or_insert_with(|| write_indexes(&rings));
            if end.is_none() && !round.is_blocked && are_drained(&rings, published) {
                drainer.cut();
                end = Some(outlet.bytes() + drainer.queued_bytes());
                drainer.offer(&mut **outlet);
            }
            let bytes = outlet.bytes();
            // Pieces that are too large are not put.
            let is_put = |end: &u64| bytes >= *end || drainer.pieces.is_empty();
            if let Some(end) = end.filter(is_put) {
                return Some(end.min(bytes));
            }
            drop(engine);
            if is_over(deadline) {
                return None;
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
            drainer.take_priority();
            let totals = drainer.totals(perf_probe::clock::now().0);
            drainer.books.open(totals);
        }
        let mut pace = Pace::new();
        while !self.is_stopping() {
            let round = self.engine().drain();
            if round.has_more && !round.is_blocked {
                continue;
            }
            let sleep = pace.after(&round);
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

/// By ring, how far its thread has recorded.
fn write_indexes(rings: &[RingStatus]) -> HashMap<u32, u64> {
    let index = |ring: &RingStatus| (ring.ring, ring.write_index);
    rings.iter().map(index).collect()
}

/// Whether the rings were drained up to there. Those that are gone were.
fn are_drained(rings: &[RingStatus], up_to: &HashMap<u32, u64>) -> bool {
    rings.iter().all(|ring| {
        let left = up_to
            .get(&ring.ring)
            .map_or(0, |index| index.wrapping_sub(ring.read_index).cast_signed());
        left <= 0
    })
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
        let drainer = builder.spawn(move || {
            block_signals();
            for_thread.run_drainer();
        });
        if drainer.is_err() {
            // The writer waits for pieces that nobody will bring.
            shared.progress.complete();
        }
        Ok(Self {
            drainer: drainer?,
            writer,
        })
    }

    /// The writer, to wake it.
    pub(crate) fn writer(&self) -> Option<thread::Thread> {
        self.writer.as_ref().map(|writer| writer.thread().clone())
    }

    /// Ends both, the drainer first.
    ///
    /// # Errors
    /// One of them panicked; or the storage does not return from a write, and the writer was left to itself.
    pub(crate) fn stop(self, shared: &Shared) -> Result<(), NotEnded> {
        shared.stopping.store(true, Ordering::Release);
        self.drainer.thread().unpark();
        let drained = self.drainer.join();
        // Also after a panic, or the writer would wait for more.
        shared.progress.complete();
        shared.progress.limit_patience(shared.patience);
        if let Some(writer) = self.writer {
            writer.thread().unpark();
            if !shared
                .progress
                .wait_for_finish(shared.patience.saturating_add(GRACE))
            {
                shared.end_keeper(Duration::ZERO, Duration::ZERO);
                return Err(NotEnded::Hanging);
            }
            let ended = writer.join();
            let left = shared.progress.patience_left().unwrap_or(shared.patience);
            shared.end_keeper(left, GRACE);
            ended.map_err(|_| NotEnded::Panicked("writer"))?;
        }
        drained.map_err(|_| NotEnded::Panicked("drainer"))
    }
}

/// Why the threads did not end as they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEnded {
    /// This thread panicked.
    Panicked(&'static str),
    /// The writer is in the midst of a write that does not return.
    Hanging,
}

/// Starts the thread that syncs. It ends by itself after the writer's last order; nobody waits for it, since a storage can
/// hang.
pub(crate) fn start_syncer(
    storage: Arc<dyn Storage>,
    progress: Arc<Progress>,
) -> std::io::Result<()> {
    let work = move || {
        block_signals();
        syncer::run(&*storage, &progress);
    };
    thread::Builder::new()
        .name("perf-sync".into())
        .spawn(work)
        .map(drop)
}

/// Starts the writer thread.
pub(crate) fn start_writer(mut writer: Writer) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("perf-writer".into())
        .spawn(move || {
            block_signals();
            writer.run();
        })
}
