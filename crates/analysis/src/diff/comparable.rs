//! Whether two sides measure the same: else every verdict would be about something else than speed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::options::{DiffOptions, MIN_VALUES};
use super::student::student_quantile;
use super::summary::{SLICES, SeriesKind, Summary};

/// A greater part of the records than this must not be lost: 1 %.
pub const MAX_LOST: f64 = 0.01;
/// How much more or less of an event there may be in a trace: 10 %.
pub const MAX_MIX: f64 = 0.1;
/// The chance that the interval of a rate misses.
const MIX_ERROR: f64 = 0.01;
/// Slices a block of the variance of a rate.
const BLOCK: usize = 4;

/// Why two sides cannot be compared. In JSON `{"kind", "message"}`.
#[derive(Debug, Clone, PartialEq)]
pub enum NotComparable {
    /// A side holds no record.
    Empty {
        /// `base` or `new`.
        side: &'static str,
    },
    /// An event means something else.
    Meaning {
        /// The event.
        event: String,
        /// Its kind and unit in the base.
        base: String,
        /// The same of the new side.
        new: String,
    },
    /// Something frequent is on one side alone.
    Missing {
        /// The event or the flow.
        name: String,
        /// Its kind.
        kind: SeriesKind,
        /// The side that lacks it.
        side: &'static str,
    },
    /// Too many records were lost.
    Lost {
        /// `base` or `new`.
        side: &'static str,
        /// Which part.
        share: f64,
    },
    /// There is more or less of an event or a flow in a trace.
    Mix {
        /// The event or the flow.
        name: String,
        /// Its kind.
        kind: SeriesKind,
        /// The least ratio, new by base, that the captures admit.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// Sides that are paired have different numbers of captures.
    Unpaired {
        /// Captures of the base.
        base: usize,
        /// Captures of the new side.
        new: usize,
    },
}

impl std::fmt::Display for NotComparable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty { side } => write!(f, "the {side} side holds no event or flow"),
            Self::Meaning { event, base, new } => {
                write!(
                    f,
                    "{event} means {base} in the base and {new} in the new side"
                )
            }
            Self::Missing { name, kind, side } => {
                write!(f, "the {side} side has no {} {name}", kind.word())
            }
            Self::Lost { side, share } => {
                write!(
                    f,
                    "the {side} side lost {:.1} % of its records",
                    share * 100.0
                )
            }
            Self::Mix {
                name, low, high, ..
            } => write!(
                f,
                "there is {low:.2} to {high:.2} times as much of {name} in a trace as before"
            ),
            Self::Unpaired { base, new } => {
                write!(
                    f,
                    "{base} captures of the base and {new} new ones make no pairs"
                )
            }
        }
    }
}

impl NotComparable {
    /// The stable name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::Meaning { .. } => "meaning",
            Self::Missing { .. } => "missing",
            Self::Lost { .. } => "lost",
            Self::Mix { .. } => "mix",
            Self::Unpaired { .. } => "unpaired",
        }
    }
}

impl Serialize for NotComparable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("NotComparable", 2)?;
        out.serialize_field("kind", self.kind())?;
        out.serialize_field("message", &self.to_string())?;
        out.end()
    }
}

const SIDES: [&str; 2] = ["base", "new"];

/// Every reason not to compare two sides.
pub fn not_comparable(sides: [&[Summary]; 2], options: &DiffOptions) -> Vec<NotComparable> {
    let mut reasons = Vec::new();
    let [base, new] = sides;
    if options.paired && base.len() != new.len() {
        let (base, new) = (base.len(), new.len());
        reasons.push(NotComparable::Unpaired { base, new });
    }
    for (side, name) in sides.into_iter().zip(SIDES) {
        if side.iter().all(|summary| summary.series.is_empty()) {
            reasons.push(NotComparable::Empty { side: name });
        }
        let lost: u64 = side.iter().map(|summary| summary.lost).sum();
        let records: u64 = side.iter().map(|summary| summary.records).sum();
        let share = lost as f64 / (lost + records).max(1) as f64;
        if share > MAX_LOST {
            reasons.push(NotComparable::Lost { side: name, share });
        }
    }
    if !reasons.is_empty() {
        return reasons;
    }
    meanings(sides, &mut reasons);
    let meant_otherwise: Vec<String> = reasons.iter().map(name_of).collect();
    mixes(sides, &meant_otherwise, &mut reasons);
    reasons
}

fn name_of(reason: &NotComparable) -> String {
    match reason {
        NotComparable::Meaning { event, .. } => event.clone(),
        _ => String::new(),
    }
}

/// Events whose kind or unit differs.
fn meanings(sides: [&[Summary]; 2], reasons: &mut Vec<NotComparable>) {
    let of = |side: &[Summary]| -> BTreeMap<String, String> {
        let series = side.iter().flat_map(|summary| &summary.series);
        let events = series.filter(|series| series.kind != SeriesKind::Flow);
        let meaning = |series: &super::summary::Series| {
            let unit = if series.unit.is_empty() {
                "no unit"
            } else {
                &series.unit
            };
            (
                series.name.clone(),
                format!("{} of {unit}", series.kind.word()),
            )
        };
        events.map(meaning).collect()
    };
    let [base, new] = sides.map(of);
    for (event, base) in base {
        if let Some(new) = new.get(&event).filter(|new| **new != base) {
            let new = new.clone();
            reasons.push(NotComparable::Meaning { event, base, new });
        }
    }
}

