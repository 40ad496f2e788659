//! The order of a flow's stages, and the names of flows.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::flow_key::FlowKey;
use super::flows::FlowSums;
use super::owners::Owner;
use super::summary::Summary;

impl Summary<'_> {
    /// Stages by median first start; of equal ones the longer, which holds the other.
    pub(super) fn events_in_order(&self, flow: &FlowSums) -> Vec<u32> {
        let mut stages: Vec<(u64, Reverse<u64>, u32)> = Vec::new();
        for owner in &flow.owners.list {
            if let Owner::Stage(event) = owner {
                // What no trace of the sample has is rare, and comes last.
                let first = flow.sample.median_first_start(*event).unwrap_or(u64::MAX);
                let mean = flow.sample.mean_duration(*event);
                stages.push((first, Reverse(mean), *event));
            }
        }
        // Of a flow that was never measured only the set is known.
        if let (true, FlowKey::Events(events)) = (stages.is_empty(), &flow.key) {
            return events.to_vec();
        }
        stages.sort_unstable();
        stages.into_iter().map(|(.., event)| event).collect()
    }

    /// Names, none twice: the ends, then with the number of stages, then all stages.
    pub(super) fn names(&self, flows: &[FlowSums], orders: &[Vec<u32>]) -> Vec<String> {
        let name = |event: &u32| self.world.event_name(*event).to_owned();
        let forms: Vec<[String; 3]> = flows
            .iter()
            .zip(orders)
            .map(|(flow, order)| {
                if let FlowKey::Rule(rule) = flow.key {
                    let name = self.options.flows[rule].name.clone();
                    return [name.clone(), name.clone(), name];
                }
                let all: Vec<String> = order.iter().map(name).collect();
                let whole = all.join(" → ");
                let short = match all.as_slice() {
                    [first, _, .., last] => format!("{first} → … → {last}"),
                    _ => whole.clone(),
                };
                let counted = format!("{short} ({} stages)", all.len());
                [short, counted, whole]
            })
            .collect();
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for form in forms.iter().flat_map(|forms| &forms[..2]) {
            *uses.entry(form).or_default() += 1;
        }
        let mut taken = HashMap::new();
        forms
            .iter()
            .map(|[short, counted, whole]| {
                let free = |form: &str| uses.get(form) == Some(&1) || (short == whole);
                let name = match (free(short), free(counted)) {
                    (true, _) => short,
                    (_, true) => counted,
                    _ => whole,
                };
                // A rule may be named like a set, and sets of the same order may differ by a hostile name.
                let again = taken.entry(name.clone()).or_insert(0);
                *again += 1;
                match *again {
                    1 => name.clone(),
                    again => format!("{name} #{again}"),
                }
            })
            .collect()
    }
}
