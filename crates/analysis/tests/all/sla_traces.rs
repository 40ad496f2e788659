//! Rules about traces against a slow recount: traces put together pair by pair, samples in plain lists, sorted and counted.

use std::collections::{BTreeMap, BTreeSet};

use perf_analysis::sla::{Bound, Op, Rule, RuleResult, Sla, Stat, Target, Verdict};
use perf_analysis::{CaptureSet, OpenOptions, SlaOptions, TraceOptions, sla, traces};

use crate::traces_world::{EVENTS, Made, Market, Recipe, START_NS, What};

/// After so long without a record a trace is over: 10 s.
const IDLE_NS: u64 = 10_000_000_000;
const LOST_EACH: u64 = 3;

/// A whole trace: what rules measure of it.
#[derive(Debug)]
struct Whole {
    events: BTreeSet<&'static str>,
    end: i64,
    e2e: u64,
    response: Option<u64>,
    failed: bool,
    /// From, to, length, end.
    gaps: Vec<(&'static str, &'static str, u64, i64)>,
}

/// End, value, and whether it failed.
type Sample = (i64, u64, bool);

fn wholes(market: &Market, recipe: &Recipe) -> Vec<Whole> {
    let ids: BTreeSet<u64> = market.made.iter().map(|made| made.trace).collect();
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| *id != 0) {
        let mut left: Vec<&Made> = (market.made.iter())
            .filter(|made| made.trace == id)
            .filter(|made| matches!(made.what, What::Span(..) | What::Note(..) | What::Due(_)))
            .collect();
        left.sort_by_key(|made| made.start);
        let mut opens: Vec<u64> = (market.open.iter())
            .filter(|open| open.0 == id)
            .map(|open| open.2)
            .collect();
        // What begins the trace, then all that some record of it reaches.
        while !left.is_empty() {
            let mut mine: Vec<&Made> = vec![left.remove(0)];
            let mut is_open = false;
            loop {
                let reach = mine.iter().map(|made| made.end).max().unwrap();
                let reach = if is_open { u64::MAX } else { reach };
                let joins = |start: u64| {
                    start
                        .saturating_sub(reach)
                        .saturating_mul(recipe.ns_per_tick)
                        <= IDLE_NS
                };
                let before = opens.len() + left.len();
                // An open span that began earlier reaches all of it.
                opens.retain(|start| {
                    is_open |= joins(*start);
                    !joins(*start)
                });
                left.retain(|made| {
                    if joins(made.start) {
                        mine.push(made);
                    }
                    !joins(made.start)
                });
                if opens.len() + left.len() == before {
                    break;
                }
            }
            found.extend((!is_open).then(|| whole(market, recipe, &mine)).flatten());
        }
    }
    found
}

