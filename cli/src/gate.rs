//! What `--fail-on` decides, and what keeps it from deciding.

use anyhow::{Result, bail};
use clap::ValueEnum;
use perf_analysis::sla::{self, Sla};
use perf_analysis::{CaptureSet, Warning, WarningKind};

use crate::verdict::Verdict;

/// What a run may be made to fail on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A rule that was broken
    Sla,
    /// Records that were lost while recording, within the selected time
    Loss,
}

/// Event patterns that match nothing, each with the names that come nearest.
#[derive(Debug, Default)]
pub(crate) struct Unmatched(Vec<(String, Vec<String>)>);

/// How many near names are offered.
const NEAREST: usize = 3;
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.5;

impl Unmatched {
    /// The patterns of which `warnings` say that they match nothing.
    ///
    /// # Errors
    /// When the names in the captures cannot be read.
    pub(crate) fn find(set: &CaptureSet, warnings: &[Warning]) -> Result<Unmatched> {
        let patterns: Vec<&String> = (warnings.iter())
            .filter_map(|warning| match &warning.kind {
                WarningKind::NoEventMatches { pattern } => Some(pattern),
                _ => None,
            })
            .collect();
        if patterns.is_empty() {
            return Ok(Unmatched::default());
        }
        let files = perf_analysis::info(set)?.files;
        let mut names: Vec<String> = files
            .into_iter()
            .flat_map(|file| file.events)
            .map(|event| event.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        let with_nearest = |pattern: &String| (pattern.clone(), nearest(pattern, &names));
        Ok(Unmatched(patterns.into_iter().map(with_nearest).collect()))
    }

    /// What to try in place of `pattern`.
    pub(crate) fn advice(&self, pattern: &str) -> Option<String> {
        let (_, names) = self.0.iter().find(|(unmatched, _)| unmatched == pattern)?;
        (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
    }
}

/// The names most like `pattern`, whatever their case, the best first.
pub(crate) fn nearest(pattern: &str, names: &[String]) -> Vec<String> {
    let letters = |text: &str| -> String {
        // A hostile name may be long; what matters stands at its start.
        text.chars()
            .filter(|c| !matches!(c, '*' | '?' | '[' | ']'))
            .take(64)
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = letters(pattern);
    let mut scored: Vec<(f64, &String)> = (names.iter())
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &letters(name)),
                name,
            )
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored
        .into_iter()
        .take(NEAREST)
        .map(|(_, name)| name.clone())
        .collect()
}

/// Refuses to judge by events that do not exist.
///
/// # Errors
/// In this case: a gate that passes because it looked at nothing is worse than none.
pub(crate) fn check_matched(unmatched: &Unmatched) -> Result<()> {
    let Some((pattern, _)) = unmatched.0.first() else {
        return Ok(());
    };
    let advice = unmatched
        .advice(pattern)
        .unwrap_or_else(|| "see `perf-analyze info` for its events".to_owned());
    bail!("no event matches `{pattern}`, so nothing can be said about it; {advice}");
}

/// Refuses to judge by events that do not exist, or by captures that could not be read.
///
/// # Errors
/// In these cases.
pub(crate) fn check_usable(warnings: &[Warning], unmatched: &Unmatched) -> Result<()> {
    check_matched(unmatched)?;
    for warning in warnings {
        if let WarningKind::Unreadable { error } = &warning.kind {
            bail!("{error}");
        }
    }
    Ok(())
}

/// What the gates say about a result with these `warnings`, and of rules that were judged.
pub(crate) fn judge(gates: &[FailOn], warnings: &[Warning], sla: Option<&Sla>) -> Verdict {
    let verdicts = gates.iter().map(|gate| match gate {
        FailOn::Loss => judge_loss(warnings),
        FailOn::Sla => match sla.map(|sla| sla.verdict) {
            Some(sla::Verdict::Pass) => Verdict::Fine,
            Some(sla::Verdict::Fail) => Verdict::Breached,
            Some(sla::Verdict::Unproven | sla::Verdict::NoData) | None => Verdict::Inconclusive,
        },
    });
    verdicts.max().unwrap_or(Verdict::Fine)
}

/// Whether records were lost, as far as `warnings` tell.
fn judge_loss(warnings: &[Warning]) -> Verdict {
    let verdicts = warnings.iter().map(|warning| match &warning.kind {
        WarningKind::Loss { in_selection, .. } if *in_selection > 0 => Verdict::Breached,
        // Loss is noted in the capture itself: what cannot be read may tell of more.
        WarningKind::TornTail { .. }
        | WarningKind::Damage { .. }
        | WarningKind::RecordsOnlyInRollups { .. }
        | WarningKind::RecordsUnknown { .. }
        | WarningKind::Salvage { .. }
        | WarningKind::NothingSelected => Verdict::Inconclusive,
        _ => Verdict::Fine,
    });
    verdicts.max().unwrap_or(Verdict::Fine)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let names: Vec<String> = ["ORDER_FILL", "ORDER_PREP", "CANDLE_PROCESSING", "GC_PAUSE"]
            .map(String::from)
            .into();
        assert_eq!(nearest("ORDR_FILL", &names), ["ORDER_FILL", "ORDER_PREP"]);
        assert_eq!(nearest("order_prep*", &names)[0], "ORDER_PREP");
        assert_eq!(nearest("gc-pause", &names), ["GC_PAUSE"]);
        assert!(nearest("XYZ", &names).is_empty());
        assert!(nearest("*", &names).is_empty());
    }
}
