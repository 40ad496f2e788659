//! Every figure of a report against plain lists of the records: sorted vectors, sums, filters one record at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use perf_analysis::report::{Estimator, EventKind, EventStats, Outcome, Report};
use perf_analysis::{
    CaptureSet, GroupBy, OpenOptions, Percentile, ReportOptions, TimeBound, UnixNs, report,
};

use crate::world::{Recipe, SPANS, Seen, World};

type Key = (Option<String>, EventKind, String, Option<Outcome>);

fn percentiles() -> Vec<Percentile> {
    ["0", "10", "50", "90", "95", "99", "99.9", "99.99", "100"]
        .map(|text| text.parse().unwrap())
        .to_vec()
}

fn base() -> ReportOptions {
    ReportOptions {
        percentiles: percentiles(),
        ..ReportOptions::default()
    }
}

/// Worlds written to files, and the set of them.
struct Bench {
    _dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
    worlds: Vec<World>,
}

impl Bench {
    fn new(recipes: &[Recipe]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let worlds: Vec<World> = recipes.iter().map(Recipe::make).collect();
        let paths: Vec<PathBuf> = (0..worlds.len())
            .map(|at| dir.path().join(format!("{at}.bin")))
            .collect();
        worlds
            .iter()
            .zip(&paths)
            .for_each(|(world, path)| world.write(path));
        Self {
            _dir: dir,
            paths,
            worlds,
        }
    }

    fn report(&self, options: &ReportOptions) -> Report {
        let set = CaptureSet::open(&self.paths, &OpenOptions::default()).unwrap();
        report(&set, options).unwrap()
    }

    fn group(&self, at: usize, by: Option<&GroupBy>) -> Option<String> {
        match by? {
            GroupBy::Capture => Some(self.paths[at].display().to_string()),
            GroupBy::Label(_) => Some(self.worlds[at].label.clone().unwrap_or_default()),
        }
    }
}

/// First ns that is selected, and first that is not any more.
fn window(world: &World, options: &ReportOptions) -> (i64, i64) {
    let at = |bound: TimeBound| match bound {
        TimeBound::At(UnixNs(at)) => at,
        TimeBound::FromStart(ns) => world.start_ns + ns as i64,
        TimeBound::FromEnd(ns) => world.end_ns - ns as i64,
    };
    let skip = if options.skip_ns > 0 {
        world.start_ns + options.skip_ns as i64
    } else {
        i64::MIN
    };
    (
        options.since.map_or(i64::MIN, at).max(skip),
        options.until.map_or(i64::MAX, at),
    )
}

fn wanted(event: &str, options: &ReportOptions) -> bool {
    options.events.is_empty()
        || options
            .events
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => event.starts_with(start),
                None => event == pattern,
            })
}

/// Records by row, in the order of their worlds and times, within `[from, to)` as well.
fn rows_of<'a>(
    bench: &'a Bench,
    options: &ReportOptions,
    from: i64,
    to: i64,
) -> BTreeMap<Key, Vec<(usize, &'a Seen)>> {
    let mut rows: BTreeMap<Key, Vec<(usize, &Seen)>> = BTreeMap::new();
    for (number, world) in bench.worlds.iter().enumerate() {
        let (since, until) = window(world, options);
        let group = bench.group(number, options.by.as_ref());
        for seen in world
            .seen
            .iter()
            .filter(|seen| wanted(&seen.event, options))
        {
            if seen.unix_ns >= since.max(from) && seen.unix_ns < until.min(to) {
                let key = (group.clone(), seen.kind, seen.event.clone(), seen.outcome);
                rows.entry(key).or_default().push((number, seen));
            }
        }
    }
    rows
}

fn key(row: &EventStats) -> Key {
    (row.group.clone(), row.kind, row.event.clone(), row.outcome)
}

