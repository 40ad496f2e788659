//! The recorder, in the hands of the program's owner.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use perf_arena::RECORD_BYTES;
use perf_format::{Rollup, Warning, WarningCode};
use perf_probe::{Handle, InstallGuard};

use crate::backend::FOLLOWER;
use crate::builder::Builder;
use crate::control::{self, Control};
use crate::error::{FlushError, SnapshotError, StartError, StopError};
use crate::flight::{self, Kind};
use crate::front::{Front, Switch};
use crate::live::{Engine, NotEnded, Shared, Threads};
use crate::loss::{self, Lost};
use crate::parts::{PartFiles, Parts};
use crate::status::Status;

/// Records what the probes of this process measure, until it is stopped or dropped.
///
/// ```no_run
/// use perf_recorder::Recorder;
///
/// let recorder = Recorder::builder().capture("captures/").label("version", "1.4.2").start()?;
/// // … the program …
/// let stopped = recorder.stop()?;
/// println!("{} records, lost: {}", stopped.records, stopped.lost);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    running: Option<Running>,
    handle: Handle,
    path: Option<PathBuf>,
    pid: u32,
}

struct Running {
    front: Front,
    threads: Threads,
    flight: Option<flight::Running>,
    control: Option<Control>,
    installed: Option<InstallGuard>,
}

/// What a recorder has done, once it is stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// The capture's file, if it went into one; of several parts the last.
    pub capture: Option<PathBuf>,
    /// How many parts the capture has, and what was deleted.
    pub parts: Parts,
    /// Records in the capture. With [`sampled_out`](Self::sampled_out), [`lost`](Self::lost), and with what [`perf_probe::losses`] counts from the stop on,
    /// these are all that were attempted, each in one of them only. The record that a thread was in the midst of at the
    /// stop is counted there when the thread next records, or ends.
    pub records: u64,
    /// Records that [`Sampling`](crate::Sampling) left out of the capture. Its histograms have them.
    pub sampled_out: u64,
    /// Records that were lost, by cause.
    pub lost: Lost,
    /// Bytes of the capture.
    pub bytes: u64,
    /// Event chunks of the capture.
    pub chunks: u64,
    /// Tracked spans that had begun and not ended.
    pub open_spans: u64,
    /// The first warnings of this recorder; the capture has all that came before its end.
    pub warnings: Vec<Warning>,
}

