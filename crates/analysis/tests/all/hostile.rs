//! Bytes that nobody should have written: cut anywhere, flipped anywhere, unknown, misnamed.

use std::path::PathBuf;

use perf_analysis::info::info;
use perf_analysis::report::Report;
use perf_analysis::verify::Finding;
use perf_analysis::{CaptureSet, Error, OpenOptions, ReportOptions, report, verify};
use perf_format::{
    ChunkKind, EventDescriptor, EventId, EventKind, FileHeader, Index, Label, Origin, Tables, Tag,
    ThreadDescriptor, ThreadId,
};

use crate::edge::{Hand, report_of};
use crate::world::{Recipe, World};

struct Scratch {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.bin");
        Self { _dir: dir, path }
    }

    fn open(&self, bytes: &[u8], strict: bool) -> Result<CaptureSet, Error> {
        std::fs::write(&self.path, bytes).unwrap();
        CaptureSet::open(std::slice::from_ref(&self.path), &OpenOptions { strict })
    }

    fn report(&self, bytes: &[u8], options: &ReportOptions) -> Result<Report, Error> {
        report(&self.open(bytes, options.strict)?, options)
    }
}

/// One thread, so that small captures are quick.
fn base() -> ReportOptions {
    ReportOptions {
        threads: Some(1),
        ..ReportOptions::default()
    }
}

fn ways() -> [ReportOptions; 4] {
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
        ReportOptions {
            every_ns: Some(100_000_000),
            skip_ns: 50_000_000,
            ..base()
        },
    ]
}

/// Records that a report counts in its rows.
fn counted(report: &Report) -> u64 {
    report.events.iter().map(|row| row.count).sum()
}

fn damaged(report: &Report) -> bool {
    report
        .warnings
        .iter()
        .any(|warning| warning.kind.is_damage())
}

fn small(seed: u64) -> World {
    Recipe {
        records: 250,
        unnamed: false,
        ..Recipe::new(seed)
    }
    .make()
}

#[test]
fn cut_at_every_byte() {
    let scratch = Scratch::new();
    let world = small(91);
    let index = Index::build(&world.bytes).unwrap();
    let ends: Vec<(u64, u64)> = index
        .event_chunks()
        .map(|entry| {
            (
                entry.offset + entry.head.chunk_len(),
                u64::from(entry.head.record_count),
            )
        })
        .collect();
    let all_ends: Vec<u64> = index
        .chunks
        .iter()
        .map(|entry| entry.offset + entry.head.chunk_len())
        .collect();
    for len in 0..world.bytes.len() {
        let bytes = &world.bytes[..len];
        let whole: u64 = ends
            .iter()
            .filter(|(end, _)| *end <= len as u64)
            .map(|(_, rows)| rows)
            .sum();
        let Ok(set) = scratch.open(bytes, false) else {
            assert!(len < index.chunks[0].offset as usize, "cut at {len}");
            continue;
        };
        let by_rollups = report(&set, &base()).unwrap();
        let by_scan = report(
            &set,
            &ReportOptions {
                scan: true,
                ..base()
            },
        )
        .unwrap();
        assert_eq!(by_rollups.captures[0].records, whole, "cut at {len}");
        assert_eq!(by_rollups.events, by_scan.events, "cut at {len}");
        let torn = len as u64 != index.chunks[0].offset && !all_ends.contains(&(len as u64));
        assert_eq!(
            damaged(&by_rollups),
            torn,
            "cut at {len}: {:?}",
            by_rollups.warnings
        );
        assert!(!by_rollups.captures[0].closed_cleanly);
        assert_eq!(scratch.open(bytes, true).is_err(), torn, "cut at {len}");
        if len % 7 == 0 {
            let verified = verify(&set, Some(1)).unwrap();
            assert_eq!(verified.intact, !torn, "cut at {len}: {:?}", verified.files);
            info(&set).unwrap();
        }
    }
}

