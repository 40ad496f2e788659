//! What plots are drawn from, against plain lists of the records.

use perf_analysis::plot::{LevelSlots, MAX_BINS, MAX_SLOTS, PlotData, PlotSeries};
use perf_analysis::report::{EventKind, Outcome};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, TimeBound, plot_data, report};

use crate::world::{Recipe, Seen, World};

/// A bin's highest value is this much above its lowest, and a tick is 4 ns.
const BIN: f64 = 1.0 / 1024.0;
const TICK_NS: f64 = 4.0;

fn data_of(worlds: &[World], options: &ReportOptions) -> PlotData {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..worlds.len())
        .map(|at| dir.path().join(format!("{at}.bin")))
        .collect();
    for (world, path) in worlds.iter().zip(&paths) {
        world.write(path);
    }
    let set = CaptureSet::open(&paths, &OpenOptions::default()).unwrap();
    let data = plot_data(&set, options).unwrap();
    let whole = ReportOptions {
        every_ns: None,
        ..options.clone()
    };
    let report = report(&set, &whole).unwrap();
    assert_eq!(
        data.report.events, report.events,
        "the report is the report"
    );
    data
}

/// The records of a row within `[from, to)`.
fn records<'a>(
    worlds: &'a [World],
    event: &str,
    kind: EventKind,
    outcome: Option<Outcome>,
    (from, to): (i64, i64),
) -> Vec<&'a Seen> {
    let seen = worlds.iter().flat_map(|world| &world.seen);
    let mut found: Vec<&Seen> = seen
        .filter(|seen| (seen.event.as_str(), seen.kind, seen.outcome) == (event, kind, outcome))
        .filter(|seen| (from..to).contains(&seen.unix_ns))
        .collect();
    found.sort_by_key(|seen| seen.value);
    found
}

fn check_series(series: &PlotSeries, sorted: &[&Seen]) {
    assert_eq!(series.count, sorted.len() as u64, "{}", series.event);
    for point in &series.curve {
        let truth = sorted[point.rank as usize - 1].value as f64;
        let got = point.value as f64;
        assert!(
            got >= truth && got <= truth * (1.0 + BIN) + TICK_NS,
            "{}: rank {} is {truth}, not {got}",
            series.event,
            point.rank
        );
    }
    let (first, last) = (series.curve[0], series.curve[series.curve.len() - 1]);
    assert_eq!((first.rank, last.rank), (1, series.count));
    assert_eq!(
        i128::from(first.value),
        sorted[0].value,
        "the least is exact"
    );
    assert_eq!(
        i128::from(last.value),
        sorted[sorted.len() - 1].value,
        "so is the greatest"
    );

    assert!(series.bins.len() <= MAX_BINS);
    assert!(series.bins.is_sorted_by(|a, b| a.high < b.low));
    let mut upto = series.zeros;
    for bin in &series.bins {
        upto += bin.count;
        // How many there are for certain, and at most, that the bins of the capture put no higher.
        let no_more_than = |value: f64| {
            sorted
                .iter()
                .filter(|seen| seen.value as f64 <= value)
                .count() as u64
        };
        let certain = no_more_than((bin.high as f64 - TICK_NS) / (1.0 + BIN));
        let most = no_more_than(bin.high as f64);
        assert!(
            (certain..=most).contains(&upto),
            "{}: {upto} to {}, {certain} to {most}",
            series.event,
            bin.high
        );
    }
    assert_eq!(upto, series.count);
}

