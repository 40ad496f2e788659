//! Violations that are close in time.

use std::cmp::Reverse;

use super::ledger::{Account, Cluster, Ledger};
use super::options::MAX_EPISODES;

/// An episode of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) account: Account,
    pub(super) cluster: Cluster,
}

/// The episodes of all accounts by start, of each the largest; and how many are left out.
pub(super) fn episodes(
    ledger: &Ledger,
    judged: impl Fn(&Account) -> bool,
    gap: i64,
) -> (Vec<Found>, u64) {
    let mut all = Vec::new();
    let mut more = 0;
    for (account, violations) in ledger
        .violations
        .iter()
        .filter(|(account, _)| judged(account))
    {
        let mut mine = join(violations.clusters.values(), gap);
        mine.sort_by_key(|cluster| (Reverse(cluster.count), cluster.start, cluster.last_end));
        more += mine.len().saturating_sub(MAX_EPISODES) as u64;
        mine.truncate(MAX_EPISODES);
        all.extend(mine.into_iter().map(|cluster| Found {
            account: *account,
            cluster,
        }));
    }
    all.sort_by_key(|found| (found.cluster.start, found.cluster.last_end, found.account));
    (all, more)
}

/// Joins clusters, which come in the order of their ends, where one ends no more than `gap` before the next.
fn join<'a>(clusters: impl Iterator<Item = &'a Cluster>, gap: i64) -> Vec<Cluster> {
    let mut joined: Vec<Cluster> = Vec::new();
    for cluster in clusters {
        match joined.last_mut() {
            Some(before) if cluster.first_end.saturating_sub(before.last_end) <= gap => {
                before.add(cluster);
            }
            _ => joined.push(*cluster),
        }
    }
    joined
}
