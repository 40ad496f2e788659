//! What is summed up of each flow. All of it adds up in any order.

use std::collections::HashMap;

use super::cells::{Cells, bin_of};
use super::counts::Counts;
use super::hash::{NumberMap, spread};
use super::notes::{NoteCounts, encode};
use super::owners::Owners;
use super::trace::{FlowId, Trace};

/// Flows that are told apart while reading. Of more, those whose hash is high count as others.
const MAX_FLOWS: usize = 4096;
/// Values of the annotation that flows are split by; with more they are not split.
pub const MAX_BY_VALUES: usize = 4096;
/// Annotations of one trace that are looked at.
const MAX_NOTES: usize = 64;

/// Traces that could not be measured, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unmeasured {
    pub(crate) open: u64,
    pub(crate) cut: u64,
    pub(crate) memory: u64,
}

/// Why a trace is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// Spans of it had not ended.
    Open,
    /// It began before recording did.
    Cut,
    /// It was closed early, for lack of memory.
    Memory,
}

impl Incomplete {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cut => "cut",
            Self::Memory => "memory",
        }
    }
}

/// One stage of a flow.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageSums {
    pub(crate) spans: u64,
    pub(crate) traces: u64,
    pub(crate) inclusive: u128,
    /// From the start of the trace to the first start of the stage.
    pub(crate) first_starts: Counts,
    /// Traces that have it more than once: how many, with how many spans, at most how many, and the sums from the trace's
    /// start to the first end and to the last.
    pub(crate) fan_traces: u64,
    pub(crate) fan_spans: u64,
    pub(crate) fan_most: u64,
    pub(crate) fan_first: u128,
    pub(crate) fan_last: u128,
}

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
    /// By number of owner; those of gaps stay empty.
    pub(crate) stages: Vec<StageSums>,
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
    /// By background event and bin: traces that it met.
    pub(crate) met: NumberMap<(u32, u32), u64>,
    pub(crate) notes: NoteCounts,
    pub(crate) by: HashMap<Box<[u8]>, ByCounts>,
    pub(crate) too_many_by: bool,
}

/// What makes a flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FlowKey {
    /// A rule of `--flow`, by number.
    Rule(usize),
    /// Its events, ascending.
    Events(Box<[u32]>),
}

impl FlowKey {
    /// Decides which flows go first when there are too many. The rules that were asked for never go.
    fn hash(&self) -> u64 {
        match self {
            Self::Rule(_) => 0,
            Self::Events(events) => set_hash(events),
        }
    }
}

fn set_hash(events: &[u32]) -> u64 {
    let sum = events.iter().fold(0_u64, |sum, event| {
        sum.wrapping_add(spread(u64::from(*event) + 1))
    });
    spread(sum)
}

