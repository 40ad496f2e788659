//! A sign of life while an answer takes its time.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::colour::terminal_is_dumb;

/// Answers within this need no sign of life.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the sign moves.
const TICK: Duration = Duration::from_millis(120);

/// Shows a spinner on standard error once the work has taken longer than a second, if that is a terminal
/// that can wipe it away again, which dropping this does.
pub(crate) struct Progress {
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts waiting. With `quiet` nothing is ever shown.
    pub(crate) fn start(doing: &'static str, quiet: bool) -> Progress {
        if quiet || terminal_is_dumb() || !std::io::stderr().is_terminal() {
            return Progress { waiting: None };
        }
        let (done, rest) = mpsc::channel::<()>();
        let spinner = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                if rest.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    let bar = ProgressBar::new_spinner()
                        .with_message(doing)
                        .with_elapsed(PATIENCE);
                    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                        bar.set_style(style);
                    }
                    while rest.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                        bar.tick();
                    }
                    bar.finish_and_clear();
                }
            });
        // Without a thread to spare there is no spinner, and that is all.
        let waiting = spinner.ok().map(|spinner| (done, spinner));
        Progress { waiting }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, spinner)) = self.waiting.take() {
            drop(done);
            // Nothing in it panics; if it did, the answer would still be right.
            let _ = spinner.join();
        }
    }
}
