//! How often a gate is right, on captures of which the truth is known.

use std::fmt;

use perf_analysis::diff::student::clopper_pearson;
use perf_analysis::diff::summary::Summary;
use perf_analysis::diff::{BOUND, DiffOptions, MethodKind, Noise, Outcome, Verdict, compare};

use rayon::prelude::*;

use super::rivals::{self, Rivals};

/// Replicates of a bootstrap here: as many as 1 % needs, not more.
const REPLICATES: usize = 999;
/// The chance that an interval of a rate misses.
const RATE_ERROR: f64 = 0.05;

/// How often something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) hits: u64,
    pub(crate) trials: u64,
}

impl Rate {
    pub(crate) fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.trials += 1;
    }

    pub(crate) fn merge(&mut self, other: Rate) {
        self.hits += other.hits;
        self.trials += other.trials;
    }

    pub(crate) fn interval(self) -> (f64, f64) {
        clopper_pearson(self.hits, self.trials, RATE_ERROR)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trials == 0 {
            return f.write_str("n/a");
        }
        let (low, high) = self.interval();
        let percent = |share: f64| format!("{:.1}", share * 100.0);
        let rate = self.hits as f64 / self.trials as f64;
        write!(
            f,
            "{}/{} = {} % ({}–{})",
            self.hits,
            self.trials,
            percent(rate),
            percent(low),
            percent(high)
        )
    }
}

/// What a gate said of many comparisons at no shift, and at a shift as great as the bound.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Alarms {
    /// Worse or better, where nothing changed.
    at_none: Rate,
    /// Worse by more than the bound, where all changed by as much as the bound.
    at_bound: Rate,
    /// Where nothing changed: could not tell.
    inconclusive: Rate,
    /// The others, where nothing changed.
    ranks: Rate,
    threshold: Rate,
    independent: Rate,
    /// The last, at the bound.
    independent_at_bound: Rate,
}

/// Captures to be compared, and what is known of their noise.
pub(crate) type Pair = (Vec<Summary>, Vec<Summary>, Option<Noise>);

impl Alarms {
    /// What is said of each of so many comparisons.
    pub(crate) fn of(trials: usize, make: impl Fn(usize) -> Pair + Sync) -> Self {
        let judge = |trial| {
            let (base, new, noise) = make(trial);
            let mut alarms = Self::default();
            alarms.add(&base, &new, noise.as_ref());
            alarms
        };
        let merge = |mut one: Self, other: Self| {
            for (mine, theirs) in one.rates_mut().into_iter().zip(other.rates()) {
                mine.merge(theirs);
            }
            one
        };
        (0..trials)
            .into_par_iter()
            .map(judge)
            .reduce(Self::default, merge)
    }

    /// In the order of the table.
    pub(crate) fn rates(&self) -> [Rate; 7] {
        [
            self.at_none,
            self.at_bound,
            self.inconclusive,
            self.ranks,
            self.threshold,
            self.independent,
            self.independent_at_bound,
        ]
    }

    fn rates_mut(&mut self) -> [&mut Rate; 7] {
        [
            &mut self.at_none,
            &mut self.at_bound,
            &mut self.inconclusive,
            &mut self.ranks,
            &mut self.threshold,
            &mut self.independent,
            &mut self.independent_at_bound,
        ]
    }

    /// Adds one comparison; `shifted` is `new` slower by the bound.
    fn add(&mut self, base: &[Summary], new: &[Summary], noise: Option<&Noise>) {
        let options = options(noise);
        let verdict = said(base, new, &options);
        self.at_none.add(verdict.alarm);
        self.inconclusive.add(verdict.inconclusive);
        let shifted: Vec<Summary> = new
            .iter()
            .map(|run| slower(run, BOUND, Part::All))
            .collect();
        self.at_bound.add(said(base, &shifted, &options).regression);
        let ([base], [new], [shifted]) = (base, new, shifted.as_slice()) else {
            return;
        };
        let Rivals {
            ranks,
            threshold,
            independent,
        } = rivals::judge(base, new, BOUND);
        self.ranks.add(ranks);
        self.threshold.add(threshold);
        self.independent.add(independent);
        self.independent_at_bound
            .add(rivals::judge(base, shifted, BOUND).independent);
    }

    /// Whether the promise of 1 % is broken, as far as the rates can tell.
    pub(crate) fn breaks_promise(&self) -> bool {
        [self.at_none, self.at_bound]
            .iter()
            .any(|rate| rate.interval().0 > 0.01)
    }
}

pub(crate) fn options(noise: Option<&Noise>) -> DiffOptions {
    DiffOptions {
        noise: noise.cloned(),
        replicates: REPLICATES,
        everything: false,
        ..DiffOptions::default()
    }
}

/// What was said of one comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    /// Any figure is called better or worse.
    pub(crate) alarm: bool,
    pub(crate) regression: bool,
    pub(crate) inconclusive: bool,
}

pub(crate) fn said(base: &[Summary], new: &[Summary], options: &DiffOptions) -> Said {
    let diff = compare(base, new, options).expect("nothing was named");
    let gated = || diff.rows.iter().filter(|row| row.gated);
    let changed = [Verdict::Regression, Verdict::Improvement];
    // Not comparable is no alarm about speed, and neither is what was said only provisionally: both are counted with what
    // cannot be told. One capture a side without noise never says more, and is shown as if it did.
    let blind = diff.method.kind == MethodKind::Bootstrap;
    let provisional = !blind && !diff.provisional.is_empty();
    let refused = provisional || diff.outcome == Outcome::NotComparable;
    Said {
        alarm: !refused && gated().any(|row| changed.contains(&row.verdict)),
        regression: !refused && diff.outcome == Outcome::Regression,
        inconclusive: refused || diff.outcome == Outcome::Inconclusive,
    }
}

/// Which values are slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    All,
    /// The slowest tenth.
    Tail,
    /// A stage that takes a fifth of the usual time: the same amount is added to each.
    Stage,
}

/// `run` with one part slower by `shift`.
pub(crate) fn slower(run: &Summary, shift: f64, part: Part) -> Summary {
    let mut run = run.clone();
    for series in &mut run.series {
        let all = series.ok();
        let mut totals = vec![0_u64; series.values.len()];
        for (place, count) in series.slices.iter().flat_map(|slice| &slice.counts) {
            totals[*place as usize] += count;
        }
        let value_at = |share: f64| {
            let mut below = 0;
            let place = totals.iter().position(|count| {
                below += count;
                below as f64 >= share * all as f64
            });
            place.map_or(0, |place| series.values[place])
        };
        let (median, tail) = (value_at(0.5), value_at(0.9));
        for value in &mut series.values {
            *value = match part {
                Part::All => (*value as f64 * (1.0 + shift)).round() as u64,
                Part::Tail if *value <= tail => *value,
                Part::Tail => (*value as f64 * (1.0 + shift)).round() as u64,
                Part::Stage => *value + (0.2 * median as f64 * shift).round() as u64,
            };
        }
    }
    run
}
