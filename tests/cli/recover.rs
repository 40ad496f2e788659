//! `recover` on files; what it saves out of a dead process's arena is tested with real processes.

use perf_format::{ChunkKind, Index};
use serde_json::json;

use super::captures::Capture;
use super::run::{Folder, row, warnings};

/// A capture that was not closed, with its second event chunk damaged and its tail torn.
fn damaged() -> Vec<u8> {
    let mut bytes = Capture {
        closed: false,
        ..Capture::default()
    }
    .bytes();
    let index = Index::build(&bytes).expect("it is a capture");
    let mut events = index
        .chunks
        .iter()
        .filter(|entry| entry.head.kind == ChunkKind::EVENTS);
    let second = events.nth(1).expect("there are six").offset as usize;
    bytes[second + 100] ^= 0xFF;
    bytes.truncate(bytes.len() - 20);
    bytes
}

#[test]
fn what_is_intact_becomes_a_sound_capture() {
    let folder = Folder::with("damaged.bin", &damaged());
    let page = folder.in_columns(100, &["recover", "damaged.bin", "-o", "recovered.bin"]);
    for part in [
        "  kept   12,000 records in 8 chunks of damaged.bin\n",
        "  saved  nothing: no arena of its process is there\n",
        "  lost   nothing that was not known before\n",
        "! damaged.bin: a chunk head at offset ",
        "! damaged.bin: the last ",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(folder.run(&["verify", "recovered.bin"]).code, Some(0));
    let report = folder.json(&["report", "recovered.bin"]);
    assert_eq!(row(&report, "CANDLE_PROCESSING", Some("ok"))["count"], 5000);
    assert_eq!(report["captures"][0]["state"], "salvaged");
    assert!(
        !warnings(&report).contains(&"torn_tail"),
        "{:?}",
        warnings(&report)
    );
    // The old file is as it was.
    assert_eq!(
        std::fs::read(folder.path("damaged.bin")).expect("it is there"),
        damaged()
    );
}

#[test]
fn a_sound_capture_is_copied_and_counted() {
    let folder = Folder::trading();
    let summary = folder.json(&["recover", "trading.bin", "-o", "copy.bin"]);
    assert_eq!(summary["schema"], "perf-analyze/recover/1");
    assert_eq!(
        (
            &summary["kept_records"],
            &summary["damage"],
            &summary["arena"]
        ),
        (&json!(14_400), &json!([]), &json!(null))
    );
    let (old, new) = (
        folder.json(&["report", "trading.bin"]),
        folder.json(&["report", "copy.bin"]),
    );
    assert_eq!(old["events"], new["events"]);
    // Together they are still one capture, each record counted once.
    assert_eq!(
        folder.json(&["report", "trading.bin", "copy.bin"])["events"],
        old["events"]
    );
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_behind() {
    let folder = Folder::trading();
    folder.write("there.bin", b"mine");
    folder
        .run(&["recover", "trading.bin", "-o", "there.bin"])
        .fails(
            3,
            "there.bin: is there already and is not overwritten; name a new file",
        );
    assert_eq!(folder.read("there.bin"), "mine");
    folder
        .run(&["recover", "missing.bin", "-o", "out.bin"])
        .fails(3, "missing.bin: no such file; check the path");
    folder.write(
        "foreign.bin",
        b"something else, and long enough to be looked at as a capture",
    );
    let ran = folder.run(&["recover", "foreign.bin", "-o", "out.bin"]);
    assert_eq!(
        (ran.code, ran.stderr.lines().count()),
        (Some(3), 1),
        "{ran:?}"
    );
    assert_eq!(folder.names(), ["foreign.bin", "there.bin", "trading.bin"]);
    assert_eq!(folder.run(&["recover", "trading.bin"]).code, Some(2));
}
