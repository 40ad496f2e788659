//! Axes: from values to places between 0 and 1, with marks and what these say.

use super::data::{TimeSpan, Unit};
use super::ticks::{DAY, linear_ticks, log_ticks, time_ticks};

/// The part of a log axis that its zero takes.
const ZERO_ROOM: f64 = 0.06;
/// Pixels from one label to the next: along a vertical axis, along a horizontal one.
const PITCH_UP: f64 = 38.0;
const PITCH_ALONG: f64 = 84.0;

/// What a log axis can show: every u64 but zero, and far beyond.
const LEAST: f64 = 1e-9;
const GREATEST: f64 = 1e21;

/// How values map to places.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Linear {
        low: f64,
        high: f64,
    },
    Log {
        low: f64,
        high: f64,
        zero: bool,
    },
    /// Values are shares from 1 down to `least`.
    Rest {
        least: f64,
    },
}

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// From 0 to 1.
    pub(crate) place: f64,
    /// `None`: it only helps the eye.
    pub(crate) label: Option<String>,
    /// A second line, for some axes.
    pub(crate) below: Option<String>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    scale: Scale,
    pub(crate) marks: Vec<Mark>,
}

/// Which way an axis runs, and how many pixels long it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Run {
    Up(f64),
    Along(f64),
}

impl Run {
    fn room(self) -> usize {
        match self {
            Run::Up(pixels) => (pixels / PITCH_UP) as usize,
            Run::Along(pixels) => (pixels / PITCH_ALONG) as usize,
        }
    }
}

/// The least positive and the greatest of some values, and whether there is a zero among them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Extent {
    positive: Option<(f64, f64)>,
    zero: bool,
}

impl Extent {
    pub(crate) fn add(&mut self, value: f64) {
        if value <= 0.0 {
            self.zero = true;
        } else {
            let value = value.clamp(LEAST, GREATEST);
            let (low, high) = self.positive.unwrap_or((value, value));
            self.positive = Some((low.min(value), high.max(value)));
        }
    }

    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Extent {
        let mut extent = Extent::default();
        values.into_iter().for_each(|value| extent.add(value));
        extent
    }
}

impl Axis {
    /// A log axis of values, with a place of its own for zero if there is one.
    pub(crate) fn values(extent: Extent, unit: &Unit, run: Run) -> Axis {
        let (low, high) = match extent.positive {
            // Nothing but zeros: any scale will do.
            None => (1.0, 10.0),
            Some((low, high)) if high / low < 1.02 => (low / 2.0, high * 2.0),
            Some((low, high)) => {
                let margin = (high / low).powf(0.03);
                (low / margin, high * margin)
            }
        };
        let zero = extent.zero;
        let scale = Scale::Log { low, high, zero };
        let mut axis = Axis {
            scale,
            marks: Vec::new(),
        };
        if extent.positive.is_some() {
            let ticks = log_ticks(low, high, run.room());
            axis.marks.extend(ticks.into_iter().map(|tick| Mark {
                place: axis.scale.place(tick.value),
                label: tick.labelled.then(|| unit.tick(tick.value)),
                below: None,
            }));
        }
        if zero {
            axis.marks
                .insert(0, Mark::new(axis.scale.place(0.0), "0".to_owned()));
        }
        axis
    }

    /// A linear axis from `low` to the first mark at or above `high`.
    pub(crate) fn linear(low: f64, high: f64, run: Run, label: impl Fn(f64) -> String) -> Axis {
        let high = if high > low { high } else { low + 1.0 };
        let ticks = linear_ticks(low, high + (high - low) * 0.05, run.room());
        let scale = Scale::Linear {
            low,
            high: high + (high - low) * 0.05,
        };
        let mark = |tick: &f64| Mark::new(scale.place(*tick), label(*tick));
        Axis {
            scale,
            marks: ticks.iter().map(mark).collect(),
        }
    }

