//! One flow: where its time went, and why its tail is slow.

use perf_analysis::traces::{Annotated, Background, BackgroundKind, Band, Flow, OwnerKind, Traces};
use perf_render::escape::bounded;
use perf_render::number::nanos_inline;
use perf_render::{Cell, Column, Document, Fact, Keep, Row, Table};

use crate::page::traced::typical;

/// Owners below this share of the mean, and of the difference in the tail, are left to JSON.
const LEAST_SHARE: f64 = 0.001;
/// By so many standard errors something must be more frequent in the tail to be shown.
const SURE: f64 = 2.0;

/// Stages that are named above the table.
const MAX_STAGES: usize = 20;

/// What a flow took in all.
pub(in crate::page) fn total_ns(flow: &Flow) -> u128 {
    let times = flow.end_to_end.as_ref();
    times.map_or(0, |times| u128::from(times.count) * u128::from(times.mean))
}

pub(super) fn push(document: &mut Document, flow: &Flow) {
    document.heading(&flow.flow);
    document.facts(facts(flow));
    let typical = typical(flow);
    let tail = tail(flow);
    document.table(owners(flow, typical, tail));
    document.table(over_represented(flow, typical, tail));
    document.table(fan_out(flow));
}

/// The band of p99, else of the highest percentile that has one.
fn tail(flow: &Flow) -> Option<&Band> {
    let p99 = |band: &&Band| band.percentile.is_some_and(|p| p.to_string() == "99");
    let bands = || flow.bands.iter().filter(|band| band.percentile.is_some());
    bands().find(p99).or_else(|| bands().next_back())
}

fn facts(flow: &Flow) -> Vec<Fact> {
    let mut stages: Vec<String> = (flow.events.iter().take(MAX_STAGES))
        .map(|event| bounded(event).into_owned())
        .collect();
    if let more @ 1.. = flow.events.len().saturating_sub(MAX_STAGES) {
        stages.push(format!("{more} more"));
    }
    let mut facts = vec![Fact::new("stages", stages.join(" → "))];
    if let (Some(lag), Some(response)) = (&flow.lag, &flow.response) {
        let at = |times: &perf_analysis::traces::Times| {
            let shown = times
                .percentiles
                .0
                .iter()
                .map(|(percentile, ns)| format!("p{percentile} {}", nanos_inline(*ns as f64)));
            shown.collect::<Vec<_>>().join(", ")
        };
        facts.push(Fact::new(
            "response",
            format!("{} from the due time", at(response)),
        ));
        facts.push(Fact::new("of it lag", at(lag)));
    }
    facts
}

fn owners(flow: &Flow, typical: Option<&Band>, tail: Option<&Band>) -> Table {
    let tail_title = tail.and_then(|band| band.percentile).map_or_else(
        || "tail".to_owned(),
        |percentile| format!("at p{percentile}"),
    );
    let columns = vec![
        Column::new("where the time went", "owner"),
        Column::new("own mean", "own_mean_ns"),
        Column::new("share", "own_share"),
        Column::new("inclusive", "inclusive_mean_ns").keep(Keep::IfWide),
        Column::new("typical", "typical_ns").keep(Keep::IfRoom(2)),
        Column::new(&tail_title, "tail_ns").keep(Keep::IfRoom(1)),
        Column::new("more by", "difference_ns").keep(Keep::IfRoom(0)),
        Column::new("±", "standard_error_ns").keep(Keep::IfWide),
    ];
    let whole = |band: Option<&Band>| band.map(|band| band.mean_ns);
    let difference = |usual: Option<u64>, slow: Option<u64>| {
        Some(i128::from(slow?) - i128::from(usual?)).map(|more| more as f64)
    };
    let ns = |value: Option<u64>| Cell::or_absent(value, |ns| Cell::Nanos(ns as f64));
    let more_in_all = difference(whole(typical), whole(tail)).unwrap_or(0.0);
    let mut rows = Vec::new();
    for (at, owner) in flow.owners.iter().enumerate() {
        let of = |band: Option<&Band>| band.and_then(|band| Some(band.owners.get(at)?.mean_ns));
        let more = difference(of(typical), of(tail));
        let matters = more.is_some_and(|more| more.abs() > LEAST_SHARE * more_in_all.abs());
        if owner.kind == OwnerKind::Gap && owner.own_share < LEAST_SHARE && !matters {
            continue;
        }
        let name = match owner.kind {
            OwnerKind::Stage => owner.owner.clone(),
            OwnerKind::Gap => format!("  → {}", owner.to.as_deref().unwrap_or("")),
        };
        let own_mean = Cell::Nanos(owner.own_mean_ns as f64);
        rows.push(Row::new(vec![
            Cell::name(name),
            match owner.within_clock_error {
                true => Cell::Doubtful(Box::new(own_mean)),
                false => own_mean,
            },
            Cell::Share(owner.own_share),
            ns(owner.inclusive_mean_ns),
            ns(of(typical)),
            ns(of(tail)),
            Cell::or_absent(more, Cell::Nanos),
            Cell::or_absent(error_of_difference(typical, tail, at), Cell::Nanos),
        ]));
    }
    let mean = flow.end_to_end.as_ref().map(|times| times.mean);
    rows.push(Row::new(vec![
        Cell::Text("end to end".to_owned()),
        ns(mean),
        Cell::Share(1.0),
        Cell::Text(String::new()),
        ns(whole(typical)),
        ns(whole(tail)),
        Cell::or_absent(difference(whole(typical), whole(tail)), Cell::Nanos),
    ]));
    Table { rows, columns }
}

