//! What the project's chores have in common: running programs, and installing what tests and measurements need.
#![forbid(unsafe_code)]

pub mod chromium;
pub mod python;
pub mod shell;

use std::process::ExitCode;

/// How a chore went, for `main` to return: what failed is told in one line.
#[must_use]
pub fn exit_code(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
