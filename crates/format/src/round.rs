//! Rounding to whole numbers, half away from zero, as [`f64::round`] does it, which calls a library for each value on
//! processors that are not asked for by name.

/// From here on every float is a whole number.
const WHOLE: f64 = (1_u64 << 52) as f64;

/// The nearest whole number; the least or the greatest beyond, 0 for no number.
#[inline]
#[must_use]
pub fn round_i64(value: f64) -> i64 {
    let cut = value as i64;
    if value.abs() < WHOLE {
        let rest = value - cut as f64;
        cut + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)
    } else {
        cut
    }
}

/// The same without a sign: 0 for what is below.
#[inline]
#[must_use]
pub fn round_u64(value: f64) -> u64 {
    if value < WHOLE {
        round_i64(value).max(0).cast_unsigned()
    } else {
        value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_librarys() {
        let mut values = vec![
            0.0,
            0.5,
            1.5,
            2.5,
            0.499_999_999_999_999_94,
            WHOLE - 0.5,
            WHOLE,
            WHOLE + 1.0,
            WHOLE * 2.0 + 2.0,
            9.3e18,
            1.8e19,
            1.9e19,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
            f64::MIN_POSITIVE,
        ];
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..200_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Any bits, halves and quarters.
            values.push(f64::from_bits(state));
            values.push((state >> (state % 60)) as f64 / 4.0);
        }
        for value in values.iter().flat_map(|value| [*value, -value]) {
            assert_eq!(round_i64(value), value.round() as i64, "{value}");
            assert_eq!(round_u64(value), value.round() as u64, "{value}");
        }
    }
}
