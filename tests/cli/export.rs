//! `export`: every form into files and pipes, what is selected, and what is left when it fails.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::captures::{Capture, NOON, candle_ns};
use super::run::{Folder, Ran, binary};

const TABLES: [&str; 7] = [
    "annotations",
    "bins",
    "captures",
    "events",
    "spans",
    "traces",
    "values",
];
/// The id of the usual capture, which names its files.
const ID: &str = "01010101010101010101010101010101";

/// All files below a folder, as paths relative to it, with what is in them.
fn files(below: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("a file can be read");
                let name = path.strip_prefix(below).expect("it is below").to_owned();
                found.insert(name, bytes);
            }
        }
    }
    found
}

fn names(below: &Path) -> Vec<String> {
    let names = files(below).into_keys();
    names.map(|name| name.display().to_string()).collect()
}

/// Rows of a table as objects.
fn rows(folder: &Folder, args: &[&str]) -> Vec<Value> {
    let args = [&["export"], args, &["--to", "ndjson", "-o", "-"]].concat();
    let text = folder.stdout(&args);
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect()
}

fn int(row: &Value, column: &str) -> i64 {
    row[column]
        .as_i64()
        .unwrap_or_else(|| panic!("{column} in {row}"))
}

#[test]
fn every_form_of_tables_is_a_file_a_table_and_capture() {
    let folder = Folder::trading();
    for (form, extension, begins) in [
        ("parquet", "parquet", &b"PAR1"[..]),
        ("arrow", "arrow", &[0xFF; 4][..]),
        ("csv", "csv", b""),
        ("ndjson", "ndjson", b""),
    ] {
        let ran = folder.run(&["export", "trading.bin", "--to", form, "-o", form]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(0), ""),
            "{}",
            ran.stderr
        );
        let found = files(&folder.path(form));
        let expected = TABLES.map(|table| PathBuf::from(format!("{table}/{ID}.{extension}")));
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
        for (name, bytes) in found {
            assert!(bytes.starts_with(begins), "{form} {}", name.display());
        }
        let told: Vec<_> = ran
            .stderr
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(
            told[0][..5],
            ["spans", "6,600", "rows", "1", "file"],
            "{}",
            ran.stderr
        );
        assert_eq!(told.len(), TABLES.len());
    }
}

#[test]
fn every_form_that_is_one_file_is_a_file_or_a_pipe() {
    let folder = Folder::trading();
    for (form, begins) in [
        ("hlog", &b"#["[..]),
        ("perfetto", &[0x0A][..]),
        ("otlp-json", b"{\"resourceSpans\":"),
    ] {
        folder.stdout(&["export", "trading.bin", "--to", form, "-o", form, "-q"]);
        let bytes = std::fs::read(folder.path(form)).expect("the file is there");
        assert!(bytes.starts_with(begins), "{form}: {:?}", &bytes[..20]);
        let mut command = folder.command(&["export", "trading.bin", "--to", form, "-o", "-", "-q"]);
        let piped = command.output().expect("the binary starts");
        assert_eq!((piped.status.code(), piped.stderr), (Some(0), Vec::new()));
        assert!(piped.stdout == bytes, "{form}");
    }
    assert_eq!(
        folder.names(),
        ["hlog", "otlp-json", "perfetto", "trading.bin"]
    );
}

#[test]
fn tables_in_a_pipe_are_those_in_files() {
    let folder = Folder::trading();
    for (form, extension) in [
        ("parquet", "parquet"),
        ("arrow", "arrow"),
        ("csv", "csv"),
        ("ndjson", "ndjson"),
    ] {
        let export = ["export", "trading.bin", "--to", form, "--table", "spans"];
        folder.stdout(&[&export[..], &["-o", "out", "-q"]].concat());
        let args = [&export[..], &["-o", "-"]].concat();
        let piped = folder.command(&args).output().expect("the binary starts");
        assert_eq!((piped.status.code(), piped.stderr), (Some(0), Vec::new()));
        let file = std::fs::read(folder.path(&format!("out/spans/{ID}.{extension}")));
        assert!(piped.stdout == file.expect("it is there"), "{form}");
    }
}

