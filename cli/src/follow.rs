//! Giving an answer again and again while its captures grow.

use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use perf_analysis::report::{CaptureState, CaptureSummary};
use perf_render::number::nanos_inline;

use crate::colour::terminal_is_dumb;
use crate::verdict::Verdict;

/// Captures of which it is not known whether somebody records them, in another container for one, are followed for so
/// long after they last grew.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files come and go while a series grows: so many answers in a row may fail.
const FAILURES: u32 = 3;

/// What an answer was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    files: usize,
    bytes: u64,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    /// Everything has ended.
    Over,
    /// Something did not end, and nobody is seen to record it.
    Unknown,
    /// Somebody records.
    Recorded,
}

impl Seen {
    pub(crate) fn of(captures: &[CaptureSummary]) -> Self {
        let life = |capture: &CaptureSummary| match capture.state {
            CaptureState::Closed | CaptureState::Salvaged | CaptureState::Salvageable => Life::Over,
            CaptureState::Live => Life::Recorded,
            CaptureState::Unclosed | CaptureState::Continued => Life::Unknown,
        };
        let files = captures.iter().map(|capture| 1 + capture.more_paths.len());
        Self {
            files: files.sum(),
            bytes: captures.iter().map(|capture| capture.bytes).sum(),
            life: captures.iter().map(life).max().unwrap_or(Life::Over),
        }
    }
}

/// Calls `answer` every so often, until its captures have ended or nobody reads what it writes. It gets a page to write
/// on, and says what the answer came from.
///
/// # Errors
/// When the first answer fails, or several in a row.
pub(crate) fn follow(
    every: Duration,
    to_file: bool,
    mut answer: impl FnMut(&Page) -> Result<(Verdict, Seen)>,
) -> Result<Verdict> {
    let mut page = Page::new(every, to_file);
    let mut last: Option<(Verdict, Seen)> = None;
    let mut grew = Instant::now();
    let mut failures = 0;
    loop {
        match answer(&page) {
            Ok((verdict, seen)) => {
                if last.is_none_or(|(_, before)| before != seen) {
                    grew = Instant::now();
                }
                last = Some((verdict, seen));
                failures = 0;
                let is_over = match seen.life {
                    Life::Recorded => false,
                    Life::Unknown => grew.elapsed() > PATIENCE.max(every * 3),
                    Life::Over => true,
                };
                if is_over || !page.end()? {
                    return Ok(verdict);
                }
            }
            Err(error) => {
                failures += 1;
                if last.is_none() || failures > FAILURES {
                    return Err(error);
                }
            }
        }
        thread::sleep(every);
    }
}

/// Where answer after answer is written: over the one before on a terminal, below it elsewhere.
pub(crate) struct Page {
    place: Place,
    every: Duration,
    is_first: bool,
    reader_is_gone: Cell<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Screen,
    Stream,
    /// A file, which each answer replaces.
    File,
}

impl Page {
    fn new(every: Duration, to_file: bool) -> Self {
        let place = match to_file {
            true => Place::File,
            false if io::stdout().is_terminal() && !terminal_is_dumb() => Place::Screen,
            false => Place::Stream,
        };
        Self {
            place,
            every,
            is_first: true,
            reader_is_gone: Cell::new(false),
        }
    }

    /// To be called right before an answer is written.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn begin(&self) -> Result<()> {
        match (self.place, self.is_first) {
            // Home, and clear what is below: no flicker of an empty screen.
            (Place::Screen, false) => self.write("\x1b[H\x1b[J"),
            (Place::Screen, true) => self.write("\x1b[2J\x1b[H"),
            (Place::Stream, false) => self.write("\n"),
            (Place::Stream, true) | (Place::File, _) => Ok(()),
        }
    }

    /// The answer is written. False if nobody reads it.
    fn end(&mut self) -> Result<bool> {
        self.is_first = false;
        if self.place == Place::Screen {
            let every = nanos_inline(self.every.as_nanos() as f64);
            self.write(&format!(
                "\nagain every {every} until the capture ends; Ctrl-C to leave\n"
            ))?;
        }
        Ok(!self.reader_is_gone.get())
    }

    fn write(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match (stdout.write_all(text.as_bytes())).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.reader_is_gone.set(true);
                Ok(())
            }
            written => written.context("cannot write to standard output"),
        }
    }
}
