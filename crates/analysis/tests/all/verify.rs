//! `verify` finds what no checksum does: heads, rollups and clocks that disagree with the records.

use perf_analysis::verify::{FileVerification, Finding, MAX_FINDINGS};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, WarningKind, report, verify};
use perf_format::{
    Anchor, ChunkEncoder, ChunkKind, ChunkStream, Close, CloseReason, Columns, EventDescriptor,
    EventId, EventKind, EventsChunk, FileHeader, Index, Label, Rollup, RollupChunk, Row, RunHead,
    SegmentId, Tables, Tag, encode_rollup,
};

use crate::edge::Hand;
use crate::world::Recipe;

fn verified(bytes: &[u8]) -> FileVerification {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.bin"), bytes).unwrap();
    let set = CaptureSet::open(&[dir.path().into()], &OpenOptions::default()).unwrap();
    let [one, two] = [Some(1), Some(2)].map(|threads| verify(&set, threads).unwrap());
    assert_eq!(one, two, "the number of threads changes nothing");
    assert_eq!(one.intact, one.files[0].intact);
    one.files.into_iter().next().unwrap()
}

fn only(verified: &FileVerification, kind: &str, words: &str) -> Finding {
    let [finding] = &verified.findings[..] else {
        panic!("{:?}", verified.findings)
    };
    assert_eq!(finding.kind, kind, "{finding:?}");
    assert!(finding.message.contains(words), "{finding:?}");
    assert!(!verified.intact);
    finding.clone()
}