#[test]
fn spans_are_selected_by_event_and_end() {
    let folder = Folder::trading();
    let spans = |args: &[&str]| {
        rows(
            &folder,
            &[&["trading.bin", "--table", "spans"], args].concat(),
        )
    };
    let orders = spans(&["--event", "ORDER_*"]);
    assert_eq!(orders.len(), 600);
    assert!(orders.iter().all(|row| row["event"] == "ORDER_SUBMIT"));
    let candles = spans(&[
        "--event",
        "CANDLE_PROCESSING",
        "--since",
        "+10s",
        "--until",
        "+20s",
    ]);
    // One ends every 10 ms, the first at 5 ms.
    assert_eq!(candles.len(), 1000);
    for (row, number) in candles.iter().zip(1000..) {
        let end = NOON + number as i64 * 10_000_000 + 5_000_000;
        assert_eq!(int(row, "duration_ns"), candle_ns(number) as i64);
        assert_eq!(int(row, "start_ns") + int(row, "duration_ns"), end);
        assert_eq!(
            row["trace_id"],
            (0x9E37_79B9_7F4A_7C15_u64 ^ number).to_string()
        );
        assert_eq!(
            (&row["thread"], &row["outcome"]),
            (&"feed".into(), &"ok".into())
        );
        assert_eq!(
            (&row["capture"], &row["host"]),
            (&ID.into(), &"build-7".into())
        );
    }
}

#[test]
fn columns_are_those_asked_for_in_the_order_of_the_table() {
    let folder = Folder::trading();
    let args = [
        "export",
        "trading.bin",
        "--to",
        "csv",
        "--table",
        "spans",
        "--columns",
        "duration_ns,start_ns",
    ];
    let page = folder.stdout(&[&args[..], &["--timestamps", "-o", "-"]].concat());
    let mut lines = page.lines();
    assert_eq!(lines.next(), Some("start_ns,start,duration_ns"));
    assert_eq!(
        lines.next(),
        Some("1777636800004990000,2026-05-01T12:00:00.004990000Z,10000")
    );
    // Tables that have none of them are left out.
    folder.stdout(&[
        "export",
        "trading.bin",
        "--columns",
        "bin_low_ns,count",
        "-o",
        "out",
        "-q",
    ]);
    assert_eq!(names(&folder.path("out")), [format!("bins/{ID}.parquet")]);
}

#[test]
fn bins_hold_every_span_in_slots() {
    let folder = Folder::trading();
    let bins = rows(
        &folder,
        &["trading.bin", "--table", "bins", "--slot", "10s"],
    );
    let mut counts: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for row in &bins {
        let key = (int(row, "slot_unix_ns"), row["event"].to_string());
        *counts.entry(key).or_default() += int(row, "count");
        assert!(int(row, "bin_low_ns") <= int(row, "bin_high_ns"));
    }
    for slot in 0..6 {
        let at = NOON + slot * 10_000_000_000;
        assert_eq!(counts[&(at, "\"CANDLE_PROCESSING\"".to_owned())], 1000);
        assert_eq!(counts[&(at, "\"ORDER_SUBMIT\"".to_owned())], 100);
    }
    assert_eq!(counts.len(), 12);
}

#[test]
fn partitions_are_directories_and_what_no_longer_is_goes() {
    let folder = Folder::trading();
    let export = |more: &[&str]| {
        let args = [
            "export",
            "trading.bin",
            "--table",
            "spans,captures",
            "-o",
            "lake",
            "-q",
        ];
        folder.stdout(&[&args[..], &["--partition-by", "date,host,event"], more].concat());
        names(&folder.path("lake"))
    };
    let place =
        |event: &str| format!("spans/date=2026-05-01/host=build-7/event={event}/{ID}.parquet");
    let captures = format!("captures/{ID}.parquet");
    let all = [
        captures.clone(),
        place("CANDLE_PROCESSING"),
        place("ORDER_SUBMIT"),
    ];
    assert_eq!(export(&[]), all);
    let first = files(&folder.path("lake"));
    assert_eq!(export(&[]), all);
    assert!(files(&folder.path("lake")) == first, "twice is the same");
    // Another capture beside it stays.
    let other = Capture {
        id: 2,
        candles: 20,
        ..Capture::default()
    };
    folder.write("other.bin", &other.bytes());
    let args = [
        "export",
        "other.bin",
        "--table",
        "spans",
        "-o",
        "lake",
        "-q",
    ];
    folder.stdout(&[&args[..], &["--partition-by", "date,host,event"]].concat());
    let narrower = export(&["--event", "ORDER_*"]);
    let theirs = |event| place(event).replace("01010101", "02020202");
    let left = [
        captures,
        theirs("CANDLE_PROCESSING"),
        place("ORDER_SUBMIT"),
        theirs("ORDER_SUBMIT"),
    ];
    assert_eq!(narrower, left);
}

