//! `traces` on the capture of the repository: what people read. Recorded anew, `UPDATE_EXPECT=1` writes these pages anew.

use std::path::Path;

use super::run::Folder;

/// A folder with the real capture.
fn folder() -> Folder {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures/trading.bin");
    let capture = std::fs::read(path).expect("the capture is in the repository");
    Folder::with("trading.bin", &capture)
}

#[test]
fn the_page_of_the_trading_capture() {
    let folder = folder();
    let wide = folder.in_columns(100, &["traces", "trading.bin", "--slowest", "3"]);
    expect_test::expect_file!["snapshots/traces-100.txt"].assert_eq(&wide);
    let narrow = folder.in_columns(80, &["traces", "trading.bin", "--slowest", "3"]);
    expect_test::expect_file!["snapshots/traces-80.txt"].assert_eq(&narrow);
    for (columns, page) in [(100, &wide), (80, &narrow)] {
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{widest:?} columns");
    }
}

#[test]
fn a_trace_is_a_waterfall() {
    let folder = folder();
    let all = folder.json(&["traces", "trading.bin"]);
    let id = all["slowest"][1]["trace"]
        .as_str()
        .expect("an id")
        .to_owned();
    let page = folder.in_columns(100, &["traces", "trading.bin", "--trace", &id]);
    expect_test::expect_file!["snapshots/waterfall-100.txt"].assert_eq(&page);
    let decimal = u64::from_str_radix(&id, 16).expect("hexadecimal digits");
    let again = folder.in_columns(
        100,
        &[
            "traces",
            "trading.bin",
            "--trace",
            &format!("dec:{decimal}"),
        ],
    );
    assert_eq!(page, again);
    let none = folder.stdout(&["traces", "trading.bin", "--trace", "1234"]);
    assert!(none.contains("No record of that trace"), "{none}");
}

#[test]
fn json_has_its_schema_and_adds_up() {
    let folder = folder();
    let json = folder.json(&["traces", "trading.bin", "--by", "symbol"]);
    assert_eq!(json["schema"], "perf-analyze/traces/1");
    let flows = json["flows"].as_array().expect("flows");
    assert!(!flows.is_empty());
    let sum = |list: &serde_json::Value, key: &str| -> u64 {
        let list = list.as_array().expect("a list");
        list.iter()
            .map(|each| each[key].as_u64().expect("whole ns"))
            .sum()
    };
    for flow in flows {
        assert_eq!(
            sum(&flow["owners"], "own_mean_ns"),
            flow["end_to_end"]["mean"]
        );
        for band in flow["bands"].as_array().expect("bands") {
            assert_eq!(sum(&band["owners"], "mean_ns"), band["mean_ns"]);
        }
        let by = flow["by"].as_array().expect("values");
        let counts: u64 = by
            .iter()
            .map(|value| value["end_to_end"]["count"].as_u64().unwrap_or(0))
            .sum();
        assert_eq!(counts, flow["count"].as_u64().expect("a count"));
    }
    let one = folder.stdout(&[
        "traces",
        "trading.bin",
        "--threads",
        "1",
        "--format",
        "json",
    ]);
    let many = folder.stdout(&[
        "traces",
        "trading.bin",
        "--threads",
        "5",
        "--format",
        "json",
    ]);
    assert!(one == many, "the number of threads changes the output");
}

#[test]
fn without_owners_flows_take_as_long() {
    let folder = folder();
    let whole = folder.json(&["traces", "trading.bin"]);
    let short = folder.json(&["traces", "trading.bin", "--no-owners"]);
    let flows = |json: &serde_json::Value| -> Vec<(serde_json::Value, serde_json::Value)> {
        let flows = json["flows"].as_array().expect("flows");
        let told = |flow: &serde_json::Value| (flow["flow"].clone(), flow["end_to_end"].clone());
        flows.iter().map(told).collect()
    };
    assert!(!flows(&whole).is_empty());
    assert_eq!(flows(&whole), flows(&short));
    assert_eq!(whole["traces"], short["traces"]);
    assert_eq!(short["flows"][0]["owners"], serde_json::json!([]));
    assert_eq!(short["slowest"], serde_json::json!([]));
    let page = folder.in_columns(80, &["traces", "trading.bin", "--no-owners"]);
    assert!(page.contains("flows") && !page.contains("gap"), "{page}");
    let both = folder.run(&["traces", "trading.bin", "--no-owners", "--slowest", "3"]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}

#[test]
fn other_forms_are_whole() {
    let folder = folder();
    let csv = folder.stdout(&["traces", "trading.bin", "--format", "csv"]);
    let columns = csv.lines().next().expect("a head").split(',').count();
    assert!(csv.lines().count() > 20 && columns == 10, "{csv}");
    let markdown = folder.stdout(&["traces", "trading.bin", "--format", "markdown"]);
    assert!(markdown.contains("| where the time went |"), "{markdown}");
    let nothing = folder.run(&[
        "traces",
        "trading.bin",
        "--flow",
        "fill=ORDER_PREP..ORDER_FIL",
    ]);
    assert_eq!(nothing.code, Some(0));
    assert!(
        nothing.stdout.contains("no event matches"),
        "{}",
        nothing.stdout
    );
    assert_eq!(
        folder
            .run(&["traces", "trading.bin", "--trace", "xyz"])
            .code,
        Some(2)
    );
    assert_eq!(folder.run(&["traces", "nothing.bin"]).code, Some(3));
}

#[test]
fn a_report_shows_flows_in_short() {
    let folder = folder();
    for columns in [100, 80] {
        let page = folder.in_columns(columns, &["report", "trading.bin"]);
        let snapshot = format!("snapshots/report-{columns}.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/cli")
            .join(snapshot);
        expect_test::expect_file![path].assert_eq(&page);
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{widest:?} columns");
    }
    let report = folder.json(&["report", "trading.bin"]);
    let traces = folder.json(&["traces", "trading.bin"]);
    assert!(
        report["flows"]
            .as_array()
            .is_some_and(|flows| flows.len() == 3)
    );
    assert_eq!(report["flows"], traces["flows"]);
    let never = folder.json(&["report", "trading.bin", "--traces", "never"]);
    assert!(never.get("flows").is_none());
    assert_eq!(never["events"], report["events"]);
    let page = folder.stdout(&["report", "trading.bin", "--traces", "never"]);
    assert!(!page.contains("flow"), "{page}");
}
