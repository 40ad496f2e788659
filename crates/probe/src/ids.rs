//! Ids and small enums that a record carries.

use std::fmt;

/// An event within this process: an index into the table of interned names.
///
/// The same name may have another id in another process; the name is the identity across captures. 0 is no event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EventId(u32);

impl EventId {
    /// Wraps a raw id.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The raw id, as records carry it.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What an event measures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A duration with an outcome.
    Span,
    /// A sum of deltas.
    Counter,
    /// The last of many values.
    Gauge,
    /// A value of a distribution.
    Observation,
}

impl Kind {
    /// Every kind, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Span, Self::Counter, Self::Gauge, Self::Observation];

    /// The code that the arena and the capture file use: 0 span, 1 counter, 2 gauge, 3 observation.
    pub const fn code(self) -> u8 {
        match self {
            Self::Span => 0,
            Self::Counter => 1,
            Self::Gauge => 2,
            Self::Observation => 3,
        }
    }

    /// `span`, `counter`, `gauge` or `observation`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Observation => "observation",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a span ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Outcome {
    /// It did what it was asked.
    #[default]
    Ok,
    /// It returned an error, or its guard was told to [`fail`](crate::Span::fail).
    Error,
    /// It was given up: a future dropped before its end, or [`cancel`](crate::Span::cancel).
    Cancelled,
    /// A panic went through it.
    Panicked,
}

impl Outcome {
    /// The tag of a span's record.
    #[inline]
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Ok => 1,
            Self::Error => 2,
            Self::Cancelled => 3,
            Self::Panicked => 4,
        }
    }
}
