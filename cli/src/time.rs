//! Times as people give them and read them.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use perf_analysis::{TimeBound, UnixNs};

/// A length of time, such as `10s`, `1m30s` or `250ms`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(u64);

/// A point in time: on the wall clock, or from the start or end of a capture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Moment {
    /// With an offset.
    At(Timestamp),
    /// Without one: it is in the zone of `--tz`.
    Civil(DateTime),
    FromStart(Span),
    FromEnd(Span),
}

/// The zone that times are shown in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zone(TimeZone);

impl Span {
    pub(crate) fn ns(self) -> u64 {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let expected = "expected a length of time, such as 10s, 1m30s or 250ms";
        let span: SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
        match u64::try_from(span.as_nanos()) {
            Ok(0) => Err("expected more than no time at all".to_owned()),
            Ok(ns) => Ok(Span(ns)),
            Err(_) if span.is_negative() => {
                Err("expected a length of time that is not negative".to_owned())
            }
            Err(_) => Err("expected a length of time below 584 years".to_owned()),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Some(span) = text.strip_prefix('+') {
            return span.parse().map(Moment::FromStart);
        }
        if let Some(span) = text.strip_prefix('-') {
            return span.parse().map(Moment::FromEnd);
        }
        (text.parse().map(Moment::At))
            .or_else(|_| text.parse().map(Moment::Civil))
            .map_err(|_| "expected a time such as 2026-05-01T12:30:00Z, +10s (from the start) or -30s (from the end)".to_owned())
    }
}

impl Moment {
    /// What the analysis is asked for.
    ///
    /// # Errors
    /// When the time does not exist in `zone`, or lies outside of the years 1678 to 2261.
    pub(crate) fn bound(&self, zone: &Zone) -> anyhow::Result<TimeBound> {
        let at = match self {
            Moment::FromStart(span) => return Ok(TimeBound::FromStart(span.ns())),
            Moment::FromEnd(span) => return Ok(TimeBound::FromEnd(span.ns())),
            Moment::At(timestamp) => *timestamp,
            Moment::Civil(civil) => civil.to_zoned_datetime(zone.0.clone())?.timestamp(),
        };
        match i64::try_from(at.as_nanosecond()) {
            Ok(ns) => Ok(TimeBound::At(UnixNs(ns))),
            Err(_) => anyhow::bail!("{at} is out of range: captures hold times from 1678 to 2261"),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        // The common one without a look at the system's time zone files.
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Zone(TimeZone::UTC));
        }
        if text == "local" {
            return TimeZone::try_system()
                .map(Zone)
                .map_err(|_| "the system does not say what its time zone is; name one".to_owned());
        }
        if let Some(offset) = parse_offset(text) {
            return Ok(Zone(TimeZone::fixed(offset)));
        }
        TimeZone::get(text).map(Zone).map_err(|_| {
            "no such time zone on this system; expected UTC, local, an offset such as +02:00, or a name such as \
             Europe/Berlin (these come from the package `tzdata`)"
                .to_owned()
        })
    }
}

/// `+02:00`, `-0530`, `+2`.
fn parse_offset(text: &str) -> Option<Offset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "0"),
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let in_range = (0..24).contains(&hours) && (0..60).contains(&minutes);
    let seconds = in_range.then_some(sign * (hours * 3600 + minutes * 60))?;
    Offset::from_seconds(seconds).ok()
}

impl Zone {
    fn at(&self, instant: UnixNs) -> ZonedDateTime {
        // Every i64 of nanoseconds lies within the years that a timestamp can hold.
        let timestamp = Timestamp::from_nanosecond(i128::from(instant.0)).unwrap_or_default();
        timestamp.to_zoned_datetime(self.0.clone())
    }

    /// `2026-05-01 12:30:00.250 UTC`.
    pub(crate) fn instant(&self, instant: UnixNs) -> String {
        self.at(instant)
            .strftime("%Y-%m-%d %H:%M:%S%.3f %Z")
            .to_string()
    }

