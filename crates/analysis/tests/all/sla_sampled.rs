//! Rules on captures of which only a sample was kept, against lists in which what was not kept stands at its best and at
//! its worst.

use std::num::NonZeroU32;

use perf_analysis::sla::{Op, Rule, RuleResult, Stat, Verdict};
use perf_analysis::{CaptureSet, OpenOptions, SlaOptions, sla};
use perf_format::Extra;

use crate::traces_world::{EVENTS, FIRST, Made, Market, Recipe, What};
use crate::world::Dice;

const BOUND: u64 = 1000;

/// Traces of one span each, of which a sample was kept, and of the others what is above [`BOUND`].
fn sampled(recipe: &Recipe, dice: &mut Dice) -> Market {
    let mut market = Market {
        ns_per_tick: 1,
        ..Market::default()
    };
    let slow = [2, 8, 60, 500][dice.below(4) as usize];
    let weights = [[1, 4, 10], [1, 1, 2]][dice.below(2) as usize];
    for number in 0..recipe.traces {
        let weight = weights[(number * 3 / recipe.traces) as usize];
        let length = match dice.once_in(slow) {
            true => BOUND + dice.below(500),
            false => dice.below(BOUND),
        };
        let is_kept = dice.below(weight.into()) == 0;
        if !is_kept && length < BOUND {
            continue;
        }
        let start = FIRST + 200_000 + number * 10_000;
        market.made.push(Made {
            thread: dice.below(3) as u32,
            start,
            end: start + length,
            trace: number + 1,
            what: What::Span(dice.below(2) as u32, u8::from(dice.once_in(40))),
            extra: Extra {
                weight: NonZeroU32::new(weight).unwrap(),
                is_lone: !is_kept,
                ..Extra::default()
            },
        });
    }
    market.made.sort_by_key(|made| (made.thread, made.end));
    recipe.write_again(&mut market);
    market
}

/// The values of one event, in the terms of a rule: those that were seen, with their weight, and what else there may be.
struct Expected {
    seen: Vec<(u64, u64)>,
    unknown: u64,
}

impl Expected {
    fn new(market: &Market, event: &str, failures: bool, of_traces: bool) -> Self {
        let is_mine =
            |made: &&Made| matches!(made.what, What::Span(of, _) if EVENTS[of as usize] == event);
        let value = |made: &Made| match made.what {
            What::Span(_, outcome) if failures => u64::from(outcome == 1),
            _ => made.end - made.start,
        };
        let lone = (market.made.iter()).filter(|made| made.extra.is_lone);
        let seen = (market.made.iter().filter(is_mine))
            .filter(|made| !of_traces || !made.extra.is_lone)
            .map(|made| {
                let weight = if made.extra.is_lone {
                    0
                } else {
                    made.extra.weight.get()
                };
                (value(made), weight.into())
            });
        Self {
            seen: seen.collect(),
            // A fragment may be of any flow.
            unknown: if of_traces { lone.count() as u64 } else { 0 },
        }
    }

    fn samples(&self) -> u64 {
        let all: u64 = self.seen.iter().map(|(_, weight)| weight).sum();
        all.max(self.seen.len() as u64)
    }

    fn unseen(&self) -> u64 {
        self.samples() - self.seen.len() as u64
    }

    /// Whether the rule holds if all that was not seen has this value, and so many more.
    fn holds(&self, rule: &Rule, rest: u64, more: u64) -> bool {
        let mut values: Vec<u64> = self.seen.iter().map(|(value, _)| *value).collect();
        values.extend(vec![rest; (self.unseen() + more) as usize]);
        values.sort_unstable();
        match rule.stat {
            Stat::Max => stands(rule, values[values.len() - 1] as f64, BOUND as f64),
            Stat::Percentile(p) => {
                let rank = (p.fraction() * values.len() as f64 - 1e-9).ceil().max(1.0);
                stands(rule, values[rank as usize - 1] as f64, BOUND as f64)
            }
            _ => {
                let failed = values.iter().map(|value| (*value).min(1)).sum::<u64>() as f64;
                stands(rule, failed, 0.05 * values.len() as f64)
            }
        }
    }

    fn verdict(&self, rule: &Rule, needed: u64) -> Verdict {
        let upper = matches!(rule.op, Op::Less | Op::AtMost);
        let (best, worst) = if upper { (0, 1 << 40) } else { (1 << 40, 0) };
        let early = rule.stat == Stat::ErrorRate && !self.seen.is_empty();
        match () {
            () if self.samples() < needed && !early => Verdict::NoData,
            () if !self.holds(rule, best, 0) => Verdict::Fail,
            () if self.samples() < needed => Verdict::NoData,
            () if self.holds(rule, worst, self.unknown) => Verdict::Pass,
            () => Verdict::Unproven,
        }
    }
}

fn stands(rule: &Rule, value: f64, bound: f64) -> bool {
    match rule.op {
        Op::Less => value < bound,
        Op::AtMost => value <= bound,
        Op::More => value > bound,
        Op::AtLeast => value >= bound,
    }
}

fn check(result: &RuleResult, market: &Market, seen: &mut Vec<Verdict>) {
    let rule = &result.rule;
    let text = rule.to_string();
    let of_traces = text.starts_with("e2e");
    let event = if text.contains(['A']) { "A" } else { "B" };
    let expected = Expected::new(market, event, rule.stat == Stat::ErrorRate, of_traces);
    assert_eq!(result.total.samples, expected.samples(), "{text}");
    let unknown = expected.unseen() + expected.unknown;
    assert_eq!(result.total.unknown, Some(unknown), "{text}");
    let verdict = expected.verdict(rule, result.total.samples_needed);
    assert_eq!(result.total.verdict, verdict, "{text}, {:?}", result.total);
    seen.push(verdict);
}

#[test]
fn what_was_not_kept_may_overturn_a_verdict() {
    let mut seen = Vec::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    for seed in 0..60 {
        let recipe = Recipe {
            traces: 200 + seed * 50,
            ns_per_tick: 1,
            losses: 0,
            open: 0,
            ..Recipe::new(seed)
        };
        let market = sampled(&recipe, &mut Dice::new(seed));
        let stats = [
            "p50<1us",
            "p90<=1us",
            "p99<1us",
            "max<1us",
            "p50>1us",
            "error_rate<5%",
        ];
        let rules = ["A", "B", "e2e[A]", "e2e[B]"]
            .into_iter()
            .flat_map(|target| {
                stats.map(|stat| format!("{target}:{stat}").parse::<Rule>().unwrap())
            });
        let options = SlaOptions {
            rules: rules.collect(),
            ..SlaOptions::default()
        };
        std::fs::write(file.path(), &market.bytes).unwrap();
        let set = CaptureSet::open(&[file.path().to_owned()], &OpenOptions::default()).unwrap();
        let got = sla(&set, &options).unwrap();
        assert_eq!(got.rules.len(), options.rules.len());
        for result in &got.rules {
            check(result, &market, &mut seen);
        }
    }
    for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Unproven] {
        let times = seen.iter().filter(|each| **each == verdict).count();
        assert!(times > 50, "{verdict:?} {times} times");
    }
}
