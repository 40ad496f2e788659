//! For crates that translate another way of instrumenting into this one: what they have are starts and ends that no scope
//! holds together, on whatever thread.

use crate::clock::Ticks;
use crate::event::Event;
use crate::ids::Outcome;
use crate::local;
use crate::span::OpenSpan;
use crate::trace::TraceId;

/// A span that no scope holds: it may travel, and ends on whatever thread it is told to. The record is that thread's.
///
/// Dropped without an end it stays open: the capture says that it began and did not end.
#[derive(Debug)]
#[must_use = "a span that is not ended stays open"]
pub struct Detached(Option<OpenSpan>);

impl Detached {
    /// Begins a span of `event` in `trace` now. The thread's current trace does not change.
    #[inline]
    pub fn begin(event: Event, trace: TraceId) -> Self {
        Self(within(trace, || local::begin(event)))
    }

    /// Whether anything recorded when it began.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Ends it as of `end`, a reading of [`clock::now`](crate::clock::now) that may lie in the past.
    #[inline]
    pub fn end_at(self, end: Ticks, outcome: Outcome) {
        if let Some(open) = self.0
            && !local::try_end_at(&open, end, outcome)
        {
            local::end(&open, end, outcome);
        }
    }
}

/// Records a span of `event` in `trace` that was measured by other means: `duration_ticks` long, ended at `end`.
#[inline]
pub fn record_span(
    event: Event,
    trace: TraceId,
    end: Ticks,
    duration_ticks: u64,
    outcome: Outcome,
) {
    within(trace, || {
        local::record_at(event, end, outcome.tag(), duration_ticks);
    });
}

/// Makes `trace` the current trace of this thread and gives back the one that was. Unlike [`trace::enter`](crate::trace::enter)
/// nothing leaves it again: the caller does.
#[inline]
pub fn swap_trace(trace: TraceId) -> TraceId {
    local::swap_trace(trace)
}

/// `work` records and does nothing that could panic.
#[inline(always)]
fn within<R>(trace: TraceId, work: impl FnOnce() -> R) -> R {
    let outer = local::swap_trace(trace);
    let result = work();
    local::swap_trace(outer);
    result
}

/// A detached span may be kept where other threads reach it.
const _: () = {
    const fn travels<T: Send + Sync>() {}
    travels::<Detached>();
};