#[test]
fn a_failing_write_leaves_what_was_there() {
    let folder = Folder::trading();
    folder.stdout(&[
        "export",
        "trading.bin",
        "--table",
        "events",
        "-o",
        "out",
        "-q",
    ]);
    folder.write("one.json", b"mine");
    let before = files(&folder.path("."));
    // No file may become longer than 512 bytes.
    let limited = |args: &[&str]| {
        let mut command = Command::new("sh");
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" export trading.bin \"$@\"";
        command.args(["-c", script]).arg(binary()).args(args);
        command.current_dir(folder.path("."));
        Ran::from(command.output().expect("a shell starts"))
    };
    for form in ["parquet", "arrow", "csv", "ndjson"] {
        let ran = limited(&["--to", form, "-o", "out"]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{}", ran.stderr);
        assert!(
            lines[0].starts_with("error: out/") && lines[0].contains("File too large"),
            "{}",
            lines[0]
        );
    }
    for form in ["hlog", "perfetto", "otlp-json"] {
        let ran = limited(&["--to", form, "--slot", "1s", "-o", "one.json"]);
        ran.fails(3, "one.json: File too large (os error 27)");
    }
    assert!(
        files(&folder.path(".")) == before,
        "{:?}",
        names(&folder.path("."))
    );
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::trading();
    for form in ["parquet", "arrow", "csv", "ndjson", "perfetto", "otlp-json"] {
        let mut command = folder.command(&["export", "trading.bin", "--to", form, "-o", "-"]);
        if matches!(form, "parquet" | "arrow" | "csv" | "ndjson") {
            command.args(["--table", "spans"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut out = child.stdout.take().expect("it is piped");
        out.read_exact(&mut [0; 1]).expect("there is output");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), stderr.as_str()),
            (Some(0), ""),
            "{form}"
        );
    }
}

#[test]
fn what_does_not_go_together_is_a_usage_error() {
    let folder = Folder::trading();
    for (args, error) in [
        (
            &["--columns", "duration"][..],
            "no table has a column `duration`; did you mean duration_ns?",
        ),
        (
            &["--table", "spans", "--columns", "bin_low_ns"],
            "no table has any of these columns",
        ),
        (
            &["--to", "hlog", "--table", "spans"],
            "--table is for tables, and this form is one file",
        ),
        (
            &["--slot", "0s"],
            "invalid value '0s' for '--slot <SPAN>': expected more than no time at all",
        ),
        (&["--to", "xlsx"], "invalid value 'xlsx' for '--to <FORM>'"),
        (
            &["--table", "span"],
            "invalid value 'span' for '--table <LIST>'",
        ),
    ] {
        let ran = folder.run(&[&["export", "trading.bin", "-o", "out"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert_eq!(line, format!("error: {error}"), "{args:?}");
    }
    for (args, error) in [
        (
            &[][..],
            "standard output takes one table; choose it with --table",
        ),
        (
            &["--table", "spans", "--partition-by", "date"],
            "standard output has no directories to partition by",
        ),
    ] {
        let ran = folder.run(&[&["export", "trading.bin", "-o", "-"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert_eq!(line, format!("error: {error}"), "{args:?}");
    }
    assert_eq!(folder.names(), ["trading.bin"]);
}

#[test]
fn an_event_that_is_not_there_is_told_of() {
    let folder = Folder::trading();
    let ran = folder.run(&[
        "export",
        "trading.bin",
        "--table",
        "spans",
        "--event",
        "ORDER_SUBMT",
        "-o",
        "out",
    ]);
    assert_eq!(ran.code, Some(0));
    let line = ran.stderr.lines().next().unwrap_or_default();
    assert_eq!(
        line,
        "warning: no event matches \"ORDER_SUBMT\"; did you mean ORDER_SUBMIT or ORDERS_SUBMITTED?"
    );
    assert_eq!(names(&folder.path("out")), [format!("spans/{ID}.parquet")]);
}

#[test]
fn a_capture_is_never_written_over() {
    let folder = Folder::trading();
    let before = files(&folder.path("."));
    for form in ["hlog", "perfetto", "otlp-json"] {
        folder
            .run(&["export", "trading.bin", "--to", form, "-o", "trading.bin"])
            .fails(
                3,
                "trading.bin is a capture and is left alone; write to another file",
            );
    }
    folder
        .run(&["export", "trading.bin", "-o", "trading.bin"])
        .fails(3, "trading.bin is a file; name a directory for the tables");
    assert!(files(&folder.path(".")) == before);
}