#[test]
fn every_byte_flipped() {
    let scratch = Scratch::new();
    let world = Recipe {
        records: 120,
        unnamed: false,
        ..Recipe::new(92)
    }
    .make();
    let sound = scratch.report(&world.bytes, &base()).unwrap();
    let index = Index::build(&world.bytes).unwrap();
    for at in 0..world.bytes.len() {
        let mut bytes = world.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        // No way of reading it panics; what is damaged is never counted as sound.
        let Ok(set) = scratch.open(&bytes, false) else {
            assert!(at < index.chunks[0].offset as usize, "flipped at {at}");
            continue;
        };
        let ways = ways();
        let report_by = |options| report(&set, options).unwrap();
        assert!(
            counted(&report_by(&ways[at % ways.len()])) <= counted(&sound),
            "flipped at {at}"
        );
        let scan = report(
            &set,
            &ReportOptions {
                scan: true,
                ..base()
            },
        )
        .unwrap();
        let noticed = damaged(&scan)
            || set
                .warnings()
                .iter()
                .any(|warning| warning.kind.is_damage());
        let same = scan.events == sound.events;
        assert!(
            noticed || same,
            "flipped at {at}: a change of the numbers that nothing said"
        );
        let verified = verify(&set, Some(1)).unwrap();
        assert!(!verified.intact, "flipped at {at}: {:?}", verified.files);
        let holds = |finding: &Finding| {
            (finding.offset..finding.offset + finding.len).contains(&(at as u64))
        };
        let findings = &verified.files[0].findings;
        assert!(findings.iter().any(holds), "flipped at {at}: {findings:?}");
        let strict = ReportOptions {
            strict: true,
            scan: true,
            ..base()
        };
        let refused = scratch.report(&bytes, &strict).is_err();
        assert_eq!(refused, noticed, "flipped at {at}");
    }
}

/// The chunk that holds the byte `at`.
fn chunk_with(index: &Index, kind: ChunkKind, number: usize) -> std::ops::Range<usize> {
    let entry = index.of_kind(kind).nth(number).unwrap();
    entry.offset as usize..(entry.offset + entry.head.chunk_len()) as usize
}

/// A rollup stands for a chunk that is gone, a scan for a rollup that is; without both, so many are unknown.
#[test]
fn rollups_and_chunks_stand_in_for_each_other() {
    let scratch = Scratch::new();
    let mut hand = Hand::new();
    let rows: Vec<_> = (0..1000)
        .map(|at| (at, 0, Tag::SPAN_OK, 100 + at))
        .collect();
    hand.chunk(&rows);
    hand.chunk(&rows[..300]);
    hand.chunk(&rows[..200]);
    let sound = hand.close();
    let index = Index::build(&sound).unwrap();
    let chunk = chunk_with(&index, ChunkKind::EVENTS, 1);
    let rollup = chunk_with(&index, ChunkKind::ROLLUP, 0);
    let head_len = index.event_chunks().nth(1).unwrap().head.head_len as usize;
    let expected = scratch.report(&sound, &base()).unwrap();
    assert_eq!(counted(&expected), 1500);
    let kinds = |report: &Report| {
        report
            .warnings
            .iter()
            .map(|warning| warning.kind.name())
            .collect::<Vec<_>>()
    };
    let flip = |places: &[usize]| {
        let mut bytes = sound.clone();
        places.iter().for_each(|at| bytes[*at] ^= 0x55);
        bytes
    };
    let scan = ReportOptions {
        scan: true,
        ..base()
    };
    let (in_head, in_body, in_rollup) =
        (chunk.start + 30, chunk.start + head_len + 3, rollup.end - 3);

    // The head of a chunk is gone: the rollup knows.
    let by_rollup = scratch.report(&flip(&[in_head]), &base()).unwrap();
    assert_eq!(by_rollup.events, expected.events);
    assert!(
        kinds(&by_rollup).contains(&"records_only_in_rollups"),
        "{:?}",
        by_rollup.warnings
    );
    let scanned = scratch.report(&flip(&[in_head]), &scan).unwrap();
    assert_eq!(counted(&scanned), 1200);
    assert!(
        scanned
            .warnings
            .iter()
            .any(|warning| warning.message().contains("1 chunk with 300 records"))
    );

    // Its values are gone: the rollup does not even notice, a scan does.
    assert_eq!(
        scratch.report(&flip(&[in_body]), &base()).unwrap().events,
        expected.events
    );
    let scanned = scratch.report(&flip(&[in_body]), &scan).unwrap();
    assert_eq!(counted(&scanned), 1200);
    assert!(
        scanned
            .warnings
            .iter()
            .any(|warning| warning.message().contains("1 chunk with 300 records"))
    );

    // The rollup is gone, its body or its head: its chunks are read.
    let by_scan = scratch.report(&flip(&[in_rollup]), &base()).unwrap();
    assert_eq!(by_scan.events, expected.events);
    assert!(
        kinds(&by_scan).contains(&"rollup_unusable"),
        "{:?}",
        by_scan.warnings
    );
    let by_scan = scratch
        .report(&flip(&[rollup.start + 30]), &base())
        .unwrap();
    assert_eq!(by_scan.events, expected.events);

    // Both are.
    for chunk in [in_head, in_body] {
        let neither = scratch.report(&flip(&[chunk, in_rollup]), &base()).unwrap();
        assert_eq!(counted(&neither), 1200);
        let kinds = kinds(&neither);
        assert!(
            kinds.contains(&"rollup_unusable") && kinds.contains(&"records_unknown"),
            "{kinds:?}"
        );
    }
    let neither = scratch
        .report(&flip(&[in_head, rollup.start + 30]), &base())
        .unwrap();
    assert_eq!(counted(&neither), 1200);
    assert!(
        kinds(&neither).contains(&"records_unknown"),
        "{:?}",
        neither.warnings
    );
}

