//! What a row is: the tag code on the wire and what it means.

use std::fmt;

/// The kind code of a row. Codes that this version does not know survive a
/// round trip; see [`Tag::class`] for what a code means.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u8);

impl Tag {
    /// A span that ended well. Value: duration in ticks.
    pub const SPAN_OK: Tag = Tag(1);
    /// A span that ended with an error. Value: duration in ticks.
    pub const SPAN_ERROR: Tag = Tag(2);
    /// A span that was cancelled, for example a dropped future. Value: duration in ticks.
    pub const SPAN_CANCELLED: Tag = Tag(3);
    /// A span that a panic went through. Value: duration in ticks.
    pub const SPAN_PANICKED: Tag = Tag(4);
    /// A counter's step. Value: i64 delta.
    pub const COUNTER: Tag = Tag(8);
    /// A gauge's new value. Value: i64.
    pub const GAUGE: Tag = Tag(9);
    /// One sample of a distribution. Value: u64 in the event's unit.
    pub const OBSERVATION: Tag = Tag(10);
    /// A text of a trace. Event: index of the key, value: index of the text, both in the chunk's string table.
    pub const ANNOTATION_STR: Tag = Tag(16);
    /// An integer of a trace. Event: index of the key; value: i64.
    pub const ANNOTATION_INT: Tag = Tag(17);
    /// A number of a trace. Event: index of the key; value: bits of an f64.
    pub const ANNOTATION_FLOAT: Tag = Tag(18);
    /// When the trace ought to have begun. Value: unix ns, i64. Event: 0.
    pub const DUE: Tag = Tag(20);

    /// What this code means.
    pub fn class(self) -> TagClass {
        match self {
            Tag::SPAN_OK => TagClass::Span(Outcome::Ok),
            Tag::SPAN_ERROR => TagClass::Span(Outcome::Error),
            Tag::SPAN_CANCELLED => TagClass::Span(Outcome::Cancelled),
            Tag::SPAN_PANICKED => TagClass::Span(Outcome::Panicked),
            Tag::COUNTER => TagClass::Counter,
            Tag::GAUGE => TagClass::Gauge,
            Tag::OBSERVATION => TagClass::Observation,
            Tag::ANNOTATION_STR | Tag::ANNOTATION_INT | Tag::ANNOTATION_FLOAT => {
                TagClass::Annotation
            }
            Tag::DUE => TagClass::Due,
            _ => TagClass::Unknown,
        }
    }

    /// True for the four span codes, whose value is a duration in ticks.
    #[inline]
    pub fn is_span(self) -> bool {
        matches!(self.0, 1..=4)
    }

    /// True when the row's event field is a key in the chunk's string table.
    #[inline]
    pub fn is_annotation(self) -> bool {
        matches!(self.0, 16..=18)
    }

    /// True when the value is to be read as an i64.
    pub fn is_signed(self) -> bool {
        matches!(
            self,
            Tag::COUNTER | Tag::GAUGE | Tag::ANNOTATION_INT | Tag::DUE
        )
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({} {:?})", self.0, self.class())
    }
}

/// What a [`Tag`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagClass {
    /// A span with its outcome.
    Span(Outcome),
    /// A counter's step.
    Counter,
    /// A gauge's new value.
    Gauge,
    /// A sample of a distribution.
    Observation,
    /// A key and a value of a trace.
    Annotation,
    /// A trace's due time.
    Due,
    /// A code that this version does not know.
    Unknown,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It ended well.
    Ok,
    /// It ended with an error.
    Error,
    /// It was cancelled.
    Cancelled,
    /// A panic went through it.
    Panicked,
}

impl Outcome {
    /// Every outcome, in the order of the codes.
    pub const ALL: [Outcome; 4] = [
        Outcome::Ok,
        Outcome::Error,
        Outcome::Cancelled,
        Outcome::Panicked,
    ];

    /// The span code of this outcome.
    pub fn tag(self) -> Tag {
        match self {
            Outcome::Ok => Tag::SPAN_OK,
            Outcome::Error => Tag::SPAN_ERROR,
            Outcome::Cancelled => Tag::SPAN_CANCELLED,
            Outcome::Panicked => Tag::SPAN_PANICKED,
        }
    }

    /// `ok`, `error`, `cancelled` or `panicked`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Error => "error",
            Outcome::Cancelled => "cancelled",
            Outcome::Panicked => "panicked",
        }
    }
}
