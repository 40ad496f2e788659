//! Several files of one capture, files that change, arenas, and what opening says.

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use perf_analysis::info::info;
use perf_analysis::report::{CaptureState, Report};
use perf_analysis::{CaptureSet, ErrorKind, OpenOptions, ReportOptions, report, verify};
use perf_format::{CaptureId, FileHeader, Index, Origin, Tag};

use crate::edge::Hand;
use crate::world::Recipe;

fn open(paths: &[PathBuf]) -> CaptureSet {
    CaptureSet::open(paths, &OpenOptions::default()).unwrap()
}

fn report_on(paths: &[PathBuf], options: &ReportOptions) -> Report {
    report(&open(paths), options).unwrap()
}

fn ways() -> [ReportOptions; 3] {
    let base = ReportOptions::default;
    [
        base(),
        ReportOptions {
            scan: true,
            ..base()
        },
        ReportOptions {
            exact: true,
            ..base()
        },
    ]
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report
        .warnings
        .iter()
        .map(|warning| warning.kind.name())
        .collect()
}

/// The offset at which the chunk after the `number`th begins.
fn cut_after(bytes: &[u8], number: usize) -> usize {
    let index = Index::build(bytes).unwrap();
    index.chunks[number].offset as usize + index.chunks[number].head.chunk_len() as usize
}

/// The header and the chunks from `from` on: what a salvage would save beside a torn file.
fn remainder(bytes: &[u8], from: usize) -> Vec<u8> {
    let index = Index::build(bytes).unwrap();
    let mut rest = bytes[..index.chunks[0].offset as usize].to_vec();
    rest.extend_from_slice(&bytes[from..]);
    rest
}

#[test]
fn files_of_one_capture_count_each_record_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = Recipe::new(81).make();
    let at = |name: &str| dir.path().join(name);
    let whole = at("whole.bin");
    world.write(&whole);
    let chunks = Index::build(&world.bytes).unwrap().chunks.len();
    for (number, overlap) in [
        (chunks / 3, 0),
        (chunks / 2, 3),
        (chunks - 2, chunks / 2),
        (5, 5),
    ] {
        let (cut, from) = (
            cut_after(&world.bytes, number),
            cut_after(&world.bytes, number - overlap),
        );
        // The file itself ends in a torn chunk; what was saved begins a little before.
        let torn = (cut + 20).min(world.bytes.len() - 1);
        fs::write(at("x.bin"), &world.bytes[..torn]).unwrap();
        fs::write(at("x.salvaged.bin"), remainder(&world.bytes, from)).unwrap();
        world.write(&at("x.recovered.bin"));
        let sets: [&[&str]; 4] = [
            &["x.bin", "x.salvaged.bin"],
            &["x.salvaged.bin", "x.bin"],
            &["x.bin", "x.recovered.bin"],
            &["x.recovered.bin", "x.salvaged.bin", "x.bin"],
        ];
        for set in sets {
            for options in ways() {
                let what = format!("{set:?} cut after {number}");
                let paths: Vec<_> = set.iter().map(|name| at(name)).collect();
                let (joined, alone) = (
                    report_on(&paths, &options),
                    report_on(std::slice::from_ref(&whole), &options),
                );
                assert_eq!(joined.captures.len(), 1);
                let (mut got, expected) = (joined.captures[0].clone(), &alone.captures[0]);
                assert_eq!(got.more_paths.len(), set.len() - 1);
                (got.path, got.more_paths, got.bytes) =
                    (expected.path.clone(), Vec::new(), expected.bytes);
                (got.bytes_per_span, got.state) = (expected.bytes_per_span, expected.state);
                assert_eq!(got, *expected, "{what}");
                for (row, expected) in joined.events.iter().zip(&alone.events) {
                    assert_eq!(row, expected, "{what}");
                }
                assert_eq!(joined.events.len(), alone.events.len(), "{what}");
                assert!(!kinds(&joined).contains(&"overlap"), "{what}");
            }
        }
    }
}

#[test]
fn a_range_that_two_files_hold_is_skipped_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let header = FileHeader {
        capture_id: CaptureId([7; 16]),
        ..FileHeader::default()
    };
    let span = |end, value| (end, 0, Tag::SPAN_OK, value);
    let mut first = Hand::with_header(header.clone());
    first.chunk_of(0, 0, &[span(1, 10), span(2, 20)]);
    first.chunk_of(1, 0, &[span(1, 5)]);
    // The other file has both rings in one chunk, and only the second range of ring 0 is new.
    let mut second = Hand::with_header(header);
    let mut encoder = perf_format::ChunkEncoder::new();
    for (ring, first_seq, rows) in [
        (1, 0, &[span(1, 5)][..]),
        (0, 2, &[span(3, 30), span(4, 40)]),
    ] {
        let head = perf_format::RunHead {
            ring: perf_format::RingId(ring),
            first_seq,
            ..Default::default()
        };
        let row = |(end_ticks, event, tag, value): &(u64, u32, Tag, u64)| perf_format::Row {
            end_ticks: *end_ticks,
            value: *value,
            event: perf_format::EventId(*event),
            tag: *tag,
            ..Default::default()
        };
        encoder.push_run(head, rows.iter().map(row));
    }
    second.writer.events(&mut encoder).unwrap();
    let paths = [dir.path().join("a.bin"), dir.path().join("b.bin")];
    fs::write(&paths[0], first.close()).unwrap();
    fs::write(&paths[1], second.close()).unwrap();
    for options in ways() {
        let report = report_on(&paths, &options);
        assert_eq!(
            (report.events[0].count, report.events[0].sum),
            (5, Some(105))
        );
        assert_eq!(
            (report.captures[0].records, report.captures[0].spans),
            (5, 5)
        );
    }
}

