//! What must be known of a capture before its numbers are read.

use std::collections::BTreeMap;

use perf_format::{LossCause, SelfCost, Warning as Note, WarningCode};

use super::result::{CaptureState, CaptureSummary, ClockSummary, RecorderCost};
use super::rows::unnamed;
use super::survey::Survey;
use super::switched::{is_switch, switched_off};
use super::timeline::Timeline;
use super::window::Lifetime;
use crate::capture::Capture;
use crate::snapshot::{self, Snapshot};
use crate::value::UnixNs;
use crate::warning::{Warning, WarningKind};

/// Notes of the recorder that are passed on one by one, at most.
const MAX_NOTES: usize = 20;

/// The integrity of one capture.
pub(crate) fn summary(
    capture: &Capture,
    survey: &Survey,
    lifetime: Option<Lifetime>,
) -> CaptureSummary {
    let header = capture.header();
    let bytes = capture
        .files
        .iter()
        .map(|file| file.source.stored_len())
        .sum();
    let arena = header.map(|header| header.origin.arena.clone());
    let command = header
        .map(|header| header.origin.command.clone())
        .filter(|command| !command.is_empty());
    let damage = capture.files.iter().flat_map(|file| &file.index.damage);
    let labels = header.iter().flat_map(|header| &header.labels);
    let headers = (capture.files.iter()).filter_map(|file| file.index.header.as_ref());
    CaptureSummary {
        path: capture.path().to_owned(),
        more_paths: capture.files[1..]
            .iter()
            .map(|file| file.path.clone())
            .collect(),
        parts: capture.parts,
        capture_id: capture.id.map(|id| id.to_string()).unwrap_or_default(),
        records: survey.records,
        spans: survey.spans,
        lost: survey.lost(),
        lost_by_cause: lost_by_cause(survey),
        open_spans: capture.open_spans.len() as u64,
        open_spans_by_event: open_by_event(capture),
        start_unix_ns: lifetime.map(|lifetime| UnixNs(lifetime.start)),
        end_unix_ns: lifetime.map(|lifetime| UnixNs(lifetime.end)),
        duration_ns: lifetime.map(|lifetime| lifetime.end.abs_diff(lifetime.start)),
        closed_cleanly: capture.state == CaptureState::Closed,
        state: capture.state,
        salvage_arena: arena.filter(|_| capture.state == CaptureState::Salvageable),
        host: header
            .map(|header| header.origin.host.clone())
            .unwrap_or_default(),
        pid: header.map_or(0, |header| header.origin.pid),
        command,
        threads: survey.records_by_thread.len() as u64,
        bytes,
        bytes_per_span: (survey.spans > 0).then(|| bytes as f64 / survey.spans as f64),
        labels: labels
            .filter(|label| !snapshot::is_told(&label.key))
            .map(|label| (label.key.clone(), label.value.clone()))
            .collect(),
        snapshots: headers.filter_map(Snapshot::of).collect(),
        clock: clock_summary(capture),
        recorder: recorder_cost(capture),
        damaged_bytes: damage.map(|damage| damage.len).sum(),
    }
}

fn lost_by_cause(survey: &Survey) -> BTreeMap<String, u64> {
    let mut lost = BTreeMap::new();
    for (cause, count) in &survey.lost {
        let LossCause(code) = *cause;
        let name = match cause.describe() {
            // Two causes that this version does not know stay two.
            "unknown cause" => format!("cause#{code}"),
            known => known.to_owned(),
        };
        lost.insert(name, *count);
    }
    lost
}

/// Open spans by the name of their event.
pub(crate) fn open_by_event(capture: &Capture) -> BTreeMap<String, u64> {
    let mut open = BTreeMap::new();
    for span in &capture.open_spans {
        let name = capture
            .events
            .get(&span.event)
            .map_or_else(|| unnamed(span.event), |named| named.name.clone());
        *open.entry(name).or_default() += 1;
    }
    open
}

fn clock_summary(capture: &Capture) -> ClockSummary {
    let header = capture.header();
    let clock = &capture.clock;
    let segments: Vec<_> = clock.segments().collect();
    let ticks = |segment| {
        let of_segment = || {
            capture
                .anchors
                .iter()
                .filter(|anchor| anchor.segment == segment)
                .map(|anchor| anchor.ticks)
        };
        of_segment()
            .max()
            .unwrap_or(0)
            .abs_diff(of_segment().min().unwrap_or(0))
    };
    // The earliest of equally long ones.
    let longest = segments
        .iter()
        .copied()
        .rev()
        .max_by_key(|segment| ticks(*segment));
    ClockSummary {
        source: header
            .map_or("unknown", |header| header.clock.source.name())
            .to_owned(),
        reason: header
            .map(|header| header.clock.reason.clone())
            .unwrap_or_default(),
        ticks_per_second: 1e9 / clock.ns_per_tick(longest.unwrap_or_default()),
        error_ns: clock.uncertainty_ns(),
        anchors: capture.anchors.len() as u64,
        steps: clock.steps().len() as u64,
        restarts: segments.len().saturating_sub(1) as u64,
    }
}

