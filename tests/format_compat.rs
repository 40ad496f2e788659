//! The committed captures: the golden one is read and written as ever, and of the damaged ones everything intact.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect, expect_file};
use serde_json::Value;

use crate::cli::run::{Ran, command_in};
use crate::plain_decoder::{decode, listing};

#[path = "../crates/format/examples/golden/capture.rs"]
mod capture;
#[path = "../crates/format/examples/golden/damage.rs"]
mod damage;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures")
}

fn golden() -> Vec<u8> {
    std::fs::read(captures().join("golden/v1.bin"))
        .expect("the golden capture is part of the checkout")
}

/// Reading it gives what it gave when the format was fixed, by a decoder that shares nothing with the product.
#[test]
fn the_golden_capture_reads_as_ever() {
    let capture = decode(&golden()).expect("it is a capture");
    expect_file!["../captures/golden/v1.txt"].assert_eq(&listing(&capture));
}

#[test]
fn the_golden_capture_is_written_as_ever() {
    let written = capture::bytes().expect("a vector takes every byte");
    let golden = golden();
    let first = written.iter().zip(&golden).position(|(a, b)| a != b);
    assert!(
        written == golden,
        "the writer gives other bytes than captures/golden/v1.bin, first at {first:?}; see captures/golden/README.md"
    );
}

#[test]
fn the_damaged_captures_are_those_of_the_golden_one() {
    for (name, bytes) in damage::files(&golden()) {
        let committed = std::fs::read(captures().join("damaged").join(name));
        assert!(
            committed.is_ok_and(|committed| committed == bytes),
            "captures/damaged/{name} is another file"
        );
    }
}

/// Runs `report --scan` and `verify` on a file; compares exit codes, errors, warnings, row counts and findings.
fn check(file: &str, expected: &Expect) {
    let mut said = String::new();
    let report = ask(
        &mut said,
        "report",
        &["report", "--scan", "--format", "json", file],
    );
    if let Some(result) = report {
        said += &format!("  records {}\n", result["captures"][0]["records"]);
        for warning in result["warnings"].as_array().expect("a list") {
            said += &format!(
                "  {}: {}\n",
                plain(&warning["kind"]),
                plain(&warning["message"])
            );
        }
    }
    let verify = ask(&mut said, "verify", &["verify", "--format", "json", file]);
    if let Some(result) = verify {
        said += &format!("  intact {}\n", result["intact"]);
        for finding in result["files"][0]["findings"].as_array().expect("a list") {
            let (offset, len) = (&finding["offset"], &finding["len"]);
            said += &format!(
                "  {len} at {offset}, {}: {}\n",
                plain(&finding["kind"]),
                plain(&finding["message"])
            );
        }
    }
    ask(&mut said, "strict", &["report", "--scan", "--strict", file]);
    expected.assert_eq(&said);
}

