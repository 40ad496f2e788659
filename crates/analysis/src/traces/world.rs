//! What is known before any row is read: names, and which captures share a clock.

mod builder;

use std::collections::HashMap;

use perf_format::{EventId, SegmentId, ThreadId, round_u64};

use super::hash::NumberMap;
use super::intervals::Intervals;
use crate::capture::Capture;
use crate::report::timeline::Parts;

pub(crate) use builder::{Builder, selection};

/// Names, and what a unit of time is. A unit is a tick where all captures share one rate, else a nanosecond.
#[derive(Debug)]
pub struct World {
    events: Vec<String>,
    threads: Vec<String>,
    pub(crate) ns_per_unit: f64,
    event_of: Vec<HashMap<EventId, u32>>,
    thread_of: Vec<HashMap<ThreadId, u32>>,
    pub(crate) domains: Vec<Domain>,
}

/// One clock: traces are put together within it.
#[derive(Debug)]
pub(crate) struct Domain {
    /// Captures and segments in it; the first one's clock tells the time.
    pub(crate) streams: Vec<(usize, SegmentId)>,
    pub(crate) convert: Convert,
    /// Which units are selected, and in which block.
    pub(crate) parts: Parts,
    first_slot: i64,
    pub(crate) losses: Intervals,
    /// By trace: where spans of it were still open, and which.
    pub(crate) opens: NumberMap<u64, Vec<(u64, u32)>>,
    /// When recording began; what began before was cut. 0 if not known.
    pub(crate) begin: u64,
    /// The last end.
    pub(crate) last: u64,
    /// Whether a capture just ends, without having been closed: then a trace that ended less than its own length before the
    /// last end counts as cut.
    pub(crate) unclosed: bool,
    pub(crate) idle: u64,
}

/// From ticks to units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Convert {
    Same,
    Linear {
        base: u64,
        ns_per_tick: f64,
    },
    /// By the wall clock of each capture.
    Wall {
        base_ns: i64,
    },
}

impl Convert {
    #[inline]
    pub(crate) fn units(self, capture: &Capture, segment: SegmentId, ticks: u64) -> u64 {
        match self {
            Self::Same => ticks,
            Self::Linear { base, ns_per_tick } => {
                round_u64(ticks.saturating_sub(base) as f64 * ns_per_tick)
            }
            Self::Wall { base_ns } => {
                let ns = capture.clock.unix_ns(segment, ticks);
                u64::try_from(ns.saturating_sub(base_ns)).unwrap_or(0)
            }
        }
    }

    fn ticks(self, units: u64) -> u64 {
        match self {
            Self::Same | Self::Wall { .. } => units,
            Self::Linear { base, ns_per_tick } => {
                base.saturating_add(round_u64(units as f64 / ns_per_tick))
            }
        }
    }
}

impl World {
    /// The name of an event. Numbers are in the order of names.
    pub fn event_name(&self, event: u32) -> &str {
        self.events.get(event as usize).map_or("", String::as_str)
    }

    /// The number of an event.
    pub fn event_of_name(&self, name: &str) -> Option<u32> {
        let place = self.events.binary_search_by(|each| each.as_str().cmp(name));
        place.ok().map(|place| place as u32)
    }

    /// How many events there are.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// The name of a thread, or its number where it has none.
    pub fn thread_name(&self, thread: u32) -> &str {
        self.threads.get(thread as usize).map_or("", String::as_str)
    }

    /// A duration in ns.
    pub fn ns(&self, units: u64) -> u64 {
        round_u64(units as f64 * self.ns_per_unit)
    }

    #[inline]
    pub(crate) fn event(&self, capture: usize, event: EventId) -> Option<u32> {
        self.event_of[capture].get(&event).copied()
    }

    #[inline]
    pub(crate) fn thread(&self, capture: usize, thread: ThreadId) -> u32 {
        self.thread_of[capture].get(&thread).copied().unwrap_or(0)
    }
}

impl Domain {
    pub(crate) fn unix_ns(&self, captures: &[&Capture], units: u64) -> i64 {
        match self.convert {
            Convert::Wall { base_ns } => base_ns.saturating_add_unsigned(units),
            convert => {
                let (capture, segment) = self.streams[0];
                captures[capture]
                    .clock
                    .unix_ns(segment, convert.ticks(units))
            }
        }
    }

    /// Whether a trace of this extent began before recording did, or may have gone on after a capture that just ends.
    #[inline]
    pub(crate) fn is_cut(&self, start: u64, end: u64) -> bool {
        start < self.begin || self.unclosed && self.last.saturating_sub(end) < end - start
    }

    /// Whether records were lost meanwhile.
    #[inline]
    pub(crate) fn is_lossy(&self, start: u64, end: u64) -> bool {
        !self.losses.is_empty() && self.losses.meet(start, end)
    }

    /// The block that a trace belongs to which ended then; `None` if it is not selected.
    #[inline]
    pub(crate) fn block(&self, end: u64) -> Option<u32> {
        let slot = match self.parts.single() {
            Some(slot) => slot,
            None => self.parts.slot_of_part(self.parts.part_of(end)),
        };
        slot.map(|slot| u32::try_from(slot.saturating_sub(self.first_slot)).unwrap_or(0))
    }
}
