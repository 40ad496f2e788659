//! All flows that one worker has met, by what makes a flow.

use std::collections::HashMap;

use rayon::prelude::*;

use super::flow_key::{FlowKey, set_hash};
use super::flows::FlowSums;
use super::hash::NumberMap;
use super::trace::FlowId;

/// Flows that are told apart while reading. Of more, those whose hash is high count as others.
const MAX_FLOWS: usize = 4096;

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

    /// The flow of a trace of these events (any order, any repetition), and whether one of them is repeated. `bits` are those
    /// of the events modulo 64.
    #[inline]
    pub(crate) fn find(
        &mut self,
        bits: u64,
        events: impl ExactSizeIterator<Item = u32>,
    ) -> (Place, bool) {
        if self.events > 64 {
            return self.find_any(events);
        }
        if let Some(place) = self.by_bits.get(&bits) {
            return (*place, (bits.count_ones() as usize) < events.len());
        }
        let (place, repeats) = self.find_any(events);
        if place != OTHER {
            self.by_bits.insert(bits, place);
        }
        (place, repeats)
    }

    /// The flow of a trace of these events, numbered below 64, if it was met before.
    #[inline]
    pub(crate) fn known(&self, bits: u64) -> Option<Place> {
        self.by_bits.get(&bits).copied()
    }

    /// The same of any events.
    #[inline(never)]
    pub(crate) fn find_any(&mut self, events: impl Iterator<Item = u32>) -> (Place, bool) {
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
            for mut flow in given_up {
                flow.settle(self.level);
                self.other.merge_counts(&flow);
            }
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
        self.settle();
        other.settle();
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
        // By place here: what is to be added. Making room for a flow may give up others, and then places change.
        let may_stay = self.flows.len() + other.flows.len() <= MAX_FLOWS;
        let mut waiting: Vec<Option<FlowSums>> = Vec::new();
        for flow in other.flows {
            let theirs = flow.id as usize;
            let place = match flow.key.hash() > self.ceiling {
                true => OTHER,
                false => self.place(flow.key.clone()),
            };
            ids[theirs] = self.id(place);
            match place {
                OTHER => self.other.merge_counts(&flow),
                place if may_stay => {
                    waiting.resize_with(self.flows.len(), || None);
                    waiting[place as usize] = Some(flow);
                }
                place => self.flows[place as usize].merge(flow),
            }
        }
        let pairs = self.flows.par_iter_mut().zip(waiting);
        pairs.for_each(|(mine, theirs)| theirs.into_iter().for_each(|flow| mine.merge(flow)));
        self.bound();
        ids
    }

    /// Counts what is pending: before anything is merged or looked at.
    pub(crate) fn settle(&mut self) {
        let level = self.level;
        let flows = self.flows.iter_mut().chain(Some(&mut self.other));
        flows.for_each(|flow| flow.settle(level));
    }

    /// Keeps cells within their bound. How coarse they become depends on all traces, not on their order.
    pub(crate) fn bound(&mut self) {
        self.settle();
        self.bound_cells();
    }

    /// The same of what is in the cells already.
    pub(crate) fn bound_cells(&mut self) {
        while self.bytes() > MAX_CELL_BYTES && self.level < 12 {
            self.coarsen_to(self.level + 1);
        }
    }

    /// Bytes of all cells.
    pub(crate) fn bytes(&self) -> usize {
        let of = |flow: &FlowSums| flow.cells.bytes(flow.owners.list.len());
        self.flows.iter().map(of).sum()
    }

    fn coarsen_to(&mut self, level: u32) {
        while self.level < level {
            self.flows.iter_mut().for_each(|flow| flow.cells.coarsen());
            self.level += 1;
        }
    }
}
