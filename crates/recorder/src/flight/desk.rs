//! Where triggers come in. Whoever has one leaves it here and goes on, or waits for the part; the flight thread serves them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::Flight;
use crate::error::SnapshotError;
use crate::machine;

/// Answers that are kept for those who wait.
const ANSWERS_KEPT: usize = 64;
/// How long somebody who panics tries to get at the desk: it may be the one who has it.
const PATIENCE_IN_PANIC: Duration = Duration::from_millis(100);
/// After a part could not be written, slow spans trigger again after so long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Bytes of the words of a trigger.
const WORDS_BYTES: usize = 400;

/// What kind of thing triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A span took longer than it may.
    Sla,
    Panic,
    Signal,
    /// A call of the program.
    Snapshot,
    /// Somebody outside.
    Attach,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sla => "sla",
            Self::Panic => "panic",
            Self::Signal => "signal",
            Self::Snapshot => "snapshot",
            Self::Attach => "attach",
        }
    }

    /// Whether it is held back if there was one of its kind a moment ago.
    fn is_limited(self) -> bool {
        matches!(self, Self::Sla | Self::Panic)
    }
}

/// What happened, and when.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    kind: Kind,
    words: String,
    pub(crate) at: Instant,
    pub(crate) unix_ns: i64,
}

impl Trigger {
    fn now(kind: Kind, words: &str) -> Self {
        let mut end = words.len().min(WORDS_BYTES);
        while !words.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            kind,
            words: words[..end].to_owned(),
            at: Instant::now(),
            unix_ns: machine::unix_ns(),
        }
    }

    /// Its kind and its words.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.kind.name(), self.words)
            .trim_end()
            .to_owned()
    }
}

/// Triggers that write no part of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub(crate) count: u64,
    /// The last in words.
    pub(crate) last: String,
}

/// A part to be written.
pub(crate) struct Order {
    pub(crate) trigger: Trigger,
    /// What triggered besides, since the part before.
    pub(crate) more: More,
    /// Whoever asked, up to this number, is answered with it.
    upto: u64,
}

#[derive(Default)]
struct State {
    asked: u64,
    served: u64,
    answers: VecDeque<(u64, Result<PathBuf, SnapshotError>)>,
    /// What is to be written next, and when.
    pending: Option<(Trigger, Instant)>,
    more: More,
    /// When slow spans, and panics, may trigger again.
    quiet_until: [Option<Instant>; 2],
    suppressed: u64,
    written: u64,
    last_part: Option<PathBuf>,
    failing: Option<String>,
    is_stopping: bool,
    has_ended: bool,
}

/// See the module's own words.
pub(crate) struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    after: Duration,
    quiet_for: Duration,
    patience: Duration,
    /// In the child of a fork there is nobody to serve.
    pid: u32,
    /// Set by the signal.
    pub(crate) signalled: Arc<AtomicBool>,
}

impl Desk {
    pub(crate) fn new(flight: &Flight, patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            after: flight.after,
            quiet_for: flight.quiet_for,
            patience,
            pid: std::process::id(),
            signalled: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `count` spans were too slow, or so many other things happened; `words` tells of the worst. Waits for nothing.
    pub(crate) fn offer(&self, kind: Kind, count: u64, words: impl FnOnce() -> String) {
        let mut state = self.state();
        self.take_in(&mut state, kind, count, words);
    }

    /// Whether a trigger of slow spans would only be counted, so that nobody need find words for it.
    fn take_in(
        &self,
        state: &mut State,
        kind: Kind,
        count: u64,
        words: impl FnOnce() -> String,
    ) -> bool {
        if state.is_stopping {
            return false;
        }
        let trigger = Trigger::now(kind, &words());
        let is_quiet = self.quiet(state, kind).is_some_and(|end| trigger.at < end);
        if is_quiet || state.pending.is_some() {
            state.more.count += count;
            state.more.last = trigger.told();
            state.suppressed += count;
            return !is_quiet;
        }
        if count > 1 {
            state.more.count += count - 1;
            state.more.last = trigger.told();
            state.suppressed += count - 1;
        }
        let after = if kind == Kind::Sla {
            self.after
        } else {
            Duration::ZERO
        };
        let due = trigger.at.checked_add(after).unwrap_or(trigger.at);
        self.be_quiet(state, kind, self.quiet_for.saturating_add(after));
        state.pending = Some((trigger, due));
        self.changed.notify_all();
        true
    }

    fn quiet(&self, state: &State, kind: Kind) -> Option<Instant> {
        state.quiet_until[usize::from(kind == Kind::Panic)].filter(|_| kind.is_limited())
    }

    fn be_quiet(&self, state: &mut State, kind: Kind, quiet: Duration) {
        if kind.is_limited() {
            state.quiet_until[usize::from(kind == Kind::Panic)] = Instant::now().checked_add(quiet);
        }
    }

    /// Asks for a part and waits until it is safe, within the patience.
    ///
    /// # Errors
    /// It could not be written, or not in time, or the recorder ends.
    pub(crate) fn ask(&self, kind: Kind, words: &str) -> Result<PathBuf, SnapshotError> {
        let mut state = self.state();
        self.take_in(&mut state, kind, 1, || words.to_owned());
        self.answer(state, self.patience)
    }

    /// A thread panics. Waits for the part a second at most, and for nothing that this thread itself may have locked.
    pub(crate) fn panicked(&self, words: &str) {
        if self.pid != std::process::id() {
            return;
        }
        let give_up = Instant::now() + PATIENCE_IN_PANIC;
        let mut state = loop {
            match self.state.try_lock() {
                Ok(state) => break state,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::WouldBlock) => return,
            }
        };
        if self.take_in(&mut state, Kind::Panic, 1, || words.to_owned()) {
            let patience = self.patience.min(Duration::from_secs(1));
            // What became of it, the next part and the status tell.
            let _ = self.answer(state, patience);
        }
    }

