//! Traces and rules at the edges: very long traces, very many, ids that come again, nothing that takes time, many names.

use perf_analysis::sla::{Sla, Verdict};
use perf_analysis::traces::{MAX_BY_VALUES, Traces};
use perf_analysis::{
    CaptureSet, OpenOptions, SlaOptions, TraceOptions, Warning, WarningKind, sla, traces,
};
use perf_format::{
    Anchor, AnnotationValue, CaptureWriter, ChunkEncoder, ClockDescriptor, Close, CloseReason,
    EventDescriptor, EventId, EventKind, FileHeader, RingId, Row, RunHead, SegmentId, Tables, Tag,
    ThreadId, TraceId,
};

const EVENTS: u32 = 100;
const ROWS_A_CHUNK: usize = 60_000;
const ANCHOR: Anchor = Anchor {
    ticks: 0,
    monotonic_raw_ns: 0,
    realtime_ns: 1_000_000_000,
    uncertainty_ns: 0,
    segment: SegmentId(0),
};

/// A span: trace, event, start and end in ns.
type Span = (u64, u32, u64, u64);

/// A capture of one thread, which notes the trace's id as `order` in each span if asked to.
struct Extreme {
    file: tempfile::NamedTempFile,
}

impl Extreme {
    fn new(spans: impl Iterator<Item = Span>, noted: bool) -> Self {
        let header = FileHeader {
            start_unix_ns: ANCHOR.realtime_ns,
            clock: ClockDescriptor {
                ticks_per_second: 1e9,
                ..ClockDescriptor::default()
            },
            ..FileHeader::default()
        };
        let mut writer = CaptureWriter::new(Vec::new(), &header).unwrap();
        let event = |id| EventDescriptor {
            id: EventId(id),
            kind: EventKind::SPAN,
            name: format!("E{id}"),
            unit: "ns".into(),
        };
        let tables = Tables {
            events: (0..EVENTS).map(event).collect(),
            ..Tables::default()
        };
        writer.tables(&tables).unwrap();
        writer.anchors(&[ANCHOR]).unwrap();
        let spans: Vec<Span> = spans.collect();
        let mut encoder = ChunkEncoder::new();
        let mut seq = 0;
        for part in spans.chunks(ROWS_A_CHUNK) {
            let head = RunHead {
                ring: RingId(0),
                thread: ThreadId(0),
                first_seq: seq,
            };
            encoder.begin_run(head).unwrap();
            let mut rows = 0;
            for (trace, event, start, end) in part {
                let row = Row {
                    end_ticks: *end,
                    value: end - start,
                    trace: TraceId(*trace),
                    event: EventId(*event),
                    tag: Tag(1),
                };
                encoder.push(&row).unwrap();
                rows += 1;
                if noted {
                    let value = AnnotationValue::Int(*trace as i64);
                    encoder
                        .push_annotation(*end, TraceId(*trace), b"order", value)
                        .unwrap();
                    rows += 1;
                }
            }
            encoder.end_run(rows);
            seq += u64::from(rows);
            writer.events(&mut encoder).unwrap();
            encoder.clear();
        }
        let last = spans.iter().map(|span| span.3).max().unwrap();
        let end = Anchor {
            ticks: last,
            monotonic_raw_ns: last as i64,
            realtime_ns: ANCHOR.realtime_ns + last as i64,
            ..ANCHOR
        };
        writer.anchors(&[end]).unwrap();
        let close = Close {
            reason: CloseReason::STOPPED,
            ..Close::default()
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), writer.close(close).unwrap()).unwrap();
        Self { file }
    }

    fn set(&self) -> CaptureSet {
        let path = self.file.path().to_owned();
        CaptureSet::open(&[path], &OpenOptions::default()).unwrap()
    }

    fn traces(&self, options: &TraceOptions) -> Traces {
        traces(&self.set(), options).unwrap()
    }

    fn sla(&self, rules: &[&str]) -> Sla {
        let options = SlaOptions {
            rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
            ..SlaOptions::default()
        };
        sla(&self.set(), &options).unwrap()
    }
}

fn samples(got: &Sla) -> u64 {
    got.rules.iter().map(|result| result.total.samples).sum()
}