/// Scratch memory for counting how often a stage occurs in a trace.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrences {
    spans: u64,
    first_start: u64,
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
    fn new(id: u32, key: FlowKey, events: usize) -> Self {
        Self {
            id,
            key,
            owners: Owners::new(events),
            cells: Cells::default(),
            stages: Vec::new(),
            e2e: Counts::default(),
            lag: Counts::default(),
            response: Counts::default(),
            early: 0,
            outcomes: [0; 4],
            failed: 0,
            lossy: 0,
            unmeasured: Unmeasured::default(),
            ages: Counts::default(),
            met: NumberMap::default(),
            notes: NoteCounts::default(),
            by: HashMap::new(),
            too_many_by: false,
        }
    }

    /// Adds a measured trace that ended in `block`, at a level of coarseness; `repeats` if an event occurs in it more
    /// than once.
    pub(crate) fn add(
        &mut self,
        trace: &Trace<'_>,
        (block, level): (u32, u32),
        repeats: bool,
        scratch: &mut Scratch,
    ) {
        let e2e = trace.end_to_end();
        self.e2e.record(e2e);
        for (bit, count) in self.outcomes.iter_mut().enumerate() {
            *count += u64::from(trace.outcomes >> bit & 1);
        }
        self.failed += u64::from(trace.outcomes > 1);
        self.lossy += u64::from(trace.is_lossy);
        if self.id == u32::MAX {
            return;
        }
        let spans = trace.spans;
        self.add_owners(trace, block, bin_of(e2e) >> level);
        if repeats {
            self.add_repeated(trace, scratch);
        } else {
            for span in spans {
                let number = self.owners.stage(span.event());
                let stage = &mut self.stages[number];
                stage.spans += 1;
                stage.traces += 1;
                stage.inclusive += u128::from(span.duration());
                stage.first_starts.record(span.start - trace.start);
            }
        }
    }

    fn add_owners(&mut self, trace: &Trace<'_>, block: u32, bin: u32) {
        let known = self.owners.list.len();
        for span in trace.spans {
            self.owners.stage(span.event());
        }
        for gap in trace.gaps() {
            self.owners.gap(gap.from, gap.to);
        }
        let owners = self.owners.list.len();
        if owners > known {
            self.stages.resize_with(owners, StageSums::default);
        }
        let row = self.cells.add(block, bin, owners);
        for (span, own) in trace.spans.iter().zip(&trace.anatomy.own) {
            let slot = &mut row[self.owners.stage(span.event())];
            *slot = slot.saturating_add(*own);
        }
        for gap in trace.gaps() {
            let slot = &mut row[self.owners.gap(gap.from, gap.to)];
            *slot = slot.saturating_add(gap.end - gap.start);
        }
    }

    /// Stages of a trace in which some occur more than once.
    fn add_repeated(&mut self, trace: &Trace<'_>, scratch: &mut Scratch) {
        let found = &mut scratch.occurrences;
        found.resize(found.len().max(self.stages.len()), Occurrences::default());
        for span in trace.spans {
            let number = self.owners.stage(span.event());
            let stage = &mut self.stages[number];
            stage.spans += 1;
            stage.inclusive += u128::from(span.duration());
            let mine = &mut found[number];
            if mine.spans == 0 {
                scratch.touched.push(number);
                *mine = Occurrences {
                    spans: 1,
                    first_start: span.start,
                    first_end: span.end,
                    last_end: span.end,
                };
            } else {
                mine.spans += 1;
                mine.first_start = mine.first_start.min(span.start);
                mine.first_end = mine.first_end.min(span.end);
                mine.last_end = mine.last_end.max(span.end);
            }
        }
        for number in scratch.touched.drain(..) {
            let mine = std::mem::take(&mut found[number]);
            let stage = &mut self.stages[number];
            stage.traces += 1;
            stage.first_starts.record(mine.first_start - trace.start);
            if mine.spans > 1 {
                stage.fan_traces += 1;
                stage.fan_spans += mine.spans;
                stage.fan_most = stage.fan_most.max(mine.spans);
                stage.fan_first += u128::from(mine.first_end - trace.start);
                stage.fan_last += u128::from(mine.last_end - trace.start);
            }
        }
    }

    /// Adds what annotations say of a measured trace.
    pub(crate) fn add_notes(
        &mut self,
        trace: &Trace<'_>,
        by: Option<&[u8]>,
        scratch: &mut Scratch,
    ) {
        if let (Some(lag), Some(response)) = (trace.lag_ns(), trace.response_ns()) {
            self.early += u64::from(lag < 0);
            self.lag.record(lag.max(0) as u64);
            self.response.record(response);
        }
        let bin = bin_of(trace.end_to_end());
        scratch.seen.clear();
        for (key, value) in trace.annotations().take(MAX_NOTES) {
            encode(value, &mut scratch.bytes);
            let bytes = &scratch.bytes;
            // A trace counts once, however often it says the same.
            if scratch.seen.iter().any(|(k, v)| k == key && v == bytes) {
                continue;
            }
            self.notes.add(key, bytes, bin);
            if by == Some(key) && !scratch.seen.iter().any(|(seen, _)| seen == key) {
                self.add_by(trace, bytes);
            }
            scratch.seen.push((key.to_vec(), bytes.clone()));
        }
    }

    fn add_by(&mut self, trace: &Trace<'_>, value: &[u8]) {
        if self.too_many_by {
            return;
        }
        if !self.by.contains_key(value) {
            self.by.insert(value.into(), ByCounts::default());
            self.check_by();
        }
        if let Some(counts) = self.by.get_mut(value) {
            counts.e2e.record(trace.end_to_end());
            counts.failed += u64::from(trace.outcomes > 1);
        }
    }

    fn check_by(&mut self) {
        if self.by.len() > MAX_BY_VALUES {
            self.too_many_by = true;
            self.by = HashMap::new();
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
        }
    }

    /// Adds another worker's sums of the same flow.
    fn merge(&mut self, other: FlowSums) {
        self.merge_counts(&other);
        let numbers: Vec<usize> = other
            .owners
            .list
            .iter()
            .map(|owner| self.owners.number(*owner))
            .collect();
        self.stages
            .resize_with(self.owners.list.len(), StageSums::default);
        for (number, stage) in numbers.iter().zip(&other.stages) {
            self.stages[*number].merge(stage);
        }
        self.cells.merge(&other.cells, &numbers);
        for (key, count) in other.met {
            *self.met.entry(key).or_default() += count;
        }
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

    /// Traces, measured or not.
    pub(crate) fn traces(&self) -> u64 {
        let Unmeasured { open, cut, memory } = self.unmeasured;
        self.e2e.count + open + cut + memory
    }
}

