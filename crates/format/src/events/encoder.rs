//! Rows in, an Events chunk out.

use super::dictionary::Dictionary;
use super::layout::{self, Range, Series};
use super::strings::StringTable;
use crate::chunk::{ChunkBuilder, ChunkHead, ChunkKind, ColumnId, encoding};
use crate::packed::{BLOCK, Block, encode, encode_block, encode_block_plain, encode_plain};
use crate::{
    AnnotationValue, EventId, LossEntry, RingId, Row, SegmentId, SeriesKey, Tag, ThreadId, TraceId,
    limits,
};

/// The chunk has no room for another row: encode it, clear it, begin the run again
/// at the slot that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunk is full")]
pub struct ChunkFull;

/// Where a run of rows was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunHead {
    /// The ring.
    pub ring: RingId,
    /// The thread that recorded.
    pub thread: ThreadId,
    /// Number, in the ring, of the first slot of the run.
    pub first_seq: u64,
}

/// A run in the order pushed: `range.rows` rows from `start`.
#[derive(Debug, Clone, Copy)]
struct Run {
    range: Range,
    start: usize,
}

/// Collects rows of many rings and encodes them as one Events chunk.
///
/// Push runs in any order; runs of one ring that follow one another are joined.
/// Then call [`ChunkEncoder::group`], [`ChunkEncoder::roll_into`] and
/// [`ChunkEncoder::encode`], and [`ChunkEncoder::clear`] for the next chunk. The
/// buffers are kept, so that in steady state nothing is allocated.
#[derive(Debug)]
pub struct ChunkEncoder {
    // One entry a row, in the order pushed until `group` puts them in that of the ranges.
    pub(super) ends: Vec<u64>,
    values: Vec<u64>,
    pub(super) series_of: Vec<u16>,
    trace_of: Vec<u32>,
    runs: Vec<Run>,
    losses: Vec<LossEntry>,
    series_keys: Dictionary,
    pub(super) series: Vec<Series>,
    traces: Dictionary,
    last_trace: (u64, u32),
    last_series: (u64, u16),
    strings: StringTable,
    min_start: u64,
    /// Values by series, once grouped.
    pub(super) grouped: Vec<u64>,
    is_grouped: bool,
    /// A run was begun and not ended: rows may be pushed.
    is_open: bool,
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        ChunkEncoder::new()
    }
}

impl ChunkEncoder {
    /// An empty encoder with room for a full chunk.
    pub fn new() -> Self {
        ChunkEncoder {
            ends: Vec::with_capacity(limits::MAX_CHUNK_ROWS),
            values: Vec::with_capacity(limits::MAX_CHUNK_ROWS),
            series_of: Vec::with_capacity(limits::MAX_CHUNK_ROWS),
            trace_of: Vec::with_capacity(limits::MAX_CHUNK_ROWS),
            runs: Vec::new(),
            losses: Vec::new(),
            series_keys: Dictionary::new(),
            series: Vec::new(),
            traces: Dictionary::new(),
            last_trace: (0, 0),
            last_series: NO_SERIES,
            strings: StringTable::default(),
            min_start: u64::MAX,
            grouped: Vec::new(),
            is_grouped: false,
            is_open: false,
        }
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.values.clear();
        self.series_of.clear();
        self.trace_of.clear();
        self.runs.clear();
        self.losses.clear();
        self.series_keys.clear();
        self.series.clear();
        self.traces.clear();
        self.last_trace = (0, 0);
        self.last_series = NO_SERIES;
        self.strings.clear();
        self.min_start = u64::MAX;
        self.grouped.clear();
        self.is_grouped = false;
        self.is_open = false;
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Rows that still have room, if they bring no new series or strings.
    pub fn remaining_rows(&self) -> usize {
        limits::MAX_CHUNK_ROWS - self.ends.len()
    }

    /// True if there is nothing to encode: no row, no loss, no slot taken.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
            && self.losses.is_empty()
            && self.runs.iter().all(|run| run.range.slots == 0)
    }

    /// Largest end among the rows, in ticks; 0 without rows. Walks the rows.
    pub fn max_end(&self) -> u64 {
        self.ends.iter().copied().max().unwrap_or(0)
    }

    /// Begins a run; rows pushed from here on belong to it.
    ///
    /// # Errors
    /// [`ChunkFull`] if the chunk has its limit of runs.
    pub fn begin_run(&mut self, head: RunHead) -> Result<(), ChunkFull> {
        if self.runs.len() >= limits::MAX_CHUNK_RANGES || self.is_grouped {
            return Err(ChunkFull);
        }
        let RunHead {
            ring,
            thread,
            first_seq,
        } = head;
        let range = Range {
            ring,
            thread,
            first_seq,
            ..Range::default()
        };
        self.runs.push(Run {
            range,
            start: self.ends.len(),
        });
        self.is_open = true;
        Ok(())
    }

