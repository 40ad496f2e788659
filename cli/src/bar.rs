//! How far a long piece of work is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::colour::terminal_is_dumb;

/// Draws this often a second at most.
const DRAWS_A_SECOND: u8 = 8;

/// A bar on standard error, if that is a terminal that can wipe it away again, which dropping this does.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Shows nothing before the first step. With `quiet` nothing is ever shown.
    pub(crate) fn start(doing: &'static str, quiet: bool) -> Bar {
        if quiet || terminal_is_dumb() || !std::io::stderr().is_terminal() {
            return Bar(None);
        }
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND);
        let bar = ProgressBar::with_draw_target(Some(0), target).with_message(doing);
        let template = "{msg} {wide_bar} {percent:>3} %  {per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Bar(Some(bar))
    }

    /// So many rows of so many are done.
    pub(crate) fn at(&self, done: u64, all: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(all);
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
