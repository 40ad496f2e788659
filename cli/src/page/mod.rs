//! Results as pages: which figures a reader sees, in which order and words.

use perf_analysis::Warning;
use perf_render::{Document, Note, Tone};

use crate::args::{Format, OutputArgs};
use crate::diagnostics;
use crate::gate::Unmatched;

pub(crate) mod attach;
mod capture;
pub(crate) mod diff;
mod events;
pub(crate) mod html;
pub(crate) mod in_short;
pub(crate) mod info;
pub(crate) mod plot;
pub(crate) mod promised;
pub(crate) mod recover;
pub(crate) mod report;
pub(crate) mod sheet;
pub(crate) mod sla;
pub(crate) mod sla_sheet;
mod slots;
pub(crate) mod traced;
pub(crate) mod traces;
pub(crate) mod verify;

/// A page lists this many of what may be thousands; JSON and CSV list all.
const MAX_LISTED: usize = 20;

/// A warning as one line.
pub(crate) fn warning_line(warning: &Warning) -> String {
    let about = warning
        .capture
        .as_ref()
        .map(|capture| format!("{capture}: "));
    let about = about.unwrap_or_default();
    format!("{about}{}; {}", warning.message(), warning.kind.remedy())
}

/// Says the warnings on standard error where the answer is CSV, which has no place for them.
pub(crate) fn warn_beside_csv(warnings: &[Warning], output: &OutputArgs, quiet: bool) {
    if output.format == Format::Csv && !quiet {
        for warning in warnings {
            diagnostics::warning(&warning_line(warning));
        }
    }
}

/// The warnings at the end of a page, each with its remedy. Which capture one is about is said where there is a choice.
fn push_warnings(
    document: &mut Document,
    warnings: &[Warning],
    several: bool,
    unmatched: &Unmatched,
) {
    for warning in warnings.iter().take(MAX_LISTED) {
        let about = match &warning.capture {
            Some(capture) if several => format!("{capture}: "),
            _ => String::new(),
        };
        let advice = match &warning.kind {
            perf_analysis::WarningKind::NoEventMatches { pattern } => unmatched.advice(pattern),
            _ => None,
        };
        document.note(Note {
            tone: if warning.kind.is_damage() {
                Tone::Bad
            } else {
                Tone::Caution
            },
            message: format!("{about}{}", warning.message()),
            remedy: Some(advice.unwrap_or_else(|| warning.kind.remedy().to_owned())),
        });
    }
    if let Some(more) = more_than_listed(warnings.len()) {
        document.note(Note {
            tone: Tone::Caution,
            message: format!("{more} more warnings"),
            remedy: Some("--format json lists them all".to_owned()),
        });
    }
}

/// How many of `count` a page leaves out.
fn more_than_listed(count: usize) -> Option<String> {
    let more = count.saturating_sub(MAX_LISTED);
    (more > 0).then(|| perf_render::number::count(more as u64))
}

/// `1 span`, `2 spans`, `1,000 spans`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        perf_render::number::count(count),
        if count == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests;
