//! What a running recorder can be asked: by the program that has it, and from outside.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Instant;

use perf_arena::Arena;
use perf_format::WarningCode;
use perf_probe::clock;

use crate::error::{FlushError, SnapshotError};
use crate::flight::{Kind, View};
use crate::live::Shared;
use crate::sampling::Sampler;
use crate::status::Status;

/// See the module's own words. Its copies are the same recorder.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arena: Arena,
    pub(crate) capture_id: [u8; 16],
    /// Of the writer's thread, if there is one.
    pub(crate) writer: Option<Thread>,
    pub(crate) flight: Option<View>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) started: Instant,
    pub(crate) switch: Arc<Mutex<Switch>>,
}

/// The switch of the process's probes, while it is this recorder's.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    pub(crate) is_ours: bool,
    /// When it was switched off from outside.
    off_since: Option<Instant>,
}

impl Front {
    pub(crate) fn lock_switch(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process's probes are this recorder's, and not only those in its scopes.
    pub(crate) fn has_switch(&self) -> bool {
        self.lock_switch().is_ours
    }

    /// How long what takes long may take.
    pub(crate) fn patience(&self) -> std::time::Duration {
        self.shared.patience
    }

    /// Has the child of a fork close a descriptor; see [`Arena::close_in_child`].
    pub(crate) fn close_in_child(&self, descriptor: Option<BorrowedFd<'_>>) {
        self.arena.close_in_child(descriptor);
    }

    /// Switches the probes on or off. False if they are not this recorder's. What a process outside of this one does to it the
    /// capture notes; what the program does itself its author knows.
    pub(crate) fn switch(&self, on: bool, outsider: Option<i32>) -> bool {
        let mut switch = self.lock_switch();
        if !switch.is_ours {
            return false;
        }
        let was_on = perf_probe::is_enabled();
        perf_probe::set_enabled(on);
        if was_on == on || (outsider.is_none() && switch.off_since.is_none()) {
            return true;
        }
        let by = outsider.map_or_else(
            || "by the program".to_owned(),
            |pid| format!("by process {pid}"),
        );
        let off_since = switch.off_since.take();
        let message = match (on, off_since) {
            (true, Some(since)) => format!(
                "recording was switched on again {by}, after {:.3} s",
                since.elapsed().as_secs_f64()
            ),
            (true, None) => format!("recording was switched on from outside, {by}"),
            (false, _) => {
                switch.off_since = Some(Instant::now());
                format!("recording was switched off from outside, {by}")
            }
        };
        drop(switch);
        let mut engine = self.shared.engine();
        let ticks = clock::now().0;
        engine
            .drainer
            .warnings
            .add(WarningCode::SWITCHED, ticks, message);
        true
    }

    pub(crate) fn status(&self) -> Status {
        let shared = &self.shared;
        let enabled = self.has_switch() && perf_probe::is_enabled();
        let mut engine = shared.engine();
        Status {
            running: !shared.is_stopping(),
            enabled,
            capture: (shared.files.as_ref().map(|files| files.path()))
                .or_else(|| self.path.clone()),
            parts: (shared.files.as_ref().map(|files| files.parts())).unwrap_or_default(),
            records: engine.drainer.stream.rows(),
            sampled_out: engine.drainer.stream.sampled_out(),
            lost: engine.lost(),
            bytes: engine.bytes(&shared.progress),
            rings: engine.rings(),
            sampling_rate: engine.drainer.sampler.as_ref().map_or(1.0, Sampler::share),
            self_cost: engine.drainer.books.last.clone(),
            ns_per_record: engine.drainer.books.ns_per_record,
            spool_used_bytes: engine.drainer.owner.spool().used_bytes(),
            memory_bytes: engine.drainer.owner.memory().segment_bytes,
            failing: shared.progress.failing(),
            warnings: engine.drainer.warnings.kept().to_vec(),
            uptime: self.started.elapsed(),
            flight: self.flight.as_ref().map(View::status),
        }
    }

    /// As [`Recorder::flush`](crate::Recorder::flush).
    pub(crate) fn flush(&self) -> Result<(), FlushError> {
        let shared = &self.shared;
        let offset = shared.push_out().ok_or(FlushError::TimedOut)?;
        if shared.engine().outlet.end_offset().is_none() {
            return Ok(());
        }
        shared.progress.ask_sync(offset);
        if let Some(writer) = &self.writer {
            writer.unpark();
        }
        if shared.progress.wait_for_sync(offset, shared.patience) {
            Ok(())
        } else {
            Err(FlushError::TimedOut)
        }
    }

    /// As [`Recorder::snapshot`](crate::Recorder::snapshot).
    pub(crate) fn snapshot(&self, kind: Kind, why: &str) -> Result<PathBuf, SnapshotError> {
        if let Some(flight) = &self.flight {
            return flight.desk.ask(kind, why);
        }
        let path = self.path.clone().ok_or(SnapshotError::NoFile)?;
        self.flush()?;
        // Of several parts the newest.
        Ok(self
            .shared
            .files
            .as_ref()
            .map_or(path, |files| files.path()))
    }
}