impl StageSums {
    fn merge(&mut self, other: &StageSums) {
        self.spans += other.spans;
        self.traces += other.traces;
        self.inclusive += other.inclusive;
        self.first_starts.merge(&other.first_starts);
        self.fan_traces += other.fan_traces;
        self.fan_spans += other.fan_spans;
        self.fan_most = self.fan_most.max(other.fan_most);
        self.fan_first += other.fan_first;
        self.fan_last += other.fan_last;
    }
}

/// A rule of `--flow` whose events the captures have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) rule: usize,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// All flows that one worker has met.
#[derive(Debug)]
pub(crate) struct FlowTable {
    pub(crate) flows: Vec<FlowSums>,
    /// Those that are not told apart.
    pub(crate) other: FlowSums,
    /// With at most 64 events: by the bits of a set.
    by_bits: NumberMap<u64, u32>,
    by_key: HashMap<FlowKey, u32>,
    rules: Vec<Ends>,
    events: usize,
    next_id: u32,
    /// Flows whose hash is above this are others.
    ceiling: u64,
    set: Vec<u32>,
    /// How often neighbouring bins of cells were joined.
    pub(crate) level: u32,
}

/// Bytes of all cells, at most; beyond, neighbouring bins are joined.
const MAX_CELL_BYTES: usize = 256 << 20;

/// Place of a flow in its table; [`OTHER`] for those not told apart.
pub(crate) type Place = u32;
pub(crate) const OTHER: Place = u32::MAX;

impl FlowTable {
    pub(crate) fn new(events: usize, rules: Vec<Ends>) -> Self {
        Self {
            flows: Vec::new(),
            other: FlowSums::new(u32::MAX, FlowKey::Events(Box::new([])), 0),
            by_bits: NumberMap::default(),
            by_key: HashMap::new(),
            rules,
            events,
            next_id: 0,
            ceiling: u64::MAX,
            set: Vec::new(),
            level: 0,
        }
    }

    /// The flow of a trace of these events (any order, any repetition), and whether one of them is repeated.
    #[inline]
    pub(crate) fn find(&mut self, events: impl Iterator<Item = u32> + Clone) -> (Place, bool) {
        if self.events > 64 {
            return self.find_by_set(events);
        }
        let (mut bits, mut repeats) = (0_u64, false);
        for event in events.clone() {
            let bit = 1 << event;
            repeats |= bits & bit != 0;
            bits |= bit;
        }
        match self.by_bits.get(&bits) {
            Some(place) => (*place, repeats),
            None => {
                let (place, _) = self.find_by_set(events);
                if place != OTHER {
                    self.by_bits.insert(bits, place);
                }
                (place, repeats)
            }
        }
    }