/// ns covered by the selected stretches of the worlds of a group, within `[from, to)`; counted instant by instant
/// between all the ends of stretches.
fn covered(
    bench: &Bench,
    options: &ReportOptions,
    group: Option<&Option<String>>,
    from: i64,
    to: i64,
) -> i128 {
    let mut stretches = Vec::new();
    for (number, world) in bench.worlds.iter().enumerate() {
        if group.is_none_or(|group| *group == bench.group(number, options.by.as_ref())) {
            let (since, until) = window(world, options);
            let first = world.start_ns.max(since).max(from);
            stretches.push((first, world.end_ns.min(until).min(to).max(first)));
        }
    }
    let cuts: BTreeSet<i64> = stretches
        .iter()
        .flat_map(|(from, to)| [*from, *to])
        .collect();
    let cuts: Vec<i64> = cuts.into_iter().collect();
    let inside = |pair: &&[i64]| {
        stretches
            .iter()
            .any(|(from, to)| *from <= pair[0] && pair[1] <= *to)
    };
    cuts.windows(2)
        .filter(inside)
        .map(|pair| i128::from(pair[1]) - i128::from(pair[0]))
        .sum()
}

fn near(got: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    (got - expected).abs() <= expected.abs() * relative + absolute
}

/// Errors that bins may make, beyond none.
struct Slack {
    /// Widths of a bin by which a percentile may be too high, or wrong by.
    percentile: f64,
}

fn check_row(
    row: &EventStats,
    records: &[(usize, &Seen)],
    covered_ns: i128,
    slack: &Slack,
    what: &str,
) {
    let what = format!("{what}: {:?} {:?} {:?}", row.group, row.event, row.outcome);
    let mut values: Vec<i128> = records.iter().map(|(_, seen)| seen.value).collect();
    values.sort_unstable();
    let sum: i128 = values.iter().sum();
    let mean = sum as f64 / values.len() as f64;
    assert_eq!(row.count, values.len() as u64, "{what}");
    assert_eq!(row.unit, records[0].1.unit, "{what}");
    assert_eq!(
        (row.min, row.max),
        (values.first().copied(), values.last().copied()),
        "{what}"
    );
    let seconds = covered_ns as f64 / 1e9;
    assert!(
        near(
            row.rate_per_s.unwrap(),
            values.len() as f64 / seconds,
            1e-9,
            0.0
        ),
        "{what}"
    );
    match row.kind {
        EventKind::Span | EventKind::Observation => check_spread(row, &values, mean, slack, &what),
        EventKind::Counter => {
            assert_eq!(row.sum, Some(sum), "{what}");
            assert!(
                near(row.mean.unwrap().as_f64(), mean, 1e-12, 1e-9),
                "{what}"
            );
            assert!(
                near(row.sum_per_s.unwrap(), sum as f64 / seconds, 1e-9, 1e-9),
                "{what}"
            );
        }
        EventKind::Gauge => check_gauge(row, records, mean, &what),
    }
    let spread = matches!(row.kind, EventKind::Span | EventKind::Observation);
    assert_eq!(row.percentiles.is_some(), spread);
    assert_eq!(row.stddev.is_some(), spread);
    assert_eq!(row.distribution.is_some(), spread);
    assert_eq!(row.last.is_some(), row.kind == EventKind::Gauge);
}

fn check_spread(row: &EventStats, values: &[i128], mean: f64, slack: &Slack, what: &str) {
    let count = values.len();
    let sum: i128 = values.iter().sum();
    assert_eq!(row.sum, Some(sum), "{what}");
    assert!(near(row.mean.unwrap().as_f64(), mean, 1e-12, 0.5), "{what}");
    let variance = values
        .iter()
        .map(|value| (*value as f64 - mean).powi(2))
        .sum::<f64>()
        / count as f64;
    let got = row.stddev.unwrap().as_f64();
    assert!(
        near(got, variance.sqrt(), 2e-3, mean * 1e-3 + 3.0),
        "{what}: {got} for {}",
        variance.sqrt()
    );
    let shown = row.percentiles.as_ref().unwrap();
    assert_eq!(
        shown
            .0
            .iter()
            .map(|(percentile, _)| *percentile)
            .collect::<Vec<_>>(),
        percentiles()
    );
    for (percentile, got) in &shown.0 {
        // The rank by definition: the smallest with rank/count ≥ p.
        let p = percentile.to_string().parse::<f64>().unwrap();
        let rank = (1..=count)
            .find(|rank| *rank as f64 * 100.0 + 1e-6 >= p * count as f64)
            .unwrap();
        let truth = values[rank - 1];
        if slack.percentile == 0.0 {
            assert_eq!(*got, truth, "{what} p{p}");
        } else {
            let width = truth as f64 / 1024.0 * slack.percentile + 4.0;
            let least = if slack.percentile > 1.0 {
                truth as f64 - width
            } else {
                truth as f64
            };
            assert!(
                *got as f64 >= least && *got as f64 <= truth as f64 + width,
                "{what} p{p}: {got} for {truth}"
            );
            assert!(*got <= *values.last().unwrap(), "{what} p{p}");
        }
        let weak =
            (count as f64) * (100.0 - p) < 300.0 - 1e-6 && p < 100.0 || p == 100.0 && count < 1;
        assert_eq!(
            row.weak_percentiles.contains(percentile),
            weak,
            "{what} p{p} of {count}"
        );
    }
    let distribution = row.distribution.as_ref().unwrap();
    assert_eq!(
        distribution.counts.iter().sum::<u64>(),
        count as u64,
        "{what}"
    );
    assert_eq!(i128::from(distribution.low), values[0]);
    assert_eq!(i128::from(distribution.high), values[count - 1]);
    assert!(
        distribution.counts[0] > 0 && *distribution.counts.last().unwrap() > 0,
        "{what}: {distribution:?}"
    );
}

