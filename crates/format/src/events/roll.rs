//! From rows into a rollup: once by the encoder, once by a reader, with the same result.

use super::{ChunkEncoder, EventsChunk, Series};
use crate::error::Result;
use crate::{Aggregate, Rollup, SeriesKey, Tag};

impl ChunkEncoder {
    /// Adds the chunk's rows to the series of `rollup`; its coverage is the
    /// caller's to keep, see [`crate::Coverage::add`].
    pub fn roll_into(&self, rollup: &mut Rollup) {
        for series in self.series.all() {
            if series.key.tag != Tag::GAUGE
                && let Some(aggregate) = rollup.aggregate(series.key)
            {
                aggregate.record_all(&series.values);
            }
        }
        roll_gauges(self.series.gauges.iter().copied(), rollup);
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

    /// Records every value. `rows` are pairs of series and end.
    fn roll(
        mut self,
        rows: impl Iterator<Item = (u16, u64)>,
        grouped: &[u64],
        rollup: &mut Rollup,
    ) {
        let samples = rows.filter_map(|(series, end)| {
            let slot = &mut self.next[usize::from(series)];
            let value = grouped[*slot] as i64;
            *slot += 1;
            Some((end, self.keys[usize::from(series)]?, value))
        });
        roll_gauges(samples, rollup);
    }
}

/// Records samples of gauges in the order of ticks, equal ticks as they come.
fn roll_gauges(samples: impl Iterator<Item = (u64, SeriesKey, i64)>, rollup: &mut Rollup) {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by_key(|&(end, _, _)| end);
    for (end, key, value) in samples {
        if let Some(Aggregate::Gauge(gauge)) = rollup.aggregate(key) {
            gauge.record(end, value);
        }
    }
}
