//! `info` and `verify` on sound captures, and captures that were not closed.

use serde_json::json;

use super::captures::Capture;
use super::run::{Folder, warnings};

#[test]
fn info_says_what_a_capture_is_made_of() {
    let folder = Folder::with("trading.bin", &Capture::default().bytes());
    let page = folder.in_columns(80, &["info", "trading.bin", "--wide"]);
    expect_test::expect![[""]].assert_eq(&page);
    let info = folder.json(&["info", "trading.bin"]);
    assert_eq!(info["schema"], "perf-analyze/info/1");
    let file = &info["files"][0];
    assert_eq!(
        (&file["capture_id"], &file["labels"]),
        (&json!("01".repeat(16)), &json!({"version": "1.2.3"}))
    );
    let sheet = folder.stdout(&["info", "trading.bin", "--format", "csv"]);
    expect_test::expect![[""]].assert_eq(&sheet);
}

#[test]
fn verify_checks_everything() {
    let folder = Folder::with("trading.bin", &Capture::default().bytes());
    let page = folder.stdout(&["verify", "trading.bin"]);
    expect_test::expect![[""]].assert_eq(&page);
    let verified = folder.json(&["verify", "trading.bin"]);
    assert_eq!(
        (&verified["schema"], &verified["intact"]),
        (&json!("perf-analyze/verify/1"), &json!(true))
    );
    assert_eq!(verified["files"][0]["records"], 14_400);
    assert_eq!(
        folder.stdout(&["verify", "trading.bin", "--format", "csv"]),
        "file,offset,len,kind,message\n"
    );
}

#[test]
fn a_capture_that_was_not_closed_is_sound_and_says_so() {
    let killed = Capture {
        closed: false,
        open: 3,
        ..Capture::default()
    };
    let folder = Folder::with("killed.bin", &killed.bytes());
    assert_eq!(folder.run(&["verify", "killed.bin"]).code, Some(0));
    let report = folder.json(&["report", "killed.bin"]);
    assert_eq!(report["captures"][0]["open_spans"], 3);
    assert!(warnings(&report).contains(&"not_closed") && warnings(&report).contains(&"open_spans"));
    let page = folder.in_columns(100, &["report", "killed.bin"]);
    assert!(
        page.contains("3 spans had not ended: ORDER_SUBMIT 3"),
        "{page}"
    );
    assert!(page.contains("not closed"), "{page}");
}

#[test]
fn an_empty_capture_has_no_figures_rather_than_zeros() {
    let folder = Folder::with(
        "none.bin",
        &Capture {
            candles: 0,
            ..Capture::default()
        }
        .bytes(),
    );
    let page = folder.stdout(&["report", "none.bin"]);
    assert!(
        page.contains("Nothing was recorded in what was selected."),
        "{page}"
    );
    assert_eq!(folder.run(&["verify", "none.bin"]).code, Some(0));
    let report = folder.json(&["report", "none.bin"]);
    assert_eq!(
        (&report["events"], &report["captures"][0]["bytes_per_span"]),
        (&json!([]), &json!(null))
    );
}
