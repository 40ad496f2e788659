//! The counts of a series, added up over values and over slices, so that any choice of slices has a quantile at once.

use super::summary::{SLICES, Series, Slice};

/// The longest block of slices: 32 blocks remain, and with fewer nobody can tell how they vary.
pub const MAX_BLOCK: usize = 4;

/// A series, ready to be asked for quantiles of any choice of blocks of its slices. Slices lie in a ring.
#[derive(Debug, Clone)]
pub struct Counts {
    unit: String,
    values: Vec<u64>,
    /// By value: how many of all slices are no greater.
    whole: Vec<u64>,
    /// How often a value is in a slice, value by value.
    entries: Vec<(u8, u32)>,
    /// By value, where its entries begin; and where all end.
    first: Vec<u32>,
    /// By slice: how many are less than every [`EVERY`]th value.
    marks: Vec<[u64; SLICES]>,
    /// The sums over the slices before each of `0..=SLICES + MAX_BLOCK` of what ended well, of what failed, and of everything.
    ok: [u64; ROW],
    failed: [u64; ROW],
    total: [u64; ROW],
}

/// The width of a bin, as a part of its values.
const BIN: f64 = 1.0 / 1024.0;
/// Values from mark to mark.
const EVERY: usize = 16;
const ROW: usize = SLICES + MAX_BLOCK + 1;

/// A choice of blocks of slices.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// First slices.
    starts: Vec<usize>,
    /// Slices a block.
    length: usize,
    /// By slice: how many of the blocks hold it.
    times: [u64; SLICES],
}

impl Blocks {
    /// Blocks of so many slices, at most [`MAX_BLOCK`], that begin at these; one that begins near the end goes on at the
    /// beginning.
    pub fn new(starts: Vec<usize>, length: usize) -> Self {
        let mut blocks = Self {
            starts,
            length,
            times: [0; SLICES],
        };
        blocks.count();
        blocks
    }

    /// Every slice once.
    pub fn all() -> Self {
        Self::new((0..SLICES).collect(), 1)
    }

    /// Puts each block where `place` says.
    pub fn replace(&mut self, mut place: impl FnMut() -> usize) {
        self.starts.iter_mut().for_each(|start| *start = place());
        self.count();
    }

    /// Slices a block.
    pub fn length(&self) -> usize {
        self.length
    }

    fn count(&mut self) {
        self.times = [0; SLICES];
        for start in &self.starts {
            for slice in *start..start + self.length {
                self.times[slice % SLICES] += 1;
            }
        }
    }

    /// What the blocks hold of a row of counts by slice.
    fn sum(&self, row: &[u64; SLICES]) -> u64 {
        let each = row.iter().zip(&self.times);
        each.map(|(count, times)| count * times).sum()
    }

    /// The same of a row of running sums.
    fn sum_of_running(&self, row: &[u64; ROW]) -> u64 {
        let each = |start: &usize| row[start + self.length] - row[*start];
        self.starts.iter().map(each).sum()
    }
}

impl Counts {
    /// Of a series.
    pub fn of(series: &Series) -> Self {
        let mut so_far = [0_u64; SLICES];
        let mut next = [0_usize; SLICES];
        let (mut whole, mut entries) = (Vec::new(), Vec::new());
        let (mut first, mut marks) = (Vec::new(), Vec::new());
        for place in 0..series.values.len() {
            if place % EVERY == 0 {
                marks.push(so_far);
            }
            first.push(entries.len() as u32);
            for (number, slice) in series.slices.iter().enumerate().take(SLICES) {
                let here = slice.counts.get(next[number]);
                let Some((_, count)) = here.filter(|at| at.0 as usize == place) else {
                    continue;
                };
                next[number] += 1;
                so_far[number] += count;
                let mut left = *count;
                while left > 0 {
                    let part = u32::try_from(left).unwrap_or(u32::MAX);
                    entries.push((number as u8, part));
                    left -= u64::from(part);
                }
            }
            whole.push(so_far.iter().sum());
        }
        first.push(entries.len() as u32);
        let by = |what: fn(&Slice) -> u64| {
            let mut of = [0; SLICES];
            for (sum, slice) in of.iter_mut().zip(&series.slices) {
                *sum = what(slice);
            }
            running(&of)
        };
        Self {
            unit: series.unit.clone(),
            values: series.values.clone(),
            whole,
            entries,
            first,
            marks,
            ok: by(Slice::ok),
            failed: by(|slice| slice.failed),
            total: by(Slice::total),
        }
    }