#[test]
fn what_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let world = Recipe {
        records: 200,
        ..Recipe::new(82)
    }
    .make();
    world.write(&at("good.bin"));
    fs::write(at("empty.bin"), "").unwrap();
    fs::write(
        at("foreign.bin"),
        "PK\x03\x04 and so on, this is no capture",
    )
    .unwrap();
    let mut newer = world.bytes.clone();
    let head = Index::build(&newer).unwrap().chunks[0].offset as usize;
    newer[8] = 9;
    let sum = crc32c::crc32c(&newer[..head - 4]);
    newer[head - 4..head].copy_from_slice(&sum.to_le_bytes());
    fs::write(at("newer.bin"), newer).unwrap();
    fs::write(at("header.bin"), &world.bytes[..30]).unwrap();

    let error = |name: &str| CaptureSet::open(&[at(name)], &OpenOptions::default()).unwrap_err();
    assert!(matches!(error("missing.bin").kind, ErrorKind::NotFound));
    assert!(matches!(error("empty.bin").kind, ErrorKind::Empty));
    assert!(matches!(
        error("foreign.bin").kind,
        ErrorKind::Foreign { .. }
    ));
    assert!(matches!(
        error("newer.bin").kind,
        ErrorKind::Newer {
            expected: 1,
            got: 9
        }
    ));
    assert!(matches!(error("header.bin").kind, ErrorKind::Damaged(_)));
    assert!(matches!(error("none*.bin").kind, ErrorKind::NotFound));
    for name in [
        "missing.bin",
        "empty.bin",
        "foreign.bin",
        "newer.bin",
        "header.bin",
    ] {
        let line = error(name).to_string();
        assert!(line.contains(name) && !line.contains('\n'), "{line}");
    }

    // With others that can be read: left out, and said.
    let set = open(&[at("missing.bin"), at("foreign.bin"), at("good.bin")]);
    assert_eq!(
        set.warnings()
            .iter()
            .filter(|warning| warning.kind.name() == "unreadable")
            .count(),
        2
    );
    assert_eq!(info(&set).unwrap().files.len(), 1);
    let strict = OpenOptions { strict: true };
    assert!(CaptureSet::open(&[at("good.bin"), at("foreign.bin")], &strict).is_err());
    assert!(CaptureSet::open(&[at("good.bin")], &strict).is_ok());
    assert_eq!(
        report_on(&[dir.path().into()], &ReportOptions::default())
            .captures
            .len(),
        1
    );
}

#[test]
fn a_file_that_grows_is_a_consistent_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    let world = Recipe::new(83).make();
    let half = cut_after(&world.bytes, 25) + 11;
    fs::write(&path, &world.bytes[..half]).unwrap();
    let set = open(std::slice::from_ref(&path));
    let before = report(&set, &ReportOptions::default()).unwrap();
    FileOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(&world.bytes[half..])
        .unwrap();
    assert_eq!(report(&set, &ReportOptions::default()).unwrap(), before);
    let scan = report(
        &set,
        &ReportOptions {
            scan: true,
            ..ReportOptions::default()
        },
    )
    .unwrap();
    assert_eq!(scan.events, before.events);
    let after = report_on(&[path], &ReportOptions::default());
    assert_eq!(after.captures[0].records, world.rows);
    assert!(after.captures[0].records > before.captures[0].records);
}

#[test]
fn a_file_cut_short_while_open_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    let world = Recipe::new(84).make();
    let last = Index::build(&world.bytes)
        .unwrap()
        .event_chunks()
        .last()
        .unwrap()
        .offset as usize;
    for cut in [0, 1, 100, world.bytes.len() / 2, last + 10, last + 800] {
        world.write(&path);
        let set = open(std::slice::from_ref(&path));
        FileOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(cut as u64)
            .unwrap();
        for options in ways() {
            let error = report(&set, &options).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::CutShort { .. }), "{error}");
            assert!(error.to_string().contains("cut short") && error.to_string().contains("x.bin"));
        }
        assert!(matches!(
            verify(&set, None).unwrap_err().kind,
            ErrorKind::CutShort { .. }
        ));
    }
}

/// A capture without a close whose arena is `arena`, of process `pid`.
fn unclosed(arena: &Path, pid: u32) -> Vec<u8> {
    let origin = Origin {
        arena: arena.display().to_string(),
        pid,
        ..Origin::default()
    };
    let mut bytes = Vec::new();
    FileHeader {
        origin,
        ..FileHeader::default()
    }
    .encode(&mut bytes);
    bytes
}

