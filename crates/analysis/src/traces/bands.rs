//! The tail of a flow, taken apart: what each owner contributes within a band of ranks.
//!
//! The band of percentile p holds the ranks p ± (1 − p)/2, the typical one those from 40 to 60 %; both are widened to whole
//! bins. Means are rounded so that they still add up: the rounded running sums are subtracted from each other.

use std::collections::BTreeMap;

use super::cells::Cells;
use super::result::{Band, Contribution};
use crate::value::Percentile;

/// A band of fewer traces says nothing.
pub const MIN_TRACES: u64 = 100;

/// One band of a flow, with the bins that it is made of.
pub(crate) struct Found {
    pub(crate) band: Band,
    /// First and last bin.
    pub(crate) bins: (u32, u32),
}

/// Ranks of which a band is made, from 1.
fn ranks(percentile: Option<Percentile>, count: u64) -> (u64, u64) {
    let count = u128::from(count);
    let (low, high, whole) = match percentile {
        None => (4, 6, 10),
        Some(percentile) => {
            let (part, whole) = percentile.parts();
            let (part, whole) = (u128::from(part), u128::from(whole));
            ((3 * part).saturating_sub(whole), part + whole, 2 * whole)
        }
    };
    let first = count * low / whole + 1;
    let last = (count * high).div_ceil(whole);
    (first as u64, last as u64)
}

/// The typical band and one for each percentile from 50 on, as far as they hold enough traces. `order` gives the owners'
/// numbers in the order shown.
pub(crate) fn bands(
    cells: &Cells,
    order: &[usize],
    percentiles: &[Percentile],
    ns_per_unit: f64,
) -> Vec<Found> {
    let mut bins: BTreeMap<u32, u64> = BTreeMap::new();
    cells.for_each(|cell, count, _| *bins.entry(cell.bin).or_default() += count);
    let total: u64 = bins.values().sum();
    let tails = percentiles.iter().filter(|percentile| {
        let (part, whole) = percentile.parts();
        2 * part >= whole
    });
    let wanted = std::iter::once(None).chain(tails.copied().map(Some));
    let mut found = Vec::new();
    for percentile in wanted {
        let (first, last) = ranks(percentile, total);
        if (last + 1).saturating_sub(first) < MIN_TRACES {
            continue;
        }
        if let Some(of) = widen(&bins, first, last) {
            found.push(band(cells, order, percentile, of, ns_per_unit));
        }
    }
    found
}

/// The bins that hold ranks `first..=last`, and the ranks that these bins hold.
fn widen(bins: &BTreeMap<u32, u64>, first: u64, last: u64) -> Option<((u32, u32), (u64, u64))> {
    let (mut low, mut before) = (None, 0);
    for (bin, count) in bins {
        let reached = before + count;
        if low.is_none() && reached >= first {
            low = Some((*bin, before + 1));
        }
        if let Some((low, first)) = low
            && reached >= last
        {
            return Some(((low, *bin), (first, reached)));
        }
        before = reached;
    }
    None
}

fn band(
    cells: &Cells,
    order: &[usize],
    percentile: Option<Percentile>,
    (bins, (first_rank, last_rank)): ((u32, u32), (u64, u64)),
    ns_per_unit: f64,
) -> Found {
    // By block: traces, and a sum an owner.
    let mut blocks: BTreeMap<u32, (u64, Vec<u128>)> = BTreeMap::new();
    cells.for_each(|cell, count, sums| {
        if bins.0 <= cell.bin && cell.bin <= bins.1 {
            let (traces, all) = blocks
                .entry(cell.block)
                .or_insert_with(|| (0, vec![0; order.len()]));
            *traces += count;
            for (sum, number) in all.iter_mut().zip(order) {
                *sum += u128::from(sums.get(*number).copied().unwrap_or(0));
            }
        }
    });
    let count: u64 = blocks.values().map(|(traces, _)| traces).sum();
    let sums: Vec<u128> = (0..order.len())
        .map(|owner| blocks.values().map(|(_, sums)| sums[owner]).sum())
        .collect();
    let means = means(&sums, count, ns_per_unit);
    let owners = means.iter().enumerate().map(|(owner, mean)| Contribution {
        mean_ns: *mean,
        standard_error_ns: standard_error(&blocks, owner, sums[owner], count)
            .map(|error| error * ns_per_unit),
    });
    Found {
        band: Band {
            percentile,
            first_rank,
            last_rank,
            count,
            mean_ns: means.iter().sum(),
            owners: owners.collect(),
        },
        bins,
    }
}

/// Means in whole ns whose sum is the rounded mean of the whole.
pub(crate) fn means(sums: &[u128], count: u64, ns_per_unit: f64) -> Vec<u64> {
    let ns = |sum: u128| match count {
        0 => 0,
        count => (sum as f64 * ns_per_unit / count as f64).round() as u64,
    };
    let (mut running, mut before) = (0_u128, 0);
    sums.iter()
        .map(|sum| {
            running += sum;
            let reached = ns(running);
            let mean = reached - before;
            before = reached;
            mean
        })
        .collect()
}

/// Of a ratio of sums over blocks, each block one observation: slow traces come together, so traces are none.
fn standard_error(
    blocks: &BTreeMap<u32, (u64, Vec<u128>)>,
    owner: usize,
    sum: u128,
    count: u64,
) -> Option<f64> {
    let number = blocks.len();
    if number < 2 || count == 0 {
        return None;
    }
    let mean = sum as f64 / count as f64;
    let squares: f64 = blocks
        .values()
        .map(|(traces, sums)| (sums[owner] as f64 - mean * *traces as f64).powi(2))
        .sum();
    let number = number as f64;
    Some((squares * number / (number - 1.0)).sqrt() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_where_design_says() {
        let percentile = |text: &str| Some(text.parse().unwrap());
        assert_eq!(ranks(None, 1000), (401, 600));
        assert_eq!(ranks(percentile("50"), 1000), (251, 750));
        assert_eq!(ranks(percentile("99"), 100_000), (98_501, 99_500));
        assert_eq!(ranks(percentile("99.9"), 100_000), (99_851, 99_950));
        assert_eq!(ranks(percentile("100"), 1000), (1001, 1000));
    }

    #[test]
    fn rounded_means_add_up() {
        let sums = [1, 2, 3, 1_000_000_007, 5, 0, 333];
        for (count, scale) in [(3, 0.4), (7, 1.0), (1000, 0.384_615)] {
            let means = means(&sums, count, scale);
            let whole = sums.iter().sum::<u128>() as f64 * scale / count as f64;
            assert_eq!(means.iter().sum::<u64>(), whole.round() as u64);
        }
    }
}
