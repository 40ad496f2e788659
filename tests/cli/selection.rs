//! Which part of a capture is looked at: times, slots, events.

use serde_json::{Value, json};

use super::captures::NOON;
use super::run::{Folder, row, sizes_hidden, warnings};

fn candles(report: &Value) -> &Value {
    &row(report, "CANDLE_PROCESSING", Some("ok"))["count"]
}

#[test]
fn times_select_by_end() {
    let folder = Folder::trading();
    let cases: [(&[&str], u64); 8] = [
        (&[], 6000),
        (&["--skip", "10s"], 5000),
        (&["--since", "+10s"], 5000),
        (&["--since", "-10s"], 1000),
        (&["--until", "+1s"], 100),
        (&["--since", "2026-05-01T12:00:59Z"], 100),
        (
            &[
                "--since",
                "2026-05-01T14:00:10",
                "--until",
                "-30s",
                "--tz",
                "+02:00",
            ],
            2000,
        ),
        (&["--skip", "59s", "--until", "2026-05-01T12:00:59.5Z"], 50),
    ];
    for (args, count) in cases {
        let report = folder.json(&[&["report", "trading.bin"], args].concat());
        assert_eq!(candles(&report), count, "{args:?}");
    }
}

#[test]
fn a_candle_on_the_edge_belongs_to_what_begins_there() {
    // The first candle ends 5 ms after the start.
    let folder = Folder::trading();
    for (args, count) in [
        (["--since", "+5ms"], 6000),
        (["--since", "+5001us"], 5999),
        (["--until", "+15ms"], 1),
    ] {
        let report = folder.json(&[&["report", "trading.bin"], &args[..]].concat());
        assert_eq!(candles(&report), count, "{args:?}");
    }
}