    /// Ends the run: its rows took `slots` slots of the ring (at least one each).
    /// A run that is not ended took one slot a row.
    pub fn end_run(&mut self, slots: u32) {
        if let Some(run) = self.runs.last_mut().filter(|_| self.is_open) {
            run.range.slots = slots;
        }
        self.is_open = false;
    }

    /// Begins a run, pushes rows that take one slot each, ends it. Returns how many
    /// were taken: fewer than given if the chunk became full.
    pub fn push_run(&mut self, head: RunHead, rows: impl IntoIterator<Item = Row>) -> usize {
        if self.begin_run(head).is_err() {
            return 0;
        }
        let before = self.ends.len();
        for row in rows {
            if self.push(&row).is_err() {
                break;
            }
        }
        let taken = self.ends.len() - before;
        self.end_run(taken as u32);
        taken
    }

    /// Adds a row to the run that was begun last. Annotations go through
    /// [`ChunkEncoder::push_annotation`], since their event is an index into the
    /// chunk's strings.
    ///
    /// # Errors
    /// [`ChunkFull`], also if no run is open; the row was not taken.
    #[inline]
    pub fn push(&mut self, row: &Row) -> Result<(), ChunkFull> {
        if self.ends.len() >= limits::MAX_CHUNK_ROWS || !self.is_open {
            return Err(ChunkFull);
        }
        let series = self.series_index(SeriesKey {
            event: row.event,
            tag: row.tag,
        })?;
        let trace = self.trace_index(row.trace);
        self.min_start = self.min_start.min(row.start_ticks());
        self.ends.push(row.end_ticks);
        self.values.push(row.value);
        self.series_of.push(series);
        self.trace_of.push(trace);
        Ok(())
    }

    /// Adds an annotation of `trace` to the run that was begun last.
    ///
    /// # Errors
    /// [`ChunkFull`]; it was not taken. Key and text are cut to
    /// [`limits::MAX_STRING_BYTES`], so that an empty chunk takes any annotation.
    pub fn push_annotation(
        &mut self,
        end_ticks: u64,
        trace: TraceId,
        key: &[u8],
        value: AnnotationValue<'_>,
    ) -> Result<(), ChunkFull> {
        let cut = |bytes: &'_ [u8]| bytes.len().min(limits::MAX_STRING_BYTES);
        let key = &key[..cut(key)];
        let text_len = if let AnnotationValue::Str(text) = value {
            cut(text)
        } else {
            0
        };
        let full = self.remaining_rows() == 0
            || !self.is_open
            || self.series.len() >= limits::MAX_CHUNK_SERIES;
        if full || !self.strings.has_room(2, key.len() + text_len) {
            return Err(ChunkFull);
        }
        let event = EventId(self.strings.intern(key));
        let (tag, value) = match value {
            AnnotationValue::Str(text) => (
                Tag::ANNOTATION_STR,
                u64::from(self.strings.intern(&text[..text_len])),
            ),
            AnnotationValue::Int(value) => (Tag::ANNOTATION_INT, value as u64),
            AnnotationValue::Float(value) => (Tag::ANNOTATION_FLOAT, value.to_bits()),
        };
        self.push(&Row {
            end_ticks,
            value,
            trace,
            event,
            tag,
        })
    }

    /// Adds a loss of the interval of this chunk.
    ///
    /// # Errors
    /// [`ChunkFull`] if the chunk has its limit of entries.
    pub fn push_loss(&mut self, loss: LossEntry) -> Result<(), ChunkFull> {
        if self.losses.len() >= limits::MAX_CHUNK_LOSSES {
            return Err(ChunkFull);
        }
        self.losses.push(loss);
        Ok(())
    }

    #[inline]
    fn series_index(&mut self, key: SeriesKey) -> Result<u16, ChunkFull> {
        let code = u64::from(key.event.0) << 8 | u64::from(key.tag.0);
        if code == self.last_series.0 {
            return Ok(self.last_series.1);
        }
        let index = self.series_keys.intern(code) as usize;
        if index == self.series.len() {
            self.add_series(key)?;
        }
        if index >= limits::MAX_CHUNK_SERIES {
            return Err(ChunkFull);
        }
        self.last_series = (code, index as u16);
        Ok(index as u16)
    }