    /// The unit of its values.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// How many ended well.
    pub fn len(&self) -> u64 {
        self.ok[SLICES]
    }

    /// Whether none did.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything, also what failed.
    pub fn total(&self) -> u64 {
        self.total[SLICES]
    }

    /// What failed.
    pub fn failed(&self) -> u64 {
        self.failed[SLICES]
    }

    /// The entries of the value at `place`.
    fn entries(&self, place: usize) -> &[(u8, u32)] {
        &self.entries[self.first[place] as usize..self.first[place + 1] as usize]
    }

    /// The place among the values of quantile `p` of the chosen blocks: the first that ⌈p·n⌉ of them do not exceed. The
    /// search begins at `near`. `None` if they hold nothing.
    pub fn quantile(&self, p: f64, blocks: &Blocks, near: usize) -> Option<usize> {
        let all = blocks.sum_of_running(&self.ok);
        if all == 0 {
            return None;
        }
        let rank = ((p * all as f64).ceil() as u64).clamp(1, all);
        let (mark, mut reached) = self.mark_before(rank, blocks, near / EVERY);
        for place in mark * EVERY..self.values.len() {
            for (slice, count) in self.entries(place) {
                reached += u64::from(*count) * blocks.times[usize::from(*slice)];
            }
            if reached >= rank {
                return Some(place);
            }
        }
        // All values together reach any rank.
        Some(self.values.len() - 1)
    }

    /// The last mark before which less than `rank` of the chosen blocks lies, and how much. The first is one for certain.
    fn mark_before(&self, rank: u64, blocks: &Blocks, near: usize) -> (usize, u64) {
        let last = self.marks.len() - 1;
        let below = |mark: usize| blocks.sum(&self.marks[mark]);
        // Gallop away from where it was last, then bisect. `low` is before the rank, `high` is not.
        let (mut low, mut low_sum, mut high) = (0, 0, last + 1);
        let (mut at, mut step) = (near.min(last), 1);
        let mut sum = below(at);
        let is_before = sum < rank;
        // Nothing is before the first, so that the way down ends there.
        while (sum < rank) == is_before {
            match is_before {
                true => (low, low_sum) = (at, sum),
                false => high = at,
            }
            at = match is_before {
                true => at + step,
                false => at.saturating_sub(step),
            };
            if at > last {
                break;
            }
            step *= 2;
            sum = below(at);
        }
        if at <= last {
            match is_before {
                true => high = at,
                false => (low, low_sum) = (at, sum),
            }
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let sum = below(middle);
            match sum < rank {
                true => (low, low_sum) = (middle, sum),
                false => high = middle,
            }
        }
        (low, low_sum)
    }

    /// What ended well of the chosen blocks.
    pub(super) fn ended_well(&self, blocks: &Blocks) -> u64 {
        blocks.sum_of_running(&self.ok)
    }

    /// Everything of the chosen blocks.
    pub(super) fn ended(&self, blocks: &Blocks) -> u64 {
        blocks.sum_of_running(&self.total)
    }

    /// A place about the middle of the values.
    pub(super) fn middle(&self) -> usize {
        self.values.len() / 2
    }

    /// The share of all that does not exceed the value at `place`.
    pub(super) fn share(&self, place: usize) -> f64 {
        self.whole[place] as f64 / self.len().max(1) as f64
    }

    /// Slices in which something ended well.
    pub(super) fn slices_used(&self) -> usize {
        (0..SLICES)
            .filter(|slice| self.ok[slice + 1] > self.ok[*slice])
            .count()
    }

    /// The value at a place.
    pub fn value(&self, place: usize) -> u64 {
        self.values[place]
    }

    /// How far apart the values around a place are, as a part of it: no quantile is known better.
    pub fn resolution(&self, place: usize) -> f64 {
        let value = self.values[place].max(1) as f64;
        let below = place
            .checked_sub(1)
            .map(|at| value - self.values[at] as f64);
        let above = self.values.get(place + 1).map(|next| *next as f64 - value);
        let nearest = below.into_iter().chain(above).reduce(f64::min);
        nearest.map_or(BIN, |nearest| nearest / value)
    }

    /// By slice: what does not exceed the value at `place`.
    fn no_greater(&self, place: usize) -> [u64; SLICES] {
        let mark = place / EVERY;
        let mut row = self.marks[mark];
        for place in mark * EVERY..=place {
            for (slice, count) in self.entries(place) {
                row[usize::from(*slice)] += u64::from(*count);
            }
        }
        row
    }

