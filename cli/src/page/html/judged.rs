//! What rules add to the page: a verdict for each, and when they were broken.

use std::cmp::Reverse;

use perf_analysis::sla::{self, Judged, RuleResult, Sla, Windows};
use perf_render::html::{Episode, Episodes, MAX_EPISODES, RuleVerdict, Verdict};
use perf_render::number::{count, nanos_inline};
use perf_render::{Cell, Column};

use crate::page::counted;
use crate::page::sla::{meanwhile, rule_text, value};
use crate::time::Zone;

/// Of what else happened in an episode, this much is shown.
const MAX_ALSO: usize = 6;

/// Every rule with its verdict.
pub(super) fn rules(sla: &Sla) -> Vec<RuleVerdict> {
    let rule = |rule: &RuleResult| RuleVerdict {
        rule: rule_text(rule),
        verdict: match rule.verdict {
            sla::Verdict::Pass => Verdict::Pass,
            sla::Verdict::Fail => Verdict::Fail,
            sla::Verdict::Unproven => Verdict::Unproven,
            sla::Verdict::NoData => Verdict::NoData,
        },
        measured: Cell::or_absent(rule.total.measured, |measured| {
            value(&rule.unit, measured.as_f64())
        }),
        detail: match &rule.windows {
            Some(windows) => of_windows(windows),
            None => of_all(&rule.total),
        },
    };
    sla.rules.iter().map(rule).collect()
}

/// How all that is selected was judged.
fn of_all(total: &Judged) -> String {
    let samples = counted(total.samples, "sample", "samples");
    if total.verdict == sla::Verdict::NoData {
        return format!("{samples}, {} are needed", count(total.samples_needed));
    }
    let mut parts = match (total.over, total.allowed) {
        (Some(over), Some(allowed)) => vec![format!(
            "{} of {samples} over, {} allowed",
            count(over),
            count(allowed)
        )],
        (Some(over), None) => vec![format!("{} of {samples} over", count(over))],
        (None, _) => vec![format!("of {samples}")],
    };
    if total.open > 0 {
        parts.push(format!("{} still open", count(total.open)));
    }
    match total.unknown {
        Some(0) => {}
        Some(unknown) => parts.push(format!("{} lost or unreadable", count(unknown))),
        None => parts.push("nobody knows how many are lost".to_owned()),
    }
    parts.join("; ")
}

fn of_windows(windows: &Windows) -> String {
    let parts = [
        (windows.fail, "failed"),
        (windows.unproven, "unproven"),
        (windows.no_data, "without data"),
        (windows.pass, "passed"),
    ];
    let parts = parts.iter().filter(|(many, _)| *many > 0);
    let parts: Vec<String> = parts
        .map(|(many, word)| format!("{} {word}", count(*many)))
        .collect();
    let length = nanos_inline(windows.length_ns as f64);
    format!("windows of {length}: {}", parts.join(", "))
}

/// Of the rules that were not kept the episodes with most violations, by time.
pub(super) fn episodes(sla: &Sla, zone: &Zone) -> Episodes {
    let broken = sla.episodes.iter().filter(|episode| {
        // What a kept rule bears is no news.
        sla.rules[episode.rule].verdict != sla::Verdict::Pass
    });
    let mut largest: Vec<&sla::Episode> = broken.collect();
    largest.sort_by_key(|episode| Reverse(episode.violations));
    largest.truncate(MAX_EPISODES);
    largest.sort_by_key(|episode| episode.start_unix_ns);
    let starts: Vec<_> = largest
        .iter()
        .map(|episode| episode.start_unix_ns)
        .collect();
    let starts = zone.slot_starts(&starts);
    let left_out = (sla.episodes.len() - largest.len()) as u64;
    let rows = largest.iter().zip(starts).map(|(episode, start)| {
        let rule = &sla.rules[episode.rule];
        Episode {
            from_unix_ns: episode.start_unix_ns.0,
            to_unix_ns: episode.end_unix_ns.0,
            cells: vec![
                Cell::Text(start),
                Cell::Nanos(episode.length_ns as f64),
                Cell::name(rule_text(rule)),
                Cell::Count(episode.violations),
                worst(rule, episode),
                Cell::Text(also(episode)),
            ],
        }
    });
    Episodes {
        columns: vec![
            Column::new("start", "start"),
            Column::new("length", "length_ns"),
            Column::new("rule", "rule"),
            Column::new("violations", "violations"),
            Column::new("worst", "worst"),
            Column::new("meanwhile", "also"),
        ],
        rows: rows.collect(),
        left_out: left_out.saturating_add(sla.more_episodes),
    }
}

/// The greatest violation: of a rule about a share of spans, the longest of these.
fn worst(rule: &RuleResult, episode: &sla::Episode) -> Cell {
    match rule.unit.as_str() {
        "%" => Cell::Nanos(episode.worst as f64),
        unit => value(unit, episode.worst as f64),
    }
}

/// What else happened.
fn also(episode: &sla::Episode) -> String {
    let also = episode.also.as_deref().unwrap_or_default();
    let mut parts: Vec<String> = also.iter().take(MAX_ALSO).map(meanwhile).collect();
    if also.len() > MAX_ALSO {
        parts.push(format!("{} more", also.len() - MAX_ALSO));
    }
    parts.join(", ")
}
