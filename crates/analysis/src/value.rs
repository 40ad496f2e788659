//! Small value types of the results, and how they look in JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A wall-clock instant in nanoseconds since 1970-01-01 UTC. In JSON a decimal string, since it
/// does not fit the 2⁵³ that many readers of JSON keep exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNs(pub i64);

impl Serialize for UnixNs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An integer where the quantity is one (durations in ns), else a real number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A whole number: every duration in ns.
    Int(i128),
    /// A mean or a deviation of a gauge, a counter or an observation.
    Real(f64),
}

impl Number {
    /// The value as a float, for arithmetic and plots.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// Units of a [`Percentile`] in one percent.
const PER_PERCENT: u64 = 1_000_000;

/// A percentile such as 99.9, held exactly as millionths of a percent, so that ranks are integers and
/// `99.9` prints as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u64);

/// Why a text is no percentile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a percentile: expected a number from 0 to 100 with at most six decimals, such as 99.9"
)]
pub struct NotAPercentile(String);

impl Percentile {
    /// The usual four.
    pub const DEFAULTS: [Self; 4] = [
        Self(50 * PER_PERCENT),
        Self(95 * PER_PERCENT),
        Self(99 * PER_PERCENT),
        Self(999 * PER_PERCENT / 10),
    ];

    /// The usual one between the half and the tail.
    pub(crate) const P90: Self = Self(90 * PER_PERCENT);

    /// The hundredth: the greatest value.
    pub(crate) const HIGHEST: Self = Self(100 * PER_PERCENT);

    /// As a fraction of one: 0.999 for 99.9.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / (100 * PER_PERCENT) as f64
    }

    /// As a fraction of whole numbers: so many of so many.
    pub(crate) fn parts(self) -> (u64, u64) {
        (self.0, 100 * PER_PERCENT)
    }

    /// The 1-based rank of the order statistic among `count` values: ⌈p·count⌉, at least 1.
    /// Zero when there are no values.
    pub fn rank(self, count: u64) -> u64 {
        let scaled = u128::from(self.0) * u128::from(count);
        let rank = scaled.div_ceil(u128::from(100 * PER_PERCENT));
        u64::try_from(rank).unwrap_or(u64::MAX).max(1).min(count)
    }

    /// How many values it takes for the percentile to mean much: about 3 / (1 − p), so 300 for p99.
    pub fn samples_needed(self) -> u64 {
        match 100 * PER_PERCENT - self.0 {
            0 => 1,
            rest => (3 * 100 * PER_PERCENT).div_ceil(rest),
        }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / PER_PERCENT, self.0 % PER_PERCENT);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Percentile {
    type Err = NotAPercentile;

    fn from_str(text: &str) -> Result<Self, NotAPercentile> {
        parse_percentile(text)
            .map(Self)
            .ok_or_else(|| NotAPercentile(text.to_owned()))
    }
}

fn parse_percentile(text: &str) -> Option<u64> {
    let text = text.strip_prefix('p').unwrap_or(text);
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || rest.len() > 6 || !digits(whole) || !digits(rest) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let rest: u64 = format!("{rest:0<6}").parse().ok()?;
    let value = whole * PER_PERCENT + rest;
    (value <= 100 * PER_PERCENT).then_some(value)
}

impl Serialize for Percentile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_print_as_written() {
        for text in [
            "0",
            "50",
            "99",
            "99.9",
            "99.99",
            "99.999999",
            "100",
            "0.000001",
        ] {
            assert_eq!(text.parse::<Percentile>().unwrap().to_string(), text);
        }
        assert_eq!("p99.90".parse::<Percentile>().unwrap().to_string(), "99.9");
        for text in [
            "",
            ".",
            "100.1",
            "101",
            "-1",
            "9e1",
            "99.9999999",
            "1000",
            "٣",
        ] {
            assert!(text.parse::<Percentile>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranks_are_exact() {
        let p999: Percentile = "99.9".parse().unwrap();
        assert_eq!(p999.rank(0), 0);
        assert_eq!(p999.rank(1), 1);
        assert_eq!(p999.rank(1000), 999);
        assert_eq!(p999.rank(1001), 1000);
        assert_eq!("0".parse::<Percentile>().unwrap().rank(10), 1);
        assert_eq!(
            "100".parse::<Percentile>().unwrap().rank(u64::MAX),
            u64::MAX
        );
        assert_eq!(p999.samples_needed(), 3000);
        assert_eq!("99".parse::<Percentile>().unwrap().samples_needed(), 300);
    }
}
