//! The figures in a rule, held as integers so that what is compared is what was written.

use std::fmt;

/// Nanoseconds of the units that a duration may have, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
/// Nanoseconds of the units that a window may have, the largest first.
const WINDOW_UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// A decimal number of at most six decimals, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(u64);

impl Decimal {
    /// Millionths of one.
    pub(crate) const ONE: u64 = 1_000_000;

    /// In millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// So many millionths.
    pub fn of_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// As a float, for people.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }

    /// `12`, `0.5`; `None` with more than six decimals, or if it does not fit.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        scaled(text, Self::ONE).map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, Self::ONE)
    }
}

/// `text`, a decimal number, times `unit`, a power of ten or a whole number of which the product is whole.
fn scaled(text: &str, unit: u64) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 18 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if decimals.is_empty() {
        return Some(whole);
    }
    let numerator = decimals.parse::<u128>().ok()? * u128::from(unit);
    let denominator = 10_u128.pow(decimals.len() as u32);
    if !numerator.is_multiple_of(denominator) {
        return None;
    }
    whole.checked_add(u64::try_from(numerator / denominator).ok()?)
}

fn write_scaled(f: &mut fmt::Formatter<'_>, value: u64, unit: u64) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    let rest = value % unit;
    if rest == 0 {
        return Ok(());
    }
    let places = unit.ilog10() as usize;
    write!(f, ".{}", format!("{rest:0places$}").trim_end_matches('0'))
}

/// A duration of `number` `unit`s in ns; `Err(true)` if the unit is none of a duration.
pub(super) fn duration(number: &str, unit: &str) -> Result<u64, bool> {
    let unit = match unit {
        "µs" | "μs" => "us",
        unit => unit,
    };
    let (_, ns) = (UNITS.iter().find(|(name, _)| *name == unit)).ok_or(true)?;
    scaled(number, *ns).ok_or(false)
}

/// The length of a window; `Err(true)` if the unit is none of a window.
pub(super) fn window(number: &str, unit: &str) -> Result<u64, bool> {
    let unit = match unit {
        "µs" | "μs" => "us",
        "min" => "m",
        unit => unit,
    };
    let (_, ns) = (WINDOW_UNITS.iter().find(|(name, _)| *name == unit)).ok_or(true)?;
    scaled(number, *ns)
        .filter(|ns| i64::try_from(*ns).is_ok())
        .ok_or(false)
}

/// A duration as a rule has it: `1.5ms`.
pub(super) struct ShownDuration(pub(super) u64);

impl fmt::Display for ShownDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, ns): &&(&str, u64)| self.0 >= *ns;
        let (name, ns) = UNITS.iter().find(fits).unwrap_or(&UNITS[3]);
        write_scaled(f, self.0, *ns)?;
        f.write_str(name)
    }
}

/// A window as a rule has it: `1m`, `90s`.
pub(super) struct ShownWindow(pub(super) u64);

impl fmt::Display for ShownWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match WINDOW_UNITS
            .iter()
            .find(|(_, ns)| self.0.is_multiple_of(*ns))
        {
            Some((name, ns)) => write!(f, "{}{name}", self.0 / ns),
            None => {
                write_scaled(f, self.0, 1_000)?;
                f.write_str("us")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        assert_eq!(scaled("5.000001", 1_000_000), Some(5_000_001));
        assert_eq!(scaled("0.25", 60), Some(15));
        assert_eq!(scaled("0.5", 1), None, "half a nanosecond");
        assert_eq!(scaled("18446744073709551615", 1), Some(u64::MAX));
        assert_eq!(scaled("18446744073709551616", 1), None);
        for text in ["", ".5", "1e3", "-1", "1.2.3", "٣"] {
            assert_eq!(scaled(text, 1_000_000), None, "{text}");
        }
        assert_eq!(Decimal::parse("99.9").unwrap().to_string(), "99.9");
        assert_eq!(
            Decimal::parse("1.").map(|one| one.to_string()),
            Some("1".into())
        );
    }

    #[test]
    fn durations_show_in_the_largest_unit() {
        for (ns, shown) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_500, "1.5us"),
            (50_000_000, "50ms"),
            (61_000_000_001, "61.000000001s"),
        ] {
            assert_eq!(ShownDuration(ns).to_string(), shown);
        }
        for (ns, shown) in [
            (60_000_000_000, "1m"),
            (90_000_000_000, "90s"),
            (86_400_000_000_000, "1d"),
            (1, "0.001us"),
        ] {
            assert_eq!(ShownWindow(ns).to_string(), shown);
        }
    }
}
