//! All columns of an Events chunk, decoded into buffers that are used again.

use std::num::NonZeroU32;

use super::EventsChunk;
use crate::error::Result;
use crate::{Extra, Row, SeriesKey, SpanId, TraceId};

/// The rows of one chunk, column by column. All vectors but `trace_ids` and
/// `keys` have one entry a row; the last four have none in a chunk without these
/// columns.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// End of each row, in ticks.
    pub end_ticks: Vec<u64>,
    /// Value of each row.
    pub values: Vec<u64>,
    /// Series of each row: an index into `keys`.
    pub series: Vec<u16>,
    /// Trace of each row: 0 for none, else 1 + an index into `trace_ids`.
    pub traces: Vec<u32>,
    /// The distinct traces of the chunk.
    pub trace_ids: Vec<u64>,
    /// Event and tag of each series.
    pub keys: Vec<SeriesKey>,
    /// How many rows each row stands for, at least 1; without entries each stands for itself.
    pub weights: Vec<u32>,
    /// Span id of each row, 0 for none.
    pub span_ids: Vec<u64>,
    /// Span id of each row's parent, 0 for none.
    pub parent_ids: Vec<u64>,
    /// Whether each row was kept for itself, of a trace that was not kept.
    pub lone: Vec<bool>,
    grouped: Vec<u64>,
    next: Vec<usize>,
}

impl Columns {
    /// Decodes all columns of `chunk` into the buffers.
    ///
    /// # Errors
    /// A damaged column; the buffers then hold no rows.
    pub fn decode(&mut self, chunk: &EventsChunk<'_>) -> Result<()> {
        let result = self.fill(chunk);
        if result.is_err() {
            self.clear();
        }
        result
    }

    fn clear(&mut self) {
        self.end_ticks.clear();
        self.values.clear();
        self.series.clear();
        self.traces.clear();
        self.trace_ids.clear();
        self.keys.clear();
        self.weights.clear();
        self.span_ids.clear();
        self.parent_ids.clear();
        self.lone.clear();
    }

    fn fill(&mut self, chunk: &EventsChunk<'_>) -> Result<()> {
        chunk.series_below_count(&mut self.series)?;
        chunk.end_ticks(&mut self.end_ticks)?;
        chunk.trace_indexes(&mut self.traces)?;
        chunk.trace_ids(&mut self.trace_ids)?;
        chunk.grouped_values(&mut self.grouped)?;
        chunk.weights(&mut self.weights)?;
        chunk.span_ids(&mut self.span_ids)?;
        chunk.parent_ids(&mut self.parent_ids)?;
        chunk.lone(&mut self.lone)?;
        self.keys.clear();
        self.keys
            .extend(chunk.series().iter().map(|series| series.key));
        self.next.clear();
        let mut start = 0;
        for series in chunk.series() {
            self.next.push(start);
            start += series.rows as usize;
        }
        self.values.clear();
        // A series with more rows than its table says takes values of the next one here, and is refused below.
        self.values.extend(self.series.iter().map(|&series| {
            let slot = &mut self.next[usize::from(series)];
            let value = self.grouped.get(*slot).copied().unwrap_or(0);
            *slot += 1;
            value
        }));
        let mut start = 0;
        let rows = chunk.series().iter().zip(&self.next).map(|(series, end)| {
            let rows = end - start;
            start += series.rows as usize;
            rows
        });
        chunk.check_series_rows(rows)?;
        Ok(())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.end_ticks.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.end_ticks.is_empty()
    }

    /// Event and tag of row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn key(&self, row: usize) -> SeriesKey {
        self.keys[usize::from(self.series[row])]
    }

    /// Trace of row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn trace(&self, row: usize) -> TraceId {
        match self.traces[row] {
            0 => TraceId::NONE,
            index => TraceId(self.trace_ids[index as usize - 1]),
        }
    }

    /// Row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> Row {
        let SeriesKey { event, tag } = self.key(row);
        Row {
            end_ticks: self.end_ticks[row],
            value: self.values[row],
            trace: self.trace(row),
            event,
            tag,
        }
    }

    /// What row `row` says beyond [`Columns::row`].
    #[inline]
    pub fn extra(&self, row: usize) -> Extra {
        let weight = self.weights.get(row).copied().unwrap_or(1);
        let id = |ids: &[u64]| SpanId(ids.get(row).copied().unwrap_or(0));
        Extra {
            weight: NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN),
            span_id: id(&self.span_ids),
            parent_id: id(&self.parent_ids),
            is_lone: self.lone.get(row).copied().unwrap_or(false),
        }
    }

    /// All rows, in the order of the chunk's ranges.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row> + '_ {
        (0..self.len()).map(|row| self.row(row))
    }
}
