//! The thread that writes parts.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use perf_format::{FileHeader, WarningCode};
use signal_hook::SigId;

use super::desk::{Desk, Order};
use super::window::{SharedWindow, Window, WindowOutlet, share_of};
use super::{Flight, FlightStatus, Keeper, compose, file, panic};
use crate::error::{SnapshotError, StartError};
use crate::live::Shared;

/// Names of the recorder's threads, which write no part when they panic.
pub(super) const OWN_THREADS: [&str; 5] = [
    "perf-drainer",
    "perf-writer",
    "perf-sync",
    "perf-flight",
    "perf-control",
];

/// The wait after a first failed attempt; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_millis(20);
/// How much longer than its patience the end of the thread is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// A flight recorder whose thread does not run yet.
pub(crate) struct Starting {
    flight: Flight,
    desk: Arc<Desk>,
    window: SharedWindow,
    base: PathBuf,
}

/// What can be asked of a flight recorder.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) desk: Arc<Desk>,
    window: SharedWindow,
    last: Duration,
}

/// A flight recorder.
pub(crate) struct Running {
    pub(crate) view: View,
    thread: JoinHandle<()>,
    signal: Option<SigId>,
}

impl Starting {
    /// The window in the spool, and what the drainer needs.
    ///
    /// # Errors
    /// The signal is none that a program can wait for.
    pub(crate) fn new(
        flight: &Flight,
        base: &Path,
        header: &FileHeader,
        reader: perf_arena::SpoolReader,
        patience: Duration,
    ) -> Result<(Self, Keeper, WindowOutlet), StartError> {
        let refused =
            |signal: &i32| *signal <= 0 || signal_hook::consts::FORBIDDEN.contains(signal);
        if let Some(signal) = flight.on_signal.filter(refused) {
            return Err(StartError::Signal { signal });
        }
        let desk = Arc::new(Desk::new(flight, patience));
        let keeper = Keeper::new(
            flight,
            Arc::clone(&desk),
            header.clone(),
            share_of(reader.size_bytes()),
        );
        let window = SharedWindow::new(Window::new(reader, flight.kept()));
        let outlet = WindowOutlet {
            window: window.clone(),
            bytes: 0,
        };
        let starting = Self {
            flight: flight.clone(),
            desk,
            window,
            base: base.to_owned(),
        };
        Ok((starting, keeper, outlet))
    }

    /// Starts the thread, and arms the signal and the panic hook.
    ///
    /// # Errors
    /// There is no thread to be had, or no such signal.
    pub(crate) fn run(self, shared: &Arc<Shared>) -> Result<Running, StartError> {
        let failed = |action| move |source| StartError::System { action, source };
        let writing = Writing {
            desk: Arc::clone(&self.desk),
            window: self.window.clone(),
            shared: Arc::clone(shared),
            last: self.flight.last,
            base: self.base,
        };
        let thread = thread::Builder::new()
            .name("perf-flight".into())
            .spawn(move || writing.run())
            .map_err(failed("start the flight recorder's thread"))?;
        let view = View {
            desk: self.desk,
            window: self.window,
            last: self.flight.last,
        };
        let mut running = Running {
            view,
            thread,
            signal: None,
        };
        if let Some(signal) = self.flight.on_signal {
            let flag = Arc::clone(&running.view.desk.signalled);
            match signal_hook::flag::register(signal, flag) {
                Ok(id) => running.signal = Some(id),
                Err(error) => {
                    running.stop(shared.patience);
                    return Err(failed("wait for the flight recorder's signal")(error));
                }
            }
        }
        if self.flight.on_panic {
            panic::arm(&running.view.desk);
        }
        Ok(running)
    }
}

impl View {
    pub(crate) fn status(&self) -> FlightStatus {
        let mut status = FlightStatus {
            last: self.last,
            ..FlightStatus::default()
        };
        {
            let window = self.window.lock();
            status.window = window.reach().min(self.last);
            (status.window_bytes, status.window_records) = window.contents();
        }
        self.desk.tell(&mut status);
        status
    }
}

