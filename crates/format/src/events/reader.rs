//! An Events chunk out of bytes: heads at once, columns on demand.

use std::cell::Cell;

use super::layout::{EventTables, Range, Series};
use super::strings::split_strings;
use crate::chunk::{ChunkHead, ChunkKind, ColumnId, Frame};
use crate::error::{FormatError, Result};
use crate::packed::{BLOCK, PackedReader};
use crate::wide::wide;
use crate::{LossEntry, Row};

/// An Events chunk whose head was read and checked. Each column is checked against
/// its sum when it is first used.
#[derive(Debug, Clone)]
pub struct EventsChunk<'a> {
    frame: Frame<'a>,
    tables: EventTables,
    body: &'a [u8],
    /// A bit for each column of the directory whose sum was found right.
    checked: Cell<u64>,
}

impl<'a> EventsChunk<'a> {
    /// Reads the head of the chunk `bytes`, which lies at `offset` in the file.
    ///
    /// # Errors
    /// A bad head, a chunk of another kind, or one cut short.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<EventsChunk<'a>> {
        let frame = Frame::parse(bytes, offset)?;
        frame.expect_kind(ChunkKind::EVENTS)?;
        let tables = EventTables::parse(&frame)?;
        let body = frame.body(bytes)?;
        Ok(EventsChunk {
            frame,
            tables,
            body,
            checked: Cell::new(0),
        })
    }

    /// The shared fields of the head.
    pub fn head(&self) -> &ChunkHead {
        &self.frame.head
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.frame.head.record_count as usize
    }

    /// Runs of rows of one ring, in the order of the rows.
    pub fn ranges(&self) -> &[Range] {
        &self.tables.ranges
    }

    /// Series, in the order of the grouped values.
    pub fn series(&self) -> &[Series] {
        &self.tables.series
    }

    /// What was lost in the interval of this chunk.
    pub fn losses(&self) -> &[LossEntry] {
        &self.tables.losses
    }

    /// Number of distinct traces.
    pub fn trace_count(&self) -> usize {
        self.tables.traces
    }

    /// Checks the sum of every column.
    ///
    /// # Errors
    /// The first column whose sum is wrong.
    pub fn verify(&self) -> Result<()> {
        self.frame
            .columns
            .iter()
            .try_for_each(|column| self.frame.check_column(self.body, column))
    }

    /// Whether the chunk has column `id`.
    #[must_use]
    pub fn has_column(&self, id: ColumnId) -> bool {
        self.frame.column(id).is_some()
    }

    /// The bytes of column `id`, checked once, with their file offset.
    pub(super) fn column(&self, id: ColumnId) -> Result<(&'a [u8], u64)> {
        let (number, column) = self.frame.needed_column(id)?;
        if self.checked.get() & 1 << number == 0 {
            self.frame.check_column(self.body, column)?;
            self.checked.set(self.checked.get() | 1 << number);
        }
        Ok((
            self.frame.column_bytes(self.body, column),
            self.frame.column_offset(column),
        ))
    }

    /// The `count` values of a packed column into `values` (cleared first).
    pub(super) fn unpack(&self, id: ColumnId, count: usize, values: &mut Vec<u64>) -> Result<()> {
        let (column, offset) = self.column(id)?;
        let mut reader = PackedReader::new(column, offset);
        values.resize(count.next_multiple_of(BLOCK), 0);
        reader.fill(count, values)?;
        values.truncate(count);
        reader.expect_end()
    }

    /// Calls `f` with the values of series `index`, block by block, in row order.
    /// Touches no other column, and of the VALUE column only this series' bytes
    /// (once the column's sum was checked).
    ///
    /// # Errors
    /// A damaged column.
    ///
    /// # Panics
    /// If `index` is not below the number of series.
    #[inline]
    pub fn values_of(&self, index: usize, f: impl FnMut(&[u64])) -> Result<()> {
        let mut reader = self.values_reader(index)?;
        reader.for_each_block(self.tables.series[index].rows as usize, f)?;
        reader.expect_end()
    }

    /// The values of one series.
    fn values_reader(&self, index: usize) -> Result<PackedReader<'a>> {
        let (column, offset) = self.column(ColumnId::VALUE)?;
        let series = &self.tables.series[index];
        let start = series.value_offset as usize;
        let end = self
            .tables
            .series
            .get(index + 1)
            .map_or(column.len(), |next| next.value_offset as usize);
        let Some(bytes) = column.get(start..end) else {
            return Err(FormatError::malformed(
                offset,
                "the end of a series' values",
                format!("at most {}", column.len()),
                end,
            ));
        };
        Ok(PackedReader::new(bytes, offset + start as u64))
    }

    /// All values, grouped by series, into `values` (what it held is gone).
    ///
    /// # Errors
    /// A damaged column.
    pub fn grouped_values(&self, values: &mut Vec<u64>) -> Result<()> {
        self.values_where(|_| true, values)
    }

    /// The values of the series whose indexes are `wanted`, grouped by series, into `values` (what it held is gone).
    ///
    /// # Errors
    /// A damaged column.
    pub fn values_where(
        &self,
        wanted: impl Fn(usize) -> bool,
        values: &mut Vec<u64>,
    ) -> Result<()> {
        let series = || {
            let all = self.tables.series.iter().map(|series| series.rows as usize);
            all.enumerate().filter(|(index, _)| wanted(*index))
        };
        // Each series is decoded in whole blocks, the last one over what the next one is written to. What a buffer
        // that is used again already holds need not be set to 0.
        let rows: usize = series().map(|(_, rows)| rows).sum();
        values.resize(rows + BLOCK, 0);
        let mut filled = 0;
        for (index, rows) in series() {
            let mut reader = self.values_reader(index)?;
            reader.fill(rows, &mut values[filled..])?;
            reader.expect_end()?;
            filled += rows;
        }
        values.truncate(filled);
        Ok(())
    }

    /// The series index of each row into `indexes` (cleared first). Each is below
    /// the number of series, and each series has as many rows as its table says.
    ///
    /// # Errors
    /// A damaged column.
    pub fn series_indexes(&self, indexes: &mut Vec<u16>) -> Result<()> {
        self.series_below_count(indexes)?;
        let mut rows = vec![0usize; self.tables.series.len()];
        indexes
            .iter()
            .for_each(|&index| rows[usize::from(index)] += 1);
        self.check_series_rows(rows)
    }

    /// As [`EventsChunk::series_indexes`], without counting the rows of each series.
    pub(super) fn series_below_count(&self, indexes: &mut Vec<u16>) -> Result<()> {
        indexes.clear();
        indexes.resize(self.rows(), 0);
        let (column, offset) = self.column(ColumnId::SERIES)?;
        let count = self.tables.series.len() as u64;
        let mut all = 0;
        let mut rest = indexes.as_mut_slice();
        let mut reader = PackedReader::new(column, offset);
        reader.for_each_block(self.rows(), |block| {
            let (mine, after) = std::mem::take(&mut rest).split_at_mut(block.len());
            all |= narrow(block, mine);
            rest = after;
        })?;
        reader.expect_end()?;
        // No index is above all bits of all indexes; only if those are too many is each looked at.
        if all >= count && self.rows() > 0 {
            let highest = if all > u16::MAX.into() {
                all
            } else {
                indexes.iter().copied().max().unwrap_or(0).into()
            };
            if highest >= count {
                let expected = format!("below {count}");
                return Err(FormatError::malformed(
                    offset,
                    "an index of the series column",
                    expected,
                    highest,
                ));
            }
        }
        Ok(())
    }

    /// Fails unless `rows` are those that the series table says.
    pub(super) fn check_series_rows(&self, rows: impl IntoIterator<Item = usize>) -> Result<()> {
        let told = self.tables.series.iter().map(|series| series.rows as usize);
        if rows.into_iter().eq(told) {
            return Ok(());
        }
        let (_, offset) = self.column(ColumnId::SERIES)?;
        Err(FormatError::malformed(
            offset,
            "the rows of a series",
            "as many as its table says",
            "others",
        ))
    }

    /// The end of each row in ticks into `ends` (cleared first).
    ///
    /// # Errors
    /// A damaged column.
    pub fn end_ticks(&self, ends: &mut Vec<u64>) -> Result<()> {
        self.unpack(ColumnId::END, self.rows(), ends)?;
        let mut rest = ends.as_mut_slice();
        for range in &self.tables.ranges {
            // The tables' rows were checked to add up to the chunk's.
            let (mine, after) = rest.split_at_mut(range.rows as usize);
            let mut end = range.first_end;
            for slot in mine {
                end = end.wrapping_add(*slot);
                *slot = end;
            }
            rest = after;
        }
        Ok(())
    }

    /// For each row 0 or 1 + the index of its trace in [`EventsChunk::trace_ids`],
    /// into `indexes` (cleared first).
    ///
    /// # Errors
    /// A damaged column.
    pub fn trace_indexes(&self, indexes: &mut Vec<u32>) -> Result<()> {
        indexes.clear();
        // Behind the last row there is room for what is written in vain.
        indexes.resize(self.rows() + AT_ONCE, 0);
        let mut row = 0;
        let filled = self.trace_runs(|index, rows| {
            // Most runs are short, and how short cannot be foretold: some rows are written without a look.
            indexes[row..row + AT_ONCE].fill(index);
            if rows > AT_ONCE {
                indexes[row..row + rows].fill(index);
            }
            row += rows;
        });
        indexes.truncate(self.rows());
        filled
    }

    /// Calls `f` for each run of rows of one trace, in the order of the rows, with 0
    /// or 1 + the index of the trace in [`EventsChunk::trace_ids`], and the number of
    /// rows. The rows add up to the chunk's.
    ///
    /// # Errors
    /// A damaged column; `f` was then called for a part of the rows.
    pub fn trace_runs(&self, mut f: impl FnMut(u32, usize)) -> Result<()> {
        if self.tables.traces == 0 {
            f(0, self.rows());
            return Ok(());
        }
        let (column, offset) = self.column(ColumnId::TRACE)?;
        let (lengths, lengths_offset) = self.column(ColumnId::TRACE_RUNS)?;
        let mut numbers = PackedReader::new(column, offset);
        let mut lengths = PackedReader::new(lengths, lengths_offset);
        let (mut number_block, mut length_block) = ([0; BLOCK], [0; BLOCK]);
        let mut rows_left = self.rows() as u64;
        let mut left = self.tables.trace_runs;
        while left > 0 {
            let here = left.min(BLOCK);
            numbers.next_block(here, &mut number_block)?;
            lengths.next_block(here, &mut length_block)?;
            for (&number, &rows) in number_block[..here].iter().zip(&length_block) {
                if number > self.tables.traces as u64 {
                    let expected = format!("at most {}", self.tables.traces);
                    let what = "an index of the trace column";
                    return Err(FormatError::malformed(offset, what, expected, number));
                }
                rows_left = rows_left.checked_sub(rows).ok_or_else(|| {
                    let expected = format!("at most {rows_left}");
                    FormatError::malformed(
                        lengths_offset,
                        "the length of a trace run",
                        expected,
                        rows,
                    )
                })?;
                f(number as u32, rows as usize);
            }
            left -= here;
        }
        if rows_left > 0 {
            let what = "the rows beyond the last trace run";
            return Err(FormatError::malformed(lengths_offset, what, 0, rows_left));
        }
        numbers.expect_end()?;
        lengths.expect_end()
    }

    /// The distinct trace ids into `ids` (cleared first).
    ///
    /// # Errors
    /// A damaged column.
    pub fn trace_ids(&self, ids: &mut Vec<u64>) -> Result<()> {
        if self.tables.traces == 0 {
            ids.clear();
            return Ok(());
        }
        self.unpack(ColumnId::TRACE_DICT, self.tables.traces, ids)
    }

    /// Keys and texts of annotations, by index.
    ///
    /// # Errors
    /// A damaged column.
    pub fn strings(&self) -> Result<Vec<&'a [u8]>> {
        if self.tables.strings == 0 {
            return Ok(Vec::new());
        }
        let (column, offset) = self.column(ColumnId::STRINGS)?;
        split_strings(column, offset, self.tables.strings)
    }

    /// All rows. Convenient; for many chunks reuse [`super::Columns`].
    ///
    /// # Errors
    /// A damaged column.
    pub fn decode_rows(&self) -> Result<Vec<Row>> {
        let mut columns = super::Columns::default();
        columns.decode(self)?;
        Ok(columns.rows().collect())
    }
}

/// Rows of a trace that are written at once.
const AT_ONCE: usize = 4;

/// Copies a block of indexes to 16 bits each, and returns all bits that occur.
fn narrow(block: &[u64], indexes: &mut [u16]) -> u64 {
    wide(
        #[inline(always)]
        || {
            let mut all = 0;
            for (index, &wide) in indexes.iter_mut().zip(block) {
                all |= wide;
                *index = wide as u16;
            }
            all
        },
    )
}

const _: () = assert!(crate::limits::MAX_COLUMNS <= 64, "the bits of `checked`");
const _: () = assert!(BLOCK.is_multiple_of(64));
