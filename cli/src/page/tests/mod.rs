use std::collections::BTreeMap;
use std::sync::LazyLock;

use expect_test::expect;

use perf_analysis::report::{
    CaptureState, CaptureSummary, ClockSummary, Distribution, Estimator, EventKind, EventStats,
    Outcome, Percentiles, RecorderCost, Report, SCHEMA, Selected, Slot, Source,
};
use perf_analysis::{Number, Percentile, UnixNs, Warning, WarningKind};
use perf_render::{TextStyle, csv, markdown, text};

use crate::gate::Unmatched;
use crate::page::{report::Page, sheet};
use crate::time::Zone;

const NOON: i64 = 1_777_636_800_000_000_000; // 2026-05-01T12:00:00Z

fn row(event: &str, kind: EventKind, count: u64) -> EventStats {
    EventStats {
        group: None,
        event: event.to_owned(),
        kind,
        unit: "ns".to_owned(),
        outcome: None,
        count,
        rate_per_s: Some(count as f64 / 60.0),
        min: None,
        mean: None,
        stddev: None,
        max: None,
        percentiles: None,
        weak_percentiles: Vec::new(),
        sum: None,
        sum_per_s: None,
        last: None,
        open: None,
        distribution: None,
    }
}

/// A span whose median is `p50` ns.
fn span(event: &str, outcome: Outcome, count: u64, p50: i128) -> EventStats {
    let values = [p50, 4 * p50, 9 * p50, 40 * p50];
    EventStats {
        outcome: Some(outcome),
        min: Some(p50 / 3),
        mean: Some(Number::Int(p50 * 5 / 4)),
        stddev: Some(Number::Int(p50)),
        max: Some(900 * p50),
        percentiles: Some(Percentiles(
            Percentile::DEFAULTS.into_iter().zip(values).collect(),
        )),
        sum: Some(p50 * 5 / 4 * i128::from(count)),
        open: (outcome == Outcome::Ok).then_some(0),
        distribution: Some(Distribution {
            low: 1,
            high: 2,
            counts: vec![3, 80, 900, 400, 90, 9, 1, 1],
        }),
        ..row(event, EventKind::Span, count)
    }
}

fn capture(path: &str) -> CaptureSummary {
    CaptureSummary {
        path: path.to_owned(),
        more_paths: Vec::new(),
        parts: None,
        capture_id: "00".repeat(16),
        records: 1_023_456,
        spans: 1_000_000,
        lost: 0,
        lost_by_cause: BTreeMap::new(),
        open_spans: 0,
        open_spans_by_event: BTreeMap::new(),
        start_unix_ns: Some(UnixNs(NOON)),
        end_unix_ns: Some(UnixNs(NOON + 60_250_000_000)),
        duration_ns: Some(60_250_000_000),
        closed_cleanly: true,
        state: CaptureState::Closed,
        salvage_arena: None,
        host: "build-7".to_owned(),
        pid: 4711,
        command: Some("trading".to_owned()),
        threads: 9,
        bytes: 7_214_000,
        bytes_per_span: Some(7.214),
        labels: BTreeMap::from([("version".to_owned(), "1.2.3".to_owned())]),
        snapshots: Vec::new(),
        clock: ClockSummary {
            source: "tsc".to_owned(),
            reason: "invariant".to_owned(),
            ticks_per_second: 2.6e9,
            error_ns: Some(1200),
            anchors: 61,
            steps: 0,
            restarts: 0,
        },
        recorder: RecorderCost {
            ns_per_record: Some(14.2),
            drainer_ns_per_record: Some(5.1),
            drainer_cpu_fraction: Some(0.0042),
            file_bytes_per_second: Some(73_400.0),
            max_drain_lag_ns: Some(3_200_000),
            ring_high_water: Some(0.12),
        },
        damaged_bytes: 0,
    }
}