impl Recorder {
    /// Begins to choose where and how to record.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        shared: Arc<Shared>,
        threads: Threads,
        flight: Option<flight::Running>,
        handle: Handle,
        path: Option<PathBuf>,
        capture_id: [u8; 16],
    ) -> Self {
        let arena = shared.engine().drainer.owner.arena();
        let front = Front {
            arena,
            shared,
            capture_id,
            writer: threads.writer(),
            flight: flight.as_ref().map(|flight| flight.view.clone()),
            path: path.clone(),
            started: Instant::now(),
            switch: Arc::new(Mutex::new(Switch::default())),
        };
        let running = Some(Running {
            front,
            threads,
            flight,
            control: None,
            installed: None,
        });
        Self {
            running,
            handle,
            path,
            pid: std::process::id(),
        }
    }

    pub(crate) fn install(&mut self) -> Result<(), StartError> {
        if let Some(running) = &mut self.running {
            running.installed = Some(perf_probe::install(self.handle.clone())?);
            running.front.lock_switch().is_ours = true;
        }
        Ok(())
    }

    /// Lets it be controlled from outside, or has the capture say why that cannot be.
    pub(crate) fn listen(&mut self, directory: Option<&Path>) {
        let Some(running) = &mut self.running else {
            return;
        };
        match control::start(&running.front, directory) {
            Ok(control) => running.control = Some(control),
            Err(error) => {
                let message = format!("no control from outside: {error}");
                let warnings = &mut running.front.shared.engine().drainer.warnings;
                warnings.add(WarningCode::CONTROL, 0, message);
            }
        }
    }

    /// The probes' own handle, for threads and code that enter its [scope](perf_probe::scope) themselves.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The capture's file, if it goes into one; of several parts the first, of a flight recorder what its parts are named after.
    /// [`Status::capture`] has the one that is being written.
    pub fn capture_path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Runs `work`; what this thread records meanwhile comes here, whoever is installed.
    pub fn scope<R>(&self, work: impl FnOnce() -> R) -> R {
        perf_probe::scope(&self.handle, work)
    }

    /// Turns the probes of the process on: as they are after the start.
    pub fn enable(&self) {
        self.set_enabled(true);
    }

    /// Turns the probes of the process off: a call site then costs one relaxed load and a branch. Spans that are open are
    /// recorded when they end; those whose guard is made meanwhile are not, also where they end after
    /// [`enable`](Self::enable). Scopes are not touched.
    pub fn disable(&self) {
        self.set_enabled(false);
    }

    fn set_enabled(&self, enabled: bool) {
        if let Some(running) = self.running() {
            running.front.switch(enabled, None);
        }
    }

    /// What it is doing. In the child of a fork: nothing.
    pub fn status(&self) -> Status {
        match self.running() {
            Some(running) => running.front.status(),
            None => Status {
                capture: self.path.clone(),
                sampling_rate: 1.0,
                ..Status::default()
            },
        }
    }

    /// The histograms of all that was encoded since the start, one rollup for each clock segment. Copies them.
    pub fn live(&self) -> Vec<Rollup> {
        self.running().map_or_else(Vec::new, |running| {
            running.front.shared.engine().drainer.stream.since_start()
        })
    }

    /// Brings everything that was recorded before this call into the capture, and has the storage keep it.
    ///
    /// # Errors
    /// The storage did not take it in time, or the recorder does not run.
    pub fn flush(&self) -> Result<(), FlushError> {
        let running = self.running().ok_or(FlushError::NotRunning)?;
        running.front.flush()
    }

    /// A capture with everything that was recorded before this call, safe on the disk. A flight recorder writes the next part,
    /// and notes in it why; any other flushes, and its file is the answer.
    ///
    /// # Errors
    /// It could not be written, or not in time; or the capture does not go into a file.
    pub fn snapshot(&self, why: &str) -> Result<PathBuf, SnapshotError> {
        let running = self.running().ok_or(SnapshotError::NotRunning)?;
        running.front.snapshot(Kind::Snapshot, why)
    }

    /// Stops recording, and completes the capture. Of a flight recorder it writes nothing but what was triggered already.
    ///
    /// # Errors
    /// The storage did not take everything in time; or one of the recorder's threads panicked, which is a bug. In both
    /// cases what is missing stays in the arena, to be saved.
    pub fn stop(mut self) -> Result<Stopped, StopError> {
        if self.is_foreign() {
            return Err(StopError::Forked);
        }
        match self.running.take() {
            Some(running) => self.end(running),
            None => Err(StopError::Forked),
        }
    }

    fn end(&self, mut running: Running) -> Result<Stopped, StopError> {
        // The probes first: what comes later is counted as lost, and the rings get no more.
        drop(running.installed.take());
        self.handle.close();
        if let Some(control) = running.control.take() {
            control.close(&running.front);
            control.join();
        }
        let (mut last_part, mut failing) = (None, None);
        if let Some(flight) = running.flight.take() {
            let desk = Arc::clone(&flight.view.desk);
            failing = match flight.stop(running.front.shared.patience) {
                true => desk.failing(),
                false => Some("a write does not return".to_owned()),
            };
            last_part = Some(desk.last_part());
        }
        let shared = running.front.shared;
        match running.threads.stop(&shared) {
            Ok(()) => {}
            Err(NotEnded::Panicked(thread)) => return Err(StopError::Panicked { thread }),
            Err(NotEnded::Hanging) => {
                let bytes = shared.engine().unwritten_bytes();
                // The writer may still read from the arena, which must not be closed under it.
                std::mem::forget(shared);
                return Err(StopError::Unwritten {
                    bytes,
                    error: "a write does not return".to_owned(),
                });
            }
        }
        if let Some(error) = failing {
            let bytes = shared.engine().unwritten_bytes();
            // What was to be written stays in the arena, for whoever salvages it; a write that hangs may still read there.
            drop(Arc::into_inner(shared));
            return Err(StopError::Unwritten { bytes, error });
        }
        let complete = shared.engine().drainer.is_complete();
        let written = shared
            .engine()
            .outlet
            .end_offset()
            .is_none_or(|end| shared.progress.written() >= end);
        let failing = shared.progress.failing();
        let files = shared.files.clone();
        let Some(engine) = Arc::into_inner(shared).map(Shared::into_engine) else {
            return Err(StopError::Panicked { thread: "drainer" });
        };
        if !complete || !written {
            // Dropping the owner leaves the arena's file for whoever salvages it.
            let mut engine = engine;
            let bytes = engine.unwritten_bytes();
            return Err(StopError::Unwritten {
                bytes,
                error: failing.unwrap_or_else(|| "too slow".to_owned()),
            });
        }
        Ok(self.close(engine, files.as_deref(), last_part))
    }

    /// `last_part` is that of a flight recorder.
    fn close(
        &self,
        engine: Engine,
        files: Option<&PartFiles>,
        last_part: Option<Option<PathBuf>>,
    ) -> Stopped {
        let bytes = engine.bytes(&engine.drainer.progress);
        let mut drainer = engine.drainer;
        let (troubles, _) = drainer.progress.take_troubles();
        for trouble in &troubles {
            drainer.warnings.add_of_storage(trouble, 0);
        }
        if let Some(deleted) = drainer.progress.take_deleted() {
            drainer.warnings.add_deleted(&deleted, 0);
        }
        let last = files.map(PartFiles::last);
        let stopped = Stopped {
            capture: last_part.unwrap_or_else(|| last.clone()),
            parts: Parts {
                last,
                ..files.map(PartFiles::parts).unwrap_or_default()
            },
            records: drainer.stream.rows(),
            sampled_out: drainer.stream.sampled_out(),
            lost: drainer.lost.clone(),
            bytes,
            chunks: drainer.stream.event_chunks(),
            open_spans: drainer.open_spans,
            warnings: drainer.warnings.kept().to_vec(),
        };
        // Threads in the midst of a record may have lost something since the end was written: that is counted for the
        // process. A file that cannot be removed is found dead and empty by the next recorder.
        let told = |cause| drainer.lost.by(loss::cause_of(cause));
        let _ = drainer.owner.close_telling(told);
        stopped
    }

    fn running(&self) -> Option<&Running> {
        if self.is_foreign() {
            None
        } else {
            self.running.as_ref()
        }
    }

    /// Whether this process was forked off after the recorder had started.
    fn is_foreign(&self) -> bool {
        self.pid != std::process::id()
    }
}

impl Drop for Recorder {
    /// Stops. What goes wrong then is lost; call [`stop`](Self::stop) to hear of it.
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        if !self.is_foreign() {
            let _ = self.end(running);
            return;
        }
        // The parent's threads and locks do not exist here, and its arena and file are not ours.
        std::mem::forget(running);
        let own = FOLLOWER
            .try_lock()
            .ok()
            .and_then(|mut follower| follower.take());
        drop(own);
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("running", &self.running().is_some())
            .field("capture", &self.path)
            .finish_non_exhaustive()
    }
}

const _: () = assert!(RECORD_BYTES == 32, "the texts of the status say so");
