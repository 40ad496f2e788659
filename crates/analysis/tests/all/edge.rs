//! Captures at the edges: nothing in them, one value, extreme values, more than 2^32 records.

use std::path::Path;

use perf_analysis::report::{EventStats, Report};
use perf_analysis::{CaptureSet, OpenOptions, Percentile, ReportOptions, report, verify};
use perf_format::{
    Aggregate, Anchor, CaptureWriter, ChunkEncoder, ChunkHead, ClockDescriptor, Close, CloseReason,
    Coverage, EventDescriptor, EventId, EventKind, FileHeader, Histogram, RingId, Rollup, Row,
    RunHead, SegmentId, SeriesKey, Tables, Tag, ThreadId, TraceId, encode_rollup,
};

/// A capture of 1 ns ticks; rows of event 0 ("work") by default.
pub(crate) struct Hand {
    pub(crate) writer: CaptureWriter<Vec<u8>>,
    seq: u64,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self::with_header(FileHeader {
            start_unix_ns: 1_000_000_000,
            clock: ClockDescriptor {
                ticks_per_second: 1e9,
                ..ClockDescriptor::default()
            },
            ..FileHeader::default()
        })
    }

    pub(crate) fn with_header(header: FileHeader) -> Self {
        let mut writer = CaptureWriter::new(Vec::new(), &header).unwrap();
        let event = |id, name: &str, kind, unit: &str| EventDescriptor {
            id: EventId(id),
            kind,
            name: name.into(),
            unit: unit.into(),
        };
        let events = vec![
            event(0, "work", EventKind::SPAN, "ns"),
            event(1, "size", EventKind::OBSERVATION, "bytes"),
            event(2, "depth", EventKind::GAUGE, "items"),
            event(3, "steps", EventKind::COUNTER, ""),
        ];
        writer
            .tables(&Tables {
                events,
                ..Tables::default()
            })
            .unwrap();
        Self { writer, seq: 0 }
    }

    /// A chunk with one run of ring and thread 0.
    pub(crate) fn chunk(&mut self, rows: &[(u64, u32, Tag, u64)]) -> ChunkHead {
        let head = self.chunk_of(0, self.seq, rows);
        self.seq += rows.len() as u64;
        head
    }

    pub(crate) fn chunk_of(
        &mut self,
        ring: u32,
        first_seq: u64,
        rows: &[(u64, u32, Tag, u64)],
    ) -> ChunkHead {
        let mut encoder = ChunkEncoder::new();
        let head = RunHead {
            ring: RingId(ring),
            thread: ThreadId(ring),
            first_seq,
        };
        let row = |(end_ticks, event, tag, value): &(u64, u32, Tag, u64)| Row {
            end_ticks: *end_ticks,
            value: *value,
            trace: TraceId(0),
            event: EventId(*event),
            tag: *tag,
        };
        encoder.push_run(head, rows.iter().map(row));
        self.writer.events(&mut encoder).unwrap().unwrap()
    }

    pub(crate) fn close(self) -> Vec<u8> {
        self.writer
            .close(Close {
                reason: CloseReason::STOPPED,
                ..Close::default()
            })
            .unwrap()
    }
}

pub(crate) fn report_of(bytes: &[u8], options: &ReportOptions) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    std::fs::write(&path, bytes).unwrap();
    report_file(&path, options)
}

pub(crate) fn report_file(path: &Path, options: &ReportOptions) -> Report {
    let set = CaptureSet::open(&[path.into()], &OpenOptions::default()).unwrap();
    report(&set, options).unwrap()
}

/// By rollups, by a scan, exactly.
fn all_ways(bytes: &[u8]) -> [Report; 3] {
    let scan = ReportOptions {
        scan: true,
        ..ReportOptions::default()
    };
    let exact = ReportOptions {
        exact: true,
        ..ReportOptions::default()
    };
    [ReportOptions::default(), scan, exact].map(|options| report_of(bytes, &options))
}

fn p(text: &str) -> Percentile {
    text.parse().unwrap()
}

