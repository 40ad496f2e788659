//! `info` and `verify` on sound captures, and captures that were not closed.

use serde_json::json;

use super::captures::Capture;
use super::run::{Folder, sizes_hidden, warnings};

#[test]
fn info_says_what_a_capture_is_made_of() {
    let folder = Folder::trading();
    let page = folder.in_columns(80, &["info", "trading.bin", "--wide"]);
    // How many bytes each kind of chunk and column takes changes with every improvement of the encoding.
    let (before, rest) = page
        .split_once("\nchunks ")
        .expect("there is a table of chunks");
    let (sizes, anchors) = rest
        .rsplit_once("\nanchors ")
        .expect("there is a table of anchors");
    expect_test::expect![[r#"
        trading.bin
          capture  01010101010101010101010101010101, part 0, format 1.0
          program  trading, pid 4711 on build-7
          boot     0b007
          start    2026-05-01 12:00:00.000 UTC
          clock    synthetic, 1,000 MHz: made for a test
          anchors  2, each within 250 ns
          size     ### kB
          label    version 1.2.3
          end      closed

        events             kind         unit     records  id
        CANDLE_PROCESSING  span         ns         6,000   1
        ORDER_SUBMIT       span         ns           600   2
        ORDERS_SUBMITTED   counter      orders       600   3
        QUEUE_BACKLOG      gauge        candles    6,000   4
        GC_PAUSE           observation  ns           600   5
        BATCH_SIZE         observation  orders       600   6

        threads   records  id
        feed       12,000   1
        executor    2,400   2
        anchors                              ticks  within  segment
        2026-05-01 12:00:00.000 UTC   5,000,000,000  250 ns        0
        2026-05-01 12:01:00.000 UTC  65,000,000,000  250 ns        0
    "#]]
    .assert_eq(&sizes_hidden(&format!("{before}anchors{anchors}")));
    for kind in [
        "events ",
        "rollup ",
        "close ",
        "\ncolumns ",
        "end ",
        "value ",
        "head ",
    ] {
        assert!(sizes.contains(kind), "{kind}: {sizes}");
    }
    let info = folder.json(&["info", "trading.bin"]);
    assert_eq!(info["schema"], "perf-analyze/info/1");
    let file = &info["files"][0];
    assert_eq!(
        (&file["capture_id"], &file["labels"]),
        (&json!("01".repeat(16)), &json!({"version": "1.2.3"}))
    );
    let sheet = folder.stdout(&["info", "trading.bin", "--format", "csv"]);
    expect_test::expect![[r#"
        file,event,kind,unit,records,id
        trading.bin,CANDLE_PROCESSING,span,ns,6000,1
        trading.bin,ORDER_SUBMIT,span,ns,600,2
        trading.bin,ORDERS_SUBMITTED,counter,orders,600,3
        trading.bin,QUEUE_BACKLOG,gauge,candles,6000,4
        trading.bin,GC_PAUSE,observation,ns,600,5
        trading.bin,BATCH_SIZE,observation,orders,600,6
    "#]]
    .assert_eq(&sheet);
}

#[test]
fn verify_checks_everything() {
    let folder = Folder::trading();
    let page = folder.stdout(&["verify", "trading.bin"]);
    for part in [
        "  verdict  intact\n",
        " chunks, ",
        " columns, 14,400 records\n",
        "  end      closed\n",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        page.contains("  rollups  1 compared with their records, count for count\n"),
        "{page}"
    );
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

#[test]
fn repeated_anchors_are_sound() {
    let repeated = Capture {
        anchors_repeated: true,
        ..Capture::default()
    };
    let folder = Folder::with("repeated.bin", &repeated.bytes());
    folder.write("trading.bin", &Capture::default().bytes());
    assert_eq!(folder.run(&["verify", "repeated.bin"]).code, Some(0));
    let events = |name| folder.json(&["report", name])["events"].clone();
    assert_eq!(events("repeated.bin"), events("trading.bin"));
}
