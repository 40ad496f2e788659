//! What a value of the facade, a floating-point number, is in a capture: an integer in a unit small enough.

use metrics::Unit;

/// A unit of captures, and how many of it there are in one of the program's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scale {
    pub(crate) unit: &'static str,
    pub(crate) factor: f64,
}

impl Scale {
    /// Whole numbers of nothing in particular.
    pub(crate) const PLAIN: Self = Self::of("", 1.0);

    const fn of(unit: &'static str, factor: f64) -> Self {
        Self { unit, factor }
    }

    /// That of a metric: by the unit that it was described with, else by its name's ending, as Prometheus has them.
    pub(crate) fn find(described: Option<Unit>, name: &str) -> Self {
        described.map_or_else(|| Self::of_name(name), Self::of_unit)
    }

    fn of_unit(unit: Unit) -> Self {
        match unit {
            Unit::Count => Self::PLAIN,
            Unit::Percent => Self::of("ppm", 1e4),
            Unit::Seconds => Self::of("ns", 1e9),
            Unit::Milliseconds => Self::of("ns", 1e6),
            Unit::Microseconds => Self::of("ns", 1e3),
            Unit::Nanoseconds => Self::of("ns", 1.0),
            Unit::Tebibytes => Self::of("bytes", (1_u64 << 40) as f64),
            Unit::Gibibytes => Self::of("bytes", (1_u64 << 30) as f64),
            Unit::Mebibytes => Self::of("bytes", (1_u64 << 20) as f64),
            Unit::Kibibytes => Self::of("bytes", (1_u64 << 10) as f64),
            Unit::Bytes => Self::of("bytes", 1.0),
            Unit::TerabitsPerSecond => Self::of("bit/s", 1e12),
            Unit::GigabitsPerSecond => Self::of("bit/s", 1e9),
            Unit::MegabitsPerSecond => Self::of("bit/s", 1e6),
            Unit::KilobitsPerSecond => Self::of("bit/s", 1e3),
            Unit::BitsPerSecond => Self::of("bit/s", 1.0),
            Unit::CountPerSecond => Self::of("1/s", 1.0),
        }
    }

    fn of_name(name: &str) -> Self {
        const ENDINGS: [(&str, Unit); 5] = [
            ("_seconds", Unit::Seconds),
            ("_milliseconds", Unit::Milliseconds),
            ("_microseconds", Unit::Microseconds),
            ("_nanoseconds", Unit::Nanoseconds),
            ("_bytes", Unit::Bytes),
        ];
        // A counter's name ends so.
        let name = name.strip_suffix("_total").unwrap_or(name);
        if name.ends_with("_ratio") {
            return Self::of("ppm", 1e6);
        }
        let mut endings = ENDINGS.into_iter();
        endings
            .find(|(ending, _)| name.ends_with(ending))
            .map_or(Self::PLAIN, |(_, unit)| Self::of_unit(unit))
    }

    /// `value` in the capture's unit, or the most that a record holds.
    pub(crate) fn counted(self, value: u64) -> i64 {
        // Every factor is a whole number.
        i64::try_from(value.saturating_mul(self.factor as u64)).unwrap_or(i64::MAX)
    }

    /// `value` in the capture's unit, rounded, and whether it is that: `None` for what is no number; what is beyond the range
    /// becomes its end.
    pub(crate) fn signed(self, value: f64) -> Option<(i64, bool)> {
        let scaled = (value * self.factor).round();
        // The cast saturates. 2⁶³ is the least float that does not fit.
        let fits = (-(2_f64.powi(63))..2_f64.powi(63)).contains(&scaled);
        (!scaled.is_nan()).then_some((scaled as i64, fits))
    }

    /// The same without a sign.
    pub(crate) fn unsigned(self, value: f64) -> Option<(u64, bool)> {
        let scaled = (value * self.factor).round();
        let fits = (0.0..2_f64.powi(64)).contains(&scaled);
        (!scaled.is_nan()).then_some((scaled as u64, fits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_nanoseconds_however_they_are_called() {
        let seconds = Scale::find(Some(Unit::Seconds), "latency");
        assert_eq!(seconds, Scale::find(None, "latency_seconds"));
        assert_eq!(seconds.unsigned(0.000_123), Some((123_000, true)));
        let ms = Scale::find(Some(Unit::Milliseconds), "latency_seconds");
        assert_eq!(ms.unsigned(1.5), Some((1_500_000, true)));
    }

    #[test]
    fn counters_are_scaled_without_losing_digits() {
        let bytes = Scale::find(None, "sent_bytes_total");
        assert_eq!(
            (bytes.unit, bytes.counted((1 << 60) + 1)),
            ("bytes", (1 << 60) + 1)
        );
        assert_eq!(
            Scale::find(None, "cpu_seconds_total").counted(3),
            3_000_000_000
        );
        assert_eq!(Scale::PLAIN.counted(u64::MAX), i64::MAX);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(Scale::PLAIN.unsigned(-1.0), Some((0, false)));
        assert_eq!(Scale::PLAIN.unsigned(-0.2), Some((0, true)));
        assert_eq!(Scale::PLAIN.unsigned(1e30), Some((u64::MAX, false)));
        assert_eq!(Scale::PLAIN.unsigned(f64::NAN), None);
        assert_eq!(Scale::PLAIN.signed(-1e30), Some((i64::MIN, false)));
        assert_eq!(Scale::PLAIN.signed(-2.5), Some((-3, true)));
        assert_eq!(Scale::PLAIN.signed(f64::INFINITY), Some((i64::MAX, false)));
    }

    #[test]
    fn shares_keep_their_digits() {
        let percent = Scale::find(Some(Unit::Percent), "cpu");
        assert_eq!(
            (percent.unit, percent.signed(99.5)),
            ("ppm", Some((995_000, true)))
        );
        assert_eq!(
            Scale::find(None, "hit_ratio").signed(0.25),
            Some((250_000, true))
        );
    }
}