#[test]
fn unknown_records_of_small_chunks_are_skipped_and_counted() {
    let scratch = Scratch::new();
    let world = small(94);
    let mut bytes = world.bytes.clone();
    let index = Index::build(&bytes).unwrap();
    let chunk = chunk_with(&index, ChunkKind::ANCHORS, 0);
    let chunk = &mut bytes[chunk];
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    // The tag of the first record, and the sums of its column and of the head.
    chunk[head_len..head_len + 2].copy_from_slice(&999u16.to_le_bytes());
    let column = crc32c::crc32c(&chunk[head_len..]);
    chunk[84..88].copy_from_slice(&column.to_le_bytes());
    let sum = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
    let report = scratch.report(&bytes, &base()).unwrap();
    assert!(!damaged(&report), "{:?}", report.warnings);
    let unknown = report
        .warnings
        .iter()
        .find(|warning| warning.kind.name() == "unknown_records");
    let message = unknown.expect("it is told").message();
    assert!(message.contains("1 record of"), "{message}");
}

#[test]
fn unknown_chunks_are_skipped_and_counted() {
    let scratch = Scratch::new();
    let world = small(93);
    let sound = scratch.report(&world.bytes, &base()).unwrap();
    let mut bytes = world.bytes.clone();
    let index = Index::build(&bytes).unwrap();
    // A chunk of a later kind: an anchors chunk with another code and its sum.
    let chunk = chunk_with(&index, ChunkKind::ANCHORS, 0);
    let mut later = bytes[chunk.clone()].to_vec();
    later[8] = 99;
    let head_len = u32::from_le_bytes(later[12..16].try_into().unwrap()) as usize;
    let sum = crc32c::crc32c(&later[..head_len - 4]);
    later[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
    bytes.splice(chunk.start..chunk.start, later);
    let report = scratch.report(&bytes, &base()).unwrap();
    assert_eq!(report.events, sound.events);
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.kind.name() == "unknown_chunks")
    );
    assert!(!damaged(&report));
    let set = scratch.open(&bytes, true).unwrap();
    assert!(
        info(&set).unwrap().files[0]
            .chunks
            .iter()
            .any(|chunk| chunk.kind == "unknown#99")
    );
}