#[test]
fn a_dead_arena_is_said_to_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let (path, arena) = (dir.path().join("x.bin"), dir.path().join("arena"));
    let state = |arena: &Path| {
        fs::write(&path, unclosed(arena, std::process::id())).unwrap();
        let report = report_on(std::slice::from_ref(&path), &ReportOptions::default());
        (
            report.captures[0].state,
            report.captures[0].salvage_arena.clone(),
            kinds(&report),
        )
    };
    assert_eq!(
        state(&arena),
        (CaptureState::Unclosed, None, vec!["not_closed"])
    );
    fs::write(&arena, "shared memory").unwrap();
    assert_eq!(
        state(&arena),
        (
            CaptureState::Salvageable,
            Some(arena.display().to_string()),
            vec!["salvage"]
        )
    );
    // Neither a directory nor a link nor a device is an arena, and none is opened.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&arena, &link).unwrap();
    for other in [
        dir.path(),
        &link,
        Path::new("/dev/null"),
        Path::new(""),
        Path::new("arena"),
    ] {
        assert_eq!(
            state(other).0,
            CaptureState::Unclosed,
            "{}",
            other.display()
        );
    }
}

#[test]
fn a_locked_arena_is_live() {
    let dir = tempfile::tempdir().unwrap();
    let (path, arena) = (dir.path().join("x.bin"), dir.path().join("arena"));
    fs::write(&arena, "shared memory").unwrap();
    // Another process holds a POSIX lock on it, as a recorder does.
    let script = "import fcntl,sys;f=open(sys.argv[1],'r+b');fcntl.lockf(f,fcntl.LOCK_EX);print('held',flush=True);sys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(&arena)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    fs::write(&path, unclosed(&arena, holder.id())).unwrap();
    let report = report_on(std::slice::from_ref(&path), &ReportOptions::default());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(report.captures[0].state, CaptureState::Live);
    assert_eq!(kinds(&report), ["not_closed"]);
    assert!(report.warnings[0].message().contains("still being written"));
    assert_eq!(
        report_on(&[path], &ReportOptions::default()).captures[0].state,
        CaptureState::Salvageable
    );
}

/// A process that reports on its own running capture must not drop its own lock: to open and close the file would.
#[test]
fn an_arena_mapped_here_is_live_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    // The test program itself is a file that is mapped here.
    let mapped = std::env::current_exe().unwrap();
    fs::write(&path, unclosed(&mapped, std::process::id())).unwrap();
    assert_eq!(
        report_on(std::slice::from_ref(&path), &ReportOptions::default()).captures[0].state,
        CaptureState::Live
    );
    // The same number in another container is another process.
    fs::write(&path, unclosed(&mapped, std::process::id() + 1)).unwrap();
    assert_eq!(
        report_on(&[path], &ReportOptions::default()).captures[0].state,
        CaptureState::Salvageable
    );
}

#[test]
fn info_says_what_a_file_is_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    let world = Recipe {
        label: Some("nightly".into()),
        ..Recipe::new(85)
    }
    .make();
    world.write(&path);
    let info = info(&open(&[path])).unwrap();
    let file = &info.files[0];
    assert_eq!(
        (file.bytes, file.pid, file.host.as_str()),
        (world.bytes.len() as u64, 42, "here")
    );
    assert_eq!(file.labels["build"], "nightly");
    let head = Index::build(&world.bytes).unwrap().chunks[0].offset;
    assert_eq!(
        file.chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() + head,
        file.bytes
    );
    let events = file
        .chunks
        .iter()
        .find(|chunk| chunk.kind == "events")
        .unwrap();
    assert_eq!(events.records, world.rows);
    assert_eq!(
        file.columns.iter().map(|column| column.bytes).sum::<u64>(),
        events.bytes
    );
    assert_eq!(file.columns.last().unwrap().column, "head");
    for event in &file.events {
        let expected = world
            .seen
            .iter()
            .filter(|seen| seen.event == event.name)
            .count() as u64;
        assert_eq!(event.records, expected, "{event:?}");
    }
    assert_eq!(file.events.len(), 7);
    assert_eq!(
        file.threads
            .iter()
            .map(|thread| thread.records)
            .sum::<u64>(),
        world.rows
    );
    assert_eq!(file.anchors.len(), 2);
    assert!(file.closed_cleanly && file.damage.is_empty());
    assert_eq!(
        serde_json::to_value(&info).unwrap()["schema"],
        "perf-analyze/info/1"
    );
}

#[test]
fn the_same_file_twice_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("x.bin"), dir.path().join("y.bin"));
    let world = Recipe {
        records: 100,
        ..Recipe::new(86)
    }
    .make();
    world.write(&path);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let report = report_on(
        &[path.clone(), link, path, dir.path().into()],
        &ReportOptions::default(),
    );
    assert_eq!(
        (report.captures.len(), report.captures[0].records),
        (1, world.rows)
    );
    assert!(report.captures[0].more_paths.is_empty());
    assert!(File::open(dir.path().join("y.bin")).is_ok());
}
