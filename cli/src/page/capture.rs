//! How far a capture is to be trusted: read before its figures.

use std::collections::BTreeMap;

use perf_analysis::Parts;
use perf_analysis::Snapshot;
use perf_analysis::report::{CaptureState, CaptureSummary, ClockSummary, RecorderCost};
use perf_render::escape::bounded;
use perf_render::number::{bytes, count, nanos_inline, number, percent};
use perf_render::{Cell, Column, Fact, Keep, Row, Table, Tone};

use crate::page::counted;
use crate::time::Zone;

/// Of causes and events, this many are named; the rest is summed up.
const MAX_NAMED: usize = 3;

/// One capture, a fact a line.
pub(super) fn facts(capture: &CaptureSummary, zone: &Zone) -> Vec<Fact> {
    let mut facts = snapshots(&capture.snapshots, zone);
    facts.extend([
        Fact::new("program", program(capture)),
        time(capture, zone),
        Fact::new("records", records(capture)),
        lost(capture),
        open(capture),
        clock(&capture.clock),
        Fact::new("recorder", recorder(&capture.recorder)),
        state(capture),
    ]);
    facts
}

/// What made a flight recorder write each part: the first ones.
fn snapshots(snapshots: &[Snapshot], zone: &Zone) -> Vec<Fact> {
    let mut facts: Vec<Fact> = (snapshots.iter().take(MAX_NAMED))
        .map(|each| snapshot(each, zone))
        .collect();
    if snapshots.len() > MAX_NAMED {
        let more = counted(
            (snapshots.len() - MAX_NAMED) as u64,
            "more part",
            "more parts",
        );
        facts.push(Fact::new("snapshot", more));
    }
    if snapshots.len() > 1 {
        let gaps = "between these there may be times of which nothing was written";
        facts.push(Fact::new("snapshots", gaps).tone(Tone::Caution));
    }
    facts
}

/// `sla: ORDER took 7.20ms, more than 5ms, 2026-11-26 07:10:11.123 UTC; of the last 30 s`
pub(super) fn snapshot(snapshot: &Snapshot, zone: &Zone) -> Fact {
    let mut value = bounded(&snapshot.kind).into_owned();
    if !snapshot.words.is_empty() {
        value.push_str(&format!(": {}", bounded(&snapshot.words)));
    }
    if let Some(at) = snapshot.at_unix_ns {
        value.push_str(&format!(", {}", zone.instant(at)));
    }
    if let Some(ns) = snapshot.window_ns {
        value.push_str(&format!("; of the last {}", nanos_inline(ns as f64)));
    }
    if snapshot.more > 0 {
        let more = counted(snapshot.more, "more trigger", "more triggers");
        let last = snapshot.last_more.as_deref().unwrap_or("unknown");
        value.push_str(&format!("; {more}, the last {}", bounded(last)));
    }
    Fact::new("snapshot", value).tone(Tone::Strong)
}

/// Several captures, a row each.
pub(super) fn table(captures: &[CaptureSummary], zone: &Zone) -> Table {
    let room = |order| Keep::IfRoom(order);
    let columns = vec![
        Column::new("captures", "capture"),
        Column::new("start", "start").keep(room(5)),
        Column::new("length", "duration_ns").keep(room(4)),
        Column::new("spans", "spans"),
        Column::new("threads", "threads").keep(Keep::IfWide),
        Column::new("B/span", "bytes_per_span").keep(Keep::IfWide),
        Column::new("lost", "lost"),
        Column::new("open", "open_spans").keep(room(2)),
        Column::new("clock ±", "clock_error_ns").keep(Keep::IfWide),
        Column::new("cost/record", "ns_per_record").keep(Keep::IfWide),
        Column::new("state", "state").keep(room(1)),
    ];
    let rows = captures.iter().map(|capture| {
        let (state, tone) = state_in_a_word(capture.state);
        Row::new(vec![
            Cell::name(&capture.path),
            Cell::or_absent(capture.start_unix_ns, |start| {
                Cell::Text(zone.second(start))
            }),
            Cell::or_absent(capture.duration_ns, |ns| Cell::Nanos(ns as f64)),
            Cell::Count(capture.spans),
            Cell::Count(capture.threads),
            Cell::or_absent(capture.bytes_per_span, Cell::Number),
            Cell::Count(capture.lost),
            Cell::Count(capture.open_spans),
            Cell::or_absent(capture.clock.error_ns, |ns| Cell::Nanos(ns as f64)),
            Cell::or_absent(capture.recorder.ns_per_record, Cell::Nanos),
            Cell::Text(state.to_owned()),
        ])
        .tone(if capture.lost > 0 { Tone::Bad } else { tone })
    });
    Table {
        rows: rows.collect(),
        columns,
    }
}

fn program(capture: &CaptureSummary) -> String {
    let command = capture.command.as_deref().unwrap_or("unknown");
    let host = if capture.host.is_empty() {
        "an unknown host"
    } else {
        &capture.host
    };
    let mut program = format!(
        "{}, pid {} on {}",
        bounded(command),
        capture.pid,
        bounded(host)
    );
    for (key, value) in &capture.labels {
        program.push_str(&format!("; {} {}", bounded(key), bounded(value)));
    }
    program
}

fn time(capture: &CaptureSummary, zone: &Zone) -> Fact {
    let value = match (capture.start_unix_ns, capture.end_unix_ns) {
        (Some(start), Some(end)) => zone.range(start, end),
        (Some(start), None) => format!("{} to an unknown end", zone.instant(start)),
        (None, Some(end)) => format!("an unknown start to {}", zone.instant(end)),
        (None, None) => "unknown".to_owned(),
    };
    match capture.duration_ns {
        Some(ns) => Fact::new("time", format!("{value}, {}", nanos_inline(ns as f64))),
        None => Fact::new("time", value),
    }
}