/// The standard error of what owner `at` contributes more in the tail than usually.
fn error_of_difference(typical: Option<&Band>, tail: Option<&Band>, at: usize) -> Option<f64> {
    let of = |band: Option<&Band>| band?.owners.get(at)?.standard_error_ns;
    Some(of(typical)?.hypot(of(tail)?))
}

/// Events that a trace has several of, such as the orders of a signal.
fn fan_out(flow: &Flow) -> Table {
    let rows = flow.fan_out.iter().map(|fan| {
        Row::new(vec![
            Cell::name(&fan.event),
            Cell::Count(fan.traces),
            Cell::Number(fan.mean_spans),
            Cell::Count(fan.max_spans),
            Cell::Nanos(fan.first_end_mean_ns as f64),
            Cell::Nanos(fan.last_end_mean_ns as f64),
        ])
    });
    Table {
        rows: rows.collect(),
        columns: vec![
            Column::new("several in a trace", "event"),
            Column::new("traces", "traces"),
            Column::new("spans", "mean_spans"),
            Column::new("most", "max_spans").keep(Keep::IfRoom(1)),
            Column::new("first ends", "first_end_mean_ns"),
            Column::new("last ends", "last_end_mean_ns"),
        ],
    }
}

/// What else went on, in words.
fn went_on(met: &Background) -> String {
    let event = &met.event;
    match (met.kind, met.usual) {
        (BackgroundKind::Ran, _) => event.clone(),
        (BackgroundKind::High, Some(usual)) => format!("{event} above {usual}"),
        (BackgroundKind::High, None) => format!("{event} high"),
        (BackgroundKind::Busy, _) => format!("waited behind {event}"),
    }
}

fn over_represented(flow: &Flow, typical: Option<&Band>, tail: Option<&Band>) -> Table {
    let place = |band: Option<&Band>| {
        let percentile = band?.percentile;
        flow.bands
            .iter()
            .position(|each| each.percentile == percentile)
    };
    let (Some(usual), Some(slow)) = (place(typical), place(tail)) else {
        return Table::default();
    };
    let traces = |at: usize| flow.bands[at].count as f64;
    let row = |name: String, shares: &[f64]| {
        let spread = |at: usize| shares[at] * (1.0 - shares[at]) / traces(at);
        let error = (spread(usual) + spread(slow)).sqrt();
        let (usual, slow) = (shares[usual], shares[slow]);
        (slow - usual > SURE * error).then(|| {
            let times = match usual > 0.0 {
                true => Cell::Number(slow / usual),
                false => Cell::Absent,
            };
            Row::new(vec![
                Cell::name(name),
                Cell::Share(usual),
                Cell::Share(slow),
                times,
            ])
        })
    };
    let met = flow
        .background
        .iter()
        .filter_map(|met: &Background| row(went_on(met), &met.bands));
    let annotated = flow
        .annotations
        .iter()
        .filter_map(|each: &Annotated| row(format!("{}={}", each.key, each.value), &each.bands));
    let title = tail.and_then(|band| band.percentile).map_or_else(
        || "in the tail".to_owned(),
        |percentile| format!("at p{percentile}"),
    );
    Table {
        rows: met.chain(annotated).collect(),
        columns: vec![
            Column::new("over-represented in the tail", "what"),
            Column::new("typical", "typical_share"),
            Column::new(title, "tail_share"),
            Column::new("times", "ratio"),
        ],
    }
}

/// Every owner of every flow, one a row; of each flow first its whole.
pub(super) fn sheet(traces: &Traces) -> Table {
    let keys = [
        "flow",
        "owner",
        "kind",
        "traces",
        "own_mean_ns",
        "own_share",
        "inclusive_mean_ns",
        "band",
        "band_mean_ns",
        "band_standard_error_ns",
    ];
    let mut rows = Vec::new();
    for flow in &traces.flows {
        for (at, owner) in flow.owners.iter().enumerate() {
            let kind = match owner.kind {
                OwnerKind::Stage => "stage",
                OwnerKind::Gap => "gap",
            };
            let base = vec![
                Cell::name(&flow.flow),
                Cell::name(&owner.owner),
                Cell::Text(kind.to_owned()),
                Cell::Count(flow.count),
                Cell::Count(owner.own_mean_ns),
                Cell::Number(owner.own_share),
                Cell::or_absent(owner.inclusive_mean_ns, Cell::Count),
            ];
            if flow.bands.is_empty() {
                rows.push(Row::new(base));
                continue;
            }
            for band in &flow.bands {
                let name = band
                    .percentile
                    .map_or_else(|| "typical".to_owned(), |p| format!("p{p}"));
                let share = band.owners.get(at);
                let mut cells = base.clone();
                cells.extend([
                    Cell::Text(name),
                    Cell::or_absent(share.map(|share| share.mean_ns), Cell::Count),
                    Cell::or_absent(
                        share.and_then(|share| share.standard_error_ns),
                        Cell::Number,
                    ),
                ]);
                rows.push(Row::new(cells));
            }
        }
    }
    Table {
        columns: keys.map(|key| Column::new(key, key)).into(),
        rows,
    }
}
