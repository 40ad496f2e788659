//! The shape of a comparison, in Rust and in JSON (`"schema": "perf-analyze/diff/1"`).
//!
//! Rules of the JSON: absent is `null`, never 0; values are in the unit of the row, durations in ns. Changes are ratios less
//! one (0.1 is 10 % more) of quantiles, and differences of shares. Fields may be added within one schema version, none
//! change meaning.

use std::collections::BTreeMap;

use serde::Serialize;

use super::comparable::NotComparable;
use super::measure::Measure;
use super::summary::SeriesKind;
use crate::value::Number;
use crate::warning::Warning;

/// The schema of [`Diff`].
pub const SCHEMA: &str = "perf-analyze/diff/1";

/// Two sides compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// All in all.
    pub outcome: Outcome,
    /// Why the verdicts are only provisional. Empty: they are not.
    pub provisional: Vec<String>,
    /// Why the sides cannot be compared. Empty: they can.
    pub not_comparable: Vec<NotComparable>,
    /// How it was judged.
    pub method: Method,
    /// The side compared with.
    pub base: Side,
    /// The side judged.
    pub new: Side,
    /// The gated figures first, then the others, each by kind, name and figure.
    pub rows: Vec<Row>,
    /// What moved with each regression.
    pub explanations: Vec<Explanation>,
    /// What a reader must know of the captures.
    pub warnings: Vec<Warning>,
}

/// All in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The sides do not measure the same.
    NotComparable,
    /// A gated figure is worse by more than its bound.
    Regression,
    /// No gated figure is known to be worse, and not of all is it known that they are not.
    Inconclusive,
    /// None is worse, and one is better by more than its bound.
    Improvement,
    /// All are the same within their bounds.
    Same,
}

/// What is known of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse by more than the bound, certainly.
    Regression,
    /// Better by more than the bound, certainly.
    Improvement,
    /// Within the bound, certainly.
    Same,
    /// None of these is certain.
    Inconclusive,
}

/// Why a figure has no certain verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The interval reaches over the bound.
    Wide,
    /// What follows upon each other is alike for longer than a thirty-second part of the capture, and nobody knows for how long.
    StillGrows,
    /// Too few independent values.
    FewValues,
    /// How much runs differ is not known: it takes `--noise`, or more captures.
    NoNoise,
    /// The noise file does not know the figure.
    NotInNoise,
    /// Too few captures a side for any certainty.
    FewRuns,
}

/// How the sides were judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Method {
    /// By what.
    pub kind: MethodKind,
    /// The chance that any gated interval misses.
    pub family_error: f64,
    /// Gated figures.
    pub family: usize,
    /// The usual bound, as a part: 0.05.
    pub bound: f64,
    /// Where random numbers began.
    pub seed: u64,
    /// Replicates drawn of one capture a side.
    pub replicates: Option<usize>,
    /// Of one capture a side: slices a block, of [`super::summary::SLICES`].
    pub block_slices: Option<usize>,
    /// Captures that the noise was learnt from.
    pub noise_runs: Option<u64>,
}

/// By what the sides were judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// Blocks of slices drawn again; how much runs differ is not known.
    Bootstrap,
    /// The same, with the noise between runs.
    BootstrapAndNoise,
    /// Means of a few captures, with the noise between runs.
    Noise,
    /// New captures against what a history predicts.
    Prediction,
    /// Captures shared out in every other way.
    Permutation,
    /// Pairs turned round in every other way.
    PairedPermutation,
    /// Too few captures a side, and no noise.
    TooFewRuns,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// First files of its captures.
    pub captures: Vec<String>,
    /// Where they were recorded.
    pub hosts: Vec<String>,
    /// Labels; what captures differ in stands with commas between.
    pub labels: BTreeMap<String, String>,
    /// Where their clocks came from.
    pub clocks: Vec<String>,
    /// Records.
    pub records: u64,
    /// Records that were lost.
    pub lost: u64,
    /// The time recorded, in ns.
    pub duration_ns: u64,
    /// Traces.
    pub traces: u64,
    /// Traces a second of it; without traces, spans. Absent without time.
    pub throughput_per_s: Option<f64>,
}

/// One figure of an event or a flow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What it is of.
    pub kind: SeriesKind,
    /// The event or the flow.
    pub name: String,
    /// Which figure: `p99`, or `errors`.
    pub measure: Measure,
    /// The unit of its values; `share` of errors.
    pub unit: String,
    /// Whether it counts for the outcome.
    pub gated: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Of an inconclusive one: why.
    pub why: Option<Why>,
    /// The figure of the base; of several captures the geometric mean.
    pub base: Number,
    /// The figure of the new side.
    pub new: Number,
    /// How much more.
    pub change: f64,
    /// The least that it may be. Absent: there is no least.
    pub low: Option<f64>,
    /// The most that it may be.
    pub high: Option<f64>,
    /// Changes within this, up or down, do not matter.
    pub bound: f64,
    /// The smallest change that would surely have been seen. Absent: none would.
    pub detectable: Option<f64>,
    /// Of one capture a side: independent values that know as much, base and new.
    pub effective: Option<[f64; 2]>,
    /// Of several captures a side, inconclusive: about how many a side it would take. Absent if it is not known.
    pub runs_needed: Option<u64>,
}

/// What moved with a regression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The kind of what got slower.
    pub kind: SeriesKind,
    /// The event or the flow.
    pub name: String,
    /// Stages and gaps that own more or less time than before, those that moved most first.
    pub owners: Vec<OwnerMove>,
    /// Whether that is of the traces around p99; else of all.
    pub of_tail: bool,
    /// Outcomes whose share moved.
    pub outcomes: Vec<OutcomeMove>,
}

/// A stage or a gap that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerMove {
    /// The event, or `A→B`.
    pub owner: String,
    /// Its own time in a trace of the base, in ns.
    pub base_ns: u64,
    /// The same, new.
    pub new_ns: u64,
}

/// An outcome whose share moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeMove {
    /// `failed` or `cancelled`.
    pub outcome: &'static str,
    /// Its share of the base.
    pub base: f64,
    /// Its share of the new side.
    pub new: f64,
}