    #[cold]
    fn add_series(&mut self, key: SeriesKey) -> Result<(), ChunkFull> {
        if self.series.len() >= limits::MAX_CHUNK_SERIES {
            return Err(ChunkFull);
        }
        self.series.push(Series {
            key,
            ..Series::default()
        });
        Ok(())
    }

    #[inline]
    fn trace_index(&mut self, trace: TraceId) -> u32 {
        if trace.0 == self.last_trace.0 {
            return self.last_trace.1;
        }
        // 0 is no trace, which is also what the cache holds at first.
        let index = if trace.is_none() {
            0
        } else {
            self.traces.intern(trace.0) + 1
        };
        self.last_trace = (trace.0, index);
        index
    }

    /// Puts the rows in the order of rings and sequence numbers and the values in
    /// that of series. No row can be pushed afterwards. Called by
    /// [`ChunkEncoder::roll_into`] and [`ChunkEncoder::encode`] if need be.
    pub fn group(&mut self) {
        if self.is_grouped {
            return;
        }
        self.is_grouped = true;
        self.is_open = false;
        self.order_runs();
        for &series in &self.series_of {
            self.series[usize::from(series)].rows += 1;
        }
        let mut next = Vec::with_capacity(self.series.len());
        let mut total = 0;
        for series in &self.series {
            next.push(total);
            total += series.rows as usize;
        }
        self.grouped.resize(total, 0);
        for (&series, &value) in self.series_of.iter().zip(&self.values) {
            let slot = &mut next[usize::from(series)];
            self.grouped[*slot] = value;
            *slot += 1;
        }
        let mut values = self.grouped.as_slice();
        for series in &mut self.series {
            let (mine, rest) = values.split_at(series.rows as usize);
            series.max_value = max_value(series.key.tag, mine);
            values = rest;
        }
    }

    /// Sorts the runs and joins those that follow one another in their ring.
    fn order_runs(&mut self) {
        let mut end = self.ends.len();
        for run in self.runs.iter_mut().rev() {
            run.range.rows = (end - run.start) as u32;
            run.range.slots = run.range.slots.max(run.range.rows);
            end = run.start;
        }
        self.runs
            .retain(|run| run.range.rows > 0 || run.range.slots > 0);
        let key = |run: &Run| (run.range.ring, run.range.first_seq);
        if !self.runs.is_sorted_by_key(key) {
            self.runs.sort_by_key(key);
            self.ends = gather(&self.runs, &self.ends);
            self.values = gather(&self.runs, &self.values);
            self.series_of = gather(&self.runs, &self.series_of);
            self.trace_of = gather(&self.runs, &self.trace_of);
        }
        let mut start = 0;
        for run in &mut self.runs {
            run.start = start;
            run.range.first_end = if run.range.rows > 0 {
                self.ends[start]
            } else {
                0
            };
            start += run.range.rows as usize;
        }
        self.runs.dedup_by(|next, run| {
            let (a, b) = (&mut run.range, &next.range);
            let follows = a.ring == b.ring
                && a.thread == b.thread
                && a.first_seq.wrapping_add(a.slots.into()) == b.first_seq;
            let Some(slots) = a.slots.checked_add(b.slots).filter(|_| follows) else {
                return false;
            };
            if a.rows == 0 {
                a.first_end = b.first_end;
            }
            a.slots = slots;
            a.rows += b.rows;
            true
        });
    }

    /// Appends the chunk to `out`, numbered `chunk_seq`; returns its head.
    pub fn encode(&mut self, chunk_seq: u64, segment: SegmentId, out: &mut Vec<u8>) -> ChunkHead {
        self.group();
        let rows = self.ends.len();
        let (min_end, max_end) = self.ends.iter().fold((u64::MAX, 0), |(low, high), &end| {
            (end.min(low), end.max(high))
        });
        let mut head = ChunkHead {
            kind: ChunkKind::EVENTS,
            version: crate::CHUNK_VERSION,
            record_count: rows as u32,
            segment,
            chunk_seq,
            min_start: if rows == 0 { 0 } else { self.min_start },
            min_end: if rows == 0 { 0 } else { min_end },
            max_end,
            ..ChunkHead::default()
        };
        let start = out.len();
        let traced = self.traces.len() > 0;
        let columns = 3 + 2 * usize::from(traced) + usize::from(self.strings.len() > 0);
        let mut chunk = ChunkBuilder::begin(out, &head, columns);
        let series_at = self.put_tables(&mut chunk);
        chunk.end_head();
        let body = start + chunk.position();
        self.put_values(&mut chunk, series_at);
        chunk.column(ColumnId::SERIES, encoding::PACKED, |out| {
            put_indexes(&self.series_of, out, encode_block_plain);
        });
        chunk.column(ColumnId::END, encoding::PACKED, |out| self.put_ends(out));
        if traced {
            chunk.column(ColumnId::TRACE, encoding::PACKED, |out| {
                put_indexes(&self.trace_of, out, encode_block)
            });
            chunk.column(ColumnId::TRACE_DICT, encoding::PACKED, |out| {
                encode_plain(self.traces.keys(), out)
            });
        }
        if self.strings.len() > 0 {
            chunk.column(ColumnId::STRINGS, encoding::PLAIN, |out| {
                self.strings.encode(out)
            });
        }
        head.head_crc = chunk.finish();
        head.head_len = (body - start) as u32;
        head.body_len = (out.len() - body) as u64;
        head
    }

