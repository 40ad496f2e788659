//! Exit codes: what passes, what fails, and what must not pass by looking at nothing.

use super::captures::Capture;
use super::run::Folder;

fn lossy() -> Folder {
    // The loss lies in the second second.
    Folder::with(
        "lossy.bin",
        &Capture {
            lost: 5,
            ..Capture::default()
        }
        .bytes(),
    )
}

#[test]
fn loss_breaches_the_gate_only_where_it_is_asked_for() {
    let folder = lossy();
    assert_eq!(folder.run(&["report", "lossy.bin"]).code, Some(0));
    let ran = folder.run(&["report", "lossy.bin", "--fail-on", "loss"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(
        ran.stdout
            .contains("5 records, 0.03 % of what was attempted: ring full 5"),
        "{}",
        ran.stdout
    );
}

#[test]
fn loss_outside_of_the_selected_time_does_not_breach_the_gate() {
    let folder = lossy();
    for (args, code) in [
        (["--since", "+10s"], 0),
        (["--until", "+10s"], 1),
        (["--since", "+1500ms"], 1),
    ] {
        let ran = folder.run(&[&["report", "lossy.bin", "--fail-on", "loss"], &args[..]].concat());
        assert_eq!(ran.code, Some(code), "{args:?}");
    }
}

#[test]
fn a_whole_capture_passes() {
    let folder = Folder::trading();
    assert_eq!(
        folder
            .run(&["report", "trading.bin", "--fail-on", "loss"])
            .code,
        Some(0)
    );
}

#[test]
fn a_gate_on_a_misspelt_event_fails_loudly() {
    let folder = Folder::trading();
    folder.run(&["report", "trading.bin", "--fail-on", "loss", "--event", "ORDER_SUBMT"]).fails(
        3,
        "no event matches `ORDER_SUBMT`, so nothing can be said about it; did you mean ORDER_SUBMIT or \
         ORDERS_SUBMITTED?",
    );
    folder
        .run(&["report", "trading.bin", "--fail-on", "loss", "--event", "xyz"])
        .fails(3, "no event matches `xyz`, so nothing can be said about it; see `perf-analyze info` for its events");
}

#[test]
fn a_gate_with_an_unreadable_file_fails_loudly() {
    let folder = Folder::trading();
    folder.write("empty.bin", b"");
    assert_eq!(
        folder.run(&["report", "trading.bin", "empty.bin"]).code,
        Some(0)
    );
    let ran = folder.run(&["report", "trading.bin", "empty.bin", "--fail-on", "loss"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(
        ran.stderr.starts_with("error: empty.bin: is empty"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_gate_on_nothing_is_inconclusive() {
    let folder = Folder::trading();
    let ran = folder.run(&["report", "trading.bin", "--fail-on", "loss", "--skip", "1h"]);
    assert_eq!(ran.code, Some(4));
}

#[test]
fn a_gate_on_a_torn_capture_is_inconclusive() {
    let bytes = Capture::default().bytes();
    let folder = Folder::with("torn.bin", &bytes[..bytes.len() * 2 / 3]);
    assert_eq!(folder.run(&["report", "torn.bin"]).code, Some(0));
    assert_eq!(
        folder
            .run(&["report", "torn.bin", "--fail-on", "loss"])
            .code,
        Some(4)
    );
}
