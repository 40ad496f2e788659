//! Rollups: the histograms of the Events chunks since the rollup before.

mod codec;
mod histogram;
mod sparse;
mod summary;

use std::collections::BTreeMap;

use crate::{ChunkHead, EventId, SegmentId, Tag, TagClass};
pub(crate) use codec::coverage_of;
pub use codec::{RollupChunk, encode_rollup};
pub use histogram::Histogram;
pub use sparse::{SparseAggregate, SparseHistogram, SparseRollup};
pub use summary::{CounterSummary, GaugeSummary};

/// What identifies a series: an event and what its rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The event; in annotations the key's index in the chunk's strings.
    pub event: EventId,
    /// What the rows are; of spans, the outcome.
    pub tag: Tag,
}

/// Aggregate of one series.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    /// Spans and observations.
    Distribution(Histogram),
    /// Counters.
    Counter(CounterSummary),
    /// Gauges.
    Gauge(GaugeSummary),
}

impl Aggregate {
    /// An empty aggregate for rows of `tag`; `None` for annotations, due times and
    /// unknown tags, which are not rolled up.
    pub fn for_tag(tag: Tag) -> Option<Aggregate> {
        match tag.class() {
            TagClass::Span(_) | TagClass::Observation => {
                Some(Aggregate::Distribution(Histogram::new()))
            }
            TagClass::Counter => Some(Aggregate::Counter(CounterSummary::default())),
            TagClass::Gauge => Some(Aggregate::Gauge(GaugeSummary::default())),
            TagClass::Annotation | TagClass::Due | TagClass::Unknown => None,
        }
    }

    /// Number of rows in it.
    pub fn count(&self) -> u64 {
        match self {
            Aggregate::Distribution(histogram) => histogram.count(),
            Aggregate::Counter(counter) => counter.count,
            Aggregate::Gauge(gauge) => gauge.count,
        }
    }

    /// Adds the values of one chunk's series, in row order. `None` of `ticks`
    /// means that the caller has none; gauges need them.
    pub(crate) fn record_all(&mut self, values: &[u64]) {
        match self {
            Aggregate::Distribution(histogram) => histogram.record_all(values),
            Aggregate::Counter(counter) => values
                .iter()
                .for_each(|&delta| counter.record(delta as i64)),
            Aggregate::Gauge(_) => {
                debug_assert!(values.is_empty(), "gauges are recorded with their ticks")
            }
        }
    }

    /// Appends `next`, which covers later chunks. Aggregates of different kinds
    /// do not mix: `next` is then dropped, and false returned.
    pub fn merge(&mut self, next: &Aggregate) -> bool {
        match (self, next) {
            (Aggregate::Distribution(mine), Aggregate::Distribution(other)) => mine.merge(other),
            (Aggregate::Counter(mine), Aggregate::Counter(other)) => mine.merge(other),
            (Aggregate::Gauge(mine), Aggregate::Gauge(other)) => mine.merge(other),
            _ => return false,
        }
        true
    }
}

/// Which Events chunks a rollup covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of the first chunk, in the capture's count over all kinds.
    pub first_chunk: u64,
    /// Number of the last chunk. Every Events chunk from first to last is covered.
    pub last_chunk: u64,
    /// How many Events chunks.
    pub chunks: u64,
    /// Their rows, annotations included.
    pub rows: u64,
    /// Sum of [`chunk_digest`] over them, modulo 2⁶⁴: the chunks in a file are the
    /// covered ones exactly if their digests add up to this.
    pub digest: u64,
    /// Smallest start of their rows in ticks; 0 without rows.
    pub min_start: u64,
    /// Smallest end of their rows in ticks; 0 without rows.
    pub min_end: u64,
    /// Largest end of their rows in ticks; 0 without rows.
    pub max_end: u64,
}

/// What one Events chunk adds to [`Coverage::digest`].
pub fn chunk_digest(head: &ChunkHead) -> u64 {
    crate::trace_key::fmix64(head.chunk_seq ^ u64::from(head.head_crc) << 32)
}

