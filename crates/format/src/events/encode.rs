//! A chunk out: the packed columns, behind the head that tells of them.

use super::ChunkEncoder;
use super::layout;
use crate::SegmentId;
use crate::chunk::{ChunkBuilder, ChunkHead, ChunkKind, ColumnId, encoding};
use crate::packed::{Modes, encode};

impl ChunkEncoder {
    /// Appends the chunk to `out`, numbered `chunk_seq`; returns its head. No row can
    /// be pushed afterwards until [`ChunkEncoder::clear`].
    pub fn encode(&mut self, chunk_seq: u64, segment: SegmentId, out: &mut Vec<u8>) -> ChunkHead {
        self.finish();
        let mut head = self.head(chunk_seq, segment);
        let start = out.len();
        let traced = self.traces.len() > 0;
        let columns = 3
            + 3 * usize::from(traced)
            + usize::from(self.strings.len() > 0)
            + self.cpus.columns(self.ranges.len())
            + self.extra.columns();
        let mut chunk = ChunkBuilder::begin(out, &head, columns);
        self.put_tables(&mut chunk);
        chunk.end_head();
        let body = start + chunk.position();
        chunk.column(ColumnId::VALUE, encoding::PACKED, |out| {
            for series in self.series.all() {
                out.extend_from_slice(&series.bytes);
            }
        });
        let mut packed = |id, bytes: &[u8]| {
            chunk.column(id, encoding::PACKED, |out| out.extend_from_slice(bytes));
        };
        packed(ColumnId::SERIES, &self.columns.series_bytes);
        packed(ColumnId::END, &self.columns.delta_bytes);
        if traced {
            packed(ColumnId::TRACE, self.traces.numbers());
            packed(ColumnId::TRACE_RUNS, self.traces.lengths());
            chunk.column(ColumnId::TRACE_DICT, encoding::PACKED, |out| {
                encode(self.traces.ids(), Modes::Index, out);
            });
        }
        if self.strings.len() > 0 {
            chunk.column(ColumnId::STRINGS, encoding::PLAIN, |out| {
                self.strings.encode(out)
            });
        }
        self.cpus.encode(self.ranges.len(), &mut chunk);
        self.extra.encode(self.rows, &mut chunk);
        head.head_crc = chunk.finish();
        head.head_len = (body - start) as u32;
        head.body_len = (out.len() - body) as u64;
        head
    }

    fn head(&self, chunk_seq: u64, segment: SegmentId) -> ChunkHead {
        let mut head = ChunkHead {
            kind: ChunkKind::EVENTS,
            version: crate::CHUNK_VERSION,
            record_count: self.rows as u32,
            segment,
            chunk_seq,
            ..ChunkHead::default()
        };
        if self.rows > 0 {
            head.min_start = self.min_start;
            head.min_end = self.min_end;
            head.max_end = self.max_end;
        }
        head
    }

    fn put_tables(&self, chunk: &mut ChunkBuilder<'_>) {
        let tables = chunk.tables();
        let counts = [
            self.ranges.len(),
            self.series.len(),
            self.losses.len(),
            self.strings.len(),
            self.traces.ids().len(),
            self.traces.len(),
        ];
        layout::put_counts(counts, tables);
        for range in &self.ranges {
            layout::put_range(range, tables);
        }
        let mut value_offset = 0;
        for series in self.series.all() {
            layout::put_series(&series.entry(value_offset), tables);
            value_offset += series.bytes.len();
        }
        for loss in &self.losses {
            layout::put_loss(loss, tables);
        }
    }
}
