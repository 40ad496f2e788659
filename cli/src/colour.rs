//! Whether colour may be used at all: what the user says counts for more than what the surroundings suggest.

use std::env;
use std::ffi::OsStr;

use anstream::ColorChoice;

/// Settles for the whole program, help and diagnostics included, that there is no colour, where the user or the
/// terminal says so. Else each stream is judged on its own, and gets colour if it is a terminal.
///
/// Without this, `CI` or `CLICOLOR_FORCE` in the environment would outvote a terminal that cannot show colour.
pub(crate) fn settle() {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || terminal_is_dumb() {
        ColorChoice::Never.write_global();
    }
}

/// Whether the terminal says that it shows plain lines and nothing else.
pub(crate) fn terminal_is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == OsStr::new("dumb"))
}