impl Coverage {
    /// Adds one Events chunk.
    pub fn add(&mut self, head: &ChunkHead) {
        if self.chunks == 0 {
            (self.first_chunk, self.last_chunk) = (head.chunk_seq, head.chunk_seq);
        }
        self.first_chunk = self.first_chunk.min(head.chunk_seq);
        self.last_chunk = self.last_chunk.max(head.chunk_seq);
        self.digest = self.digest.wrapping_add(chunk_digest(head));
        self.chunks = self.chunks.saturating_add(1);
        if head.record_count > 0 {
            let first = self.rows == 0;
            self.min_start = if first {
                head.min_start
            } else {
                self.min_start.min(head.min_start)
            };
            self.min_end = if first {
                head.min_end
            } else {
                self.min_end.min(head.min_end)
            };
            self.max_end = self.max_end.max(head.max_end);
        }
        self.rows = self.rows.saturating_add(head.record_count.into());
    }

    /// True if the chunk numbered `chunk_seq` lies in the range.
    pub fn contains(&self, chunk_seq: u64) -> bool {
        self.chunks > 0 && (self.first_chunk..=self.last_chunk).contains(&chunk_seq)
    }
}

/// Aggregates of all series over a run of Events chunks of one segment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rollup {
    /// The clock segment of the ticks.
    pub segment: SegmentId,
    /// The chunks in it.
    pub coverage: Coverage,
    /// By event and tag.
    pub series: BTreeMap<SeriesKey, Aggregate>,
}

impl Rollup {
    /// An empty rollup of `segment`.
    pub fn new(segment: SegmentId) -> Self {
        Rollup {
            segment,
            ..Rollup::default()
        }
    }

    /// True if no chunk is in it.
    pub fn is_empty(&self) -> bool {
        self.coverage.chunks == 0
    }

    /// The aggregate of a series, made if it is not there. `None` for series that
    /// are not rolled up.
    pub fn aggregate(&mut self, key: SeriesKey) -> Option<&mut Aggregate> {
        use std::collections::btree_map::Entry;
        match self.series.entry(key) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(entry) => Some(entry.insert(Aggregate::for_tag(key.tag)?)),
        }
    }

    /// The histogram of a span or observation series, if there is one.
    pub fn histogram(&self, key: SeriesKey) -> Option<&Histogram> {
        match self.series.get(&key)? {
            Aggregate::Distribution(histogram) => Some(histogram),
            Aggregate::Counter(_) | Aggregate::Gauge(_) => None,
        }
    }

    /// Appends the series of `next`, which covers later chunks. The coverage is
    /// merged as well; its digest stays meaningful only within one capture.
    pub fn merge(&mut self, next: &Rollup) {
        for (key, aggregate) in &next.series {
            match self.series.get_mut(key) {
                Some(mine) => {
                    mine.merge(aggregate);
                }
                None => {
                    self.series.insert(*key, aggregate.clone());
                }
            }
        }
        self.coverage = merged(&self.coverage, &next.coverage);
    }

    /// Empties it for the next stretch, and keeps nothing.
    pub fn clear(&mut self, segment: SegmentId) {
        *self = Rollup::new(segment);
    }
}

fn merged(a: &Coverage, b: &Coverage) -> Coverage {
    if a.chunks == 0 || b.chunks == 0 {
        return if a.chunks == 0 { *b } else { *a };
    }
    let pick = |f: fn(u64, u64) -> u64, x: u64, y: u64| match (a.rows, b.rows) {
        (0, _) => y,
        (_, 0) => x,
        _ => f(x, y),
    };
    Coverage {
        first_chunk: a.first_chunk.min(b.first_chunk),
        last_chunk: a.last_chunk.max(b.last_chunk),
        chunks: a.chunks.saturating_add(b.chunks),
        rows: a.rows.saturating_add(b.rows),
        digest: a.digest.wrapping_add(b.digest),
        min_start: pick(u64::min, a.min_start, b.min_start),
        min_end: pick(u64::min, a.min_end, b.min_end),
        max_end: pick(u64::max, a.max_end, b.max_end),
    }
}
