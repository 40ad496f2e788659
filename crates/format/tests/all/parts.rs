//! Captures of several parts.

use perf_format::{
    CaptureId, ChunkEncoder, ChunkStream, Close, CloseReason, FileHeader, Index, RingId, RunHead,
    SegmentId, ThreadId,
};

use crate::sample;

/// Parts of one capture, each with a header of its own.
fn parts(count: u32) -> Vec<Vec<u8>> {
    let mut next_seq = 0;
    let part = |number| {
        let mut stream = ChunkStream::resume(next_seq, SegmentId(0));
        let mut bytes = Vec::new();
        let header = FileHeader {
            part: number,
            ..sample::header()
        };
        header.encode(&mut bytes);
        stream.tables(&sample::tables(), &mut bytes);
        stream.anchors(&[sample::anchor(i64::from(number) * 1000)], &mut bytes);
        let mut encoder = ChunkEncoder::new();
        let head = RunHead {
            ring: RingId(1),
            thread: ThreadId(1),
            first_seq: u64::from(number) * 100,
        };
        encoder.push_run(head, sample::rows(5000, 100));
        stream.events(&mut encoder, &mut bytes);
        let reason = match number + 1 == count {
            true => CloseReason::STOPPED,
            false => CloseReason::ROTATED,
        };
        let close = Close {
            reason,
            ..Close::default()
        };
        stream.close(close, &mut bytes);
        next_seq = stream.next_seq();
        bytes
    };
    (0..count).map(part).collect()
}

#[test]
fn a_part_is_a_capture_that_begins_later() {
    let parts = parts(3);
    let index = Index::build(&parts[2]).unwrap();
    assert_eq!(index.header.as_ref().map(|header| header.part), Some(2));
    assert!(index.chunks[0].head.chunk_seq > 0);
    assert_eq!(index.missing_chunks(), 0);
    assert!(index.closed_cleanly() && index.damage.is_empty());
}

#[test]
fn parts_put_one_behind_another_are_a_capture() {
    let parts = parts(3);
    let whole = parts.concat();
    let index = Index::build(&whole).unwrap();
    assert_eq!(index.damage, []);
    assert_eq!(index.event_chunks().count(), 3);
    assert_eq!(index.missing_chunks(), 0);
    assert!(index.closed_cleanly());
    assert_eq!(
        index.close.map(|close| close.reason),
        Some(CloseReason::STOPPED)
    );
    for number in 1..parts[2].len() {
        let cut = &whole[..whole.len() - number];
        let index = Index::build(cut).unwrap();
        assert!(index.event_chunks().count() >= 2, "cut by {number}");
    }
}

#[test]
fn the_header_of_another_capture_is_no_part() {
    let parts = parts(2);
    let mut foreign = Vec::new();
    let header = FileHeader {
        capture_id: CaptureId([9; 16]),
        ..sample::header()
    };
    header.encode(&mut foreign);
    let whole = [&parts[0][..], &foreign, &parts[1]].concat();
    let index = Index::build(&whole).unwrap();
    assert_eq!(index.damage.len(), 1);
    assert_eq!(index.damage[0].offset, parts[0].len() as u64);
    assert_eq!(index.event_chunks().count(), 2, "what follows is found");
}
