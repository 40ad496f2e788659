//! Rows in: what the recorder pushes, packed into columns as it comes.
//!
//! A row is looked at once. What a column has of it goes into the block in the making, which stays in the first-level
//! cache and is packed when it is full.

use super::cpu::CpuColumn;
use super::extra::ExtraColumns;
use super::layout::Range;
use super::series_table::SeriesTable;
use super::strings::StringTable;
use super::trace_runs::TraceRuns;
use crate::packed::{BLOCK, Block, Modes, encode_block};
use crate::wide::wide;
use crate::{AnnotationValue, EventId, LossEntry, RingId, Row, Tag, ThreadId, TraceId, limits};

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

/// The run that rows are pushed into: a part of the last range.
#[derive(Debug, Clone, Copy)]
struct OpenRun {
    /// Slots and rows of the range before this run.
    slots: u32,
    rows: usize,
}

/// The columns that have one entry a row, packed but for the last rows.
#[derive(Debug)]
pub(super) struct RowColumns {
    series: Block,
    deltas: Block,
    pub(super) series_bytes: Vec<u8>,
    pub(super) delta_bytes: Vec<u8>,
}

/// Collects rows of many rings and encodes them as one Events chunk.
///
/// Push the runs of one ring one after another, in the order of their sequence numbers:
/// those that follow one another are joined. Then call [`ChunkEncoder::roll_into`] and
/// [`ChunkEncoder::encode`], and [`ChunkEncoder::clear`] for the next chunk. The
/// buffers are kept, so that in steady state nothing is allocated.
#[derive(Debug)]
pub struct ChunkEncoder {
    pub(super) rows: usize,
    pub(super) columns: Box<RowColumns>,
    pub(super) series: SeriesTable,
    pub(super) traces: TraceRuns,
    pub(super) ranges: Vec<Range>,
    pub(super) losses: Vec<LossEntry>,
    pub(super) strings: StringTable,
    pub(super) extra: ExtraColumns,
    pub(super) cpus: CpuColumn,
    last_end: u64,
    pub(super) min_start: u64,
    pub(super) min_end: u64,
    pub(super) max_end: u64,
    /// A run was begun and not ended: rows may be pushed.
    run: Option<OpenRun>,
    is_finished: bool,
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        ChunkEncoder::new()
    }
}

impl ChunkEncoder {
    /// An empty encoder.
    pub fn new() -> Self {
        ChunkEncoder {
            rows: 0,
            columns: Box::new(RowColumns {
                series: [0; BLOCK],
                deltas: [0; BLOCK],
                series_bytes: Vec::new(),
                delta_bytes: Vec::new(),
            }),
            series: SeriesTable::new(),
            traces: TraceRuns::new(),
            ranges: Vec::new(),
            losses: Vec::new(),
            strings: StringTable::default(),
            extra: ExtraColumns::default(),
            cpus: CpuColumn::default(),
            last_end: 0,
            min_start: u64::MAX,
            min_end: u64::MAX,
            max_end: 0,
            run: None,
            is_finished: false,
        }
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.columns.series_bytes.clear();
        self.columns.delta_bytes.clear();
        self.series.clear();
        self.traces.clear();
        self.ranges.clear();
        self.losses.clear();
        self.strings.clear();
        self.extra.clear();
        self.cpus.clear();
        self.last_end = 0;
        self.min_start = u64::MAX;
        self.min_end = u64::MAX;
        self.max_end = 0;
        self.run = None;
        self.is_finished = false;
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that still have room, if they bring no new series or strings.
    pub fn remaining_rows(&self) -> usize {
        limits::MAX_CHUNK_ROWS - self.rows
    }

    /// True if there is nothing to encode: no row, no loss, no slot taken.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.losses.is_empty() && self.ranges.iter().all(|range| range.slots == 0)
    }

    /// Begins a run; rows pushed from here on belong to it.
    ///
    /// # Errors
    /// [`ChunkFull`] if the chunk has its limit of ranges, or is encoded already.
    pub fn begin_run(&mut self, head: RunHead) -> Result<(), ChunkFull> {
        if self.is_finished {
            return Err(ChunkFull);
        }
        self.end_run(0);
        let RunHead {
            ring,
            thread,
            first_seq,
        } = head;
        let rows = self.rows;
        let continued = self.ranges.last().filter(|range| {
            range.ring == ring
                && range.thread == thread
                && range.first_seq.wrapping_add(range.slots.into()) == first_seq
                // The slots of a range are a u32 all together.
                && range.slots < u32::MAX / 2
        });
        let slots = match continued {
            Some(range) => range.slots,
            None if self.ranges.len() >= limits::MAX_CHUNK_RANGES => return Err(ChunkFull),
            None => {
                self.ranges.push(Range {
                    ring,
                    thread,
                    first_seq,
                    ..Range::default()
                });
                0
            }
        };
        self.run = Some(OpenRun { slots, rows });
        Ok(())
    }

    /// The range that the open run belongs to.
    pub(super) fn open_range(&self) -> Option<usize> {
        self.run.and_then(|_| self.ranges.len().checked_sub(1))
    }

