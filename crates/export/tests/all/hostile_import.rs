//! Files that were not written by whom they claim: an import ends, with a capture that can be read or with one line.

use std::fs;

use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, TraceOptions, report, traces};
use perf_export::import;
use proptest::prelude::*;

const OTLP: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"","name":"order","startTimeUnixNano":"1777636800000000000","endTimeUnixNano":"1777636800000900000","status":{"code":2,"message":"cancelled"},"attributes":[{"key":"thread.name","value":{"stringValue":"main"}},{"key":"size","value":{"intValue":"7"}},{"key":"price","value":{"doubleValue":1.5}},{"key":"perf.due_unix_ns","value":{"intValue":"1777636799999999000"}}]},
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","parentSpanId":"eee19b7ec3c1b174","name":"fill","startTimeUnixNano":"1777636800000100000","endTimeUnixNano":"1777636800000200000"},
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b176","parentSpanId":"eee19b7ec3c1b175","name":"open","startTimeUnixNano":"1777636800000300000"}]}]}]}"#;

const CHROME: &str = r#"{"traceEvents":[
{"ph":"M","name":"thread_name","pid":1,"tid":2,"args":{"name":"worker"}},
{"ph":"B","name":"outer","pid":1,"tid":2,"ts":1777636800000.5},
{"ph":"X","name":"inner","pid":1,"tid":2,"ts":1777636800001,"dur":2.25,"args":{"trace_id":"ff","outcome":"error"}},
{"ph":"E","name":"outer","pid":1,"tid":2,"ts":1777636800009},
{"ph":"b","cat":"net","id":"0x1","name":"call","pid":1,"tid":2,"ts":1777636800003},
{"ph":"e","cat":"net","id":"0x1","name":"call","pid":1,"tid":3,"ts":1777636800005},
{"ph":"C","name":"queue","pid":1,"tid":2,"ts":1777636800004,"args":{"value":3,"low":-1e3}}]}"#;

/// What stands in place of a part of the text.
const PIECES: [&str; 20] = [
    "",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "-1e-308",
    "null",
    "true",
    "\"\"",
    "\"\\u0000\\ud83d\\ude00\"",
    "[]",
    "{}",
    "[",
    "{",
    "\"",
    ",",
    ":",
    "\\",
];

/// Imports `bytes`. What comes of it must be a capture that reports take.
fn try_import(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("t.json"), folder.path().join("t.bin"));
    fs::write(&from, bytes).expect("a file can be written");
    match import(&from, &to) {
        Ok(_) => {
            let strict = OpenOptions { strict: true };
            let set = CaptureSet::open(&[to], &strict).expect("a whole capture");
            report(&set, &ReportOptions::default()).expect("a report");
            traces(&set, &TraceOptions::default()).expect("traces");
            Ok(())
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && line.len() < 1000, "{line}");
            let left = fs::read_dir(folder.path()).expect("a folder").count();
            assert_eq!(left, 1, "nothing is left of it");
            Err(line)
        }
    }
}

/// The places in `text` where a value, a key or a mark begins or ends.
fn edges(text: &str) -> Vec<usize> {
    let mark = |(_, byte): &(usize, u8)| b"{}[]:,\"".contains(byte);
    let marks = text.bytes().enumerate().filter(mark);
    marks.flat_map(|(at, _)| [at, at + 1]).collect()
}

#[test]
fn what_the_tests_start_from_is_sound() {
    for text in [OTLP, CHROME] {
        assert_eq!(try_import(text.as_bytes()), Ok(()));
    }
}

#[test]
fn a_file_may_end_anywhere() {
    for text in [OTLP, CHROME] {
        for end in (0..text.len()).step_by(7) {
            assert!(try_import(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn names_and_values_may_be_long_and_many() {
    let long = "x".repeat(1 << 20);
    let text = OTLP
        .replace("shop", &long)
        .replace("fill", &long)
        .replace("size", &long);
    assert_eq!(try_import(text.as_bytes()), Ok(()));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(try_import(deep.as_bytes()).is_err());
    let deep = CHROME.replace("\"worker\"", &deep);
    assert!(try_import(deep.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_part_that_is_another_makes_it_fail_otherwise(
        is_chrome: bool,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, 0..PIECES.len()), 1..4),
    ) {
        let mut text = if is_chrome { CHROME } else { OTLP }.to_owned();
        for (from, length, piece) in cuts {
            let edges = edges(&text);
            if edges.is_empty() {
                break;
            }
            let at = from.index(edges.len());
            let to = edges[(at + length).min(edges.len() - 1)];
            text.replace_range(edges[at]..to.max(edges[at]), PIECES[piece]);
        }
        let _ = try_import(text.as_bytes());
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise(
        is_chrome: bool,
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut text = if is_chrome { CHROME } else { OTLP }.as_bytes().to_vec();
        for (at, byte) in bytes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let _ = try_import(&text);
    }
}
