//! From rows into a rollup: once by the encoder, once by a reader, with the same result.

use super::encoder::Run;
use super::{ChunkEncoder, EventsChunk, Series};
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
            let rows = self.runs.iter().flat_map(Run::rows);
            let rows = rows.map(|row| (self.series_of[row], self.ends[row]));
            let gauges = Gauges::new(&self.series, |_| true);
            gauges.roll(rows, &self.grouped, rollup);
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
        let mut has_gauges = false;
        for (index, series) in self.series().iter().enumerate() {
            if series.key.tag == Tag::GAUGE {
                has_gauges |= keep(series.key);
            } else if Aggregate::for_tag(series.key.tag).is_some()
                && keep(series.key)
                && let Some(aggregate) = rollup.aggregate(series.key)
            {
                self.values_of(index, |values| aggregate.record_all(values))?;
            }
        }
        if has_gauges {
            let (mut series_of, mut ends, mut grouped) = (Vec::new(), Vec::new(), Vec::new());
            self.series_indexes(&mut series_of)?;
            self.end_ticks(&mut ends)?;
            self.grouped_values(&mut grouped)?;
            let gauges = Gauges::new(self.series(), keep);
            gauges.roll(series_of.into_iter().zip(ends), &grouped, rollup);
        }
        Ok(())
    }
}

/// The gauges among the series of a chunk. Alone among the kinds they need the
/// times of their values.
struct Gauges {
    /// By series: the key if it is a gauge that is wanted.
    keys: Vec<Option<SeriesKey>>,
    /// By series: where its values begin among the grouped ones.
    next: Vec<usize>,
}

impl Gauges {
    fn new(series: &[Series], mut keep: impl FnMut(SeriesKey) -> bool) -> Self {
        let mut total = 0;
        let mut gauges = Gauges {
            keys: Vec::new(),
            next: Vec::new(),
        };
        for series in series {
            let wanted = series.key.tag == Tag::GAUGE && keep(series.key);
            gauges.keys.push(wanted.then_some(series.key));
            gauges.next.push(total);
            total += series.rows as usize;
        }
        gauges
    }

    /// Records every value in the order of ticks, equal ticks in the order of
    /// `rows`: pairs of series and end.
    fn roll(
        mut self,
        rows: impl Iterator<Item = (u16, u64)>,
        grouped: &[u64],
        rollup: &mut Rollup,
    ) {
        let mut points: Vec<(u64, SeriesKey, i64)> = Vec::new();
        for (series, end) in rows {
            let slot = &mut self.next[usize::from(series)];
            if let Some(key) = self.keys[usize::from(series)] {
                points.push((end, key, grouped[*slot] as i64));
            }
            *slot += 1;
        }
        points.sort_by_key(|&(end, _, _)| end);
        for (end, key, value) in points {
            if let Some(Aggregate::Gauge(gauge)) = rollup.aggregate(key) {
                gauge.record(end, value);
            }
        }
    }
}
