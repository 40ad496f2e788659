//! A few traces of a flow, to tell in which order its stages begin.

use std::collections::BinaryHeap;

use super::hash::spread;
use super::trace::Trace;

/// Traces that are kept of a flow.
const SIZE: usize = 64;

/// The traces whose ids have the least hashes: a random choice that does not depend on the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// The one with the greatest hash first.
    kept: BinaryHeap<Firsts>,
    /// No greater hash has a place, once there are enough.
    floor: Option<u64>,
}

/// By event: from the start of a trace to the first start of the event.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Firsts {
    hash: u64,
    start: u64,
    stages: Vec<(u32, u64)>,
}

impl Sample {
    #[inline]
    pub(crate) fn offer(&mut self, trace: &Trace<'_>) {
        let hash = spread(trace.id.0);
        if self.floor.is_none_or(|floor| hash <= floor) {
            self.take(trace, hash);
        }
    }

    #[cold]
    fn take(&mut self, trace: &Trace<'_>, hash: u64) {
        let mut stages: Vec<(u32, u64)> = trace
            .spans
            .iter()
            .map(|span| (span.event(), span.start - trace.start))
            .collect();
        stages.sort_unstable();
        stages.dedup_by_key(|(event, _)| *event);
        self.insert(Firsts {
            hash,
            start: trace.start,
            stages,
        });
    }

    fn insert(&mut self, firsts: Firsts) {
        self.kept.push(firsts);
        if self.kept.len() > SIZE {
            self.kept.pop();
        }
        if self.kept.len() == SIZE {
            self.floor = self.kept.peek().map(|last| last.hash);
        }
    }

    pub(crate) fn merge(&mut self, other: Sample) {
        other
            .kept
            .into_iter()
            .for_each(|firsts| self.insert(firsts));
    }

    /// The median of when an event first began, in units from the start of the trace; `None` if none of the traces has it.
    pub(crate) fn median_first_start(&self, event: u32) -> Option<u64> {
        let stages = self.kept.iter().flat_map(|firsts| &firsts.stages);
        let mut firsts: Vec<u64> = stages
            .filter(|(each, _)| *each == event)
            .map(|(_, first)| *first)
            .collect();
        firsts.sort_unstable();
        let middle = firsts.len().div_ceil(2).checked_sub(1)?;
        firsts.get(middle).copied()
    }
}
