//! Warnings that concern no capture alone.

use std::collections::BTreeSet;

use super::result::{EventKind, EventStats};
use super::run::Run;
use super::spread::Domain;
use super::timeline::Timeline;
use crate::warning::{Warning, WarningKind};

/// What to say of the whole report.
pub(super) fn overall(run: &Run<'_>, events: &[EventStats]) -> Vec<Warning> {
    let mut kinds = Vec::new();
    if run.domain == Domain::Ns && !run.options.exact {
        kinds.push(WarningKind::Rebinned {
            scales: run.scales as u64,
        });
    }
    if run.counts_kept_records() {
        kinds.push(WarningKind::SampledRecords);
    }
    kinds.extend(differing_units(events));
    kinds.extend(unknown_events(run));
    kinds.extend(few_samples(events));
    kinds.extend(saturated(events));
    kinds.extend(unmatched_patterns(run, events));
    let records: u64 = run.surveys.iter().map(|survey| survey.records).sum();
    if events.is_empty() && records > 0 && run.timelines.iter().any(Timeline::is_bounded) {
        kinds.push(WarningKind::NothingSelected);
    }
    kinds
        .into_iter()
        .map(|kind| Warning {
            capture: None,
            kind,
        })
        .collect()
}

/// Events that are more than one kind of thing, or have more than one unit, in one group.
fn differing_units(events: &[EventStats]) -> impl Iterator<Item = WarningKind> {
    let mut events: Vec<_> = events
        .iter()
        .map(|row| (&row.group, &row.event, row.kind, &row.unit))
        .collect();
    events.sort_unstable();
    events.dedup();
    let same = events.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let differing: BTreeSet<String> = same
        .filter(|same| same.len() > 1)
        .map(|same| same[0].1.clone())
        .collect();
    differing
        .into_iter()
        .map(|event| WarningKind::UnitMismatch { event })
}

fn unknown_events(run: &Run<'_>) -> Option<WarningKind> {
    let (mut ids, mut records) = (0, 0);
    for (capture, survey) in run.captures.iter().zip(&run.surveys) {
        let unnamed = survey
            .reported_by_event
            .iter()
            .filter(|(event, _)| !capture.events.contains_key(event));
        for (_, more) in unnamed {
            ids += 1;
            records += more;
        }
    }
    (ids > 0).then_some(WarningKind::UnknownEvents { ids, records })
}

fn few_samples(events: &[EventStats]) -> Option<WarningKind> {
    let mut weak = events.iter().filter(|row| !row.weak_percentiles.is_empty());
    let first = weak.next()?;
    // The least demanding of them: what even a look at the row's low percentiles should know.
    let percentile = *first.weak_percentiles.iter().min()?;
    Some(WarningKind::FewSamples {
        event: first.event.clone(),
        rows: 1 + weak.count() as u64,
        percentile,
        count: first.count,
        needed: percentile.samples_needed(),
    })
}

/// A duration of 2^64 − 1 ns is 584 years: no clock runs that long.
fn saturated(events: &[EventStats]) -> Option<WarningKind> {
    let spans = events.iter().filter(|row| row.kind == EventKind::Span);
    let rows = spans.filter(|row| row.max == Some(u64::MAX.into())).count() as u64;
    (rows > 0).then_some(WarningKind::Saturated { rows })
}

fn unmatched_patterns(run: &Run<'_>, events: &[EventStats]) -> Vec<WarningKind> {
    let names = || {
        run.captures
            .iter()
            .flat_map(|capture| capture.events.values())
            .map(|named| &named.name)
    };
    let unmatched = run.naming.patterns.iter().filter(move |pattern| {
        let shown = events.iter().map(|row| &row.event);
        !names().chain(shown).any(|name| pattern.matches(name))
    });
    let kind = |pattern: &glob::Pattern| WarningKind::NoEventMatches {
        pattern: pattern.as_str().to_owned(),
    };
    unmatched.map(kind).collect()
}
