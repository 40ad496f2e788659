//! Rows in: what the recorder pushes, kept in columns until the chunk is encoded.

use super::dictionary::Dictionary;
use super::layout::{Range, Series};
use super::strings::StringTable;
use super::trace_runs::TraceRuns;
use crate::{
    AnnotationValue, EventId, LossEntry, RingId, Row, SeriesKey, Tag, ThreadId, TraceId, limits,
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

/// A run as it was pushed: `range.rows` rows from `start`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) range: Range,
    pub(super) start: usize,
    /// It goes on where the run before it (once sorted) ended.
    pub(super) continues: bool,
}

/// A column of the encoder, one entry a row. The length is a constant, so that one
/// check of the row's number serves all columns.
type ColumnOf<T> = Box<[T; limits::MAX_CHUNK_ROWS]>;

fn column_of<T: Copy + Default + std::fmt::Debug>() -> ColumnOf<T> {
    let column = vec![T::default(); limits::MAX_CHUNK_ROWS].into_boxed_slice();
    column.try_into().expect("the length is that of the type")
}

/// Collects rows of many rings and encodes them as one Events chunk.
///
/// Push runs in any order; runs of one ring that follow one another are joined.
/// Then call [`ChunkEncoder::group`], [`ChunkEncoder::roll_into`] and
/// [`ChunkEncoder::encode`], and [`ChunkEncoder::clear`] for the next chunk. The
/// buffers are kept, so that in steady state nothing is allocated.
#[derive(Debug)]
pub struct ChunkEncoder {
    pub(super) rows: usize,
    pub(super) ends: ColumnOf<u64>,
    pub(super) values: ColumnOf<u64>,
    pub(super) series_of: ColumnOf<u16>,
    pub(super) traces: TraceRuns,
    /// In the order pushed; once grouped, in that of rings and sequence numbers.
    pub(super) runs: Vec<Run>,
    pub(super) losses: Vec<LossEntry>,
    series_keys: Dictionary,
    series_cache: Box<[u64; CACHE_SLOTS]>,
    pub(super) series: Vec<Series>,
    pub(super) strings: StringTable,
    pub(super) min_start: u64,
    /// Values by series, once grouped.
    pub(super) grouped: Vec<u64>,
    pub(super) is_grouped: bool,
    /// A run was begun and not ended: rows may be pushed.
    pub(super) is_open: bool,
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
            rows: 0,
            ends: column_of(),
            values: column_of(),
            series_of: column_of(),
            traces: TraceRuns::new(),
            runs: Vec::new(),
            losses: Vec::new(),
            series_keys: Dictionary::new(),
            series_cache: Box::new([EMPTY_SLOT; CACHE_SLOTS]),
            series: Vec::new(),
            strings: StringTable::default(),
            min_start: u64::MAX,
            grouped: Vec::new(),
            is_grouped: false,
            is_open: false,
        }
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.runs.clear();
        self.losses.clear();
        self.series_keys.clear();
        self.series_cache.fill(EMPTY_SLOT);
        self.series.clear();
        self.traces.clear();
        self.strings.clear();
        self.min_start = u64::MAX;
        self.grouped.clear();
        self.is_grouped = false;
        self.is_open = false;
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
        self.rows == 0 && self.losses.is_empty() && self.runs.iter().all(|run| run.range.slots == 0)
    }

    /// Largest end among the rows, in ticks; 0 without rows. Walks the rows.
    pub fn max_end(&self) -> u64 {
        self.ends[..self.rows].iter().copied().max().unwrap_or(0)
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
            start: self.rows,
            continues: false,
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
        let before = self.rows;
        for row in rows {
            if self.push(&row).is_err() {
                break;
            }
        }
        let taken = self.rows - before;
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
        let number = self.rows;
        if number >= limits::MAX_CHUNK_ROWS || !self.is_open {
            return Err(ChunkFull);
        }
        let series = self.series_index(SeriesKey {
            event: row.event,
            tag: row.tag,
        })?;
        self.series[usize::from(series)].rows += 1;
        self.min_start = self.min_start.min(row.start_ticks());
        self.ends[number] = row.end_ticks;
        self.values[number] = row.value;
        self.series_of[number] = series;
        self.traces.push(number, row.trace.0);
        self.rows = number + 1;
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
        let cut = |bytes: &[u8]| bytes.len().min(limits::MAX_STRING_BYTES);
        let key = &key[..cut(key)];
        let text_len = if let AnnotationValue::Str(text) = value {
            cut(text)
        } else {
            0
        };
        let room = self.remaining_rows() > 0 && self.series.len() < limits::MAX_CHUNK_SERIES;
        if !self.is_open || !room || !self.strings.has_room(2, key.len() + text_len) {
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
        let slot = (key.event.0 ^ u32::from(key.tag.0) << 4) as usize % CACHE_SLOTS;
        let cached = self.series_cache[slot];
        if cached >> 16 == code {
            return Ok(cached as u16);
        }
        let index = self.find_series(key, code)?;
        self.series_cache[slot] = code << 16 | u64::from(index);
        Ok(index)
    }

    /// The series' index out of the dictionary; a new one if it has none.
    fn find_series(&mut self, key: SeriesKey, code: u64) -> Result<u16, ChunkFull> {
        let index = self.series_keys.intern(code) as usize;
        if index >= limits::MAX_CHUNK_SERIES {
            return Err(ChunkFull);
        }
        if index == self.series.len() {
            self.series.push(Series {
                key,
                ..Series::default()
            });
        }
        Ok(index as u16)
    }
}

/// Slots of the cache in front of the dictionary of series: event and tag (40 bits)
/// over the index (16 bits), direct-mapped.
const CACHE_SLOTS: usize = 256;
/// No series has this code.
const EMPTY_SLOT: u64 = u64::MAX;
