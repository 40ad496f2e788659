//! Guards: a span lasts as long as its guard.

use std::marker::PhantomData;
use std::num::NonZeroU64;

use perf_arena::{Record, SpanSlot};

use crate::clock::{self, Ticks};
use crate::event::Event;
use crate::ids::Outcome;
use crate::local;

/// A span that is being measured, without the guard around it. Whoever holds it sees to it that it ends once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenSpan {
    pub(crate) start: Ticks,
    pub(crate) trace: u64,
    pub(crate) slot: SpanSlot,
    pub(crate) who: Who,
}

/// Of which event a span is, and of which recorder. That it cannot be 0 lets `Option<OpenSpan>` tell by it alone, so that a
/// call site that is turned off sets this one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who(NonZeroU64);

impl Who {
    /// `None` if there is no such recorder.
    #[inline(always)]
    pub(crate) fn new(event: u32, serial: u32) -> Option<Self> {
        if serial == 0 {
            return None;
        }
        NonZeroU64::new(u64::from(event) | u64::from(serial) << 32).map(Self)
    }

    #[inline(always)]
    pub(crate) fn event(self) -> u32 {
        self.0.get() as u32
    }

    #[inline(always)]
    pub(crate) fn serial(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

impl OpenSpan {
    /// The record of its end.
    #[inline(always)]
    pub(crate) fn record(&self, end: Ticks, outcome: Outcome) -> [u64; 4] {
        // A clock that stepped back gives a difference that is negative in two's complement. The drainer writes it as 0.
        let duration = end.0.wrapping_sub(self.start.0);
        Record::new(end.0, duration, self.trace, self.who.event(), outcome.tag()).0
    }

    /// Ends it now.
    ///
    /// The end is out of line. In place it would be so much code that the compiler would call even for the check whether
    /// there is a span at all. The parts are passed one by one, in registers: a pointer would have a call site that is
    /// turned off store the whole guard.
    #[inline(always)]
    pub(crate) fn end(self, outcome: Outcome) {
        finish(self.start, self.trace, self.slot, self.who, outcome);
    }
}

#[inline(never)]
fn finish(start: Ticks, trace: u64, slot: SpanSlot, who: Who, outcome: Outcome) {
    let open = OpenSpan {
        start,
        trace,
        slot,
        who,
    };
    // Passed on as they came: a jump.
    match clock::now_if_direct() {
        Some(end) if local::try_end_at(&open, end, outcome) => {}
        Some(end) => finish_at(start, trace, slot, who, outcome, end),
        None => finish_slowly(start, trace, slot, who, outcome),
    }
}

#[cold]
#[inline(never)]
fn finish_slowly(start: Ticks, trace: u64, slot: SpanSlot, who: Who, outcome: Outcome) {
    finish_at(start, trace, slot, who, outcome, clock::now());
}

/// A record that has no room comes here, too: the clock is not read a second time, so that losing costs little more than
/// recording.
#[cold]
#[inline(never)]
fn finish_at(start: Ticks, trace: u64, slot: SpanSlot, who: Who, outcome: Outcome, end: Ticks) {
    local::end(
        &OpenSpan {
            start,
            trace,
            slot,
            who,
        },
        end,
        outcome,
    );
}

/// A span that ends when this guard is dropped: with [`Outcome::Ok`], or with [`Outcome::Panicked`] while a panic
/// unwinds. Made by [`measure!`](crate::measure).
///
/// The guard stays on its thread:
///
/// ```compile_fail,E0277
/// perf_probe::events! { WORK: span = "WORK"; }
/// let span = perf_probe::measure!(WORK);
/// std::thread::spawn(move || drop(span));
/// ```
///
/// It ends once:
///
/// ```compile_fail,E0382
/// perf_probe::events! { WORK: span = "WORK"; }
/// let span = perf_probe::measure!(WORK);
/// span.fail();
/// span.cancel();
/// ```
///
/// A guard that is forgotten leaves an open span: the capture says that it began and did not end.
#[derive(Debug)]
#[must_use = "the span ends when its guard is dropped, which is at once if it is not bound to a name"]
pub struct Span {
    /// `None`: nothing recorded when it began.
    open: Option<OpenSpan>,
    outcome: Outcome,
    on_its_thread: PhantomData<*const ()>,
}

impl Span {
    /// Begins a span of `event` in the current trace. [`measure!`](crate::measure) is the short form.
    #[inline(always)]
    pub fn begin(event: Event) -> Self {
        Self {
            open: local::begin(event),
            outcome: Outcome::Ok,
            on_its_thread: PhantomData,
        }
    }

    /// Ends it now, as done well. The same as dropping it.
    #[inline(always)]
    pub fn end(self) {}

    /// Ends it now, as an error.
    #[inline(always)]
    pub fn fail(self) {
        self.end_as(Outcome::Error);
    }

    /// Ends it now, as cancelled.
    #[inline(always)]
    pub fn cancel(self) {
        self.end_as(Outcome::Cancelled);
    }

    /// Ends it now, with `outcome`.
    #[inline(always)]
    pub fn end_as(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// What it will have come to when it ends; it goes on.
    #[inline(always)]
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Span {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(open) = self.open {
            open.end(if std::thread::panicking() {
                Outcome::Panicked
            } else {
                self.outcome
            });
        }
    }
}

/// Back-to-back stages: where one ends the next begins, with one reading of the clock for both. Made by [`laps`].
#[derive(Debug)]
#[must_use = "the first stage ends when this is dropped, which is at once if it is not bound to a name"]
pub struct Laps {
    stage: Span,
}

/// Begins the first of several back-to-back stages.
///
/// ```
/// # perf_probe::events! { PARSE: span = "PARSE"; SIGNAL: span = "SIGNAL"; }
/// let mut laps = perf_probe::laps(PARSE);
/// // parse …
/// laps.next(SIGNAL);
/// // look for a signal …
/// drop(laps); // ends SIGNAL
/// ```
#[inline(always)]
pub fn laps(first: Event) -> Laps {
    Laps {
        stage: Span::begin(first),
    }
}

impl Laps {
    /// Ends the stage and begins that of `event`, at the same tick.
    #[inline(always)]
    pub fn next(&mut self, event: Event) {
        self.stage.open = local::next(self.stage.open, self.stage.outcome, event);
        self.stage.outcome = Outcome::Ok;
    }

    /// What the present stage will have come to when it ends; it goes on.
    #[inline(always)]
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.stage.outcome = outcome;
    }

    /// Ends the last stage. The same as dropping it.
    #[inline(always)]
    pub fn end(self) {}

    /// Ends the last stage as an error.
    #[inline(always)]
    pub fn fail(self) {
        self.stage.fail();
    }

    /// Ends the last stage as cancelled.
    #[inline(always)]
    pub fn cancel(self) {
        self.stage.cancel();
    }
}

/// Measures a function that returns a `Result`, for `#[measure]`.
#[inline(always)]
pub fn call<T, E>(event: Event, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let mut span = Span::begin(event);
    let result = body();
    if result.is_err() {
        span.set_outcome(Outcome::Error);
    }
    result
}

/// Measures until the end of the scope: `let _span = measure!(EVENT);`.
///
/// `let _ = measure!(EVENT);` would measure nothing, since the guard is dropped at once; the compiler warns of it.
///
/// Whole functions have the attribute `#[measure(EVENT)]` of [`attribute`](mod@crate::attribute). Rust keeps macros and
/// attributes in one namespace, so no single `use` brings both; these two lines do:
///
/// ```
/// use perf_probe::attribute::*;
/// use perf_probe::measure;
///
/// perf_probe::events! { ORDER: span = "ORDER"; CHECK: span = "CHECK"; }
///
/// #[measure(ORDER)]
/// fn order(amount: u32) -> bool {
///     let _span = measure!(CHECK);
///     amount < 100
/// }
/// assert!(order(7));
/// ```
#[macro_export]
macro_rules! measure {
    ($event:expr) => {
        $crate::Span::begin($event)
    };
}
