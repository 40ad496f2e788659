//! What traces add to pages and pictures: the slowest flow and why its tail is slow, its stages, the slowest traces.

use perf_analysis::sla::Sla;
use perf_analysis::traces::{Band, Flow, KeptTrace, OwnerKind, Times, Traces};
use perf_render::html::{SlowestFlow, TailOwner, Waterfall};
use perf_render::number::nanos_inline;
use perf_render::plot::{
    self, Breakdown, Part, Picture, Ranked, Series, Theme, TraceGap, TraceSpan, Unit,
};

use super::promised::of_flow;
use super::traces::{annotations, scalar};

/// The flow whose highest percentile is the longest, of those with enough traces to tell a tail from the typical.
pub(crate) fn slowest(traces: &Traces) -> Option<&Flow> {
    let highest = |flow: &&Flow| {
        let times = flow.end_to_end.as_ref()?;
        times.percentiles.0.iter().map(|(_, ns)| *ns).max()
    };
    let known = traces.flows.iter().filter(|flow| tail(flow).is_some());
    // Of equally slow ones the most frequent, which comes first.
    known.rev().max_by_key(highest)
}

/// The traces around the highest percentile that has enough of them.
pub(super) fn tail(flow: &Flow) -> Option<&Band> {
    flow.bands.iter().rfind(|band| band.percentile.is_some())
}

/// The traces from 40 to 60 %, if they are enough.
pub(super) fn typical(flow: &Flow) -> Option<&Band> {
    flow.bands.iter().find(|band| band.percentile.is_none())
}

/// The flow at the top of the page, its owners by their part in the tail.
pub(crate) fn summary(flow: &Flow) -> Option<SlowestFlow> {
    let (tail, typical) = (tail(flow)?, typical(flow));
    let ns = |band: &Band, at: usize| band.owners.get(at).map(|owner| owner.mean_ns as f64);
    let owners = flow.owners.iter().enumerate().filter_map(|(at, owner)| {
        Some(TailOwner {
            name: owner.owner.clone(),
            tail_ns: ns(tail, at)?,
            typical_ns: typical.and_then(|band| ns(band, at)),
        })
    });
    let mut owners: Vec<TailOwner> = owners.collect();
    owners.sort_by(|a, b| b.tail_ns.total_cmp(&a.tail_ns));
    Some(SlowestFlow {
        name: flow.flow.clone(),
        count: flow.count,
        tail: name(tail),
        tail_ns: tail.mean_ns as f64,
        typical_ns: typical.map(|band| band.mean_ns as f64),
        owners,
    })
}

/// How long the traces of the most frequent flows take, and what was promised of them. The response time of a flow stands
/// beside its time end to end.
pub(crate) fn flows(flows: &[Flow], sla: Option<&Sla>, theme: Theme) -> Picture {
    let common = common_stem(flows);
    let series = flows.iter().flat_map(|flow| {
        let name = match common {
            0 => flow.flow.clone(),
            stem => format!("…{}", &flow.flow[stem..]),
        };
        let response = format!("{name} response");
        let of = |times: &Option<Times>, called: &str, response| {
            let times = times.as_ref()?;
            let ranked = times.curve.iter().map(|at| Ranked {
                rank: at.rank,
                value: at.value,
            });
            Some(Series {
                name: called.to_owned(),
                unit: Unit::Ns,
                count: times.count,
                curve: ranked.collect(),
                bins: Vec::new(),
                zeros: 0,
                limits: sla
                    .map_or_else(Vec::new, |sla| of_flow(sla, (&flow.flow, &name), response)),
            })
        };
        [
            of(&flow.end_to_end, &name, false),
            of(&flow.response, &response, true),
        ]
    });
    let series: Vec<Series> = series.flatten().collect();
    plot::flows(&series, theme)
}

/// The bytes that the names of all flows begin with, up to the arrow before what tells them apart.
fn common_stem(flows: &[Flow]) -> usize {
    const ARROW: &str = " → ";
    let [first, rest @ ..] = flows else {
        return 0;
    };
    let stems = first.flow.match_indices(ARROW);
    let stems = stems.map(|(at, _)| at + ARROW.len());
    let is_common = |stem: &usize| {
        let starts = |flow: &Flow| flow.flow.starts_with(&first.flow[..*stem]);
        !rest.is_empty() && rest.iter().all(starts)
    };
    stems.filter(is_common).max().unwrap_or(0)
}

/// Which stage or queue the time of a flow goes to, as a picture.
pub(crate) fn stages(flow: &Flow, theme: Theme) -> Picture {
    let band = |band: &Band| plot::Band {
        name: name(band),
        traces: band.count,
        parts: (flow.owners.iter().zip(&band.owners))
            .map(|(owner, part)| Part {
                owner: owner.owner.clone(),
                gap: owner.kind == OwnerKind::Gap,
                ns: part.mean_ns,
            })
            .collect(),
    };
    let breakdown = Breakdown {
        flow: flow.flow.clone(),
        bands: flow.bands.iter().map(band).collect(),
    };
    plot::stages(&breakdown, theme)
}

fn name(band: &Band) -> String {
    match band.percentile {
        Some(percentile) => format!("p{percentile}"),
        None => "typical (40 to 60 %)".to_owned(),
    }
}

/// One of the slowest traces.
pub(crate) fn waterfall(trace: &KeptTrace, theme: Theme) -> Waterfall {
    let at = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    let spans = trace.spans.iter().map(|span| TraceSpan {
        event: span.event.clone(),
        thread: span.thread.clone(),
        start_ns: at(span.start_ns),
        end_ns: at(span.start_ns.saturating_add(span.duration_ns)),
        ended: span.outcome.unusual().map(str::to_owned),
    });
    let gaps = trace.gaps.iter().map(|gap| TraceGap {
        name: format!("{}→{}", gap.from, gap.to),
        start_ns: at(gap.start_ns),
        end_ns: at(gap.start_ns.saturating_add(gap.duration_ns)),
    });
    let notes = trace.annotations.iter();
    let of = plot::Waterfall {
        trace: trace.trace.clone(),
        annotations: notes
            .map(|(key, value)| (key.clone(), scalar(value)))
            .collect(),
        spans: spans.collect(),
        gaps: gaps.collect(),
    };
    let title = [
        nanos_inline(trace.end_to_end_ns as f64),
        trace.flow.clone(),
        format!("trace {}", trace.trace),
        annotations(trace),
    ];
    let title = title.into_iter().filter(|part| !part.is_empty());
    Waterfall {
        title: title.collect::<Vec<_>>().join(" · "),
        picture: plot::waterfall(&of, theme),
    }
}