fn whole(market: &Market, recipe: &Recipe, mine: &[&Made]) -> Option<Whole> {
    let spans: Vec<(&Made, &'static str, u8)> = (mine.iter())
        .filter_map(|made| match made.what {
            What::Span(event, outcome) => Some((*made, EVENTS[event as usize], outcome)),
            _ => None,
        })
        .collect();
    let start = spans.iter().map(|(made, ..)| made.start).min()?;
    let end = spans.iter().map(|(made, ..)| made.end).max()?;
    let dues = mine.iter().filter_map(|made| match made.what {
        What::Due(at) => Some(at),
        _ => None,
    });
    let e2e = (end - start) * recipe.ns_per_tick;
    let waited = |due: i64| (recipe.unix_ns(start) - due).max(0) as u64;
    Some(Whole {
        events: spans.iter().map(|(_, event, _)| *event).collect(),
        end: recipe.unix_ns(end),
        e2e,
        response: dues.min().map(|due| e2e + waited(due)),
        failed: spans.iter().any(|(.., outcome)| matches!(outcome, 1 | 3)),
        gaps: gaps(market, recipe, &spans),
    })
}

/// The holes on the way back from the end, over the spans that no other of their thread contains.
fn gaps(
    market: &Market,
    recipe: &Recipe,
    spans: &[(&Made, &'static str, u8)],
) -> Vec<(&'static str, &'static str, u64, i64)> {
    let order = |made: &Made| {
        let place = market.made.iter().position(|each| std::ptr::eq(each, made));
        place.unwrap()
    };
    let is_inner = |made: &Made| {
        spans.iter().any(|(outer, ..)| {
            let wider = outer.end - outer.start > made.end - made.start;
            outer.thread == made.thread
                && outer.start <= made.start
                && outer.end >= made.end
                && (wider || order(outer) > order(made))
        })
    };
    let mut tops: Vec<_> = spans.iter().filter(|(made, ..)| !is_inner(made)).collect();
    // Of equal ones the later in this order goes first.
    tops.sort_by_key(|(made, ..)| (made.thread, made.start, !made.end, !order(made)));
    let end = tops.iter().map(|(made, ..)| made.end).max().unwrap();
    let mut found = Vec::new();
    let mut at = end;
    let mut after: Option<&'static str> = None;
    while !tops.is_empty() {
        let runs = |made: &Made| made.end >= at && (made.start < at || after.is_none());
        let running = (0..tops.len()).filter(|place| runs(tops[*place].0));
        let ended = (0..tops.len()).filter(|place| tops[*place].0.end <= at);
        let next = running
            .max_by_key(|place| (tops[*place].0.start, tops[*place].0.end, *place))
            .or_else(|| {
                ended.max_by_key(|place| (tops[*place].0.end, tops[*place].0.start, *place))
            });
        let Some(next) = next else { break };
        let (made, event, _) = tops.remove(next);
        if let Some(after) = after.filter(|_| made.end < at) {
            let length = (at - made.end) * recipe.ns_per_tick;
            found.push((*event, after, length, recipe.unix_ns(at)));
        }
        at = made.start;
        after = Some(*event);
    }
    found
}

/// What a rule looks at, in one flow where it is about flows.
fn samples(rule: &Rule, flow: Option<&BTreeSet<String>>, wholes: &[Whole]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for whole in wholes {
        let events: BTreeSet<String> = whole.events.iter().map(|event| (*event).into()).collect();
        match &rule.target {
            Target::Gap { from, to } => samples.extend(
                (whole.gaps.iter())
                    .filter(|gap| gap.0 == from && gap.1 == to)
                    .map(|gap| (gap.3, gap.2, whole.failed)),
            ),
            _ if flow.is_some_and(|flow| *flow != events) => {}
            Target::EndToEnd(_) => samples.push((whole.end, whole.e2e, whole.failed)),
            Target::Response(_) => {
                samples.extend(whole.response.map(|value| (whole.end, value, whole.failed)));
            }
            Target::Event { .. } => panic!("rules about traces only"),
        }
    }
    samples
}

fn stands<T: PartialOrd>(op: Op, value: T, bound: T) -> bool {
    match op {
        Op::Less => value < bound,
        Op::AtMost => value <= bound,
        Op::More => value > bound,
        Op::AtLeast => value >= bound,
    }
}

/// The bound in ns, or in millionths of a per cent.
fn bound(rule: &Rule) -> u128 {
    match rule.bound {
        Bound::Ns(ns) => ns.into(),
        Bound::Percent(share) => (share.as_f64() * 1e6).round() as u128,
        _ => panic!("no such bound here"),
    }
}

/// Whether the rule stands with `more` samples, each as bad as can be.
fn holds(rule: &Rule, samples: &[Sample], more: u64) -> bool {
    let upper = matches!(rule.op, Op::Less | Op::AtMost);
    let worst = if upper { u128::MAX / (1 << 70) } else { 0 };
    let mut values: Vec<u128> = (samples.iter())
        .map(|sample| match rule.stat {
            Stat::ErrorRate => u128::from(sample.2) * 100_000_000,
            _ => sample.1.into(),
        })
        .collect();
    let worst = match rule.stat {
        Stat::ErrorRate => u128::from(upper) * 100_000_000,
        _ => worst,
    };
    values.extend(vec![worst; more as usize]);
    values.sort_unstable();
    let count = values.len() as u64;
    match rule.stat {
        Stat::Max => stands(rule.op, values[values.len() - 1], bound(rule)),
        Stat::Percentile(p) => {
            let rank = (p.fraction() * count as f64 - 1e-9).ceil().max(1.0);
            stands(rule.op, values[rank as usize - 1], bound(rule))
        }
        _ => {
            let sum: u128 = values.iter().sum();
            stands(rule.op, sum, bound(rule) * u128::from(count))
        }
    }
}

fn verdict(rule: &Rule, samples: &[Sample], unknown: u64) -> Verdict {
    let upper = matches!(rule.op, Op::Less | Op::AtMost);
    let needed = match rule.stat {
        Stat::Percentile(p) => (3.0 / (1.0 - p.fraction()) - 1e-6).ceil() as usize,
        Stat::ErrorRate if upper => (3e8 / bound(rule) as f64 - 1e-6).ceil() as usize,
        _ => 1,
    };
    let broken = !samples.is_empty() && !holds(rule, samples, 0);
    let early = rule.stat == Stat::ErrorRate && broken;
    match () {
        () if samples.len() < needed && !early => Verdict::NoData,
        () if broken => Verdict::Fail,
        () if !holds(rule, samples, unknown) => Verdict::Unproven,
        () => Verdict::Pass,
    }
}

fn violates(rule: &Rule, sample: &Sample) -> bool {
    let upper = matches!(rule.op, Op::Less | Op::AtMost);
    upper
        && match rule.stat {
            Stat::ErrorRate => sample.2,
            Stat::Max | Stat::Percentile(_) => !stands(rule.op, sample.1.into(), bound(rule)),
            _ => false,
        }
}

/// One rule in one flow, against what was found.
fn check(got: &Sla, place: usize, samples: &[Sample], market: &Market, recipe: &Recipe) {
    let result = &got.rules[place];
    let rule = &result.rule;
    let what = format!("seed {}: {rule} in {:?}", recipe.seed, result.flow);
    let whole = market.open.is_empty();
    let lost = LOST_EACH * market.lost.len() as u64;
    assert_eq!(result.total.samples, samples.len() as u64, "{what}");
    let worst = samples.iter().map(|sample| sample.1).max();
    assert_eq!(result.total.worst, worst, "{what}");
    check_measured(result, samples, &what);
    if whole {
        assert_eq!(result.total.unknown, Some(lost), "{what}");
        assert_eq!(result.total.verdict, verdict(rule, samples, lost), "{what}");
    }
    match (&result.windows, rule.over_ns) {
        (Some(_), Some(length)) if whole => {
            check_windows(result, length as i64, samples, market, recipe, &what);
        }
        (windows, over) => assert_eq!(windows.is_some(), over.is_some(), "{what}"),
    }
    let mut broken: Vec<&Sample> = samples.iter().filter(|each| violates(rule, each)).collect();
    broken.sort_unstable();
    let mut listed: Vec<(i64, u64)> = (got.violations.iter())
        .filter(|violation| violation.rule == place)
        .map(|violation| (violation.end_unix_ns.0, violation.value))
        .collect();
    listed.sort_unstable();
    let expected: Vec<(i64, u64)> = broken.iter().map(|sample| (sample.0, sample.1)).collect();
    assert_eq!(listed, expected, "{what}");
    check_episodes(got, place, &expected, &what);
}

fn check_measured(result: &RuleResult, samples: &[Sample], what: &str) {
    let measured = result.total.measured.map(|number| number.as_f64());
    let mut values: Vec<u64> = samples.iter().map(|sample| sample.1).collect();
    values.sort_unstable();
    if values.is_empty() {
        return assert_eq!(measured, None, "{what}");
    }
    let measured = measured.unwrap_or_else(|| panic!("{what}: nothing measured"));
    let count = values.len() as f64;
    match result.rule.stat {
        Stat::Max => assert_eq!(measured, values[values.len() - 1] as f64, "{what}"),
        Stat::Percentile(p) => {
            let rank = (p.fraction() * count - 1e-9).ceil().max(1.0) as usize;
            let exact = values[rank - 1] as f64;
            let within = exact..=exact * 1.001 + 2.0;
            assert!(within.contains(&measured), "{what}: {measured} for {exact}");
        }
        Stat::Mean => {
            let mean = values.iter().map(|value| *value as f64).sum::<f64>() / count;
            assert!(
                (measured - mean).abs() <= 1.0,
                "{what}: {measured} for {mean}"
            );
        }
        _ => {
            let failed = samples.iter().filter(|sample| sample.2).count() as f64;
            let share = failed / count * 100.0;
            assert!(
                (measured - share).abs() < 1e-9,
                "{what}: {measured} for {share}"
            );
        }
    }
}

fn check_windows(
    result: &RuleResult,
    length: i64,
    samples: &[Sample],
    market: &Market,
    recipe: &Recipe,
    what: &str,
) {
    let last = market.made.iter().map(|made| made.end).max().unwrap();
    let end = recipe.unix_ns(last + 2_000_000);
    let mut seen: BTreeMap<Verdict, u64> = BTreeMap::new();
    let mut start = START_NS.div_euclid(length) * length;
    while start <= end {
        let inside = start..start + length;
        let mine: Vec<Sample> = (samples.iter().copied())
            .filter(|sample| inside.contains(&sample.0))
            .collect();
        let touched = market.lost.iter().filter(|(from, to)| {
            recipe.unix_ns(*from) < start + length && recipe.unix_ns(*to) >= start
        });
        let lost = LOST_EACH * touched.count() as u64;
        *seen.entry(verdict(&result.rule, &mine, lost)).or_default() += 1;
        start += length;
    }
    let windows = result.windows.as_ref().unwrap();
    let count = |verdict| seen.get(&verdict).copied().unwrap_or(0);
    assert_eq!(
        [
            windows.pass,
            windows.fail,
            windows.unproven,
            windows.no_data
        ],
        [
            Verdict::Pass,
            Verdict::Fail,
            Verdict::Unproven,
            Verdict::NoData
        ]
        .map(count),
        "{what}"
    );
}

fn check_episodes(got: &Sla, place: usize, broken: &[(i64, u64)], what: &str) {
    let mut expected: Vec<(i64, i64, u64, u64)> = Vec::new();
    for (end, value) in broken {
        let start = end - *value as i64;
        match expected.last_mut() {
            Some(last) if end - last.1 <= got.episode_gap_ns as i64 => {
                *last = (last.0.min(start), *end, last.2 + 1, last.3.max(*value));
            }
            _ => expected.push((start, *end, 1, *value)),
        }
    }
    expected.sort_unstable();
    let mine = got.episodes.iter().filter(|episode| episode.rule == place);
    let mut listed: Vec<(i64, i64, u64, u64)> = mine
        .map(|episode| {
            let (start, end) = (episode.start_unix_ns.0, episode.end_unix_ns.0);
            (start, end, episode.violations, episode.worst)
        })
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, expected, "{what}");
}

/// Rules whose bounds are values that occur, so that a bound itself is a sample.
fn rules(wholes: &[Whole], flow: &str, window_ns: u64) -> Vec<Rule> {
    let mut values: Vec<u64> = wholes.iter().map(|whole| whole.e2e).collect();
    values.sort_unstable();
    let mut gaps: Vec<u64> = (wholes.iter())
        .flat_map(|whole| whole.gaps.iter().map(|gap| gap.2))
        .collect();
    gaps.sort_unstable();
    let (middle, high) = (values[values.len() / 2], values[values.len() * 9 / 10]);
    let (gap, long) = (gaps[gaps.len() / 2], gaps[gaps.len() * 9 / 10]);
    let over = format!(" over {}us", window_ns / 1000);
    let texts = [
        format!("e2e:p50<{middle}ns"),
        format!("e2e:p90<={high}ns{over}"),
        format!("e2e[{flow}]:max<={high}ns{over}"),
        format!("e2e[{flow}]:mean>{middle}ns{over}"),
        format!("e2e[{flow}]:error_rate<20%{over}"),
        format!("response:p50<={middle}ns{over}"),
        format!("response[{flow}]:max<{high}ns"),
        format!("response[{flow}]:p90>={middle}ns{over}"),
        format!("A→A:p50<{gap}ns{over}"),
        format!("A→A:p99<={long}ns"),
        format!("A→B:p90<={gap}ns{over}"),
        format!("B→C:max<{long}ns{over}"),
        format!("C→A:mean<={gap}ns"),
        format!("B→B:p50>{gap}ns"),
    ];
    let parsed = texts.iter().map(|text| text.parse());
    parsed.map(|rule| rule.unwrap()).collect()
}

#[test]
fn rules_about_traces_are_the_recounts() {
    for seed in 1..9 {
        let mut recipe = Recipe::new(700 + seed);
        recipe.open = if seed % 4 == 0 { 3 } else { 0 };
        // Now and then time passes so slowly that ids come again after their traces are over.
        recipe.ns_per_tick = if seed % 2 == 0 { 1_000_000 } else { 2 };
        let span = recipe.traces * recipe.apart * recipe.ns_per_tick;
        let market = recipe.make();
        let wholes = wholes(&market, &recipe);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &market.bytes).unwrap();
        let set = CaptureSet::open(&[file.path().to_owned()], &OpenOptions::default()).unwrap();
        // The names of flows; all that is counted is counted here.
        let all = TraceOptions {
            max_flows: 4096,
            ..TraceOptions::default()
        };
        let named: BTreeMap<String, BTreeSet<String>> = traces(&set, &all)
            .unwrap()
            .flows
            .into_iter()
            .map(|flow| (flow.flow, flow.events.into_iter().collect()))
            .collect();
        let many = |events: &BTreeSet<String>| {
            let same = |whole: &&Whole| whole.events.iter().all(|event| events.contains(*event));
            let mine = wholes.iter().filter(same);
            mine.filter(|whole| whole.events.len() == events.len())
                .count()
        };
        let (largest, _) = named.iter().max_by_key(|(_, events)| many(events)).unwrap();
        let options = SlaOptions {
            rules: rules(&wholes, largest, span / 7 / 1000 * 1000),
            gap_ns: span / 100,
            threads: Some(1 + seed as usize % 3),
            ..SlaOptions::default()
        };
        let got = sla(&set, &options).unwrap();
        assert_eq!((got.more_violations, got.more_episodes), (0, 0));
        assert!(
            got.rules.len() > options.rules.len(),
            "a rule is judged in each flow"
        );
        for (place, result) in got.rules.iter().enumerate() {
            let flow = result.flow.as_ref().map(|flow| &named[flow]);
            let mine = samples(&result.rule, flow, &wholes);
            check(&got, place, &mine, &market, &recipe);
        }
        // No whole trace is left out.
        let judged = got
            .rules
            .iter()
            .filter(|each| each.rule == options.rules[0]);
        let judged: u64 = judged.map(|result| result.total.samples).sum();
        assert_eq!(judged, wholes.len() as u64, "seed {seed}");
    }
}
