//! Which slots of which rings were seen: each record has a place of its own there, so that the same record in two
//! chunks or two files shows.

use std::collections::{BTreeMap, HashMap};

use perf_format::{Range, RingId};

/// Slots seen so far.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By ring: stretches of slots, first and one past the last; they neither overlap nor touch.
    rings: HashMap<RingId, BTreeMap<u64, u64>>,
}

/// How much of a range was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    Nothing,
    Part,
    All,
}

impl Held {
    /// Notes the slots of `range`.
    pub(crate) fn take(&mut self, range: &Range) -> Overlap {
        let (from, to) = (
            range.first_seq,
            range.first_seq.saturating_add(u64::from(range.slots)),
        );
        if from == to {
            return Overlap::Nothing;
        }
        let held = self.rings.entry(range.ring).or_default();
        // Those that touch it as well, so that neighbours become one stretch.
        let near = held.range(..=to).rev().map(|(start, end)| (*start, *end));
        let near: Vec<(u64, u64)> = near.take_while(|(_, end)| *end >= from).collect();
        if near.iter().any(|(start, end)| *start <= from && *end >= to) {
            return Overlap::All;
        }
        let part = near.iter().any(|(start, end)| *start < to && *end > from);
        let (mut start, mut end) = (from, to);
        for (near_start, near_end) in near {
            held.remove(&near_start);
            start = start.min(near_start);
            end = end.max(near_end);
        }
        held.insert(start, end);
        if part {
            Overlap::Part
        } else {
            Overlap::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_set_of_slots() {
        let mut held = Held::default();
        let mut slots: BTreeSet<(u32, u64)> = BTreeSet::new();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..2000 {
            let (ring, first_seq, count) = (random(3) as u32, random(4000), random(12));
            let range = Range {
                ring: RingId(ring),
                first_seq,
                slots: count as u32,
                ..Range::default()
            };
            let before = (first_seq..first_seq + count)
                .filter(|slot| slots.contains(&(ring, *slot)))
                .count() as u64;
            let expected = match before {
                0 => Overlap::Nothing,
                all if all == count => Overlap::All,
                _ => Overlap::Part,
            };
            assert_eq!(held.take(&range), expected);
            slots.extend((first_seq..first_seq + count).map(|slot| (ring, slot)));
        }
    }

    #[test]
    fn the_last_slots_of_a_ring() {
        let mut held = Held::default();
        let range = Range {
            first_seq: u64::MAX - 3,
            slots: 10,
            ..Range::default()
        };
        assert_eq!(held.take(&range), Overlap::Nothing);
        assert_eq!(held.take(&range), Overlap::All);
    }
}