fn check_gauge(row: &EventStats, records: &[(usize, &Seen)], plain_mean: f64, what: &str) {
    let (mut integral, mut held) = (0.0, 0.0);
    for pair in records.windows(2) {
        let ((world, a), (next_world, b)) = (pair[0], pair[1]);
        if (world, a.segment) == (next_world, b.segment) {
            integral += a.value as f64 * (b.unix_ns - a.unix_ns) as f64;
            held += (b.unix_ns - a.unix_ns) as f64;
        }
    }
    let mean = if held > 0.0 {
        integral / held
    } else {
        plain_mean
    };
    let range = (row.max.unwrap() - row.min.unwrap()) as f64;
    assert!(
        near(row.mean.unwrap().as_f64(), mean, 1e-9, range * 1e-9),
        "{what}: {:?} for {mean}",
        row.mean
    );
    let latest = records.iter().map(|(_, seen)| seen.unix_ns).max().unwrap();
    let last: Vec<i128> = records
        .iter()
        .filter(|(_, seen)| seen.unix_ns == latest)
        .map(|(_, seen)| seen.value)
        .collect();
    assert!(last.contains(&row.last.unwrap()), "{what}");
}

fn check(bench: &Bench, options: &ReportOptions, slack: &Slack, what: &str) -> Report {
    let report = bench.report(options);
    let expected = rows_of(bench, options, i64::MIN, i64::MAX);
    let got: Vec<Key> = report.events.iter().map(key).collect();
    assert_eq!(got, expected.keys().cloned().collect::<Vec<_>>(), "{what}");
    for row in &report.events {
        let covered_ns = covered(bench, options, Some(&row.group), i64::MIN, i64::MAX);
        check_row(row, &expected[&key(row)], covered_ns, slack, what);
    }
    let selected = report.selected.unwrap();
    assert_eq!(
        i128::from(selected.covered_ns),
        covered(bench, options, None, i64::MIN, i64::MAX),
        "{what}"
    );
    assert_eq!(report.slots.is_some(), options.every_ns.is_some());
    if let Some(every) = options.every_ns {
        check_slots(bench, options, &report, every as i64, slack, what);
    }
    report
}

