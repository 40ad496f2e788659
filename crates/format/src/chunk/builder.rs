//! A chunk out.

use super::{CHUNK_HEAD_FIXED_BYTES, CHUNK_VERSION, COLUMN_BYTES, ChunkHead, ColumnId, SYNC_MARK};
use crate::bytes::{Put, patch_u32};

/// Appends one chunk to a buffer: fixed head, then tables, then columns, then
/// lengths and sums are filled in.
pub(crate) struct ChunkBuilder<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    body: usize,
    columns: usize,
    written: usize,
}

impl<'o> ChunkBuilder<'o> {
    /// Begins a chunk of `columns` columns. Lengths and sums of `head` are ignored.
    /// Tables are appended through [`ChunkBuilder::tables`].
    pub(crate) fn begin(out: &'o mut Vec<u8>, head: &ChunkHead, columns: usize) -> Self {
        let start = out.len();
        out.extend_from_slice(&SYNC_MARK);
        out.put_u16(head.kind.0);
        out.put_u16(CHUNK_VERSION);
        out.put_u32(0);
        out.put_u64(0);
        out.put_u32(head.record_count);
        out.put_u32(head.segment.0);
        out.put_u64(head.chunk_seq);
        out.put_u64(head.min_start);
        out.put_u64(head.min_end);
        out.put_u64(head.max_end);
        out.put_u16(columns as u16);
        out.extend_from_slice(&[0; 6]);
        out.resize(out.len() + columns * COLUMN_BYTES, 0);
        ChunkBuilder {
            out,
            start,
            body: 0,
            columns,
            written: 0,
        }
    }

    /// The buffer, to append the kind's tables.
    pub(crate) fn tables(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Ends the head.
    pub(crate) fn end_head(&mut self) {
        self.out.put_u32(0);
        self.body = self.out.len();
    }

    /// Appends a column, the bytes of which `f` writes.
    pub(crate) fn column(&mut self, id: ColumnId, encoding: u16, f: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.out.len();
        f(self.out);
        let crc = crc32c::crc32c(&self.out[begin..]);
        let entry = self.start + CHUNK_HEAD_FIXED_BYTES + self.written * COLUMN_BYTES;
        let len = self.out.len() - begin;
        patch_u32(self.out, entry, u32::from(id.0) | u32::from(encoding) << 16);
        patch_u32(self.out, entry + 4, (begin - self.body) as u32);
        patch_u32(self.out, entry + 8, len as u32);
        patch_u32(self.out, entry + 12, crc);
        self.written += 1;
    }

    /// Bytes of the chunk so far.
    pub(crate) fn position(&self) -> usize {
        self.out.len() - self.start
    }

    /// Fills in lengths and sums; returns the head's CRC-32C.
    pub(crate) fn finish(self) -> u32 {
        debug_assert_eq!(
            self.columns, self.written,
            "every declared column is written"
        );
        let head_len = self.body - self.start;
        let body_len = (self.out.len() - self.body) as u64;
        patch_u32(self.out, self.start + 12, head_len as u32);
        patch_u32(self.out, self.start + 16, body_len as u32);
        patch_u32(self.out, self.start + 20, (body_len >> 32) as u32);
        let crc = crc32c::crc32c(&self.out[self.start..self.body - 4]);
        patch_u32(self.out, self.body - 4, crc);
        crc
    }
}
