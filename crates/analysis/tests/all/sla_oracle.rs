//! What rules say of a world, found out the slow way: plain lists of samples, sorted and counted one by one.

use std::collections::{BTreeMap, BTreeSet};

use perf_analysis::report::{EventKind, Outcome};
use perf_analysis::sla::{Bound, Op, Rule, Stat, Target, Verdict};

use crate::world::World;

/// One sample of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) world: usize,
    pub(crate) end: i64,
    pub(crate) value: u128,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) trace: u64,
    pub(crate) thread: Option<usize>,
    pub(crate) open: bool,
}

/// What is selected of each world.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

impl Bounds {
    fn holds(self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// All that the oracle knows.
pub(crate) struct Oracle<'a> {
    pub(crate) worlds: &'a [World],
    pub(crate) bounds: Bounds,
}

/// One window, or everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) verdict: Verdict,
    pub(crate) samples: u64,
    pub(crate) over: Option<u64>,
    pub(crate) unknown: u64,
    pub(crate) worst: Option<u128>,
}

/// An episode: start, end, violations, worst.
pub(crate) type Episode = (i64, i64, u64, u128);

impl Oracle<'_> {
    /// Every sample of a rule.
    pub(crate) fn samples(&self, rule: &Rule) -> Vec<Sample> {
        let Target::Event { name, outcome } = &rule.target else {
            panic!("rules of events only");
        };
        let mut samples = Vec::new();
        for (number, world) in self.worlds.iter().enumerate() {
            let mine = world.seen.iter().filter(|seen| {
                let kind = matches!(seen.kind, EventKind::Span | EventKind::Observation);
                (kind || rule.stat == Stat::Rate)
                    && seen.event == *name
                    && (outcome.is_none() || seen.outcome == *outcome)
                    && self.bounds.holds(seen.unix_ns)
            });
            samples.extend(mine.map(|seen| Sample {
                world: number,
                end: seen.unix_ns,
                value: seen.value as u128,
                outcome: seen.outcome,
                trace: seen.trace,
                thread: Some(seen.thread),
                open: false,
            }));
            let ages = u128::from(world.open_age_ns);
            let open = Sample {
                world: number,
                end: world.end_ns,
                value: ages,
                outcome: None,
                trace: 0,
                thread: Some(0),
                open: true,
            };
            let counts = self.violates(rule, &open) && outcome.is_none();
            if name == "beta" && counts && self.bounds.holds(world.end_ns) {
                samples.extend(vec![open; world.open_spans as usize]);
            }
        }
        samples
    }

    /// Whether a sample alone is a violation.
    pub(crate) fn violates(&self, rule: &Rule, sample: &Sample) -> bool {
        let upper = matches!(rule.op, Op::Less | Op::AtMost);
        upper
            && match rule.stat {
                Stat::Max | Stat::Percentile(_) => {
                    !stands(rule.op, sample.value as f64, bound(rule))
                }
                Stat::ErrorRate => failed(sample),
                Stat::Mean | Stat::Rate => false,
            }
    }

    pub(crate) fn violations(&self, rule: &Rule) -> Vec<Sample> {
        let mut violations = self.samples(rule);
        violations.retain(|sample| self.violates(rule, sample));
        violations.sort_by_key(|sample| sample.end);
        violations
    }

    /// Records that may have been samples between two instants, both included.
    fn unknown(&self, rule: &Rule, from: i64, to: i64) -> u64 {
        let mut unknown = 0;
        for world in self.worlds {
            for lost in &world.lost {
                let touches = lost.from_ns <= to && lost.to_ns >= from;
                let selected = self.bounds.since.is_none_or(|since| lost.to_ns >= since)
                    && self.bounds.until.is_none_or(|until| lost.from_ns < until);
                unknown += if touches && selected { lost.count } else { 0 };
            }
            // An open span may yet end in any way.
            let Target::Event { name, outcome } = &rule.target else {
                continue;
            };
            let old = Sample {
                world: 0,
                end: world.end_ns,
                value: world.open_age_ns.into(),
                outcome: None,
                trace: 0,
                thread: None,
                open: true,
            };
            let sided = !matches!(rule.stat, Stat::ErrorRate);
            let within = (from..=to).contains(&world.end_ns) && self.bounds.holds(world.end_ns);
            if name == "beta" && outcome.is_some() && sided && within && self.violates(rule, &old) {
                unknown += world.open_spans;
            }
        }
        unknown
    }

    /// How much of `[from, to)` captures cover, ns by ns as it were.
    fn covered(&self, from: i64, to: i64) -> u64 {
        let mut edges: BTreeSet<i64> = BTreeSet::new();
        let stretch = |world: &World| {
            let start = self
                .bounds
                .since
                .map_or(world.start_ns, |since| since.max(world.start_ns));
            let end = self
                .bounds
                .until
                .map_or(world.end_ns, |until| until.min(world.end_ns));
            (start.max(from), end.min(to))
        };
        let stretches: Vec<_> = self.worlds.iter().map(stretch).collect();
        for (start, end) in &stretches {
            edges.extend([*start, *end]);
        }
        let edges: Vec<i64> = edges.into_iter().collect();
        let pieces = edges.windows(2);
        let inside = pieces.filter(|pair| {
            stretches
                .iter()
                .any(|(start, end)| *start <= pair[0] && pair[1] <= *end)
        });
        inside.map(|pair| (pair[1] - pair[0]) as u64).sum()
    }

    /// The verdict on what ended from `from` up to, but without, `to`.
    pub(crate) fn judge(&self, rule: &Rule, from: i64, to: i64) -> Seen {
        let mut samples = self.samples(rule);
        samples.retain(|sample| sample.end >= from && (sample.end < to || to == i64::MAX));
        let unknown = self.unknown(rule, from, if to == i64::MAX { to } else { to - 1 });
        let upper = matches!(rule.op, Op::Less | Op::AtMost);
        let covered = self.covered(from, to);
        let holds = |more: u64| {
            // The unknown as bad as it can be.
            let worst = if upper { f64::INFINITY } else { 0.0 };
            let mut values: Vec<f64> = samples.iter().map(|sample| sample.value as f64).collect();
            values.extend(vec![worst; more as usize]);
            values.sort_by(f64::total_cmp);
            let failures = samples.iter().filter(|sample| failed(sample)).count() as f64;
            let count = values.len() as f64;
            let statistic = match rule.stat {
                Stat::Max => values[values.len() - 1],
                Stat::Percentile(percentile) => {
                    values[percentile.rank(values.len() as u64) as usize - 1]
                }
                Stat::Mean => values.iter().sum::<f64>() / count,
                Stat::Rate if upper => count / covered as f64 * 1e9,
                Stat::Rate => samples.len() as f64 / covered as f64 * 1e9,
                Stat::ErrorRate if upper => (failures + more as f64) / count * 100.0,
                Stat::ErrorRate => failures / count * 100.0,
            };
            stands(rule.op, statistic, bound(rule))
        };
        let whole = to == i64::MAX || covered == (to - from) as u64;
        let needed = needed(rule);
        let enough = match rule.stat {
            Stat::Rate => covered > 0 && whole,
            Stat::ErrorRate => !samples.is_empty() && (samples.len() as u64 >= needed || !holds(0)),
            _ => samples.len() as u64 >= needed,
        };
        let verdict = match () {
            () if !enough => Verdict::NoData,
            () if !holds(0) => Verdict::Fail,
            () if !holds(unknown) => Verdict::Unproven,
            () => Verdict::Pass,
        };
        let over = match rule.stat {
            Stat::Mean | Stat::Rate => None,
            Stat::ErrorRate => {
                let failures = samples.iter().filter(|sample| failed(sample)).count();
                Some(if upper {
                    failures
                } else {
                    samples.len() - failures
                } as u64)
            }
            _ => {
                let wrong = |sample: &&Sample| !stands(rule.op, sample.value as f64, bound(rule));
                Some(samples.iter().filter(wrong).count() as u64)
            }
        };
        let worst = samples.iter().map(|sample| sample.value).max();
        Seen {
            verdict,
            samples: samples.len() as u64,
            over,
            unknown,
            worst: worst.filter(|_| rule.stat != Stat::Rate),
        }
    }

    /// By start: every window that a capture touches.
    pub(crate) fn windows(&self, rule: &Rule) -> BTreeMap<i64, Seen> {
        let length = rule.over_ns.unwrap() as i64;
        let mut starts = BTreeSet::new();
        for world in self.worlds {
            let mut at = world.start_ns.div_euclid(length) * length;
            while at <= world.end_ns {
                let last = (at + length - 1).min(world.end_ns);
                let first = at.max(world.start_ns);
                let since = self.bounds.since.is_none_or(|since| last >= since);
                let until = self.bounds.until.is_none_or(|until| first < until);
                if since && until {
                    starts.insert(at);
                }
                at += length;
            }
        }
        let judged = |start| (start, self.judge(rule, start, start + length));
        starts.into_iter().map(judged).collect()
    }

    /// Violations whose ends are no further apart than `gap`.
    pub(crate) fn episodes(&self, rule: &Rule, gap: i64) -> Vec<Episode> {
        let mut episodes: Vec<(Episode, i64)> = Vec::new();
        for sample in self.violations(rule) {
            let is_span = sample.open || sample.outcome.is_some();
            let start = sample.end - if is_span { sample.value as i64 } else { 0 };
            match episodes.last_mut() {
                Some(((first, last, count, worst), _)) if sample.end - *last <= gap => {
                    *first = start.min(*first);
                    *last = sample.end;
                    *count += 1;
                    *worst = sample.value.max(*worst);
                }
                _ => episodes.push(((start, sample.end, 1, sample.value), 0)),
            }
        }
        episodes.into_iter().map(|(episode, _)| episode).collect()
    }
}

fn failed(sample: &Sample) -> bool {
    matches!(sample.outcome, Some(Outcome::Error | Outcome::Panicked))
}

fn stands(op: Op, value: f64, bound: f64) -> bool {
    match op {
        Op::Less => value < bound,
        Op::AtMost => value <= bound,
        Op::More => value > bound,
        Op::AtLeast => value >= bound,
    }
}

fn bound(rule: &Rule) -> f64 {
    match rule.bound {
        Bound::Ns(ns) => ns as f64,
        Bound::Number(number) | Bound::Percent(number) | Bound::PerSecond(number) => {
            number.as_f64()
        }
    }
}

fn needed(rule: &Rule) -> u64 {
    match rule.stat {
        Stat::Percentile(percentile) => {
            let rest = 1.0 - percentile.fraction();
            if rest == 0.0 {
                1
            } else {
                (3.0 / rest - 1e-6).ceil() as u64
            }
        }
        Stat::ErrorRate if matches!(rule.op, Op::Less | Op::AtMost) => {
            (3.0 / (bound(rule) / 100.0) - 1e-6).ceil() as u64
        }
        _ => 1,
    }
}
