//! `import`: traces of other tools as captures, and what is said of those that cannot be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::run::{Folder, row};

/// A span as OTLP JSON has it: trace and ids in hexadecimal, times in ns.
fn span(trace: &str, (id, parent): (&str, &str), name: &str, (start, end): (u64, u64)) -> Value {
    json!({
        "traceId": trace,
        "spanId": id,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": end.to_string(),
    })
}

fn otlp(spans: &[Value]) -> Vec<u8> {
    let document = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    document.to_string().into_bytes()
}

const NOON: u64 = super::captures::NOON as u64;

/// Names of spans of a trace with the names of their parents.
fn tree(folder: &Folder, capture: &str, trace: &str) -> BTreeMap<String, Option<String>> {
    let told = folder.json(&["traces", capture, "--trace", trace]);
    let spans = told["slowest"][0]["spans"]
        .as_array()
        .expect("a list of spans");
    let name = |at: &Value| at["event"].as_str().expect("a name").to_owned();
    let parent = |span: &Value| span["parent"].as_u64().map(|at| name(&spans[at as usize]));
    spans
        .iter()
        .map(|span| (name(span), parent(span)))
        .collect()
}

#[test]
fn parents_that_are_named_beat_what_lies_within_what() {
    // By their times c lies in b, b in a, and d in a; by their names c and d are of a, and b is of c.
    let at = |from: u64, to: u64| (NOON + from, NOON + to);
    let spans = |named: bool| {
        let ids = |id, parent| if named { (id, parent) } else { ("", "") };
        otlp(&[
            span("01", ids("000000000000000a", ""), "a", at(0, 1000)),
            span(
                "01",
                ids("000000000000000b", "000000000000000c"),
                "b",
                at(100, 900),
            ),
            span(
                "01",
                ids("000000000000000c", "000000000000000a"),
                "c",
                at(200, 800),
            ),
            span(
                "01",
                ids("000000000000000d", "000000000000000a"),
                "d",
                at(300, 700),
            ),
        ])
    };
    let folder = Folder::new();
    for (name, named) in [("named", true), ("unnamed", false)] {
        folder.write(&format!("{name}.json"), &spans(named));
        let ran = folder.run(&["import", &format!("{name}.json")]);
        assert_eq!(
            ran.stderr,
            format!("{name}.bin: 4 spans in 1 traces, 0 values\n")
        );
    }
    let tree_of = |capture| {
        let tree = tree(&folder, capture, "0000000000000001");
        let parents = tree.into_values();
        parents
            .map(|parent| parent.unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(tree_of("named.bin"), ["", "c", "a", "a"]);
    assert_eq!(tree_of("unnamed.bin"), ["", "a", "b", "c"]);
}

#[test]
fn a_parent_on_another_thread_is_kept_and_one_that_is_not_there_is_told_of() {
    let mut elsewhere = span("02", ("b", "a"), "remote", (NOON + 10, NOON + 20));
    elsewhere["attributes"] =
        json!([{ "key": "thread.name", "value": { "stringValue": "other" } }]);
    let folder = Folder::with(
        "t.json",
        &otlp(&[
            span("02", ("a", ""), "local", (NOON, NOON + 100)),
            elsewhere,
            span("02", ("c", "ffff"), "stray", (NOON + 30, NOON + 40)),
        ]),
    );
    let ran = folder.run(&["import", "t.json"]);
    assert_eq!(
        ran.stderr,
        "t.bin: 3 spans in 1 traces, 0 values\n\
         warning: 1 spans name a parent that is not among the spans that ended: their times give them one\n"
    );
    let tree = tree(&folder, "t.bin", "0000000000000002");
    assert_eq!(tree["remote"].as_deref(), Some("local"));
    assert_eq!(tree["stray"].as_deref(), Some("local"));
}

#[test]
fn what_is_exported_comes_back_as_it_was() {
    let folder = Folder::trading();
    let quiet = |args: &[&str]| folder.stdout(&[args, &["-q"]].concat());
    quiet(&["export", "trading.bin", "--to", "otlp-json", "-o", "t.json"]);
    quiet(&["import", "t.json", "-o", "again.bin"]);
    let columns = "start_ns,duration_ns,event,outcome,trace_id,thread";
    let spans = |capture: &str| {
        let table = ["--to", "csv", "--table", "spans", "--columns", columns];
        let text = quiet(&[&["export", capture], &table[..], &["-o", "-"]].concat());
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let own = spans("trading.bin");
    assert_eq!(own.len(), 6601);
    assert_eq!(spans("again.bin"), own);
}

#[test]
fn a_begin_without_an_end_is_an_open_span() {
    let events = json!({ "traceEvents": [
        { "ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": { "name": "worker" } },
        { "ph": "B", "name": "outer", "pid": 1, "tid": 2, "ts": 10.5 },
        { "ph": "B", "name": "inner", "pid": 1, "tid": 2, "ts": 11 },
        { "ph": "E", "name": "inner", "pid": 1, "tid": 2, "ts": 12.25 },
        { "ph": "X", "name": "whole", "pid": 1, "tid": 2, "ts": 13, "dur": 2, "args": { "outcome": "error" } },
        { "ph": "E", "pid": 1, "tid": 3, "ts": 14 },
        { "ph": "C", "name": "queue", "pid": 1, "tid": 2, "ts": 15, "args": { "value": 7 } },
    ] });
    let folder = Folder::with("chrome.json", events.to_string().as_bytes());
    let ran = folder.run(&["import", "chrome.json", "-o", "made.bin"]);
    assert_eq!(
        ran.stderr,
        "made.bin: 2 spans in 0 traces, 1 values\n\
         warning: 1 spans had begun and not ended: they are open spans of the capture\n\
         warning: 1 ends have no begin, and were left out\n\
         warning: 1 entries have no place in a capture, and were left out\n"
    );
    assert_eq!(ran.code, Some(0));
    let report = folder.json(&["report", "made.bin"]);
    assert_eq!(row(&report, "inner", Some("ok"))["max"], 1250);
    assert_eq!(row(&report, "whole", Some("error"))["max"], 2000);
    assert_eq!(row(&report, "queue", None)["max"], 7);
    assert_eq!(report["captures"][0]["open_spans"], 1);
}

#[test]
fn ids_that_agree_in_their_low_half_are_counted() {
    let ids = [
        "0a",
        "000000000000000100000000000000ff",
        "000000000000000200000000000000ff",
    ];
    let spans: Vec<_> = ids
        .map(|id| span(id, ("1", ""), "s", (NOON, NOON + 5)))
        .into();
    let folder = Folder::with("t.json", &otlp(&spans));
    let ran = folder.run(&["import", "t.json"]);
    assert_eq!(
        ran.stderr,
        "t.bin: 3 spans in 2 traces, 0 values\n\
         warning: 1 trace ids agree with another in their low half: each became one trace with that\n"
    );
    let notes = [
        "export",
        "t.bin",
        "--to",
        "csv",
        "--table",
        "annotations",
        "--columns",
        "trace_id,key,text",
    ];
    assert_eq!(
        folder.stdout(&[&notes[..], &["-o", "-", "-q"]].concat()),
        "trace_id,key,text\n255,trace_id_high,0000000000000001\n"
    );
}

#[test]
fn what_cannot_be_read_is_one_line_that_says_what_to_do() {
    let span_with = |field: &str, value: Value| {
        let mut span = span("01", ("1", ""), "s", (NOON, NOON + 5));
        span[field] = value;
        otlp(&[span])
    };
    let mut gzip = b"\x1F\x8B\x08".to_vec();
    gzip.extend([0xFF; 20]);
    let cases: [(&[u8], &str); 11] = [
        (
            b"\n[{\"ph\":\"X\",}]",
            "line 2 column 12: trailing comma; expected JSON, for Chrome's trace format; write the file again with the \
             tool that made it",
        ),
        (
            b"{\"resourceSpans\": [",
            "line 1 column 19: EOF while parsing a list; expected more of it, for `traceEvents` (Chrome) or \
             `resourceSpans` (OTLP JSON); the file was cut off; copy or record it again",
        ),
        (
            b"{\"resourceSpans\": 5}",
            "line 1 column 19: invalid type: integer `5`, expected a sequence; expected the fields of that format, for \
             `traceEvents` (Chrome) or `resourceSpans` (OTLP JSON); check which program wrote it, and in which format",
        ),
        (
            b"{\"spans\": []}",
            "is no trace of a known format; expected `traceEvents` (Chrome) or `resourceSpans` (OTLP JSON); export it in \
             one of the two",
        ),
        (
            b"",
            "is no trace of a known format; expected `traceEvents` (Chrome) or `resourceSpans` (OTLP JSON); export it in \
             one of the two",
        ),
        (
            b"[]",
            "holds no span and no value; expected at least one; check that something was recorded",
        ),
        (
            b"[{\"ph\":\"X\",\"ts\":\"soon\"}]",
            "`ts` of event 0 is wrong; expected a number of µs; mend it, or leave it out of the file",
        ),
        (
            b"[{\"ph\":\"X\",\"ts\":1,\"dur\":-1}]",
            "`dur` of event 0 is wrong; expected a number of µs that is not negative; mend it, or leave it out of the \
             file",
        ),
        (
            &span_with("traceId", json!("xyz")),
            "`traceId` of span `s` is wrong; expected up to 32 hexadecimal digits; mend it, or leave it out of the file",
        ),
        (
            &span_with("startTimeUnixNano", json!(i64::MIN)),
            "its times are centuries apart; expected times within 292 years; leave out the times that are wrong",
        ),
        (
            &gzip,
            "byte 1: is compressed with gzip; expected JSON; unpack it with gunzip first",
        ),
    ];
    let folder = Folder::new();
    for (bytes, error) in cases {
        folder.write("trace.json", bytes);
        folder
            .run(&["import", "trace.json"])
            .fails(3, &format!("trace.json: {error}"));
        assert_eq!(folder.names(), ["trace.json"]);
    }
    let ran = folder.run(&["import", "missing.json"]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.starts_with("error: missing.json: No such file"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_existing_file_is_left_alone() {
    let folder = Folder::with(
        "t.json",
        &otlp(&[span("1", ("1", ""), "s", (NOON, NOON + 5))]),
    );
    folder.write("t.bin", b"mine");
    folder.run(&["import", "t.json"]).fails(
        3,
        "t.bin exists and is left alone; name another file with -o",
    );
    assert_eq!(folder.read("t.bin"), "mine");
    assert_eq!(folder.names(), ["t.bin", "t.json"]);
}
