//! Verdicts, windows, violations and episodes against an independent, slow account of the same records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use perf_analysis::report::EventKind;
use perf_analysis::sla::{AlsoKind, Budget, NEAR_NS, Rule, Sla, Verdict, Violation};
use perf_analysis::{CaptureSet, OpenOptions, SlaOptions, sla};

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