/// Runs the binary and notes, under `what`, its exit code and what it says on standard error. Gives its answer, if that is
/// JSON.
fn ask(said: &mut String, what: &str, args: &[&str]) -> Option<Value> {
    let output = command_in(&captures(), args).output();
    let ran = Ran::from(output.expect("the binary starts"));
    *said += &format!("{what} {:?}\n{}", ran.code, ran.stderr);
    serde_json::from_str(&ran.stdout).ok()
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[test]
fn golden_capture() {
    check(
        "golden/v1.bin",
        &expect![[r#"
            report Some(0)
              records 372
              loss: 12 of 384 records were lost (12 within the selected time); percentiles over a gap are uncertain
              open_spans: 2 spans had not ended: in no percentile, though perhaps the slowest
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              few_samples: 6 rows have few samples: p99.9 of "CANDLE_PROCESSING" rests on 352, about 3000 are needed
            verify Some(0)
              intact true
            strict Some(0)
        "#]],
    );
}

#[test]
fn torn_tail() {
    check(
        "damaged/torn_tail.bin",
        &expect![[r#"
            report Some(0)
              records 172
              torn_tail: the last 238 bytes, from offset 5450, are an unfinished chunk and were not read
              not_closed: the capture was not closed cleanly
              loss: 12 of 184 records were lost (12 within the selected time); percentiles over a gap are uncertain
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              few_samples: 6 rows have few samples: p99 of "CANDLE_PROCESSING" rests on 152, about 300 are needed
            verify Some(3)
              intact false
              238 at 5450, torn_tail: the last chunk is cut short: expected 476 bytes, got 238
            strict Some(3)
            error: damaged/torn_tail.bin: the last chunk at offset 5450 is cut short: expected 476 bytes, got 238; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        "#]],
    );
}

#[test]
fn flipped_bit() {
    check(
        "damaged/flipped_bit.bin",
        &expect![[r#"
            report Some(0)
              records 372
              loss: 12 of 384 records were lost (12 within the selected time); percentiles over a gap are uncertain
              open_spans: 2 spans had not ended: in no percentile, though perhaps the slowest
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              damage: 1680 bytes at offset 841 were not read: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is c1969844
              records_unknown: 1 chunk with 164 records could not be read; percentiles miss them
              few_samples: 2 rows have few samples: p99 of "CANDLE_PROCESSING" rests on 202, about 300 are needed
            verify Some(3)
              intact false
              1680 at 1429, column: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is c1969844
              1206 at 3067, rollup: it covers 2 chunks with 164 records, of which 1 chunk with 0 records can be read
            strict Some(3)
            error: damaged/flipped_bit.bin: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is c1969844; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        "#]],
    );
}

#[test]
fn garbage_between_chunks() {
    check(
        "damaged/garbage.bin",
        &expect![[r#"
            report Some(0)
              records 372
              damage: 57 bytes at offset 2807 were not read: the length of a chunk head at offset 2807 is 745239137, above the limit of 8388608
              loss: 12 of 384 records were lost (12 within the selected time); percentiles over a gap are uncertain
              open_spans: 2 spans had not ended: in no percentile, though perhaps the slowest
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              few_samples: 6 rows have few samples: p99.9 of "CANDLE_PROCESSING" rests on 352, about 3000 are needed
            verify Some(3)
              intact false
              57 at 2807, damage: the length of a chunk head at offset 2807 is 745239137, above the limit of 8388608
            strict Some(3)
            error: damaged/garbage.bin: the length of a chunk head at offset 2807 is 745239137, above the limit of 8388608; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        "#]],
    );
}

#[test]
fn missing_bytes() {
    check(
        "damaged/missing_bytes.bin",
        &expect![[r#"
            report Some(0)
              records 372
              damage: 1650 bytes at offset 841 were not read: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is 4a08089d
              loss: 12 of 384 records were lost (12 within the selected time); percentiles over a gap are uncertain
              open_spans: 2 spans had not ended: in no percentile, though perhaps the slowest
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              damage: 1680 bytes at offset 841 were not read: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is 4a08089d
              records_unknown: 1 chunk with 164 records could not be read; percentiles miss them
              few_samples: 2 rows have few samples: p99 of "CANDLE_PROCESSING" rests on 202, about 300 are needed
            verify Some(3)
              intact false
              1650 at 841, damage: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is 4a08089d
              1680 at 1429, column: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is 4a08089d
              1206 at 3037, rollup: it covers 2 chunks with 164 records, of which 1 chunk with 0 records can be read
            strict Some(3)
            error: damaged/missing_bytes.bin: the value column of a chunk at offset 1429 is damaged: its checksum should be c6af733c and is 4a08089d; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        "#]],
    );
}

#[test]
fn damaged_header() {
    check(
        "damaged/header.bin",
        &expect![[r#"
            report Some(0)
              records 372
              damage: 295 bytes at offset 0 were not read: the file header at offset 0 is damaged: its checksum should be 7b6a8634 and is 5505deca
              loss: 12 of 384 records were lost (12 within the selected time); percentiles over a gap are uncertain
              open_spans: 2 spans had not ended: in no percentile, though perhaps the slowest
              clock_step: the wall clock was set back by 3.000 s at about 2026-01-01 00:00:00.004 UTC; durations are not affected
              recorder: the recorder noted: /dev/shm is small: rings of 16 KiB
              few_samples: 6 rows have few samples: p99.9 of "CANDLE_PROCESSING" rests on 352, about 3000 are needed
            verify Some(3)
              intact false
              295 at 0, damage: the file header at offset 0 is damaged: its checksum should be 7b6a8634 and is 5505deca
            strict Some(3)
            error: damaged/header.bin: the file header at offset 0 is damaged: its checksum should be 7b6a8634 and is 5505deca; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        "#]],
    );
}

#[test]
fn newer_version() {
    check(
        "damaged/newer.bin",
        &expect![[r#"
        report Some(3)
        error: damaged/newer.bin: is a capture of format version 2: this program reads up to 1; update perf-analyze
        verify Some(3)
        error: damaged/newer.bin: is a capture of format version 2: this program reads up to 1; update perf-analyze
        strict Some(3)
        error: damaged/newer.bin: is a capture of format version 2: this program reads up to 1; update perf-analyze
    "#]],
    );
}

#[test]
fn foreign_file() {
    check(
        "damaged/foreign.bin",
        &expect![[r#"
        report Some(3)
        error: damaged/foreign.bin: is not a capture: offset 0: expected 89 50 45 52 46 0d 0a 1a, got 7f 45 4c 46 02 01 01 20; give a file that perf-recorder wrote
        verify Some(3)
        error: damaged/foreign.bin: is not a capture: offset 0: expected 89 50 45 52 46 0d 0a 1a, got 7f 45 4c 46 02 01 01 20; give a file that perf-recorder wrote
        strict Some(3)
        error: damaged/foreign.bin: is not a capture: offset 0: expected 89 50 45 52 46 0d 0a 1a, got 7f 45 4c 46 02 01 01 20; give a file that perf-recorder wrote
    "#]],
    );
}

#[test]
fn empty_file() {
    check(
        "damaged/empty.bin",
        &expect![[r#"
        report Some(3)
        error: damaged/empty.bin: is empty: expected a capture, got 0 bytes; was the recorder stopped before it wrote anything? See `perf-analyze recover`
        verify Some(3)
        error: damaged/empty.bin: is empty: expected a capture, got 0 bytes; was the recorder stopped before it wrote anything? See `perf-analyze recover`
        strict Some(3)
        error: damaged/empty.bin: is empty: expected a capture, got 0 bytes; was the recorder stopped before it wrote anything? See `perf-analyze recover`
    "#]],
    );
}