    fn find_by_set(&mut self, events: impl Iterator<Item = u32>) -> (Place, bool) {
        let mut set = std::mem::take(&mut self.set);
        set.clear();
        set.extend(events);
        let all = set.len();
        set.sort_unstable();
        set.dedup();
        let repeats = set.len() < all;
        let has = |event: &u32| set.binary_search(event).is_ok();
        let rule = self
            .rules
            .iter()
            .find(|ends| has(&ends.first) && has(&ends.last));
        let place = match rule {
            Some(ends) => self.place(FlowKey::Rule(ends.rule)),
            None if set_hash(&set) > self.ceiling => OTHER,
            // No key is made of the set unless it is new: borrowed look-ups need the very type, so it is cloned here.
            None => self.place(FlowKey::Events(set.as_slice().into())),
        };
        self.set = set;
        (place, repeats)
    }

    fn place(&mut self, key: FlowKey) -> Place {
        if let Some(place) = self.by_key.get(&key) {
            return *place;
        }
        let place = self.flows.len() as u32;
        self.by_key.insert(key.clone(), place);
        self.flows
            .push(FlowSums::new(self.next_id, key.clone(), self.events));
        self.next_id += 1;
        if self.flows.len() > MAX_FLOWS {
            self.give_up_some();
            return self.by_key.get(&key).copied().unwrap_or(OTHER);
        }
        place
    }

    /// Halves the hashes that are told apart until there are few enough. Which flows stay depends on all of them, not on
    /// their order.
    fn give_up_some(&mut self) {
        while self.flows.len() > MAX_FLOWS && self.ceiling > 0 {
            self.ceiling /= 2;
            let ceiling = self.ceiling;
            let (kept, given_up): (Vec<_>, Vec<_>) = std::mem::take(&mut self.flows)
                .into_iter()
                .partition(|flow| flow.key.hash() <= ceiling);
            given_up
                .iter()
                .for_each(|flow| self.other.merge_counts(flow));
            self.flows = kept;
        }
        self.by_bits.clear();
        self.by_key = (self.flows.iter().enumerate())
            .map(|(place, flow)| (flow.key.clone(), place as u32))
            .collect();
    }

    pub(crate) fn sums(&mut self, place: Place) -> &mut FlowSums {
        match place {
            OTHER => &mut self.other,
            place => &mut self.flows[place as usize],
        }
    }

    pub(crate) fn id(&self, place: Place) -> FlowId {
        match place {
            OTHER => FlowId::OTHER,
            place => FlowId(self.flows[place as usize].id),
        }
    }

    /// Whether some flows could not be told apart.
    pub(crate) fn other_was_used(&self) -> bool {
        self.ceiling < u64::MAX
    }

    /// Adds another worker's table. By number of its flows: what they are called here.
    pub(crate) fn merge(&mut self, mut other: FlowTable) -> Vec<FlowId> {
        let level = self.level.max(other.level);
        self.coarsen_to(level);
        other.coarsen_to(level);
        let mut ids = vec![FlowId::OTHER; other.next_id as usize];
        self.other.merge_counts(&other.other);
        if other.ceiling < self.ceiling {
            self.ceiling = other.ceiling;
            self.flows.retain(|flow| {
                let stays = flow.key.hash() <= other.ceiling;
                if !stays {
                    self.other.merge_counts(flow);
                }
                stays
            });
            self.give_up_some();
        }
        for flow in other.flows {
            let theirs = flow.id as usize;
            let place = match flow.key.hash() > self.ceiling {
                true => OTHER,
                false => self.place(flow.key.clone()),
            };
            match place {
                OTHER => self.other.merge_counts(&flow),
                place => self.flows[place as usize].merge(flow),
            }
            ids[theirs] = self.id(place);
        }
        self.bound();
        ids
    }

    /// Keeps cells within their bound. How coarse they become depends on all traces, not on their order.
    pub(crate) fn bound(&mut self) {
        let bytes = |flows: &[FlowSums]| flows.iter().map(|flow| flow.cells.bytes()).sum::<usize>();
        while bytes(&self.flows) > MAX_CELL_BYTES && self.level < 12 {
            self.coarsen_to(self.level + 1);
        }
    }

    fn coarsen_to(&mut self, level: u32) {
        while self.level < level {
            self.flows.iter_mut().for_each(|flow| flow.cells.coarsen());
            self.level += 1;
        }
    }
}
