//! A rollup decoded without its empty bins: what adding up many rollups needs.

use super::{CounterSummary, GaugeSummary, SeriesKey};
use crate::bytes::Cursor;
use crate::error::{FormatError, Result, within};
use crate::packed::{BLOCK, PackedReader};
use crate::{EventId, Tag, TagClass, bins, limits};

/// The series of a rollup, their bins sparse. Kept from rollup to rollup, so that
/// its memory is reused.
#[derive(Debug, Clone, Default)]
pub struct SparseRollup {
    series: Vec<(SeriesKey, SparseAggregate)>,
    bins: Vec<(u32, u64)>,
}

/// Aggregate of one series of a [`SparseRollup`].
#[derive(Debug, Clone, Copy)]
pub enum SparseAggregate {
    /// Spans and observations.
    Distribution(SparseHistogram),
    /// Counters.
    Counter(CounterSummary),
    /// Gauges.
    Gauge(GaugeSummary),
}

/// A histogram of a [`SparseRollup`]; its bins are in [`SparseRollup::bins`].
#[derive(Debug, Clone, Copy)]
pub struct SparseHistogram {
    /// Number of values.
    pub count: u64,
    /// Sum of the values.
    pub sum: u128,
    /// Smallest value; meaningless without values.
    pub min: u64,
    /// Largest value; meaningless without values.
    pub max: u64,
    first: usize,
    len: usize,
}

impl SparseRollup {
    /// The series, in the order written.
    pub fn series(&self) -> &[(SeriesKey, SparseAggregate)] {
        &self.series
    }

    /// Bins of `histogram`, one of this rollup, that are not empty: index and
    /// count, ascending.
    pub fn bins(&self, histogram: &SparseHistogram) -> &[(u32, u64)] {
        let end = histogram.first.saturating_add(histogram.len);
        self.bins.get(histogram.first..end).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.bins.clear();
    }

    /// Decodes `entries` of the SUMMARIES column, which lie at `offset`.
    pub(super) fn fill(
        &mut self,
        entries: std::slice::ChunksExact<'_, u8>,
        entry_bytes: usize,
        offset: u64,
        mut reader: BinReader<'_>,
    ) -> Result<()> {
        for (number, entry) in entries.enumerate() {
            let offset = offset + (number * entry_bytes) as u64;
            let (key, aggregate) = self.take_summary(entry, offset, &mut reader)?;
            self.series
                .extend(aggregate.map(|aggregate| (key, aggregate)));
        }
        reader.indexes.expect_end()?;
        reader.counts.expect_end()
    }

    fn take_summary(
        &mut self,
        entry: &[u8],
        offset: u64,
        reader: &mut BinReader<'_>,
    ) -> Result<(SeriesKey, Option<SparseAggregate>)> {
        let mut cursor = Cursor::new(entry, offset, "a summary of a rollup");
        let event = EventId(cursor.u32()?);
        let tag = Tag(cursor.u8()?);
        cursor.take(3)?;
        let count = cursor.u64()?;
        let aggregate = match tag.class() {
            TagClass::Span(_) | TagClass::Observation => {
                let (sum, min, max) = (cursor.u128()?, cursor.u64()?, cursor.u64()?);
                let len = take_bins(&mut cursor, offset)?;
                let first = self.bins.len();
                let histogram = SparseHistogram {
                    count,
                    sum,
                    min,
                    max,
                    first,
                    len,
                };
                reader.next_histogram(&histogram, offset, &mut self.bins)?;
                SparseAggregate::Distribution(histogram)
            }
            TagClass::Counter => {
                let (sum, min, max) = (cursor.i128()?, cursor.i64()?, cursor.i64()?);
                SparseAggregate::Counter(CounterSummary {
                    count,
                    sum,
                    min,
                    max,
                })
            }
            TagClass::Gauge => SparseAggregate::Gauge(take_gauge(&mut cursor, count)?),
            TagClass::Annotation | TagClass::Due | TagClass::Unknown => {
                // Of a later version; whatever it is, its bins stand where bins do.
                cursor.take(SUMMARY_NUMBERS_BYTES)?;
                reader.skip(take_bins(&mut cursor, offset)?)?;
                return Ok((SeriesKey { event, tag }, None));
            }
        };
        Ok((SeriesKey { event, tag }, Some(aggregate)))
    }
}

/// Bytes of sum, smallest and largest value, whatever they mean.
const SUMMARY_NUMBERS_BYTES: usize = 32;

/// How many bins of a summary are not empty.
fn take_bins(cursor: &mut Cursor<'_>, offset: u64) -> Result<usize> {
    within(
        offset,
        "the bins of a histogram",
        cursor.u32()?.into(),
        bins::COUNT,
    )
}

fn take_gauge(cursor: &mut Cursor<'_>, count: u64) -> Result<GaugeSummary> {
    let (sum, min, max) = (cursor.i128()?, cursor.i64()?, cursor.i64()?);
    cursor.u64()?;
    let (first_ticks, first) = (cursor.u64()?, cursor.i64()?);
    let (last_ticks, last) = (cursor.u64()?, cursor.i64()?);
    let integral = cursor.i128()?;
    Ok(GaugeSummary {
        count,
        sum,
        min,
        max,
        first_ticks,
        first,
        last_ticks,
        last,
        integral,
    })
}

