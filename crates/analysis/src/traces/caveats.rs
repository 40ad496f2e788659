//! What to say of a trace analysis as a whole.

use super::flows::MAX_BY_VALUES;
use super::result::Traces;
use super::summary::Summary;
use crate::warning::{Warning, WarningKind};

impl Summary<'_> {
    /// The largest error of the wall clocks, where they join captures.
    pub(super) fn clock_error(&self) -> Option<u64> {
        let joined = self.options.join && self.captures.len() > 1;
        let errors = self
            .captures
            .iter()
            .map(|capture| capture.clock.uncertainty_ns());
        joined.then(|| errors.flatten().max().unwrap_or(0))
    }
}

pub(super) fn caveats(summary: &Summary<'_>, traces: &Traces) -> Vec<Warning> {
    let mut kinds = Vec::new();
    let incomplete = traces.incomplete;
    if incomplete.total() > incomplete.sampled {
        kinds.push(WarningKind::IncompleteTraces {
            open: incomplete.open,
            cut: incomplete.cut,
            of: traces.traces + incomplete.total(),
        });
    }
    if traces.stand_for > traces.traces || incomplete.sampled > 0 {
        kinds.push(WarningKind::SampledTraces {
            kept: traces.traces,
            of: traces.stand_for,
            fragments: incomplete.sampled,
        });
    }
    if traces.clipped_children > 0 {
        kinds.push(WarningKind::ClippedChildren {
            spans: traces.clipped_children,
        });
    }
    if traces.lossy > 0 {
        kinds.push(WarningKind::LossyTraces {
            lossy: traces.lossy,
            of: traces.traces,
        });
    }
    if summary.early > 0 {
        kinds.push(WarningKind::TracesClosedEarly {
            traces: summary.early,
        });
    }
    if traces.reused_ids > 0 {
        kinds.push(WarningKind::ReusedTraceIds {
            traces: traces.reused_ids,
        });
    }
    if let Some(error_ns) = traces.clock_error_ns {
        kinds.push(WarningKind::JoinedClocks { error_ns });
    }
    if summary.ahead.background_cut {
        kinds.push(WarningKind::BackgroundCut);
    }
    if let Some(key) = &summary.options.by {
        // A flow without the annotation has an empty list; only one with too many values has none.
        let whole = traces.flows.iter().filter(|flow| flow.by.is_none()).count();
        if whole > 0 {
            kinds.push(WarningKind::TooManyValues {
                key: key.clone(),
                flows: whole as u64,
                limit: MAX_BY_VALUES as u64,
            });
        }
    }
    for rule in &summary.options.flows {
        for event in [&rule.first, &rule.last] {
            if summary.world.event_of_name(event).is_none() {
                kinds.push(WarningKind::NoEventMatches {
                    pattern: event.clone(),
                });
            }
        }
    }
    for pattern in &summary.options.events {
        let names = 0..summary.world.events() as u32;
        let matches = glob::Pattern::new(pattern).is_ok_and(|pattern| {
            names
                .into_iter()
                .any(|event| pattern.matches(summary.world.event_name(event)))
        });
        if !matches {
            kinds.push(WarningKind::NoEventMatches {
                pattern: pattern.clone(),
            });
        }
    }
    if traces.traces == 0 && traces.not_selected > 0 {
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
