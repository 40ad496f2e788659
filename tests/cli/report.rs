//! `report`: figures, forms, and that they do not depend on how they were computed.

use serde_json::{Value, json};

use super::captures::{Capture, candle_ns};
use super::run::{Folder, row, sizes_hidden, warnings};

#[test]
fn a_wide_terminal() {
    let page = Folder::trading().in_columns(100, &["report", "trading.bin"]);
    expect_test::expect![[r#"
        trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.000 UTC, 60.0 s
          records   6,600 spans and 7,800 other records, 2 threads, ### kB (##.# B/span)
          lost      nothing
          open      no span was open at the end
          clock     synthetic, times of day within 250 ns
          recorder  14.2 ns a record, 10.0 µs to drain, 0.10 % of a core, rings ≤ 12 % full, lag ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        spans              count    total      p50      p95      p99     p99.9      max  shape
        ORDER_SUBMIT         540   542 ms  1.00 ms  1.01 ms  1.01 ms  ~1.01 ms  1.01 ms  █▅▄█▄█▄█
          └ error             60  18.0 ms   300 µs   300 µs  ~300 µs   ~300 µs   300 µs  █
        CANDLE_PROCESSING  6,000  90.0 ms  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        observations  unit    count   total     p50     p95     p99    p99.9     max  shape
        BATCH_SIZE    orders    600   2,700       4       8       8       ~8       8  ▄ ▄▄▄▄▄█
        GC_PAUSE                600  120 ms  200 µs  350 µs  350 µs  ~350 µs  350 µs  ▄ ▄ ▄▄▄█

        counters          unit    total    rate  records
        ORDERS_SUBMITTED  orders  1,200  20.0/s      600

        gauges         unit     min  mean  max  last  records
        QUEUE_BACKLOG  candles    0  24.5   49    49    6,000

        flows                             count      p50      p95      p99     p99.9      max  failed
        CANDLE_PROCESSING → ORDER_SUBMIT    600  2.02 ms  2.02 ms  2.02 ms  ~2.02 ms  2.02 ms    10 %
        CANDLE_PROCESSING                 5,400  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs     0 %

        ! 4 rows have few samples: p99.9 of "ORDER_SUBMIT" rests on 540, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&sizes_hidden(&page));
}

#[test]
fn a_narrow_terminal() {
    let page = Folder::trading().in_columns(80, &["report", "trading.bin"]);
    expect_test::expect![[r#"
        trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.000 UTC, 60.0 s
          records   6,600 spans and 7,800 other records, 2 threads, ### kB (##.# B/span)
          lost      nothing
          open      no span was open at the end
          clock     synthetic, times of day within 250 ns
          recorder  14.2 ns a record, 10.0 µs to drain, 0.10 % of a core, rings ≤ 12 %
                    full, lag ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan)
                    or checked (verify)

        spans              count      p50      p95      p99     p99.9      max  shape
        ORDER_SUBMIT         540  1.00 ms  1.01 ms  1.01 ms  ~1.01 ms  1.01 ms  █▅▄█▄█▄█
          └ error             60   300 µs   300 µs  ~300 µs   ~300 µs   300 µs  █
        CANDLE_PROCESSING  6,000  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        observations  unit    count     p50     p95     p99    p99.9     max  shape
        BATCH_SIZE    orders    600       4       8       8       ~8       8  ▄ ▄▄▄▄▄█
        GC_PAUSE                600  200 µs  350 µs  350 µs  ~350 µs  350 µs  ▄ ▄ ▄▄▄█

        counters          unit    total    rate  records
        ORDERS_SUBMITTED  orders  1,200  20.0/s      600

        gauges         unit     min  mean  max  last  records
        QUEUE_BACKLOG  candles    0  24.5   49    49    6,000

        flows                count      p50      p95      p99     p99.9      max  failed
        CANDLE_PR…ER_SUBMIT    600  2.02 ms  2.02 ms  2.02 ms  ~2.02 ms  2.02 ms    10 %
        CANDLE_PROCESSING    5,400  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs     0 %

        no room for total: --wide shows all

        ! 4 rows have few samples: p99.9 of "ORDER_SUBMIT" rests on 540, about 3000 are
          needed
          → record longer, or read a lower percentile
    "#]]
    .assert_eq(&sizes_hidden(&page));
}

#[test]
fn a_pipe_gets_whole_names_and_every_column_on_demand() {
    let folder = Folder::trading();
    let page = folder.stdout(&["report", "trading.bin", "--wide", "--event", "*_*S*"]);
    expect_test::expect![[r#"
        trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 12:00:00.000 to 12:01:00.000 UTC, 60.0 s
          records   6,600 spans and 7,800 other records, 2 threads, ### kB (##.# B/span)
          lost      nothing
          open      no span was open at the end
          clock     synthetic, times of day within 250 ns
          recorder  14.2 ns a record, 10.0 µs to drain, 0.10 % of a core, rings ≤ 12 % full, lag ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        spans               count    rate    total     mean   stddev      min      p50      p95      p99     p99.9      max  shape
        ORDER_SUBMIT          540  9.00/s   542 ms  1.00 ms  1.73 µs  1.00 ms  1.00 ms  1.01 ms  1.01 ms  ~1.01 ms  1.01 ms  █▅▄█▄█▄█
        ORDER_SUBMIT error     60  1.00/s  18.0 ms   300 µs     0 ns   300 µs   300 µs   300 µs  ~300 µs   ~300 µs   300 µs  █
        CANDLE_PROCESSING   6,000   100/s  90.0 ms  15.0 µs  2.89 µs  10.0 µs  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        observations  unit    count    rate   total    mean  stddev      min     p50     p95     p99    p99.9     max  shape
        BATCH_SIZE    orders    600  10.0/s   2,700    4.50    2.29        1       4       8       8       ~8       8  ▄ ▄▄▄▄▄█
        GC_PAUSE                600  10.0/s  120 ms  200 µs  100 µs  50.0 µs  200 µs  350 µs  350 µs  ~350 µs  350 µs  ▄ ▄ ▄▄▄█

        counters          unit    total    rate  records  least step  greatest step
        ORDERS_SUBMITTED  orders  1,200  20.0/s      600           2              2

        flows                             count  stages     mean      p50      p95      p99     p99.9      max  failed
        CANDLE_PROCESSING → ORDER_SUBMIT    600       2  2.01 ms  2.02 ms  2.02 ms  2.02 ms  ~2.02 ms  2.02 ms    10 %
        CANDLE_PROCESSING                 5,400       1  15.0 µs  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs     0 %

        ! 4 rows have few samples: p99.9 of "ORDER_SUBMIT" rests on 540, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&sizes_hidden(&page));
}

#[test]
fn json_has_its_schema_and_values() {
    let report = Folder::trading().json(&["report", "trading.bin"]);
    assert_eq!(report["schema"], "perf-analyze/report/1");
    assert_eq!(report["estimator"], "hdr-3");
    let capture = &report["captures"][0];
    for (key, value) in [
        ("path", json!("trading.bin")),
        ("spans", json!(6600)),
        ("records", json!(14_400)),
        ("lost", json!(0)),
        ("open_spans", json!(0)),
        ("start_unix_ns", json!("1777636800000000000")),
        ("closed_cleanly", json!(true)),
        ("host", json!("build-7")),
        ("pid", json!(4711)),
        ("threads", json!(2)),
    ] {
        assert_eq!(capture[key], value, "{key}");
    }
    assert!(capture["bytes"].as_u64() > Some(1000));
    assert_eq!(capture["recorder"]["drainer_cpu_fraction"], 0.001);

    let candles = row(&report, "CANDLE_PROCESSING", Some("ok"));
    assert_eq!(
        (&candles["kind"], &candles["unit"]),
        (&json!("span"), &json!("ns"))
    );
    assert_eq!(candles["count"], 6000);
    assert_eq!(
        (&candles["min"], &candles["max"]),
        (&json!(10_000), &json!(19_990))
    );
    assert_eq!(candles["mean"], 14_995);
    assert_within(&candles["rate_per_s"], 100.0, 0.01);
    let mut sorted: Vec<u64> = (0..6000).map(candle_ns).collect();
    sorted.sort_unstable();
    for (percentile, rank) in [("50", 3000), ("95", 5700), ("99", 5940), ("99.9", 5994)] {
        assert_within(
            &candles["percentiles"][percentile],
            sorted[rank - 1] as f64,
            0.001,
        );
    }
    let rejected = row(&report, "ORDER_SUBMIT", Some("error"));
    assert_eq!(
        (&rejected["count"], &rejected["max"]),
        (&json!(60), &json!(300_000))
    );

    let counter = row(&report, "ORDERS_SUBMITTED", None);
    assert_eq!(
        (&counter["sum"], &counter["percentiles"]),
        (&json!(1200), &Value::Null)
    );
    let gauge = row(&report, "QUEUE_BACKLOG", None);
    assert_eq!(
        (&gauge["min"], &gauge["max"], &gauge["last"]),
        (&json!(0), &json!(49), &json!(49))
    );
    assert_eq!(warnings(&report), ["few_samples"]);
}

/// The names that programs rely on, in one string so that a difference shows at a glance. A name that goes or changes is
/// a new schema version; one that comes is added here and beside the structs in `analysis/src/report/result.rs`.
#[test]
fn json_has_these_fields_and_null_where_there_is_no_value() {
    let report = Folder::trading().json(&["report", "trading.bin", "--every", "30s"]);
    let capture = &report["captures"][0];
    assert_eq!(
        fields(&report),
        "captures estimator events flows schema selected slots source warnings"
    );
    assert_eq!(
        fields(capture),
        "bytes bytes_per_span capture_id clock closed_cleanly command damaged_bytes duration_ns end_unix_ns host labels lost \
         lost_by_cause more_paths open_spans open_spans_by_event parts path pid recorder records salvage_arena snapshots spans \
         start_unix_ns state threads"
    );
    assert_eq!(
        fields(&capture["clock"]),
        "anchors error_ns reason restarts source steps ticks_per_second"
    );
    assert_eq!(
        fields(&capture["recorder"]),
        "drainer_cpu_fraction drainer_ns_per_record file_bytes_per_second max_drain_lag_ns ns_per_record ring_high_water"
    );
    assert_eq!(fields(&report["source"]), "from_rollups scanned");
    assert_eq!(
        fields(&report["selected"]),
        "covered_ns end_unix_ns start_unix_ns"
    );
    assert_eq!(
        fields(&report["slots"][0]),
        "covered_ns end_unix_ns events lost start_unix_ns"
    );
    for row in report["events"].as_array().expect("a list of events") {
        assert_eq!(
            fields(row),
            "count distribution event group kind last max mean min open outcome percentiles rate_per_s stddev sum \
             sum_per_s unit weak_percentiles"
        );
    }
    let kinds = [
        ("ORDER_SUBMIT", Some("ok"), "span", Some("50 95 99 99.9")),
        ("BATCH_SIZE", None, "observation", Some("50 95 99 99.9")),
        ("ORDERS_SUBMITTED", None, "counter", None),
        ("QUEUE_BACKLOG", None, "gauge", None),
    ];
    for (event, outcome, kind, percentiles) in kinds {
        let row = row(&report, event, outcome);
        assert_eq!(row["kind"], kind);
        match percentiles {
            Some(percentiles) => assert_eq!(fields(&row["percentiles"]), percentiles, "{event}"),
            None => assert_eq!(row["percentiles"], Value::Null, "{event}"),
        }
    }
    assert_eq!(
        fields(&report["warnings"][0]),
        "capture kind message remedy"
    );
    assert_eq!(report["warnings"][0]["capture"], Value::Null);
    let exact = Folder::trading().json(&["report", "trading.bin", "--exact"]);
    assert_eq!(
        (&exact["estimator"], &exact["slots"]),
        (&json!("exact"), &Value::Null)
    );
}

/// The names of the fields of `object`, sorted.
#[track_caller]
fn fields(object: &Value) -> String {
    let object = object.as_object().expect("an object");
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

#[track_caller]
fn assert_within(value: &Value, expected: f64, tolerance: f64) {
    let value = value.as_f64().expect("a number");
    assert!(
        (value / expected - 1.0).abs() <= tolerance,
        "{value} is not {expected}"
    );
}

#[test]
fn exact_percentiles_are_order_statistics() {
    let report = Folder::trading().json(&[
        "report",
        "trading.bin",
        "--exact",
        "--percentiles",
        "0,50,99.99,100",
    ]);
    assert_eq!(report["estimator"], "exact");
    let percentiles = &row(&report, "CANDLE_PROCESSING", Some("ok"))["percentiles"];
    assert_eq!(
        *percentiles,
        json!({"0": 10_000, "50": 14_990, "99.99": 19_990, "100": 19_990})
    );
}

#[test]
fn rollups_and_a_scan_give_the_same_figures() {
    let folder = Folder::trading();
    let (rolled, scanned) = (
        folder.json(&["report", "trading.bin"]),
        folder.json(&["report", "trading.bin", "--scan"]),
    );
    assert_eq!(rolled["events"], scanned["events"]);
    assert_eq!(
        (
            &rolled["source"]["from_rollups"],
            &rolled["source"]["scanned"]
        ),
        (&json!(14_400), &json!(0))
    );
    assert_eq!(
        (
            &scanned["source"]["from_rollups"],
            &scanned["source"]["scanned"]
        ),
        (&json!(0), &json!(14_400))
    );
}

#[test]
fn output_does_not_depend_on_the_number_of_threads() {
    let folder = Folder::trading();
    for form in [
        &["--format", "json"][..],
        &["--format", "csv", "-q"],
        &["--wide"],
    ] {
        for how in [
            &["--scan"][..],
            &["--exact"],
            &["--every", "7s"],
            &["--skip", "3s"],
        ] {
            let with = |threads| {
                folder
                    .stdout(&[&["report", "trading.bin", "--threads", threads], form, how].concat())
            };
            assert_eq!(with("1"), with("2"), "{form:?} {how:?}");
        }
    }
}

#[test]
fn markdown() {
    let page = Folder::trading().stdout(&["report", "trading.bin", "--format", "markdown"]);
    expect_test::expect![[r###"
        ## trading.bin

        - **program:** trading, pid 4711 on build-7; version 1.2.3
        - **time:** 2026-05-01 12:00:00.000 to 12:01:00.000 UTC, 60.0 s
        - **records:** 6,600 spans and 7,800 other records, 2 threads, ### kB (##.# B/span)
        - **lost:** nothing
        - **open:** no span was open at the end
        - **clock:** synthetic, times of day within 250 ns
        - **recorder:** 14.2 ns a record, 10.0 µs to drain, 0.10 % of a core, rings ≤ 12 % full, lag ≤ 3.20 ms
        - **end:** closed cleanly
        - **figures:** percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        | spans | count | total | p50 | p95 | p99 | p99.9 | max | shape |
        | --- | --: | --: | --: | --: | --: | --: | --: | --- |
        | `ORDER_SUBMIT` | 540 | 542 ms | 1.00 ms | 1.01 ms | 1.01 ms | \~1.01 ms | 1.01 ms | █▅▄█▄█▄█ |
        | `ORDER_SUBMIT` **error** | 60 | 18.0 ms | 300 µs | 300 µs | \~300 µs | \~300 µs | 300 µs | █ |
        | `CANDLE_PROCESSING` | 6,000 | 90.0 ms | 15.0 µs | 19.5 µs | 19.9 µs | 20.0 µs | 20.0 µs | ▅▅▆▆▇▇██ |

        | observations | unit | count | total | p50 | p95 | p99 | p99.9 | max | shape |
        | --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |
        | `BATCH_SIZE` | orders | 600 | 2,700 | 4 | 8 | 8 | \~8 | 8 | ▄ ▄▄▄▄▄█ |
        | `GC_PAUSE` |  | 600 | 120 ms | 200 µs | 350 µs | 350 µs | \~350 µs | 350 µs | ▄ ▄ ▄▄▄█ |

        | counters | unit | total | rate | records |
        | --- | --- | --: | --: | --: |
        | `ORDERS_SUBMITTED` | orders | 1,200 | 20.0/s | 600 |

        | gauges | unit | min | mean | max | last | records |
        | --- | --- | --: | --: | --: | --: | --: |
        | `QUEUE_BACKLOG` | candles | 0 | 24.5 | 49 | 49 | 6,000 |

        | flows | count | p50 | p95 | p99 | p99.9 | max | failed |
        | --- | --: | --: | --: | --: | --: | --: | --: |
        | `CANDLE_PROCESSING → ORDER_SUBMIT` | 600 | 2.02 ms | 2.02 ms | 2.02 ms | \~2.02 ms | 2.02 ms | 10 % |
        | `CANDLE_PROCESSING` | 5,400 | 15.0 µs | 19.5 µs | 19.9 µs | 20.0 µs | 20.0 µs | 0 % |

        - **Warning:** 4 rows have few samples: p99.9 of "ORDER\_SUBMIT" rests on 540, about 3000 are needed *record longer, or read a lower percentile*
    "###]].assert_eq(&sizes_hidden(&page));
}

#[test]
fn csv_is_one_flat_table_and_its_warnings_go_to_standard_error() {
    let ran = Folder::trading().run(&["report", "trading.bin", "--format", "csv"]);
    assert_eq!(ran.code, Some(0));
    expect_test::expect![[r#"
        event,kind,unit,outcome,count,rate_per_s,min,mean,stddev,p50,p95,p99,p99.9,max,sum,sum_per_s,last,open
        CANDLE_PROCESSING,span,ns,ok,6000,100,10000,14995,2887,14991,19503,19903,19983,19990,89970000,1499500,,
        ORDER_SUBMIT,span,ns,ok,540,9,1000000,1002990,1734,1003007,1005980,1005980,1005980,1005980,541614600,9026910,,
        ORDER_SUBMIT,span,ns,error,60,1,300000,300000,0,300000,300000,300000,300000,300000,18000000,300000,,
        ORDERS_SUBMITTED,counter,orders,,600,10,2,2,,,,,,2,1200,20,,
        QUEUE_BACKLOG,gauge,candles,,6000,100,0,24.495915985997666,,,,,,49,,,49,
        BATCH_SIZE,observation,orders,,600,10,1,4.5,2.29128784747792,4,8,8,8,8,2700,45,,
        GC_PAUSE,observation,ns,,600,10,50000,200083.33333333334,100055.55122006807,200063,350000,350000,350000,350000,120050000,2000833.3333333333,,
    "#]].assert_eq(&ran.stdout);
    expect_test::expect![[r#"
        warning: 4 rows have few samples: p99.9 of "ORDER_SUBMIT" rests on 540, about 3000 are needed; record longer, or read a lower percentile
    "#]].assert_eq(&ran.stderr);
    assert_eq!(
        Folder::trading()
            .run(&["report", "trading.bin", "--format", "csv", "--quiet"])
            .stderr,
        ""
    );
}

#[test]
fn captures_merge_or_are_kept_apart() {
    let folder = Folder::trading();
    let new = Capture {
        id: 2,
        version: Some("2.0.0"),
        candles: 2000,
        ..Capture::default()
    };
    folder.write("new.bin", &new.bytes());
    folder.write(
        "unlabelled.bin",
        &Capture {
            id: 3,
            version: None,
            candles: 100,
            ..Capture::default()
        }
        .bytes(),
    );
    std::fs::create_dir(folder.path("sub")).expect("a folder can be made");
    folder.write(
        "sub/more.bin",
        &Capture {
            id: 4,
            candles: 1000,
            ..Capture::default()
        }
        .bytes(),
    );
    let count = |report: &Value| row(report, "CANDLE_PROCESSING", Some("ok"))["count"].clone();

    assert_eq!(
        count(&folder.json(&["report", "trading.bin", "new.bin"])),
        8000
    );
    assert_eq!(
        count(&folder.json(&["report", "sub", "new.bin", "new.bin"])),
        3000
    );
    assert_eq!(count(&folder.json(&["report", "*.bin"])), 8100);

    let groups = |by: &str| -> Vec<(Value, Value)> {
        let report = folder.json(&["report", ".", "sub", "--by", by, "--event", "CANDLE*"]);
        let rows = report["events"].as_array().expect("a list").clone();
        rows.into_iter()
            .map(|row| (row["group"].clone(), row["count"].clone()))
            .collect()
    };
    assert_eq!(
        groups("label=version"),
        [
            (json!(""), json!(100)),
            (json!("1.2.3"), json!(7000)),
            (json!("2.0.0"), json!(2000))
        ]
    );
    assert_eq!(groups("capture").len(), 4);

    let page = folder.in_columns(
        100,
        &[
            "report",
            "trading.bin",
            "new.bin",
            "--by",
            "capture",
            "--event",
            "CANDLE*",
        ],
    );
    expect_test::expect![[r#"
        captures     start                     length  spans  lost  open  state
        trading.bin  2026-05-01 12:00:00 UTC  60.0 s   6,600     0     0  closed
        new.bin      2026-05-01 12:00:00 UTC  20.0 s   2,200     0     0  closed

          figures  percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        new.bin
        spans              count    total      p50      p95      p99     p99.9      max  shape
        CANDLE_PROCESSING  2,000  30.0 ms  15.0 µs  19.5 µs  19.9 µs  ~20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        trading.bin
        spans              count    total      p50      p95      p99    p99.9      max  shape
        CANDLE_PROCESSING  6,000  90.0 ms  15.0 µs  19.5 µs  19.9 µs  20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        flows                             count      p50      p95      p99     p99.9      max  failed
        CANDLE_PROCESSING → ORDER_SUBMIT    800  2.02 ms  2.02 ms  2.02 ms  ~2.02 ms  2.02 ms    10 %
        CANDLE_PROCESSING                 7,200  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs     0 %

        ! 1 row has few samples: p99.9 of "CANDLE_PROCESSING" rests on 2000, about 3000 are needed
          → record longer, or read a lower percentile
    "#]].assert_eq(&sizes_hidden(&page));
}
