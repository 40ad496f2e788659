//! The verbs that are plain functions.

use perf_arena::tag;

use crate::clock::{self, Ticks};
use crate::event::Event;
use crate::ids::Outcome;
use crate::{gate, local};

/// When something began: given by [`record_start`], taken by [`record_end`], which makes a span of it once.
///
/// It may travel to another thread, through a queue for example. A start without an end leaves no trace: for spans that
/// a crash must not forget there is [`measure!`](crate::measure).
#[derive(Debug)]
#[must_use = "without its end, a start records nothing"]
pub struct Start {
    /// 0 if nothing was recording.
    ticks: Ticks,
}

/// Reads the clock for a span of `event` that [`record_end`] will end.
#[inline(always)]
pub fn record_start(event: Event) -> Start {
    let _ = event;
    Start {
        ticks: if gate::load() == gate::CLOSED {
            Ticks(0)
        } else {
            clock::now()
        },
    }
}

/// Records the span of `event` since `start`, done well.
#[inline(always)]
pub fn record_end(event: Event, start: Start) {
    record_end_as(event, start, Outcome::Ok);
}

/// Records the span of `event` since `start`, with its outcome.
#[inline(always)]
pub fn record_end_as(event: Event, start: Start, outcome: Outcome) {
    if start.ticks.0 != 0 && gate::load() != gate::CLOSED {
        let end = clock::now();
        local::record_at(event, end, outcome.tag(), end.0.wrapping_sub(start.ticks.0));
    }
}

/// Adds `delta` to a counter. Reports show the sum and the rate.
#[inline(always)]
pub fn record_counter(event: Event, delta: i64) {
    local::record(event, tag::COUNTER, delta.cast_unsigned());
}

/// Sets a gauge. Reports show the minimum, the mean over time, the maximum and the last value.
#[inline(always)]
pub fn record_gauge(event: Event, value: i64) {
    local::record(event, tag::GAUGE, value.cast_unsigned());
}

/// Records one value of a distribution, in the event's unit. Reports show its percentiles.
#[inline(always)]
pub fn record_histogram(event: Event, value: u64) {
    local::record(event, tag::OBSERVATION, value);
}
