//! The series of a chunk in the making: for each event and tag an index, by first
//! appearance, and its values, packed as they come.

use super::dictionary::Dictionary;
use super::encoder::ChunkFull;
use super::layout::Series;
use crate::packed::{BLOCK, Extent, Modes, encode_block};
use crate::{Row, SeriesKey, Tag, limits};

/// Slots of the cache in front of the dictionary: event and tag (40 bits) over the
/// index (16 bits), direct-mapped.
const CACHE_SLOTS: usize = 256;
/// No series has this code.
const EMPTY_SLOT: u64 = u64::MAX;
/// Values that have room while nothing is recorded: the series of one chunk need not be large in the next.
const KEPT_VALUES: usize = 4 * limits::MAX_CHUNK_ROWS;

#[derive(Debug)]
pub(super) struct SeriesTable {
    keys: Dictionary,
    cache: Box<[u64; CACHE_SLOTS]>,
    /// Those in use, and behind them buffers of earlier chunks.
    all: Vec<SeriesColumn>,
    len: usize,
    /// End, series and value of each gauge's sample: a rollup wants them in the order of time.
    pub(super) gauges: Vec<(u64, SeriesKey, i64)>,
    has_gauges: bool,
}

/// The values of one series.
#[derive(Debug)]
pub(super) struct SeriesColumn {
    pub(super) key: SeriesKey,
    /// In row order. The first `packed` of them are in `bytes` already.
    pub(super) values: Vec<u64>,
    packed: usize,
    pub(super) bytes: Vec<u8>,
    extent: Extent,
}

impl SeriesTable {
    pub(super) fn new() -> Self {
        SeriesTable {
            keys: Dictionary::new(),
            cache: Box::new([EMPTY_SLOT; CACHE_SLOTS]),
            all: Vec::new(),
            len: 0,
            gauges: Vec::new(),
            has_gauges: false,
        }
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.cache.fill(EMPTY_SLOT);
        self.len = 0;
        self.gauges.clear();
        self.has_gauges = false;
        let kept: usize = self.all.iter().map(|series| series.values.capacity()).sum();
        if kept > KEPT_VALUES {
            self.all.clear();
        }
    }

    pub(super) fn all(&self) -> &[SeriesColumn] {
        &self.all[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends the value of each row to its series, and the series to `indexes`. Returns
    /// for how many rows: all, unless the chunk has its limit of series.
    #[inline(always)]
    pub(super) fn push_all(
        &mut self,
        rows: impl ExactSizeIterator<Item = Row> + Clone,
        indexes: &mut [u64],
    ) -> usize {
        let mut taken = rows.len();
        for ((number, row), place) in rows.clone().enumerate().zip(indexes) {
            let code = u64::from(row.event.0) << 8 | u64::from(row.tag.0);
            let cached = self.cache[cache_slot(row.series())];
            let index = if cached >> 16 == code {
                cached & 0xFFFF
            } else if let Ok(index) = self.find(row.series(), code) {
                index
            } else {
                taken = number;
                break;
            };
            *place = index;
            let series = &mut self.all[index as usize];
            series.values.push(row.value);
            if series.values.len().is_multiple_of(BLOCK) {
                series.pack();
            }
        }
        if self.has_gauges {
            let samples = rows.take(taken).filter(|row| row.tag == Tag::GAUGE);
            self.gauges
                .extend(samples.map(|row| (row.end_ticks, row.series(), row.value as i64)));
        }
        taken
    }

    #[inline(never)]
    fn find(&mut self, key: SeriesKey, code: u64) -> Result<u64, ChunkFull> {
        let index = if self.len < limits::MAX_CHUNK_SERIES {
            self.keys.intern(code) as usize
        } else {
            self.keys.find(code).ok_or(ChunkFull)? as usize
        };
        if index == self.len {
            match self.all.get_mut(index) {
                Some(series) => series.begin(key),
                None => self.all.push(SeriesColumn::new(key)),
            }
            self.len += 1;
            self.has_gauges |= key.tag == Tag::GAUGE;
        }
        self.cache[cache_slot(key)] = code << 16 | index as u64;
        Ok(index as u64)
    }

    /// Packs what is not packed yet.
    pub(super) fn finish(&mut self) {
        for series in &mut self.all[..self.len] {
            series.pack();
        }
    }
}

#[inline(always)]
fn cache_slot(key: SeriesKey) -> usize {
    (key.event.0 ^ u32::from(key.tag.0) << 4) as usize % CACHE_SLOTS
}

impl SeriesColumn {
    fn new(key: SeriesKey) -> Self {
        SeriesColumn {
            key,
            values: Vec::new(),
            packed: 0,
            bytes: Vec::new(),
            extent: Extent::EMPTY,
        }
    }

    /// Forgets the values and keeps the memory.
    fn begin(&mut self, key: SeriesKey) {
        self.key = key;
        self.values.clear();
        self.packed = 0;
        self.bytes.clear();
        self.extent = Extent::EMPTY;
    }

    /// Packs the values since the last time: a block, or at the end less than one.
    #[inline(never)]
    fn pack(&mut self) {
        // Durations are unrelated from one to the next; due times, for example, rise.
        let modes = if self.key.tag.is_span() {
            Modes::Plain
        } else {
            Modes::Both
        };
        let block = &self.values[self.packed..];
        if !block.is_empty() {
            let extent = encode_block(block, modes, &mut self.bytes);
            self.extent = self.extent.and(extent);
            self.packed = self.values.len();
        }
    }

    /// The entry of the series table, once all is packed. The values begin at `value_offset` of their column.
    pub(super) fn entry(&self, value_offset: usize) -> Series {
        Series {
            key: self.key,
            rows: self.values.len() as u32,
            value_offset: value_offset as u32,
            max_value: max_value(self.key.tag, self.extent, &self.values),
        }
    }
}

/// What the series table says of the largest value.
fn max_value(tag: Tag, extent: Extent, values: &[u64]) -> u64 {
    if values.is_empty() {
        0
    } else if tag.is_signed() {
        extent.high as u64
    } else if !tag.is_span() && tag != Tag::OBSERVATION {
        0
    } else if extent.low >= 0 {
        extent.high as u64
    } else {
        // The extent is that of i64: a value from 2⁶³ on looks negative there.
        values.iter().copied().max().unwrap_or(0)
    }
}
