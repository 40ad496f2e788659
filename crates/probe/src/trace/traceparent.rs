//! The `traceparent` header of W3C Trace Context (<https://www.w3.org/TR/trace-context/#traceparent-header>).

use super::id::TraceparentError;

/// Version, trace id, parent id and flags in hex, with dashes between.
const LENGTH: usize = 55;

/// The high and the low half of the header's trace id.
pub(super) fn parse(header: &str) -> Result<(u64, u64), TraceparentError> {
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
    hex_field(bytes, 53, 2)?;
    if (high == 0 && low == 0) || parent == 0 {
        return Err(TraceparentError::ZeroId);
    }
    if low == 0 {
        return Err(TraceparentError::ZeroLowHalf);
    }
    Ok((high, low))
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
pub(super) struct Hex([u8; 16]);

impl Hex {
    pub(super) fn as_str(&self) -> &str {
        // Only ASCII digits were put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

pub(super) fn hex(value: u64) -> Hex {
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
