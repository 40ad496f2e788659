//! What the project's chores have in common: running programs, and installing what tests and measurements need.
#![forbid(unsafe_code)]

pub mod chromium;
pub mod python;
pub mod shell;
