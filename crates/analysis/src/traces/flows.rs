//! What is summed up of each flow. All of it adds up in any order.

mod annotated;
mod incomplete;
mod stage;

use std::collections::HashMap;

use super::cells::{Cell, Cells, bin_of};
use super::counts::Counts;
use super::flow_key::FlowKey;
use super::met::MetCounts;
use super::notes::NoteCounts;
use super::owners::Owners;
use super::pending::{Pending, owned};
use super::sample::Sample;
use super::trace::Trace;
pub(crate) use incomplete::{Incomplete, Unmeasured};
pub(crate) use stage::StageSums;

/// Values of the annotation that flows are split by; with more they are not split.
pub const MAX_BY_VALUES: usize = 4096;

/// Traces with one value of the annotation that was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByCounts {
    pub(crate) e2e: Counts,
    pub(crate) failed: u64,
}

/// What is summed up of one flow.
#[derive(Debug)]
pub(crate) struct FlowSums {
    pub(crate) id: u32,
    pub(crate) key: FlowKey,
    pub(crate) owners: Owners,
    pub(crate) cells: Cells,
    pending: Pending,
    /// By number of owner; those of gaps stay empty.
    pub(crate) stages: Vec<StageSums>,
    /// By number of owner: what its spans took beyond what they own, as far as some did.
    pub(crate) shared: Vec<u64>,
    /// Traces that have each stage once.
    pub(crate) plain: u64,
    /// When stages began, of a few traces.
    pub(crate) sample: Sample,
    pub(crate) e2e: Counts,
    pub(crate) lag: Counts,
    pub(crate) response: Counts,
    /// Traces that began before they were due.
    pub(crate) early: u64,
    /// By outcome: traces in which a span ended so.
    pub(crate) outcomes: [u64; 4],
    pub(crate) failed: u64,
    pub(crate) lossy: u64,
    pub(crate) unmeasured: Unmeasured,
    /// How old traces with open spans were at the end.
    pub(crate) ages: Counts,
    /// Traces by what else went on.
    pub(crate) met: MetCounts,
    pub(crate) notes: NoteCounts,
    pub(crate) by: HashMap<Box<[u8]>, ByCounts>,
    pub(crate) too_many_by: bool,
}

/// Scratch memory for counting how often a stage occurs in a trace.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrences {
    spans: u64,
    first_end: u64,
    last_end: u64,
}

