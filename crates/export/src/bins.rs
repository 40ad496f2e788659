//! Durations counted into bins, by capture, slot of time, event and outcome.
//!
//! The bins are those of an HdrHistogram of ns with two or three significant digits, the same in every capture: counts of
//! bins of the same bounds add up exactly, however many captures they come from.

use std::collections::{BTreeMap, HashMap};

use crate::dictionary::Dictionaries;
use crate::frame::{Frame, Values};
use crate::options::Digits;
use crate::table::Table;

/// Cells that are kept until the end: beyond, the earliest slots are written, and rows of the same bin may follow.
const MAX_CELLS: usize = 1 << 20;
/// Cells that are written together, about.
const TAKEN_CELLS: usize = 1 << 17;
/// Bytes of tables that one worker counts into.
const TABLE_BYTES: usize = 16 << 20;

/// What is counted apart: capture, slot, event, outcome.
pub(crate) type Key = (usize, i64, u32, u8);

/// The layout of bins: values below `2 << bits` have a bin each, above every power of two is cut into `1 << bits`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    bits: u32,
}

impl Layout {
    pub(crate) fn of(digits: Digits) -> Self {
        Self {
            bits: match digits {
                Digits::Two => 7,
                Digits::Three => 10,
            },
        }
    }

    fn count(self) -> usize {
        self.index(i64::MAX as u64) as usize + 1
    }

    #[inline]
    pub(crate) fn index(self, value: u64) -> u32 {
        let k = (63 - self.bits).saturating_sub((value | 1).leading_zeros());
        (k << self.bits) + (value >> k) as u32
    }

    /// The least and the greatest value of a bin.
    pub(crate) fn bounds(self, index: u32) -> (u64, u64) {
        if index < 2 << self.bits {
            return (u64::from(index), u64::from(index));
        }
        let k = (index >> self.bits) - 1;
        let low = u64::from(index - (k << self.bits)) << k;
        (low, low + ((1 << k) - 1))
    }
}

/// Counts of one piece of work.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    layout: Layout,
    slot_ns: i64,
    table_of: HashMap<Key, usize>,
    tables: Vec<(Key, Vec<u32>)>,
    /// The key of the last record, and its table: neighbours are often alike.
    last: Vec<(Key, usize)>,
    flushed: Cells,
}

/// Counts by key and bin.
pub(crate) type Cells = BTreeMap<Key, BTreeMap<u32, u64>>;

impl Counter {
    pub(crate) fn new(layout: Layout, slot_ns: i64) -> Self {
        Self {
            layout,
            slot_ns,
            table_of: HashMap::new(),
            tables: Vec::new(),
            last: Vec::new(),
            flushed: Cells::new(),
        }
    }

    /// Counts a span. `series` is any small number that spans of one event and outcome share for now.
    #[inline]
    pub(crate) fn add(
        &mut self,
        series: usize,
        (capture, event, outcome): (usize, u32, u8),
        end_ns: i64,
        duration: u64,
    ) {
        let slot = end_ns.div_euclid(self.slot_ns);
        let key = (capture, slot, event, outcome);
        let table = match self.last.get(series) {
            Some((last, table)) if *last == key && *table < self.tables.len() => *table,
            _ => self.find(series, key),
        };
        let bin = self.layout.index(duration.min(i64::MAX as u64)) as usize;
        self.tables[table].1[bin] += 1;
    }

    fn find(&mut self, series: usize, key: Key) -> usize {
        let known = self.table_of.get(&key).copied();
        let table = known.unwrap_or_else(|| {
            let bins = self.layout.count();
            if self.tables.len() >= (TABLE_BYTES / 4 / bins).max(2) {
                self.flush();
            }
            self.tables.push((key, vec![0; bins]));
            self.table_of.insert(key, self.tables.len() - 1);
            self.tables.len() - 1
        });
        if self.last.len() <= series {
            let none = ((usize::MAX, 0, 0, 0), 0);
            self.last.resize(series + 1, none);
        }
        self.last[series] = (key, table);
        table
    }