/// Reads the two columns of bins side by side.
pub(super) struct BinReader<'a> {
    pub(super) indexes: PackedReader<'a>,
    pub(super) counts: PackedReader<'a>,
    /// Bins that may still be allocated for this rollup, if it is made dense.
    budget: usize,
}

impl<'a> BinReader<'a> {
    pub(super) fn new(indexes: PackedReader<'a>, counts: PackedReader<'a>) -> Self {
        BinReader {
            indexes,
            counts,
            budget: limits::MAX_ROLLUP_BINS,
        }
    }

    /// Passes over `len` bins of a series that is not understood.
    fn skip(&mut self, len: usize) -> Result<()> {
        self.indexes.for_each_block(len, |_| ())?;
        self.counts.for_each_block(len, |_| ())
    }

    /// Appends the bins of the next histogram, and checks that they fit its summary.
    fn next_histogram(
        &mut self,
        histogram: &SparseHistogram,
        offset: u64,
        out: &mut Vec<(u32, u64)>,
    ) -> Result<()> {
        let SparseHistogram {
            count: total,
            min,
            max,
            first,
            len,
            ..
        } = *histogram;
        if len == 0 && total == 0 {
            return Ok(());
        }
        let bad = |got: String| {
            FormatError::malformed(offset, "the bins of a histogram", "counts that add up", got)
        };
        let dense = bins::index(max) + 1;
        within(offset, "the bins of a rollup", dense as u64, self.budget)?;
        self.budget -= dense;
        let (mut indexes, mut counts) = ([0; BLOCK], [0; BLOCK]);
        let (mut left, mut next, mut sum) = (len, 0u64, 0u64);
        while left > 0 {
            let here = left.min(BLOCK);
            self.indexes.next_block(here, &mut indexes)?;
            self.counts.next_block(here, &mut counts)?;
            for (&step, &count) in indexes[..here].iter().zip(&counts[..here]) {
                let bin = next.saturating_add(step);
                if bin >= dense as u64 {
                    return Err(bad(format!("bin {bin}, beyond {dense}")));
                }
                out.push((bin as u32, count));
                next = bin + 1;
                sum = sum
                    .checked_add(count)
                    .filter(|_| count > 0)
                    .ok_or_else(|| bad(format!("a count of {count}")))?;
            }
            left -= here;
        }
        if sum != total || next != dense as u64 {
            return Err(bad(format!(
                "{sum} in {next} bins instead of {total} in {dense}"
            )));
        }
        let lowest = bins::index(min) as u32;
        let holds_min = |bins: &[(u32, u64)]| bins.binary_search_by_key(&lowest, |b| b.0).is_ok();
        if total > 0 && (min > max || !holds_min(&out[first..])) {
            let expected = "in bins that are not empty";
            let got = format!("{min} to {max}");
            return Err(FormatError::malformed(
                offset,
                "the range of a histogram",
                expected,
                got,
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aggregate, ChunkHead, Rollup, RollupChunk, encode_rollup};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sparse_and_dense_agree(
            values in proptest::collection::vec((0u32..5, any::<u64>(), 0u32..64), 0..300),
        ) {
            let mut rollup = Rollup::default();
            for &(event, value, shift) in &values {
                let tag = [Tag::SPAN_OK, Tag::OBSERVATION, Tag::COUNTER, Tag::GAUGE][event as usize % 4];
                let key = SeriesKey { event: EventId(event), tag };
                match rollup.aggregate(key).unwrap() {
                    Aggregate::Distribution(histogram) => histogram.record(value >> shift),
                    Aggregate::Counter(counter) => counter.record(value as i64 >> shift),
                    Aggregate::Gauge(gauge) => gauge.record(value >> shift, event.into()),
                }
            }
            rollup.coverage.add(&ChunkHead::default());
            let mut bytes = Vec::new();
            encode_rollup(&rollup, 1, &mut bytes).unwrap();
            let chunk = RollupChunk::parse(&bytes, 0).unwrap();
            let mut sparse = SparseRollup::default();
            for _ in 0..2 {
                chunk.decode_sparse(&mut sparse).unwrap();
            }
            prop_assert_eq!(sparse.series().len(), rollup.series.len());
            for (key, aggregate) in sparse.series() {
                match (aggregate, &rollup.series[key]) {
                    (SparseAggregate::Distribution(sparse_one), Aggregate::Distribution(dense)) => {
                        let bins: Vec<_> = dense.nonempty().map(|(bin, count)| (bin as u32, count)).collect();
                        prop_assert_eq!(sparse.bins(sparse_one), &bins);
                        prop_assert_eq!((sparse_one.count, sparse_one.sum), (dense.count(), dense.sum()));
                        prop_assert_eq!((Some(sparse_one.min), Some(sparse_one.max)), (dense.min(), dense.max()));
                    }
                    (SparseAggregate::Counter(mine), Aggregate::Counter(other)) => prop_assert_eq!(mine, other),
                    (SparseAggregate::Gauge(mine), Aggregate::Gauge(other)) => prop_assert_eq!(mine, other),
                    _ => prop_assert!(false, "of different kinds"),
                }
            }
        }
    }
}
