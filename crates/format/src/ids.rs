//! Identifiers as types of their own, so that a thread never passes for a ring.

use std::fmt;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// An event within one capture. Across captures the name is the identity.
    /// In annotation rows the same field holds the index of the key in the
    /// chunk's string table.
    EventId(u32)
}
id! {
    /// A recording thread within one capture; its name is in the Tables chunk.
    ThreadId(u32)
}
id! {
    /// A ring within one capture. A ring may serve several threads, one after another.
    RingId(u32)
}
id! {
    /// A stretch of the capture through which one tick rate holds.
    SegmentId(u32)
}

id! {
    /// A span within its trace, by a number that whoever recorded it chose. Zero is
    /// no id.
    SpanId(u64)
}

impl SpanId {
    /// No id.
    pub const NONE: SpanId = SpanId(0);
}

/// Everything done for one cause, across threads. Zero is no trace.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct TraceId(pub u64);

impl TraceId {
    /// No trace.
    pub const NONE: TraceId = TraceId(0);

    /// True for [`TraceId::NONE`].
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Sixteen hexadecimal digits, as in the low half of a W3C trace id.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// Sixteen random bytes that name one capture, whatever its file is called.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaptureId(pub [u8; 16]);

/// Thirty-two hexadecimal digits.
impl fmt::Display for CaptureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CaptureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaptureId({self})")
    }
}
