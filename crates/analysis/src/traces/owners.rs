//! The owners of a flow's time: its stages, and the gaps between them, numbered as they are met.

use super::hash::NumberMap;

/// What owns time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// The spans of an event.
    Stage(u32),
    /// Time between two.
    Gap(u32, u32),
}

const UNSEEN: u16 = u16::MAX;
/// Up to so many events in all, tables are plain arrays.
const FEW: usize = 64;
/// Owners of one flow, at most; what comes after shares the last number.
const MAX_OWNERS: usize = 1 << 14;

/// The owners of one flow.
#[derive(Debug)]
pub(crate) struct Owners {
    pub(crate) list: Vec<Owner>,
    /// With few events: by event, its number.
    stages: Vec<u16>,
    /// With few events: by pair of events, its number; made when needed.
    gaps: Vec<u16>,
    /// With many events.
    numbers: NumberMap<(u32, u32), u16>,
}

impl Owners {
    /// For captures with so many events.
    pub(crate) fn new(events: usize) -> Self {
        let few = if events <= FEW { events } else { 0 };
        Self {
            list: Vec::new(),
            stages: vec![UNSEEN; few],
            gaps: Vec::new(),
            numbers: NumberMap::default(),
        }
    }

    #[inline]
    pub(crate) fn stage(&mut self, event: u32) -> usize {
        match self.stages.get(event as usize) {
            Some(number) if *number != UNSEEN => usize::from(*number),
            _ => self.find(Owner::Stage(event)),
        }
    }

    #[inline]
    pub(crate) fn gap(&mut self, from: u32, to: u32) -> usize {
        let place = from as usize * self.stages.len() + to as usize;
        match self.gaps.get(place) {
            Some(number) if *number != UNSEEN => usize::from(*number),
            _ => self.find(Owner::Gap(from, to)),
        }
    }

    #[cold]
    #[inline(never)]
    fn find(&mut self, owner: Owner) -> usize {
        let key = match owner {
            Owner::Stage(event) => (u32::MAX, event),
            Owner::Gap(from, to) => (from, to),
        };
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.list.len().min(MAX_OWNERS - 1);
                if number == self.list.len() {
                    self.list.push(owner);
                }
                self.numbers.insert(key, number as u16);
                number as u16
            }
        };
        let few = self.stages.len();
        match owner {
            Owner::Stage(event) => {
                if let Some(slot) = self.stages.get_mut(event as usize) {
                    *slot = number;
                }
            }
            Owner::Gap(from, to) => {
                self.gaps.resize(few * few, UNSEEN);
                if let Some(slot) = self.gaps.get_mut(from as usize * few + to as usize) {
                    *slot = number;
                }
            }
        }
        usize::from(number)
    }

    /// The number of an owner of another list, here.
    pub(crate) fn number(&mut self, owner: Owner) -> usize {
        match owner {
            Owner::Stage(event) => self.stage(event),
            Owner::Gap(from, to) => self.gap(from, to),
        }
    }
}
