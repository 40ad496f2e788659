//! A capture cut into equal slices of time: all that a comparison looks at, small enough to be kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Slices that a capture is cut into.
pub const SLICES: usize = 128;

/// What one capture is compared by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its first file, as given.
    pub path: String,
    /// When it was begun, in unix ns; 0 where that is not known.
    pub start_unix_ns: i64,
    /// Where it was recorded.
    pub host: String,
    /// What its recorder was told of the build and the scenario.
    pub labels: BTreeMap<String, String>,
    /// Where its clock came from.
    pub clock: String,
    /// The length of a tick in ns; 1 where the capture does not tell.
    pub tick_ns: f64,
    /// Records.
    pub records: u64,
    /// Records that were lost.
    pub lost: u64,
    /// The selected time, in ns.
    pub duration_ns: u64,
    /// Events and flows, by kind and name.
    pub series: Vec<Series>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeriesKind {
    /// From the first start to the last end of the traces of a flow.
    Flow,
    /// The spans of an event.
    Span,
    /// The values of an observation.
    Observation,
}

impl SeriesKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Span => "span",
            Self::Observation => "observation",
        }
    }
}

/// The values of an event or a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it is.
    pub kind: SeriesKind,
    /// The event, or the flow.
    pub name: String,
    /// The unit of its values; `ns` but for observations.
    pub unit: String,
    /// The different values, ascending: the highest of each bin.
    pub values: Vec<u64>,
    /// By slice.
    pub slices: Vec<Slice>,
    /// Of a flow: the stages and gaps that own its time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
}

/// A slice of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Of what ended well: the place among the values, and how often; ascending.
    pub counts: Vec<(u32, u64)>,
    /// What ended in an error or a panic.
    pub failed: u64,
    /// What was cancelled.
    pub cancelled: u64,
}

/// The time that a stage or a gap owns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// The event, or `A→B`.
    pub owner: String,
    /// In a trace of the flow, on average, in ns.
    pub mean_ns: u64,
    /// In the traces around the 99th percentile; absent where there are too few.
    pub tail_ns: Option<u64>,
}

impl Slice {
    /// What ended well.
    pub fn ok(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.ok() + self.failed + self.cancelled
    }
}

impl Series {
    /// All of it that ended well.
    pub fn ok(&self) -> u64 {
        self.slices.iter().map(Slice::ok).sum()
    }

    /// All that failed.
    pub fn failed(&self) -> u64 {
        self.slices.iter().map(|slice| slice.failed).sum()
    }

    /// All that was cancelled.
    pub fn cancelled(&self) -> u64 {
        self.slices.iter().map(|slice| slice.cancelled).sum()
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.slices.iter().map(Slice::total).sum()
    }
}

impl Summary {
    /// An event or flow by kind and name.
    pub fn find(&self, kind: SeriesKind, name: &str) -> Option<&Series> {
        (self.series.iter()).find(|series| series.kind == kind && series.name == name)
    }

    /// Traces by slice, of all flows.
    pub fn traces(&self) -> [u64; SLICES] {
        let mut traces = [0; SLICES];
        let flows = self
            .series
            .iter()
            .filter(|series| series.kind == SeriesKind::Flow);
        for flow in flows {
            for (sum, slice) in traces.iter_mut().zip(&flow.slices) {
                *sum += slice.total();
            }
        }
        traces
    }
}

/// Puts a series together, value by value.
#[derive(Debug, Default)]
pub struct SeriesBuilder {
    /// Values, their slices and how often.
    entries: Vec<(u64, u8, u64)>,
    failed: BTreeMap<u8, u64>,
    cancelled: BTreeMap<u8, u64>,
}

impl SeriesBuilder {
    /// Adds `count` values of a slice that ended well.
    pub fn ok(&mut self, slice: usize, value: u64, count: u64) {
        if count > 0 {
            self.entries.push((value, slice as u8, count));
        }
    }

    /// Adds `count` that failed.
    pub fn failed(&mut self, slice: usize, count: u64) {
        *self.failed.entry(slice as u8).or_default() += count;
    }

    /// Adds `count` that were cancelled.
    pub fn cancelled(&mut self, slice: usize, count: u64) {
        *self.cancelled.entry(slice as u8).or_default() += count;
    }

    /// The series.
    pub fn build(mut self, kind: SeriesKind, name: &str, unit: &str) -> Series {
        self.entries.sort_unstable();
        let mut slices = vec![Slice::default(); SLICES];
        let mut values: Vec<u64> = Vec::new();
        for (value, slice, count) in self.entries {
            if values.last() != Some(&value) {
                values.push(value);
            }
            let place = values.len() as u32 - 1;
            let counts = &mut slices[usize::from(slice)].counts;
            match counts.last_mut().filter(|last| last.0 == place) {
                Some(last) => last.1 += count,
                None => counts.push((place, count)),
            }
        }
        // Many are kept, and for long.
        slices
            .iter_mut()
            .for_each(|slice| slice.counts.shrink_to_fit());
        for (slice, count) in self.failed {
            slices[usize::from(slice)].failed = count;
        }
        for (slice, count) in self.cancelled {
            slices[usize::from(slice)].cancelled = count;
        }
        Series {
            kind,
            name: name.to_owned(),
            unit: unit.to_owned(),
            values,
            slices,
            owners: Vec::new(),
        }
    }
}

const _: () = assert!(SLICES <= 256, "a slice is numbered by a byte");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_what_was_put_into_it() {
        let mut builder = SeriesBuilder::default();
        builder.ok(3, 500, 2);
        builder.ok(0, 100, 1);
        builder.ok(3, 100, 4);
        builder.failed(3, 7);
        builder.cancelled(127, 1);
        let series = builder.build(SeriesKind::Span, "A", "ns");
        assert_eq!(series.values, [100, 500]);
        assert_eq!(series.slices[0].counts, [(0, 1)]);
        assert_eq!(series.slices[3].counts, [(0, 4), (1, 2)]);
        assert_eq!(
            (series.ok(), series.failed(), series.cancelled()),
            (7, 7, 1)
        );
        assert_eq!(series.total(), 15);
    }
}
