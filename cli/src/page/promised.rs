//! What rules add to plots: lines, how many values are beyond them, and when they were broken.

use std::collections::BTreeMap;

use anyhow::Result;
use perf_analysis::plot::{PlotData, PlotSeries};
use perf_analysis::sla::{Bound, Op, Rule, Sla, Stat, Target, Verdict, beyond_over_time};
use perf_analysis::{CaptureSet, ReportOptions};
use perf_render::plot::Limit;

/// What was promised of one series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promised {
    pub(crate) limits: Vec<Limit>,
    /// By the first instant of a slot: values beyond the lowest limit.
    pub(crate) beyond: BTreeMap<i64, u64>,
    /// Episodes of broken rules: first instant and last.
    pub(crate) episodes: Vec<(i64, i64)>,
}

/// What was promised of each series of `data`, in their order.
///
/// # Errors
/// When captures cannot be read.
pub(crate) fn promised(
    set: &CaptureSet,
    data: &PlotData,
    sla: &Sla,
    options: &ReportOptions,
) -> Result<Vec<Promised>> {
    let mut all: Vec<Promised> = data.series.iter().map(|of| of_series(of, sla)).collect();
    let Some(slots) = &data.slots else {
        return Ok(all);
    };
    // Of each series only the lowest limit: who is beyond another is beyond it too.
    let lowest = |(place, of): (usize, &PlotSeries)| Some((place, lowest(of, sla)?));
    let asked: Vec<(usize, Rule)> = (data.series.iter().enumerate())
        .filter_map(lowest)
        .collect();
    let rules: Vec<Rule> = asked.iter().map(|(_, rule)| rule.clone()).collect();
    if rules.is_empty() {
        return Ok(all);
    }
    let counts = beyond_over_time(set, &rules, slots.every_ns, options)?;
    for ((place, _), counts) in asked.iter().zip(counts) {
        let counts = counts.into_iter().map(|(start, count)| (start.0, count));
        all[*place].beyond = counts.collect();
    }
    Ok(all)
}

fn of_series(of: &PlotSeries, sla: &Sla) -> Promised {
    let mine = sla.rules.iter().filter(|result| concerns(&result.rule, of));
    let limits = mine.filter_map(|result| limit(&result.rule));
    let episodes = sla.episodes.iter().filter(|episode| {
        let result = &sla.rules[episode.rule];
        // What a kept rule bears is no news, and who knows whether the others were broken.
        result.verdict == Verdict::Fail && concerns(&result.rule, of)
    });
    Promised {
        limits: limits.collect(),
        beyond: BTreeMap::new(),
        episodes: episodes
            .map(|episode| (episode.start_unix_ns.0, episode.end_unix_ns.0))
            .collect(),
    }
}

/// What was promised of the traces of a flow: from end to end, or in response to when they were due. In a picture it is
/// called `name`.
pub(crate) fn of_flow(sla: &Sla, (flow, name): (&str, &str), response: bool) -> Vec<Limit> {
    let limit = |rule: &Rule| {
        let target = match (&rule.target, response) {
            (Target::EndToEnd(target), false) | (Target::Response(target), true) => target,
            _ => return None,
        };
        let of = match target {
            None if response => "response",
            None => "e2e",
            Some(target) if target == flow => name,
            Some(_) => return None,
        };
        let limit = limit(rule).filter(|_| bounds_values(rule))?;
        Some(Limit {
            label: format!("{of} {}", limit.label),
            ..limit
        })
    };
    // A rule about each flow is there once for each.
    let rules = sla.rules.iter().map(|result| &result.rule);
    let mut limits: Vec<Limit> = rules.filter_map(limit).collect();
    limits.dedup();
    limits
}

fn limit(rule: &Rule) -> Option<Limit> {
    Some(Limit {
        value: bound(rule)?,
        label: format!("{}{}{}", rule.stat, rule.op, rule.bound),
    })
}

/// Whether a rule bounds single values of a series from above.
fn concerns(rule: &Rule, of: &PlotSeries) -> bool {
    let Target::Event { name, outcome } = &rule.target else {
        return false;
    };
    let is_mine = *name == of.event && (outcome.is_none() || *outcome == of.outcome);
    is_mine && bounds_values(rule)
}

fn bounds_values(rule: &Rule) -> bool {
    let is_of_values = matches!(rule.stat, Stat::Max | Stat::Percentile(_));
    is_of_values && rule.op.is_upper() && bound(rule).is_some()
}

/// The least of what was promised of a series, as a rule about its values alone.
fn lowest(of: &PlotSeries, sla: &Sla) -> Option<Rule> {
    let rules = sla.rules.iter().map(|result| &result.rule);
    let mine = rules.filter(|rule| concerns(rule, of));
    let lowest = mine.min_by_key(|rule| (millionths(rule), rule.op != Op::Less))?;
    Some(Rule {
        target: Target::Event {
            name: of.event.clone(),
            outcome: of.outcome,
        },
        stat: Stat::Max,
        over_ns: None,
        ..lowest.clone()
    })
}

fn millionths(rule: &Rule) -> Option<u128> {
    match rule.bound {
        Bound::Ns(ns) => Some(u128::from(ns) * 1_000_000),
        Bound::Number(number) => Some(u128::from(number.millionths())),
        Bound::Percent(_) | Bound::PerSecond(_) => None,
    }
}

fn bound(rule: &Rule) -> Option<u64> {
    u64::try_from(millionths(rule)? / 1_000_000).ok()
}