fn check(worlds: &[World], options: &ReportOptions, window: (i64, i64)) {
    let data = data_of(worlds, options);
    assert!(!data.series.is_empty());
    for series in &data.series {
        let sorted = records(worlds, &series.event, series.kind, series.outcome, window);
        check_series(series, &sorted);
    }
    let slots = data.slots.expect("something is selected");
    assert!(slots.start_unix_ns.len() <= MAX_SLOTS);
    let every = slots.every_ns as i64;
    assert_eq!(
        options.every_ns.map_or(0, |asked| slots.every_ns % asked),
        0
    );
    let bounds = |slot: usize| {
        let start = slots.start_unix_ns[slot].0;
        (start.max(window.0), (start + every).min(window.1))
    };
    for (series, own) in data.series.iter().zip(&slots.series) {
        let mut all = 0;
        for slot in own {
            let within = bounds(slot.slot as usize);
            let sorted = records(worlds, &series.event, series.kind, series.outcome, within);
            assert_eq!(slot.count, sorted.len() as u64);
            assert_eq!(i128::from(slot.max), sorted[sorted.len() - 1].value);
            let half = sorted[sorted.len().div_ceil(2) - 1].value as f64;
            assert!((slot.p50 as f64) >= half && (slot.p50 as f64) <= half * (1.0 + BIN) + TICK_NS);
            let binned: u64 = slot.bins.iter().map(|bin| bin.count).sum();
            assert_eq!(binned + slot.zeros, slot.count);
            assert_eq!(slot.p99.is_some(), slot.count >= 100);
            all += slot.count;
        }
        assert_eq!(
            all, series.count,
            "{}: every value is in one slot",
            series.event
        );
    }
    for (level, own) in data.levels.iter().zip(&slots.levels) {
        let of = |slot| records(worlds, &level.event, level.kind, None, bounds(slot));
        match own {
            LevelSlots::Gauge(own) => {
                for (slot, gauge) in own.iter().enumerate() {
                    let sorted = of(slot);
                    let ends = sorted.first().zip(sorted.last());
                    let ends = ends.map(|(low, high)| (low.value, high.value));
                    assert_eq!(
                        gauge.map(|gauge| (gauge.min.into(), gauge.max.into())),
                        ends
                    );
                }
            }
            LevelSlots::Counter(own) => {
                for (slot, counter) in own.iter().enumerate() {
                    let sum: i128 = of(slot).iter().map(|seen| seen.value).sum();
                    assert_eq!(counter.map_or(0, |counter| counter.sum), sum);
                }
            }
        }
    }
    let counted: u64 = slots.rates.iter().flat_map(|rate| &rate.counts).sum();
    let spread = |seen: &&Seen| matches!(seen.kind, EventKind::Span | EventKind::Observation);
    let seen = worlds.iter().flat_map(|world| &world.seen);
    let expected = seen
        .filter(|seen| (window.0..window.1).contains(&seen.unix_ns))
        .filter(spread);
    assert_eq!(
        counted,
        expected.count() as u64,
        "whatever the event and its outcome"
    );
}

#[test]
fn figures_are_those_of_the_records() {
    for seed in 1..4 {
        let worlds = [Recipe::new(seed).make()];
        check(&worlds, &ReportOptions::default(), (i64::MIN, i64::MAX));
    }
    let later = Recipe {
        start_ns: Recipe::new(9).start_ns + 7_000_000,
        ..Recipe::new(9)
    };
    let worlds = [Recipe::new(8).make(), later.make()];
    check(&worlds, &ReportOptions::default(), (i64::MIN, i64::MAX));
}

#[test]
fn slots_are_as_long_as_asked_or_a_multiple() {
    let worlds = [Recipe::new(5).make()];
    let length = (worlds[0].end_ns - worlds[0].start_ns) as u64;
    for every in [1, length / 1000 + 3, length / 7 + 1, length * 3] {
        let options = ReportOptions {
            every_ns: Some(every),
            ..ReportOptions::default()
        };
        check(&worlds, &options, (i64::MIN, i64::MAX));
    }
}

#[test]
fn times_select() {
    let worlds = [Recipe::new(6).make()];
    let (start, end) = (worlds[0].start_ns, worlds[0].end_ns);
    let third = (end - start) as u64 / 3;
    let options = ReportOptions {
        since: Some(TimeBound::FromStart(third)),
        until: Some(TimeBound::FromEnd(third)),
        ..ReportOptions::default()
    };
    check(
        &worlds,
        &options,
        (start + third as i64, end - third as i64),
    );
}

#[test]
fn losses_keep_their_time_and_their_sum() {
    let world = Recipe::new(7).make();
    let mut expected: Vec<(u64, i64, i64)> = (world.lost.iter())
        .map(|lost| (lost.count, lost.from_ns, lost.to_ns))
        .collect();
    let data = data_of(std::slice::from_ref(&world), &ReportOptions::default());
    let mut got: Vec<(u64, i64, i64)> = (data.lost.iter())
        .map(|lost| (lost.count, lost.from_unix_ns.0, lost.to_unix_ns.0))
        .collect();
    expected.sort_unstable();
    got.sort_unstable();
    assert!(!expected.is_empty());
    assert_eq!(got, expected);
}

#[test]
fn threads_do_not_matter() {
    let worlds = [Recipe::new(3).make(), Recipe::new(4).make()];
    let with = |threads| {
        let threads = Some(threads);
        data_of(
            &worlds,
            &ReportOptions {
                threads,
                ..ReportOptions::default()
            },
        )
    };
    let (one, many) = (with(1), with(5));
    // Paths differ: the worlds were written twice.
    assert_eq!(
        (one.series, one.levels, one.slots, one.lost),
        (many.series, many.levels, many.slots, many.lost)
    );
}