/// Kept from trace to trace.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    occurrences: Vec<Occurrences>,
    touched: Vec<usize>,
    bytes: Vec<u8>,
    seen: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FlowSums {
    pub(crate) fn new(id: u32, key: FlowKey, events: usize) -> Self {
        Self {
            id,
            pending: Pending::default(),
            key,
            owners: Owners::new(events),
            cells: Cells::default(),
            stages: Vec::new(),
            shared: Vec::new(),
            plain: 0,
            sample: Sample::default(),
            e2e: Counts::default(),
            lag: Counts::default(),
            response: Counts::default(),
            early: 0,
            outcomes: [0; 4],
            failed: 0,
            lossy: 0,
            unmeasured: Unmeasured::default(),
            ages: Counts::default(),
            met: MetCounts::default(),
            notes: NoteCounts::default(),
            by: HashMap::new(),
            too_many_by: false,
        }
    }

    /// Adds a measured trace, which was taken apart if it comes with the block in which it ended and a level of coarseness;
    /// `repeats` if an event occurs in it more than once.
    pub(crate) fn add(
        &mut self,
        trace: &Trace<'_>,
        block: Option<(u32, u32)>,
        repeats: bool,
        scratch: &mut Scratch,
    ) {
        self.add_outcomes(trace);
        if self.id == u32::MAX {
            return self.e2e.record(trace.end_to_end());
        }
        match block {
            Some((block, level)) => self.add_owners(trace, block, level),
            None => self.add_whole(trace),
        }
        self.sample.offer(trace);
        // The traces of a rule do not all have the same stages.
        if repeats || !self.is_plain() {
            self.add_repeated(trace, scratch);
        } else {
            self.plain += 1;
        }
    }

    #[inline]
    fn add_outcomes(&mut self, trace: &Trace<'_>) {
        if trace.outcomes != 1 {
            for (bit, count) in self.outcomes.iter_mut().enumerate() {
                *count += u64::from(trace.outcomes >> bit & 1);
            }
            self.failed += 1;
        }
        self.lossy += u64::from(trace.is_lossy);
    }

    #[inline]
    fn add_owners(&mut self, trace: &Trace<'_>, block: u32, level: u32) {
        let e2e = trace.end_to_end();
        if !Pending::takes(e2e) {
            return self.add_long(trace, block, level);
        }
        let (spans, gaps) = (trace.spans, trace.gaps());
        let room = self.pending.push(block, e2e, spans.len() + gaps.len());
        let (stages, waits) = room.split_at_mut(spans.len());
        for ((word, span), own) in stages.iter_mut().zip(spans).zip(&trace.anatomy.own) {
            let number = self.owners.stage(span.event());
            let shared = span.duration() - own;
            if shared > 0 {
                share(&mut self.shared, number, shared);
            }
            *word = owned(number, *own);
        }
        for (word, gap) in waits.iter_mut().zip(gaps) {
            *word = owned(self.owners.gap(gap.from, gap.to), gap.end - gap.start);
        }
        if self.pending.is_long() {
            self.settle_cells(level);
        }
    }

    /// A trace that was not taken apart: nothing in it owns its time.
    #[inline]
    fn add_whole(&mut self, trace: &Trace<'_>) {
        self.e2e.record(trace.end_to_end());
        for span in trace.spans {
            self.owners.stage(span.event());
        }
    }

    /// Whether its traces have each stage once, if no event repeats in them.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.key, FlowKey::Events(_))
    }

    /// Adds a measured trace of which only the extent is known: none that the sample wants, and with each stage once.
    #[inline]
    pub(crate) fn add_brief(&mut self, trace: &Trace<'_>) {
        self.add_outcomes(trace);
        self.e2e.record(trace.end_to_end());
        self.plain += 1;
    }

    /// A trace that takes too long to wait with the others.
    #[cold]
    #[inline(never)]
    fn add_long(&mut self, trace: &Trace<'_>, block: u32, level: u32) {
        let mut times = Vec::new();
        for (span, own) in trace.spans.iter().zip(&trace.anatomy.own) {
            let number = self.owners.stage(span.event());
            let shared = span.duration() - own;
            if shared > 0 {
                share(&mut self.shared, number, shared);
            }
            times.push((number, *own));
        }
        let gaps = trace.gaps().iter();
        times.extend(gaps.map(|gap| (self.owners.gap(gap.from, gap.to), gap.end - gap.start)));
        let e2e = trace.end_to_end();
        self.e2e.record(e2e);
        let bin = bin_of(e2e) >> level;
        let mut row = self.cells.row(Cell { block, bin }, self.owners.list.len());
        row.count(1);
        times
            .iter()
            .for_each(|(number, time)| row.add(*number, *time));
    }

    /// Stages of a trace in which some occur more than once.
    fn add_repeated(&mut self, trace: &Trace<'_>, scratch: &mut Scratch) {
        let owners = self.owners.list.len();
        self.stages.resize_with(owners, StageSums::default);
        let found = &mut scratch.occurrences;
        found.resize(found.len().max(self.stages.len()), Occurrences::default());
        for span in trace.spans {
            let number = self.owners.stage(span.event());
            let stage = &mut self.stages[number];
            stage.spans += 1;
            let mine = &mut found[number];
            if mine.spans == 0 {
                scratch.touched.push(number);
                *mine = Occurrences {
                    spans: 1,
                    first_end: span.end,
                    last_end: span.end,
                };
            } else {
                mine.spans += 1;
                mine.first_end = mine.first_end.min(span.end);
                mine.last_end = mine.last_end.max(span.end);
            }
        }
        for number in scratch.touched.drain(..) {
            let mine = std::mem::take(&mut found[number]);
            let stage = &mut self.stages[number];
            stage.traces += 1;
            if mine.spans > 1 {
                stage.fan_traces += 1;
                stage.fan_spans += mine.spans;
                stage.fan_most = stage.fan_most.max(mine.spans);
                stage.fan_first += u128::from(mine.first_end - trace.start);
                stage.fan_last += u128::from(mine.last_end - trace.start);
            }
        }
    }

    pub(crate) fn count_incomplete(&mut self, why: Incomplete, age: u64) {
        match why {
            Incomplete::Open => {
                self.unmeasured.open += 1;
                self.ages.record(age);
            }
            Incomplete::Cut => self.unmeasured.cut += 1,
            Incomplete::Memory => self.unmeasured.memory += 1,
            Incomplete::Sampled => {}
        }
    }

    /// Adds to the cells what is pending.
    #[inline(never)]
    fn settle_cells(&mut self, level: u32) {
        let Self {
            pending,
            owners,
            cells,
            e2e,
            ..
        } = self;
        let owners = owners.list.len();
        pending.drain(|trace| {
            e2e.record(trace.end_to_end);
            let bin = bin_of(trace.end_to_end) >> level;
            let block = trace.block;
            let mut row = cells.row(Cell { block, bin }, owners);
            row.count(1);
            for (owner, time) in trace.owners() {
                row.add(owner, time);
            }
        });
    }

    /// Counts and adds all that is pending: before anything is merged or looked at. `level` is how often bins were joined.
    pub(crate) fn settle(&mut self, level: u32) {
        self.settle_cells(level);
        let owners = self.owners.list.len();
        self.stages.resize_with(owners, StageSums::default);
        self.shared.resize(owners, 0);
        let counts = [
            &mut self.e2e,
            &mut self.lag,
            &mut self.response,
            &mut self.ages,
        ];
        counts.into_iter().for_each(Counts::settle);
        self.met.settle();
        self.sample.settle();
        self.by.values_mut().for_each(|counts| counts.e2e.settle());
    }

    /// Adds another worker's sums of the same flow.
    pub(crate) fn merge(&mut self, other: FlowSums) {
        self.merge_counts(&other);
        let numbers: Vec<usize> = other
            .owners
            .list
            .iter()
            .map(|owner| self.owners.number(*owner))
            .collect();
        self.stages
            .resize_with(self.owners.list.len(), StageSums::default);
        self.shared.resize(self.owners.list.len(), 0);
        for ((number, stage), shared) in numbers.iter().zip(&other.stages).zip(&other.shared) {
            self.stages[*number].merge(stage);
            self.shared[*number] = self.shared[*number].saturating_add(*shared);
        }
        self.plain += other.plain;
        self.sample.merge(other.sample);
        self.cells.merge(&other.cells, &numbers);
        self.met.merge(&other.met);
        self.notes.merge(other.notes);
        self.too_many_by |= other.too_many_by;
        for (value, counts) in other.by {
            let mine = self.by.entry(value).or_default();
            mine.e2e.merge(&counts.e2e);
            mine.failed += counts.failed;
        }
        self.check_by();
        if self.too_many_by {
            self.by = HashMap::new();
        }
    }

    /// Adds the counts of any flow, without what concerns its stages.
    pub(crate) fn merge_counts(&mut self, other: &FlowSums) {
        self.e2e.merge(&other.e2e);
        self.lag.merge(&other.lag);
        self.response.merge(&other.response);
        self.ages.merge(&other.ages);
        self.early += other.early;
        self.failed += other.failed;
        self.lossy += other.lossy;
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
        self.unmeasured.open += other.unmeasured.open;
        self.unmeasured.cut += other.unmeasured.cut;
        self.unmeasured.memory += other.unmeasured.memory;
    }

    /// By number of owner: what it owns of all traces. To be settled before.
    pub(crate) fn own(&self) -> Vec<u128> {
        let mut own = vec![0; self.owners.list.len()];
        self.cells.for_each(|_, _, sums| {
            for (own, sum) in own.iter_mut().zip(sums) {
                *own += u128::from(*sum);
            }
        });
        own
    }

    /// Traces, measured or not.
    pub(crate) fn traces(&self) -> u64 {
        let Unmeasured { open, cut, memory } = self.unmeasured;
        self.e2e.count + open + cut + memory
    }
}

#[inline]
fn share(sums: &mut Vec<u64>, number: usize, time: u64) {
    if number >= sums.len() {
        sums.resize(number + 1, 0);
    }
    sums[number] = sums[number].saturating_add(time);
}