#[test]
fn garbage_between_chunks() {
    let scratch = Scratch::new();
    let world = small(94);
    let sound = scratch.report(&world.bytes, &base()).unwrap();
    let index = Index::build(&world.bytes).unwrap();
    for entry in &index.chunks {
        let mut bytes = world.bytes.clone();
        let at = entry.offset as usize;
        // With half a mark in it, and longer than the window that a search looks at.
        let mut garbage = b"\xABPERFCK".repeat(3);
        garbage.resize(2_000_000, 0xAB);
        bytes.splice(at..at, garbage);
        for options in [
            base(),
            ReportOptions {
                scan: true,
                ..base()
            },
        ] {
            let report = scratch.report(&bytes, &options).unwrap();
            assert_eq!(report.events, sound.events, "at {at}");
            assert!(damaged(&report), "at {at}");
        }
    }
}

#[test]
fn hostile_names_pass_through_whole() {
    let names = [
        "<script>alert(1)</script>",
        "\u{1b}[31mred",
        "two\nlines",
        "nul\0",
        "",
        "ü😀",
        "*",
        "{}",
    ];
    let long = "x".repeat(1 << 20);
    let label = |key: &str, value: &str| Label {
        key: key.into(),
        value: value.into(),
    };
    let header = FileHeader {
        origin: Origin {
            host: "h\u{7}ost\n".into(),
            command: long.clone(),
            ..Origin::default()
        },
        labels: names.iter().map(|name| label(name, name)).collect(),
        ..FileHeader::default()
    };
    let mut hand = Hand::with_header(header);
    let event = |(id, name): (usize, &&str)| EventDescriptor {
        id: EventId(100 + id as u32),
        kind: EventKind::SPAN,
        name: (*name).into(),
        unit: "ns".into(),
    };
    let names_and_long: Vec<&str> = names.iter().copied().chain([long.as_str()]).collect();
    hand.writer
        .tables(&Tables {
            events: names_and_long.iter().enumerate().map(event).collect(),
            threads: vec![ThreadDescriptor {
                id: ThreadId(0),
                os_tid: 0,
                name: "\0\n".into(),
            }],
            ..Tables::default()
        })
        .unwrap();
    let rows: Vec<_> = (0..names_and_long.len() as u32)
        .map(|id| (5, 100 + id, Tag::SPAN_OK, 7))
        .collect();
    hand.chunk(&rows);
    let bytes = hand.close();
    let report = report_of(&bytes, &base());
    let mut got: Vec<&str> = report.events.iter().map(|row| row.event.as_str()).collect();
    assert!(
        got.iter().all(|name| name.len() <= 4096),
        "names are bounded"
    );
    got.retain(|name| !name.starts_with('x'));
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(got, expected);
    serde_json::to_string(&report).unwrap();
    // A name that is a pattern is found by quoting it.
    let options = ReportOptions {
        events: vec!["[*]".into()],
        ..base()
    };
    assert_eq!(report_of(&bytes, &options).events.len(), 1);
    assert!(scratch_error("[").contains("not a usable pattern"));
}

fn scratch_error(pattern: &str) -> String {
    let scratch = Scratch::new();
    let options = ReportOptions {
        events: vec![pattern.into()],
        ..base()
    };
    scratch
        .report(&small(95).bytes, &options)
        .unwrap_err()
        .to_string()
}

#[test]
fn unknown_events_and_tags_are_shown_and_counted() {
    let mut hand = Hand::new();
    let rows = [
        (1, 500, Tag::SPAN_OK, 1),
        (2, 500, Tag::GAUGE, 2),
        (3, 501, Tag::SPAN_OK, 3),
        (4, 0, Tag(99), 4),
    ];
    hand.chunk(&rows);
    let report = report_of(&hand.close(), &base());
    let rows: Vec<_> = report
        .events
        .iter()
        .map(|row| (row.event.as_str(), row.count))
        .collect();
    assert_eq!(rows, [("event#500", 1), ("event#501", 1), ("event#500", 1)]);
    let message = |kind: &str| {
        report
            .warnings
            .iter()
            .find(|warning| warning.kind.name() == kind)
            .unwrap()
            .message()
    };
    assert!(
        message("unknown_events").starts_with("3 records of 2 events"),
        "{}",
        message("unknown_events")
    );
    assert!(message("unknown_records").contains("1 record of"));
    assert!(message("unit_mismatch").contains("event#500"));
}
