//! From rows into a rollup: once by the encoder, once by a reader, with the same result.

use super::{ChunkEncoder, EventsChunk};
use crate::error::Result;
use crate::{Aggregate, Rollup, SeriesKey, Tag};

impl ChunkEncoder {
    /// Adds the chunk's rows to the series of `rollup`; its coverage is the
    /// caller's to keep, see [`crate::Coverage::add`].
    pub fn roll_into(&mut self, rollup: &mut Rollup) {
        self.group();
        let mut values = self.grouped.as_slice();
        for series in &self.series {
            let (mine, rest) = values.split_at(series.rows as usize);
            values = rest;
            if series.key.tag != Tag::GAUGE
                && let Some(aggregate) = rollup.aggregate(series.key)
            {
                aggregate.record_all(mine);
            }
        }
        if self
            .series
            .iter()
            .any(|series| series.key.tag == Tag::GAUGE)
        {
            let keys: Vec<SeriesKey> = self.series.iter().map(|series| series.key).collect();
            let mut starts = starts_of(self.series.iter().map(|series| series.rows));
            roll_gauges(
                &keys,
                &mut starts,
                &self.series_of,
                &self.ends,
                &self.grouped,
                rollup,
            );
        }
    }
}

impl EventsChunk<'_> {
    /// Adds the rows of the series that `keep` accepts to the series of `rollup`:
    /// what [`ChunkEncoder::roll_into`] added when the chunk was written.
    ///
    /// # Errors
    /// A damaged column; part of the series may have been added.
    pub fn roll_into(
        &self,
        rollup: &mut Rollup,
        mut keep: impl FnMut(SeriesKey) -> bool,
    ) -> Result<()> {
        let mut gauges = false;
        for (index, series) in self.series().iter().enumerate() {
            if !keep(series.key) || Aggregate::for_tag(series.key.tag).is_none() {
                continue;
            }
            if series.key.tag == Tag::GAUGE {
                gauges = true;
            } else if let Some(aggregate) = rollup.aggregate(series.key) {
                self.values_of(index, |values| aggregate.record_all(values))?;
            }
        }
        if gauges {
            self.roll_gauges(rollup, keep)?;
        }
        Ok(())
    }

    fn roll_gauges(
        &self,
        rollup: &mut Rollup,
        mut keep: impl FnMut(SeriesKey) -> bool,
    ) -> Result<()> {
        let (mut series_of, mut ends, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
        self.series_indexes(&mut series_of)?;
        self.end_ticks(&mut ends)?;
        self.grouped_values(&mut grouped)?;
        // A series that is not wanted gets the key of one that is not rolled up.
        let unwanted = SeriesKey::default();
        let keys: Vec<SeriesKey> = self
            .series()
            .iter()
            .map(|series| {
                if keep(series.key) {
                    series.key
                } else {
                    unwanted
                }
            })
            .collect();
        let mut starts = starts_of(self.series().iter().map(|series| series.rows));
        roll_gauges(&keys, &mut starts, &series_of, &ends, &grouped, rollup);
        Ok(())
    }
}

/// Where each series begins among the grouped values.
fn starts_of(rows: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut next = 0;
    rows.map(|rows| {
        let start = next;
        next += rows as usize;
        start
    })
    .collect()
}

/// Records every gauge value in the order of ticks; equal ticks in the order of rows.
fn roll_gauges(
    keys: &[SeriesKey],
    next: &mut [usize],
    series_of: &[u16],
    ends: &[u64],
    grouped: &[u64],
    rollup: &mut Rollup,
) {
    let mut points: Vec<(u64, u16, i64)> = Vec::new();
    for (&series, &end) in series_of.iter().zip(ends) {
        let slot = &mut next[usize::from(series)];
        if keys[usize::from(series)].tag == Tag::GAUGE {
            points.push((end, series, grouped[*slot] as i64));
        }
        *slot += 1;
    }
    points.sort_by_key(|&(end, _, _)| end);
    for (end, series, value) in points {
        if let Some(Aggregate::Gauge(gauge)) = rollup.aggregate(keys[usize::from(series)]) {
            gauge.record(end, value);
        }
    }
}