fn check_slots(
    bench: &Bench,
    options: &ReportOptions,
    report: &Report,
    every: i64,
    slack: &Slack,
    what: &str,
) {
    let slots = report.slots.as_ref().unwrap();
    let all = rows_of(bench, options, i64::MIN, i64::MAX);
    let expected: BTreeSet<i64> = all
        .values()
        .flatten()
        .map(|(_, seen)| seen.unix_ns.div_euclid(every) * every)
        .collect();
    let got: Vec<i64> = slots.iter().map(|slot| slot.start_unix_ns.0).collect();
    assert_eq!(got, expected.into_iter().collect::<Vec<_>>(), "{what}");
    for slot in slots {
        let (from, to) = (slot.start_unix_ns.0, slot.end_unix_ns.0);
        assert_eq!(to - from, every);
        let what = format!("{what}, slot {from}");
        let expected = rows_of(bench, options, from, to);
        let got: Vec<Key> = slot.events.iter().map(key).collect();
        assert_eq!(got, expected.keys().cloned().collect::<Vec<_>>(), "{what}");
        for row in &slot.events {
            let covered_ns = covered(bench, options, Some(&row.group), from, to);
            check_row(row, &expected[&key(row)], covered_ns, slack, &what);
        }
        assert_eq!(
            i128::from(slot.covered_ns),
            covered(bench, options, None, from, to),
            "{what}"
        );
        let lost = bench.worlds.iter().flat_map(|world| &world.lost);
        let lost = lost
            .filter(|lost| lost.from_ns < to && lost.to_ns >= from)
            .map(|lost| lost.count);
        assert_eq!(slot.lost, lost.sum::<u64>(), "{what}");
    }
}

const EXACT: Slack = Slack { percentile: 0.0 };
const BINS: Slack = Slack { percentile: 1.0 };
const REBINNED: Slack = Slack { percentile: 2.0 };

/// By rollups, by a scan, and exactly, at several numbers of threads: right each time, and the same.
fn check_all_ways(bench: &Bench, options: &ReportOptions, bins: &Slack, what: &str) {
    let by_rollups = check(bench, options, bins, &format!("{what}, rollups"));
    assert_eq!(by_rollups.estimator, Estimator::Hdr3);
    let scan = ReportOptions {
        scan: true,
        ..options.clone()
    };
    let mut by_scan = check(bench, &scan, bins, &format!("{what}, scan"));
    by_scan.source = by_rollups.source;
    assert_eq!(by_rollups, by_scan, "{what}: rollups and scan differ");
    let exact = ReportOptions {
        exact: true,
        ..options.clone()
    };
    assert_eq!(
        check(bench, &exact, &EXACT, &format!("{what}, exact")).estimator,
        Estimator::Exact
    );
    for threads in [1, 2, 5] {
        for options in [options, &scan, &exact] {
            let options = ReportOptions {
                threads: Some(threads),
                ..options.clone()
            };
            let json =
                |options: &ReportOptions| serde_json::to_string(&bench.report(options)).unwrap();
            let one = json(&ReportOptions {
                threads: Some(3),
                ..options.clone()
            });
            assert_eq!(json(&options), one, "{what}: {threads} threads differ");
        }
    }
}

#[test]
fn everything() {
    for seed in 1..6 {
        let bench = Bench::new(&[Recipe::new(seed)]);
        check_all_ways(&bench, &base(), &BINS, &format!("seed {seed}"));
    }
}

#[test]
fn rollups_are_used_and_scans_read_every_record() {
    let bench = Bench::new(&[Recipe::new(7)]);
    let rows = bench.worlds[0].rows;
    let source = bench.report(&base()).source;
    assert_eq!((source.from_rollups, source.scanned), (rows, 0));
    let source = bench
        .report(&ReportOptions {
            scan: true,
            ..base()
        })
        .source;
    assert_eq!((source.from_rollups, source.scanned), (0, rows));
    let bench = Bench::new(&[Recipe {
        close: false,
        ..Recipe::new(7)
    }]);
    let source = bench.report(&base()).source;
    assert!(source.from_rollups > 0 && source.scanned > 0, "{source:?}");
    check_all_ways(&bench, &base(), &BINS, "not closed");
}

#[test]
fn time_bounds() {
    let second = 1_000_000_000;
    for seed in 11..14 {
        let bench = Bench::new(&[Recipe::new(seed)]);
        let (start, end) = (bench.worlds[0].start_ns, bench.worlds[0].end_ns);
        let length = (end - start) as u64;
        // Just at a record, one before, one after.
        let some = bench.worlds[0].seen[1000].unix_ns;
        let at = |ns| Some(TimeBound::At(UnixNs(ns)));
        let bounds = [
            (at(some), None, 0),
            (None, at(some), 0),
            (at(some), at(some + 1), 0),
            (at(some + 1), at(end - length as i64 / 3), 0),
            (
                Some(TimeBound::FromStart(length / 4)),
                Some(TimeBound::FromEnd(length / 4)),
                0,
            ),
            (Some(TimeBound::FromEnd(length / 5)), None, 0),
            (None, None, length / 2),
            (Some(TimeBound::FromStart(length / 3)), None, length / 2),
            (at(end + second), None, 0),
            (at(some), at(some - second), 0),
            (at(i64::MIN), at(i64::MAX), 0),
        ];
        for (since, until, skip_ns) in bounds {
            let options = ReportOptions {
                since,
                until,
                skip_ns,
                ..base()
            };
            let what = format!("seed {seed}, {since:?} to {until:?} without {skip_ns}");
            check_all_ways(&bench, &options, &BINS, &what);
        }
    }
}

