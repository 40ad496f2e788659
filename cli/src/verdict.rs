//! What a run found, and the exit code that says so.

use std::process::ExitCode;

/// How a run went. The greater one wins where two apply.
///
/// Besides these, 2 is a usage error, from the argument parser, and 101 a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Analysed, and nothing that was asked about is wrong.
    Fine,
    /// A gate could not be decided from what there is.
    Inconclusive,
    /// A gate of `--fail-on` was breached.
    Breached,
    /// The input cannot be read or trusted, or a gate names an unknown event.
    Unreadable,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> ExitCode {
        ExitCode::from(match verdict {
            Verdict::Fine => 0,
            Verdict::Breached => 1,
            Verdict::Unreadable => 3,
            Verdict::Inconclusive => 4,
        })
    }
}
