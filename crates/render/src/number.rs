//! Numbers as people read them: three significant digits, a unit that fits, thousands set apart.

/// `1234567` as `1,234,567`.
pub fn count(value: u64) -> String {
    integer(i128::from(value))
}

/// `-1234567` as `-1,234,567`.
pub fn integer(value: i128) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 2);
    if value < 0 {
        out.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration in nanoseconds in the unit that suits it: `640 ns`, `12.3 µs`, `1.00 ms`, `7.50 s`, `1,234 s`.
///
/// The unit always takes two columns (`s` is followed by a space), so that durations set against one edge line up.
pub fn nanos(ns: f64) -> String {
    if !ns.is_finite() {
        return "n/a".to_owned();
    }
    // What rounds to 1000 of one unit is 1.00 of the next.
    let magnitude = round_to_three_digits(ns.abs());
    let (scale, unit) = match magnitude {
        m if m < 1e3 => (1.0, "ns"),
        m if m < 1e6 => (1e3, "µs"),
        m if m < 1e9 => (1e6, "ms"),
        _ => (1e9, "s "),
    };
    let whole_ns = unit == "ns" && ns.fract() == 0.0;
    let figure = if whole_ns {
        integer(ns as i128)
    } else {
        number(ns / scale)
    };
    format!("{figure} {unit}")
}

/// The same duration within a sentence: without the column-filling space after `s`.
pub fn nanos_inline(ns: f64) -> String {
    nanos(ns).trim_end().to_owned()
}

/// A rate: `12,300/s`, `4.50/s`.
pub fn per_second(rate: f64) -> String {
    if rate.is_finite() {
        format!("{}/s", number(rate))
    } else {
        "n/a".to_owned()
    }
}

/// A share of one as per cent, to two significant digits: `0.42 %`, `12 %`.
pub fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent.abs() {
        p if !p.is_finite() => "n/a".to_owned(),
        p if p >= 9.95 || p == 0.0 => format!("{} %", integer(percent.round() as i128)),
        p if p >= 0.995 => format!("{percent:.1} %"),
        p if p >= 0.005 => format!("{percent:.2} %"),
        _ => "below 0.01 %".to_owned(),
    }
}

/// A size in bytes, in powers of 1000: `640 B`, `12.3 kB`, `1.00 GB`.
pub fn bytes(size: u64) -> String {
    let magnitude = round_to_three_digits(size as f64);
    let (scale, unit) = match magnitude {
        m if m < 1e3 => return format!("{size} B"),
        m if m < 1e6 => (1e3, "kB"),
        m if m < 1e9 => (1e6, "MB"),
        m if m < 1e12 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    format!("{} {unit}", number(size as f64 / scale))
}

/// A number to three significant digits; from 1000 on, a whole number with its thousands set apart.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let magnitude = round_to_three_digits(value.abs());
    if magnitude >= 100.0 {
        return integer(value.round() as i128);
    }
    let decimals = match magnitude {
        0.0 => 0,
        m if m >= 10.0 => 1,
        // Below one: three places after the point still tell small from nothing.
        m if m >= 0.995 => 2,
        _ => 3,
    };
    let figure = format!("{value:.decimals$}");
    if figure
        .trim_start_matches('-')
        .bytes()
        .all(|b| b == b'0' || b == b'.')
        && magnitude > 0.0
    {
        // Not zero, but too small for three places.
        return if value < 0.0 { "-0.001" } else { "<0.001" }.to_owned();
    }
    figure
}

/// `value`, not negative, rounded to three significant digits.
fn round_to_three_digits(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10f64.powf(value.log10().floor() - 2.0);
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit_that_fits() {
        let shown: Vec<String> = [
            0.0, 0.4, 7.0, 9.96, 640.0, 999.0, 999.6, 1000.0, 1234.0, 12_345.0, 99_950.0,
            999_500.0, 1e6, 7.5e9, 59.96e9, 999.6e9, 1.234e12, -1234.0,
        ]
        .into_iter()
        .map(nanos)
        .collect();
        assert_eq!(
            shown,
            [
                "0 ns",
                "0.400 ns",
                "7 ns",
                "9.96 ns",
                "640 ns",
                "999 ns",
                "1.00 µs",
                "1.00 µs",
                "1.23 µs",
                "12.3 µs",
                "100 µs",
                "1.00 ms",
                "1.00 ms",
                "7.50 s ",
                "60.0 s ",
                "1,000 s ",
                "1,234 s ",
                "-1.23 µs"
            ]
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(integer(i128::from(i64::MIN)), "-9,223,372,036,854,775,808");
        assert_eq!(integer(-100), "-100");
    }

    #[test]
    fn small_numbers_are_never_shown_as_nothing() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.0004), "<0.001");
        assert_eq!(number(0.0006), "0.001");
        assert_eq!(number(0.5), "0.500");
        assert_eq!(number(0.9996), "1.00");
        assert_eq!(number(f64::NAN), "n/a");
        assert_eq!(per_second(f64::INFINITY), "n/a");
    }

    #[test]
    fn shares_have_two_digits() {
        let shares = [
            0.0, 0.00001, 0.00008, 0.0042, 0.00996, 0.042, 0.0996, 0.12, 1.0, 12.5,
        ];
        let shown = shares.map(percent);
        assert_eq!(
            shown,
            [
                "0 %",
                "below 0.01 %",
                "0.01 %",
                "0.42 %",
                "1.0 %",
                "4.2 %",
                "10 %",
                "12 %",
                "100 %",
                "1,250 %"
            ]
        );
    }

    #[test]
    fn sizes_carry_over_to_the_next_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.00 kB");
        assert_eq!(bytes(999_999), "1.00 MB");
        assert_eq!(bytes(u64::MAX), "18,446,744 TB");
    }

    proptest::proptest! {
        #[test]
        fn any_number_can_be_shown(value: f64, whole: i128) {
            for shown in [nanos(value), number(value), per_second(value), percent(value), integer(whole)] {
                proptest::prop_assert!(!shown.is_empty() && shown.len() < 80, "{shown}");
            }
        }
    }
}
