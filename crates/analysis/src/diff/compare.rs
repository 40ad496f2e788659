//! One comparison from beginning to end.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::comparable::{NotComparable, not_comparable};
use super::counts::Counts;
use super::explain::explanations;
use super::interval::{Compared, intervals, method};
use super::measure::Measure;
use super::noise::measures;
use super::options::{DiffOptions, MIN_VALUES};
use super::provisional::provisional;
use super::result::{Diff, Method, MethodKind, Outcome, Row, SCHEMA, Side, Verdict};
use super::row::{Scale, row};
use super::summary::{SeriesKind, Summary};
use super::weather;
use super::within::Within;
use crate::value::Percentile;

/// A gate that names something that neither side has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no event or flow is called `{name}`, so nothing can be said about it")]
pub struct UnknownGate {
    /// What was named.
    pub name: String,
    /// What there is.
    pub known: Vec<String>,
}

/// Judges the captures of the new side by those of the base.
///
/// # Errors
/// A gate or a bound that names nothing in either side.
pub fn compare(
    base: &[Summary],
    new: &[Summary],
    options: &DiffOptions,
) -> Result<Diff, UnknownGate> {
    let sides = [base, new];
    check_names(sides, options)?;
    let reasons = not_comparable(sides, options);
    let runs = [base.len(), new.len()];
    let mut diff = Diff {
        schema: SCHEMA,
        outcome: Outcome::NotComparable,
        provisional: provisional(sides, options.noise.as_ref(), method(runs, options)),
        method: Method {
            kind: method(runs, options),
            family_error: options.family_error,
            family: 0,
            bound: options.bound,
            seed: options.seed,
            replicates: None,
            block_slices: None,
            noise_runs: options.noise.as_ref().map(|noise| noise.runs),
        },
        base: side(base),
        new: side(new),
        rows: Vec::new(),
        explanations: Vec::new(),
        warnings: Vec::new(),
        not_comparable: reasons,
    };
    let unpaired = |reason: &NotComparable| matches!(reason, NotComparable::Unpaired { .. });
    if diff.not_comparable.iter().any(unpaired) {
        return Ok(diff);
    }
    let counted = Counted::new(sides);
    let figures = figures(&counted, sides, options);
    let found = intervals(&figures, runs, options);
    let doubts = weather::doubts(sides, &figures, found.kind);
    diff.provisional.extend(doubts.map(str::to_owned));
    diff.method.family = figures.iter().filter(|figure| figure.gated).count();
    diff.method.block_slices = found.block_slices;
    diff.method.replicates = found.block_slices.map(|_| options.replicates);
    let tick_ns = sides
        .into_iter()
        .flatten()
        .map(|side| side.tick_ns)
        .fold(0.0, f64::max);
    let family = diff.method.family.max(1);
    let scale = Scale {
        tick_ns,
        error: options.family_error / family as f64,
        kind: found.kind,
    };
    let rows = figures.iter().zip(&found.of);
    diff.rows = rows
        .map(|(figure, interval)| row(figure, interval, options, scale))
        .collect();
    diff.rows.sort_by_key(|row| !row.gated);
    if diff.not_comparable.is_empty() {
        diff.outcome = outcome(&diff.rows);
        diff.explanations = explanations(&diff.rows, sides);
    }
    Ok(diff)
}

/// All in all.
fn outcome(rows: &[Row]) -> Outcome {
    let gated = || rows.iter().filter(|row| row.gated);
    let any = |verdict| gated().any(|row| row.verdict == verdict);
    match () {
        () if any(Verdict::Regression) => Outcome::Regression,
        () if any(Verdict::Inconclusive) || gated().next().is_none() => Outcome::Inconclusive,
        () if any(Verdict::Improvement) => Outcome::Improvement,
        () => Outcome::Same,
    }
}

