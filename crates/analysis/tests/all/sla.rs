//! Verdicts, windows, violations and episodes against an independent, slow account of the same records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use perf_analysis::report::EventKind;
use perf_analysis::sla::{
    AlsoKind, Budget, NEAR_NS, Rule, Sla, Stat, Verdict, Violation, beyond_over_time,
};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, SlaOptions, TimeBound, UnixNs, sla};

use crate::sla_oracle::{Bounds, Oracle, Sample};
use crate::world::{Dice, Recipe, World};

struct Bench {
    _dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
    worlds: Vec<World>,
}

impl Bench {
    fn new(recipes: &[Recipe]) -> Self {
        Self::of(recipes.iter().map(Recipe::make).collect())
    }

    fn of(worlds: Vec<World>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, world) in worlds.iter().enumerate() {
            paths.push(dir.path().join(format!("{number}.bin")));
            world.write(&paths[number]);
        }
        Self {
            _dir: dir,
            paths,
            worlds,
        }
    }

    fn sla(&self, options: &SlaOptions) -> Sla {
        let set = CaptureSet::open(&self.paths, &OpenOptions::default()).unwrap();
        sla(&set, options).unwrap()
    }
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts
        .iter()
        .map(|text| {
            text.parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        })
        .collect()
}

/// Rules of every kind, with bounds about where the values of a world lie.
fn mixed(seed: u64) -> Vec<Rule> {
    let mut dice = Dice::new(seed ^ 0xABCD);
    let targets = [
        "alpha",
        "beta",
        "alphabet",
        "beta/error",
        "alpha/ok",
        "event#77",
    ];
    let mut texts: Vec<String> = Vec::new();
    for stat in ["max", "p50", "p90", "p99", "p99.9", "p100", "mean"] {
        for op in ["<", "<=", ">", ">="] {
            let target = targets[dice.below(targets.len() as u64) as usize];
            let bound = 1 + (dice.next() >> (20 + dice.below(40)));
            // Also a bound that many values equal: 5000 ticks of 4 ns.
            let bound = if dice.once_in(4) { 20_000 } else { bound };
            let over = ["", " over 50ms", " over 333ms", " over 10s"][dice.below(4) as usize];
            texts.push(format!("{target}:{stat}{op}{bound}ns{over}"));
        }
    }
    for text in [
        "alpha:error_rate<20%",
        "beta:error_rate<=35% over 100ms",
        "alpha:error_rate>10%",
        "alphabet:error_rate<0.01%",
        "alpha:rate<1000/s over 50ms",
        "alpha:rate>300/s over 50ms",
        "orders:rate>=1/s",
        "depth:rate<100000/s",
        "size:max<1000000",
        "size:p90<=12345.5 over 50ms",
        "size:mean>100",
    ] {
        texts.push(text.to_owned());
    }
    rules(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What plots mark: counted one by one, slot by slot.
#[test]
fn values_beyond_limits_are_counted_slot_by_slot() {
    let mut counted = 0;
    for seed in 1..6 {
        let worlds = vec![Recipe::new(seed).make(), Recipe::new(seed + 50).make()];
        let bench = Bench::of(worlds);
        let set = CaptureSet::open(&bench.paths, &OpenOptions::default()).unwrap();
        let mut rules = mixed(seed);
        rules.retain(|rule| {
            rule.op.is_upper() && matches!(rule.stat, Stat::Max | Stat::Percentile(_))
        });
        let first = bench
            .worlds
            .iter()
            .map(|world| world.start_ns)
            .min()
            .unwrap();
        let third = (bench.worlds[0].end_ns - first) / 3;
        for (since, every) in [(None, 50_000_000_u64), (Some(first + third), 7_777_777)] {
            let selection = ReportOptions {
                since: since.map(|since| TimeBound::At(UnixNs(since))),
                threads: Some(1 + seed as usize % 3),
                ..ReportOptions::default()
            };
            let got = beyond_over_time(&set, &rules, every, &selection).unwrap();
            let oracle = Oracle {
                worlds: &bench.worlds,
                bounds: Bounds { since, until: None },
            };
            for (rule, got) in rules.iter().zip(got) {
                let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
                for sample in oracle.violations(rule) {
                    if !sample.open {
                        let start = sample.end - sample.end.rem_euclid(every as i64);
                        *expected.entry(start).or_default() += 1;
                    }
                }
                counted += expected.len();
                let got: Vec<(i64, u64)> =
                    got.iter().map(|(start, count)| (start.0, *count)).collect();
                assert_eq!(
                    got,
                    Vec::from_iter(expected),
                    "{seed}: {rule} in slots of {every} ns"
                );
            }
        }
    }
    assert!(counted > 1000, "only {counted} slots had any");
}

fn key(violation: &Violation) -> (i64, u128, Option<String>, Option<String>, bool, String) {
    (
        violation.end_unix_ns.0,
        violation.value.into(),
        violation.trace.clone(),
        violation.thread.clone(),
        violation.open,
        format!("{:?}", violation.outcome),
    )
}

fn check(bench: &Bench, options: &SlaOptions, bounds: Bounds, what: &str) -> Sla {
    let oracle = Oracle {
        worlds: &bench.worlds,
        bounds,
    };
    let got = bench.sla(options);
    assert_eq!(got.rules.len(), options.rules.len());
    for (number, (rule, result)) in options.rules.iter().zip(&got.rules).enumerate() {
        let what = format!("{what}: {rule}");
        check_total(&oracle, rule, &got, number, &what);
        if rule.over_ns.is_some() {
            check_windows(&oracle, rule, &got, number, &what);
        } else {
            assert_eq!(result.verdict, result.total.verdict, "{what}");
        }
        check_violations(&oracle, rule, &got, number, &what);
        check_episodes(&oracle, rule, &got, number, options, &what);
    }
    got
}

fn check_total(oracle: &Oracle<'_>, rule: &Rule, got: &Sla, number: usize, what: &str) {
    let total = &got.rules[number].total;
    let whole = Rule {
        over_ns: None,
        ..rule.clone()
    };
    let expected = oracle.judge(&whole, i64::MIN, i64::MAX);
    assert_eq!(total.samples, expected.samples, "{what}");
    assert_eq!(total.over, expected.over, "{what}");
    assert_eq!(total.unknown, Some(expected.unknown), "{what}");
    assert_eq!(total.worst.map(u128::from), expected.worst, "{what}");
    if rule.over_ns.is_none() {
        assert_eq!(total.verdict, expected.verdict, "{what}: {total:?}");
    }
}

fn check_windows(oracle: &Oracle<'_>, rule: &Rule, got: &Sla, number: usize, what: &str) {
    let result = &got.rules[number];
    let windows = result.windows.as_ref().unwrap();
    let expected = oracle.windows(rule);
    let count = |verdict| {
        let mine = expected.values().filter(|seen| seen.verdict == verdict);
        mine.count() as u64
    };
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
    let order = [
        Verdict::Fail,
        Verdict::Unproven,
        Verdict::Pass,
        Verdict::NoData,
    ];
    let verdict = order.into_iter().find(|verdict| count(*verdict) > 0);
    assert_eq!(
        Some(result.verdict),
        verdict.or(Some(Verdict::NoData)),
        "{what}"
    );
    match &windows.worst {
        None => assert_eq!(result.verdict, Verdict::NoData, "{what}"),
        Some(worst) => {
            let seen = &expected[&worst.start_unix_ns.0];
            assert_eq!(worst.judged.verdict, seen.verdict, "{what}");
            assert_eq!(worst.judged.verdict, result.verdict, "{what}");
            assert_eq!(worst.judged.samples, seen.samples, "{what}");
            assert_eq!(worst.judged.over, seen.over, "{what}");
            assert_eq!(worst.judged.unknown, Some(seen.unknown), "{what}");
        }
    }
}

fn check_violations(oracle: &Oracle<'_>, rule: &Rule, got: &Sla, number: usize, what: &str) {
    let expected = oracle.violations(rule);
    let of_sample = |sample: &Sample| {
        (
            sample.end,
            sample.value,
            (sample.trace != 0).then(|| format!("{:016x}", sample.trace)),
            sample.thread.map(|thread| format!("worker-{thread}")),
            sample.open,
            format!("{:?}", sample.outcome),
        )
    };
    let mut expected: Vec<_> = expected.iter().map(of_sample).collect();
    expected.sort();
    let listed = || {
        got.violations
            .iter()
            .filter(|violation| violation.rule == number)
    };
    let mut keys: Vec<_> = listed().map(key).collect();
    keys.sort();
    assert_eq!(keys, expected, "{what}");
    let mut budgets = BTreeMap::new();
    for violation in listed() {
        let start = violation
            .end_unix_ns
            .0
            .saturating_sub(match violation.outcome {
                None if !violation.open => 0,
                _ => violation.value as i64,
            });
        let world: usize = file_number(&violation.capture);
        let window = rule
            .over_ns
            .map(|ns| violation.end_unix_ns.0.div_euclid(ns as i64));
        let (from, to) = match (window, rule.over_ns) {
            (Some(slot), Some(ns)) => (slot * ns as i64, (slot + 1) * ns as i64),
            _ => (i64::MIN, i64::MAX),
        };
        let budget =
            budgets
                .entry(from)
                .or_insert_with(|| match oracle.judge(rule, from, to).verdict {
                    Verdict::Fail => Budget::Beyond,
                    Verdict::NoData => Budget::Undecided,
                    _ => Budget::Within,
                });
        assert_eq!(violation.budget, *budget, "{what}");
        let mut noted: Vec<_> = oracle.worlds[world]
            .noted
            .iter()
            .filter(|noted| {
                let near = noted.unix_ns >= start.saturating_sub(NEAR_NS)
                    && noted.unix_ns <= violation.end_unix_ns.0 + NEAR_NS;
                near && noted.trace != 0 && Some(format!("{:016x}", noted.trace)) == violation.trace
            })
            .collect();
        noted.sort_by_key(|noted| noted.unix_ns);
        assert_eq!(violation.annotations.len(), noted.len().min(32), "{what}");
        // At one instant the order is that of the file.
        let mut times: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for noted in &noted {
            times.entry(noted.unix_ns).or_default().push(&noted.value);
        }
        let mut values = violation.annotations.iter();
        for mut expected in times.into_values() {
            let mut mine: Vec<_> = values.by_ref().take(expected.len()).collect();
            if mine.len() < expected.len() {
                break;
            }
            expected.sort_unstable();
            mine.sort();
            assert!(mine.iter().all(|(key, _)| key == "symbol"));
            let mine: Vec<_> = mine.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(mine, expected, "{what}");
        }
    }
}

fn file_number(path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap();
    name.trim_end_matches(".bin").parse().unwrap()
}

fn check_episodes(
    oracle: &Oracle<'_>,
    rule: &Rule,
    got: &Sla,
    number: usize,
    options: &SlaOptions,
    what: &str,
) {
    let mut expected = oracle.episodes(rule, got.episode_gap_ns as i64);
    expected.sort_by_key(|(start, end, ..)| (*start, *end));
    let mine: Vec<_> = got
        .episodes
        .iter()
        .filter(|episode| episode.rule == number)
        .collect();
    let shown: Vec<_> = mine
        .iter()
        .map(|episode| {
            (
                episode.start_unix_ns.0,
                episode.end_unix_ns.0,
                episode.violations,
                u128::from(episode.worst),
            )
        })
        .collect();
    assert_eq!(shown, expected, "{what}");
    for episode in mine.iter().filter(|episode| episode.also.is_some()).take(3) {
        let range = episode.start_unix_ns.0..=episode.end_unix_ns.0;
        let mut also: BTreeMap<(AlsoKind, String), (u64, Option<i128>)> = BTreeMap::new();
        let mut add = |kind, what: &str, value: i128| {
            let (count, greatest) = also.entry((kind, what.to_owned())).or_default();
            *count += 1;
            *greatest = (*greatest).max(Some(value));
        };
        for (other_number, other) in options.rules.iter().enumerate() {
            if other_number != number {
                // Rules may be the same twice.
                for sample in oracle.violations(other) {
                    if range.contains(&sample.end) && !sample.open {
                        add(
                            AlsoKind::Violations,
                            &other.to_string(),
                            sample.value as i128,
                        );
                    }
                }
            }
        }
        for seen in oracle.worlds.iter().flat_map(|world| &world.seen) {
            if range.contains(&seen.unix_ns) {
                match seen.kind {
                    EventKind::Observation => add(AlsoKind::Observations, &seen.event, seen.value),
                    EventKind::Gauge => add(AlsoKind::Gauge, &seen.event, seen.value),
                    _ => {}
                }
            }
        }
        let lost = oracle.worlds.iter().flat_map(|world| &world.lost);
        let lost = lost.filter(|lost| lost.from_ns <= *range.end() && lost.to_ns >= *range.start());
        let lost: u64 = lost.map(|lost| lost.count).sum();
        if lost > 0 {
            also.insert((AlsoKind::Lost, String::new()), (lost, None));
        }
        let got = episode.also.as_ref().unwrap().iter();
        let got: BTreeMap<_, _> = got
            .map(|also| ((also.kind, also.what.clone()), (also.count, also.greatest)))
            .collect();
        assert_eq!(got, also, "{what}");
    }
}

fn options(rules: Vec<Rule>) -> SlaOptions {
    SlaOptions {
        rules,
        gap_ns: 3_000_000,
        ..SlaOptions::default()
    }
}

#[test]
fn rules_of_every_kind_on_random_captures() {
    let mut verdicts = BTreeMap::new();
    for seed in 101..107 {
        let bench = Bench::new(&[Recipe::new(seed)]);
        let options = options(mixed(seed));
        let sla = check(&bench, &options, Bounds::default(), &format!("seed {seed}"));
        for rule in &sla.rules {
            *verdicts.entry(rule.verdict).or_insert(0) += 1;
        }
    }
    let counts: Vec<u32> = verdicts.values().copied().collect();
    assert!(
        counts.len() == 4 && counts.iter().all(|count| *count > 3),
        "{verdicts:?}"
    );
}

#[test]
fn only_the_selected_time_counts() {
    for seed in 111..113 {
        let bench = Bench::new(&[Recipe::new(seed)]);
        let world = &bench.worlds[0];
        let at = world.seen[1000].unix_ns;
        let later = world.seen[2200].unix_ns;
        for (since, until) in [
            (Some(at), None),
            (None, Some(at)),
            (Some(at), Some(later)),
            (Some(world.end_ns + 5), None),
        ] {
            let bound = |at: Option<i64>| at.map(|at| TimeBound::At(UnixNs(at)));
            let options = SlaOptions {
                since: bound(since),
                until: bound(until),
                ..options(mixed(seed))
            };
            let bounds = Bounds { since, until };
            let what = format!("seed {seed}, {since:?} to {until:?}");
            check(&bench, &options, bounds, &what);
        }
    }
}

#[test]
fn several_captures_and_clock_segments() {
    let recipe = |seed, rates: &[u64], later| Recipe {
        ns_per_tick: rates.to_vec(),
        start_ns: Recipe::new(0).start_ns + later,
        records: 1000,
        ..Recipe::new(seed)
    };
    let bench = Bench::new(&[
        recipe(121, &[4], 0),
        recipe(122, &[3, 5], 40_000_000),
        recipe(123, &[1], 3_000_000_000),
    ]);
    check(&bench, &options(mixed(121)), Bounds::default(), "several");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let bench = Bench::new(&[Recipe::new(131), Recipe::new(132)]);
    let mut rules = mixed(131);
    rules.extend(self::rules(&[
        "e2e:p50<1ms over 100ms",
        "response:max<1s",
        "alpha→beta:mean<1ms",
        "e2e:error_rate<10%",
    ]));
    // More violations than are listed, so that it shows which are kept.
    for violations in [100_000, 200] {
        let with = |threads| {
            let options = SlaOptions {
                threads: Some(threads),
                violations,
                ..options(rules.clone())
            };
            serde_json::to_string(&bench.sla(&options)).unwrap()
        };
        let one = with(1);
        assert!(one == with(2) && one == with(5), "threads differ");
    }
}

#[test]
fn of_too_many_violations_the_greatest_are_listed() {
    let bench = Bench::new(&[Recipe::new(141)]);
    let rules = rules(&["alpha:max<1us"]);
    let all = bench.sla(&options(rules.clone()));
    let few = bench.sla(&SlaOptions {
        violations: 7,
        ..options(rules)
    });
    assert_eq!(few.violations.len(), 7);
    assert_eq!(few.more_violations + 7, all.violations.len() as u64);
    let mut values: Vec<u64> = all
        .violations
        .iter()
        .map(|violation| violation.value)
        .collect();
    values.sort_unstable();
    let least = few.violations.iter().map(|violation| violation.value).min();
    assert_eq!(least, Some(values[values.len() - 7]));
    assert_eq!(
        (&few.rules, few.episodes.len()),
        (&all.rules, all.episodes.len())
    );
}

/// Traces are the plain sums of their spans' extremes: the five ids of a world, of which each runs from its first record on.
#[test]
fn every_trace_is_a_sample_of_its_flow() {
    let bench = Bench::new(&[Recipe {
        unnamed: false,
        ..Recipe::new(151)
    }]);
    let spans = || {
        bench.worlds[0]
            .seen
            .iter()
            .filter(|seen| seen.kind == EventKind::Span)
    };
    let whole = |trace: u64| {
        let mine = || spans().filter(move |seen| seen.trace == trace);
        let start = mine().map(|seen| seen.unix_ns - seen.value as i64).min()?;
        let end = mine().map(|seen| seen.unix_ns).max()?;
        (start >= bench.worlds[0].start_ns).then_some(end - start)
    };
    let expected: Vec<i64> = (1..5).filter_map(whole).collect();
    let got = bench.sla(&options(rules(&["e2e:max<=0ns", "e2e:rate>=0/s"])));
    let max = got
        .rules
        .iter()
        .filter(|result| result.rule.to_string() == "e2e:max<=0ns");
    let samples: u64 = max.map(|result| result.total.samples).sum();
    assert_eq!(samples, expected.len() as u64);
    let mut values: Vec<i64> = got
        .violations
        .iter()
        .map(|violation| violation.value as i64)
        .collect();
    values.sort_unstable();
    let mut expected = expected;
    expected.sort_unstable();
    assert_eq!(values, expected);
}

#[test]
fn an_unknown_event_is_said_and_never_passes() {
    let bench = Bench::new(&[Recipe::new(161)]);
    let got = bench.sla(&options(rules(&[
        "alpah:max<1000s",
        "alpha→bta:max<1s",
        "alpha:rate>0/s",
    ])));
    let unknown: Vec<String> = got
        .warnings
        .iter()
        .map(|warning| warning.message())
        .collect();
    assert!(
        unknown.contains(&"no event matches \"alpah\"".to_owned()),
        "{unknown:?}"
    );
    assert!(
        unknown.contains(&"no event matches \"bta\"".to_owned()),
        "{unknown:?}"
    );
    let verdicts: Vec<Verdict> = got.rules.iter().map(|rule| rule.verdict).collect();
    assert_eq!(verdicts, [Verdict::NoData, Verdict::NoData, Verdict::Pass]);
    assert_eq!(got.verdict, Verdict::NoData);
}

#[test]
fn rules_that_do_not_fit_their_event_are_refused() {
    let bench = Bench::new(&[Recipe::new(162)]);
    let set = CaptureSet::open(&bench.paths, &OpenOptions::default()).unwrap();
    for (text, word) in [
        ("size:max<5ms", "give a number without a unit"),
        ("size:error_rate<1%", "has no outcome"),
        ("size/ok:max<5", "has no outcome"),
        ("alpha:max<5", "give the bound a unit"),
        ("depth:max<5", "no span and no observation"),
        ("e2e[none]:max<5ms", "no flow is called `none`"),
        ("alpha:max<5ms over 0.1us", "more than"),
    ] {
        let error = sla(&set, &options(rules(&[text]))).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

/// Each chunk's values are damaged in turn. A rule whose bound no value of the chunk reaches does not need them; of others a
/// pass that the rows could overturn is none.
#[test]
fn damage_that_could_overturn_a_pass_makes_it_unproven() {
    let world = Recipe {
        records: 900,
        unnamed: false,
        ..Recipe::new(171)
    }
    .make();
    let texts = [
        "alpha:max<99999s",
        "alpha:p50<1000s",
        "alpha:max<1ns",
        "alpha:mean<99999s",
        "alpha:rate>=0/s",
    ];
    let rules = rules(&texts);
    let sound = Bench::of(vec![world.clone()]).sla(&options(rules.clone()));
    let index = perf_format::Index::build(&world.bytes).unwrap();
    let mut seen = BTreeMap::new();
    for entry in index
        .event_chunks()
        .filter(|entry| entry.head.record_count > 0)
    {
        let mut bytes = world.bytes.clone();
        // Somewhere in the body: the head stays intact.
        let at = entry.offset as usize + entry.head.head_len as usize;
        let body = at..at + entry.head.body_len as usize;
        bytes[body].iter_mut().for_each(|byte| *byte ^= 0x55);
        let damaged = Bench::of(vec![World {
            bytes,
            ..world.clone()
        }]);
        let got = damaged.sla(&options(rules.clone()));
        for (rule, before) in got.rules.iter().zip(&sound.rules) {
            *seen.entry(rule.verdict).or_insert(0) += 1;
            let unknown = rule.total.unknown.unwrap();
            let whole = rule.total.samples + unknown;
            assert!(whole >= before.total.samples, "{}", rule.rule);
            match (rule.verdict, before.verdict) {
                (Verdict::Pass, before) => assert_eq!(before, Verdict::Pass),
                (Verdict::Unproven, before) => {
                    // Records were lost in this world as well.
                    assert!(unknown > 0 && before != Verdict::Fail, "{}", rule.rule);
                }
                (Verdict::Fail, before) => assert_eq!(before, Verdict::Fail),
                (Verdict::NoData, _) => {}
            }
        }
    }
    assert!(
        seen[&Verdict::Unproven] > 3 && seen[&Verdict::Pass] > 3,
        "{seen:?}"
    );
}

#[test]
fn a_capture_without_records_is_without_data() {
    let world = Recipe {
        records: 0,
        ..Recipe::new(181)
    }
    .make();
    let rules = rules(&["alpha:p99<1ms over 1s", "alpha:max<1ms", "e2e:max<1ms"]);
    let got = Bench::of(vec![world]).sla(&options(rules));
    assert!(got.rules.iter().all(|rule| rule.total.samples == 0));
    assert!(
        got.rules
            .iter()
            .all(|rule| rule.total.measured.is_none() && rule.total.compliance.is_none())
    );
    assert_ne!(got.verdict, Verdict::Pass);
}
