//! What few captures say of their rows: weights, span ids, parents. Columns that are there only if a row needs them.

use std::num::NonZeroU32;

use super::{ChunkEncoder, EventsChunk};
use crate::SpanId;
use crate::chunk::{ChunkBuilder, ColumnId, encoding};
use crate::error::{FormatError, Result};
use crate::packed::{Modes, PackedReader, encode};

/// What a row says beyond a [`crate::Row`]. The default is what a row without these columns says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra {
    /// Of how many rows it is the one that was kept.
    pub weight: NonZeroU32,
    /// The span's name within its trace.
    pub span_id: SpanId,
    /// The span id of its parent, which may be of another thread, chunk or process.
    pub parent_id: SpanId,
    /// Whether it was kept for itself, of a trace that was not kept.
    pub is_lone: bool,
}

impl Default for Extra {
    fn default() -> Self {
        Extra {
            weight: NonZeroU32::MIN,
            span_id: SpanId::NONE,
            parent_id: SpanId::NONE,
            is_lone: false,
        }
    }
}

/// The columns in the making. Each ends with the last row that needs it, and is empty if none does.
#[derive(Debug, Default)]
pub(super) struct ExtraColumns {
    weights: Vec<u64>,
    span_ids: Vec<u64>,
    parent_ids: Vec<u64>,
    lone: Vec<u64>,
}

impl ExtraColumns {
    pub(super) fn clear(&mut self) {
        self.weights.clear();
        self.span_ids.clear();
        self.parent_ids.clear();
        self.lone.clear();
    }

    /// Each with its id and what it holds of rows that say nothing.
    fn all(&mut self) -> [(ColumnId, u64, &mut Vec<u64>); 4] {
        [
            (ColumnId::WEIGHT, 1, &mut self.weights),
            (ColumnId::SPAN_ID, 0, &mut self.span_ids),
            (ColumnId::PARENT_ID, 0, &mut self.parent_ids),
            (ColumnId::LONE, 0, &mut self.lone),
        ]
    }

    fn set(&mut self, row: usize, extra: Extra) {
        let values = [
            extra.weight.get().into(),
            extra.span_id.0,
            extra.parent_id.0,
            extra.is_lone.into(),
        ];
        for ((_, absent, column), value) in self.all().into_iter().zip(values) {
            if let Some(slot) = column.get_mut(row) {
                *slot = value;
            } else if value != absent {
                column.resize(row, absent);
                column.push(value);
            }
        }
    }

    /// How many columns the chunk has of these.
    pub(super) fn columns(&mut self) -> usize {
        let needed = |(_, absent, column): &(ColumnId, u64, &mut Vec<u64>)| {
            column.iter().any(|value| value != absent)
        };
        self.all().iter().filter(|each| needed(each)).count()
    }

    /// Appends the columns, of `rows` rows.
    pub(super) fn encode(&mut self, rows: usize, chunk: &mut ChunkBuilder<'_>) {
        for (id, absent, column) in self.all() {
            if column.iter().any(|value| *value != absent) {
                column.resize(rows, absent);
                chunk.column(id, encoding::PACKED, |out| {
                    encode(column, Modes::Both, out);
                });
            }
        }
    }
}

impl ChunkEncoder {
    /// Says more of row `row`, counted from the chunk's first; what it said before is replaced. A chunk none of whose rows
    /// say more costs nothing for it.
    ///
    /// # Panics
    /// If there is no such row yet (see [`ChunkEncoder::rows`]).
    pub fn set_extra(&mut self, row: usize, extra: Extra) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        self.extra.set(row, extra);
    }
}

impl EventsChunk<'_> {
    /// The weight of each row into `weights` (cleared first); none if the chunk has none: all are 1.
    ///
    /// # Errors
    /// A damaged column, and a weight of 0 or above [`u32::MAX`].
    pub fn weights(&self, weights: &mut Vec<u32>) -> Result<()> {
        weights.clear();
        if !self.has_column(ColumnId::WEIGHT) {
            return Ok(());
        }
        let (column, offset) = self.column(ColumnId::WEIGHT)?;
        let mut reader = PackedReader::new(column, offset);
        let mut wrong = None;
        reader.for_each_block(self.rows(), |block| {
            weights.extend(block.iter().map(|weight| *weight as u32));
            let bad = |weight: &&u64| **weight == 0 || **weight > u32::MAX.into();
            wrong = wrong.or_else(|| block.iter().find(bad).copied());
        })?;
        reader.expect_end()?;
        match wrong {
            None => Ok(()),
            Some(weight) => {
                let expected = format!("1 to {}", u32::MAX);
                let what = "the weight of a row";
                Err(FormatError::malformed(offset, what, expected, weight))
            }
        }
    }

    /// The span id of each row into `ids` (cleared first), 0 for none; no entries if the chunk has no span ids.
    ///
    /// # Errors
    /// A damaged column.
    pub fn span_ids(&self, ids: &mut Vec<u64>) -> Result<()> {
        self.unpack_if_there(ColumnId::SPAN_ID, ids)
    }

    /// The span id of each row's parent into `ids` (cleared first), 0 for none; no entries if the chunk has no parents.
    ///
    /// # Errors
    /// A damaged column.
    pub fn parent_ids(&self, ids: &mut Vec<u64>) -> Result<()> {
        self.unpack_if_there(ColumnId::PARENT_ID, ids)
    }

    /// Whether each row was kept for itself, of a trace that was not kept, into `lone` (cleared first); no entries if the chunk
    /// has no such rows.
    ///
    /// # Errors
    /// A damaged column.
    pub fn lone(&self, lone: &mut Vec<bool>) -> Result<()> {
        let mut numbers = Vec::new();
        lone.clear();
        self.unpack_if_there(ColumnId::LONE, &mut numbers)?;
        lone.extend(numbers.iter().map(|number| *number != 0));
        Ok(())
    }

    fn unpack_if_there(&self, id: ColumnId, values: &mut Vec<u64>) -> Result<()> {
        values.clear();
        match self.has_column(id) {
            true => self.unpack(id, self.rows(), values),
            false => Ok(()),
        }
    }
}
