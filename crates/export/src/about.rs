//! The tables of what is known without reading a record: events and captures.

use std::collections::BTreeMap;

use perf_analysis::records::Records;
use perf_analysis::report::{CaptureSummary, EventKind};

use crate::dictionary::Dictionaries;
use crate::frame::{Frame, NO_NAME, Values};
use crate::table::Table;

/// The events of one capture.
pub(crate) fn events(
    records: &Records<'_>,
    capture: usize,
    summary: &CaptureSummary,
    names: &Dictionaries,
) -> Frame {
    let events = records.names().events();
    let counts = records.counts(capture);
    let counts: Vec<(u32, u64)> = { counts.into_iter() }
        .filter(|(event, _)| events[*event as usize].is_wanted)
        .collect();
    let kind = |event: u32| match events[event as usize].kind {
        Some(EventKind::Span) => 0,
        Some(EventKind::Counter) => 1,
        Some(EventKind::Gauge) => 2,
        Some(EventKind::Observation) => 3,
        None => NO_NAME,
    };
    let open = |event: u32| {
        let open = summary
            .open_spans_by_event
            .get(&events[event as usize].name);
        int(open.copied().unwrap_or(0))
    };
    let each = || counts.iter().map(|(event, _)| *event);
    let columns = vec![
        Values::Name(each().collect()),
        Values::Name(each().map(kind).collect()),
        Values::Name(each().map(|event| names.unit_of[event as usize]).collect()),
        Values::Int(counts.iter().map(|(_, records)| int(*records)).collect()),
        Values::Int(each().map(open).collect()),
        Values::Name(each().map(|_| capture as u32).collect()),
    ];
    Frame::new(Table::Events, columns)
}

/// One capture.
pub(crate) fn capture(capture: usize, of: &CaptureSummary, names: &Dictionaries) -> Frame {
    let count = |value: u64| Values::Int(vec![int(value)]);
    let text = |value: &str| Values::Text(vec![Some(value.to_owned())]);
    let json = |map: String| Values::Text(vec![Some(map)]);
    let state = serde_json::to_value(of.state).unwrap_or_default();
    let cost = of.recorder;
    let columns = vec![
        Values::Name(vec![capture as u32]),
        text(&of.path),
        Values::Name(vec![names.host_of[capture]]),
        count(of.pid.into()),
        Values::Text(vec![of.command.clone()]),
        json(object(&of.labels)),
        Values::OptInt(vec![of.start_unix_ns.map(|time| time.0)]),
        Values::OptInt(vec![of.end_unix_ns.map(|time| time.0)]),
        text(state.as_str().unwrap_or_default()),
        count(of.records),
        count(of.spans),
        count(of.open_spans),
        count(of.lost),
        json(object(&of.lost_by_cause)),
        count(of.damaged_bytes),
        count(of.bytes),
        count(of.threads),
        text(&of.clock.source),
        Values::OptInt(vec![of.clock.error_ns.map(int)]),
        Values::Float(vec![cost.ns_per_record]),
        Values::Float(vec![cost.drainer_ns_per_record]),
        Values::Float(vec![cost.drainer_cpu_fraction]),
        Values::OptInt(vec![cost.max_drain_lag_ns.map(int)]),
        Values::Float(vec![cost.ring_high_water]),
    ];
    Frame::new(Table::Captures, columns)
}

fn object<V: serde::Serialize>(map: &BTreeMap<String, V>) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

fn int(value: u64) -> i64 {
    value.min(i64::MAX as u64) as i64
}