fn report() -> Report {
    let mut weak = span("ORDER_SUBMIT_TO_EXCHANGE", Outcome::Error, 412, 310_000);
    weak.weak_percentiles = vec![Percentile::DEFAULTS[3]];
    Report {
        schema: SCHEMA,
        captures: vec![capture("captures/trading.bin")],
        estimator: Estimator::Hdr3,
        source: Source {
            from_rollups: 1_023_456,
            scanned: 0,
        },
        selected: Some(Selected {
            start_unix_ns: UnixNs(NOON),
            end_unix_ns: UnixNs(NOON + 60_000_000_000),
            covered_ns: 60_000_000_000,
        }),
        events: vec![
            span("CANDLE_PROCESSING", Outcome::Ok, 123_456, 12_300),
            span("EVENT_BUS_PUBLISH", Outcome::Ok, 1_234_567, 640),
            span("ORDER_SUBMIT_TO_EXCHANGE", Outcome::Ok, 98_765, 1_210_000),
            weak,
            EventStats {
                sum: Some(98_765),
                sum_per_s: Some(1646.0833),
                min: Some(1),
                max: Some(2),
                unit: "orders".to_owned(),
                ..row("ORDERS_SUBMITTED", EventKind::Counter, 98_000)
            },
            EventStats {
                min: Some(0),
                mean: Some(Number::Real(3.25)),
                max: Some(812),
                last: Some(0),
                unit: "events".to_owned(),
                ..row("QUEUE_BACKLOG", EventKind::Gauge, 24_000)
            },
            EventStats {
                outcome: None,
                open: None,
                kind: EventKind::Observation,
                ..span("GC_PAUSE", Outcome::Ok, 1456, 2_300_000)
            },
        ],
        slots: None,
        warnings: vec![Warning {
            capture: None,
            kind: WarningKind::FewSamples {
                event: "ORDER_SUBMIT_TO_EXCHANGE".to_owned(),
                rows: 1,
                percentile: Percentile::DEFAULTS[3],
                count: 412,
                needed: 3000,
            },
        }],
    }
}

fn page(report: &Report) -> Page<'_> {
    static ZONE: LazyLock<Zone> = LazyLock::new(|| "UTC".parse().expect("UTC is a zone"));
    static UNMATCHED: LazyLock<Unmatched> = LazyLock::new(Unmatched::default);
    Page {
        traces: crate::page::in_short::InShort::Nothing,
        report,
        rules: &[],
        zone: &ZONE,
        narrowed: false,
        unmatched: &UNMATCHED,
    }
}

fn shown(report: &Report, width: Option<usize>, wide: bool) -> String {
    text(
        &page(report).document(),
        TextStyle {
            width,
            colour: false,
            wide,
        },
    )
}

fn two_captures() -> Report {
    let mut report = report();
    report.captures.push(CaptureSummary {
        lost: 12,
        state: CaptureState::Unclosed,
        ..capture("captures/other.bin")
    });
    report
}

fn with_slots() -> Report {
    let slot = |number: i64, events: Vec<EventStats>| Slot {
        start_unix_ns: UnixNs(NOON + number * 30_000_000_000),
        end_unix_ns: UnixNs(NOON + (number + 1) * 30_000_000_000),
        covered_ns: 30_000_000_000,
        lost: 0,
        events,
    };
    let counter = report().events[4].clone();
    let mut report = report();
    report.events = vec![
        span("CANDLE_PROCESSING", Outcome::Ok, 1000, 12_300),
        counter.clone(),
    ];
    report.slots = Some(vec![
        slot(
            0,
            vec![span("CANDLE_PROCESSING", Outcome::Ok, 400, 12_300), counter],
        ),
        slot(1, vec![span("CANDLE_PROCESSING", Outcome::Ok, 600, 12_400)]),
    ]);
    report
}

