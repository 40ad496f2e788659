//! The interval of each figure's change, by as many captures as there are.

use super::bootstrap::{Draws, Figure, draw};
use super::counts::Counts;
use super::measure::Measure;
use super::noise::{FigureNoise, MIN_RUNS, Noise};
use super::options::DiffOptions;
use super::permute::{Design, shifts};
use super::result::{MethodKind, Why};
use super::student::student_quantile;
use super::summary::SeriesKind;
use super::within::Within;

/// So many captures a side speak for themselves.
pub const MANY: usize = 5;

/// A figure with what every capture of both sides knows of it.
#[derive(Debug)]
pub struct Compared<'a> {
    /// Of what.
    pub kind: SeriesKind,
    /// The event, or the flow.
    pub name: &'a str,
    /// The unit of its values.
    pub unit: &'a str,
    /// Which figure.
    pub measure: Measure,
    /// Whether it counts for the outcome.
    pub gated: bool,
    /// By side and capture.
    pub sides: [Vec<(&'a Counts, Within)>; 2],
}

/// The change of a figure and how far it may be off; on the figure's own scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// As it was seen.
    pub seen: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// The deviation of what was seen.
    pub deviation: f64,
    /// Why it says nothing, if so.
    pub why: Option<Why>,
}

/// All intervals, and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals {
    /// By figure.
    pub of: Vec<Interval>,
    /// By what.
    pub kind: MethodKind,
    /// Slices a block, of one capture a side.
    pub block_slices: Option<usize>,
}

impl Compared<'_> {
    /// The mean of a side.
    pub fn mean(&self, side: usize) -> f64 {
        let values = self.sides[side].iter().map(|(_, within)| within.value);
        values.sum::<f64>() / self.sides[side].len().max(1) as f64
    }

    fn seen(&self) -> f64 {
        self.mean(1) - self.mean(0)
    }

    fn within(&self) -> impl Iterator<Item = &Within> {
        self.sides.iter().flatten().map(|(_, within)| within)
    }

    /// Why nothing can be said about it, however it is judged. One capture a side has only its own values, and these must be
    /// independent enough; many captures vouch for each other.
    pub fn unsure(&self) -> Option<Why> {
        let alone = self.sides.iter().all(|side| side.len() < 2);
        let is_enough = |(counts, within): &(&Counts, Within)| match alone {
            true => within.is_enough(counts, self.measure),
            false => within.has_values(counts, self.measure),
        };
        let enough = self.sides.iter().flatten().all(is_enough);
        (!enough).then_some(Why::FewValues)
    }

    fn interval(&self, half: f64, deviation: f64, why: Option<Why>) -> Interval {
        let seen = self.seen();
        let half = if why.is_some() { f64::INFINITY } else { half };
        Interval {
            seen,
            low: seen - half,
            high: seen + half,
            deviation,
            why,
        }
    }
}

/// By what so many captures a side are judged.
pub fn method(runs: [usize; 2], options: &DiffOptions) -> MethodKind {
    let [fewer, more] = [runs[0].min(runs[1]), runs[0].max(runs[1])];
    match () {
        () if options.paired => MethodKind::PairedPermutation,
        () if fewer >= MANY => MethodKind::Permutation,
        () if more >= MIN_RUNS => MethodKind::Prediction,
        () if more == 1 && options.noise.is_some() => MethodKind::BootstrapAndNoise,
        () if more == 1 => MethodKind::Bootstrap,
        () if options.noise.is_some() => MethodKind::Noise,
        () => MethodKind::TooFewRuns,
    }
}

