//! Giving the answer, in the form and to the place that was asked for.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, Result};
use perf_render::{Document, Table, TextStyle};
use rustix::termios::tcgetwinsize;
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::file::write_whole;

/// The width to fit where a terminal does not say its own.
const USUAL_COLUMNS: usize = 80;

/// An answer, in every form that it can take.
pub(crate) trait Answer {
    /// What JSON shows.
    fn value(&self) -> &impl Serialize;
    /// What people read.
    fn document(&self) -> Document;
    /// What a spreadsheet shows.
    fn sheet(&self) -> Table;
}

/// Writes `answer` as `args` ask.
///
/// # Errors
/// When it cannot be written. A reader that has gone away (`| head`) is no error.
pub(crate) fn give(answer: &impl Answer, args: &OutputArgs) -> Result<()> {
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let content = match args.format {
        Format::Text => as_text(&answer.document(), args.wide, file),
        Format::Json => perf_render::json::json(answer.value())?,
        Format::Markdown => perf_render::markdown(&answer.document(), args.wide),
        Format::Csv => perf_render::csv(&answer.sheet()),
    };
    put(content.as_bytes(), file)
}

/// Whether the answer goes into a file.
pub(crate) fn is_to_file(args: &OutputArgs) -> bool {
    (args.output.as_deref()).is_some_and(|path| path != Path::new("-"))
}

/// Writes to a file, which appears whole or not at all, or without one to standard output.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn put(content: &[u8], file: Option<&Path>) -> Result<()> {
    match file {
        Some(path) => write_whole(path, content),
        None => to_stdout(content),
    }
}

/// `document` as text for a file, or for what standard output is.
pub(crate) fn as_text(document: &Document, wide: bool, file: Option<&Path>) -> String {
    perf_render::text(document, text_style(wide, file))
}

/// Writes to standard output. A reader that has gone away is no error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub(crate) fn to_stdout(content: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(content).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

fn text_style(wide: bool, file: Option<&Path>) -> TextStyle {
    TextStyle {
        width: if file.is_none() { columns() } else { None },
        colour: file.is_none() && AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        wide,
    }
}

/// What `COLUMNS` says, else the terminal, else nothing: a pipe takes lines of any length.
fn columns() -> Option<usize> {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    told.filter(|&columns| columns > 0).or_else(|| {
        let stdout = io::stdout();
        // Its columns alone: there are terminals (`docker run -t`, `script`) that do not know how many lines they have.
        let width = || tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
        stdout.is_terminal().then(|| match width() {
            0 => USUAL_COLUMNS,
            width => width,
        })
    })
}
