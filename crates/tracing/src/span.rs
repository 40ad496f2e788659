//! What a layer keeps with each span of the registry, from its creation to its close.

use perf_probe::adapter::{Detached, record_span};
use perf_probe::{Event, Outcome, Ticks, TraceId, clock};

use crate::context::{Context, Left};

/// A span that is being recorded.
pub(crate) struct OpenSpan {
    detached: Option<Detached>,
    context: Context,
    /// What its code said that it came to.
    outcome: Option<Outcome>,
    panicked: bool,
    /// When it was last left; `None` before.
    left: Option<Ticks>,
    busy: Option<Event>,
    busy_ticks: u64,
}

impl OpenSpan {
    /// Begins a span; `None` if nothing records.
    pub(crate) fn begin(event: Event, busy: Option<Event>, context: Context) -> Option<Self> {
        let detached = Detached::begin(event, context.trace);
        detached.is_recorded().then_some(Self {
            detached: Some(detached),
            context,
            outcome: None,
            panicked: false,
            left: None,
            busy,
            busy_ticks: 0,
        })
    }

    pub(crate) fn context(&self) -> Context {
        self.context
    }

    pub(crate) fn trace(&self) -> TraceId {
        self.context.trace
    }

    /// Whether somebody wants to know when it is entered.
    pub(crate) fn counts_busy(&self) -> bool {
        self.busy.is_some()
    }

    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// An error was reported in it. What its code says of itself goes before.
    pub(crate) fn meet_error(&mut self) {
        self.outcome.get_or_insert(Outcome::Error);
    }

    /// A thread has left it.
    pub(crate) fn leave(&mut self, left: &Left) {
        let now = clock::now();
        // Another thread may have left it meanwhile.
        self.left = self.left.max(Some(now));
        self.panicked |= left.panicked;
        if self.busy.is_some() {
            let stay = now.0.wrapping_sub(left.entered_at.0).cast_signed();
            self.busy_ticks += stay.max(0).cast_unsigned();
        }
    }

    /// Records it, once.
    pub(crate) fn close(&mut self) {
        let Some(detached) = self.detached.take() else {
            return;
        };
        let end = self.left.unwrap_or_else(clock::now);
        let outcome = if self.panicked {
            Outcome::Panicked
        } else {
            self.outcome.unwrap_or_default()
        };
        detached.end_at(end, outcome);
        if let Some(busy) = self.busy {
            // Of no trace: it is a sum of stays, not a stage of its own.
            record_span(busy, TraceId::NONE, end, self.busy_ticks, outcome);
        }
    }
}