/// The intervals of `figures`. Those of the gated ones hold all at once but for the chance `options.family_error`. The others
/// are as wide, and no promise is made of them.
pub fn intervals(figures: &[Compared<'_>], runs: [usize; 2], options: &DiffOptions) -> Intervals {
    let kind = method(runs, options);
    let mut block_slices = None;
    let of = match kind {
        MethodKind::Bootstrap | MethodKind::BootstrapAndNoise => {
            let (of, length) = bootstrap(figures, options);
            block_slices = Some(length);
            of
        }
        MethodKind::Noise => {
            let each = |figure: &Compared<'_>| by_noise(figure, figures, options);
            figures.iter().map(each).collect()
        }
        MethodKind::Prediction => {
            let each = |figure: &Compared<'_>| prediction(figure, figures, options);
            figures.iter().map(each).collect()
        }
        MethodKind::Permutation | MethodKind::PairedPermutation => {
            permutation(figures, runs[0], options)
        }
        MethodKind::TooFewRuns => {
            let each = |figure: &Compared<'_>| figure.interval(0.0, 0.0, Some(Why::NoNoise));
            figures.iter().map(each).collect()
        }
    };
    Intervals {
        of,
        kind,
        block_slices,
    }
}

/// The chance that one of the intervals misses, if all miss alike.
fn error_each(figures: &[Compared<'_>], options: &DiffOptions) -> f64 {
    let gated = figures.iter().filter(|figure| figure.gated).count();
    options.family_error / gated.max(1) as f64
}

fn bootstrap(figures: &[Compared<'_>], options: &DiffOptions) -> (Vec<Interval>, usize) {
    let sure: Vec<&Compared<'_>> = figures
        .iter()
        .filter(|figure| figure.unsure().is_none())
        .collect();
    let drawn_figures: Vec<[Figure<'_>; 2]> = sure
        .iter()
        .map(|figure| [Figure::of(figure, 0), Figure::of(figure, 1)])
        .collect();
    let counted: Vec<bool> = sure.iter().map(|figure| figure.gated).collect();
    let draws = Draws {
        replicates: options.replicates,
        seed: options.seed,
    };
    let drawn = draw(&drawn_figures, &counted, draws, options.family_error);
    let mut variances = drawn.variances.iter();
    let each = |figure: &Compared<'_>| {
        if let Some(why) = figure.unsure() {
            return figure.interval(0.0, 0.0, Some(why));
        }
        let within: f64 = variances.next().map_or(0.0, |pair| pair.iter().sum());
        let half = drawn.multiplier * within.sqrt();
        let grows = figure.within().any(|within| within.still_grows);
        let why = grows.then_some(Why::StillGrows);
        let Some(noise) = &options.noise else {
            let needs_noise = is_of_the_tail(figure.measure).then_some(Why::NoNoise);
            return figure.interval(half, within.sqrt(), needs_noise.or(why));
        };
        let Some(noise) = known(figure, noise) else {
            return figure.interval(0.0, 0.0, Some(Why::NotInNoise));
        };
        // What runs vary by beyond what their own slices tell; and never less than runs were seen to differ.
        let between = 2.0 * (noise.deviation.powi(2) - noise.within_variance).max(0.0);
        let student = student_quantile(error_each(figures, options), noise.runs as f64 - 1.0);
        let both = (half.powi(2) + student.powi(2) * between).sqrt();
        let seen = student * noise.deviation * 2.0_f64.sqrt();
        figure.interval(both.max(seen), (within + between).sqrt(), why)
    };
    (figures.iter().map(each).collect(), drawn.length)
}

/// Whether the figure lies so far out that runs of one build are known to differ in it.
fn is_of_the_tail(measure: Measure) -> bool {
    match measure {
        Measure::Quantile(percentile) => percentile.fraction() >= 0.99,
        Measure::Failing => false,
    }
}

fn known<'a>(figure: &Compared<'_>, noise: &'a Noise) -> Option<&'a FigureNoise> {
    noise.of(figure.kind, figure.name, figure.measure)
}

fn by_noise(figure: &Compared<'_>, all: &[Compared<'_>], options: &DiffOptions) -> Interval {
    let noise = options
        .noise
        .as_ref()
        .and_then(|noise| known(figure, noise));
    let why = figure
        .unsure()
        .or(noise.is_none().then_some(Why::NotInNoise));
    let Some(noise) = noise else {
        return figure.interval(0.0, 0.0, why);
    };
    let parts: f64 = figure
        .sides
        .iter()
        .map(|side| 1.0 / side.len() as f64)
        .sum();
    let deviation = noise.deviation * parts.sqrt();
    let student = student_quantile(error_each(all, options), noise.runs as f64 - 1.0);
    figure.interval(student * deviation, deviation, why)
}

/// The longer side is the history: it tells how captures vary.
fn prediction(figure: &Compared<'_>, all: &[Compared<'_>], options: &DiffOptions) -> Interval {
    let history = usize::from(figure.sides[1].len() > figure.sides[0].len());
    let n = figure.sides[history].len() as f64;
    let mean = figure.mean(history);
    let squares: f64 = figure.sides[history]
        .iter()
        .map(|(_, within)| (within.value - mean).powi(2))
        .sum();
    let parts = 1.0 / n + 1.0 / figure.sides[1 - history].len() as f64;
    let deviation = (squares / (n - 1.0) * parts).sqrt();
    let student = student_quantile(error_each(all, options), n - 1.0);
    figure.interval(student * deviation, deviation, figure.unsure())
}

fn permutation(figures: &[Compared<'_>], base: usize, options: &DiffOptions) -> Vec<Interval> {
    let design = match options.paired {
        true => Design::Paired,
        false => Design::Apart { base },
    };
    let values = |figure: &Compared<'_>| -> Vec<f64> {
        let [base, new] = &figure.sides;
        let value = |(_, within): &(&Counts, Within)| within.value;
        match design {
            Design::Apart { .. } => base.iter().chain(new).map(value).collect(),
            Design::Paired => base
                .iter()
                .zip(new)
                .map(|(base, new)| new.1.value - base.1.value)
                .collect(),
        }
    };
    let all: Vec<Vec<f64>> = figures.iter().map(values).collect();
    let counted: Vec<bool> = figures.iter().map(|figure| figure.gated).collect();
    let shifts = shifts(design, &all, &counted, (options.family_error, options.seed));
    let each = |(figure, shift): (&Compared<'_>, super::permute::Shift)| {
        let equal = shift.deviation == 0.0;
        if equal {
            // No captures differ in it at all: it is known as well as it can be told apart.
            let finest = figure
                .within()
                .map(|within| within.resolution)
                .fold(0.0, f64::max);
            return figure.interval(finest, 0.0, figure.unsure());
        }
        let why = shift.low.is_infinite().then_some(Why::FewRuns);
        Interval {
            seen: shift.seen,
            low: shift.low,
            high: shift.high,
            deviation: shift.deviation,
            why: figure.unsure().or(why),
        }
    };
    figures.iter().zip(shifts).map(each).collect()
}

impl<'a> Figure<'a> {
    fn of(compared: &Compared<'a>, side: usize) -> Self {
        let (counts, within) = compared.sides[side][0];
        Self {
            counts,
            measure: compared.measure,
            within,
        }
    }
}
