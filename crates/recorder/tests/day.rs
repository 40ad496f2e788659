//! A day in seconds: what a recorder does every second it does 86 400 times, by clocks that the test turns. The only test of
//! its process, whose memory it watches.

mod common;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use common::{Capture, world};
use perf_format::SegmentId;
use perf_probe::{TraceId, events, measure, record_counter, record_gauge, trace};
use perf_recorder::{Recorder, Refused, Sink};

events! {
    WORK: span = "work";
    STEPS: counter("") = "steps";
    LEVEL: gauge("") = "level";
}

const SECOND: Duration = Duration::from_secs(1);
const HOURS: u64 = 24;
const STEPS_A_SECOND: u64 = 4;
/// Memory that may come after the first hour: the allocator's own, not something that grows with the day.
const GROWTH_KIB: u64 = 4 << 10;

struct ToFile(BufWriter<File>);

impl Sink for ToFile {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.0.write_all(piece).map_err(|_| Refused)
    }
}

fn step(number: u64) {
    let _trace = trace::enter(TraceId::from_key("step", number as i64));
    let span = measure!(WORK);
    world::pass(Duration::from_micros(100 + number % 900));
    drop(span);
    record_counter(STEPS, 1);
    record_gauge(LEVEL, (number % 60) as i64);
}

fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the status");
    let line = { text.lines() }.find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.expect("a number of KiB")
}

#[test]
fn a_day_is_as_right_at_its_end_as_at_its_beginning() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let mut sink = ToFile(BufWriter::new(File::create(&path).expect("a file")));
    let builder = world::make(Recorder::builder());
    let (handle, mut drainer) = builder.manual(&mut sink).expect("the recorder starts");
    let mut steps = 0;
    let mut after_an_hour = 0;
    perf_probe::scope(&handle, || {
        for second in 0..HOURS * 3_600 {
            for _ in 0..STEPS_A_SECOND {
                step(steps);
                steps += 1;
            }
            world::pass(SECOND / 2);
            drainer.drain_once(&mut sink);
            world::pass(SECOND / 2);
            if second == 3_600 {
                after_an_hour = resident_kib();
            }
        }
        while !drainer.finish(&mut sink) {}
    });
    let grown = resident_kib().saturating_sub(after_an_hour);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than after an hour");
    sink.0.flush().expect("written");
    drop(sink);

    let capture = Capture::open(&path);
    assert!(capture.index.closed_cleanly());
    assert_eq!((capture.records(), capture.lost), (3 * steps, 0));
    let durations = (0..steps).map(|number| (100 + number % 900) * 1_000);
    assert_eq!(capture.values("work"), durations.collect::<Vec<_>>());
    assert_eq!(
        capture.index.notes.warnings,
        [],
        "nothing happened that day"
    );
    capture.assert_each_slot_once();
    capture.assert_rollups_equal_scan();
    let mut chunks = capture.index.event_chunks();
    assert!(chunks.all(|entry| entry.head.segment == SegmentId(0)));

    // Every second a chunk, an anchor and the recorder's own cost, without a gap between two.
    let seconds = HOURS * 3_600;
    let chunks = capture.index.event_chunks().count() as u64;
    let anchors = capture.index.anchors.anchors.len() as u64;
    let costs = &capture.index.notes.self_costs;
    for (count, what) in [
        (chunks, "chunks"),
        (anchors, "anchors"),
        (costs.len() as u64, "notes of cost"),
    ] {
        assert!(
            count.abs_diff(seconds) <= seconds / 500 + 10,
            "{count} {what}"
        );
    }
    assert!(
        { costs.windows(2) }.all(|pair| pair[0].to_ticks == pair[1].from_ticks),
        "each begins where the one before it ends"
    );
    let noted: u64 = costs.iter().map(|cost| cost.records).sum();
    assert_eq!(noted, 3 * steps);
    let lag = costs.iter().map(|cost| cost.drain_lag_max_ns).max();
    assert!(lag < Some(1_100_000_000), "{lag:?}");
    // An idle service costs some MB a day.
    let bytes = capture.bytes.len() as u64;
    assert!(bytes / seconds < 1_500, "{bytes} bytes");
}
