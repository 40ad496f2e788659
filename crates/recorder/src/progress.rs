//! What the drainer, the writer and the program's owner tell each other.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::parts::Deleted;

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
    /// The next part got no file of its own.
    NotBegun { path: PathBuf, error: String },
    /// A closed part could not be compressed.
    Uncompressed { path: PathBuf, error: String },
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
    /// The file is no place to write to: the next part shall begin, however short this one is.
    part_wanted: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    synced: u64,
    sync_asked: u64,
    sync_ordered: u64,
    syncs_ended: bool,
    patience_ends: Option<Instant>,
    /// The writer is done.
    finished: bool,
    failing: Option<String>,
    troubles: Vec<Trouble>,
    troubles_dropped: u64,
    deleted: Option<Deleted>,
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

    /// Old parts were deleted, as it was asked for. The capture tells of it once a part.
    pub(crate) fn deleted(&self, more: Deleted) {
        let mut state = self.state();
        let before = state.deleted.take();
        state.deleted = Some(before.map_or_else(|| more.clone(), |before| before.and(&more)));
    }

    /// Takes what was deleted since the last call.
    pub(crate) fn take_deleted(&self) -> Option<Deleted> {
        self.state().deleted.take()
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

    /// Asks the writer for a sync once everything before `offset` is written.
    pub(crate) fn ask_sync(&self, offset: u64) {
        let mut state = self.state();
        state.sync_asked = state.sync_asked.max(offset);
    }

    /// Whether somebody waits for a sync that can be done now that everything before `offset` is written.
    pub(crate) fn is_sync_asked(&self, offset: u64) -> bool {
        let state = self.state();
        state.sync_ordered < state.sync_asked && state.sync_asked <= offset
    }

    /// Has the syncing thread sync everything before `offset`.
    pub(crate) fn order_sync(&self, offset: u64) {
        self.state().sync_ordered = offset;
        self.changed.notify_all();
    }

    /// No sync will be ordered any more.
    pub(crate) fn end_syncs(&self) {
        self.state().syncs_ended = true;
        self.changed.notify_all();
    }

    /// Waits until a sync is ordered: what is synced already, and up to where it shall be. `None` at the end.
    pub(crate) fn next_sync(&self) -> Option<(u64, u64)> {
        let waits = |state: &mut State| state.sync_ordered <= state.synced && !state.syncs_ended;
        let waited = self.changed.wait_while(self.state(), waits);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        (state.sync_ordered > state.synced).then_some((state.synced, state.sync_ordered))
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

    /// Asks the drainer to begin the next part, if the capture has parts.
    pub(crate) fn want_part(&self) {
        self.part_wanted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_part_wanted(&self) -> bool {
        self.part_wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn part_begins(&self) {
        self.part_wanted.store(false, Ordering::Relaxed);
    }

    /// The drainer has put its last piece into the spool.
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
        self.patience_left().is_some_and(|left| left.is_zero())
    }

    /// `None` while patience has no end.
    pub(crate) fn patience_left(&self) -> Option<Duration> {
        let end = self.state().patience_ends?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Waits until the writer is done, but no longer than `patience`. False if it is not: a write does not return.
    pub(crate) fn wait_for_finish(&self, patience: Duration) -> bool {
        let waits = |state: &mut State| !state.finished;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.finished
    }

    /// The writer is done, with everything or with its patience.
    pub(crate) fn finish(&self) {
        self.state().finished = true;
        self.changed.notify_all();
    }
}
