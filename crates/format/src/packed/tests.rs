//! Every width, both modes, and what hostile bytes do.

use super::*;
use proptest::prelude::*;

/// splitmix64: reproducible noise.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn decode(bytes: &[u8], count: usize) -> Result<Vec<u64>> {
    let mut values = Vec::new();
    let mut reader = PackedReader::new(bytes, 0);
    reader.for_each_block(count, |block| values.extend_from_slice(block))?;
    reader.expect_end()?;
    Ok(values)
}

/// `count` values whose range is exactly `width` bits wide above `base`.
fn values_of_width(width: u32, count: usize, base: u64) -> Vec<u64> {
    let mut random = noise(u64::from(width) * 1000 + count as u64);
    let mask = if width == 0 {
        0
    } else {
        u64::MAX >> (64 - width)
    };
    let mut items: Vec<u64> = (0..count).map(|_| random() & mask).collect();
    items[0] = 0;
    items[count - 1] = mask;
    items
        .into_iter()
        .map(|item| base.wrapping_add(item))
        .collect()
}

#[test]
fn every_width_at_every_block_length_plain() {
    for width in 0..=64 {
        // The base is i64::MIN so that even the widest items do not wrap.
        let base = if width >= 63 { i64::MIN as u64 } else { 1000 };
        for count in [1, 2, 7, 63, 64, 65, 127, 128, 129, 300] {
            let values = values_of_width(if count == 1 { 0 } else { width }, count, base);
            let mut bytes = Vec::new();
            encode(&values, Modes::Plain, &mut bytes);
            assert_eq!(
                decode(&bytes, count).unwrap(),
                values,
                "width {width}, {count} values"
            );
            if count == 128 {
                assert_eq!(u32::from(bytes[0]), width);
            }
        }
    }
}

#[test]
fn every_width_at_every_block_length_delta() {
    for width in 0..=64u32 {
        for count in [2usize, 3, 64, 65, 127, 128] {
            let low = if width == 64 { i64::MIN } else { -5 };
            let deltas = values_of_width(width, count - 1, low as u64);
            let mut values = vec![77u64];
            for delta in &deltas {
                values.push(values[values.len() - 1].wrapping_add(*delta));
            }
            let mut bytes = Vec::new();
            put_block_delta(
                &values,
                Extent {
                    low,
                    high: low.wrapping_add((u64::MAX.checked_shr(64 - width).unwrap_or(0)) as i64),
                },
                &mut bytes,
            );
            assert_eq!(
                decode(&bytes, count).unwrap(),
                values,
                "width {width}, {count} values"
            );
        }
    }
}

#[test]
fn rising_values_are_coded_as_differences() {
    let values: Vec<u64> = (0..128)
        .map(|i| 1_000_000_000_000 + 3 * i + i % 2)
        .collect();
    let mut bytes = Vec::new();
    encode(&values, Modes::Both, &mut bytes);
    assert_eq!(bytes[0] & DELTA, DELTA);
    assert!(bytes.len() < 60, "{} bytes", bytes.len());
    assert_eq!(decode(&bytes, 128).unwrap(), values);
}

#[test]
fn one_value_repeated_takes_two_bytes_a_block() {
    let mut bytes = Vec::new();
    encode(&[5; 1280], Modes::Both, &mut bytes);
    assert_eq!(bytes.len(), 20);
}

#[test]
fn a_cut_column_is_an_error_at_every_byte() {
    let mut random = noise(1);
    let values: Vec<u64> = (0..200).map(|_| random() % 5000).collect();
    let mut bytes = Vec::new();
    encode(&values, Modes::Both, &mut bytes);
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len], 200).is_err(), "{len}");
    }
    bytes.push(0);
    assert!(matches!(
        decode(&bytes, 200),
        Err(FormatError::Malformed { .. })
    ));
}

#[test]
fn a_width_above_64_is_refused() {
    for width in 65..=127u8 {
        let error = decode(&[width, 0, 0, 0], 1).unwrap_err();
        assert!(error.to_string().contains("width"), "{error}");
    }
}

proptest! {
    #[test]
    fn round_trip(values in proptest::collection::vec(any::<u64>(), 0..600), shift in 0u32..64) {
        let values: Vec<u64> = values.iter().map(|value| value >> shift).collect();
        let mut bytes = Vec::new();
        encode(&values, Modes::Both, &mut bytes);
        prop_assert_eq!(&decode(&bytes, values.len()).unwrap(), &values);
        bytes.clear();
        encode(&values, Modes::Plain, &mut bytes);
        prop_assert_eq!(&decode(&bytes, values.len()).unwrap(), &values);
    }

    #[test]
    fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..400), count in 0usize..300) {
        let _ = decode(&bytes, count);
    }
}
