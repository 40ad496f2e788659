//! The page of `report --html`: the report's parts, each in its place.

use perf_analysis::report::Report;
use perf_render::html::{Commands, Page};
use perf_render::{Block, Document};

use crate::command::Arguments;
use crate::page::{counted, events, push_warnings, report};

/// All that `report` shows, as a page.
pub(crate) fn page(report: &report::Page<'_>, arguments: &Arguments) -> Page {
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
    let mut warnings = Document::new();
    let several = report.report.captures.len() > 1;
    push_warnings(
        &mut warnings,
        &report.report.warnings,
        several,
        report.unmatched,
    );
    let notes = warnings.blocks.into_iter().filter_map(|block| match block {
        Block::Note(note) => Some(note),
        _ => None,
    });
    Page {
        title: title(report.report),
        maker: format!("perf-analyze {}", env!("CARGO_PKG_VERSION")),
        integrity,
        notes: notes.collect(),
        events,
        over_time,
        commands: Commands {
            events: format!("{} --format csv", arguments.with("report")),
            ..Commands::default()
        },
        ..Page::default()
    }
}

/// The capture, or how many there are.
fn title(report: &Report) -> String {
    match &report.captures[..] {
        [only] => only.path.clone(),
        [first, ..] => {
            let more = report.captures.len() as u64 - 1;
            format!(
                "{} and {}",
                first.path,
                counted(more, "more capture", "more captures")
            )
        }
        [] => "no capture".to_owned(),
    }
}
