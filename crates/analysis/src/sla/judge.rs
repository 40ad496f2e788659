//! The verdict on one window.
//!
//! Nothing is decided by bins. A percentile p of n samples stays below a bound exactly if no more than n − ⌈p·n⌉ of them
//! do not; a mean, a rate and a share are compared as fractions of integers.

use super::ledger::{Tally, Unknown};
use super::result::{Judged, Verdict};
use super::rule::{Bound, Rule, Stat};
use crate::value::{Number, Percentile};

/// A hundred per cent, in the millionths of a per cent that bounds have.
const ALL: u128 = 100_000_000;

/// How much of a window is covered by captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covered {
    pub(super) ns: u64,
    /// False of a window at the edge of a capture: what a second brings on the average cannot be told from its end.
    pub(super) whole: bool,
}

/// What is to be said of what was seen of a rule in a window.
pub(super) fn judge(rule: &Rule, tally: &Tally, covered: Covered) -> Judged {
    let tally = &tally.settled();
    let wrong = wrong(rule, tally);
    let share = |wrong: u64| 1.0 - wrong as f64 / tally.samples as f64;
    Judged {
        verdict: verdict(rule, tally, covered),
        samples: tally.samples,
        samples_needed: samples_needed(rule),
        over: wrong,
        allowed: allowed(rule, tally.samples),
        open: tally.open,
        compliance: wrong.filter(|_| tally.samples > 0).map(share),
        measured: measured(rule, tally, covered),
        worst: (tally.samples > 0 && !matches!(rule.stat, Stat::Rate)).then_some(tally.worst),
        unknown: match tally.unknown {
            Unknown::Count(count) => Some(count.saturating_add(tally.unseen.unsigned_abs())),
            Unknown::Endless => None,
        },
    }
}

fn verdict(rule: &Rule, tally: &Tally, covered: Covered) -> Verdict {
    let rated = rule.stat == Stat::Rate;
    let enough = match rated {
        true => covered.ns > 0 && (covered.whole || rule.over_ns.is_none()),
        // Of an error rate a few samples are enough to break it.
        false if rule.stat == Stat::ErrorRate => tally.samples > 0,
        false => tally.samples >= samples_needed(rule),
    };
    if !enough {
        return Verdict::NoData;
    }
    if !holds(rule, tally, covered, (Side::Right, 0)) {
        return Verdict::Fail;
    }
    if !rated && tally.samples < samples_needed(rule) {
        return Verdict::NoData;
    }
    match tally.unknown {
        Unknown::Count(more) if holds(rule, tally, covered, (Side::Wrong, more)) => Verdict::Pass,
        // More of them cannot bring a rate down.
        Unknown::Endless if rated && !rule.op.is_upper() => Verdict::Pass,
        _ => Verdict::Unproven,
    }
}

/// A side of a rule's bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Right,
    Wrong,
}

/// Whether the rule holds if all unseen samples stood on one side, and so many more samples on the wrong one.
fn holds(rule: &Rule, tally: &Tally, covered: Covered, (side, more): (Side, u64)) -> bool {
    let upper = rule.op.is_upper();
    let samples = tally.samples.saturating_add(more);
    let unseen = tally.unseen.unsigned_abs();
    let all_above = upper == (side == Side::Wrong);
    let worse = (tally.beyond)
        .saturating_add(if upper { more } else { 0 })
        .saturating_add(if all_above { unseen } else { 0 });
    let is_bad = side == Side::Wrong && unseen > 0;
    let wide = |value: u64| u128::from(value);
    match rule.stat {
        Stat::Max | Stat::Percentile(_) => {
            let above = samples - percentile(rule.stat).rank(samples);
            match upper {
                true => worse <= above,
                false => worse > above,
            }
        }
        // One of them may be of any length.
        Stat::Mean if upper && (more > 0 || is_bad) => false,
        Stat::Mean => match rule.bound {
            Bound::Ns(ns) => rule.op.holds(tally.sum, wide(ns) * wide(samples)),
            Bound::Number(number) | Bound::Percent(number) | Bound::PerSecond(number) => {
                rule.op.holds(
                    tally.sum.saturating_mul(1_000_000),
                    wide(number.millionths()).saturating_mul(wide(samples)),
                )
            }
        },
        Stat::Rate => {
            let count = if upper { samples } else { tally.samples };
            // count / ns × 10⁹ against millionths / 10⁶.
            let bound = wide(millionths(rule)).saturating_mul(wide(covered.ns));
            rule.op.holds(wide(count) * 1_000_000_000_000_000, bound)
        }
        Stat::ErrorRate => {
            let bound = wide(millionths(rule)).saturating_mul(wide(samples));
            rule.op.holds(wide(worse) * ALL, bound)
        }
    }
}

