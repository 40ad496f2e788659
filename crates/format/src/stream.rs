//! The order of chunks in a file: numbers, rollups, the clean end.

mod records;

pub(crate) use records::RecordChunks;

use crate::chunk::{ChunkHead, ChunkKind};
use crate::metadata::Record;
use crate::notes::{Close, Notes, OpenSpan};
use crate::{Anchor, ChunkEncoder, Rollup, SegmentId, Tables, encode_rollup};

/// A rollup is written when the Events chunks since the one before have at least
/// this many times its bytes: rollups are at most 2 % of a file.
pub const ROLLUP_SHARE: u64 = 50;

/// Turns what is recorded into chunks, and keeps the books: chunk numbers, the
/// clock segment, the histograms, what the Close chunk says.
///
/// Every method appends whole chunks to a buffer, of metadata as many as keep each
/// one small; when the bytes reach a file is
/// the caller's business. Chunks that never get there leave a gap in the numbers,
/// and their histograms are in the next rollup all the same.
#[derive(Debug, Default)]
pub struct ChunkStream {
    next_seq: u64,
    segment: SegmentId,
    /// Since the last rollup.
    window: Rollup,
    /// Before the window: one a segment.
    totals: Vec<Rollup>,
    event_bytes: u64,
    event_chunks: u64,
    rows: u64,
    sampled_out: u64,
    /// Events chunks and their rows that the Close of an earlier part counts.
    closed: (u64, u64),
    /// Event bytes below which encoding the rollup would be in vain.
    next_try: u64,
    last_second: i64,
    /// Chunks may be dropped again: a rollup of them would count what is not there.
    is_without_rollups: bool,
    scratch: Vec<u8>,
}

impl ChunkStream {
    /// At the start of a capture.
    pub fn new() -> Self {
        ChunkStream::default()
    }

    /// Goes on after a file whose highest chunk number is below `next_seq`.
    pub fn resume(next_seq: u64, segment: SegmentId) -> Self {
        ChunkStream {
            next_seq,
            segment,
            window: Rollup::new(segment),
            ..ChunkStream::default()
        }
    }

    /// Writes no rollups: for captures whose chunks may be dropped again. The histograms since the start are kept all the same.
    pub fn without_rollups(mut self) -> Self {
        self.is_without_rollups = true;
        self
    }