fn value(row: &EventStats, percentile: &str) -> i128 {
    row.percentiles
        .as_ref()
        .unwrap()
        .get(p(percentile))
        .unwrap()
}

#[test]
fn an_empty_capture() {
    let mut bytes = Vec::new();
    FileHeader {
        start_unix_ns: 5,
        ..FileHeader::default()
    }
    .encode(&mut bytes);
    for bytes in [bytes, Hand::new().close()] {
        for report in all_ways(&bytes) {
            assert!(report.events.is_empty());
            let summary = &report.captures[0];
            assert_eq!(
                (summary.records, summary.spans, summary.bytes_per_span),
                (0, 0, None)
            );
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!(
                json["captures"][0]["bytes_per_span"],
                serde_json::Value::Null,
                "absent is null, not 0"
            );
            assert!(
                !report
                    .warnings
                    .iter()
                    .any(|warning| warning.kind.is_damage())
            );
        }
        let slots = report_of(
            &bytes,
            &ReportOptions {
                every_ns: Some(1000),
                ..ReportOptions::default()
            },
        )
        .slots;
        assert_eq!(slots, Some(Vec::new()));
    }
}

#[test]
fn one_record() {
    let mut hand = Hand::new();
    hand.chunk(&[(10, 0, Tag::SPAN_OK, 123_456_789)]);
    for report in all_ways(&hand.close()) {
        let row = &report.events[0];
        assert_eq!(
            (row.count, row.min, row.max, row.sum),
            (1, Some(123_456_789), Some(123_456_789), Some(123_456_789))
        );
        assert_eq!(value(row, "50"), 123_456_789);
        assert_eq!(row.stddev.unwrap().as_f64(), 0.0);
        assert_eq!(row.distribution.as_ref().unwrap().counts, [1]);
        assert_eq!(row.weak_percentiles.len(), 4);
        assert!(
            report
                .warnings
                .iter()
                .any(|warning| warning.kind.name() == "few_samples")
        );
    }
}

#[test]
fn no_time_has_no_rate() {
    let mut hand = Hand::new();
    hand.chunk(&[(0, 0, Tag::SPAN_OK, 5)]);
    for report in all_ways(&hand.close()) {
        assert_eq!(
            (report.events[0].rate_per_s, report.events[0].sum_per_s),
            (None, None)
        );
        assert_eq!(report.selected.unwrap().covered_ns, 0);
    }
}

#[test]
fn all_values_equal() {
    for same in [0, 1, 2047, 1_000_003, u64::MAX / 4] {
        let mut hand = Hand::new();
        hand.chunk(&vec![(10, 0, Tag::SPAN_OK, same); 5000]);
        for report in all_ways(&hand.close()) {
            let row = &report.events[0];
            let same = i128::from(same);
            assert_eq!((row.min, row.max), (Some(same), Some(same)));
            assert_eq!((value(row, "50"), value(row, "99.9")), (same, same));
            assert_eq!(
                (row.mean.unwrap().as_f64(), row.stddev.unwrap().as_f64()),
                (same as f64, 0.0)
            );
            assert_eq!(row.distribution.as_ref().unwrap().counts, [5000]);
        }
    }
}