    /// For each chosen block: how many more of it do not exceed the value at `place` than ought to if that were the
    /// quantile `p`. All of them add up to about zero if it is.
    pub fn excess<'a>(
        &'a self,
        p: f64,
        place: usize,
        blocks: &'a Blocks,
    ) -> impl Iterator<Item = f64> + 'a {
        let below = running(&self.no_greater(place));
        blocks.starts.iter().map(move |start| {
            let (from, to) = (*start, *start + blocks.length);
            (below[to] - below[from]) as f64 - p * (self.ok[to] - self.ok[from]) as f64
        })
    }

    /// The share that failed of the chosen blocks. `None` if they hold nothing.
    pub fn failing(&self, blocks: &Blocks) -> Option<f64> {
        let total = blocks.sum_of_running(&self.total);
        (total > 0).then(|| blocks.sum_of_running(&self.failed) as f64 / total as f64)
    }

    /// For each chosen block: how many more of it failed than ought to if the share were `rate`.
    pub fn failing_excess<'a>(
        &'a self,
        rate: f64,
        blocks: &'a Blocks,
    ) -> impl Iterator<Item = f64> + 'a {
        blocks.starts.iter().map(move |start| {
            let (from, to) = (*start, *start + blocks.length);
            let total = (self.total[to] - self.total[from]) as f64;
            (self.failed[to] - self.failed[from]) as f64 - rate * total
        })
    }
}

/// The sums before each slice, once around and on into the next round.
fn running(counts: &[u64; SLICES]) -> [u64; ROW] {
    let mut sums = [0; ROW];
    for place in 1..ROW {
        sums[place] = sums[place - 1] + counts[(place - 1) % SLICES];
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::random::Stream;
    use crate::diff::summary::{SeriesBuilder, SeriesKind};

    /// Against sorting all values of the chosen slices.
    #[test]
    fn quantiles_of_chosen_blocks_are_those_of_their_values() {
        let mut stream = Stream::new(1, 0);
        let mut builder = SeriesBuilder::default();
        let mut slices = vec![Vec::new(); SLICES];
        for (slice, of) in slices.iter_mut().enumerate() {
            for _ in 0..stream.below(30) {
                let value = 10 + stream.below(200) as u64;
                builder.ok(slice, value, 1);
                of.push(value);
            }
        }
        let counts = Counts::of(&builder.build(SeriesKind::Span, "A", "ns"));
        for round in 0..400 {
            let length = 1 + round % MAX_BLOCK;
            let starts = (0..1 + stream.below(40))
                .map(|_| stream.below(SLICES))
                .collect();
            let blocks = Blocks::new(starts, length);
            let mut values: Vec<u64> = (blocks.starts.iter())
                .flat_map(|start| (*start..start + length).flat_map(|at| &slices[at % SLICES]))
                .copied()
                .collect();
            values.sort_unstable();
            let p = stream.unit();
            let near = stream.below(300);
            let got = counts.quantile(p, &blocks, near);
            let Some(place) = got else {
                assert!(values.is_empty());
                continue;
            };
            let rank = ((p * values.len() as f64).ceil() as usize).max(1);
            assert_eq!(counts.value(place), values[rank - 1]);
            let excess: f64 = counts.excess(p, place, &blocks).sum();
            let below = values.partition_point(|value| *value <= counts.value(place));
            assert!((excess - (below as f64 - p * values.len() as f64)).abs() < 1e-6);
        }
    }

    #[test]
    fn shares_that_failed() {
        let mut builder = SeriesBuilder::default();
        for slice in 0..SLICES {
            builder.ok(slice, 5, 9);
            builder.failed(slice, u64::from(slice % 2 == 0));
        }
        let counts = Counts::of(&builder.build(SeriesKind::Span, "A", "ns"));
        let rate = counts.failing(&Blocks::all()).unwrap();
        assert_eq!(rate, 64.0 / (128.0 * 9.0 + 64.0));
        let blocks = Blocks::new(vec![0, 2, 127], 1);
        assert_eq!(counts.failing(&blocks), Some(2.0 / 29.0));
        assert!(
            counts
                .failing_excess(rate, &Blocks::all())
                .sum::<f64>()
                .abs()
                < 1e-9
        );
        assert_eq!(
            (counts.len(), counts.failed(), counts.total()),
            (1152, 64, 1216)
        );
    }
}
