//! `sla`: verdicts and exit codes, violations in every form, and rules from a file.

use serde_json::{Value, json};

use super::captures::Capture;
use super::run::{Folder, sizes_hidden};

/// The page of the trading example's capture. When that is recorded anew: `UPDATE_EXPECT=1 cargo test -p perf-analyze`.
#[test]
fn the_trading_capture() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures/trading.bin");
    let capture = std::fs::read(path).expect("the capture is in the checkout");
    let page = Folder::with("trading.bin", &capture).in_columns(
        100,
        &[
            "sla",
            "trading.bin",
            "--sla",
            "ORDER_EXECUTION:p99.9<5ms",
            "--sla",
            "GC_PAUSE:max<10ms",
            "--sla",
            "CANDLE_PROCESSING:p99<50us over 1s",
            "--sla",
            "ORDER_SUBMIT/ok:error_rate<1%",
            "--limit",
            "5",
        ],
    );
    expect_test::expect_file!["./sla_trading.txt"].assert_eq(&sizes_hidden(&page));
    assert!(page.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn exit_codes() {
    let folder = Folder::trading();
    for (rule, code) in [
        ("CANDLE_PROCESSING:max<20us", 0),
        ("CANDLE_PROCESSING:max<19990ns", 1),
        ("CANDLE_PROCESSING:max<=19990ns", 0),
        ("CANDLE_PROCESSING:p99.99<1s", 4),
        ("ORDER_SUBMIT:error_rate<5%", 1),
        ("BATCH_SIZE:max<=8", 0),
        ("CANDLE_PROCESSING:rate>99/s over 10s", 0),
        ("CANDLE_PROCESSING:p99<1ms over 1s", 4),
    ] {
        let ran = folder.run(&["sla", "trading.bin", "--sla", rule, "--fail-on", "sla"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{rule}");
        let ran = folder.run(&["sla", "trading.bin", "--sla", rule]);
        assert_eq!(ran.code, Some(0), "{rule}");
        // The report is as good a gate.
        let ran = folder.run(&["report", "trading.bin", "--sla", rule, "--fail-on", "sla"]);
        assert_eq!(ran.code, Some(code), "{rule}");
    }
    for (args, code) in [
        (&["sla", "trading.bin"][..], 2),
        (&["report", "trading.bin", "--fail-on", "sla"], 2),
        (&["sla", "trading.bin", "--sla", "A:max<5"], 3),
        (&["sla", "trading.bin", "--sla", "A:max"], 2),
        (&["sla", "none.bin", "--sla", "A:max<5ms"], 3),
    ] {
        assert_eq!(folder.run(args).code, Some(code), "{args:?}");
    }
    folder.run(&["sla", "trading.bin", "--sla", "ORDER_SUBMT:max<5ms"]).fails(
        3,
        "no event matches `ORDER_SUBMT`, so nothing can be said about it; did you mean ORDER_SUBMIT or \
         ORDERS_SUBMITTED?",
    );
}

#[test]
fn loss_and_open_spans() {
    let lossy = Capture {
        lost: 5,
        ..Capture::default()
    };
    let folder = Folder::with("lossy.bin", &lossy.bytes());
    for (rule, code) in [
        ("CANDLE_PROCESSING:max<20us", 4),
        ("CANDLE_PROCESSING:p99<20us", 0),
        ("CANDLE_PROCESSING:max<10us", 1),
    ] {
        let ran = folder.run(&["sla", "lossy.bin", "--sla", rule, "--fail-on", "sla"]);
        assert_eq!(ran.code, Some(code), "{rule}: {}", ran.stdout);
    }
}

#[test]
fn rules_of_a_file() {
    let folder = Folder::trading();
    folder.write(
        "ok.yaml",
        b"metrics:\n  sampling: {default_rate: 1}\n  sla_thresholds: {CANDLE_PROCESSING: 15000}\n  sla: ['GC_PAUSE:max<1ms']\n",
    );
    let sla = folder.json(&["sla", "trading.bin", "--config", "ok.yaml"]);
    let rules: Vec<&Value> = sla["rules"].as_array().expect("a list").iter().collect();
    assert_eq!(rules[0]["rule"], "CANDLE_PROCESSING:max<=15us");
    // 10 000, 10 010 … 19 990, six times.
    assert_eq!(rules[0]["total"]["over"], 499 * 6);
    assert_eq!(
        (&rules[0]["verdict"], &rules[1]["verdict"]),
        (&json!("fail"), &json!("pass"))
    );
    folder.write("bad.yaml", b"metrics:\n  sla_treshold: {}\n");
    let ran = folder.run(&["sla", "trading.bin", "--config", "bad.yaml"]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr
            .starts_with("error: bad.yaml: line 2, column 3: "),
        "{}",
        ran.stderr
    );
    folder.write("none.yaml", b"metrics: {enabled: true}\n");
    assert_eq!(
        folder
            .run(&["sla", "trading.bin", "--config", "none.yaml"])
            .code,
        Some(2)
    );
}

#[test]
fn json_and_csv_have_every_violation() {
    let folder = Folder::trading();
    let args = [
        "sla",
        "trading.bin",
        "--sla",
        "ORDER_SUBMIT:max<=1ms",
        "--limit",
        "1",
    ];
    let sla = folder.json(&args);
    assert_eq!(sla["schema"], "perf-analyze/sla/1");
    let violations = sla["violations"].as_array().expect("a list");
    assert_eq!(violations.len(), 539);
    let first = &violations[0];
    assert_eq!(
        (&first["value"], &first["over_by"]),
        (&json!(1_000_010), &json!(10))
    );
    assert_eq!(
        (&first["thread"], &first["budget"]),
        (&json!("executor"), &json!("beyond"))
    );
    let sheet = folder.stdout(&[&args[..], &["--format", "csv"]].concat());
    assert_eq!(sheet.lines().count(), 540);
    assert!(sheet.starts_with(
        "time,unix_ns,rule,event,outcome,value,unit,over_by,budget,open,thread,trace,"
    ));
    let page = folder.stdout(&[&args[..], &["--format", "markdown"]].concat());
    assert!(page.contains("`ORDER_SUBMIT:max<=1ms`"), "{page}");
}

#[test]
fn violations_go_to_a_parquet_file_beside_the_answer() {
    let folder = Folder::trading();
    let sla = ["sla", "trading.bin", "--sla", "CANDLE_PROCESSING:max<15us"];
    let alone = folder.stdout(&sla);
    let beside = folder.stdout(&[&sla[..], &["--parquet", "violations.parquet"]].concat());
    let head = |page: &str| page.split("violations").next().map(str::to_owned);
    assert_eq!(head(&beside), head(&alone));
    let written = std::fs::read(folder.path("violations.parquet")).expect("the file");
    assert_eq!(
        (&written[..4], &written[written.len() - 4..]),
        (&b"PAR1"[..], &b"PAR1"[..])
    );
    // A capture is never written over.
    let over = folder.run(&[&sla[..], &["--parquet", "trading.bin"]].concat());
    assert_eq!(over.code, Some(3), "{}", over.stderr);
    let told = "trading.bin is a capture and is left alone; write to another file\n";
    assert!(over.stderr.ends_with(told), "{}", over.stderr);
    assert_eq!(folder.stdout(&sla), alone);
}

#[test]
fn hostile_names_are_shown_as_text() {
    let hostile = Capture {
        candle: "<script>\u{1b}[2J\n\u{202e}x".to_owned(),
        ..Capture::default()
    };
    let folder = Folder::with("hostile.bin", &hostile.bytes());
    let rule = "<script>\u{1b}[2J\n\u{202e}x:max<1us";
    for form in ["text", "json", "csv", "markdown"] {
        let page = folder.stdout(&["sla", "hostile.bin", "--sla", rule, "--format", form]);
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{form}: {page}");
    }
}
