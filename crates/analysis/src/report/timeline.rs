//! Which part of the selected time an instant belongs to, and where in ticks those parts meet.
//!
//! Wall-clock bounds are turned into tick bounds once a chunk, so that rows compare integers. Nothing is
//! inverted by formula: the bound is the first tick whose converted time reaches it, found by bisection,
//! so rows fall on the same side as if each had been converted.

/// The selected stretch of wall-clock time, cut into slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// First selected ns.
    pub(crate) since: Option<i64>,
    /// First ns that is not selected any more.
    pub(crate) until: Option<i64>,
    /// Length of a slot in ns, positive; absent: one slot, number 0.
    pub(crate) every: Option<i64>,
}

/// A number of a slot: `unix_ns / every`, rounded down.
pub(crate) type SlotNumber = i64;

impl Timeline {
    /// False when every instant is selected and in slot 0.
    pub(crate) fn is_bounded(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.every.is_some()
    }

    /// The slot of an instant, or `None` when it is not selected.
    pub(crate) fn slot(&self, unix_ns: i64) -> Option<SlotNumber> {
        let outside = self.since.is_some_and(|since| unix_ns < since)
            || self.until.is_some_and(|until| unix_ns >= until);
        match (outside, self.every) {
            (true, _) => None,
            (false, Some(every)) => Some(unix_ns.div_euclid(every)),
            (false, None) => Some(0),
        }
    }

    /// The first instant after `unix_ns` that belongs to another part; `None`: all the rest is the same part.
    fn next_change(&self, unix_ns: i64) -> Option<i64> {
        if let Some(since) = self.since.filter(|since| unix_ns < *since) {
            return Some(since);
        }
        if self.until.is_some_and(|until| unix_ns >= until) {
            return None;
        }
        let next_slot = self
            .every
            .and_then(|every| (unix_ns.div_euclid(every) + 1).checked_mul(every));
        match (next_slot, self.until) {
            (Some(slot), Some(until)) => Some(slot.min(until)),
            (slot, until) => slot.or(until),
        }
    }

    /// This timeline cut down to the slots `first..=last`.
    pub(crate) fn only_slots(&self, first: SlotNumber, last: SlotNumber) -> Self {
        let Some(every) = self.every else {
            return *self;
        };
        let from = first.saturating_mul(every);
        let to = last.saturating_add(1).saturating_mul(every);
        Self {
            since: Some(self.since.map_or(from, |since| since.max(from))),
            until: Some(self.until.map_or(to, |until| until.min(to))),
            every: self.every,
        }
    }

    /// The parts that the ticks `first..=last` fall into.
    ///
    /// `unix_ns` converts ticks; it must rise on each stretch that begins at a tick of `breaks` (clock
    /// anchors), in any order; elsewhere the cuts are merely consistent for some bisection.
    pub(crate) fn parts(
        &self,
        first: u64,
        last: u64,
        breaks: &[u64],
        unix_ns: impl Fn(u64) -> i64,
    ) -> Parts {
        let mut parts = Parts(Vec::new());
        if !self.is_bounded() {
            parts.0.push((first, Some(0)));
            return parts;
        }
        for (start, end) in stretches(first, last, breaks) {
            self.cut_stretch(start, end, &unix_ns, &mut parts);
        }
        parts
    }

    /// No fewer slots than [`Timeline::parts`] finds for the same, without finding them: what a file says of its
    /// clock can stretch a few ticks over centuries.
    pub(crate) fn most_slots(
        &self,
        first: u64,
        last: u64,
        breaks: &[u64],
        unix_ns: impl Fn(u64) -> i64,
    ) -> u64 {
        let Some(every) = self.every else {
            return 1;
        };
        let mut slots = 0u64;
        let mut before = None;
        for (start, end) in stretches(first, last, breaks) {
            let (start, end) = (unix_ns(start), unix_ns(end));
            let from = self.since.map_or(start, |since| since.max(start));
            let to = self.until.map_or(end, |until| until.min(end));
            let (from, to) = (from.div_euclid(every), to.div_euclid(every));
            let rise = i128::from(to) - i128::from(from) + i128::from(before != Some(from));
            slots = slots.saturating_add(u64::try_from(rise.max(0)).unwrap_or(u64::MAX));
            before = Some(to);
        }
        slots
    }

