//! True order statistics in bounded memory.
//!
//! The bins of a first pass say which bin holds each rank, and how many values lie below it. Every further pass
//! looks only at values of those bins, and either collects them (few), or counts them by a finer step (many): a
//! bin of up to 65 536 different values is settled in one pass, the widest possible bin in four.

use perf_format::bins;

use super::bins::SparseBins;
use super::table::LEN;

/// Steps that one pass counts within a stretch of values, at most.
const MAX_STEPS: u64 = 1 << 16;
/// Bytes of one counted step: a u32 for each worker, and a u64.
const fn step_bytes(workers: usize) -> u64 {
    8 + 4 * workers as u64
}

/// Ranks that are sought among the values `low..=high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    low: u64,
    high: u64,
    /// Values below `low`.
    before: u64,
    /// Values within.
    inside: u64,
    /// 1-based, ascending, among all values.
    ranks: Vec<u64>,
    method: Method,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Keep the values.
    Collect,
    /// Count values by their distance from `low`, shifted right by this.
    Count { shift: u32 },
}

impl Target {
    fn new(low: u64, high: u64, before: u64, inside: u64, workers: usize) -> Self {
        let mut shift = 0;
        while (high - low) >> shift >= MAX_STEPS {
            shift += 1;
        }
        let counted = (((high - low) >> shift) + 1).saturating_mul(step_bytes(workers));
        let method = match inside.saturating_mul(8) <= counted {
            true => Method::Collect,
            false => Method::Count { shift },
        };
        Self {
            low,
            high,
            before,
            inside,
            ranks: Vec::new(),
            method,
        }
    }

    fn steps(&self) -> usize {
        match self.method {
            Method::Collect => 0,
            Method::Count { shift } => ((self.high - self.low) >> shift) as usize + 1,
        }
    }

    /// Bytes that looking for it takes, over all workers.
    pub(crate) fn cost(&self, workers: usize) -> u64 {
        match self.method {
            Method::Collect => self.inside.saturating_mul(8),
            Method::Count { .. } => (self.steps() as u64).saturating_mul(step_bytes(workers)),
        }
    }
}

/// The search for some ranks among the values of one cell.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    open: Vec<Target>,
    answers: Vec<(u64, u64)>,
    workers: usize,
}

impl Search {
    /// Starts from bins, for 1-based `ranks`, ascending and without repetition.
    pub(crate) fn new(counts: &SparseBins, ranks: &[u64], workers: usize) -> Self {
        let mut search = Self {
            open: Vec::new(),
            answers: Vec::new(),
            workers,
        };
        let inside = |bin| {
            counts
                .iter()
                .find(|(each, _)| *each == bin)
                .map_or(0, |(_, count)| count)
        };
        for ((bin, before), rank) in counts.locate(ranks).into_iter().zip(ranks) {
            let (low, high) = (bins::low(bin), bins::high(bin));
            search.seek(*rank, low, high, before, || inside(bin));
        }
        search
    }

    fn seek(&mut self, rank: u64, low: u64, high: u64, before: u64, inside: impl FnOnce() -> u64) {
        if low == high {
            self.answers.push((rank, low));
        } else if let Some(target) = self
            .open
            .last_mut()
            .filter(|target| target.low == low && target.high == high)
        {
            target.ranks.push(rank);
        } else {
            let mut target = Target::new(low, high, before, inside(), self.workers);
            target.ranks.push(rank);
            self.open.push(target);
        }
    }

    /// What is still open. Empty: done.
    pub(crate) fn targets(&self) -> &[Target] {
        &self.open
    }

    /// Each rank with its value, in the order of ranks.
    pub(crate) fn answers(mut self) -> Vec<(u64, u64)> {
        self.answers.sort_unstable();
        self.answers
    }

    /// Takes what a pass over all values found, and narrows.
    pub(crate) fn narrow(&mut self, mut found: Found) {
        let open = std::mem::take(&mut self.open);
        found.0.resize_with(open.len(), FoundOne::default);
        for (target, found) in open.into_iter().zip(found.0) {
            match target.method {
                Method::Collect => self.settle(&target, found.values),
                Method::Count { shift } => self.descend(&target, shift, &found.counts),
            }
        }
    }

    fn settle(&mut self, target: &Target, mut values: Vec<u64>) {
        values.sort_unstable();
        for rank in &target.ranks {
            // Only a file that changed between passes can lack the value; its neighbour is then the best answer.
            let at = (rank - target.before - 1) as usize;
            let value = values
                .get(at)
                .or(values.last())
                .copied()
                .unwrap_or(target.high);
            self.answers.push((*rank, value));
        }
    }

    fn descend(&mut self, target: &Target, shift: u32, counts: &[u64]) {
        let mut before = target.before;
        let mut ranks = target.ranks.iter().copied().peekable();
        for (step, count) in counts.iter().enumerate() {
            let low = target.low + ((step as u64) << shift);
            let high = low.saturating_add((1 << shift) - 1).min(target.high);
            while let Some(rank) = ranks.next_if(|rank| *rank <= before + count) {
                self.seek(rank, low, high, before, || *count);
            }
            before += count;
        }
        self.answers.extend(ranks.map(|rank| (rank, target.high)));
    }
}

/// What a worker found of the targets of one search, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found(Vec<FoundOne>);

#[derive(Debug, Clone, Default)]
struct FoundOne {
    values: Vec<u64>,
    counts: Vec<u64>,
}

impl Found {
    /// Adds what one worker found, and empties it.
    pub(crate) fn take_from(&mut self, sieve: &mut Sieve) {
        self.0.resize_with(sieve.nets.len(), FoundOne::default);
        for (all, net) in self.0.iter_mut().zip(&mut sieve.nets) {
            all.values.append(&mut net.values);
            all.counts.resize(net.counts.len(), 0);
            for (sum, count) in all.counts.iter_mut().zip(&mut net.counts) {
                *sum += u64::from(std::mem::take(count));
            }
        }
        sieve.pending = 0;
    }
}