    /// A linear axis from zero, marked at whole numbers only.
    pub(crate) fn counts(high: f64, run: Run) -> Axis {
        // No finer than one mark a number.
        let pitch = match run {
            Run::Up(pixels) | Run::Along(pixels) => pixels / (high + 1.0).max(1.0),
        };
        let run = match run {
            Run::Up(pixels) => Run::Up(pixels * (PITCH_UP / pitch.max(PITCH_UP))),
            Run::Along(pixels) => Run::Along(pixels * (PITCH_ALONG / pitch.max(PITCH_ALONG))),
        };
        Axis::linear(0.0, high, run, |value| Unit::Count.tick(value))
    }

    /// From 0 to 100 %.
    pub(crate) fn shares(run: Run) -> Axis {
        let scale = Scale::Linear {
            low: 0.0,
            high: 1.0,
        };
        let ticks = linear_ticks(0.0, 100.0, run.room().min(6));
        let mark = |tick: &f64| Mark::new(tick / 100.0, format!("{tick} %"));
        Axis {
            scale,
            marks: ticks.iter().map(mark).collect(),
        }
    }

    /// Percentiles up to the highest that `count` values can tell, each decade of what is left as wide as the one before.
    pub(crate) fn percentiles(count: u64) -> Axis {
        let least = 1.0 / count.max(10) as f64;
        let scale = Scale::Rest { least };
        let mut marks = vec![
            Mark::new(0.0, "0 %".to_owned()),
            Mark {
                below: Some("half".to_owned()),
                ..Mark::new(scale.place(0.5), "50 %".to_owned())
            },
        ];
        for nines in 1..20 {
            let rest = 10f64.powi(-nines);
            if rest < least * (1.0 - 1e-9) {
                break;
            }
            let label = match nines {
                1 => "90 %".to_owned(),
                2 => "99 %".to_owned(),
                _ => format!("99.{} %", "9".repeat(nines as usize - 2)),
            };
            let one_in = format!("1 in {}", Unit::Count.tick(10f64.powi(nines)));
            marks.push(Mark {
                below: Some(one_in),
                ..Mark::new(scale.place(rest), label)
            });
        }
        Axis { scale, marks }
    }

    /// Instants as a clock shows them.
    pub(crate) fn time(span: &TimeSpan, pixels: f64) -> Axis {
        let (from, to) = (span.from_unix_ns, span.to_unix_ns.max(span.from_unix_ns));
        let scale = Scale::Linear {
            low: 0.0,
            high: (to.saturating_sub(from) as f64).max(1.0),
        };
        let (ticks, step) = time_ticks(from, to, span.offset_ns, Run::Along(pixels).room());
        let mark = |tick: &i64| {
            let place = scale.place(tick.saturating_sub(from) as f64);
            Mark::new(place, clock(tick.saturating_add(span.offset_ns), step))
        };
        Axis {
            scale,
            marks: ticks.iter().map(mark).collect(),
        }
    }

    /// The place of a value, from 0 to 1.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.scale.place(value)
    }
}

