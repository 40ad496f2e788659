//! Numbers as they stand in JSON, read exactly.

/// A decimal number of µs in ns, to the nearest; a double would lose ns of today's date.
pub(super) fn micros_as_nanos(text: &str) -> Option<i64> {
    let text = text.trim().trim_matches('"');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if digits.contains(['e', 'E']) {
        let value: f64 = text.parse().ok()?;
        return Some((value * 1000.0).round() as i64);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let digit = |at: usize| {
        fraction
            .as_bytes()
            .get(at)
            .map_or(0, |byte| i64::from(byte - b'0'))
    };
    let nanos = digit(0) * 100 + digit(1) * 10 + digit(2) + i64::from(digit(3) >= 5);
    let value = whole.checked_mul(1000)?.checked_add(nanos)?;
    Some(if negative { -value } else { value })
}

/// An integer that may stand in quotes.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.trim().trim_matches('"').parse().ok()
}

/// FNV-1a, for names that are no numbers.
pub(super) fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The high and the low half of an id in up to 32 hexadecimal digits, with or without `0x`.
pub(super) fn hex_id(text: &str) -> Option<(u64, u64)> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    let whole = u128::from_str_radix(digits, 16).ok()?;
    Some(((whole >> 64) as u64, whole as u64))
}

#[cfg(test)]
mod tests {
    use super::{hex_id, micros_as_nanos};

    #[test]
    fn decimals_are_exact() {
        assert_eq!(
            micros_as_nanos("1795640046391426.764"),
            Some(1_795_640_046_391_426_764)
        );
        assert_eq!(micros_as_nanos("3"), Some(3000));
        assert_eq!(micros_as_nanos("0.0005"), Some(1));
        assert_eq!(micros_as_nanos("-1.5"), Some(-1500));
        assert_eq!(micros_as_nanos("1e3"), Some(1_000_000));
        assert_eq!(micros_as_nanos("x"), None);
        assert_eq!(micros_as_nanos("--5"), None);
        assert_eq!(hex_id("0x10"), Some((0, 16)));
        assert_eq!(hex_id("00000000000000010000000000000002"), Some((1, 2)));
        assert_eq!(hex_id(""), None);
    }
}
