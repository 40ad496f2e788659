//! The counts of a series, added up over values and over slices, so that any choice of slices has a quantile at once.

use super::summary::{SLICES, Series};

/// The longest block of slices: 32 blocks remain, and with fewer nobody can tell how they vary.
pub const MAX_BLOCK: usize = 4;

/// A series, ready to be asked for quantiles of any choice of blocks of its slices. Slices lie in a ring.
#[derive(Debug, Clone)]
pub struct Counts {
    unit: String,
    values: Vec<u64>,
    /// By value: the sums over the slices before each of `0..=SLICES + MAX_BLOCK` of what is no greater.
    sums: Vec<[u64; ROW]>,
    /// The same of everything that ended well, and of what failed.
    ok: [u64; ROW],
    failed: [u64; ROW],
    total: [u64; ROW],
}

/// The width of a bin, as a part of its values.
const BIN: f64 = 1.0 / 1024.0;
const ROW: usize = SLICES + MAX_BLOCK + 1;

/// A choice of blocks: where each begins, and how long all are.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// First slices.
    pub starts: Vec<usize>,
    /// Slices a block.
    pub length: usize,
}

impl Blocks {
    /// Every slice once.
    pub fn all() -> Self {
        Self {
            starts: (0..SLICES).collect(),
            length: 1,
        }
    }
}

impl Counts {
    /// Of a series.
    pub fn of(series: &Series) -> Self {
        let mut running = [0_u64; SLICES];
        let mut next = [0_usize; SLICES];
        let mut sums = Vec::with_capacity(series.values.len());
        for place in 0..series.values.len() as u32 {
            for (slice, counts) in series.slices.iter().enumerate().take(SLICES) {
                if let Some((_, count)) = counts.counts.get(next[slice]).filter(|at| at.0 == place)
                {
                    running[slice] += count;
                    next[slice] += 1;
                }
            }
            sums.push(row(&running));
        }
        let by = |what: fn(&super::summary::Slice) -> u64| {
            let mut of = [0; SLICES];
            for (sum, slice) in of.iter_mut().zip(&series.slices) {
                *sum = what(slice);
            }
            row(&of)
        };
        Self {
            unit: series.unit.clone(),
            values: series.values.clone(),
            sums,
            ok: by(super::summary::Slice::ok),
            failed: by(|slice| slice.failed),
            total: by(super::summary::Slice::total),
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

    /// The place among the values of quantile `p` of the chosen blocks: the first that ⌈p·n⌉ of them do not exceed. The
    /// search begins at `near`. `None` if they hold nothing.
    pub fn quantile(&self, p: f64, blocks: &Blocks, near: usize) -> Option<usize> {
        let all = sum(&self.ok, blocks);
        if all == 0 {
            return None;
        }
        let rank = ((p * all as f64).ceil() as u64).clamp(1, all);
        let reached = |place: usize| sum(&self.sums[place], blocks) >= rank;
        // Gallop away from where it was last, then bisect. All values together reach any rank.
        let last = self.values.len() - 1;
        let near = near.min(last);
        let (mut low, mut high, mut step) = (near, near, 1);
        if reached(near) {
            loop {
                if low == 0 {
                    break;
                }
                let below = low.saturating_sub(step);
                if !reached(below) {
                    low = below + 1;
                    break;
                }
                (high, low) = (below, below);
                step *= 2;
            }
        } else {
            loop {
                low = high + 1;
                high = (high + step).min(last);
                if high == last || reached(high) {
                    break;
                }
                step *= 2;
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match reached(middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Some(high)
    }

    /// What ended well of the chosen blocks.
    pub(super) fn ended_well(&self, blocks: &Blocks) -> u64 {
        sum(&self.ok, blocks)
    }

    /// Everything of the chosen blocks.
    pub(super) fn ended(&self, blocks: &Blocks) -> u64 {
        sum(&self.total, blocks)
    }

    /// A place about the middle of the values.
    pub(super) fn middle(&self) -> usize {
        self.values.len() / 2
    }

    /// The share of all that does not exceed the value at `place`.
    pub(super) fn share(&self, place: usize) -> f64 {
        self.sums[place][SLICES] as f64 / self.len().max(1) as f64
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

    /// For each chosen block: how many more of it do not exceed the value at `place` than ought to if that were the
    /// quantile `p`. All of them add up to about zero if it is.
    pub fn excess<'a>(
        &'a self,
        p: f64,
        place: usize,
        blocks: &'a Blocks,
    ) -> impl Iterator<Item = f64> + 'a {
        let below = &self.sums[place];
        let each = move |start: &usize| {
            let (from, to) = (*start, *start + blocks.length);
            (below[to] - below[from]) as f64 - p * (self.ok[to] - self.ok[from]) as f64
        };
        blocks.starts.iter().map(each)
    }

    /// The share that failed of the chosen blocks. `None` if they hold nothing.
    pub fn failing(&self, blocks: &Blocks) -> Option<f64> {
        let total = sum(&self.total, blocks);
        (total > 0).then(|| sum(&self.failed, blocks) as f64 / total as f64)
    }

    /// For each chosen block: how many more of it failed than ought to if the share were `rate`.
    pub fn failing_excess<'a>(
        &'a self,
        rate: f64,
        blocks: &'a Blocks,
    ) -> impl Iterator<Item = f64> + 'a {
        let each = move |start: &usize| {
            let (from, to) = (*start, *start + blocks.length);
            let total = (self.total[to] - self.total[from]) as f64;
            (self.failed[to] - self.failed[from]) as f64 - rate * total
        };
        blocks.starts.iter().map(each)
    }
}

fn row(counts: &[u64; SLICES]) -> [u64; ROW] {
    let mut sums = [0; ROW];
    for place in 1..ROW {
        sums[place] = sums[place - 1] + counts[(place - 1) % SLICES];
    }
    sums
}

fn sum(row: &[u64; ROW], blocks: &Blocks) -> u64 {
    let each = |start: &usize| row[start + blocks.length] - row[*start];
    blocks.starts.iter().map(each).sum()
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
            let blocks = Blocks { starts, length };
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
        let blocks = Blocks {
            starts: vec![0, 2, 127],
            length: 1,
        };
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