    fn cut_stretch(&self, start: u64, end: u64, unix_ns: &impl Fn(u64) -> i64, parts: &mut Parts) {
        let end_ns = unix_ns(end);
        let mut at = start;
        loop {
            let now = unix_ns(at);
            parts.push(at, self.slot(now));
            let Some(change) = self.next_change(now).filter(|change| *change <= end_ns) else {
                return;
            };
            // The first tick after `at` that has reached `change`.
            let (mut before, mut reached) = (at, end);
            while reached - before > 1 {
                let middle = before + (reached - before) / 2;
                match unix_ns(middle) >= change {
                    true => reached = middle,
                    false => before = middle,
                }
            }
            if reached == at {
                return;
            }
            at = reached;
        }
    }
}

/// `first..=last`, cut before each of `breaks` that lies within.
fn stretches(first: u64, last: u64, breaks: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    let mut starts: Vec<u64> = breaks
        .iter()
        .copied()
        .filter(|tick| *tick > first && *tick <= last)
        .collect();
    starts.push(first);
    starts.sort_unstable();
    starts.dedup();
    let ends: Vec<u64> = starts
        .iter()
        .skip(1)
        .map(|next| next - 1)
        .chain([last])
        .collect();
    starts.into_iter().zip(ends)
}

/// Stretches of ticks, each with the slot that it belongs to; ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts(Vec<(u64, Option<SlotNumber>)>);

impl Parts {
    fn push(&mut self, from: u64, slot: Option<SlotNumber>) {
        if self.0.last().is_none_or(|(_, last)| *last != slot) {
            self.0.push((from, slot));
        }
    }

    /// The one part that holds everything, when there is only one.
    pub(crate) fn single(&self) -> Option<Option<SlotNumber>> {
        match self.0.as_slice() {
            [(_, slot)] => Some(*slot),
            _ => None,
        }
    }

    /// Every slot that is touched, in the order of ticks.
    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotNumber> + '_ {
        self.0.iter().filter_map(|(_, slot)| *slot)
    }

    /// The number of the part that holds a tick; 0 for ticks before the first.
    pub(crate) fn part_of(&self, ticks: u64) -> usize {
        self.0
            .partition_point(|(from, _)| *from <= ticks)
            .saturating_sub(1)
    }

    /// Looks parts up one after another; fast when neighbours lie in the same part.
    pub(crate) fn finder(&self) -> PartFinder<'_> {
        PartFinder {
            parts: self,
            part: 0,
            from: 1,
            to: 0,
        }
    }

    /// The slot of each part, by number.
    pub(crate) fn slot_of_part(&self, part: usize) -> Option<SlotNumber> {
        self.0.get(part).and_then(|(_, slot)| *slot)
    }

    /// How many parts.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Remembers the part of the last look-up.
#[derive(Debug, Clone)]
pub(crate) struct PartFinder<'a> {
    parts: &'a Parts,
    part: usize,
    /// The ticks of the part, both ends included; empty at first.
    from: u64,
    to: u64,
}

