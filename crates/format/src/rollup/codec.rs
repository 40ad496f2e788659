//! A rollup as a chunk.

use std::collections::BTreeMap;

use super::sparse::{BinReader, SparseAggregate, SparseHistogram, SparseRollup};
use super::{Aggregate, Coverage, Histogram, Rollup, SeriesKey};
use crate::bytes::{Cursor, Put};
use crate::chunk::{ChunkBuilder, ChunkHead, ChunkKind, ColumnId, Frame, encoding};
use crate::error::{FormatError, Result, within};
use crate::limits;
use crate::packed::{Modes, PackedReader, encode};

/// Bytes of the head's table.
const TABLE_BYTES: usize = 40;
/// Bytes of one series in the SUMMARIES column.
const SUMMARY_BYTES: usize = 104;

/// Appends `rollup` as a chunk numbered `chunk_seq`. `None`, and nothing
/// appended, if it is above [`limits::MAX_ROLLUP_SERIES`] or [`limits::MAX_ROLLUP_BINS`].
pub fn encode_rollup(rollup: &Rollup, chunk_seq: u64, out: &mut Vec<u8>) -> Option<()> {
    let bins: usize = histograms(rollup)
        .map(|histogram| histogram.counts().len())
        .sum();
    if rollup.series.len() > limits::MAX_ROLLUP_SERIES || bins > limits::MAX_ROLLUP_BINS {
        return None;
    }
    let start = out.len();
    let coverage = &rollup.coverage;
    let head = ChunkHead {
        kind: ChunkKind::ROLLUP,
        record_count: rollup.series.len() as u32,
        segment: rollup.segment,
        chunk_seq,
        min_start: coverage.min_start,
        min_end: coverage.min_end,
        max_end: coverage.max_end,
        ..ChunkHead::default()
    };
    let mut chunk = ChunkBuilder::begin(out, &head, 3);
    let tables = chunk.tables();
    for value in [
        coverage.first_chunk,
        coverage.last_chunk,
        coverage.chunks,
        coverage.rows,
        coverage.digest,
    ] {
        tables.put_u64(value);
    }
    chunk.end_head();
    chunk.column(ColumnId::SUMMARIES, encoding::PLAIN, |out| {
        for (key, aggregate) in &rollup.series {
            put_summary(*key, aggregate, out);
        }
    });
    let mut column = Vec::new();
    chunk.column(ColumnId::BIN_INDEX, encoding::PACKED, |out| {
        for histogram in histograms(rollup) {
            column.clear();
            let mut next = 0;
            column.extend(histogram.nonempty().map(|(bin, _)| {
                let step = bin - next;
                next = bin + 1;
                step as u64
            }));
            encode(&column, Modes::Plain, out);
        }
    });
    chunk.column(ColumnId::BIN_COUNT, encoding::PACKED, |out| {
        for histogram in histograms(rollup) {
            column.clear();
            column.extend(histogram.nonempty().map(|(_, count)| count));
            encode(&column, Modes::Plain, out);
        }
    });
    chunk.finish();
    if out.len() - start > limits::MAX_CHUNK_BODY_BYTES {
        out.truncate(start);
        return None;
    }
    Some(())
}

fn histograms(rollup: &Rollup) -> impl Iterator<Item = &Histogram> {
    rollup
        .series
        .values()
        .filter_map(|aggregate| match aggregate {
            Aggregate::Distribution(histogram) => Some(histogram),
            Aggregate::Counter(_) | Aggregate::Gauge(_) => None,
        })
}

/// One fixed-size entry for every kind of series; fields that do not apply are 0.
fn put_summary(key: SeriesKey, aggregate: &Aggregate, out: &mut Vec<u8>) {
    let end = out.len() + SUMMARY_BYTES;
    out.put_u32(key.event.0);
    out.put_u8(key.tag.0);
    out.extend_from_slice(&[0; 3]);
    match aggregate {
        Aggregate::Distribution(histogram) => {
            out.put_u64(histogram.count());
            out.put_u128(histogram.sum());
            out.put_u64(histogram.min().unwrap_or(0));
            out.put_u64(histogram.max().unwrap_or(0));
            out.put_u32(histogram.nonempty().count() as u32);
        }
        Aggregate::Counter(counter) => {
            out.put_u64(counter.count);
            out.put_i128(counter.sum);
            out.put_i64(counter.min);
            out.put_i64(counter.max);
        }
        Aggregate::Gauge(gauge) => {
            out.put_u64(gauge.count);
            out.put_i128(gauge.sum);
            out.put_i64(gauge.min);
            out.put_i64(gauge.max);
            out.put_u64(0);
            out.put_u64(gauge.first_ticks);
            out.put_i64(gauge.first);
            out.put_u64(gauge.last_ticks);
            out.put_i64(gauge.last);
            out.put_i128(gauge.integral);
        }
    }
    out.resize(end, 0);
}

/// A Rollup chunk whose head was read; the histograms are decoded on demand.
#[derive(Debug, Clone)]
pub struct RollupChunk<'a> {
    frame: Frame<'a>,
    body: &'a [u8],
    coverage: Coverage,
}

