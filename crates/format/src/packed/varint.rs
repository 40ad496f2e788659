//! Signed numbers in one to ten bytes: zigzag, then LEB128.

/// Appends `value`.
#[inline]
pub(crate) fn put_varint(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Reads a value off the front of `bytes`; returns it with its length. `None`
/// if it does not end within ten bytes or within `bytes`.
#[inline]
pub(crate) fn take_varint(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut rest = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        rest |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Some(((rest >> 1) as i64 ^ -((rest & 1) as i64), index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_never_reads_on() {
        for shift in 0..64 {
            for value in [
                i64::MAX >> shift,
                i64::MIN >> shift,
                1 << shift,
                -(1i64 << (shift % 63)),
            ] {
                let mut bytes = Vec::new();
                put_varint(value, &mut bytes);
                assert!(bytes.len() <= 10);
                assert_eq!(take_varint(&bytes), Some((value, bytes.len())));
                assert_eq!(take_varint(&bytes[..bytes.len() - 1]), None);
            }
        }
        assert_eq!(take_varint(&[0xFF; 20]), None);
    }

    #[test]
    fn small_numbers_are_short() {
        for (value, expected) in [(0, 0u8), (-1, 1), (1, 2), (-2, 3), (63, 126), (-64, 127)] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(bytes, [expected]);
        }
    }
}
