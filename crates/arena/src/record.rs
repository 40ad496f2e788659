//! The 32-byte record that a ring slot holds.
//!
//! | word | bits | meaning |
//! |---|---|---|
//! | 0 | 0..64 | time in ticks: the end of a span, the instant of everything else |
//! | 1 | 0..64 | value: duration in ticks, delta, gauge, observation, unix ns, count of lost records |
//! | 2 | 0..64 | trace id, 0 = none (a loss record: ticks of the first lost record) |
//! | 3 | 0..32 | event id (an annotation: key length in bytes; a loss record: cause) |
//! | 3 | 32..40 | tag, see [`tag`] |
//! | 3 | 40..56 | payload slots that follow (annotations and padding only), else 0 |
//! | 3 | 63 | the annotation's value was cut to fit |
//!
//! An annotation is a head record and its payload slots, published together. The payload is the key's bytes and then, for
//! a string, the value's bytes, packed, zero-padded to whole slots. Word 1 of the head is the value of an integer (i64) or
//! a float (f64 bits), and for a string the value's length in bytes.

/// What a record is. The codes are those of the capture format; they are repeated here because the arena knows nothing of it.
pub mod tag {
    /// A span that ended well; the value is its duration in ticks.
    pub const SPAN_OK: u8 = 1;
    /// A span that ended with an error.
    pub const SPAN_ERROR: u8 = 2;
    /// A span that was cancelled: its future was dropped before it was done.
    pub const SPAN_CANCELLED: u8 = 3;
    /// A span that a panic ended.
    pub const SPAN_PANICKED: u8 = 4;
    /// A counter's increment, i64.
    pub const COUNTER: u8 = 8;
    /// A gauge's value, i64.
    pub const GAUGE: u8 = 9;
    /// One value of a distribution, u64 in the event's unit.
    pub const OBSERVATION: u8 = 10;
    /// A string that belongs to a trace; payload slots follow.
    pub const ANNOTATION_STR: u8 = 16;
    /// An integer that belongs to a trace; payload slots (the key) follow.
    pub const ANNOTATION_INT: u8 = 17;
    /// A float that belongs to a trace; payload slots (the key) follow.
    pub const ANNOTATION_FLOAT: u8 = 18;
    /// When the trace ought to have begun, unix ns as i64.
    pub const DUE: u8 = 20;
    /// So many records were lost just before this one.
    pub const LOSS: u8 = 30;
    /// Nothing: fills a ring in overwrite mode up to a boundary; its payload slots mean nothing.
    pub const PAD: u8 = 31;

    /// Whether payload slots may follow a record of this tag.
    #[must_use]
    pub const fn has_payload(tag: u8) -> bool {
        matches!(
            tag,
            ANNOTATION_STR | ANNOTATION_INT | ANNOTATION_FLOAT | PAD
        )
    }
}

/// Bytes of a record, and of a ring slot.
pub const RECORD_BYTES: usize = 32;

/// One ring slot: four words, as the module describes. A payload slot of an annotation has the same size and no fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C, align(32))]
pub struct Record(pub [u64; 4]);

impl Record {
    /// A record of anything but an annotation or a loss.
    #[inline(always)]
    #[must_use]
    pub const fn new(end_ticks: u64, value: u64, trace: u64, event: u32, tag: u8) -> Self {
        Self([end_ticks, value, trace, word3(event, tag, 0)])
    }

    /// Time in ticks.
    #[must_use]
    pub const fn end_ticks(&self) -> u64 {
        self.0[0]
    }

    /// The value: ticks, i64, u64 or a length, by the tag.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.0[1]
    }

    /// Trace id, 0 = none.
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.0[2]
    }

    /// Event id; of an annotation the key's length in bytes, of a loss the cause's code.
    #[must_use]
    pub const fn event(&self) -> u32 {
        self.0[3] as u32
    }

    /// What the record is, see [`tag`].
    #[must_use]
    pub const fn tag(&self) -> u8 {
        (self.0[3] >> 32) as u8
    }

    /// Payload slots that belong to this record and follow it in the ring. None if it is [stray](Self::is_stray).
    #[must_use]
    pub const fn payload_slots(&self) -> u64 {
        if self.is_stray() {
            0
        } else {
            self.claimed_slots()
        }
    }

    /// Whether it claims more payload than any record has, as only a stray write into the arena can make it. Were it
    /// believed, it would take others with it, or be waited for forever.
    #[must_use]
    pub const fn is_stray(&self) -> bool {
        self.claimed_slots() > MAX_PAYLOAD_SLOTS
    }

    const fn claimed_slots(&self) -> u64 {
        if tag::has_payload(self.tag()) {
            (self.0[3] >> 40) & 0xffff
        } else {
            0
        }
    }

    /// Whether this is an annotation whose key or value was cut to fit [`crate::MAX_ANNOTATION_BYTES`].
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.0[3] & TRUNCATED != 0
    }
}

/// Payload slots of the longest annotation. Padding is shorter: it fills what an annotation has no room in.
const MAX_PAYLOAD_SLOTS: u64 = (crate::MAX_ANNOTATION_BYTES / RECORD_BYTES) as u64;

/// Bit of the fourth word: the annotation's key or value was cut to fit.
pub(crate) const TRUNCATED: u64 = 1 << 63;

/// The fourth word of a record.
#[inline(always)]
#[must_use]
pub(crate) const fn word3(event: u32, tag: u8, aux: u32) -> u64 {
    event as u64 | (tag as u64) << 32 | (aux as u64) << 40
}