/// One worker's filter for the targets of one search. Costs [`Sieve::BYTES`] besides its targets.
#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    /// By bin: 1 where a target lies.
    wanted: Vec<u8>,
    nets: Vec<Net>,
    pending: u64,
}

#[derive(Debug, Clone)]
struct Net {
    low: u64,
    width: u64,
    method: Method,
    values: Vec<u64>,
    counts: Vec<u32>,
}

impl Sieve {
    pub(crate) const BYTES: u64 = LEN as u64;

    /// `None` when there is no target.
    pub(crate) fn new(targets: &[Target]) -> Option<Self> {
        if targets.is_empty() {
            return None;
        }
        let mut wanted = vec![0; LEN];
        for target in targets {
            wanted[bins::index(target.low)] = 1;
        }
        let net = |target: &Target| Net {
            low: target.low,
            width: target.high - target.low,
            method: target.method,
            values: Vec::new(),
            counts: vec![0; target.steps()],
        };
        Some(Self {
            wanted,
            nets: targets.iter().map(net).collect(),
            pending: 0,
        })
    }

    /// Keeps or counts those of `values` that lie in a target.
    pub(crate) fn sift(&mut self, values: &[u64]) {
        self.pending += values.len() as u64;
        let nets = &mut self.nets;
        let Some(wanted) = self.wanted.first_chunk::<LEN>() else {
            return;
        };
        let any = |bins: &[u32]| {
            let of_one = bins.iter().map(|bin| wanted[*bin as usize % LEN]);
            of_one.fold(0, |any, one| any | one) != 0
        };
        bins::of_all(values, |bins, values| {
            let (bins, last_bins) = bins.as_chunks::<AT_ONCE>();
            let (values, last_values) = values.as_chunks::<AT_ONCE>();
            for (bins, values) in bins.iter().zip(values) {
                if any(bins) {
                    values.iter().for_each(|value| keep(nets, *value));
                }
            }
            if any(last_bins) {
                last_values.iter().for_each(|value| keep(nets, *value));
            }
        });
    }

    /// True when its 32-bit counts must be taken before `more` values come.
    pub(crate) fn is_full(&self, more: u64) -> bool {
        self.pending + more > u64::from(u32::MAX)
    }
}

/// Values that are looked at without a branch: most are in no target.
const AT_ONCE: usize = 16;

/// Keeps or counts a value if it lies in a target.
fn keep(nets: &mut [Net], value: u64) {
    for net in nets {
        let from_low = value.wrapping_sub(net.low);
        if from_low <= net.width {
            match net.method {
                Method::Collect => net.values.push(value),
                Method::Count { shift } => net.counts[(from_low >> shift) as usize] += 1,
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Percentile;

    /// Runs the search as the report does, over `workers` shares, and counts the passes.
    fn search(values: &[u64], ranks: &[u64], workers: usize) -> (Vec<(u64, u64)>, usize) {
        let mut counts = SparseBins::default();
        counts.add_all(values.iter().map(|value| (bins::index(*value), 1)));
        let mut search = Search::new(&counts, ranks, workers);
        let mut passes = 0;
        while !search.targets().is_empty() {
            let mut found = Found::default();
            for share in values.chunks(values.len().div_ceil(workers)) {
                let mut sieve = Sieve::new(search.targets()).unwrap();
                share.chunks(128).for_each(|block| sieve.sift(block));
                found.take_from(&mut sieve);
            }
            search.narrow(found);
            passes += 1;
        }
        (search.answers(), passes)
    }

    fn random(seed: &mut u64) -> u64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *seed ^ (*seed >> 31)
    }

    #[test]
    fn equals_sorting() {
        let mut seed = 1;
        for shape in 0..40_u32 {
            let count = [1, 2, 3, 1000, 70_000][shape as usize % 5];
            let bits = 1 + (random(&mut seed) % 64) as u32;
            let values: Vec<u64> = (0..count)
                .map(|_| random(&mut seed) >> (64 - bits))
                .collect();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let mut ranks: Vec<u64> = ["0", "1", "50", "50.1", "95", "99", "99.9", "100"]
                .map(|text| text.parse::<Percentile>().unwrap().rank(count as u64))
                .to_vec();
            ranks.dedup();
            let (answers, passes) = search(&values, &ranks, 1 + shape as usize % 3);
            let expected: Vec<_> = ranks
                .iter()
                .map(|rank| (*rank, sorted[*rank as usize - 1]))
                .collect();
            assert_eq!(answers, expected, "{count} values of {bits} bits");
            assert!(passes <= 4);
        }
    }

    #[test]
    fn crowded_bins_are_refined_and_not_collected() {
        // All in one bin of 2^53 values: too wide to count at once, too many to keep.
        let base = u64::MAX - (1 << 52);
        let values: Vec<u64> = (0..300_000_u64)
            .map(|at| base + (at % 1000) * 1_000_003 + at / 150_000)
            .collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let ranks = [1, 150_000, 299_999];
        let (answers, passes) = search(&values, &ranks, 2);
        assert_eq!(answers, ranks.map(|rank| (rank, sorted[rank as usize - 1])));
        assert!((2..=4).contains(&passes), "{passes}");
        let mut counts = SparseBins::default();
        counts.add_all([(bins::index(base), u64::from(u32::MAX) * 8)]);
        let wide = Search::new(&counts, &[5], 2);
        assert!(wide.targets()[0].cost(2) <= 16 * MAX_STEPS);
    }
}
