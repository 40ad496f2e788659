//! The `traceparent` header of W3C Trace Context (<https://www.w3.org/TR/trace-context/#traceparent-header>).

use std::fmt;
use std::str::FromStr;

use super::id::{TraceId, TraceparentError};

/// Version, trace id, parent id and flags in hex, with dashes between.
const LENGTH: usize = 55;
/// The flag that the caller may have recorded the trace.
const SAMPLED: u64 = 1;

/// What a `traceparent` header says: which trace, which span of the caller's, and whether it keeps the trace.
///
/// ```
/// use perf_probe::trace::Traceparent;
///
/// let incoming = Traceparent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
/// assert_eq!(incoming.trace().to_string(), "a3ce929d0e0e4736");
/// let outgoing = incoming.child().to_string();
/// assert!(outgoing.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
/// # Ok::<(), perf_probe::trace::TraceparentError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Traceparent {
    high: u64,
    low: u64,
    parent: u64,
    sampled: bool,
}

impl Traceparent {
    /// Reads a header: the form of version 00 strictly, of later versions as much of it as the standard lets a reader of
    /// version 00 rely on.
    ///
    /// # Errors
    /// It has another form, or an id that must not be used.
    pub fn parse(header: &str) -> Result<Self, TraceparentError> {
        let bytes = header.as_bytes();
        if bytes.len() < LENGTH {
            return Err(TraceparentError::Length(bytes.len()));
        }
        let version = hex_field(bytes, 0, 2)?;
        match version {
            0xff => return Err(TraceparentError::Version),
            0 if bytes.len() != LENGTH => return Err(TraceparentError::Length(bytes.len())),
            _ => {}
        }
        for dash in [2, 35, 52, LENGTH] {
            if bytes.get(dash).is_some_and(|byte| *byte != b'-') {
                return Err(TraceparentError::Form(dash));
            }
        }
        let high = hex_field(bytes, 3, 16)?;
        let low = hex_field(bytes, 19, 16)?;
        let parent = hex_field(bytes, 36, 16)?;
        let flags = hex_field(bytes, 53, 2)?;
        if (high == 0 && low == 0) || parent == 0 {
            return Err(TraceparentError::ZeroId);
        }
        if low == 0 {
            return Err(TraceparentError::ZeroLowHalf);
        }
        Ok(Self {
            high,
            low,
            parent,
            sampled: flags & SAMPLED != 0,
        })
    }

    /// The header for a call that is made in `trace`, with a parent id of its own. `high` is the high half of the trace's
    /// 128-bit id: that of the header by which the trace came here, or 0 for one that began here. `None` without a trace.
    pub fn new(trace: TraceId, high: u64, sampled: bool) -> Option<Self> {
        (!trace.is_none()).then(|| Self {
            high,
            low: trace.raw(),
            parent: TraceId::unique().raw(),
            sampled,
        })
    }

    /// The same trace under a new parent id: what goes out with a call that is made for the one that came in.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            parent: TraceId::unique().raw(),
            ..self
        }
    }

    /// The trace: the low half of its 128-bit id. Never none.
    pub const fn trace(self) -> TraceId {
        TraceId::from_raw(self.low)
    }

    /// The high half of the trace's id; 0 if the caller's ids have 64 bits.
    pub const fn high(self) -> u64 {
        self.high
    }

    /// The id of the caller's span. Never 0.
    pub const fn parent_id(self) -> u64 {
        self.parent
    }

    /// Whether the caller may have recorded the trace.
    pub const fn is_sampled(self) -> bool {
        self.sampled
    }

    /// Notes the high half of the id for the trace, unless it is 0, under
    /// [`HIGH_HALF_KEY`](super::HIGH_HALF_KEY).
    pub fn annotate_high(self) {
        if self.high != 0 {
            super::annotate_id(self.trace(), super::HIGH_HALF_KEY, hex(self.high).as_str());
        }
    }
}

impl fmt::Display for Traceparent {
    /// The header, in version 00. Of the flags it has the one that version 00 knows.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "00-{:016x}{:016x}-{:016x}-{:02x}",
            self.high,
            self.low,
            self.parent,
            if self.sampled { SAMPLED } else { 0 }
        )
    }
}

impl FromStr for Traceparent {
    type Err = TraceparentError;

    fn from_str(header: &str) -> Result<Self, TraceparentError> {
        Self::parse(header)
    }
}

fn hex_field(bytes: &[u8], start: usize, len: usize) -> Result<u64, TraceparentError> {
    let mut value = 0;
    for (offset, byte) in bytes[start..start + len].iter().enumerate() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return Err(TraceparentError::Form(start + offset)),
        };
        value = value << 4 | u64::from(digit);
    }
    Ok(value)
}

/// Sixteen hex digits, without an allocation.
struct Hex([u8; 16]);

impl Hex {
    fn as_str(&self) -> &str {
        // Only ASCII digits were put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn hex(value: u64) -> Hex {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = (value >> (60 - 4 * place)) as usize & 0xf;
        *digit = b"0123456789abcdef"[nibble];
    }
    Hex(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<(u64, u64), TraceparentError> {
        Traceparent::parse(header).map(|parent| (parent.high, parent.low))
    }

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standards_example_is_read() {
        assert_eq!(
            parse(GOOD),
            Ok((0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736))
        );
    }

    #[test]
    fn a_later_version_may_be_longer() {
        assert!(parse(&format!("cc{}-what-the-future-brings", &GOOD[2..])).is_ok());
        assert_eq!(
            parse(&format!("cc{}.x", &GOOD[2..])),
            Err(TraceparentError::Form(55))
        );
        assert_eq!(
            parse(&format!("{GOOD}-x")),
            Err(TraceparentError::Length(57))
        );
    }

    #[test]
    fn bad_headers_name_their_fault() {
        assert_eq!(parse(""), Err(TraceparentError::Length(0)));
        assert_eq!(parse(&GOOD[..54]), Err(TraceparentError::Length(54)));
        assert_eq!(
            parse(&format!("ff{}", &GOOD[2..])),
            Err(TraceparentError::Version)
        );
        assert_eq!(parse(&GOOD.to_uppercase()), Err(TraceparentError::Form(4)));
        assert_eq!(
            parse("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
            Err(TraceparentError::ZeroId)
        );
        assert_eq!(
            parse("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
            Err(TraceparentError::ZeroId)
        );
        assert_eq!(
            parse("00-4bf92f3577b34da60000000000000000-00f067aa0ba902b7-01"),
            Err(TraceparentError::ZeroLowHalf)
        );
    }

    #[test]
    fn no_single_byte_makes_it_panic() {
        for place in 0..GOOD.len() {
            for byte in 0..=0x7f_u8 {
                let mut bytes = GOOD.as_bytes().to_vec();
                bytes[place] = byte;
                let _ = parse(std::str::from_utf8(&bytes).expect("ASCII"));
            }
        }
        let _ = parse(&"é".repeat(40));
    }

    #[test]
    fn hex_is_padded() {
        assert_eq!(hex(0xab).as_str(), "00000000000000ab");
        assert_eq!(hex(u64::MAX).as_str(), "ffffffffffffffff");
    }
}