    /// Ends the run: its rows took `slots` slots of the ring (at least one each).
    /// A run that is not ended took one slot a row.
    pub fn end_run(&mut self, slots: u32) {
        let Some(run) = self.run.take() else { return };
        let Some(range) = self.ranges.last_mut() else {
            return;
        };
        let rows = (self.rows - run.rows) as u32;
        range.slots = run.slots.saturating_add(slots.max(rows));
        range.rows += rows;
        if range.slots == 0 {
            self.ranges.pop();
            self.cpus.truncate(self.ranges.len());
        }
    }

    /// Begins a run, pushes rows that take one slot each, ends it. Returns how many
    /// were taken: fewer than given if the chunk became full.
    pub fn push_run(&mut self, head: RunHead, rows: impl IntoIterator<Item = Row>) -> usize {
        if self.begin_run(head).is_err() {
            return 0;
        }
        let mut rows = rows.into_iter();
        let mut buffer = Vec::with_capacity(BLOCK);
        let mut taken = 0;
        loop {
            buffer.clear();
            buffer.extend(rows.by_ref().take(BLOCK));
            let pushed = self.push_rows(&buffer, |&row| row);
            taken += pushed;
            if pushed < BLOCK {
                break;
            }
        }
        self.end_run(taken as u32);
        taken
    }

    /// Adds a row to the run that was begun last. Annotations go through
    /// [`ChunkEncoder::push_annotation`], since their event is an index into the
    /// chunk's strings.
    ///
    /// # Errors
    /// [`ChunkFull`], also if no run is open; the row was not taken.
    pub fn push(&mut self, row: &Row) -> Result<(), ChunkFull> {
        match self.push_rows(&[*row], |&row| row) {
            0 => Err(ChunkFull),
            _ => Ok(()),
        }
    }

    /// Adds rows, annotations excepted, to the run that was begun last; `row` makes them
    /// out of whatever the caller has. Returns how many were taken: fewer than given if
    /// the chunk became full, none if no run is open. Much faster than one by one.
    #[inline]
    pub fn push_rows<R>(&mut self, rows: &[R], row: impl Fn(&R) -> Row) -> usize {
        let (Some(run), Some(first)) = (self.run, rows.first()) else {
            return 0;
        };
        let last_end = self.last_end;
        let begins_range =
            self.rows == run.rows && self.ranges.last().is_some_and(|range| range.rows == 0);
        if begins_range {
            self.last_end = row(first).end_ticks;
        }
        let mut taken = 0;
        while taken < rows.len() {
            let room = (BLOCK - self.rows % BLOCK).min(limits::MAX_CHUNK_ROWS - self.rows);
            let piece = &rows[taken..rows.len().min(taken + room)];
            let pushed = wide(
                #[inline(always)]
                || self.push_piece(piece, &row),
            );
            taken += pushed;
            if pushed < piece.len() || room == 0 {
                break;
            }
        }
        if begins_range {
            if taken == 0 {
                // Refused: the rows of the range before may still go on.
                self.last_end = last_end;
            } else if let Some(range) = self.ranges.last_mut() {
                range.first_end = row(first).end_ticks;
            }
        }
        taken
    }

    /// Adds rows to the blocks in the making, where they have room. Column by column:
    /// each of these loops is so small that all it needs stays in registers.
    #[inline(always)]
    fn push_piece<R>(&mut self, rows: &[R], row: &impl Fn(&R) -> Row) -> usize {
        let from = self.rows % BLOCK;
        let series = &mut self.columns.series[from..from + rows.len()];
        let taken = self.series.push_all(rows.iter().map(row), series);
        let rows = &rows[..taken];
        let (mut last_end, mut min_start) = (self.last_end, self.min_start);
        let (mut min_end, mut max_end) = (self.min_end, self.max_end);
        for (delta, row) in self.columns.deltas[from..]
            .iter_mut()
            .zip(rows.iter().map(row))
        {
            *delta = row.end_ticks.wrapping_sub(last_end);
            last_end = row.end_ticks;
            min_start = min_start.min(row.start_ticks());
            min_end = min_end.min(row.end_ticks);
            max_end = max_end.max(row.end_ticks);
        }
        (self.last_end, self.min_start) = (last_end, min_start);
        (self.min_end, self.max_end) = (min_end, max_end);
        self.traces
            .push_all(self.rows, rows.iter().map(|it| row(it).trace.0));
        self.rows += taken;
        if from + taken == BLOCK {
            self.columns.pack(BLOCK);
            self.traces.pack();
        }
        taken
    }

    /// Packs what is left. No row can be pushed afterwards.
    pub(super) fn finish(&mut self) {
        self.end_run(0);
        if !std::mem::replace(&mut self.is_finished, true) {
            self.columns.pack(self.rows % BLOCK);
            self.series.finish();
            self.traces.finish();
        }
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
        let cut = |bytes: &[u8]| bytes.len().min(limits::MAX_STRING_BYTES);
        let key = &key[..cut(key)];
        let text_len = if let AnnotationValue::Str(text) = value {
            cut(text)
        } else {
            0
        };
        let room = self.remaining_rows() > 0 && self.series.len() < limits::MAX_CHUNK_SERIES;
        if self.run.is_none() || !room || !self.strings.has_room(2, key.len() + text_len) {
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
}

impl RowColumns {
    /// Packs the first `rows` of the blocks in the making.
    fn pack(&mut self, rows: usize) {
        if rows > 0 {
            encode_block(&self.series[..rows], Modes::Index, &mut self.series_bytes);
            encode_block(&self.deltas[..rows], Modes::Plain, &mut self.delta_bytes);
        }
    }
}