impl Mark {
    fn new(place: f64, label: String) -> Mark {
        Mark {
            place,
            label: Some(label),
            below: None,
        }
    }
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear { low, high } => (value - low) / (high - low),
            Scale::Log { zero, .. } if value <= 0.0 => {
                if zero {
                    ZERO_ROOM / 3.0
                } else {
                    0.0
                }
            }
            Scale::Log { low, high, zero } => {
                let start = if zero { ZERO_ROOM } else { 0.0 };
                let place = ((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0);
                start + (1.0 - start) * place
            }
            Scale::Rest { least } => value.max(least).ln() / least.ln(),
        };
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// What the clock of `span` shows at an instant, as fine as steps of `step` ns need.
pub(crate) fn instant(span: &TimeSpan, unix_ns: i64, step: i64) -> String {
    time_of_day(unix_ns.saturating_add(span.offset_ns).rem_euclid(DAY), step)
}

/// What a clock shows at `local` ns; at midnight the date.
fn clock(local: i64, step: i64) -> String {
    match local.rem_euclid(DAY) {
        0 => date(local.div_euclid(DAY)),
        of_day => time_of_day(of_day, step),
    }
}

fn time_of_day(of_day: i64, step: i64) -> String {
    let seconds = of_day / 1_000_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if step >= 60_000_000_000 {
        return format!("{hour:02}:{minute:02}");
    }
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if step < 1_000_000_000 {
        let digits = format!("{:09}", of_day % 1_000_000_000);
        // As many digits as tell neighbours apart.
        let mut unit = 1_000_000_000;
        let mut places = 0;
        while step % unit != 0 && unit > 1 {
            unit /= 10;
            places += 1;
        }
        // Steps shorter than a ms would not fit with the time of day.
        text = if places > 3 {
            format!("{second:02}.{}", &digits[..places])
        } else {
            format!("{text}.{}", &digits[..places])
        };
    }
    text
}

/// `Nov 24` for a day since 1970-01-01. After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn date(days: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    let of_era = (days + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    format!("{} {day}", MONTHS[month as usize % 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, shown) in [
            (0, "Jan 1"),
            (-1, "Dec 31"),
            (59, "Mar 1"),
            (789, "Feb 29"),
            (790, "Mar 1"),
            (20_781, "Nov 24"),
        ] {
            assert_eq!(date(days), shown, "{days}");
        }
    }

    #[test]
    fn clocks_show_what_steps_need() {
        let at = 3_600_000_000_000 * 13 + 65_250_000_000;
        assert_eq!(clock(at, 60_000_000_000), "13:01");
        assert_eq!(clock(at, 5_000_000_000), "13:01:05");
        assert_eq!(clock(at, 250_000_000), "13:01:05.25");
        assert_eq!(clock(at, 1000), "05.250000");
        assert_eq!(clock(DAY, 1), "Jan 2");
    }

    #[test]
    fn zero_has_a_place_of_its_own() {
        let run = Run::Up(400.0);
        let axis = Axis::values(Extent::of([0.0, 20.0, 9000.0]), &Unit::Ns, run);
        assert!(axis.place(0.0) < axis.place(20.0));
        assert!(axis.place(20.0) >= ZERO_ROOM);
        assert_eq!(axis.marks[0].label.as_deref(), Some("0"));
        let without = Axis::values(Extent::of([20.0, 9000.0]), &Unit::Ns, run);
        assert_ne!(without.marks[0].label.as_deref(), Some("0"));
        let only = Axis::values(Extent::of([0.0]), &Unit::Ns, run);
        assert_eq!(only.marks.len(), 1);
    }

    #[test]
    fn equal_values_stand_in_the_middle() {
        let axis = Axis::values(Extent::of([700.0, 700.0]), &Unit::Ns, Run::Up(400.0));
        assert!((axis.place(700.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn percentiles_end_where_the_count_ends() {
        let axis = Axis::percentiles(30_000);
        let labels: Vec<_> = axis
            .marks
            .iter()
            .filter_map(|mark| mark.label.as_deref())
            .collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(axis.place(1.0), 0.0);
        assert_eq!(axis.place(1.0 / 30_000.0), 1.0);
        assert_eq!(Axis::percentiles(1).marks.len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn every_value_has_a_place(values in proptest::collection::vec(proptest::num::f64::ANY, 0..5), at: f64) {
            let extent = Extent::of(values.iter().copied().filter(|value| !value.is_nan()));
            for axis in [
                Axis::values(extent, &Unit::Ns, Run::Along(700.0)),
                Axis::percentiles(at.abs() as u64),
            ] {
                proptest::prop_assert!((0.0..=1.0).contains(&axis.place(at)));
                for mark in &axis.marks {
                    proptest::prop_assert!((0.0..=1.0).contains(&mark.place));
                }
            }
        }
    }
}
