//! What else a thread did while a trace waited for it.
//!
//! The span after a gap was recorded by some thread. What that thread recorded before it and ended within the gap, of other
//! traces or of none, is what it was busy with while the trace waited. Only gaps that are an eighth of the trace or more are
//! looked at, and only rows of the chunk in which the trace lies whole. In large captures a random choice of the traces, by
//! their ids, stands for all.

use perf_format::Columns;

use super::anatomy::Gap;
use super::chunk::{ChunkRef, Use};
use super::hash::spread;
use super::span::Span;
use super::world::World;

/// A gap is looked at if it is so large a part of its trace.
const PART: u64 = 8;
/// Rows that are looked at before one span.
const MAX_ROWS: u32 = 32;
/// Records up to which every trace is looked at; of twice as many, every second one.
const ALL_RECORDS: u64 = 8 << 20;

/// Which traces are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    mask: u64,
}

impl Choice {
    /// For captures of so many records.
    pub(crate) fn of(records: u64) -> Self {
        let mask = records.div_ceil(ALL_RECORDS).max(1).next_power_of_two() - 1;
        Self { mask }
    }

    /// Whether that is all of them.
    #[inline]
    pub(crate) fn is_all(self) -> bool {
        self.mask == 0
    }

    /// Whether the trace of that id is one.
    #[inline]
    pub(crate) fn takes(self, id: u64) -> bool {
        spread(id) & self.mask == 0
    }
}

/// The rows around the trace that is closed.
#[derive(Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    pub(crate) world: &'a World,
    pub(crate) of: &'a ChunkRef<'a>,
    pub(crate) columns: &'a Columns,
    pub(crate) uses: &'a [Use],
    /// Of each thread's rows: the thread, the first, and the one after the last.
    pub(crate) lanes: &'a [(u32, u32, u32)],
    /// The trace's index in the chunk, from 1.
    pub(crate) trace: u32,
}

impl Neighbours<'_> {
    /// Events that the threads of the spans after long gaps were busy with in these, none twice.
    pub(crate) fn busy(&self, spans: &[Span], gaps: &[Gap], end_to_end: u64, found: &mut Vec<u32>) {
        found.clear();
        for gap in gaps {
            if (gap.end - gap.start).saturating_mul(PART) < end_to_end {
                continue;
            }
            let after = |span: &&Span| span.start == gap.end && span.event() == gap.to;
            let first = spans.iter().filter(after);
            // Of several the outermost of the first thread: it is recorded last.
            let first = first.min_by_key(|span| (span.thread(), !span.row()));
            if let Some(span) = first {
                self.before(span, gap, found);
            }
        }
    }

    fn before(&self, span: &Span, gap: &Gap, found: &mut Vec<u32>) {
        let row = span.row();
        let from = (self.lanes).partition_point(|(thread, ..)| *thread < span.thread());
        let mut lanes = self.lanes[from..].iter();
        let lane = lanes.find(|(_, from, to)| (*from..*to).contains(&row));
        let first = lane.map_or(row, |(_, from, _)| *from);
        for row in (first.max(row.saturating_sub(MAX_ROWS))..row).rev() {
            let at = row as usize;
            let end = self.of.units(self.world, self.columns.end_ticks[at]);
            if end <= gap.start {
                return;
            }
            let Use::Span { event, .. } = self.uses[usize::from(self.columns.series[at])] else {
                continue;
            };
            let theirs = self.columns.traces[at] != self.trace && end <= gap.end;
            if theirs && !found.contains(&event) {
                found.push(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_captures_are_looked_at_in_part() {
        for (records, one_in) in [
            (0, 1),
            (ALL_RECORDS, 1),
            (ALL_RECORDS + 1, 2),
            (4 * ALL_RECORDS, 4),
            (5 * ALL_RECORDS, 8),
        ] {
            let choice = Choice::of(records);
            assert_eq!(choice.is_all(), one_in == 1);
            let taken = (1..=80_000).filter(|id| choice.takes(*id)).count();
            let expected = 80_000 / one_in;
            assert!(
                taken.abs_diff(expected) <= expected / 20,
                "{taken} of {expected}"
            );
        }
    }
}
