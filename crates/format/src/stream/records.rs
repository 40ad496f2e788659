//! Metadata records out, in as many chunks as they need.

use crate::chunk::{ChunkBuilder, ChunkHead, ChunkKind, ColumnId, encoding};
use crate::metadata::Record;
use crate::{SegmentId, limits};

/// Bytes of records after which a chunk is ended: damage then costs few of them, and
/// a chunk never nears the limits. One record alone may be longer.
const RECORDS_BYTES: usize = 1 << 20;
/// Bytes of a record before its payload.
const FRAME_BYTES: usize = 6;

const _: () =
    assert!(RECORDS_BYTES + FRAME_BYTES + limits::MAX_RECORD_BYTES <= limits::MAX_CHUNK_BODY_BYTES);
const _: () = assert!(RECORDS_BYTES / FRAME_BYTES <= limits::MAX_RECORDS);

/// Metadata chunks of one kind, which end where they are full.
pub(crate) struct RecordChunks<'s> {
    kind: ChunkKind,
    segment: SegmentId,
    next_seq: &'s mut u64,
    /// Those of the chunk that is not ended yet.
    records: &'s mut Vec<u8>,
    count: u32,
    out: &'s mut Vec<u8>,
}

impl<'s> RecordChunks<'s> {
    /// Chunks that are appended to `out` and numbered from `next_seq`, which is
    /// moved on. `records` is empty; its memory is used.
    pub(super) fn new(
        kind: ChunkKind,
        segment: SegmentId,
        next_seq: &'s mut u64,
        records: &'s mut Vec<u8>,
        out: &'s mut Vec<u8>,
    ) -> Self {
        RecordChunks {
            kind,
            segment,
            next_seq,
            records,
            count: 0,
            out,
        }
    }

    /// Adds a record, to the next chunk if this one would be too long with it.
    pub(crate) fn put(&mut self, record: &impl Record) {
        let before = self.records.len();
        record.put_record(self.records);
        if self.records.len() > RECORDS_BYTES {
            self.end_chunk(before);
        }
        self.count += 1;
    }

    /// Ends the last chunk.
    pub(super) fn finish(mut self) {
        self.end_chunk(self.records.len());
    }

    /// Writes the first `len` bytes of the records, all but what was put just now, as a chunk.
    fn end_chunk(&mut self, len: usize) {
        if self.count == 0 {
            return;
        }
        let head = ChunkHead {
            kind: self.kind,
            record_count: self.count,
            segment: self.segment,
            chunk_seq: *self.next_seq,
            ..ChunkHead::default()
        };
        *self.next_seq = self.next_seq.wrapping_add(1);
        let mut chunk = ChunkBuilder::begin(self.out, &head, 1);
        chunk.end_head();
        chunk.column(ColumnId::RECORDS, encoding::PLAIN, |out| {
            out.extend_from_slice(&self.records[..len]);
        });
        chunk.finish();
        self.records.drain(..len);
        self.count = 0;
    }
}
