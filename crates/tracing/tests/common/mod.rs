//! Recording a program into a file, and what the analysis makes of that file.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use perf_analysis::report::{EventStats, Outcome, Report};
use perf_analysis::traces::{KeptTrace, MAX_SLOWEST, Traces};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, TraceOptions, report, traces};
use perf_recorder::Recorder;

/// A recorder is that of the whole process, since runtimes have threads of their own.
static ALONE: Mutex<()> = Mutex::new(());

/// What a capture says.
pub(crate) struct Recorded {
    pub report: Report,
    pub traces: Traces,
}

/// Runs `program` while it is recorded, and reads the file.
pub(crate) fn record(program: impl FnOnce()) -> Recorded {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let recorder = Recorder::builder()
        .capture(directory.path())
        .start()
        .expect("nothing else records");
    // A reader takes what began before the first anchor for cut off: the drainer must have read it.
    recorder.flush().expect("a drainer that runs");
    program();
    let path = recorder.capture_path().expect("a file").to_owned();
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.lost.total(), 0);
    let set = CaptureSet::open(&[path], &OpenOptions::default()).expect("a capture");
    let options = TraceOptions {
        slowest: MAX_SLOWEST,
        ..TraceOptions::default()
    };
    Recorded {
        report: report(&set, &ReportOptions::default()).expect("a report"),
        traces: traces(&set, &options).expect("traces"),
    }
}

impl Recorded {
    /// The row of an event and an outcome.
    pub(crate) fn row(&self, event: &str, outcome: Option<Outcome>) -> &EventStats {
        let mut rows = self.report.events.iter();
        rows.find(|row| row.event == event && row.outcome == outcome)
            .unwrap_or_else(|| panic!("no {event} {outcome:?} in {:?}", self.counts()))
    }

    pub(crate) fn ok(&self, event: &str) -> &EventStats {
        self.row(event, Some(Outcome::Ok))
    }

    /// Records by event and outcome: `request/ok`, and counters by their sums.
    pub(crate) fn counts(&self) -> BTreeMap<String, i128> {
        let rows = self.report.events.iter();
        rows.map(|row| match row.outcome {
            Some(outcome) => (
                format!("{}/{}", row.event, outcome.name()),
                row.count.into(),
            ),
            None => (row.event.clone(), row.sum.unwrap_or_default()),
        })
        .collect()
    }

    /// The traces that have a span of `event`.
    pub(crate) fn with(&self, event: &str) -> Vec<&KeptTrace> {
        let mut traces: Vec<_> = self.traces.slowest.iter().collect();
        traces.retain(|trace| trace.spans.iter().any(|span| span.event == event));
        traces
    }

    /// The only trace with a span of `event`.
    pub(crate) fn only(&self, event: &str) -> &KeptTrace {
        let found = self.with(event);
        assert_eq!(found.len(), 1, "traces with {event}: {found:#?}");
        found[0]
    }
}

/// The events of a trace's spans with those of their parents, sorted.
pub(crate) fn family(trace: &KeptTrace) -> Vec<(&str, Option<&str>)> {
    let mut family: Vec<_> = { trace.spans.iter() }
        .map(|span| {
            let parent = span.parent.map(|at| trace.spans[at].event.as_str());
            (span.event.as_str(), parent)
        })
        .collect();
    family.sort_unstable();
    family
}