#[test]
fn a_trace_of_very_many_spans() {
    const SPANS: u64 = 200_000;
    // Back to back after a hole of 1 ns each, all within one that is recorded last.
    let inner = (0..SPANS).map(|at| (7, 1, 10 * at + 1, 10 * at + 10));
    let extreme = Extreme::new(inner.chain([(7, 0, 0, 10 * SPANS)]), false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!((found.traces, found.flows[0].count), (1, 1));
    let owners = &found.flows[0].owners;
    let own: Vec<u64> = owners.iter().map(|owner| owner.own_mean_ns).collect();
    assert_eq!(own, [SPANS, 9 * SPANS]);
    let got = extreme.sla(&["e2e:max<=2ms", "E1→E1:max<1ns"]);
    assert_eq!(got.rules[0].verdict, Verdict::Pass);
    assert_eq!(got.rules[0].total.worst, Some(10 * SPANS));
    assert_eq!(
        got.rules[1].total.samples, 0,
        "what an outer span covers is no gap"
    );
    // Without the outer one each hole is a gap.
    let inner = (0..SPANS).map(|at| (7, 1, 10 * at + 1, 10 * at + 10));
    let got = Extreme::new(inner, false).sla(&["E1→E1:p99<2ns", "E1→E1:max<1ns"]);
    assert_eq!(got.rules[0].verdict, Verdict::Pass);
    assert_eq!(
        got.rules[0].total.measured.map(|value| value.as_f64()),
        Some(1.0)
    );
    assert_eq!(got.rules[1].total.over, Some(SPANS - 1));
}

#[test]
fn very_many_traces_of_one_span() {
    const TRACES: u64 = 1_000_000;
    // Ids far apart, as random ones are.
    let id = |at: u64| (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let spans = (0..TRACES).map(|at| (id(at), 3, 100 * at, 100 * at + 1 + at % 50));
    let extreme = Extreme::new(spans, false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!((found.traces, found.reused_ids), (TRACES, 0));
    let got = extreme.sla(&["e2e:max<=49ns"]);
    assert_eq!(samples(&got), TRACES);
    assert_eq!(got.rules[0].total.over, Some(TRACES / 50));
}

#[test]
fn ids_that_come_again_and_the_id_that_is_none() {
    const SECOND: u64 = 1_000_000_000;
    // Each minute the same id; between them spans of no trace.
    let spans = (0..50).flat_map(|at| {
        let start = at * 60 * SECOND;
        [(9, 0, start, start + 5), (0, 1, start + 6, start + 600)]
    });
    let extreme = Extreme::new(spans, false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!((found.traces, found.reused_ids), (50, 49));
    assert_eq!(found.flows.len(), 1);
    assert_eq!(found.flows[0].events, ["E0"]);
    let got = extreme.sla(&["e2e:max<=5ns over 1h", "e2e:rate>=0/s"]);
    assert_eq!(samples(&got), 100);
    assert_eq!(got.verdict, Verdict::Pass);
}

#[test]
fn nothing_takes_time() {
    // Every span of every trace at one instant.
    let spans = (0..5000).map(|at| (1 + at % 10, (at / 10 % 3) as u32, 77, 77));
    let extreme = Extreme::new(spans, false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!(found.traces, 10);
    let times = found.flows[0].end_to_end.as_ref().unwrap();
    assert_eq!((times.min, times.max), (0, 0));
    assert!(
        found.flows[0]
            .owners
            .iter()
            .all(|owner| owner.own_mean_ns == 0)
    );
    let got = extreme.sla(&["e2e:max<=0ns", "e2e:max<0ns", "E0→E1:max<1ns"]);
    let verdicts: Vec<Verdict> = got.rules.iter().map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::NoData]);
}

#[test]
fn more_events_than_a_word_has_bits() {
    let spans = (0..200_u64).flat_map(|trace| {
        (0..u64::from(EVENTS)).map(move |event| {
            let start = trace * 1_000_000 + event * 100;
            (trace + 1, event as u32, start, start + 90)
        })
    });
    let extreme = Extreme::new(spans, false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!(found.flows.len(), 1);
    let flow = &found.flows[0];
    assert_eq!((flow.count, flow.events.len()), (200, EVENTS as usize));
    let own: u64 = flow.owners.iter().map(|owner| owner.own_mean_ns).sum();
    assert_eq!(own, 100 * u64::from(EVENTS) - 10);
    let got = extreme.sla(&["E98→E99:p50<=10ns", "e2e:p50<10us"]);
    assert_eq!(got.rules[0].total.samples, 200);
    assert_eq!(got.verdict, Verdict::Pass);
}

/// A gate must not pass because a slow trace is of one flow too many.
#[test]
fn more_flows_than_are_told_apart() {
    let pairs = (0..EVENTS).flat_map(|one| (one + 1..EVENTS).map(move |two| (one, two)));
    let pairs: Vec<(u32, u32)> = pairs.collect();
    let traces = pairs.len() as u64;
    assert!(traces > 4096);
    let spans = pairs.iter().zip(1..).flat_map(|((one, two), trace)| {
        let start = trace * 1000;
        [
            (trace, *one, start, start + 100),
            (trace, *two, start + 100, start + 200),
        ]
    });
    let extreme = Extreme::new(spans, false);
    let found = extreme.traces(&TraceOptions::default());
    assert_eq!(found.traces, traces);
    let got = extreme.sla(&["e2e:max<1ns"]);
    assert_eq!(samples(&got), traces, "each trace is judged");
    let over: u64 = got
        .rules
        .iter()
        .filter_map(|result| result.total.over)
        .sum();
    assert_eq!(over, traces);
    assert_eq!(got.violations.len() as u64 + got.more_violations, traces);
}

#[test]
fn an_annotation_of_too_many_values_splits_nothing_and_says_so() {
    let by = TraceOptions {
        by: Some("order".into()),
        ..TraceOptions::default()
    };
    for more in [0, 1] {
        let spans = (0..MAX_BY_VALUES as u64 + more).map(|at| (at + 1, 0, 10 * at, 10 * at + 5));
        let found = Extreme::new(spans, true).traces(&by);
        let warnings: Vec<&Warning> = (found.warnings.iter())
            .filter(|warning| matches!(warning.kind, WarningKind::TooManyValues { .. }))
            .collect();
        let split = found.flows[0].by.as_ref().map(Vec::len);
        if more == 0 {
            assert!(warnings.is_empty());
            assert!(split.is_some_and(|values| values > 0));
            continue;
        }
        assert_eq!(split, None);
        assert_eq!(warnings.len(), 1);
        assert_eq!(
            warnings[0].message(),
            "1 flow has more than 4096 values of \"order\" and is not split by it"
        );
    }
}