#[test]
fn slots_are_aligned_on_utc_and_add_up() {
    let folder = Folder::trading();
    let report = folder.json(&[
        "report",
        "trading.bin",
        "--every",
        "7s",
        "--event",
        "CANDLE*",
    ]);
    let slots = report["slots"].as_array().expect("a list of slots");
    let starts: Vec<i64> = slots
        .iter()
        .map(|slot| {
            slot["start_unix_ns"]
                .as_str()
                .expect("a string")
                .parse()
                .expect("a number")
        })
        .collect();
    assert!(
        starts.iter().all(|start| start % 7_000_000_000 == 0),
        "{starts:?}"
    );
    assert!(
        starts[0] <= NOON && starts[0] > NOON - 7_000_000_000,
        "{starts:?}"
    );
    let sum: u64 = slots.iter().filter_map(|slot| candles(slot).as_u64()).sum();
    assert_eq!((json!(sum), slots.len()), (candles(&report).clone(), 9));

    let page = folder.in_columns(
        100,
        &[
            "report",
            "trading.bin",
            "--every",
            "20s",
            "--tz",
            "-03",
            "--event",
            "CANDLE*",
        ],
    );
    expect_test::expect![[r#"
        trading.bin
          program   trading, pid 4711 on build-7; version 1.2.3
          time      2026-05-01 09:00:00.000 to 09:01:00.000 -03, 60.0 s
          records   6,600 spans and 7,800 other records, 2 threads, ### kB (##.# B/span)
          lost      nothing
          open      no span was open at the end
          clock     synthetic, times of day within 250 ns
          recorder  14.2 ns a record, 10.0 µs to drain, 0.10 % of a core, rings ≤ 12 % full, lag ≤ 3.20 ms
          end       closed cleanly
          figures   percentiles within 0.1 %, from rollups; payloads not read (--scan) or checked (verify)

        spans              count    total      p50      p95      p99    p99.9      max  shape
        CANDLE_PROCESSING  6,000  90.0 ms  15.0 µs  19.5 µs  19.9 µs  20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        CANDLE_PROCESSING  count    total      p50      p95      p99     p99.9      max  shape
        09:00:00           2,000  30.0 ms  15.0 µs  19.5 µs  19.9 µs  ~20.0 µs  20.0 µs  ▅▅▆▆▇▇██
        09:00:20           2,000  30.0 ms  15.0 µs  19.5 µs  19.9 µs  ~20.0 µs  20.0 µs  ▅▅▆▆▇▇██
        09:00:40           2,000  30.0 ms  15.0 µs  19.5 µs  19.9 µs  ~20.0 µs  20.0 µs  ▅▅▆▆▇▇██

        flows                             count      p50      p95      p99     p99.9      max  failed
        CANDLE_PROCESSING → ORDER_SUBMIT    600  2.02 ms  2.02 ms  2.02 ms  ~2.02 ms  2.02 ms    10 %
        CANDLE_PROCESSING                 5,400  15.0 µs  19.5 µs  19.9 µs   20.0 µs  20.0 µs     0 %
    "#]].assert_eq(&sizes_hidden(&page));
    let sheet = folder.stdout(&[
        "report",
        "trading.bin",
        "--every",
        "30s",
        "--event",
        "CANDLE*",
        "--format",
        "csv",
        "-q",
    ]);
    expect_test::expect![[r#"
        slot_start,event,kind,unit,outcome,count,rate_per_s,min,mean,stddev,p50,p95,p99,p99.9,max,sum,sum_per_s,last,open
        2026-05-01T12:00:00+00:00,CANDLE_PROCESSING,span,ns,ok,3000,100,10000,14995,2887,14991,19503,19903,19983,19990,44985000,1499500,,
        2026-05-01T12:00:30+00:00,CANDLE_PROCESSING,span,ns,ok,3000,100,10000,14995,2887,14991,19503,19903,19983,19990,44985000,1499500,,
    "#]].assert_eq(&sheet);
}

#[test]
fn events_are_chosen_by_glob() {
    let folder = Folder::trading();
    let chosen = |args: &[&str]| -> Vec<String> {
        let report = folder.json(&[&["report", "trading.bin"], args].concat());
        let mut names: Vec<String> = (report["events"].as_array().expect("a list").iter())
            .map(|row| row["event"].as_str().expect("a name").to_owned())
            .collect();
        names.dedup();
        names
    };
    assert_eq!(
        chosen(&["--event", "ORDER*"]),
        ["ORDER_SUBMIT", "ORDERS_SUBMITTED"]
    );
    assert_eq!(
        chosen(&["--event", "GC_PAUSE", "--event", "?ATCH_SIZE"]),
        ["BATCH_SIZE", "GC_PAUSE"]
    );
}

#[test]
fn a_misspelt_event_is_a_warning_with_the_nearest_names() {
    let folder = Folder::trading();
    let page = folder.stdout(&["report", "trading.bin", "--event", "ORDR_SUBMIT"]);
    assert!(page.contains("did you mean ORDER_SUBMIT"), "{page}");
    let report = folder.json(&["report", "trading.bin", "--event", "ORDR_SUBMIT"]);
    assert_eq!(
        (report["events"].as_array().map(Vec::len), warnings(&report)),
        (Some(0), vec!["no_event_matches"])
    );
}

#[test]
fn nothing_selected_is_said_and_is_not_zero() {
    let folder = Folder::trading();
    let report = folder.json(&["report", "trading.bin", "--skip", "1h"]);
    assert_eq!(report["events"], json!([]));
    assert!(warnings(&report).contains(&"nothing_selected"), "{report}");
    let page = folder.stdout(&["report", "trading.bin", "--skip", "1h"]);
    assert!(
        page.contains("Nothing was recorded in what was selected."),
        "{page}"
    );
}

#[test]
fn wrong_arguments_are_usage_errors_and_say_what_is_expected() {
    let folder = Folder::trading();
    let cases: [(&[&str], &str); 9] = [
        (
            &["--since", "yesterday"],
            "expected a time such as 2026-05-01T12:30:00Z, +10s (from the start) or -30s (from the end)",
        ),
        (&["--every", "0s"], "expected more than no time at all"),
        (
            &["--skip", "ten"],
            "expected a length of time, such as 10s, 1m30s or 250ms",
        ),
        (&["--tz", "Mars/Olympus"], "no such time zone"),
        (&["--by", "host"], "expected `capture` or `label=KEY`"),
        (&["--percentiles", "101"], "expected a number from 0 to 100"),
        (&["--threads", "0"], "--threads"),
        (&["--fail-on", "sloth"], "possible values: sla, loss"),
        (
            &["--format", "xml"],
            "possible values: text, json, markdown, csv",
        ),
    ];
    for (args, expected) in cases {
        let ran = folder.run(&[&["report", "trading.bin"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(folder.run(&["report"]).code, Some(2));
    assert_eq!(folder.run(&[]).code, Some(2));
}