#[test]
fn nothing_selected_is_said() {
    let bench = Bench::new(&[Recipe::new(15)]);
    let report = bench.report(&ReportOptions {
        since: Some(TimeBound::At(UnixNs(i64::MAX))),
        ..base()
    });
    assert!(report.events.is_empty());
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.kind.name() == "nothing_selected"),
        "{:?}",
        report.warnings
    );
}

#[test]
fn time_slots() {
    for seed in 21..24 {
        let bench = Bench::new(&[Recipe {
            records: 1500,
            ..Recipe::new(seed)
        }]);
        let length = (bench.worlds[0].end_ns - bench.worlds[0].start_ns) as u64;
        for every in [length / 50, length / 7, length * 2, 1 << 62] {
            let options = ReportOptions {
                every_ns: Some(every),
                ..base()
            };
            check_all_ways(
                &bench,
                &options,
                &BINS,
                &format!("seed {seed} every {every}"),
            );
            let options = ReportOptions {
                since: Some(TimeBound::FromStart(length / 3)),
                until: Some(TimeBound::FromEnd(length / 4)),
                ..options
            };
            check_all_ways(
                &bench,
                &options,
                &BINS,
                &format!("seed {seed} every {every}, bounded"),
            );
        }
    }
}

#[test]
fn too_many_slots_are_refused() {
    let bench = Bench::new(&[Recipe::new(25)]);
    let set = CaptureSet::open(&bench.paths, &OpenOptions::default()).unwrap();
    let error = report(
        &set,
        &ReportOptions {
            every_ns: Some(1),
            ..base()
        },
    )
    .unwrap_err();
    assert!(error.to_string().contains("time slots"), "{error}");
}

#[test]
fn events_by_glob() {
    let bench = Bench::new(&[Recipe::new(31)]);
    for events in [
        &["alpha"][..],
        &["alpha*"],
        &["al*", "depth"],
        &["beta", "beta"],
        &["event#*"],
    ] {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let options = ReportOptions { events, ..base() };
        check_all_ways(&bench, &options, &BINS, &format!("{:?}", options.events));
    }
    let misspelt = ReportOptions {
        events: vec!["alpah".into(), SPANS[1].into()],
        ..base()
    };
    let report = check(&bench, &misspelt, &BINS, "misspelt");
    let unmatched: Vec<_> = report
        .warnings
        .iter()
        .filter(|warning| warning.kind.name() == "no_event_matches")
        .collect();
    assert_eq!(unmatched.len(), 1);
    assert!(unmatched[0].message().contains("alpah"));
}

#[test]
fn clock_segments() {
    // Of one rate, and of two: then bins are mapped.
    let one = Bench::new(&[Recipe {
        ns_per_tick: vec![4, 4, 4],
        ..Recipe::new(41)
    }]);
    check_all_ways(&one, &base(), &BINS, "one rate");
    let two = Bench::new(&[Recipe {
        ns_per_tick: vec![4, 1, 9],
        ..Recipe::new(42)
    }]);
    check_all_ways(&two, &base(), &REBINNED, "three rates");
    let length = (two.worlds[0].end_ns - two.worlds[0].start_ns) as u64;
    let options = ReportOptions {
        every_ns: Some(length / 9),
        skip_ns: length / 10,
        ..base()
    };
    check_all_ways(&two, &options, &REBINNED, "three rates in slots");
    assert!(
        two.report(&base())
            .warnings
            .iter()
            .any(|warning| warning.kind.name() == "rebinned")
    );
    assert!(
        !one.report(&base())
            .warnings
            .iter()
            .any(|warning| warning.kind.name() == "rebinned")
    );
}

