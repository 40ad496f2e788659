//! What the drainer, the writer and the program's owner tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Something went wrong with the storage. The drainer writes it into the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Writing failed for a while. Nothing is missing because of that alone.
    WriteFailed {
        offset: u64,
        stalled: Duration,
        attempts: u64,
        error: String,
    },
    /// A sync failed: a crash of the host may have cost these bytes.
    SyncFailed { from: u64, to: u64, error: String },
    /// The capture's file was deleted while it was being written.
    Unreachable,
}

/// How many troubles wait to be written into the capture. More are dropped: a disk that fails for days must not cost memory.
const TROUBLES_KEPT: usize = 64;

/// How far the writer is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of the capture in the storage, in whole chunks.
    written: AtomicU64,
    /// Processor time of the writer thread.
    writer_cpu_ns: AtomicU64,
    /// The drainer has put its last chunk into the spool.
    complete: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    synced: u64,
    sync_wanted: u64,
    patience_ends: Option<Instant>,
    /// The writer is done.
    finished: bool,
    failing: Option<String>,
    troubles: Vec<Trouble>,
    troubles_dropped: u64,
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, trouble: Trouble) {
        let mut state = self.state();
        if state.troubles.len() < TROUBLES_KEPT {
            state.troubles.push(trouble);
        } else {
            state.troubles_dropped += 1;
        }
    }

    /// Takes the troubles that came up since the last call, with how many more there were.
    pub(crate) fn take_troubles(&self) -> (Vec<Trouble>, u64) {
        let mut state = self.state();
        let dropped = std::mem::take(&mut state.troubles_dropped);
        (std::mem::take(&mut state.troubles), dropped)
    }

    pub(crate) fn set_failing(&self, error: Option<String>) {
        self.state().failing = error;
    }

    /// Why the writer cannot write at the moment.
    pub(crate) fn failing(&self) -> Option<String> {
        self.state().failing.clone()
    }

    /// The storage has everything before `offset`.
    pub(crate) fn wrote(&self, offset: u64) {
        self.written.store(offset, Ordering::Release);
    }

    /// Bytes of the capture in the storage, in whole chunks.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(crate) fn set_writer_cpu_ns(&self, ns: u64) {
        self.writer_cpu_ns.store(ns, Ordering::Relaxed);
    }

    pub(crate) fn writer_cpu_ns(&self) -> u64 {
        self.writer_cpu_ns.load(Ordering::Relaxed)
    }

    /// A sync of everything before `offset` is over, well or badly; or it is the policy to do without.
    pub(crate) fn synced(&self, offset: u64) {
        self.state().synced = offset;
        self.changed.notify_all();
    }

    /// Whether somebody waits for a sync that can be done now that everything before `offset` is written.
    pub(crate) fn sync_asked(&self, offset: u64) -> bool {
        let state = self.state();
        state.synced < state.sync_wanted && state.sync_wanted <= offset
    }

    /// Asks for a sync of everything before `offset`.
    pub(crate) fn ask_sync(&self, offset: u64) {
        let mut state = self.state();
        state.sync_wanted = state.sync_wanted.max(offset);
    }

    /// Waits until everything before `offset` was synced, but no longer than `patience`. False if it was not.
    pub(crate) fn wait_for_sync(&self, offset: u64, patience: Duration) -> bool {
        let waits = |state: &mut State| state.synced < offset && !state.finished;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.synced >= offset
    }

    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// From now on the writer has this long to write what is left.
    pub(crate) fn limit_patience(&self, patience: Duration) {
        self.state().patience_ends = Instant::now().checked_add(patience);
    }

    pub(crate) fn is_out_of_patience(&self) -> bool {
        self.state()
            .patience_ends
            .is_some_and(|end| Instant::now() >= end)
    }

    /// The writer is done, with everything or with its patience.
    pub(crate) fn finish(&self) {
        self.state().finished = true;
        self.changed.notify_all();
    }
}