/// Sets `bytes` at `at` in a chunk's head, and makes its sum right again.
fn patch_head(file: &mut [u8], offset: u64, at: usize, bytes: &[u8]) {
    let chunk = &mut file[offset as usize..];
    chunk[at..at + bytes.len()].copy_from_slice(bytes);
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    let sum = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn sound_captures_are_intact_and_every_record_is_counted() {
    for seed in 101..104 {
        let world = Recipe {
            unnamed: false,
            ns_per_tick: vec![4, 3],
            ..Recipe::new(seed)
        }
        .make();
        let verified = verified(&world.bytes);
        assert!(verified.intact, "{:?}", verified.findings);
        let index = Index::build(&world.bytes).unwrap();
        assert_eq!(
            (verified.records, verified.chunks),
            (world.rows, index.chunks.len() as u64)
        );
        assert_eq!(
            verified.rollups,
            index.of_kind(ChunkKind::ROLLUP).count() as u64
        );
        assert!(verified.closed_cleanly && verified.rollups > 3);
        // Every one of them decodes by rows too.
        let mut columns = Columns::default();
        for entry in index.event_chunks() {
            let chunk =
                EventsChunk::parse(index.chunk_bytes(&world.bytes, entry), entry.offset).unwrap();
            columns.decode(&chunk).unwrap();
        }
    }
}

#[test]
fn heads_that_disagree_with_their_rows() {
    let mut hand = Hand::new();
    hand.chunk(&[(100, 0, Tag::SPAN_OK, 30), (90, 0, Tag::SPAN_OK, 60)]);
    let mut bytes = hand.close();
    let index = Index::build(&bytes).unwrap();
    let offset = index.event_chunks().next().unwrap().offset;
    // Without the rollup, whose digest would not fit either.
    let rollup = index.of_kind(ChunkKind::ROLLUP).next().unwrap().offset as usize;
    bytes.truncate(rollup);
    assert!(verified(&bytes).intact);
    for (at, what) in [
        (40, "smallest start"),
        (48, "smallest end"),
        (56, "largest end"),
    ] {
        let mut wrong = bytes.clone();
        patch_head(&mut wrong, offset, at, &77_u64.to_le_bytes());
        let finding = only(&verified(&wrong), "head", what);
        assert_eq!(finding.offset, offset);
        assert!(finding.message.contains("77"), "{finding:?}");
    }
    // The maximum in the series table: the last u64 before the sum.
    let head_len = index.event_chunks().next().unwrap().head.head_len as usize;
    let mut wrong = bytes.clone();
    let max_at = (0..head_len - 8)
        .rev()
        .find(|at| bytes[offset as usize + at..][..8] == 60_u64.to_le_bytes());
    patch_head(&mut wrong, offset, max_at.unwrap(), &61_u64.to_le_bytes());
    only(&verified(&wrong), "head", "maximum of event 0");
}

/// A capture with `change`d rollup, its sums right.
fn with_rollup(change: impl Fn(&mut Rollup)) -> Vec<u8> {
    let mut hand = Hand::new();
    let rows: Vec<_> = (0..50).map(|at| (at, 0, Tag::SPAN_OK, 5000 + at)).collect();
    hand.chunk(&rows);
    hand.chunk(&[
        (60, 3, Tag::COUNTER, 4),
        (61, 2, Tag::GAUGE, 9),
        (70, 2, Tag::GAUGE, 1),
    ]);
    let bytes = hand.close();
    let index = Index::build(&bytes).unwrap();
    let entry = index.of_kind(ChunkKind::ROLLUP).next().unwrap();
    let chunk = index.chunk_bytes(&bytes, entry);
    let mut rollup = RollupChunk::parse(chunk, 0).unwrap().rollup().unwrap();
    change(&mut rollup);
    let mut changed = bytes[..entry.offset as usize].to_vec();
    encode_rollup(&rollup, entry.head.chunk_seq, &mut changed).unwrap();
    changed.extend_from_slice(&bytes[entry.offset as usize + chunk.len()..]);
    changed
}

#[test]
fn rollups_that_disagree_with_their_chunks() {
    use perf_format::{Aggregate, EventId, SeriesKey};
    let span = SeriesKey {
        event: EventId(0),
        tag: Tag::SPAN_OK,
    };
    assert!(verified(&with_rollup(|_| ())).intact);
    let one_more = with_rollup(|rollup| match rollup.aggregate(span).unwrap() {
        Aggregate::Distribution(histogram) => histogram.record(5003),
        _ => unreachable!(),
    });
    only(&verified(&one_more), "rollup", "counts");
    let gauge = SeriesKey {
        event: EventId(2),
        tag: Tag::GAUGE,
    };
    let other_time = with_rollup(|rollup| match rollup.aggregate(gauge).unwrap() {
        Aggregate::Gauge(gauge) => gauge.integral += 1,
        _ => unreachable!(),
    });
    only(&verified(&other_time), "rollup", "event 2");
    let without = with_rollup(|rollup| drop(rollup.series.remove(&span)));
    only(
        &verified(&without),
        "rollup",
        "50 records of the chunks are missing",
    );
    let invented = with_rollup(|rollup| {
        let key = SeriesKey {
            event: EventId(3),
            tag: Tag::SPAN_ERROR,
        };
        if let Some(Aggregate::Distribution(histogram)) = rollup.aggregate(key) {
            histogram.record(1);
        }
    });
    only(
        &verified(&invented),
        "rollup",
        "1 records that no chunk has",
    );
    let more_chunks = with_rollup(|rollup| rollup.coverage.chunks += 1);
    only(&verified(&more_chunks), "rollup", "can be read");
    let other_chunks = with_rollup(|rollup| rollup.coverage.digest += 1);
    only(&verified(&other_chunks), "rollup", "are not the 2 chunks");
}

#[test]
fn anchors_that_run_backward() {
    let anchor = |ticks, monotonic_raw_ns| Anchor {
        ticks,
        monotonic_raw_ns,
        segment: SegmentId(0),
        ..Anchor::default()
    };
    for (second, found) in [
        (anchor(20, 20), false),
        (anchor(9, 20), true),
        (anchor(20, 9), true),
    ] {
        let mut hand = Hand::new();
        hand.writer.anchors(&[anchor(10, 10)]).unwrap();
        hand.writer.anchors(&[second]).unwrap();
        let verified = verified(&hand.close());
        match found {
            true => drop(only(&verified, "anchors", "should follow")),
            false => assert!(verified.intact),
        }
    }
}

#[test]
fn records_that_stand_twice() {
    let span = |end| (end, 0, Tag::SPAN_OK, 1);
    let mut hand = Hand::new();
    hand.chunk_of(0, 0, &[span(1), span(2)]);
    hand.chunk_of(0, 2, &[span(3)]);
    let twice = hand.chunk_of(0, 1, &[span(2), span(3), span(4)]);
    hand.chunk_of(1, 1, &[span(2)]);
    let bytes = hand.close();
    let finding = only(&verified(&bytes), "rows", "ring 0 stand in the file twice");
    let index = Index::build(&bytes).unwrap();
    let entry = index
        .event_chunks()
        .find(|entry| entry.head.chunk_seq == twice.chunk_seq)
        .unwrap();
    assert_eq!(finding.offset, entry.offset);
}

#[test]
fn events_without_a_name() {
    let mut hand = Hand::new();
    hand.chunk(&[
        (1, 0, Tag::SPAN_OK, 1),
        (1, 9, Tag::SPAN_OK, 1),
        (1, 9, Tag::DUE, 1),
    ]);
    only(&verified(&hand.close()), "tables", "event 9");
}

#[test]
fn findings_are_bounded() {
    let mut hand = Hand::new();
    for _ in 0..MAX_FINDINGS + 10 {
        hand.chunk_of(0, 0, &[(1, 0, Tag::SPAN_OK, 1)]);
    }
    let verified = verified(&hand.close());
    assert_eq!(
        (verified.findings.len(), verified.more_findings),
        (MAX_FINDINGS, 9)
    );
}

/// A capture of which a sample was kept: `told` rows are in the rollup, `kept` of them in the chunk.
fn sampled(told: &[u64], kept: &[u64], label: &str) -> Vec<u8> {
    let header = FileHeader {
        labels: vec![Label {
            key: label.into(),
            value: "1 in 10".into(),
        }],
        ..FileHeader::default()
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    let mut stream = ChunkStream::new();
    let event = EventDescriptor {
        id: EventId(1),
        kind: EventKind::SPAN,
        name: "A".into(),
        unit: "ns".into(),
    };
    let tables = Tables {
        events: vec![event],
        ..Tables::default()
    };
    stream.tables(&tables, &mut bytes);
    let encoder = |values: &[u64]| {
        let mut encoder = ChunkEncoder::new();
        encoder.begin_run(RunHead::default()).unwrap();
        for value in values {
            let row = Row {
                end_ticks: 1000,
                value: *value,
                event: EventId(1),
                tag: Tag::SPAN_OK,
                ..Row::default()
            };
            encoder.push(&row).unwrap();
        }
        encoder.end_run(told.len() as u32);
        encoder
    };
    stream.sampled_events(&mut encoder(told), &mut encoder(kept), &mut bytes);
    stream.rollup(&mut bytes);
    let close = Close {
        reason: CloseReason::STOPPED,
        ..Close::default()
    };
    stream.close(close, &mut bytes);
    bytes
}

#[test]
fn the_rollup_of_a_sample_tells_at_least_what_was_kept() {
    let label = perf_format::SAMPLING_LABEL;
    let fine = verified(&sampled(&[5, 70, 70, 900], &[5, 70, 900], label));
    assert_eq!((&fine.findings[..], fine.rollups), (&[][..], 1));
    // No bin may hold less than the chunk.
    let less = verified(&sampled(&[5, 70, 71, 900], &[5, 70, 70, 900], label));
    only(&less, "rollup", "the bin from 70 should count 2");
    // Nothing is missing in other captures.
    let whole = verified(&sampled(&[5, 70, 70, 900], &[5, 70, 900], "version"));
    only(&whole, "rollup", "the bin from 70 should count 1");
}

#[test]
fn what_counts_only_kept_records_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = sampled(&[5, 70, 70, 900], &[5, 900], perf_format::SAMPLING_LABEL);
    std::fs::write(dir.path().join("x.bin"), bytes).unwrap();
    let set = CaptureSet::open(&[dir.path().into()], &OpenOptions::default()).unwrap();
    let told = |options: ReportOptions| {
        let report = report(&set, &options).unwrap();
        let says = (report.warnings.iter())
            .any(|warning| matches!(warning.kind, WarningKind::SampledRecords));
        (report.events[0].count, says)
    };
    assert_eq!(told(ReportOptions::default()), (4, false));
    for (scan, exact) in [(true, false), (false, true)] {
        let options = ReportOptions {
            scan,
            exact,
            ..ReportOptions::default()
        };
        assert_eq!(told(options), (2, true));
    }
}
