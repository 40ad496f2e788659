//! Which slots of which rings were seen: each record has a place of its own there, so that the same record in two
//! chunks or two files shows.

use std::collections::{BTreeMap, HashMap};

use perf_format::{Range, RingId};

/// Slots seen so far.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By ring: stretches of slots, the first and the last; they neither overlap nor touch.
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
    /// Notes the slots of `range`. Their numbers wrap at 2⁶⁴.
    pub(crate) fn take(&mut self, range: &Range) -> Overlap {
        let slots = u64::from(range.slots);
        if slots == 0 {
            return Overlap::Nothing;
        }
        let held = self.rings.entry(range.ring).or_default();
        // Stretches are noted by their last slot, so that none ends beyond what a number can be.
        let last = range.first_seq.wrapping_add(slots - 1);
        if range.first_seq <= last {
            return take(held, range.first_seq, last);
        }
        match (take(held, range.first_seq, u64::MAX), take(held, 0, last)) {
            (one, other) if one == other => one,
            _ => Overlap::Part,
        }
    }
}

/// Notes the slots from `first` to `last`, which do not wrap.
fn take(held: &mut BTreeMap<u64, u64>, first: u64, last: u64) -> Overlap {
    // Those that touch it as well, so that neighbours become one stretch.
    let near = held.range(..=last.saturating_add(1)).rev();
    let near: Vec<(u64, u64)> = near
        .map(|(start, end)| (*start, *end))
        .take_while(|(_, end)| end.saturating_add(1) >= first)
        .collect();
    if near
        .iter()
        .any(|(start, end)| *start <= first && *end >= last)
    {
        return Overlap::All;
    }
    let part = near
        .iter()
        .any(|(start, end)| *start <= last && *end >= first);
    let (mut start, mut end) = (first, last);
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
    fn numbers_wrap() {
        let range = |first_seq, slots| Range {
            first_seq,
            slots,
            ..Range::default()
        };
        let mut held = Held::default();
        // Four slots before the end of the numbers, six after it.
        assert_eq!(held.take(&range(u64::MAX - 3, 10)), Overlap::Nothing);
        assert_eq!(held.take(&range(u64::MAX - 3, 10)), Overlap::All);
        assert_eq!(held.take(&range(0, 6)), Overlap::All);
        assert_eq!(held.take(&range(u64::MAX, 1)), Overlap::All);
        assert_eq!(held.take(&range(6, 4)), Overlap::Nothing);
        assert_eq!(held.take(&range(8, 4)), Overlap::Part);
        assert_eq!(held.take(&range(u64::MAX - 7, 12)), Overlap::Part);
        assert_eq!(held.take(&range(u64::MAX - 9, 2)), Overlap::Nothing);
        assert_eq!(held.take(&range(u64::MAX - 9, 22)), Overlap::All);
    }

    #[test]
    fn stretches_that_wrap_agree_with_a_set_of_slots() {
        let mut held = Held::default();
        let mut slots: BTreeSet<u64> = BTreeSet::new();
        let mut seed = 11_u64;
        for _ in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let first_seq = (seed >> 33).wrapping_rem(2000).wrapping_sub(1000);
            let count = (seed >> 50) % 12;
            let range = Range {
                first_seq,
                slots: count as u32,
                ..Range::default()
            };
            let mine = || (0..count).map(|step| first_seq.wrapping_add(step));
            let before = mine().filter(|slot| slots.contains(slot)).count() as u64;
            let expected = match before {
                0 => Overlap::Nothing,
                all if all == count => Overlap::All,
                _ => Overlap::Part,
            };
            assert_eq!(held.take(&range), expected, "{first_seq} {count}");
            slots.extend(mine());
        }
    }
}
