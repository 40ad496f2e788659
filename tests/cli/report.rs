//! `report`: figures, forms, and that they do not depend on how they were computed.

use serde_json::{Value, json};

use super::captures::{Capture, candle_ns};
use super::run::{Folder, row, warnings};

fn trading() -> Folder {
    Folder::with("trading.bin", &Capture::default().bytes())
}

#[test]
fn a_wide_terminal() {
    let page = trading().in_columns(100, &["report", "trading.bin"]);
    expect_test::expect![[""]].assert_eq(&page);
}

#[test]
fn a_narrow_terminal() {
    let page = trading().in_columns(80, &["report", "trading.bin"]);
    expect_test::expect![[""]].assert_eq(&page);
}

#[test]
fn a_pipe_gets_whole_names_and_every_column_on_demand() {
    let folder = trading();
    let page = folder.stdout(&["report", "trading.bin", "--wide", "--event", "*_*S*"]);
    expect_test::expect![[""]].assert_eq(&page);
}

#[test]
fn json_has_its_schema_and_values() {
    let report = trading().json(&["report", "trading.bin"]);
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
    let report = trading().json(&[
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
    let folder = trading();
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
    let folder = trading();
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
    let page = trading().stdout(&["report", "trading.bin", "--format", "markdown"]);
    expect_test::expect![[""]].assert_eq(&page);
}

#[test]
fn csv_is_one_flat_table_and_its_warnings_go_to_standard_error() {
    let ran = trading().run(&["report", "trading.bin", "--format", "csv"]);
    assert_eq!(ran.code, Some(0));
    expect_test::expect![[""]].assert_eq(&ran.stdout);
    expect_test::expect![[""]].assert_eq(&ran.stderr);
    assert_eq!(
        trading()
            .run(&["report", "trading.bin", "--format", "csv", "--quiet"])
            .stderr,
        ""
    );
}

#[test]
fn captures_merge_or_are_kept_apart() {
    let folder = trading();
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
    expect_test::expect![[""]].assert_eq(&page);
}