    /// The number of the next chunk.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The clock segment of the rows to come.
    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// Events chunks so far.
    pub fn event_chunks(&self) -> u64 {
        self.event_chunks
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are in the histograms and, by the sampler's choice, in no chunk.
    pub fn sampled_out(&self) -> u64 {
        self.sampled_out
    }

    /// Histograms since the last rollup.
    pub fn since_rollup(&self) -> &Rollup {
        &self.window
    }

    /// Histograms since the start, one rollup a clock segment. Copies them.
    pub fn since_start(&self) -> Vec<Rollup> {
        let mut all = self.totals.clone();
        merge_last(&mut all, &self.window);
        all
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        seq
    }

    /// Appends descriptors of events and threads; nothing if there are none.
    pub fn tables(&mut self, tables: &Tables, out: &mut Vec<u8>) {
        self.metadata(ChunkKind::TABLES, out, |out| tables.put_records(out));
    }

    /// Appends clock anchors; nothing if there are none.
    pub fn anchors(&mut self, anchors: &[Anchor], out: &mut Vec<u8>) {
        self.records(ChunkKind::ANCHORS, anchors, out);
    }

    /// Appends notes; nothing if there are none.
    pub fn notes(&mut self, notes: &Notes, out: &mut Vec<u8>) {
        self.metadata(ChunkKind::NOTES, out, |out| notes.put_records(out));
    }

    /// Appends spans that have not ended; nothing if there are none.
    pub fn open_spans(&mut self, spans: &[OpenSpan], out: &mut Vec<u8>) {
        self.records(ChunkKind::OPEN_SPANS, spans, out);
    }

    /// Appends the rows of `encoder` as an Events chunk, adds them to the
    /// histograms, and clears the encoder. Returns the chunk's head; `None`, and
    /// nothing appended, if the encoder is empty.
    pub fn events(&mut self, encoder: &mut ChunkEncoder, out: &mut Vec<u8>) -> Option<ChunkHead> {
        if encoder.is_empty() {
            encoder.clear();
            return None;
        }
        encoder.roll_into(&mut self.window);
        Some(self.chunk(encoder, out))
    }

    /// Appends the rows of `kept` as an Events chunk, adds the rows of `all` to the histograms, and clears both. `kept` has some
    /// of the rows of `all`, and the same ranges and losses. Returns the chunk's head; `None`, and nothing appended, if
    /// `all` is empty.
    ///
    /// Only a rollup can tell of the rows that were left out: [`ChunkStream::rollup`] should follow.
    pub fn sampled_events(
        &mut self,
        all: &mut ChunkEncoder,
        kept: &mut ChunkEncoder,
        out: &mut Vec<u8>,
    ) -> Option<ChunkHead> {
        if all.is_empty() {
            all.clear();
            kept.clear();
            return None;
        }
        all.roll_into(&mut self.window);
        self.sampled_out += all.rows().saturating_sub(kept.rows()) as u64;
        all.clear();
        Some(self.chunk(kept, out))
    }

    /// Appends the rows of `encoder`, which the histograms have already, and clears it.
    fn chunk(&mut self, encoder: &mut ChunkEncoder, out: &mut Vec<u8>) -> ChunkHead {
        let before = out.len();
        let head = encoder.encode(self.take_seq(), self.segment, out);
        self.window.coverage.add(&head);
        encoder.clear();
        self.event_bytes += (out.len() - before) as u64;
        self.event_chunks += 1;
        self.rows += u64::from(head.record_count);
        head
    }

    /// Appends a rollup if a second (UTC) has begun since the last call and the
    /// Events chunks are [`ROLLUP_SHARE`] times as long. Returns whether it did.
    /// To be called between chunks, with the time of the rows so far.
    pub fn rollup_if_due(&mut self, unix_ns: i64, out: &mut Vec<u8>) -> bool {
        let second = unix_ns.div_euclid(1_000_000_000);
        if second == self.last_second || self.event_bytes < self.next_try {
            return false;
        }
        self.last_second = second;
        self.write_rollup(false, out)
    }

    /// Appends a rollup of what no rollup covers yet, however short. Returns
    /// whether there was anything to write.
    pub fn rollup(&mut self, out: &mut Vec<u8>) -> bool {
        self.write_rollup(true, out)
    }

    fn write_rollup(&mut self, at_any_size: bool, out: &mut Vec<u8>) -> bool {
        if self.window.is_empty() {
            return false;
        }
        if self.is_without_rollups {
            merge_last(&mut self.totals, &self.window);
            self.window.clear(self.segment);
            return false;
        }
        self.scratch.clear();
        let fits = encode_rollup(&self.window, self.next_seq, &mut self.scratch).is_some();
        let needed = self.scratch.len() as u64 * ROLLUP_SHARE;
        if fits && !at_any_size && self.event_bytes < needed {
            self.next_try = needed;
            return false;
        }
        if fits {
            self.take_seq();
            out.extend_from_slice(&self.scratch);
        }
        // A rollup above the limits is left out: readers scan the chunks instead.
        merge_last(&mut self.totals, &self.window);
        self.window.clear(self.segment);
        self.event_bytes = 0;
        self.next_try = 0;
        fits
    }

    /// Ends the clock segment: writes its rollup; rows to come belong to the next
    /// one. Anchors of the new segment should follow.
    pub fn begin_segment(&mut self, out: &mut Vec<u8>) -> SegmentId {
        self.rollup(out);
        self.segment = SegmentId(self.segment.0.wrapping_add(1));
        self.window.clear(self.segment);
        self.segment
    }

    /// Appends the last rollup and the clean end. The counts of chunks and rows in `close` are filled in here: those since the
    /// start, or since the end before. The capture may go on in another part, behind a header of its own.
    pub fn close(&mut self, close: Close, out: &mut Vec<u8>) {
        self.rollup(out);
        let (chunks, rows) = std::mem::replace(&mut self.closed, (self.event_chunks, self.rows));
        let close = Close {
            event_chunks: self.event_chunks - chunks,
            rows: self.rows - rows,
            ..close
        };
        self.records(ChunkKind::CLOSE, &[close], out);
    }

    /// Appends the end of a part that was put together out of chunks of this stream, as `close` says it.
    pub fn close_snapshot(&mut self, close: Close, out: &mut Vec<u8>) {
        self.records(ChunkKind::CLOSE, &[close], out);
    }

    fn records<R: Record>(&mut self, kind: ChunkKind, records: &[R], out: &mut Vec<u8>) {
        self.metadata(kind, out, |out| {
            records.iter().for_each(|record| out.put(record))
        });
    }

    /// Appends the chunks of the records that `put` puts; none if it puts none.
    fn metadata(
        &mut self,
        kind: ChunkKind,
        out: &mut Vec<u8>,
        put: impl FnOnce(&mut RecordChunks<'_>),
    ) {
        self.scratch.clear();
        let mut chunks = RecordChunks::new(
            kind,
            self.segment,
            &mut self.next_seq,
            &mut self.scratch,
            out,
        );
        put(&mut chunks);
        chunks.finish();
    }
}

/// Merges `window` into the last of `totals`, or appends it if that has another segment.
fn merge_last(totals: &mut Vec<Rollup>, window: &Rollup) {
    match totals.last_mut() {
        Some(last) if last.segment == window.segment => last.merge(window),
        _ if window.is_empty() => {}
        _ => totals.push(window.clone()),
    }
}
