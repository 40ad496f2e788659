//! What the spans of a trace are together.

use super::span::Span;

/// What the spans of a trace are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first start.
    pub(crate) start: u64,
    /// The last end.
    pub(crate) end: u64,
    /// The bits of their events, modulo 64.
    pub(crate) events: u64,
    /// How many they are.
    pub(crate) spans: u32,
    /// The bits of their outcomes.
    pub(crate) outcomes: u8,
}

impl Extent {
    /// That of no spans.
    pub(crate) const NONE: Self = Self {
        start: u64::MAX,
        end: 0,
        events: 0,
        spans: 0,
        outcomes: 0,
    };

    #[inline]
    pub(crate) fn of(spans: &[Span]) -> Self {
        let mut extent = Self::NONE;
        for span in spans {
            extent.add(Self {
                start: span.start,
                end: span.end,
                ..Self::mark(span.event(), span.outcome_bit())
            });
        }
        extent
    }

    /// That of one span of an event, of which the times are not known yet.
    #[inline]
    pub(crate) fn mark(event: u32, outcome_bit: u8) -> Self {
        Self {
            events: 1 << (event & 63),
            spans: 1,
            outcomes: outcome_bit,
            ..Self::NONE
        }
    }

    /// Adds the spans of another.
    #[inline]
    pub(crate) fn add(&mut self, other: Self) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.events |= other.events;
        self.spans += other.spans;
        self.outcomes |= other.outcomes;
    }

    /// From the first start to the last end.
    #[inline]
    pub(crate) fn end_to_end(&self) -> u64 {
        self.end - self.start
    }

    /// Whether an event occurs more than once, of events numbered below 64.
    #[inline]
    pub(crate) fn repeats(&self) -> bool {
        self.events.count_ones() < self.spans
    }
}