impl Running {
    /// Ends the thread, which first writes what was triggered already. False if the disk does not return.
    pub(crate) fn stop(self, patience: Duration) -> bool {
        if let Some(signal) = self.signal {
            signal_hook::low_level::unregister(signal);
        }
        let desk = self.view.desk;
        desk.stop();
        let ended = desk.wait_for_end(patience.saturating_add(GRACE));
        // A panic in there was a bug; its window stays for the salvage.
        ended && self.thread.join().is_ok()
    }
}

struct Writing {
    desk: Arc<Desk>,
    window: SharedWindow,
    shared: Arc<Shared>,
    last: Duration,
    base: PathBuf,
}

/// Tells, when dropped, that nobody will serve any more.
struct Ending(Arc<Desk>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Writing {
    fn run(self) {
        let Self { desk, .. } = &self;
        let ending = Ending(Arc::clone(desk));
        while let Some(order) = desk.next() {
            let answer = self.write(&order);
            if let Err(error) = &answer {
                let message = format!(
                    "no part was written when triggered by {}: {error}",
                    order.trigger.told()
                );
                let ticks = perf_probe::clock::now().0;
                let mut engine = self.shared.engine();
                engine
                    .drainer
                    .warnings
                    .add(WarningCode::WRITE_FAILED, ticks, message);
            }
            desk.served(&order, answer);
        }
        // The end comes when nothing of the recorder is held here any more.
        drop(self);
        drop(ending);
    }

    /// Writes what the window holds.
    fn write(&self, order: &Order) -> Result<PathBuf, SnapshotError> {
        {
            let drainer = &mut self.shared.engine().drainer;
            let now = drainer.now();
            drainer.anchor();
            drainer.notes(now);
        }
        // A window that takes nothing within the patience holds what came before, and that is written.
        let _ = self.shared.push_out();
        let (held, frame) = {
            let mut engine = self.shared.engine();
            let held = self
                .window
                .lock()
                .hold(order.trigger.at.checked_sub(self.last));
            (held, engine.drainer.frame(order, &held))
        };
        let Some(frame) = frame else {
            self.window.lock().let_go();
            return Err(SnapshotError::NotRunning);
        };
        let written = self.try_hard(&frame);
        match written {
            Ok(path) => {
                self.window.lock().release(&held);
                self.shared.engine().drainer.count_part();
                Ok(path)
            }
            Err(error) => {
                self.window.lock().let_go();
                Err(SnapshotError::Write {
                    path: file::part_path(&self.base, frame.part),
                    error: error.to_string(),
                })
            }
        }
    }

    /// Tries again, within the patience, when the disk does not take it.
    fn try_hard(&self, frame: &compose::Frame) -> io::Result<PathBuf> {
        let begun = Instant::now();
        let mut wait = FIRST_BACK_OFF;
        loop {
            let error = match file::write(&self.base, frame.part, |out| self.fill(frame, out)) {
                Ok(path) => return Ok(path),
                Err(error) => error,
            };
            let is_hopeless = error.kind() == io::ErrorKind::AlreadyExists;
            if is_hopeless || begun.elapsed() + wait >= self.shared.patience {
                return Err(error);
            }
            thread::sleep(wait);
            wait *= 2;
        }
    }

    fn fill(&self, frame: &compose::Frame, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&frame.before)?;
        let (mut chunk, mut after) = (Vec::new(), 0);
        for number in 0.. {
            chunk.clear();
            // The lock is held for the copy alone: the drainer goes on while the disk takes its time.
            let next = self.window.lock().copy(number, after, &mut chunk);
            let Some(next) = next else { break };
            after = next;
            out.write_all(&chunk)?;
        }
        out.write_all(&frame.behind)
    }
}
