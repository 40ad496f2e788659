//! The page of `report --html`: the report's parts, each in its place.

use perf_analysis::Warning;
use perf_analysis::plot::PlotData;
use perf_analysis::report::Report;
use perf_analysis::sla::Sla;
use perf_analysis::traces::Traces;
use perf_render::html::{Commands, Episodes, Page};
use perf_render::plot::{Picture, Theme};
use perf_render::{Block, Document, Note};

use crate::cmd::plot::Kind;
use crate::command::Arguments;
use crate::page::promised::Promised;
use crate::page::{counted, events, plot, push_warnings, report, traced, traces};

mod judged;

/// Of plots with one file an event, so many come before the plots of all events.
const FIRST: usize = 3;

/// What the page is made from.
pub(crate) struct Source<'a> {
    pub(crate) report: report::Page<'a>,
    pub(crate) traces: &'a Traces,
    pub(crate) plots: &'a PlotData,
    /// If there are rules.
    pub(crate) sla: Option<&'a Sla>,
    /// What was promised of each series of the plots.
    pub(crate) promised: &'a [Promised],
    pub(crate) arguments: &'a Arguments,
}

/// All that `report` shows, and what traces and plots add to it.
pub(crate) fn page(source: &Source<'_>) -> Page {
    let report = &source.report;
    let mut integrity = Document::new();
    report.push_integrity(&mut integrity);
    let mut events = Document::new();
    report.push_groups(&mut events, events::tables);
    if events.blocks.is_empty() {
        events.paragraph("Nothing was recorded in what was selected.");
    }
    let mut over_time = Document::new();
    if report.report.slots.is_some() {
        report.push_groups(&mut over_time, |group| report.slot_tables(group));
    }
    let slowest = traced::slowest(source.traces);
    let mut pictures = pictures(source.plots, source.promised, report);
    if let Some(flow) = slowest {
        let place = pictures.len().min(FIRST);
        let flows = &source.traces.flows;
        pictures.insert(place, traced::stages(flow, Theme::Auto));
        pictures.insert(place, traced::flows(flows, source.sla, Theme::Auto));
    }
    Page {
        title: title(report.report),
        maker: format!("perf-analyze {}", env!("CARGO_PKG_VERSION")),
        integrity,
        rules: source.sla.map_or_else(Vec::new, judged::rules),
        episodes: source
            .sla
            .map_or_else(Episodes::default, |sla| judged::episodes(sla, report.zone)),
        slowest: slowest.and_then(traced::summary),
        notes: notes(source),
        events,
        over_time,
        flows: flows(source),
        waterfalls: source
            .traces
            .slowest
            .iter()
            .map(|trace| traced::waterfall(trace, Theme::Auto))
            .collect(),
        plots: pictures,
        commands: commands(source.arguments),
    }
}

fn commands(arguments: &Arguments) -> Commands {
    Commands {
        events: format!("{} --format csv", arguments.report()),
        traces: format!("{} --slowest 1000", arguments.other("traces")),
        sla: format!("{} --format csv", arguments.sla()),
        plots: format!("{} -o plots", arguments.other("plot")),
    }
}

fn flows(source: &Source<'_>) -> Document {
    let page = traces::Page {
        traces: source.traces,
        zone: source.report.zone,
        asked: false,
    };
    let mut flows = Document::new();
    if !source.traces.flows.is_empty() {
        page.push_flows(&mut flows);
    }
    flows
}

/// The plots, in the order of what they tell: when it was slow, how slow the slowest were, how much happened.
fn pictures(data: &PlotData, promised: &[Promised], report: &report::Page<'_>) -> Vec<Picture> {
    let draw = |wanted: Kind| {
        let drawn = plot::draw(
            data,
            promised,
            None,
            None,
            report.zone,
            Theme::Auto,
            |kind| kind == wanted,
        );
        drawn.into_iter().map(|each| each.picture)
    };
    if data.report.events.is_empty() {
        return Vec::new();
    }
    let mut pictures: Vec<Picture> = Vec::new();
    let mut rest: Vec<Picture> = Vec::new();
    for kind in [
        Kind::LatencyOverTime,
        Kind::Percentiles,
        Kind::Throughput,
        Kind::GaugesAndCounters,
        Kind::Distribution,
        Kind::Cdf,
    ] {
        let mut drawn = draw(kind);
        pictures.extend(drawn.by_ref().take(FIRST));
        rest.extend(drawn);
    }
    pictures.extend(rest);
    pictures
}

/// What the report and the traces warn of, each once.
fn notes(source: &Source<'_>) -> Vec<Note> {
    let report = &source.report;
    let mut warnings: Vec<Warning> = report.report.warnings.clone();
    let of_rules = source.sla.iter().flat_map(|sla| &sla.warnings);
    for warning in source.traces.warnings.iter().chain(of_rules) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    let mut document = Document::new();
    let several = report.report.captures.len() > 1;
    push_warnings(&mut document, &warnings, several, report.unmatched);
    let notes = document.blocks.into_iter().filter_map(|block| match block {
        Block::Note(note) => Some(note),
        _ => None,
    });
    notes.collect()
}

/// The capture, or how many there are.
fn title(report: &Report) -> String {
    match &report.captures[..] {
        [only] => only.path.clone(),
        [first, ..] => {
            let more = report.captures.len() as u64 - 1;
            let more = counted(more, "more capture", "more captures");
            format!("{} and {more}", first.path)
        }
        [] => "no capture".to_owned(),
    }
}