fn records(capture: &CaptureSummary) -> String {
    let others = capture.records.saturating_sub(capture.spans);
    let mut records = counted(capture.spans, "span", "spans");
    if others > 0 {
        records.push_str(&format!(
            " and {}",
            counted(others, "other record", "other records")
        ));
    }
    records.push_str(&format!(
        ", {}",
        counted(capture.threads, "thread", "threads")
    ));
    records.push_str(&format!(", {}", bytes(capture.bytes)));
    if let Some(each) = capture.bytes_per_span {
        records.push_str(&format!(" ({} B/span)", number(each)));
    }
    match (capture.more_paths.len(), capture.parts) {
        (0, None) => records,
        (more, None) => format!("{records}, in {} files", more + 1),
        (_, Some(parts)) => format!("{records}, {}", in_parts(parts)),
    }
}

/// `part 3`, `parts 3 to 10`.
fn in_parts(parts: Parts) -> String {
    match parts.first == parts.last {
        true => format!("part {}", parts.first),
        false => format!("parts {} to {}", parts.first, parts.last),
    }
}

fn lost(capture: &CaptureSummary) -> Fact {
    if capture.lost == 0 {
        return Fact::new("lost", "nothing");
    }
    let attempted = capture.records.saturating_add(capture.lost);
    let share = percent(capture.lost as f64 / attempted as f64);
    let (lost, causes) = (
        counted(capture.lost, "record", "records"),
        named(&capture.lost_by_cause),
    );
    Fact::new(
        "lost",
        format!("{lost}, {share} of what was attempted{causes}"),
    )
    .tone(Tone::Bad)
}

fn open(capture: &CaptureSummary) -> Fact {
    if capture.open_spans == 0 {
        return Fact::new("open", "no span was open at the end");
    }
    let (open, events) = (
        counted(capture.open_spans, "span", "spans"),
        named(&capture.open_spans_by_event),
    );
    Fact::new("open", format!("{open} had not ended{events}")).tone(Tone::Caution)
}

/// `: A 3, B 2, C 1, others 4`, the largest first.
fn named(counts: &BTreeMap<String, u64>) -> String {
    let mut by_count: Vec<(&String, u64)> =
        counts.iter().map(|(name, count)| (name, *count)).collect();
    by_count.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let (first, rest) = by_count.split_at(by_count.len().min(MAX_NAMED));
    let mut parts: Vec<String> = (first.iter())
        .map(|(name, times)| format!("{} {}", bounded(name), count(*times)))
        .collect();
    if !rest.is_empty() {
        parts.push(format!(
            "others {}",
            count(rest.iter().map(|(_, times)| times).sum())
        ));
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join(", ")),
    }
}

fn clock(clock: &ClockSummary) -> Fact {
    let error = match clock.error_ns {
        Some(ns) => format!("times of day within {}", nanos_inline(ns as f64)),
        None => "times of day of unknown error".to_owned(),
    };
    let mut value = format!("{}, {error}", bounded(&clock.source));
    if clock.steps > 0 {
        value.push_str(&format!(
            "; the wall clock was set {}",
            counted(clock.steps, "time", "times")
        ));
    }
    if clock.restarts > 0 {
        value.push_str(&format!(
            "; the counter restarted {}",
            counted(clock.restarts, "time", "times")
        ));
    }
    let steady = clock.steps == 0 && clock.restarts == 0;
    Fact::new("clock", value).tone(if steady { Tone::Plain } else { Tone::Caution })
}

/// What recording cost, as far as it was noted.
fn recorder(cost: &RecorderCost) -> String {
    let parts = [
        cost.ns_per_record
            .map(|ns| format!("{} a record", nanos_inline(ns))),
        cost.drainer_ns_per_record
            .map(|ns| format!("{} to drain", nanos_inline(ns))),
        cost.drainer_cpu_fraction
            .map(|share| format!("{} of a core", percent(share))),
        // A flight recorder writes nothing before its snapshot, and that says nothing.
        cost.file_bytes_per_second
            .filter(|rate| *rate >= 1.0)
            .map(|rate| format!("{}/s", bytes(rate as u64))),
        cost.ring_high_water
            .map(|share| format!("rings ≤ {} full", percent(share))),
        cost.max_drain_lag_ns
            .map(|ns| format!("lag ≤ {}", nanos_inline(ns as f64))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "did not note what it cost".to_owned(),
        false => parts.join(", "),
    }
}

fn state(capture: &CaptureSummary) -> Fact {
    let value = match capture.state {
        CaptureState::Closed => "closed cleanly",
        CaptureState::Salvaged => "closed by a recovery, after its process had died",
        CaptureState::Live => "not closed: its process is still recording",
        CaptureState::Salvageable => {
            "not closed: its process died and left records in shared memory"
        }
        CaptureState::Unclosed => {
            "not closed: its process was killed, or this is a copy made while it ran"
        }
        CaptureState::Continued => "goes on in a part that is not here",
    };
    Fact::new("end", value).tone(state_in_a_word(capture.state).1)
}

fn state_in_a_word(state: CaptureState) -> (&'static str, Tone) {
    match state {
        CaptureState::Closed => ("closed", Tone::Plain),
        CaptureState::Salvaged => ("recovered", Tone::Plain),
        CaptureState::Live => ("live", Tone::Plain),
        CaptureState::Salvageable => ("salvageable", Tone::Bad),
        CaptureState::Unclosed => ("not closed", Tone::Caution),
        CaptureState::Continued => ("goes on", Tone::Plain),
    }
}