#[test]
fn several_captures() {
    let start = Recipe::new(0).start_ns;
    let recipe = |seed, label: Option<&str>, start_ns, rate| Recipe {
        label: label.map(str::to_owned),
        start_ns,
        ns_per_tick: vec![rate],
        records: 1000,
        ..Recipe::new(seed)
    };
    // Two that overlap, one a day later, one without a label.
    let recipes = |rate| {
        [
            recipe(51, Some("new"), start, 4),
            recipe(52, Some("old"), start + 20_000_000, 4),
            recipe(53, Some("new"), start + 86_400_000_000_000, rate),
            recipe(54, None, start, 4),
        ]
    };
    for (rate, slack) in [(4, BINS), (3, REBINNED)] {
        let bench = Bench::new(&recipes(rate));
        let by = [
            None,
            Some(GroupBy::Capture),
            Some(GroupBy::Label("build".into())),
        ];
        for by in by {
            let options = ReportOptions {
                by: by.clone(),
                ..base()
            };
            check_all_ways(&bench, &options, &slack, &format!("{rate} by {by:?}"));
            let since = Some(TimeBound::FromStart(30_000_000));
            let options = ReportOptions {
                since,
                every_ns: Some(3_600_000_000_000),
                ..options
            };
            check_all_ways(
                &bench,
                &options,
                &slack,
                &format!("{rate} by {by:?} in slots"),
            );
        }
    }
}

#[test]
fn integrity() {
    for seed in 61..66 {
        let bench = Bench::new(&[Recipe {
            label: Some("x".into()),
            ..Recipe::new(seed)
        }]);
        let (report, world) = (bench.report(&base()), &bench.worlds[0]);
        let summary = &report.captures[0];
        let spans = world
            .seen
            .iter()
            .filter(|seen| seen.kind == EventKind::Span)
            .count() as u64;
        assert_eq!((summary.records, summary.spans), (world.rows, spans));
        assert_eq!(
            summary.lost,
            world.lost.iter().map(|lost| lost.count).sum::<u64>()
        );
        assert_eq!(summary.lost_by_cause.values().sum::<u64>(), summary.lost);
        assert_eq!(summary.open_spans, world.open_spans);
        assert_eq!(summary.start_unix_ns, Some(UnixNs(world.start_ns)));
        assert_eq!(summary.end_unix_ns, Some(UnixNs(world.end_ns)));
        assert_eq!(summary.threads, 3);
        assert_eq!(summary.bytes, world.bytes.len() as u64);
        assert_eq!(summary.labels["build"], "x");
        assert!(summary.closed_cleanly);
        assert_eq!(
            (
                summary.clock.anchors,
                summary.clock.steps,
                summary.clock.restarts
            ),
            (2, 0, 0)
        );
        assert!((summary.clock.ticks_per_second - 250e6).abs() < 1e-3);
        let kinds: Vec<_> = report
            .warnings
            .iter()
            .map(|warning| warning.kind.name())
            .collect();
        assert_eq!(kinds.contains(&"loss"), summary.lost > 0);
        assert_eq!(kinds.contains(&"open_spans"), world.open_spans > 0);
        assert_eq!(kinds.contains(&"unknown_records"), world.unknown_rows > 0);
        assert!(kinds.contains(&"unknown_events"));
        let open: u64 = report.events.iter().filter_map(|row| row.open).sum();
        assert_eq!(open, world.open_spans);
    }
}

#[test]
fn loss_within_the_selection() {
    let bench = Bench::new(&[Recipe::new(71)]);
    let world = &bench.worlds[0];
    let length = (world.end_ns - world.start_ns) as u64;
    let since = world.start_ns + (length / 2) as i64;
    let options = ReportOptions {
        since: Some(TimeBound::At(UnixNs(since))),
        ..base()
    };
    let expected: u64 = world
        .lost
        .iter()
        .filter(|lost| lost.to_ns >= since)
        .map(|lost| lost.count)
        .sum();
    let warnings = bench.report(&options).warnings;
    let loss = warnings
        .iter()
        .find(|warning| warning.kind.name() == "loss")
        .unwrap();
    assert!(
        loss.message().contains(&format!("({expected} within")),
        "{} {expected}",
        loss.message()
    );
}