#[test]
fn the_largest_values() {
    let mut hand = Hand::new();
    let rows: Vec<_> = (0..400)
        .map(|at| {
            (
                10 + at,
                0,
                Tag::SPAN_OK,
                if at % 2 == 0 { u64::MAX } else { 0 },
            )
        })
        .collect();
    hand.chunk(&rows);
    hand.chunk(
        &rows
            .iter()
            .map(|(end, _, _, value)| (*end, 1, Tag::OBSERVATION, *value))
            .collect::<Vec<_>>(),
    );
    let extremes = [
        (1, 2, Tag::GAUGE, i64::MIN as u64),
        (9, 2, Tag::GAUGE, i64::MAX as u64),
    ];
    hand.chunk(&extremes);
    hand.chunk(&[
        (1, 3, Tag::COUNTER, i64::MIN as u64),
        (9, 3, Tag::COUNTER, i64::MIN as u64),
    ]);
    for report in all_ways(&hand.close()) {
        let [span, counter, gauge, size] = &report.events[..] else {
            panic!("{:?}", report.events)
        };
        for row in [span, size] {
            assert_eq!((row.min, row.max), (Some(0), Some(i128::from(u64::MAX))));
            assert_eq!(row.sum, Some(i128::from(u64::MAX) * 200));
            assert_eq!(
                (value(row, "50"), value(row, "99")),
                (0, i128::from(u64::MAX))
            );
        }
        assert_eq!(
            (gauge.min, gauge.max),
            (Some(i64::MIN.into()), Some(i64::MAX.into()))
        );
        assert_eq!(counter.sum, Some(2 * i128::from(i64::MIN)));
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("18446744073709551615"), "numbers stay whole");
        assert!(
            report
                .warnings
                .iter()
                .any(|warning| warning.kind.name() == "saturated")
        );
    }
}

#[test]
fn durations_beyond_u64_ns_are_cut_and_said() {
    let header = FileHeader {
        clock: ClockDescriptor {
            ticks_per_second: 1.0,
            ..ClockDescriptor::default()
        },
        ..FileHeader::default()
    };
    let mut hand = Hand::with_header(header);
    hand.chunk(&[
        (u64::MAX, 0, Tag::SPAN_OK, u64::MAX),
        (5, 0, Tag::SPAN_OK, 2),
    ]);
    for report in all_ways(&hand.close()) {
        let row = &report.events[0];
        assert_eq!(
            (row.min, row.max),
            (Some(2_000_000_000), Some(i128::from(u64::MAX)))
        );
        assert!(
            report
                .warnings
                .iter()
                .any(|warning| warning.kind.name() == "saturated")
        );
    }
}

/// A rollup may count more than a file could ever hold.
#[test]
fn more_than_2_32_records() {
    let mut hand = Hand::new();
    let head = hand.chunk(&[(10, 0, Tag::SPAN_OK, 1000), (20, 0, Tag::SPAN_OK, 3000)]);
    let bytes = hand.close();
    let many = 3_u64 << 40;
    let histogram = |value: u64| {
        let mut counts = vec![0; perf_format::bins::index(value) + 1];
        counts[perf_format::bins::index(value)] = many;
        Histogram::from_counts(&counts, u128::from(value) * u128::from(many), value, value).unwrap()
    };
    let mut all = histogram(1000);
    all.merge(&histogram(3000));
    let key = SeriesKey {
        event: EventId(0),
        tag: Tag::SPAN_OK,
    };
    // Two rollups, each of chunks that are not there.
    let mut file = bytes[..bytes.len()].to_vec();
    for number in 1..3 {
        let coverage = Coverage {
            first_chunk: head.chunk_seq + 1000 * number,
            last_chunk: head.chunk_seq + 1000 * number + 900,
            chunks: 900,
            rows: 2 * many,
            digest: 1,
            min_start: 1,
            min_end: 10,
            max_end: 20,
        };
        let series = [(key, Aggregate::Distribution(all.clone()))].into();
        let rollup = Rollup {
            segment: SegmentId(0),
            coverage,
            series,
        };
        encode_rollup(&rollup, head.chunk_seq + 1000 * number + 901, &mut file).unwrap();
    }
    let report = report_of(&file, &ReportOptions::default());
    let row = &report.events[0];
    assert_eq!(row.count, 4 * many + 2);
    assert_eq!(row.sum, Some(i128::from(many) * 8000 + 4000));
    assert_eq!(
        (value(row, "50"), value(row, "95"), value(row, "99.9")),
        (1000, 3000, 3000)
    );
    assert!(row.weak_percentiles.is_empty());
    let lost = report
        .warnings
        .iter()
        .find(|warning| warning.kind.name() == "records_only_in_rollups")
        .unwrap();
    assert!(
        lost.message().contains(&(2 * many).to_string()),
        "{}",
        lost.message()
    );
}