    /// Waits for the part that is pending.
    fn answer(
        &self,
        mut state: MutexGuard<'_, State>,
        patience: Duration,
    ) -> Result<PathBuf, SnapshotError> {
        if state.is_stopping {
            return Err(SnapshotError::NotRunning);
        }
        state.asked += 1;
        let number = state.asked;
        // Whoever waits is not made to wait for what a slow span is given.
        if let Some((_, due)) = &mut state.pending {
            *due = Instant::now();
        }
        self.changed.notify_all();
        let waits = |state: &mut State| state.served < number && !state.has_ended;
        let waited = self.changed.wait_timeout_while(state, patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.served < number {
            return Err(match state.has_ended {
                true => SnapshotError::NotRunning,
                false => SnapshotError::TimedOut,
            });
        }
        let answered = state.answers.iter().find(|(upto, _)| *upto >= number);
        answered.map_or(Err(SnapshotError::TimedOut), |(_, answer)| answer.clone())
    }

    /// The next part to be written, once it is due; `None` at the end.
    pub(crate) fn next(&self) -> Option<Order> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let due = state.pending.as_ref().map(|(_, due)| *due);
            match due {
                Some(due) if due <= now || state.is_stopping => break,
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if state.is_stopping => return None,
                None => {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        let (trigger, _) = state.pending.take()?;
        Some(Order {
            trigger,
            more: state.more.clone(),
            upto: state.asked,
        })
    }

    /// What became of a part.
    pub(crate) fn served(&self, order: &Order, answer: Result<PathBuf, SnapshotError>) {
        let mut state = self.state();
        match &answer {
            Ok(path) => {
                state.written += 1;
                state.last_part = Some(path.clone());
                state.failing = None;
                // What came meanwhile stays to be told.
                state.more.count = state.more.count.saturating_sub(order.more.count);
            }
            Err(error) => {
                state.failing = Some(error.to_string());
                let quiet = self.quiet_for.min(AFTER_FAILURE);
                self.be_quiet(&mut state, order.trigger.kind, quiet);
            }
        }
        if order.upto > state.served {
            state.served = order.upto;
            state.answers.push_back((order.upto, answer));
            if state.answers.len() > ANSWERS_KEPT {
                state.answers.pop_front();
            }
        }
        self.changed.notify_all();
    }

    /// The recorder stops: what is pending is written at once, and nothing else is taken.
    pub(crate) fn stop(&self) {
        self.state().is_stopping = true;
        self.changed.notify_all();
    }

    /// The flight thread is gone.
    pub(crate) fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }

    /// Waits for the end of the flight thread. False if it does not come in time.
    pub(crate) fn wait_for_end(&self, patience: Duration) -> bool {
        let waits = |state: &mut State| !state.has_ended;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_ended
    }

    /// Why the last part was not written, if it was not.
    pub(crate) fn failing(&self) -> Option<String> {
        self.state().failing.clone()
    }

    pub(crate) fn last_part(&self) -> Option<PathBuf> {
        self.state().last_part.clone()
    }

    /// Fills in what the desk knows.
    pub(crate) fn tell(&self, status: &mut super::FlightStatus) {
        let state = self.state();
        status.snapshots = state.written;
        status.last_snapshot.clone_from(&state.last_part);
        status.suppressed = state.suppressed;
        status.failing.clone_from(&state.failing);
    }

    /// Takes a signal that came since the last call.
    pub(crate) fn take_signal(&self) -> bool {
        // Nearly always there is none: then nothing is written.
        self.signalled.load(Ordering::Relaxed) && self.signalled.swap(false, Ordering::Relaxed)
    }
}
