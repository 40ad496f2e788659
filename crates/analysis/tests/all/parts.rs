//! Captures that were rotated: parts in any order and form give what the whole gives.

use std::fs;
use std::path::{Path, PathBuf};

use perf_analysis::report::{CaptureState, Report};
use perf_analysis::sla::Rule;
use perf_analysis::{
    CaptureSet, OpenOptions, ReportOptions, SlaOptions, TraceOptions, report, sla, traces, verify,
};
use perf_format::{ChunkKind, ChunkStream, Close, CloseReason, FileHeader, Index};

use crate::world::Recipe;

/// `bytes` in parts, each of which ends behind a rollup.
fn parts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let index = Index::build(bytes).unwrap();
    let header = index.header.clone().unwrap();
    let mut starts = vec![index.chunks[0].offset as usize];
    let rollups = index.of_kind(ChunkKind::ROLLUP);
    starts.extend(rollups.map(|entry| (entry.offset + entry.head.chunk_len()) as usize));
    starts.pop();
    starts.push(bytes.len());
    let part = |(number, bounds): (usize, &[usize])| {
        let mut part = Vec::new();
        let header = FileHeader {
            part: number as u32,
            ..header.clone()
        };
        header.encode(&mut part);
        let described = index.of_kind(ChunkKind::TABLES);
        for entry in described.filter(|entry| (entry.offset as usize) < bounds[0]) {
            part.extend_from_slice(index.chunk_bytes(bytes, entry));
        }
        part.extend_from_slice(&bytes[bounds[0]..bounds[1]]);
        if bounds[1] < bytes.len() {
            let close = Close {
                reason: CloseReason::ROTATED,
                ..Close::default()
            };
            ChunkStream::new().close(close, &mut part);
        }
        part
    };
    starts.windows(2).enumerate().map(part).collect()
}

/// A frame for each of the four quarters, and the seek table.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let (mut stored, mut table) = (Vec::new(), Vec::new());
    let mut count = 0_u32;
    for part in bytes.chunks(bytes.len() / 4 + 1) {
        let frame = zstd::bulk::compress(part, 3).unwrap();
        table.extend((frame.len() as u32).to_le_bytes());
        table.extend((part.len() as u32).to_le_bytes());
        stored.extend(frame);
        count += 1;
    }
    stored.extend(0x184d_2a5e_u32.to_le_bytes());
    stored.extend((table.len() as u32 + 9).to_le_bytes());
    stored.extend(table);
    stored.extend(count.to_le_bytes());
    stored.push(0);
    stored.extend(0x8f92_eab1_u32.to_le_bytes());
    stored
}

/// A directory with the parts of a capture, and the capture as one file beside it.
fn series() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let world = Recipe {
        records: 60_000,
        unnamed: false,
        ..Recipe::new(7)
    }
    .make();
    let whole = dir.path().join("whole.capture");
    world.write(&whole);
    let parts = parts(&world.bytes);
    assert!(parts.len() >= 4, "{} parts", parts.len());
    let paths = parts.iter().enumerate().map(|(number, bytes)| {
        let path = dir.path().join(format!("x.{number:05}.bin"));
        fs::write(&path, bytes).unwrap();
        path
    });
    let paths = paths.collect();
    (dir, whole, paths)
}

fn open(paths: &[&Path]) -> CaptureSet {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    CaptureSet::open(&paths, &OpenOptions::default()).unwrap()
}

fn report_on(paths: &[&Path], options: &ReportOptions) -> Report {
    report(&open(paths), options).unwrap()
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report
        .warnings
        .iter()
        .map(|warning| warning.kind.name())
        .collect()
}

#[test]
fn parts_give_what_the_whole_gives() {
    let (dir, whole, paths) = series();
    let last = paths.len() as u32 - 1;
    for (number, path) in paths.iter().enumerate() {
        // Every other one as a recorder leaves it that compresses; of one both, as after a kill.
        if number % 2 == 0 {
            fs::write(
                format!("{}.zst", path.display()),
                compressed(&fs::read(path).unwrap()),
            )
            .unwrap();
            if number > 0 {
                fs::remove_file(path).unwrap();
            }
        }
    }
    for options in [
        ReportOptions::default(),
        ReportOptions {
            scan: true,
            ..ReportOptions::default()
        },
        ReportOptions {
            exact: true,
            ..ReportOptions::default()
        },
    ] {
        let joined = report_on(&[dir.path()], &options);
        let alone = report_on(&[&whole], &options);
        assert_eq!(joined.captures.len(), 1);
        let (mut got, expected) = (joined.captures[0].clone(), &alone.captures[0]);
        let parts = got.parts.take().unwrap();
        assert_eq!((parts.first, parts.last, parts.missing), (0, last, 0));
        assert!(got.bytes > 0);
        (got.path, got.more_paths) = (expected.path.clone(), Vec::new());
        (got.bytes, got.bytes_per_span) = (expected.bytes, expected.bytes_per_span);
        assert_eq!(got, *expected);
        assert_eq!(joined.events, alone.events);
        assert_eq!(kinds(&joined), kinds(&alone));
    }
    let told = |paths: &[&Path]| traces(&open(paths), &TraceOptions::default()).unwrap();
    assert_eq!(told(&[dir.path()]).flows, told(&[&whole]).flows);
    for file in verify(&open(&[dir.path()]), None).unwrap().files {
        assert_eq!(file.findings, [], "{}", file.path);
    }
}

#[test]
fn a_part_that_is_missing_is_told_of() {
    let (_dir, whole, paths) = series();
    let options = ReportOptions::default();
    let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let last = all.len() as u32 - 1;

    let later = report_on(&all[1..], &options);
    assert_eq!(later.captures[0].state, CaptureState::Closed);
    assert!(
        !kinds(&later).contains(&"parts_missing"),
        "the oldest may go: {:?}",
        kinds(&later)
    );
    let parts = later.captures[0].parts.unwrap();
    assert_eq!((parts.first, parts.last, parts.missing), (1, last, 0));

    let mut holed = all.clone();
    holed.remove(1);
    let hole = report_on(&holed, &options);
    assert_eq!(hole.captures[0].parts.unwrap().missing, 1);
    assert!(kinds(&hole).contains(&"parts_missing"));

    let begun = report_on(&all[..2], &options);
    assert_eq!(begun.captures[0].state, CaptureState::Continued);
    assert!(kinds(&begun).contains(&"parts_missing"));
    assert!(!kinds(&begun).contains(&"not_closed"));

    // How many records may have broken a rule: those lost on recording, or nobody knows how many.
    let rules = vec!["alpha:p50<3600s".parse::<Rule>().unwrap()];
    let unknown = |paths: &[&Path]| {
        let options = SlaOptions {
            rules: rules.clone(),
            ..SlaOptions::default()
        };
        sla(&open(paths), &options).unwrap().rules[0].total.unknown
    };
    assert!(unknown(&[&whole]).is_some());
    assert_eq!(unknown(&all), unknown(&[&whole]));
    assert_eq!(unknown(&holed), None);
    assert_eq!(unknown(&all[..2]), None);
}
