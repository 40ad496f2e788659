//! Traces in short, for `report`: the flows that took most, and what makes their tails slow.

use perf_analysis::Percentile;
use perf_analysis::traces::{Band, Flow, OwnerKind, Traces};
use perf_render::{Cell, Column, Document, Fact, Row, Table, Tone};

use crate::page::traces::{flow_table, total_ns};
use crate::page::{counted, traced};

/// Flows that are shown.
const MAX_FLOWS: usize = 5;
/// Flows whose tail is explained.
const MAX_EXPLAINED: usize = 3;
/// Owners that explain a tail, each by at least this share of what it is longer by.
const MAX_OWNERS: usize = 3;
const MIN_SHARE: f64 = 0.05;

/// What a report says of traces.
pub(crate) enum InShort<'a> {
    /// They were not asked for, or there are none.
    Nothing,
    /// So many spans are more than a report reads unasked.
    TooMany(u64),
    /// What was found.
    Found(&'a Traces),
}

impl InShort<'_> {
    pub(crate) fn push(&self, document: &mut Document) {
        match self {
            Self::Nothing => {}
            Self::TooMany(spans) => document.facts(vec![Fact::new(
                "flows",
                format!(
                    "not put together, since {} take a while: see `perf-analyze traces`, or --traces always",
                    counted(*spans, "span", "spans"),
                ),
            )]),
            Self::Found(traces) if traces.traces == 0 => {}
            Self::Found(traces) => push_flows(traces, document),
        }
    }
}

fn push_flows(traces: &Traces, document: &mut Document) {
    // What a flow took of everybody's time: rare and slow counts as much as frequent and quick.
    let mut flows: Vec<&Flow> = traces.flows.iter().collect();
    flows.sort_by_key(|flow| std::cmp::Reverse(total_ns(flow)));
    let left_out = flows.len().saturating_sub(MAX_FLOWS) as u64;
    flows.truncate(MAX_FLOWS);
    document.table(flow_table(traces, &flows));
    document.table(tails(&flows));
    let mut facts = Vec::new();
    let others = traces.other.as_ref().map(|other| other.flows);
    let more = match others {
        None => Some(left_out),
        Some(flows) => flows.map(|flows| flows.saturating_add(left_out)),
    };
    match more {
        Some(0) => {}
        Some(more) => facts.push(Fact::new("and", counted(more, "other flow", "other flows"))),
        None => facts.push(Fact::new("and", "more flows than are told apart")),
    }
    let incomplete = traces.incomplete.total();
    if incomplete > 0 {
        let all = counted(incomplete, "incomplete trace", "incomplete traces");
        facts.push(Fact::new(
            "without",
            format!("{all}; see `perf-analyze traces`"),
        ));
    }
    if !facts.is_empty() {
        document.facts(facts);
    }
}

/// A flow whose highest percentile can be told from what is typical, and what grew in it.
struct Tail<'a> {
    flow: &'a Flow,
    typical: &'a Band,
    slow: &'a Band,
    percentile: Percentile,
    /// By how much each owner grew, with its place; the largest first.
    grown: Vec<(u64, usize)>,
}

impl<'a> Tail<'a> {
    fn of(flow: &'a Flow) -> Option<Self> {
        let (typical, slow) = (traced::typical(flow)?, traced::tail(flow)?);
        let pairs = slow.owners.iter().zip(&typical.owners).enumerate();
        let grown = pairs.filter_map(|(at, (slow, typical))| {
            Some((slow.mean_ns.checked_sub(typical.mean_ns)?, at))
        });
        let mut grown: Vec<(u64, usize)> = grown.collect();
        grown.sort_by_key(|(ns, at)| (std::cmp::Reverse(*ns), *at));
        let more = slow.mean_ns.saturating_sub(typical.mean_ns);
        grown.retain(|(ns, _)| *ns as f64 >= more as f64 * MIN_SHARE && *ns > 0);
        grown.truncate(MAX_OWNERS);
        Some(Self {
            flow,
            typical,
            slow,
            percentile: slow.percentile?,
            grown,
        })
    }

    fn rows(&self) -> Vec<Row> {
        let row = |name: String, at: Cell, typical: u64, slow: u64| {
            let ns = |ns: u64| Cell::Nanos(ns as f64);
            let more = Cell::Nanos(slow as f64 - typical as f64);
            Row::new(vec![Cell::name(&name), at, ns(typical), ns(slow), more])
        };
        let at = Cell::Text(format!("p{}", self.percentile));
        let (typical, slow) = (self.typical.mean_ns, self.slow.mean_ns);
        let mut rows = vec![row(self.flow.flow.clone(), at, typical, slow)];
        for (_, place) in &self.grown {
            let owner = &self.flow.owners[*place];
            let name = match (owner.kind, &owner.from, &owner.to) {
                (OwnerKind::Gap, Some(from), Some(to)) => format!("  {from} → {to}"),
                _ => format!("  {}", owner.owner),
            };
            let ns = |band: &Band| band.owners[*place].mean_ns;
            let more = row(
                name,
                Cell::Text(String::new()),
                ns(self.typical),
                ns(self.slow),
            );
            rows.push(more.tone(Tone::Dim));
        }
        rows
    }
}

/// What the traces around the highest percentile of each flow have more of than typical ones.
fn tails(flows: &[&Flow]) -> Table {
    let tails = flows.iter().filter_map(|flow| Tail::of(flow));
    // Of one owner there is nothing to tell.
    let slow = tails.filter(|tail| !tail.grown.is_empty() && tail.flow.owners.len() > 1);
    Table {
        rows: slow
            .take(MAX_EXPLAINED)
            .flat_map(|tail| tail.rows())
            .collect(),
        columns: vec![
            Column::new("why the tail is slow", "owner"),
            Column::new("at", "percentile"),
            Column::new("typical", "typical_ns"),
            Column::new("tail", "tail_ns"),
            Column::new("more by", "more_ns"),
        ],
    }
}
