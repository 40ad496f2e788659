//! A few traces of a flow, to tell in which order its stages begin.

use perf_format::TraceId;

use super::hash::spread;
use super::span::Span;
use super::trace::Trace;

/// Traces that are kept of a flow.
const SIZE: usize = 64;

/// The traces whose ids have the least hashes: a random choice that does not depend on the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Those that stay, and a few more; in no order.
    kept: Vec<Firsts>,
    /// No greater hash has a place, once there are enough.
    floor: Option<u64>,
}

/// Of one trace.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Firsts {
    hash: u64,
    start: u64,
    /// By event: from the start of the trace to its first start, and how long its spans took.
    stages: Vec<(u32, u64, u64)>,
}

impl Sample {
    /// Whether a trace with this id has a place.
    #[inline]
    pub(crate) fn wants(&self, id: TraceId) -> bool {
        self.floor.is_none_or(|floor| spread(id.0) <= floor)
    }

    #[inline]
    pub(crate) fn offer(&mut self, trace: &Trace<'_>) {
        if self.wants(trace.id) {
            self.take(trace, spread(trace.id.0));
        }
    }

    #[cold]
    fn take(&mut self, trace: &Trace<'_>, hash: u64) {
        let stage = |span: &Span| (span.event(), span.start - trace.start, span.duration());
        let mut stages: Vec<(u32, u64, u64)> = trace.spans.iter().map(stage).collect();
        stages.sort_unstable();
        stages.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.2 = first.2.saturating_add(next.2);
            }
            same
        });
        self.insert(Firsts {
            hash,
            start: trace.start,
            stages,
        });
    }

    fn insert(&mut self, firsts: Firsts) {
        self.kept.push(firsts);
        if self.kept.len() >= SIZE + SIZE / 4 {
            self.settle();
        }
    }

    /// Lets go what has no place: before it is looked at.
    pub(crate) fn settle(&mut self) {
        if self.kept.len() >= SIZE {
            let (_, last, _) = self.kept.select_nth_unstable(SIZE - 1);
            self.floor = Some(last.hash);
            self.kept.truncate(SIZE);
        }
    }

    pub(crate) fn merge(&mut self, other: Sample) {
        other
            .kept
            .into_iter()
            .for_each(|firsts| self.insert(firsts));
        self.settle();
    }

    /// How long the spans of an event took in a trace that has it, on the mean; 0 if none has it.
    pub(crate) fn mean_duration(&self, event: u32) -> u64 {
        let durations = self.stages_of(event).map(|(_, duration)| duration);
        let (mut count, mut sum) = (0_u64, 0_u64);
        durations.for_each(|duration| {
            (count, sum) = (count + 1, sum.saturating_add(duration));
        });
        sum / count.max(1)
    }

    fn stages_of(&self, event: u32) -> impl Iterator<Item = (u64, u64)> + '_ {
        let stages = self.kept.iter().flat_map(|firsts| &firsts.stages);
        stages
            .filter(move |(each, ..)| *each == event)
            .map(|(_, first, duration)| (*first, *duration))
    }

    /// The median of when an event first began, in units from the start of the trace; `None` if none of the traces has it.
    pub(crate) fn median_first_start(&self, event: u32) -> Option<u64> {
        let mut firsts: Vec<u64> = self.stages_of(event).map(|(first, _)| first).collect();
        firsts.sort_unstable();
        let middle = firsts.len().div_ceil(2).checked_sub(1)?;
        firsts.get(middle).copied()
    }
}