fn check_names(sides: [&[Summary]; 2], options: &DiffOptions) -> Result<(), UnknownGate> {
    let series = sides
        .into_iter()
        .flatten()
        .flat_map(|summary| &summary.series);
    let known: BTreeSet<&str> = series.map(|series| series.name.as_str()).collect();
    let gates = options.gates.iter().map(|gate| &gate.name);
    let bounds = options.bounds_for.iter().map(|bound| &bound.name);
    match gates
        .chain(bounds)
        .find(|name| !known.contains(name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(UnknownGate {
            name: name.clone(),
            known: known.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// The counts of what every capture has.
struct Counted {
    /// By kind and name: side by side the counts of each capture.
    of: BTreeMap<(SeriesKind, String), [Vec<Counts>; 2]>,
}

impl Counted {
    fn new(sides: [&[Summary]; 2]) -> Self {
        let mut names: BTreeMap<(SeriesKind, &str), usize> = BTreeMap::new();
        let captures: usize = sides.iter().map(|side| side.len()).sum();
        for series in sides
            .into_iter()
            .flatten()
            .flat_map(|summary| &summary.series)
        {
            *names.entry((series.kind, &series.name)).or_default() += 1;
        }
        let everywhere: Vec<(SeriesKind, &str)> = names
            .into_iter()
            .filter(|(_, found)| *found == captures)
            .map(|(name, _)| name)
            .collect();
        let counts = |(kind, name): &(SeriesKind, &str)| {
            let of = |side: &[Summary]| -> Vec<Counts> {
                let found = side.iter().filter_map(|summary| summary.find(*kind, name));
                found.map(Counts::of).collect()
            };
            ((*kind, (*name).to_owned()), sides.map(of))
        };
        Self {
            of: everywhere.par_iter().map(counts).collect(),
        }
    }
}

/// What is looked at: what is gated, and with `everything` all the rest of which there is enough.
fn figures<'a>(
    counted: &'a Counted,
    sides: [&[Summary]; 2],
    options: &DiffOptions,
) -> Vec<Compared<'a>> {
    let gated_kind = default_kind(counted);
    let kind = method([sides[0].len(), sides[1].len()], options);
    let all: Vec<_> = counted.of.iter().collect();
    let of = |((series_kind, name), counts): &(&'a (SeriesKind, String), &'a [Vec<Counts>; 2])| {
        let mut wanted: BTreeSet<Measure> = measures().into();
        let asked = |measure: Measure| {
            let mut gates = options.gates.iter();
            gates.any(|gate| gate.name == *name && gate.measure == measure)
        };
        let gates = options.gates.iter().filter(|gate| gate.name == *name);
        wanted.extend(gates.map(|gate| gate.measure));
        let frequent = counts
            .iter()
            .all(|side| side.iter().map(Counts::len).sum::<u64>() >= MIN_VALUES);
        let by_default = frequent && Some(*series_kind) == gated_kind;
        let any_asked = options.gates.iter().any(|gate| gate.name == *name);
        let figure = |measure: Measure| {
            let asked = asked(measure) || (any_asked && measure == Measure::Failing);
            let usual = by_default && is_usual(measure, kind);
            if !(asked || usual || options.everything) {
                return None;
            }
            let within = |side: &'a Vec<Counts>| -> Option<Vec<(&'a Counts, Within)>> {
                let each = |counts: &'a Counts| Some((counts, Within::of(counts, measure)?));
                side.iter().map(each).collect()
            };
            let [base, new] = [&counts[0], &counts[1]];
            let mut compared = Compared {
                kind: *series_kind,
                name,
                unit: counts.iter().flatten().next().map_or("", Counts::unit),
                measure,
                gated: asked || usual,
                sides: [within(base)?, within(new)?],
            };
            if compared.unsure().is_some() && !asked {
                compared.gated = false;
                return None;
            }
            let nothing_failed = || counts.iter().flatten().all(|counts| counts.failed() == 0);
            let is_idle = measure == Measure::Failing && !compared.gated && nothing_failed();
            (!is_idle).then_some(compared)
        };
        wanted.into_iter().filter_map(figure).collect::<Vec<_>>()
    };
    all.par_iter()
        .map(of)
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect()
}

/// Flows, if any is frequent; else events.
fn default_kind(counted: &Counted) -> Option<SeriesKind> {
    let frequent = |kind: SeriesKind| {
        counted.of.iter().any(|((each, _), sides)| {
            let total = |side: &Vec<Counts>| side.iter().map(Counts::len).sum::<u64>();
            *each == kind && sides.iter().all(|side| total(side) >= MIN_VALUES)
        })
    };
    [SeriesKind::Flow, SeriesKind::Span]
        .into_iter()
        .find(|kind| frequent(*kind))
}

/// Whether a figure counts without being asked for. What one capture a side cannot know does not.
fn is_usual(measure: Measure, kind: MethodKind) -> bool {
    let [p50, _, p99, _] = Percentile::DEFAULTS;
    match measure {
        Measure::Failing => true,
        Measure::Quantile(percentile) if percentile == p50 => true,
        Measure::Quantile(percentile) => percentile == p99 && kind != MethodKind::Bootstrap,
    }
}

fn side(summaries: &[Summary]) -> Side {
    let unique = |of: &dyn Fn(&Summary) -> String| -> Vec<String> {
        let all: BTreeSet<String> = summaries.iter().map(of).collect();
        all.into_iter().collect()
    };
    let mut labels: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in summaries.iter().flat_map(|summary| &summary.labels) {
        labels.entry(key.clone()).or_default().insert(value);
    }
    let joined = |(key, values): (String, BTreeSet<&str>)| {
        (key, values.into_iter().collect::<Vec<_>>().join(", "))
    };
    let duration_ns: u64 = summaries.iter().map(|summary| summary.duration_ns).sum();
    let traces: u64 = summaries.iter().flat_map(Summary::traces).sum();
    let spans = || -> u64 {
        let series = summaries.iter().flat_map(|summary| &summary.series);
        let spans = series.filter(|series| series.kind == SeriesKind::Span);
        spans.map(super::summary::Series::total).sum()
    };
    let done = if traces > 0 { traces } else { spans() };
    Side {
        captures: summaries
            .iter()
            .map(|summary| summary.path.clone())
            .collect(),
        hosts: unique(&|summary| summary.host.clone()),
        labels: labels.into_iter().map(joined).collect(),
        clocks: unique(&|summary| summary.clock.clone()),
        records: summaries.iter().map(|summary| summary.records).sum(),
        lost: summaries.iter().map(|summary| summary.lost).sum(),
        duration_ns,
        traces,
        throughput_per_s: (duration_ns > 0).then(|| done as f64 * 1e9 / duration_ns as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::noise::calibrate;
    use crate::diff::result::Why;
    use crate::diff::testing::{flow, scaled, summary};

    /// A capture of two flows, slower by a factor, of which some fail.
    fn run(seed: u64, factor: f64, failed: u64) -> Summary {
        summary(vec![
            scaled("A", seed * 2, 60, failed, factor),
            flow("B", seed * 2 + 1, 60, 0),
        ])
    }

    fn runs(seeds: std::ops::Range<u64>, factor: f64) -> Vec<Summary> {
        // Runs differ by 0.3 %, half of them up.
        let each = |seed: u64| run(seed, factor * (1.0 + 0.003 * (seed % 2) as f64), 0);
        seeds.map(each).collect()
    }

    fn outcome(base: &[Summary], new: &[Summary], options: &DiffOptions) -> Outcome {
        compare(base, new, options).unwrap().outcome
    }

    #[test]
    fn one_capture_a_side() {
        let options = DiffOptions::default();
        let base = [run(1, 1.0, 0)];
        assert_eq!(outcome(&base, &[run(2, 1.0, 0)], &options), Outcome::Same);
        let slower = compare(&base, &[run(2, 1.2, 0)], &options).unwrap();
        assert_eq!(slower.outcome, Outcome::Regression);
        let row = &slower.rows[0];
        assert_eq!(
            (row.name.as_str(), row.measure.to_string()),
            ("A", "p50".to_owned())
        );
        assert!(
            (row.change - 0.2).abs() < 0.03 && row.low.unwrap() > 0.15,
            "{row:?}"
        );
        assert_eq!(
            outcome(&base, &[run(2, 0.8, 0)], &options),
            Outcome::Improvement
        );
        // Without noise nothing is said about the tail.
        let tail = slower
            .rows
            .iter()
            .find(|row| row.measure.to_string() == "p99")
            .unwrap();
        assert_eq!((tail.gated, tail.why), (false, Some(Why::NoNoise)));
        let asked = DiffOptions {
            gates: vec!["A:p99".parse().unwrap()],
            ..options
        };
        assert_eq!(
            outcome(&base, &[run(2, 1.0, 0)], &asked),
            Outcome::Inconclusive
        );
    }

    #[test]
    fn failing_fast_is_a_regression() {
        let diff = compare(
            &[run(1, 1.0, 0)],
            &[run(2, 0.5, 2)],
            &DiffOptions::default(),
        )
        .unwrap();
        assert_eq!(diff.outcome, Outcome::Regression);
        assert_eq!(diff.explanations[0].outcomes[0].outcome, "failed");
    }

    #[test]
    fn many_captures_a_side() {
        let options = DiffOptions::default();
        let base = runs(0..6, 1.0);
        assert_eq!(outcome(&base, &runs(6..12, 1.0), &options), Outcome::Same);
        let slower = compare(&base, &runs(6..12, 1.15), &options).unwrap();
        assert_eq!(
            (slower.outcome, slower.method.kind),
            (Outcome::Regression, MethodKind::Permutation)
        );
        // p99 as well, since captures vouch for each other.
        assert!(
            slower
                .rows
                .iter()
                .any(|row| row.gated && row.measure.to_string() == "p99")
        );
        let near = compare(&base, &runs(6..12, 1.05), &options).unwrap();
        assert_eq!(near.outcome, Outcome::Inconclusive);
        assert!(near.rows.iter().any(|row| row.runs_needed.is_some()));
        let paired = DiffOptions {
            paired: true,
            ..options
        };
        assert_eq!(
            outcome(&runs(0..9, 1.0), &runs(9..18, 1.2), &paired),
            Outcome::Regression
        );
        let unpaired = compare(&base, &runs(6..11, 1.0), &paired).unwrap();
        assert_eq!(unpaired.outcome, Outcome::NotComparable);
    }

    #[test]
    fn one_against_a_history() {
        let options = DiffOptions::default();
        let history = runs(0..12, 1.0);
        let same = compare(&history, &runs(20..21, 1.0), &options).unwrap();
        assert_eq!(
            (same.outcome, same.method.kind),
            (Outcome::Same, MethodKind::Prediction)
        );
        assert_eq!(
            outcome(&history, &runs(20..21, 1.2), &options),
            Outcome::Regression
        );
    }

    #[test]
    fn a_few_captures_take_noise() {
        let options = DiffOptions::default();
        let (base, new) = (runs(20..22, 1.0), runs(22..24, 1.2));
        let blind = compare(&base, &new, &options).unwrap();
        assert_eq!(
            (blind.outcome, blind.method.kind),
            (Outcome::Inconclusive, MethodKind::TooFewRuns)
        );
        let noise = calibrate(&runs(0..12, 1.0), &[]);
        let options = DiffOptions {
            noise: Some(noise),
            ..options
        };
        assert_eq!(outcome(&base, &new, &options), Outcome::Regression);
        assert_eq!(outcome(&base, &runs(22..24, 1.0), &options), Outcome::Same);
        // One a side: the tail is judged as well.
        let one = compare(&base[..1], &new[..1], &options).unwrap();
        assert_eq!(
            (one.outcome, one.method.kind),
            (Outcome::Regression, MethodKind::BootstrapAndNoise)
        );
        assert!(
            one.rows
                .iter()
                .any(|row| row.gated && row.measure.to_string() == "p99")
        );
    }

    #[test]
    fn a_misspelt_gate_is_an_error() {
        let options = DiffOptions {
            gates: vec!["C:p50".parse().unwrap()],
            ..DiffOptions::default()
        };
        let error = compare(&[run(1, 1.0, 0)], &[run(2, 1.0, 0)], &options).unwrap_err();
        assert_eq!(
            (error.name.as_str(), error.known),
            ("C", vec!["A".to_owned(), "B".to_owned()])
        );
    }

    #[test]
    fn two_ticks_are_no_change() {
        let coarse = |value: u64| {
            let mut builder = crate::diff::summary::SeriesBuilder::default();
            (0..128).for_each(|slice| builder.ok(slice, value, 50));
            let mut made = summary(vec![builder.build(SeriesKind::Flow, "A", "ns")]);
            made.tick_ns = 100.0;
            [made]
        };
        let options = DiffOptions::default();
        assert_eq!(outcome(&coarse(500), &coarse(600), &options), Outcome::Same);
        assert_eq!(
            outcome(&coarse(500), &coarse(1500), &options),
            Outcome::Regression
        );
    }
}