/// Events and flows of which a trace has more or less than before.
fn mixes(sides: [&[Summary]; 2], known: &[String], reasons: &mut Vec<NotComparable>) {
    let by_slice =
        sides.map(|side| -> Vec<[u64; SLICES]> { side.iter().map(Summary::traces).collect() });
    let traces = [0, 1].map(|side| -> u64 { by_slice[side].iter().flatten().sum() });
    let mut names: BTreeMap<(SeriesKind, &str), [u64; 2]> = BTreeMap::new();
    for (number, side) in sides.into_iter().enumerate() {
        for series in side.iter().flat_map(|summary| &summary.series) {
            names.entry((series.kind, &series.name)).or_default()[number] += series.total();
        }
    }
    for ((kind, name), totals) in names {
        if known.iter().any(|known| known == name) {
            continue;
        }
        for (side, other) in [(0, 1), (1, 0)] {
            if totals[side] == 0 && totals[other] >= MIN_VALUES {
                let (name, side) = (name.to_owned(), SIDES[side]);
                reasons.push(NotComparable::Missing { name, kind, side });
            }
        }
        let enough = totals
            .iter()
            .chain(&traces)
            .all(|total| *total >= MIN_VALUES);
        if !enough {
            continue;
        }
        let rates = [0, 1].map(|side| rate(sides[side], &by_slice[side], kind, name));
        let [
            (base, base_variance, base_freedom),
            (new, new_variance, new_freedom),
        ] = rates;
        let student = student_quantile(MIX_ERROR, base_freedom.min(new_freedom));
        let half = student * (base_variance + new_variance).sqrt();
        let (low, high) = ((new - base - half).exp(), (new - base + half).exp());
        if low > 1.0 + MAX_MIX || high < 1.0 - MAX_MIX {
            let name = name.to_owned();
            reasons.push(NotComparable::Mix {
                name,
                kind,
                low,
                high,
            });
        }
    }
}

/// The logarithm of how much of a series a trace has, with its variance and the degrees of freedom of that. `traces` are those
/// of each capture, by slice.
fn rate(
    side: &[Summary],
    traces: &[[u64; SLICES]],
    kind: SeriesKind,
    name: &str,
) -> (f64, f64, f64) {
    let each = side.iter().zip(traces).filter_map(|(summary, traces)| {
        let series = summary.find(kind, name)?;
        let (all, of) = (series.total() as f64, traces.iter().sum::<u64>() as f64);
        if all == 0.0 || of == 0.0 {
            return None;
        }
        let mut excess = [0.0; SLICES];
        for ((excess, slice), traces) in excess.iter_mut().zip(&series.slices).zip(traces) {
            *excess = slice.total() as f64 / all - *traces as f64 / of;
        }
        let block = |block: &[f64]| block.iter().sum::<f64>().powi(2);
        let blocks = (SLICES / BLOCK) as f64;
        let variance = excess.chunks(BLOCK).map(block).sum::<f64>() * blocks / (blocks - 1.0);
        Some(((all / of).ln(), variance))
    });
    let each: Vec<(f64, f64)> = each.collect();
    let n = each.len().max(1) as f64;
    let mean = each.iter().map(|(rate, _)| rate).sum::<f64>() / n;
    let within = each.iter().map(|(_, variance)| variance).sum::<f64>() / (n * n);
    if each.len() < 2 {
        return (mean, within, (SLICES / BLOCK - 1) as f64);
    }
    let squares: f64 = each.iter().map(|(rate, _)| (rate - mean).powi(2)).sum();
    (mean, within.max(squares / (n - 1.0) / n), n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::testing::{flow, summary};

    #[test]
    fn the_same_is_comparable() {
        let one = [summary(vec![flow("A", 1, 20, 0), flow("B", 2, 30, 0)])];
        assert_eq!(not_comparable([&one, &one], &DiffOptions::default()), []);
    }

    #[test]
    fn each_reason_is_found() {
        let base = [summary(vec![flow("A", 1, 20, 0), flow("B", 2, 30, 0)])];
        let find = |new: Vec<super::super::summary::Series>| -> Vec<&'static str> {
            let new = [summary(new)];
            let reasons = not_comparable([&base, &new], &DiffOptions::default());
            reasons.iter().map(NotComparable::kind).collect()
        };
        assert_eq!(find(vec![]), ["empty"]);
        // Without B, all traces are A: that is another mix as well.
        assert_eq!(find(vec![flow("A", 1, 20, 0)]), ["mix", "missing"]);
        assert_eq!(
            find(vec![flow("A", 1, 20, 0), flow("B", 2, 60, 0)]),
            ["mix", "mix"]
        );
        // Twice as much of everything is a throughput, not another mix.
        assert!(find(vec![flow("A", 1, 40, 0), flow("B", 2, 60, 0)]).is_empty());
        let mut lossy = [summary(vec![flow("A", 1, 20, 0), flow("B", 2, 30, 0)])];
        lossy[0].lost = lossy[0].records / 50;
        let reasons = not_comparable([&base, &lossy], &DiffOptions::default());
        assert_eq!(
            reasons.iter().map(NotComparable::kind).collect::<Vec<_>>(),
            ["lost"]
        );
        assert!(reasons[0].to_string().contains("2.0 %"), "{}", reasons[0]);
    }

    #[test]
    fn another_unit_is_another_meaning() {
        let observation = |unit: &str| {
            let mut series = flow("SIZE", 3, 20, 0);
            series.kind = SeriesKind::Observation;
            series.unit = unit.to_owned();
            [summary(vec![series])]
        };
        let (base, new) = (observation("ns"), observation("orders"));
        let reasons = not_comparable([&base, &new], &DiffOptions::default());
        assert_eq!(
            reasons[0].to_string(),
            "SIZE means observation of ns in the base and observation of orders in the new side"
        );
    }
}