#[test]
fn the_median_of_two_is_the_lower() {
    let mut hand = Hand::new();
    hand.chunk(&[(10, 0, Tag::SPAN_OK, 1), (11, 0, Tag::SPAN_OK, 2)]);
    for report in all_ways(&hand.close()) {
        assert_eq!(
            (
                value(&report.events[0], "50"),
                value(&report.events[0], "95")
            ),
            (1, 2)
        );
    }
}

/// Threads set a gauge in turns, and chunks overlap: the mean is that over time all the same.
#[test]
fn a_gauge_of_two_threads() {
    let mut hand = Hand::new();
    let gauge = |end, value| (end, 2, Tag::GAUGE, value);
    let mut encoder = ChunkEncoder::new();
    let rows = |ring: u32, rows: &[(u64, u64)], encoder: &mut ChunkEncoder| {
        let head = RunHead {
            ring: RingId(ring),
            thread: ThreadId(ring),
            first_seq: 0,
        };
        let row = |(end_ticks, value): &(u64, u64)| Row {
            end_ticks: *end_ticks,
            value: *value,
            event: EventId(2),
            tag: Tag::GAUGE,
            ..Row::default()
        };
        encoder.push_run(head, rows.iter().map(row));
    };
    rows(0, &[(0, 10), (100, 30)], &mut encoder);
    rows(1, &[(50, 20), (150, 0)], &mut encoder);
    hand.writer.events(&mut encoder).unwrap();
    hand.chunk_of(2, 0, &[gauge(200, 40), gauge(300, 8)]);
    // 10 for 50, 20 for 50, 30 for 50, 0 for 50, 40 for 100.
    let expected = (10.0 + 20.0 + 30.0 + 0.0 + 80.0) * 50.0 / 300.0;
    for report in all_ways(&hand.close()) {
        let row = &report.events[0];
        assert_eq!(
            (row.mean.unwrap().as_f64(), row.last, row.count),
            (expected, Some(8), 6)
        );
        assert_eq!((row.min, row.max), (Some(0), Some(40)));
    }
}

#[test]
fn steps_of_the_wall_clock_are_said_and_change_no_duration() {
    let mut hand = Hand::new();
    let anchor = |ticks: u64, step: i64| Anchor {
        ticks,
        monotonic_raw_ns: ticks as i64,
        realtime_ns: 1_000_000_000 + ticks as i64 + step,
        uncertainty_ns: 10,
        segment: SegmentId(0),
    };
    hand.writer
        .anchors(&[anchor(0, 0), anchor(1_000_000_000, -3_600_000_000_000)])
        .unwrap();
    hand.chunk(&[
        (10, 0, Tag::SPAN_OK, 7),
        (1_000_000_007, 0, Tag::SPAN_OK, 7),
    ]);
    let bytes = hand.close();
    for report in all_ways(&bytes) {
        assert_eq!((report.events[0].count, report.events[0].max), (2, Some(7)));
        assert!(
            report
                .warnings
                .iter()
                .any(|warning| warning.kind.name() == "clock_step")
        );
        assert_eq!(report.captures[0].clock.steps, 1);
    }
    let hourly = ReportOptions {
        every_ns: Some(60_000_000_000),
        ..ReportOptions::default()
    };
    let slots = report_of(&bytes, &hourly).slots.unwrap();
    assert_eq!(
        slots
            .iter()
            .map(|slot| slot.events[0].count)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(
        slots[1].start_unix_ns.0 - slots[0].start_unix_ns.0,
        3_600_000_000_000
    );
}

#[test]
fn what_the_hand_writes_is_intact() {
    let mut hand = Hand::new();
    hand.chunk(&[(10, 0, Tag::SPAN_OK, 1), (5, 1, Tag::OBSERVATION, 2)]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.bin"), hand.close()).unwrap();
    let set = CaptureSet::open(&[dir.path().into()], &OpenOptions::default()).unwrap();
    let verified = verify(&set, None).unwrap();
    assert!(verified.intact, "{:?}", verified.files);
}
