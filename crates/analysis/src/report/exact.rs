//! Exact percentiles: passes over the values of the bins that hold the ranks.

use std::sync::Arc;

use super::cells::Cell;
use super::pass::Pass;
use super::plan::Unit;
use super::rows::Class;
use super::select::{Search, Sieve};
use super::worker::Task;
use crate::error::Error;
use crate::value::Percentile;

/// Bytes that the searches of one pass may take, over all workers.
const BUDGET: u64 = 96 << 20;

/// Finds the order statistics of `percentiles` of all cells of `pass`, which a counting pass over the same `units`
/// has filled.
///
/// # Errors
/// As [`Pass::run`].
pub(crate) fn find_exact(
    pass: &Pass<'_>,
    units: &[Unit],
    percentiles: &[Percentile],
) -> Result<(), Error> {
    let workers = rayon::current_num_threads();
    let mut searches: Vec<(Arc<Cell>, Search)> = Vec::new();
    for cell in pass.cells.sorted() {
        if matches!(cell.class, Class::Ticks | Class::Values) {
            let search = {
                let body = cell.lock();
                Search::new(
                    body.total.bins(),
                    &ranks(percentiles, body.total.count),
                    workers,
                )
            };
            searches.push((cell, search));
        }
    }
    while !searches.is_empty() {
        let (done, open): (Vec<_>, Vec<_>) = searches
            .into_iter()
            .partition(|(_, search)| search.targets().is_empty());
        for (cell, search) in done {
            cell.lock().exact = search.answers();
        }
        searches = open;
        // As many as fit, the others in a later pass.
        let mut cost = 0;
        let mut now = 0;
        for (_, search) in &searches {
            let targets: u64 = search
                .targets()
                .iter()
                .map(|target| target.cost(workers))
                .sum();
            cost += targets + Sieve::BYTES * workers as u64;
            if now > 0 && cost > BUDGET {
                break;
            }
            now += 1;
        }
        let now = &mut searches[..now];
        if now.is_empty() {
            break;
        }
        now.iter()
            .for_each(|(cell, search)| cell.lock().sought = search.targets().to_vec());
        pass.run(Task::Sift, units)?;
        for (cell, search) in now {
            let mut body = cell.lock();
            body.sought = Vec::new();
            search.narrow(std::mem::take(&mut body.found));
        }
    }
    Ok(())
}

/// The ranks of percentiles, ascending and each once.
pub(crate) fn ranks(percentiles: &[Percentile], count: u64) -> Vec<u64> {
    let mut ranks: Vec<u64> = percentiles
        .iter()
        .map(|percentile| percentile.rank(count))
        .collect();
    ranks.retain(|rank| *rank > 0);
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}