    fn flush(&mut self) {
        for (key, table) in self.tables.drain(..) {
            let cells = self.flushed.entry(key).or_default();
            for (bin, count) in (0..).zip(table).filter(|(_, count)| *count > 0) {
                *cells.entry(bin).or_default() += u64::from(count);
            }
        }
        self.table_of.clear();
        self.last.clear();
    }

    pub(crate) fn finish(mut self) -> Cells {
        self.flush();
        self.flushed
    }
}

/// All counts, until they are written.
#[derive(Debug)]
pub(crate) struct Bins {
    layout: Layout,
    slot_ns: i64,
    cells: Cells,
    count: usize,
}

impl Bins {
    pub(crate) fn new(digits: Digits, slot_ns: i64) -> Self {
        Self {
            layout: Layout::of(digits),
            slot_ns,
            cells: Cells::new(),
            count: 0,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn counter(&self) -> Counter {
        Counter::new(self.layout, self.slot_ns)
    }

    pub(crate) fn add(&mut self, more: Cells) {
        for (key, bins) in more {
            let mine = self.cells.entry(key).or_default();
            let before = mine.len();
            for (bin, count) in bins {
                *mine.entry(bin).or_default() += count;
            }
            self.count += mine.len() - before;
        }
    }

    /// What must be written now, so that no more than so much is kept: whole slots of one capture, the earliest.
    pub(crate) fn overflow(&mut self) -> Option<Cells> {
        (self.count > MAX_CELLS).then(|| self.take()).flatten()
    }

    /// The next cells of one capture, in order; `None` when there are no more.
    pub(crate) fn take(&mut self) -> Option<Cells> {
        let capture = self.cells.keys().next()?.0;
        let mut taken = Cells::new();
        let mut left = TAKEN_CELLS;
        while left > 0
            && let Some(first) = self
                .cells
                .first_entry()
                .filter(|first| first.key().0 == capture)
        {
            let (key, bins) = first.remove_entry();
            left = left.saturating_sub(bins.len());
            self.count -= bins.len();
            taken.insert(key, bins);
        }
        Some(taken)
    }

    /// Rows of one capture.
    pub(crate) fn frame(&self, cells: &Cells, names: &Dictionaries) -> (usize, Frame) {
        let (layout, slot_ns) = (self.layout, self.slot_ns);
        let capture = cells.keys().next().map_or(0, |key| key.0);
        let host = names.host_of[capture];
        let all = || {
            let cells = cells.iter();
            cells.flat_map(|(key, bins)| bins.iter().map(move |(bin, count)| (key, *bin, *count)))
        };
        let bound = |value: u64| value.min(i64::MAX as u64) as i64;
        let rows = all().count();
        let columns = vec![
            Values::Int(
                all()
                    .map(|((_, slot, ..), ..)| slot.saturating_mul(slot_ns))
                    .collect(),
            ),
            Values::Name(all().map(|((.., event, _), ..)| *event).collect()),
            Values::Name(
                all()
                    .map(|((.., outcome), ..)| u32::from(*outcome))
                    .collect(),
            ),
            Values::Int(
                all()
                    .map(|(_, bin, _)| bound(layout.bounds(bin).0))
                    .collect(),
            ),
            Values::Int(
                all()
                    .map(|(_, bin, _)| bound(layout.bounds(bin).1))
                    .collect(),
            ),
            Values::Int(all().map(|(.., count)| bound(count)).collect()),
            Values::Name(vec![capture as u32; rows]),
            Values::Name(vec![host; rows]),
        ];
        (capture, Frame::new(Table::Bins, columns))
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::Layout;
    use crate::options::Digits;

    #[test]
    fn bins_are_those_of_hdrhistogram() {
        for (digits, significant) in [(Digits::Two, 2), (Digits::Three, 3)] {
            let layout = Layout::of(digits);
            let oracle = Histogram::<u64>::new_with_bounds(1, u64::MAX / 2, significant).unwrap();
            let mut state = 88_172_645_463_325_252u64;
            for round in 0..200_000u32 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let value = state >> (1 + round % 63);
                let expected = (
                    oracle.lowest_equivalent(value),
                    oracle.highest_equivalent(value),
                );
                assert_eq!(layout.bounds(layout.index(value)), expected, "{value}");
            }
        }
    }
}