fn millionths(rule: &Rule) -> u64 {
    match rule.bound {
        Bound::Number(number) | Bound::Percent(number) | Bound::PerSecond(number) => {
            number.millionths()
        }
        Bound::Ns(ns) => ns,
    }
}

/// The greatest is the value of the last rank.
fn percentile(stat: Stat) -> Percentile {
    match stat {
        Stat::Percentile(percentile) => percentile,
        _ => Percentile::HIGHEST,
    }
}

/// About 3 / (1 − p): with fewer, not one sample above is to be expected where one in 1 / (1 − p) is.
pub(super) fn samples_needed(rule: &Rule) -> u64 {
    match rule.stat {
        Stat::Percentile(percentile) => percentile.samples_needed(),
        Stat::Max | Stat::Mean => 1,
        Stat::Rate => 0,
        Stat::ErrorRate if !rule.op.is_upper() => 1,
        Stat::ErrorRate => match millionths(rule) {
            0 => 1,
            share => (3 * ALL as u64).div_ceil(share).max(1),
        },
    }
}

/// Samples on the wrong side of the bound.
fn wrong(rule: &Rule, tally: &Tally) -> Option<u64> {
    match rule.stat {
        Stat::Mean | Stat::Rate => None,
        _ if rule.op.is_upper() => Some(tally.beyond),
        _ => Some(tally.samples - tally.beyond),
    }
}

/// How many samples may stand on the wrong side.
fn allowed(rule: &Rule, samples: u64) -> Option<u64> {
    match rule.stat {
        Stat::Mean | Stat::Rate => None,
        Stat::Max | Stat::Percentile(_) => {
            let rank = percentile(rule.stat).rank(samples);
            Some(match rule.op.is_upper() {
                true => samples - rank,
                false => rank.saturating_sub(1),
            })
        }
        Stat::ErrorRate if rule.op.is_upper() => {
            let exact = u128::from(millionths(rule)) * u128::from(samples);
            let most = match rule.op {
                super::rule::Op::Less => exact.div_ceil(ALL).saturating_sub(1),
                _ => exact / ALL,
            };
            Some(u64::try_from(most).unwrap_or(u64::MAX).min(samples))
        }
        Stat::ErrorRate => None,
    }
}

fn measured(rule: &Rule, tally: &Tally, covered: Covered) -> Option<Number> {
    let samples = tally.samples as f64;
    match rule.stat {
        Stat::Rate => (covered.ns > 0).then(|| Number::Real(samples / covered.ns as f64 * 1e9)),
        _ if tally.samples == 0 => None,
        Stat::Max => Some(Number::Int(tally.worst.into())),
        Stat::Percentile(_) => None,
        Stat::Mean => Some(match rule.bound {
            Bound::Ns(_) => {
                let count = u128::from(tally.samples);
                Number::Int(i128::try_from((tally.sum + count / 2) / count).unwrap_or(i128::MAX))
            }
            _ => Number::Real(tally.sum as f64 / samples),
        }),
        Stat::ErrorRate => Some(Number::Real(tally.beyond as f64 / samples * 100.0)),
    }
}

/// How far on the wrong side a window is, to find the worst of windows of one verdict.
pub(super) fn badness(rule: &Rule, tally: &Tally, covered: Covered) -> f64 {
    let samples = tally.samples as f64;
    let of_upper = match rule.stat {
        Stat::Max | Stat::Percentile(_) => {
            let wrong = wrong(rule, tally).unwrap_or(0) as f64;
            return wrong / (allowed(rule, tally.samples).unwrap_or(0) as f64 + 1.0);
        }
        Stat::Mean => tally.sum as f64 / samples,
        Stat::Rate => samples / covered.ns as f64,
        Stat::ErrorRate => tally.beyond as f64 / samples,
    };
    if rule.op.is_upper() {
        of_upper
    } else {
        -of_upper
    }
}