    /// Writes the head's tables; returns where the series table begins.
    fn put_tables(&self, chunk: &mut ChunkBuilder<'_>) -> usize {
        let counts = [
            self.runs.len(),
            self.series.len(),
            self.losses.len(),
            self.strings.len(),
            self.traces.len(),
        ];
        layout::put_counts(counts, chunk.tables());
        self.runs
            .iter()
            .for_each(|run| layout::put_range(&run.range, chunk.tables()));
        let series_at = chunk.position();
        self.series
            .iter()
            .for_each(|series| layout::put_series(series, chunk.tables()));
        self.losses
            .iter()
            .for_each(|loss| layout::put_loss(loss, chunk.tables()));
        series_at
    }

    fn put_values(&self, chunk: &mut ChunkBuilder<'_>, series_at: usize) {
        let mut offsets = Vec::with_capacity(self.series.len());
        chunk.column(ColumnId::VALUE, encoding::PACKED, |out| {
            let begin = out.len();
            let mut values = self.grouped.as_slice();
            for series in &self.series {
                offsets.push((out.len() - begin) as u32);
                let (mine, rest) = values.split_at(series.rows as usize);
                // Durations are unrelated from one to the next; counters and due times rise.
                if series.key.tag.is_span() {
                    encode_plain(mine, out)
                } else {
                    encode(mine, out)
                }
                values = rest;
            }
        });
        for (index, offset) in offsets.into_iter().enumerate() {
            chunk.patch(
                series_at + index * layout::SERIES_BYTES + layout::VALUE_OFFSET_AT,
                offset,
            );
        }
    }

    fn put_ends(&self, out: &mut Vec<u8>) {
        let mut previous = 0;
        let mut firsts = self
            .runs
            .iter()
            .filter(|run| run.range.rows > 0)
            .map(|run| run.start)
            .peekable();
        let mut block: Block = [0; BLOCK];
        for (number, ends) in self.ends.chunks(BLOCK).enumerate() {
            for (delta, &end) in block.iter_mut().zip(ends) {
                *delta = end.wrapping_sub(previous);
                previous = end;
            }
            while let Some(first) = firsts.next_if(|first| *first < (number + 1) * BLOCK) {
                block[first - number * BLOCK] = 0;
            }
            encode_block_plain(&block[..ends.len()], out);
        }
    }
}

/// A code that no series has, since tags take eight bits and events 32.
const NO_SERIES: (u64, u16) = (u64::MAX, 0);

fn gather<T: Copy>(runs: &[Run], column: &[T]) -> Vec<T> {
    let mut ordered = Vec::with_capacity(limits::MAX_CHUNK_ROWS);
    for run in runs {
        ordered.extend_from_slice(&column[run.start..][..run.range.rows as usize]);
    }
    ordered
}

fn max_value(tag: Tag, values: &[u64]) -> u64 {
    if tag.is_span() || tag == Tag::OBSERVATION {
        values.iter().copied().max().unwrap_or(0)
    } else if tag.is_signed() {
        values.iter().map(|&value| value as i64).max().unwrap_or(0) as u64
    } else {
        0
    }
}

fn put_indexes<T: Copy + Into<u64>>(
    indexes: &[T],
    out: &mut Vec<u8>,
    encode: fn(&[u64], &mut Vec<u8>),
) {
    let mut block: Block = [0; BLOCK];
    for indexes in indexes.chunks(BLOCK) {
        for (wide, &index) in block.iter_mut().zip(indexes) {
            *wide = index.into();
        }
        encode(&block[..indexes.len()], out);
    }
}
