//! Captures reduced to what a comparison judges: one line of JSON a capture, small enough for the repository.
//!
//! Values are merged to bins of about half a per cent; counts stand as base64 of variable-length numbers: for every slice
//! how many places it uses, then for each twice the step from the place before, one more if a count follows since it is not
//! 1, then what failed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use perf_analysis::diff::summary::{Series, SeriesKind, Slice, Summary};
use serde::{Deserialize, Serialize};

/// Bins of three significant digits that become one.
const MERGED: u64 = 4;

/// A capture in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// In the order recorded, from 1.
    pub(crate) run: u32,
    /// When it was recorded, in unix seconds.
    pub(crate) at_unix_s: i64,
    /// Microseconds that every signal was slowed down by.
    pub(crate) spin_us: u32,
    host: String,
    labels: BTreeMap<String, String>,
    clock: String,
    tick_ns: f64,
    records: u64,
    lost: u64,
    duration_ns: u64,
    flows: Vec<Flow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flow {
    name: String,
    /// Steps from value to value.
    values: String,
    slices: String,
}

impl Stored {
    /// Keeps the flows of which there are `least` traces.
    pub(crate) fn of(
        summary: &Summary,
        run: u32,
        at_unix_s: i64,
        spin_us: u32,
        least: u64,
    ) -> Self {
        let flows = summary.series.iter();
        let flows = flows.filter(|series| series.kind == SeriesKind::Flow && series.ok() >= least);
        Self {
            run,
            at_unix_s,
            spin_us,
            host: summary.host.clone(),
            labels: summary.labels.clone(),
            clock: summary.clock.clone(),
            tick_ns: summary.tick_ns,
            records: summary.records,
            lost: summary.lost,
            duration_ns: summary.duration_ns,
            flows: flows.map(Flow::of).collect(),
        }
    }

    /// The capture as it was summarised, but for its bins.
    ///
    /// # Errors
    /// When the line was not written by [`Stored::of`].
    pub(crate) fn summary(&self) -> Result<Summary> {
        let series = self.flows.iter().map(Flow::series);
        Ok(Summary {
            path: format!("run {}", self.run),
            start_unix_ns: self.at_unix_s.saturating_mul(1_000_000_000),
            host: self.host.clone(),
            labels: self.labels.clone(),
            clock: self.clock.clone(),
            tick_ns: self.tick_ns,
            records: self.records,
            lost: self.lost,
            duration_ns: self.duration_ns,
            series: series.collect::<Result<_>>()?,
        })
    }
}

impl Flow {
    fn of(series: &Series) -> Self {
        // The greatest value of so many bins stands for all of them.
        let mut values: Vec<u64> = Vec::new();
        let mut place_of = Vec::new();
        let mut last_bin = None;
        for value in &series.values {
            let bin = perf_format::bins::index(*value) as u64 / MERGED;
            if last_bin == Some(bin) {
                values.pop();
            }
            values.push(*value);
            place_of.push(values.len() - 1);
            last_bin = Some(bin);
        }
        let mut steps = Vec::new();
        let mut before = 0;
        for value in &values {
            push(&mut steps, value - before);
            before = *value;
        }
        let mut slices = Vec::new();
        for slice in &series.slices {
            let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
            for (place, count) in &slice.counts {
                *counts.entry(place_of[*place as usize]).or_default() += count;
            }
            push(&mut slices, counts.len() as u64);
            let mut before = 0;
            for (place, count) in counts {
                push(
                    &mut slices,
                    ((place - before) as u64) << 1 | u64::from(count != 1),
                );
                if count != 1 {
                    push(&mut slices, count);
                }
                before = place;
            }
            push(&mut slices, slice.failed);
        }
        Self {
            name: series.name.clone(),
            values: STANDARD.encode(steps),
            slices: STANDARD.encode(slices),
        }
    }

    fn series(&self) -> Result<Series> {
        let mut steps = Numbers(STANDARD.decode(&self.values)?.into_iter());
        let mut values = Vec::new();
        let mut before = 0;
        while let Some(step) = steps.next()? {
            before += step;
            values.push(before);
        }
        let mut numbers = Numbers(STANDARD.decode(&self.slices)?.into_iter());
        let mut slices = Vec::new();
        while let Some(used) = numbers.next()? {
            let mut counts = Vec::new();
            let mut place = 0;
            for _ in 0..used {
                let step = numbers.expect()?;
                place += step >> 1;
                if place >= values.len() as u64 {
                    bail!("place {place} of {} values", values.len());
                }
                let count = if step & 1 == 1 { numbers.expect()? } else { 1 };
                counts.push((place as u32, count));
            }
            slices.push(Slice {
                counts,
                failed: numbers.expect()?,
                cancelled: 0,
            });
        }
        Ok(Series {
            kind: SeriesKind::Flow,
            name: self.name.clone(),
            unit: "ns".to_owned(),
            values,
            slices,
            owners: Vec::new(),
        })
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Numbers(std::vec::IntoIter<u8>);

impl Numbers {
    fn next(&mut self) -> Result<Option<u64>> {
        let Some(mut byte) = self.0.next() else {
            return Ok(None);
        };
        let (mut number, mut shift) = (u64::from(byte & 0x7F), 7);
        while byte & 0x80 != 0 {
            byte = self.0.next().context("a number ends early")?;
            if shift > 56 {
                bail!("a number of more than 63 bits");
            }
            number |= u64::from(byte & 0x7F) << shift;
            shift += 7;
        }
        Ok(Some(number))
    }

    fn expect(&mut self) -> Result<u64> {
        self.next()?.context("a number is missing")
    }
}

/// All captures of a store.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<Stored>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let parsed = lines.map(|line| serde_json::from_str(line).context("a line is no capture"));
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf_analysis::diff::summary::{SLICES, SeriesBuilder};

    #[test]
    fn what_is_stored_comes_back_but_for_its_bins() {
        let mut builder = SeriesBuilder::default();
        for slice in 0..SLICES {
            for value in [1, 2047, 2048, 2050, 1_000_000, 1_003_000, u64::MAX >> 1] {
                builder.ok(slice, value + slice as u64, 1 + slice as u64 * 300);
            }
            builder.failed(slice, slice as u64 % 3);
        }
        let series = builder.build(SeriesKind::Flow, "A → B", "ns");
        let back = Flow::of(&series).series().unwrap();
        assert!(back.values.len() < series.values.len());
        assert_eq!((back.ok(), back.failed()), (series.ok(), series.failed()));
        for (one, other) in series.slices.iter().zip(&back.slices) {
            assert_eq!((one.ok(), one.failed), (other.ok(), other.failed));
            let mean = |of: &Series, slice: &Slice| -> f64 {
                let all = slice.counts.iter();
                all.map(|(place, count)| of.values[*place as usize] as f64 * *count as f64)
                    .sum()
            };
            let ratio = mean(&back, other) / mean(&series, one);
            assert!((1.0..1.005).contains(&ratio), "{ratio}");
        }
        // Once merged, nothing changes any more.
        assert_eq!(
            Flow::of(&back),
            Flow::of(&Flow::of(&back).series().unwrap())
        );
    }
}
