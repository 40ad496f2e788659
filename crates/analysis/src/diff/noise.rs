//! How much captures of one build differ: what no single capture can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::measure::Measure;
use super::summary::{SeriesKind, Summary};
use super::within::Within;
use crate::capture::io_error;
use crate::error::{Error, ErrorKind};
use crate::value::Percentile;

/// The schema of [`Noise`].
pub const SCHEMA: &str = "perf-analyze/noise/1";
/// Captures that it takes.
pub const MIN_RUNS: usize = 10;

/// What `perf-analyze calibrate` writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Captures that it was learnt from.
    pub runs: u64,
    /// Where they were recorded.
    pub hosts: BTreeSet<String>,
    /// What all of them were labelled with: build and scenario.
    pub labels: BTreeMap<String, String>,
    /// How long they took on average, in ns.
    pub duration_ns: u64,
    /// By figure.
    pub figures: Vec<FigureNoise>,
}

/// How a figure varies from run to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureNoise {
    /// Of what.
    pub kind: SeriesKind,
    /// The event, or the flow.
    pub name: String,
    /// Which figure: `p99`, or `errors`.
    pub measure: String,
    /// Captures that have it.
    pub runs: u64,
    /// Its standard deviation from run to run: of the logarithm of a quantile, so about a part of it; of a share, itself.
    pub deviation: f64,
    /// What of that (a variance) comes from the length of a capture, by its own slices.
    pub within_variance: f64,
}

impl Noise {
    /// Reads what `perf-analyze calibrate` wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::new(path, ErrorKind::Config(what));
        let text = std::fs::read_to_string(path).map_err(|error| io_error(path, error))?;
        let noise: Self = serde_json::from_str(&text).map_err(|error| {
            wrong(format!(
                "is no noise file: {error}; `perf-analyze calibrate` writes one"
            ))
        })?;
        match noise.schema == SCHEMA {
            true => Ok(noise),
            false => Err(wrong(format!(
                "is of schema `{}`: expected {SCHEMA}",
                noise.schema
            ))),
        }
    }

    /// What is known of a figure.
    pub fn of(&self, kind: SeriesKind, name: &str, measure: Measure) -> Option<&FigureNoise> {
        let measure = measure.to_string();
        self.figures.iter().find(|figure| {
            figure.kind == kind
                && figure.name == name
                && figure.measure == measure
                && figure.runs >= MIN_RUNS as u64
        })
    }
}

/// The quantiles that are looked at.
pub(super) fn measures() -> [Measure; 5] {
    let [p50, _, p99, p999] = Percentile::DEFAULTS;
    let quantile = Measure::Quantile;
    [
        quantile(p50),
        quantile(Percentile::P90),
        quantile(p99),
        quantile(p999),
        Measure::Failing,
    ]
}

/// Learns how captures of one build differ. `measures` beyond the usual ones are those of gates.
pub fn calibrate(runs: &[Summary], gates: &[super::options::Gate]) -> Noise {
    let mut names: BTreeSet<(SeriesKind, &str)> = BTreeSet::new();
    for run in runs {
        names.extend(
            run.series
                .iter()
                .map(|series| (series.kind, series.name.as_str())),
        );
    }
    let mut figures = Vec::new();
    for (kind, name) in names {
        let found = runs.iter().filter_map(|run| run.find(kind, name));
        let counts: Vec<Counts> = found.map(Counts::of).collect();
        let mut all: BTreeSet<Measure> = measures().into();
        all.extend(
            gates
                .iter()
                .filter(|gate| gate.name == name)
                .map(|gate| gate.measure),
        );
        for measure in all {
            let within: Vec<(Within, f64)> = counts
                .iter()
                .filter_map(|counts| {
                    let within = Within::of(counts, measure)?;
                    let enough = within.is_enough(counts, measure);
                    enough.then(|| (within, within.variance(counts, measure)))
                })
                .collect();
            if within.len() >= MIN_RUNS {
                figures.push(figure((kind, name, measure), &within));
            }
        }
    }
    let mut labels = runs
        .first()
        .map(|run| run.labels.clone())
        .unwrap_or_default();
    labels.retain(|key, value| runs.iter().all(|run| run.labels.get(key) == Some(value)));
    let total: u128 = runs.iter().map(|run| u128::from(run.duration_ns)).sum();
    Noise {
        schema: SCHEMA.to_owned(),
        runs: runs.len() as u64,
        hosts: runs.iter().map(|run| run.host.clone()).collect(),
        labels,
        duration_ns: (total / runs.len().max(1) as u128) as u64,
        figures,
    }
}

fn figure((kind, name, measure): (SeriesKind, &str, Measure), of: &[(Within, f64)]) -> FigureNoise {
    let n = of.len() as f64;
    let mean = of.iter().map(|(within, _)| within.value).sum::<f64>() / n;
    let squares: f64 = of
        .iter()
        .map(|(within, _)| (within.value - mean).powi(2))
        .sum();
    FigureNoise {
        kind,
        name: name.to_owned(),
        measure: measure.to_string(),
        runs: of.len() as u64,
        deviation: (squares / (n - 1.0)).sqrt(),
        within_variance: of.iter().map(|(_, variance)| variance).sum::<f64>() / n,
    }
}