impl PartFinder<'_> {
    /// As [`Parts::part_of`].
    #[inline]
    pub(crate) fn part_of(&mut self, ticks: u64) -> usize {
        if ticks < self.from || ticks > self.to {
            self.part = self.parts.part_of(ticks);
            let starts = &self.parts.0;
            self.from = if self.part == 0 {
                0
            } else {
                starts[self.part].0
            };
            self.to = starts
                .get(self.part + 1)
                .map_or(u64::MAX, |(next, _)| next - 1);
        }
        self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock of 2 ticks a ns, with a step back of 500 ns at tick 4000.
    fn clock(ticks: u64) -> i64 {
        let ns = (ticks / 2) as i64;
        if ticks < 4000 { ns } else { ns - 500 }
    }

    #[test]
    fn each_tick_falls_where_its_own_time_says() {
        let timelines = [
            Timeline {
                since: None,
                until: None,
                every: None,
            },
            Timeline {
                since: Some(100),
                until: None,
                every: None,
            },
            Timeline {
                since: None,
                until: Some(1700),
                every: None,
            },
            Timeline {
                since: Some(120),
                until: Some(2950),
                every: Some(333),
            },
            Timeline {
                since: None,
                until: None,
                every: Some(1),
            },
            Timeline {
                since: Some(5000),
                until: Some(10),
                every: Some(7),
            },
            Timeline {
                since: Some(-7),
                until: Some(i64::MAX),
                every: Some(i64::MAX),
            },
        ];
        for timeline in timelines {
            for (first, last) in [(0, 8000), (150, 150), (3999, 4000), (4000, 7001)] {
                let breaks = [9000, 4000, 17, 3];
                let parts = timeline.parts(first, last, &breaks, clock);
                if timeline.every.is_some() {
                    let most = timeline.most_slots(first, last, &breaks, clock);
                    assert!(parts.slots().count() as u64 <= most, "{timeline:?} {most}");
                }
                let mut finder = parts.finder();
                for ticks in (first..=last).chain((first..=last).rev()) {
                    assert_eq!(finder.part_of(ticks), parts.part_of(ticks));
                    let slot = parts.slot_of_part(parts.part_of(ticks));
                    assert_eq!(slot, timeline.slot(clock(ticks)), "{timeline:?} {ticks}");
                }
                let all: Vec<_> = (first..=last)
                    .map(|ticks| timeline.slot(clock(ticks)))
                    .collect();
                let single = all.iter().all(|slot| *slot == all[0]).then_some(all[0]);
                assert_eq!(parts.single(), single, "{timeline:?} {first}..={last}");
            }
        }
    }

    #[test]
    fn slots_are_counted_before_they_are_found() {
        let every = |ns| Timeline {
            since: None,
            until: None,
            every: Some(ns),
        };
        let count = |timeline: Timeline, breaks: &[u64]| {
            timeline.most_slots(0, 7999, breaks, |ticks| {
                // 146 years on, and back.
                let detour = if (1000..2000).contains(&ticks) {
                    1 << 62
                } else {
                    0
                };
                clock(ticks) + detour
            })
        };
        // Every ns before the step, and after it: the 500 that it repeats count twice.
        assert_eq!(count(every(1), &[4000]), 2000 + 2000);
        assert_eq!(count(every(10_000), &[1000, 2000, 4000]), 3);
        assert!(
            count(every(1), &[1000, 1500, 2000]) < 5000,
            "the detour itself is short"
        );
        assert_eq!(
            every(1).most_slots(0, 1, &[], |ticks| [i64::MIN, i64::MAX][ticks as usize]),
            u64::MAX
        );
    }

    #[test]
    fn extreme_ticks_end() {
        let timeline = Timeline {
            since: Some(0),
            until: Some(1000),
            every: Some(100),
        };
        let parts = timeline.parts(0, u64::MAX, &[], |ticks| (ticks / 4) as i64 - 50);
        assert_eq!(
            parts.slots().collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
        assert_eq!(parts.len(), 12);
        // A clock that stands still or runs backward must end too.
        assert_eq!(
            timeline.parts(0, u64::MAX, &[], |_| 5).single(),
            Some(Some(0))
        );
        assert!(
            timeline
                .parts(0, u64::MAX, &[], |ticks| -((ticks >> 1) as i64))
                .len()
                < 100
        );
    }

    #[test]
    fn cutting_to_slots() {
        let timeline = Timeline {
            since: Some(150),
            until: None,
            every: Some(100),
        };
        let cut = timeline.only_slots(1, 3);
        assert_eq!(
            cut,
            Timeline {
                since: Some(150),
                until: Some(400),
                every: Some(100)
            }
        );
        assert_eq!(timeline.only_slots(2, 2).since, Some(200));
        let whole = Timeline {
            since: None,
            until: None,
            every: Some(i64::MAX),
        };
        assert_eq!(whole.only_slots(0, 0).slot(5), Some(0));
    }
}