    /// `2026-05-01 12:30:00 UTC`.
    pub(crate) fn second(&self, instant: UnixNs) -> String {
        self.at(instant)
            .strftime("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }

    /// `2026-05-01 UTC`.
    pub(crate) fn day(&self, instant: UnixNs) -> String {
        self.at(instant).strftime("%Y-%m-%d %Z").to_string()
    }

    /// How far the zone is ahead of UTC at an instant, in ns.
    pub(crate) fn offset_ns(&self, instant: UnixNs) -> i64 {
        i64::from(self.at(instant).offset().seconds()) * 1_000_000_000
    }

    /// `2026-05-01 12:30:00.250 to 12:31:00.750 UTC`: the date once, if it is the same.
    pub(crate) fn range(&self, start: UnixNs, end: UnixNs) -> String {
        let (start, end) = (self.at(start), self.at(end));
        let end_format = if start.date() == end.date() && start.offset() == end.offset() {
            "%H:%M:%S%.3f %Z"
        } else {
            "%Y-%m-%d %H:%M:%S%.3f %Z"
        };
        let start_format = if start.offset() == end.offset() {
            "%Y-%m-%d %H:%M:%S%.3f"
        } else {
            "%Y-%m-%d %H:%M:%S%.3f %Z"
        };
        format!(
            "{} to {}",
            start.strftime(start_format),
            end.strftime(end_format)
        )
    }

    /// The starts of time slots: no more of the date and the fraction than tells them apart.
    pub(crate) fn slot_starts(&self, starts: &[UnixNs]) -> Vec<String> {
        let starts: Vec<ZonedDateTime> = starts.iter().map(|start| self.at(*start)).collect();
        let one_day = starts
            .windows(2)
            .all(|pair| pair[0].date() == pair[1].date());
        let whole_seconds = starts.iter().all(|start| start.subsec_nanosecond() == 0);
        let format = match (one_day, whole_seconds) {
            (true, true) => "%H:%M:%S",
            (true, false) => "%H:%M:%S%.3f",
            (false, true) => "%Y-%m-%d %H:%M:%S",
            (false, false) => "%Y-%m-%d %H:%M:%S%.3f",
        };
        starts
            .iter()
            .map(|start| start.strftime(format).to_string())
            .collect()
    }

    /// RFC 3339 with nanoseconds and the zone's offset, for programs.
    pub(crate) fn rfc3339(&self, instant: UnixNs) -> String {
        self.at(instant)
            .strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixNs = UnixNs(1_777_636_800_000_000_000); // 2026-05-01T12:00:00Z

    #[test]
    fn lengths_of_time_are_parsed() {
        for (text, ns) in [
            ("10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("250ms", 250_000_000),
            ("2h", 7_200_000_000_000),
            ("5us", 5000),
        ] {
            assert_eq!(text.parse(), Ok(Span(ns)), "{text}");
        }
        for text in [
            "",
            "10",
            "0s",
            "-1s",
            "ten seconds",
            "1 fortnight",
            "9999999999h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_parsed() {
        let utc: Zone = "utc".parse().unwrap();
        let berlin_summer: Zone = "+02:00".parse().unwrap();
        for (text, zone, bound) in [
            ("2026-05-01T12:00:00Z", &utc, TimeBound::At(NOON)),
            ("2026-05-01T14:00:00+02:00", &utc, TimeBound::At(NOON)),
            ("2026-05-01 14:00", &berlin_summer, TimeBound::At(NOON)),
            (
                "2026-05-01T12:00:00.000000001Z",
                &utc,
                TimeBound::At(UnixNs(NOON.0 + 1)),
            ),
            ("+10s", &utc, TimeBound::FromStart(10_000_000_000)),
            ("-30s", &utc, TimeBound::FromEnd(30_000_000_000)),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.bound(&zone.clone()).unwrap(), bound, "{text}");
        }
        for text in ["", "now", "+", "-", "12:00", "2026-13-01T00:00:00Z"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert!(
            "1500-01-01T00:00:00Z"
                .parse::<Moment>()
                .unwrap()
                .bound(&utc)
                .is_err()
        );
    }

    #[test]
    fn offsets_are_zones() {
        for (text, seconds) in [
            ("+02:00", 7200),
            ("-0530", -19800),
            ("+2", 7200),
            ("-11", -39600),
        ] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!(
                zone,
                Zone(TimeZone::fixed(Offset::from_seconds(seconds).unwrap())),
                "{text}"
            );
        }
        for text in ["+", "+25", "+02:60", "+1:2:3", "Mars/Olympus", ""] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_in_the_zone() {
        let utc: Zone = "UTC".parse().unwrap();
        let west: Zone = "-12".parse().unwrap();
        let later = UnixNs(NOON.0 + 60_750_000_000);
        let next_day = UnixNs(NOON.0 + 86_400_000_000_000);
        assert_eq!(utc.instant(NOON), "2026-05-01 12:00:00.000 UTC");
        assert_eq!(
            utc.range(NOON, later),
            "2026-05-01 12:00:00.000 to 12:01:00.750 UTC"
        );
        assert_eq!(
            utc.range(NOON, next_day),
            "2026-05-01 12:00:00.000 to 2026-05-02 12:00:00.000 UTC"
        );
        assert_eq!(utc.slot_starts(&[NOON]), ["12:00:00"]);
        assert_eq!(
            utc.slot_starts(&[NOON, later]),
            ["12:00:00.000", "12:01:00.750"]
        );
        assert_eq!(
            utc.slot_starts(&[NOON, next_day]),
            ["2026-05-01 12:00:00", "2026-05-02 12:00:00"]
        );
        assert_eq!(west.rfc3339(NOON), "2026-05-01T00:00:00-12:00");
        assert_eq!(
            utc.rfc3339(UnixNs(i64::MAX)),
            "2262-04-11T23:47:16.854775807+00:00"
        );
        assert_eq!(utc.instant(UnixNs(i64::MIN)), "1677-09-21 00:12:43.145 UTC");
    }
}