#[test]
fn a_report_on_a_wide_terminal() {
    expect![[r#"
        captures/trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.250 UTC, 60.2 s
          records   1,000,000 spans and 23,456 other records, 9 threads, 7.21 MB (7.21 B/span)
          lost      nothing
          open      no span was open at the end
          clock     tsc, times of day within 1.20 µs
          recorder  14.2 ns a record, 5.10 ns to drain, 0.42 % of a core, 73.4 kB/s, rings ≤ 12 % full, lag
                    ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        spans                         count    total      p50      p95      p99     p99.9      max  shape
        ORDER_SUBMIT_TO_EXCHANGE     98,765   149 s   1.21 ms  4.84 ms  10.9 ms   48.4 ms  1.09 s   ▁▁█▄▁▁▁▁
          └ error                       412   160 ms   310 µs  1.24 ms  2.79 ms  ~12.4 ms   279 ms  ▁▁█▄▁▁▁▁
        CANDLE_PROCESSING           123,456  1.90 s   12.3 µs  49.2 µs   111 µs    492 µs  11.1 ms  ▁▁█▄▁▁▁▁
        EVENT_BUS_PUBLISH         1,234,567   988 ms   640 ns  2.56 µs  5.76 µs   25.6 µs   576 µs  ▁▁█▄▁▁▁▁

        observations  count    total      p50      p95      p99    p99.9      max  shape
        GC_PAUSE      1,456  4.19 s   2.30 ms  9.20 ms  20.7 ms  92.0 ms  2.07 s   ▁▁█▄▁▁▁▁

        counters          unit     total     rate  records
        ORDERS_SUBMITTED  orders  98,765  1,646/s   98,000

        gauges         unit    min  mean  max  last  records
        QUEUE_BACKLOG  events    0  3.25  812     0   24,000

        ! 1 row has few samples: p99.9 of "ORDER_SUBMIT_TO_EXCHANGE" rests on 412, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&shown(&report(), Some(100), false));
}

#[test]
fn a_report_on_a_narrow_terminal() {
    expect![[r#"
        captures/trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.250 UTC, 60.2 s
          records   1,000,000 spans and 23,456 other records, 9 threads, 7.21 MB
                    (7.21 B/span)
          lost      nothing
          open      no span was open at the end
          clock     tsc, times of day within 1.20 µs
          recorder  14.2 ns a record, 5.10 ns to drain, 0.42 % of a core, 73.4 kB/s,
                    rings ≤ 12 % full, lag ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan)
                    or checked (verify)

        spans              count      p50      p95      p99     p99.9      max  shape
        ORDER_…CHANGE     98,765  1.21 ms  4.84 ms  10.9 ms   48.4 ms  1.09 s   ▁▁█▄▁▁▁▁
          └ error            412   310 µs  1.24 ms  2.79 ms  ~12.4 ms   279 ms  ▁▁█▄▁▁▁▁
        CANDLE…ESSING    123,456  12.3 µs  49.2 µs   111 µs    492 µs  11.1 ms  ▁▁█▄▁▁▁▁
        EVENT_…UBLISH  1,234,567   640 ns  2.56 µs  5.76 µs   25.6 µs   576 µs  ▁▁█▄▁▁▁▁

        observations  count      p50      p95      p99    p99.9      max  shape
        GC_PAUSE      1,456  2.30 ms  9.20 ms  20.7 ms  92.0 ms  2.07 s   ▁▁█▄▁▁▁▁

        counters          unit     total     rate  records
        ORDERS_SUBMITTED  orders  98,765  1,646/s   98,000

        gauges         unit    min  mean  max  last  records
        QUEUE_BACKLOG  events    0  3.25  812     0   24,000

        no room for total: --wide shows all

        ! 1 row has few samples: p99.9 of "ORDER_SUBMIT_TO_EXCHANGE" rests on 412, about
          3000 are needed
          → record longer, or read a lower percentile
    "#]]
    .assert_eq(&shown(&report(), Some(80), false));
}

#[test]
fn a_report_through_a_pipe_with_every_column() {
    expect![[r#"
        captures/trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.250 UTC, 60.2 s
          records   1,000,000 spans and 23,456 other records, 9 threads, 7.21 MB (7.21 B/span)
          lost      nothing
          open      no span was open at the end
          clock     tsc, times of day within 1.20 µs
          recorder  14.2 ns a record, 5.10 ns to drain, 0.42 % of a core, 73.4 kB/s, rings ≤ 12 % full, lag
                    ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        spans                               count      rate    total     mean   stddev      min      p50      p95      p99     p99.9      max  shape     open
        ORDER_SUBMIT_TO_EXCHANGE           98,765   1,646/s   149 s   1.51 ms  1.21 ms   403 µs  1.21 ms  4.84 ms  10.9 ms   48.4 ms  1.09 s   ▁▁█▄▁▁▁▁     0
        ORDER_SUBMIT_TO_EXCHANGE error        412    6.87/s   160 ms   388 µs   310 µs   103 µs   310 µs  1.24 ms  2.79 ms  ~12.4 ms   279 ms  ▁▁█▄▁▁▁▁   n/a
        CANDLE_PROCESSING                 123,456   2,058/s  1.90 s   15.4 µs  12.3 µs  4.10 µs  12.3 µs  49.2 µs   111 µs    492 µs  11.1 ms  ▁▁█▄▁▁▁▁     0
        EVENT_BUS_PUBLISH               1,234,567  20,576/s   988 ms   800 ns   640 ns   213 ns   640 ns  2.56 µs  5.76 µs   25.6 µs   576 µs  ▁▁█▄▁▁▁▁     0

        observations  count    rate    total     mean   stddev     min      p50      p95      p99    p99.9      max  shape
        GC_PAUSE      1,456  24.3/s  4.19 s   2.88 ms  2.30 ms  767 µs  2.30 ms  9.20 ms  20.7 ms  92.0 ms  2.07 s   ▁▁█▄▁▁▁▁

        counters          unit     total     rate  records  least step  greatest step
        ORDERS_SUBMITTED  orders  98,765  1,646/s   98,000           1              2

        gauges         unit    min  mean  max  last  records
        QUEUE_BACKLOG  events    0  3.25  812     0   24,000

        ! 1 row has few samples: p99.9 of "ORDER_SUBMIT_TO_EXCHANGE" rests on 412, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&shown(&report(), None, true));
}

#[test]
fn a_report_on_several_captures() {
    let page = shown(&two_captures(), Some(100), false);
    let (captures, _) = page
        .split_once("spans   ")
        .expect("the captures come first");
    expect![[r#"
        captures              start                     length      spans  lost  open  state
        captures/trading.bin  2026-05-01 12:00:00 UTC  60.2 s   1,000,000     0     0  closed
        captures/other.bin    2026-05-01 12:00:00 UTC  60.2 s   1,000,000    12     0  not closed

          figures  percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

    "#]]
    .assert_eq(captures);
}

#[test]
fn a_report_over_time() {
    let page = shown(&with_slots(), Some(100), false);
    let (_, tables) = page.split_once("(verify)\n").expect("the facts come first");
    expect![[r#"

        spans              count    total      p50      p95     p99   p99.9      max  shape
        CANDLE_PROCESSING  1,000  15.4 ms  12.3 µs  49.2 µs  111 µs  492 µs  11.1 ms  ▁▁█▄▁▁▁▁

        counters          unit     total     rate  records
        ORDERS_SUBMITTED  orders  98,765  1,646/s   98,000

        CANDLE_PROCESSING  count    total      p50      p95     p99   p99.9      max  shape
        12:00:00             400  6.15 ms  12.3 µs  49.2 µs  111 µs  492 µs  11.1 ms  ▁▁█▄▁▁▁▁
        12:00:30             600  9.30 ms  12.4 µs  49.6 µs  112 µs  496 µs  11.2 ms  ▁▁█▄▁▁▁▁

        ORDERS_SUBMITTED   total     rate  records
        12:00:00          98,765  1,646/s   98,000

        ! 1 row has few samples: p99.9 of "ORDER_SUBMIT_TO_EXCHANGE" rests on 412, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(tables);
}

#[test]
fn events_over_time_stand_in_the_order_of_the_summary() {
    let mut report = with_slots();
    // By name it would come last; it took most time.
    let order = span("ORDER_SUBMIT", Outcome::Ok, 1000, 1_000_000);
    report.events.insert(1, order.clone());
    let slots = report.slots.as_mut().expect("it is over time");
    slots[0].events.push(order);
    let page = shown(&report, None, false);
    let at = |title: &str| {
        let places = page.match_indices(title).map(|(at, _)| at);
        places.collect::<Vec<_>>()
    };
    let (order, candle) = (at("\nORDER_SUBMIT "), at("\nCANDLE_PROCESSING "));
    assert_eq!((order.len(), candle.len()), (2, 2), "{page}");
    assert!(order[0] < candle[0] && order[1] < candle[1], "{page}");
}

#[test]
fn a_report_of_a_capture_in_a_bad_way() {
    let mut report = report();
    report.captures[0] = CaptureSummary {
        lost: 4321,
        lost_by_cause: BTreeMap::from([
            ("ring full".to_owned(), 4000),
            ("no ring".to_owned(), 321),
        ]),
        open_spans: 7,
        open_spans_by_event: ["A", "B", "C", "D", "E"]
            .map(|name| (name.to_owned(), 1))
            .into(),
        end_unix_ns: None,
        duration_ns: None,
        bytes_per_span: None,
        command: None,
        host: String::new(),
        more_paths: vec!["captures/trading.salvaged.bin".to_owned()],
        state: CaptureState::Salvageable,
        recorder: RecorderCost::default(),
        clock: ClockSummary {
            error_ns: None,
            steps: 1,
            restarts: 2,
            ..report.captures[0].clock.clone()
        },
        ..capture("captures/trading.bin")
    };
    report.events.clear();
    report.source = Source::default();
    expect![[r#"
        captures/trading.bin
          program   unknown, pid 4711 on an unknown host; version 1.2.3
          time      2026-05-01 12:00:00.000 UTC to an unknown end
          records   1,000,000 spans and 23,456 other records, 9 threads, 7.21 MB, in 2 files
          lost      4,321 records, 0.42 % of what was attempted: ring full 4,000, no ring 321
          open      7 spans had not ended: A 1, B 1, C 1, others 2
          clock     tsc, times of day of unknown error; the wall clock was set 1 time; the counter restarted
                    2 times
          recorder  did not note what it cost
          end       not closed: its process died and left records in shared memory
          figures   percentiles within 0.1 %, of no records

        Nothing was recorded in what was selected.

        ! 1 row has few samples: p99.9 of "ORDER_SUBMIT_TO_EXCHANGE" rests on 412, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&shown(&report, Some(100), false));
}

/// A snapshot of a flight recorder notes what recording cost, and no rate of a file.
#[test]
fn a_rate_of_nothing_is_not_shown() {
    let mut report = report();
    report.captures[0].recorder.file_bytes_per_second = Some(0.0);
    let page = shown(&report, Some(100), false);
    assert!(
        page.contains("0.42 % of a core, rings ≤ 12 % full"),
        "{page}"
    );
}

#[test]
fn a_report_as_markdown() {
    let report = report();
    expect![[r###"
        ## captures/trading.bin

        - **program:** trading, pid 4711 on build-7; version 1.2.3
        - **time:** 2026-05-01 12:00:00.000 to 12:01:00.250 UTC, 60.2 s
        - **records:** 1,000,000 spans and 23,456 other records, 9 threads, 7.21 MB (7.21 B/span)
        - **lost:** nothing
        - **open:** no span was open at the end
        - **clock:** tsc, times of day within 1.20 µs
        - **recorder:** 14.2 ns a record, 5.10 ns to drain, 0.42 % of a core, 73.4 kB/s, rings ≤ 12 % full, lag ≤ 3.20 ms
        - **end:** closed cleanly
        - **figures:** percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        | spans | count | total | p50 | p95 | p99 | p99.9 | max | shape |
        | --- | --: | --: | --: | --: | --: | --: | --: | --- |
        | `ORDER_SUBMIT_TO_EXCHANGE` | 98,765 | 149 s | 1.21 ms | 4.84 ms | 10.9 ms | 48.4 ms | 1.09 s | ▁▁█▄▁▁▁▁ |
        | `ORDER_SUBMIT_TO_EXCHANGE` **error** | 412 | 160 ms | 310 µs | 1.24 ms | 2.79 ms | \~12.4 ms | 279 ms | ▁▁█▄▁▁▁▁ |
        | `CANDLE_PROCESSING` | 123,456 | 1.90 s | 12.3 µs | 49.2 µs | 111 µs | 492 µs | 11.1 ms | ▁▁█▄▁▁▁▁ |
        | `EVENT_BUS_PUBLISH` | 1,234,567 | 988 ms | 640 ns | 2.56 µs | 5.76 µs | 25.6 µs | 576 µs | ▁▁█▄▁▁▁▁ |

        | observations | count | total | p50 | p95 | p99 | p99.9 | max | shape |
        | --- | --: | --: | --: | --: | --: | --: | --: | --- |
        | `GC_PAUSE` | 1,456 | 4.19 s | 2.30 ms | 9.20 ms | 20.7 ms | 92.0 ms | 2.07 s | ▁▁█▄▁▁▁▁ |

        | counters | unit | total | rate | records |
        | --- | --- | --: | --: | --: |
        | `ORDERS_SUBMITTED` | orders | 98,765 | 1,646/s | 98,000 |

        | gauges | unit | min | mean | max | last | records |
        | --- | --- | --: | --: | --: | --: | --: |
        | `QUEUE_BACKLOG` | events | 0 | 3.25 | 812 | 0 | 24,000 |

        - **Warning:** 1 row has few samples: p99.9 of "ORDER\_SUBMIT\_TO\_EXCHANGE" rests on 412, about 3000 are needed *record longer, or read a lower percentile*
    "###]].assert_eq(&markdown(&page(&report).document(), false));
}

#[test]
fn a_report_as_a_sheet() {
    let zone = "UTC".parse().expect("UTC is a zone");
    expect![[r#"
        event,kind,unit,outcome,count,rate_per_s,min,mean,stddev,p50,p95,p99,p99.9,max,sum,sum_per_s,last,open
        CANDLE_PROCESSING,span,ns,ok,123456,2057.6,4100,15375,12300,12300,49200,110700,492000,11070000,1898136000,,,0
        EVENT_BUS_PUBLISH,span,ns,ok,1234567,20576.116666666665,213,800,640,640,2560,5760,25600,576000,987653600,,,0
        ORDER_SUBMIT_TO_EXCHANGE,span,ns,ok,98765,1646.0833333333333,403333,1512500,1210000,1210000,4840000,10890000,48400000,1089000000,149382062500,,,0
        ORDER_SUBMIT_TO_EXCHANGE,span,ns,error,412,6.866666666666666,103333,387500,310000,310000,1240000,2790000,12400000,279000000,159650000,,,
        ORDERS_SUBMITTED,counter,orders,,98000,1633.3333333333333,1,,,,,,,2,98765,1646.0833,,
        QUEUE_BACKLOG,gauge,events,,24000,400,0,3.25,,,,,,812,,,0,
        GC_PAUSE,observation,ns,,1456,24.266666666666666,766666,2875000,2300000,2300000,9200000,20700000,92000000,2070000000,4186000000,,,
    "#]].assert_eq(&csv(&sheet::report(&report(), &zone)));
    expect![[r#"
        slot_start,event,kind,unit,outcome,count,rate_per_s,min,mean,stddev,p50,p95,p99,p99.9,max,sum,sum_per_s,last,open
        2026-05-01T12:00:00+00:00,CANDLE_PROCESSING,span,ns,ok,400,6.666666666666667,4100,15375,12300,12300,49200,110700,492000,11070000,6150000,,,0
        2026-05-01T12:00:00+00:00,ORDERS_SUBMITTED,counter,orders,,98000,1633.3333333333333,1,,,,,,,2,98765,1646.0833,,
        2026-05-01T12:00:30+00:00,CANDLE_PROCESSING,span,ns,ok,600,10,4133,15500,12400,12400,49600,111600,496000,11160000,9300000,,,0
    "#]].assert_eq(&csv(&sheet::report(&with_slots(), &zone)));
}