fn recorder_cost(capture: &Capture) -> RecorderCost {
    let costs = &capture.notes.self_costs;
    if costs.is_empty() {
        return RecorderCost::default();
    }
    let sum = |field: fn(&SelfCost) -> u64| {
        costs
            .iter()
            .fold(0_u64, |sum, cost| sum.saturating_add(field(cost)))
    };
    let records = sum(|cost| cost.records);
    let cpu_ns = sum(|cost| cost.drainer_cpu_ns).saturating_add(sum(|cost| cost.writer_cpu_ns));
    let ticks = sum(|cost| cost.to_ticks.saturating_sub(cost.from_ticks));
    let wall_ns = ticks as f64
        * capture
            .clock
            .ns_per_tick(capture.clock.segments().next().unwrap_or_default());
    let fullest = costs.iter().filter(|cost| cost.ring_slots > 0);
    let fullest = fullest
        .map(|cost| cost.ring_high_water_slots as f64 / cost.ring_slots as f64)
        .reduce(f64::max);
    RecorderCost {
        ns_per_record: costs
            .iter()
            .rev()
            .map(|cost| cost.ns_per_record)
            .find(|ns| *ns > 0.0),
        drainer_ns_per_record: (records > 0).then(|| cpu_ns as f64 / records as f64),
        drainer_cpu_fraction: (wall_ns > 0.0).then(|| cpu_ns as f64 / wall_ns),
        file_bytes_per_second: (wall_ns > 0.0)
            .then(|| sum(|cost| cost.file_bytes) as f64 * 1e9 / wall_ns),
        max_drain_lag_ns: costs.iter().map(|cost| cost.drain_lag_max_ns).max(),
        ring_high_water: fullest,
    }
}

/// What to say of one capture.
pub(crate) fn warnings(
    capture: &Capture,
    summary: &CaptureSummary,
    survey: &Survey,
    timeline: &Timeline,
) -> Vec<Warning> {
    let mut kinds = Vec::new();
    match capture.state {
        CaptureState::Closed | CaptureState::Salvaged | CaptureState::Continued => {}
        CaptureState::Live => kinds.push(WarningKind::NotClosed { live: true }),
        CaptureState::Unclosed => kinds.push(WarningKind::NotClosed { live: false }),
        CaptureState::Salvageable => {
            let arena = summary.salvage_arena.clone().unwrap_or_default();
            kinds.push(WarningKind::Salvage { arena });
        }
    }
    let missing = capture.parts.map_or(0, |parts| parts.missing);
    let goes_on = capture.state == CaptureState::Continued;
    if missing > 0 || goes_on {
        kinds.push(WarningKind::PartsMissing { missing, goes_on });
    }
    if summary.lost > 0 {
        let attempted = summary.lost.saturating_add(summary.records);
        let in_selection = lost_within(capture, survey, timeline);
        kinds.push(WarningKind::Loss {
            lost: summary.lost,
            attempted,
            in_selection,
        });
    }
    if summary.open_spans > 0 {
        kinds.push(WarningKind::OpenSpans {
            open: summary.open_spans,
        });
    }
    for step in capture.clock.steps() {
        let at = UnixNs(capture.clock.unix_ns(step.segment, step.from_ticks));
        kinds.push(WarningKind::ClockStep {
            at,
            step_ns: step.step_ns,
        });
    }
    if survey.unknown_records > 0 {
        kinds.push(WarningKind::UnknownRecords {
            records: survey.unknown_records,
        });
    }
    if survey.doubtful_rows > 0 {
        kinds.push(WarningKind::Overlap {
            records: survey.doubtful_rows,
        });
    }
    kinds.extend(switched_off(capture).into_iter().take(MAX_NOTES));
    let notes = capture.notes.warnings.iter();
    // That old parts go is what was asked for; which parts there are the summary says.
    let is_news = |note: &&Note| !is_switch(note) && note.code != WarningCode::RETENTION;
    let notes = notes.filter(is_news).take(MAX_NOTES);
    kinds.extend(notes.map(|note| WarningKind::Recorder {
        message: note.message.clone(),
    }));
    let about = |kind| Warning {
        capture: Some(summary.path.clone()),
        kind,
    };
    let mut warnings: Vec<_> = kinds.into_iter().map(about).collect();
    for (file, entry, error) in &survey.unreadable {
        let file = &capture.files[*file as usize];
        let entry = &file.index.chunks[*entry as usize];
        let (offset, len) = (entry.offset, entry.head.chunk_len());
        warnings.push(file.warning(WarningKind::Damage {
            offset,
            len,
            reason: error.to_string(),
        }));
    }
    warnings
}

/// Records lost in intervals that touch the selected time; those of unknown time count as within.
pub(crate) fn lost_within(capture: &Capture, survey: &Survey, timeline: &Timeline) -> u64 {
    let within = survey.lost_between.iter().filter(|lost| {
        if !timeline.is_bounded() || lost.to == 0 {
            return true;
        }
        let from = capture.clock.unix_ns(lost.segment, lost.from.min(lost.to));
        let to = capture.clock.unix_ns(lost.segment, lost.to);
        timeline.until.is_none_or(|until| from < until)
            && timeline.since.is_none_or(|since| to >= since)
    });
    within.fold(0, |sum, lost| sum.saturating_add(lost.count))
}
