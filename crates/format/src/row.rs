//! One recorded thing, as the encoder takes it and the reader gives it back.

use crate::{EventId, SeriesKey, Tag, TraceId};

/// One row of an Events chunk. Every kind of record has this one shape; the tag
/// says how to read `value` and `event`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// When it was recorded, in ticks of the capture's clock: a span's end.
    pub end_ticks: u64,
    /// A duration in ticks, a delta, a sample …: see [`Tag`].
    pub value: u64,
    /// The trace it belongs to, or none.
    pub trace: TraceId,
    /// The event; in annotation rows the key's index in the chunk's string table.
    pub event: EventId,
    /// What the row is.
    pub tag: Tag,
}

impl Row {
    /// What the rows of one series share.
    #[inline]
    pub fn series(&self) -> SeriesKey {
        SeriesKey {
            event: self.event,
            tag: self.tag,
        }
    }

    /// When it began, in ticks: `end − duration` of a span, `end` of anything else.
    /// A duration longer than the clock has run saturates at zero.
    #[inline]
    pub fn start_ticks(&self) -> u64 {
        if self.tag.is_span() {
            self.end_ticks.saturating_sub(self.value)
        } else {
            self.end_ticks
        }
    }
}

/// A value of an annotation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AnnotationValue<'a> {
    /// A text, as bytes: usually UTF-8, but what was recorded is kept.
    Str(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
}

/// Records that were attempted and not kept, counted exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct LossEntry {
    /// The ring that had no room.
    pub ring: crate::RingId,
    /// The thread that recorded.
    pub thread: crate::ThreadId,
    /// Why.
    pub cause: LossCause,
    /// How many records.
    pub count: u64,
    /// Ticks of the first lost record; 0 if not known.
    pub from_ticks: u64,
    /// Ticks of the last lost record; 0 if not known.
    pub to_ticks: u64,
}

/// Why records were lost: a code, so that unknown ones survive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct LossCause(pub u32);

impl LossCause {
    /// The ring was full.
    pub const RING_FULL: LossCause = LossCause(1);
    /// The thread could get no ring.
    pub const NO_RING: LossCause = LossCause(2);
    /// A signal handler recorded while its thread was recording.
    pub const NESTED: LossCause = LossCause(3);
    /// The spool was full: the disk was too slow.
    pub const SPOOL_FULL: LossCause = LossCause(4);
    /// Writing the file failed: disk full or an input/output error.
    pub const WRITE_FAILED: LossCause = LossCause(5);
    /// An annotation was too long to be recorded.
    pub const TOO_LONG: LossCause = LossCause(6);
    /// Bytes of a dead process's arena could not be read.
    pub const SALVAGE: LossCause = LossCause(7);
    /// Recorded after the recorder had stopped.
    pub const AFTER_STOP: LossCause = LossCause(8);
    /// Overwritten by newer records before it was drained.
    pub const OVERWRITTEN: LossCause = LossCause(9);

    /// A short description, for people.
    pub fn describe(self) -> &'static str {
        match self {
            LossCause::RING_FULL => "ring full",
            LossCause::NO_RING => "no ring for the thread",
            LossCause::NESTED => "recorded inside a signal handler",
            LossCause::SPOOL_FULL => "spool full (slow disk)",
            LossCause::WRITE_FAILED => "writing the file failed",
            LossCause::TOO_LONG => "annotation too long",
            LossCause::SALVAGE => "arena damaged",
            LossCause::AFTER_STOP => "recorded after the stop",
            LossCause::OVERWRITTEN => "overwritten before it was drained",
            _ => "unknown cause",
        }
    }
}
