//! Files that are missing, empty, foreign, newer, cut or damaged.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use perf_format::{ChunkKind, ColumnId, Frame, Index};

use super::captures::Capture;
use super::run::{Folder, row, warnings};

/// The bytes of a capture, and where its chunks of `kind` lie.
fn with_chunks(kind: ChunkKind) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let bytes = Capture::default().bytes();
    let index = Index::build(&bytes).expect("it is a capture");
    let chunks = index
        .chunks
        .iter()
        .filter(|entry| entry.head.kind == kind)
        .map(|entry| {
            let start = usize::try_from(entry.offset).expect("a small file");
            start..start + index.chunk_bytes(&bytes, entry).len()
        });
    let chunks = chunks.collect();
    (bytes, chunks)
}

#[test]
fn nothing_to_read_is_one_line_and_exit_code_3() {
    let folder = Folder::new();
    folder.write("empty.bin", b"");
    folder.write(
        "foreign.bin",
        b"\x7fELF\x02\x01\x01 and so on, for long enough to be anything at all",
    );
    folder.write("short.bin", &Capture::default().bytes()[..40]);
    folder.write("newer.bin", &newer(9));
    std::fs::create_dir(folder.path("nothing")).expect("a folder can be made");
    let mut lines = String::new();
    for name in [
        "missing.bin",
        "empty.bin",
        "foreign.bin",
        "short.bin",
        "newer.bin",
        "nothing",
        "no*match.bin",
    ] {
        for command in ["report", "info", "verify"] {
            let ran = folder.run(&[command, name]);
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(3), ""),
                "{command} {name}"
            );
            assert_eq!(
                ran.stderr.lines().count(),
                1,
                "{command} {name}: {}",
                ran.stderr
            );
            if command == "report" {
                lines.push_str(&ran.stderr);
            }
        }
    }
    expect_test::expect![[r#"
        error: missing.bin: no such file; check the path
        error: empty.bin: is empty: expected a capture, got 0 bytes; was the recorder stopped before it wrote anything? See `perf-analyze recover`
        error: foreign.bin: is not a capture: offset 0: expected 89 50 45 52 46 0d 0a 1a, got 7f 45 4c 46 02 01 01 20; give a file that perf-recorder wrote
        error: short.bin: the file header at offset 0 is cut short: expected 202 bytes, got 40; `perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact
        error: newer.bin: is a capture of format version 9: this program reads up to 1; update perf-analyze
        error: nothing: holds no capture: expected files named *.bin or *.bin.zst; record one, or name the file
        error: no*match.bin: no such file; check the path
    "#]].assert_eq(&lines);
}

/// A capture of another major version, with a header that is otherwise sound.
fn newer(major: u8) -> Vec<u8> {
    let mut bytes = Capture::default().bytes();
    bytes[8] = major;
    let head_len = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
    let sum = crc32c::crc32c(&bytes[..head_len - 4]);
    bytes[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn a_torn_tail_costs_only_itself() {
    let (bytes, chunks) = with_chunks(ChunkKind::EVENTS);
    let last = chunks.last().expect("there are event chunks");
    let folder = Folder::with("torn.bin", &bytes[..last.start + last.len() / 2]);
    let report = folder.json(&["report", "torn.bin"]);
    assert_eq!(row(&report, "CANDLE_PROCESSING", Some("ok"))["count"], 5000);
    assert!(
        warnings(&report).contains(&"torn_tail"),
        "{:?}",
        warnings(&report)
    );
    assert_eq!(report["captures"][0]["closed_cleanly"], false);

    let strict = folder.run(&["report", "torn.bin", "--strict"]);
    assert_eq!(
        (
            strict.code,
            strict.stdout.as_str(),
            strict.stderr.lines().count()
        ),
        (Some(3), "", 1)
    );
    assert!(
        strict.stderr.contains(&format!("offset {}", last.start)),
        "{}",
        strict.stderr
    );
}

#[test]
fn a_capture_cut_anywhere_is_read_as_far_as_it_goes() {
    let bytes = Capture {
        candles: 300,
        ..Capture::default()
    }
    .bytes();
    let folder = Folder::new();
    for len in (0..bytes.len()).step_by(bytes.len() / 40) {
        folder.write("cut.bin", &bytes[..len]);
        for command in ["report", "info", "verify"] {
            let ran = folder.run(&[command, "cut.bin"]);
            assert!(
                matches!(ran.code, Some(0 | 3)),
                "{command} at {len}: {ran:?}"
            );
            assert!(
                ran.code == Some(0) || command == "verify" || ran.stderr.lines().count() == 1,
                "{ran:?}"
            );
        }
    }
}

#[test]
fn a_damaged_event_chunk_is_found_by_whoever_reads_it() {
    let (mut bytes, chunks) = with_chunks(ChunkKind::EVENTS);
    let start = chunks[2].start;
    let frame = Frame::parse(&bytes[chunks[2].clone()], start as u64).expect("the chunk is sound");
    let values = frame.column(ColumnId::VALUE).expect("events have values");
    let middle = start + frame.head.head_len as usize + (values.offset + values.len / 2) as usize;
    bytes[middle] ^= 0x10;
    let folder = Folder::with("damaged.bin", &bytes);

    // The rollup still counts what is in it.
    let rolled = folder.json(&["report", "damaged.bin"]);
    assert_eq!(row(&rolled, "CANDLE_PROCESSING", Some("ok"))["count"], 6000);
    // A scan reads the other five chunks.
    let scanned = folder.json(&["report", "damaged.bin", "--scan"]);
    assert!(!warnings(&scanned).is_empty(), "{scanned}");
    let strict = folder.run(&["report", "damaged.bin", "--scan", "--strict"]);
    assert_eq!(
        (strict.code, strict.stderr.lines().count()),
        (Some(3), 1),
        "{strict:?}"
    );

    let verified = folder.run(&["verify", "damaged.bin", "--format", "json"]);
    assert_eq!(verified.code, Some(3));
    let verified: serde_json::Value = serde_json::from_str(&verified.stdout).expect("it is JSON");
    assert_eq!(verified["intact"], false);
    let offset = verified["files"][0]["findings"][0]["offset"]
        .as_u64()
        .expect("a number");
    assert!(
        chunks[2].contains(&(offset as usize)),
        "{offset} is not in {:?}",
        chunks[2]
    );
    let page = folder.run(&["verify", "damaged.bin"]);
    assert_eq!(page.code, Some(3));
    assert!(page.stdout.contains("not intact"), "{}", page.stdout);
}

#[test]
fn a_damaged_head_is_stepped_over() {
    let (mut bytes, chunks) = with_chunks(ChunkKind::EVENTS);
    bytes[chunks[1].start + 20] ^= 0xFF;
    let folder = Folder::with("damaged.bin", &bytes);
    let report = folder.json(&["report", "damaged.bin", "--scan"]);
    assert_eq!(row(&report, "CANDLE_PROCESSING", Some("ok"))["count"], 5000);
    assert!(
        warnings(&report).contains(&"damage"),
        "{:?}",
        warnings(&report)
    );
    let info = folder.json(&["info", "damaged.bin"]);
    assert_eq!(
        info["files"][0]["damage"][0]["offset"].as_u64(),
        Some(chunks[1].start as u64)
    );
    assert_eq!(
        folder.run(&["info", "damaged.bin", "--strict"]).code,
        Some(3)
    );
    assert_eq!(folder.run(&["verify", "damaged.bin"]).code, Some(3));
}

#[test]
fn a_damaged_rollup_is_replaced_by_a_scan() {
    let (mut bytes, chunks) = with_chunks(ChunkKind::ROLLUP);
    let middle = chunks[0].start + chunks[0].len() / 2;
    bytes[middle] ^= 0x01;
    let folder = Folder::with("damaged.bin", &bytes);
    let sound =
        Folder::with("damaged.bin", &Capture::default().bytes()).json(&["report", "damaged.bin"]);
    let report = folder.json(&["report", "damaged.bin"]);
    assert_eq!(report["events"], sound["events"]);
    assert!(!warnings(&report).is_empty());
    assert_eq!(folder.run(&["verify", "damaged.bin"]).code, Some(3));
}

#[test]
fn an_unreadable_file_among_others_is_a_warning() {
    let folder = Folder::with("good.bin", &Capture::default().bytes());
    folder.write(
        "bad.bin",
        b"not a capture, but long enough to be looked at for a header",
    );
    let report = folder.json(&["report", "."]);
    assert_eq!(row(&report, "CANDLE_PROCESSING", Some("ok"))["count"], 6000);
    assert_eq!(warnings(&report)[0], "unreadable");
    let strict = folder.run(&["report", ".", "--strict"]);
    assert_eq!(strict.code, Some(3));
    assert!(
        strict
            .stderr
            .starts_with("error: ./bad.bin: is not a capture"),
        "{}",
        strict.stderr
    );
    assert_eq!(folder.run(&["verify", "."]).code, Some(3));
}

#[test]
fn every_flipped_bit_leaves_an_answer_or_one_line() {
    let bytes = Capture {
        candles: 300,
        ..Capture::default()
    }
    .bytes();
    let folder = Folder::new();
    for place in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        folder.write("flipped.bin", &flipped);
        let ran = folder.run(&["report", "flipped.bin", "--scan"]);
        match ran.code {
            Some(0) => assert!(ran.stderr.is_empty(), "{place}: {ran:?}"),
            code => assert_eq!(
                (code, ran.stderr.lines().count()),
                (Some(3), 1),
                "{place}: {ran:?}"
            ),
        }
        let verified = folder.run(&["verify", "flipped.bin"]);
        assert_eq!(
            verified.code,
            Some(3),
            "the flipped bit at {place} goes unnoticed: {verified:?}"
        );
    }
}

#[test]
fn verify_says_each_thing_that_is_wrong_once() {
    let bytes = Capture::default().bytes();
    let folder = Folder::with("torn.bin", &bytes[..bytes.len() - 20]);
    let ran = folder.run(&["verify", "torn.bin"]);
    assert_eq!(ran.code, Some(3));
    let notes = ran.stdout.lines().filter(|line| line.starts_with('!'));
    assert_eq!(notes.count(), 1, "{}", ran.stdout);
    assert!(
        !ran.stdout.contains("perf-analyze verify"),
        "{}",
        ran.stdout
    );
}

/// Whether a cut falls into the reading is up to chance; that it kills nobody, and is said in one line, is not.
#[test]
fn a_file_cut_short_while_it_is_read_is_one_line_or_an_answer() {
    let bytes = Capture::default().bytes();
    let folder = Folder::with("trading.bin", &bytes);
    let path = folder.path("trading.bin");
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut file = File::options()
                .write(true)
                .open(&path)
                .expect("it is there");
            for round in 1.. {
                let cut = bytes.len() * (round % 7) / 8;
                file.set_len(cut as u64).expect("a file can be cut");
                file.seek(SeekFrom::End(0)).expect("a file has an end");
                file.write_all(&bytes[cut..]).expect("a file can grow");
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let ways = [
            &["report", "trading.bin", "--scan"][..],
            &["report", "trading.bin", "--exact"],
            &["verify", "trading.bin"],
        ];
        let runs = (0..25).flat_map(|_| ways.map(|args| (args, folder.run(args))));
        let runs: Vec<_> = runs.collect();
        done.store(true, Ordering::Relaxed);
        for (args, ran) in runs {
            let lines = ran.stderr.lines().count();
            assert!(matches!(ran.code, Some(0 | 3)), "{args:?}: {ran:?}");
            assert!(
                lines == 1 || (lines == 0 && !ran.stdout.is_empty()),
                "{args:?}: {ran:?}"
            );
        }
    });
}
