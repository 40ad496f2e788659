//! Hours in seconds, by clocks that the test turns: what a report says of a day, of clocks that are set, and of machines
//! that sleep.

#[path = "../crates/recorder/tests/common/world.rs"]
mod world;

use std::path::PathBuf;
use std::time::Duration;

use perf_analysis::report::{EventStats, Outcome, Report, report};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions};
use perf_probe::{events, measure, record_counter};
use perf_recorder::Recorder;

events! {
    WORK: span = "work";
    STEPS: counter("") = "steps";
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A machine on which a program records, until it is told to stop.
struct Machine {
    directory: tempfile::TempDir,
    file: Vec<u8>,
    handle: perf_probe::Handle,
    drainer: perf_recorder::Drainer,
    requests: u64,
}

impl Machine {
    fn new() -> Self {
        let mut file = Vec::new();
        let builder = world::make(Recorder::builder());
        let (handle, drainer) = builder.manual(&mut file).expect("the recorder starts");
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            file,
            handle,
            drainer,
            requests: 0,
        }
    }

    /// A request every second, of 1 to 9 ms.
    fn work(&mut self, length: Duration) {
        perf_probe::scope(&self.handle, || {
            for _ in 0..length.as_secs() {
                let took = Duration::from_millis(1 + self.requests % 9);
                let span = measure!(WORK);
                world::pass(took);
                drop(span);
                record_counter(STEPS, 1);
                self.requests += 1;
                self.drainer.drain_once(&mut self.file);
                world::pass(SECOND - took);
            }
        });
    }

    /// Lets the recorder look at its clocks.
    fn look(&mut self) {
        perf_probe::scope(&self.handle, || self.drainer.drain_once(&mut self.file));
    }

    /// Ends the capture: how many requests there were, and what a report, by slots of so long, says of it.
    fn report(mut self, every: Duration) -> (u64, Report) {
        perf_probe::scope(
            &self.handle,
            || {
                while !self.drainer.finish(&mut self.file) {}
            },
        );
        let path: PathBuf = self.directory.path().join("x.bin");
        std::fs::write(&path, &self.file).expect("written");
        let set = CaptureSet::open(&[path], &OpenOptions::default()).expect("a capture");
        let options = ReportOptions {
            every_ns: Some(every.as_nanos() as u64),
            ..ReportOptions::default()
        };
        (self.requests, report(&set, &options).expect("a report"))
    }
}

fn row<'r>(rows: &'r [EventStats], event: &str) -> &'r EventStats {
    let found = rows.iter().find(|row| row.event == event);
    found.unwrap_or_else(|| panic!("no {event}"))
}

/// Every request was counted, and took 1 to 9 ms, whatever the clocks did between two of them.
fn assert_right(report: &Report, requests: u64) {
    let work = row(&report.events, "work");
    assert_eq!(work.outcome, Some(Outcome::Ok));
    assert_eq!(work.count, requests);
    let steps = row(&report.events, "steps");
    assert_eq!((steps.count, steps.sum), (requests, Some(requests.into())));
    let ms = |value: Option<i128>| value.expect("a value") as f64 / 1e6;
    assert!((ms(work.min) - 1.0).abs() < 0.01 && (ms(work.max) - 9.0).abs() < 0.01);
}

/// Hours since the beginning in which there were requests, with how many.
fn by_hours(report: &Report) -> Vec<(i64, u64)> {
    let slots = report.slots.as_ref().expect("slots were asked for");
    let hour = HOUR.as_nanos() as i64;
    slots
        .iter()
        .map(|slot| {
            let since = slot.start_unix_ns.0 - world::NEW_YEAR_NS;
            (since.div_euclid(hour), row(&slot.events, "work").count)
        })
        .collect()
}

#[test]
fn a_day_is_reported_hour_by_hour() {
    let mut machine = Machine::new();
    machine.work(24 * HOUR);
    let (requests, report) = machine.report(HOUR);
    assert_right(&report, requests);
    let hours = (0..24).map(|hour| (hour, 3_600));
    assert_eq!(by_hours(&report), hours.collect::<Vec<_>>());
    let capture = &report.captures[0];
    assert_eq!((capture.clock.steps, capture.clock.restarts), (0, 0));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let hours = capture.duration_ns.expect("a duration") as f64 / 3.6e12;
    assert!((hours - 24.0).abs() < 0.01, "{hours} h");
    // What it says of its own cost goes over the whole day, too.
    let rate = capture.recorder.file_bytes_per_second;
    assert!(rate.is_some(), "{:?}", capture.recorder);
}

#[test]
fn a_wall_clock_that_is_set_moves_what_comes_after_and_no_duration() {
    for step_hours in [-2_i64, 3] {
        let mut machine = Machine::new();
        machine.work(HOUR);
        world::step_wall_clock(step_hours * HOUR.as_nanos() as i64);
        machine.look();
        machine.work(HOUR);
        let (requests, report) = machine.report(HOUR);
        assert_right(&report, requests);
        let clock = &report.captures[0].clock;
        assert_eq!((clock.steps, clock.restarts), (1, 0), "{step_hours} h");
        // Those of the second hour are where the clock was then.
        let mut hours = by_hours(&report);
        hours.retain(|(_, count)| *count > 10);
        let mut expected = vec![(0, 3_600), (1 + step_hours, 3_600)];
        expected.sort_unstable();
        let near = |(got, want): (&(i64, u64), &(i64, u64))| {
            got.0 == want.0 && got.1.abs_diff(want.1) <= 2
        };
        assert!(
            hours.len() == 2 && hours.iter().zip(&expected).all(near),
            "{step_hours} h: {hours:?}"
        );
    }
}

#[test]
fn a_machine_that_slept_for_hours_adds_them_to_no_request() {
    type Sleep = fn();
    let stands: Sleep = || world::suspend(5 * HOUR, false);
    let goes_on: Sleep = || world::suspend(5 * HOUR, true);
    let begins_anew: Sleep = || world::suspend_and_reset(5 * HOUR);
    // A counter that went on, or anew, is another segment of the clock; one that stood still makes the wall clock step.
    for (sleep, steps, restarts) in [(stands, 1, 0), (goes_on, 0, 1), (begins_anew, 0, 1)] {
        let mut machine = Machine::new();
        machine.work(HOUR);
        sleep();
        machine.look();
        machine.work(HOUR);
        let (requests, report) = machine.report(HOUR);
        assert_right(&report, requests);
        let clock = &report.captures[0].clock;
        assert_eq!((clock.steps, clock.restarts), (steps, restarts));
        let mut hours = by_hours(&report);
        hours.retain(|(_, count)| *count > 10);
        let of: Vec<i64> = hours.iter().map(|(hour, _)| *hour).collect();
        assert_eq!(of, [0, 6], "{hours:?}");
    }
}