impl<'a> RollupChunk<'a> {
    /// Reads the head of the chunk `bytes`, which lies at `offset` in the file.
    ///
    /// # Errors
    /// A bad head, a chunk of another kind, or one cut short.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<RollupChunk<'a>> {
        let frame = Frame::parse(bytes, offset)?;
        let coverage = coverage_of(&frame)?;
        let body = frame.body(bytes)?;
        Ok(RollupChunk {
            frame,
            body,
            coverage,
        })
    }

    /// The shared fields of the head.
    pub fn head(&self) -> &ChunkHead {
        &self.frame.head
    }

    /// The chunks that it covers.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Decodes everything. Every column's sum is checked.
    ///
    /// # Errors
    /// A damaged column, or counts that do not add up.
    pub fn rollup(&self) -> Result<Rollup> {
        let mut rollup = Rollup::new(self.frame.head.segment);
        self.merge_into(&mut rollup)?;
        Ok(rollup)
    }

    /// Decodes everything and appends it to `rollup`, which covers earlier chunks.
    ///
    /// # Errors
    /// As [`RollupChunk::rollup`]; `rollup` is then as it was.
    pub fn merge_into(&self, rollup: &mut Rollup) -> Result<()> {
        let series = self.decode_series()?;
        let decoded = Rollup {
            segment: self.frame.head.segment,
            coverage: self.coverage,
            series,
        };
        if rollup.series.is_empty() && rollup.is_empty() {
            let segment = rollup.segment;
            *rollup = Rollup { segment, ..decoded };
        } else {
            rollup.merge(&decoded);
        }
        Ok(())
    }

    /// Decodes everything into `sparse`, cleared first, without its empty bins:
    /// much faster where many rollups are added up. Every column's sum is checked.
    ///
    /// # Errors
    /// As [`RollupChunk::rollup`]; `sparse` is then empty.
    pub fn decode_sparse(&self, sparse: &mut SparseRollup) -> Result<()> {
        sparse.clear();
        let result = self.fill_sparse(sparse);
        if result.is_err() {
            sparse.clear();
        }
        result
    }

    fn fill_sparse(&self, sparse: &mut SparseRollup) -> Result<()> {
        let (summaries, offset) = self.frame.read_column(self.body, ColumnId::SUMMARIES)?;
        let (indexes, index_offset) = self.frame.read_column(self.body, ColumnId::BIN_INDEX)?;
        let (counts, count_offset) = self.frame.read_column(self.body, ColumnId::BIN_COUNT)?;
        let series = within(
            offset,
            "the series of a rollup",
            self.frame.head.record_count.into(),
            limits::MAX_ROLLUP_SERIES,
        )?;
        if summaries.len() != series * SUMMARY_BYTES {
            return Err(FormatError::malformed(
                offset,
                "the length of a rollup's summaries",
                series * SUMMARY_BYTES,
                summaries.len(),
            ));
        }
        let bins = BinReader::new(
            PackedReader::new(indexes, index_offset),
            PackedReader::new(counts, count_offset),
        );
        sparse.fill(
            summaries.chunks_exact(SUMMARY_BYTES),
            SUMMARY_BYTES,
            offset,
            bins,
        )
    }

    fn decode_series(&self) -> Result<BTreeMap<SeriesKey, Aggregate>> {
        let mut sparse = SparseRollup::default();
        self.decode_sparse(&mut sparse)?;
        let mut decoded = BTreeMap::new();
        for (key, aggregate) in sparse.series() {
            let aggregate = match aggregate {
                SparseAggregate::Distribution(histogram) => {
                    Aggregate::Distribution(dense(histogram, sparse.bins(histogram)))
                }
                SparseAggregate::Counter(counter) => Aggregate::Counter(*counter),
                SparseAggregate::Gauge(gauge) => Aggregate::Gauge(*gauge),
            };
            if decoded.insert(*key, aggregate).is_some() {
                return Err(FormatError::malformed(
                    self.frame.offset,
                    "a series of a rollup",
                    "each once",
                    "a second of the same",
                ));
            }
        }
        Ok(decoded)
    }
}

fn dense(histogram: &SparseHistogram, bins: &[(u32, u64)]) -> Histogram {
    let len = bins.last().map_or(0, |(bin, _)| *bin as usize + 1);
    let mut counts = vec![0; len];
    for (bin, count) in bins {
        counts[*bin as usize] = *count;
    }
    let SparseHistogram {
        count,
        sum,
        min,
        max,
        ..
    } = *histogram;
    Histogram::from_sparse(count, sum, min, max, counts)
}

/// The coverage in the head's table of a Rollup chunk.
pub(crate) fn coverage_of(frame: &Frame<'_>) -> Result<Coverage> {
    let head = &frame.head;
    frame.expect_kind(ChunkKind::ROLLUP)?;
    if frame.tables.len() < TABLE_BYTES {
        return Err(FormatError::malformed(
            frame.offset,
            "the tables of a rollup",
            TABLE_BYTES,
            frame.tables.len(),
        ));
    }
    let mut cursor = Cursor::new(frame.tables, frame.offset, "the tables of a rollup");
    Ok(Coverage {
        first_chunk: cursor.u64()?,
        last_chunk: cursor.u64()?,
        chunks: cursor.u64()?,
        rows: cursor.u64()?,
        digest: cursor.u64()?,
        min_start: head.min_start,
        min_end: head.min_end,
        max_end: head.max_end,
    })
}

#[cfg(test)]
mod tests;
