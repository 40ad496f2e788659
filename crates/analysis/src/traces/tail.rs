//! What goes with the tail of a flow, and in which order its owners are shown.

use std::collections::HashMap;

use super::bands::Found;
use super::flows::FlowSums;
use super::notes::{ByBin, decode};
use super::owners::Owner;
use super::result::Annotated;

/// Annotations that are shown of one flow.
const MAX_ANNOTATED: usize = 20;
/// By so many standard errors the tail must differ.
const SURE: f64 = 3.0;

/// Numbers of owners: each stage, followed by the gaps after it.
pub(super) fn in_order(flow: &FlowSums, events: &[u32]) -> Vec<usize> {
    let place: HashMap<u32, usize> = events
        .iter()
        .enumerate()
        .map(|(at, event)| (*event, at))
        .collect();
    let at = |event: &u32| place.get(event).copied().unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..flow.owners.list.len()).collect();
    order.sort_by_key(|number| match &flow.owners.list[*number] {
        Owner::Stage(event) => (at(event), 0, 0),
        Owner::Gap(from, to) => (at(from), 1, at(to)),
    });
    order
}

/// By band: the share of its traces that are counted in `bins`.
pub(super) fn shares(bins: &ByBin, ranges: &[((u32, u32), u64)], level: u32) -> Vec<f64> {
    let share = |((low, high), count): &((u32, u32), u64)| {
        let within = bins
            .iter()
            .filter(|(bin, _)| (*low..=*high).contains(&(*bin >> level)));
        let sum: u64 = within.map(|(_, count)| count).sum();
        sum as f64 / (*count).max(1) as f64
    };
    ranges.iter().map(share).collect()
}

/// Annotations that the last tail band has clearly more often than the typical one.
pub(super) fn annotations(
    flow: &FlowSums,
    ranges: &[((u32, u32), u64)],
    found: &[Found],
    level: u32,
) -> Vec<Annotated> {
    let typical = found
        .iter()
        .position(|found| found.band.percentile.is_none());
    let tail = (0..found.len()).rfind(|at| found[*at].band.percentile.is_some());
    let (Some(typical), Some(tail)) = (typical, tail) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (key, values) in &flow.notes.keys {
        for (value, bins) in values.iter().flatten() {
            let count: u64 = bins.values().sum();
            let bands = shares(bins, ranges, level);
            let (usual, here) = (bands[typical], bands[tail]);
            let spread = |share: f64, of: u64| share * (1.0 - share) / of.max(1) as f64;
            let error = (spread(usual, ranges[typical].1) + spread(here, ranges[tail].1)).sqrt();
            if here - usual > SURE * error && here > usual {
                rows.push(Annotated {
                    key: String::from_utf8_lossy(key).into_owned(),
                    value: decode(value),
                    count,
                    share: count as f64 / flow.e2e.count.max(1) as f64,
                    bands,
                });
            }
        }
    }
    rows.sort_by(|a, b| {
        let more = |row: &Annotated| row.bands[tail] - row.bands[typical];
        more(b)
            .total_cmp(&more(a))
            .then_with(|| (&a.key, &a.value).cmp(&(&b.key, &b.value)))
    });
    rows.truncate(MAX_ANNOTATED);
    rows
}

pub(super) fn varied(flow: &FlowSums) -> Vec<String> {
    let keys = flow
        .notes
        .keys
        .iter()
        .filter(|(_, values)| values.is_none());
    let mut keys: Vec<String> = keys
        .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
        .collect();
    keys.sort_unstable();
    keys
}
