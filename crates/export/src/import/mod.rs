//! Traces of others as captures, so that every report can read them.

mod builder;
mod chrome;
mod number;
mod otlp;
mod wrong;

use std::borrow::Cow;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::file::temporary_beside;
use builder::Builder;
use wrong::Wrong;

/// The annotation that keeps the high half of a trace id of 128 bits, as 16 hexadecimal digits.
pub const HIGH_HALF: &str = "trace_id_high";

/// What [`import`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Spans.
    pub spans: u64,
    /// Spans that had begun and not ended.
    pub open: u64,
    /// Values of counters.
    pub values: u64,
    /// Traces.
    pub traces: u64,
    /// Trace ids whose low half another one had already: these became one trace.
    pub collisions: u64,
    /// Spans that named their parent.
    pub with_parent: u64,
    /// Those among them whose parent is no span of the file that ended. Reports go by their times instead.
    pub parents_missing: u64,
    /// Entries of the file that a capture has no place for: marks, metadata.
    pub ignored: u64,
    /// Ends without a begin.
    pub unmatched_ends: u64,
}

/// A file, as far as its outermost object says what it is.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Document<'a> {
    #[serde(rename = "traceEvents")]
    trace_events: Option<Vec<chrome::Event<'a>>>,
    #[serde(rename = "resourceSpans")]
    resource_spans: Option<Vec<otlp::ResourceSpans<'a>>>,
}

/// Reads a Chrome trace or OTLP JSON and writes a capture. The file is read whole.
///
/// # Errors
/// A file that cannot be read, or is neither; a capture that cannot be written.
pub fn import(from: &Path, to: &Path) -> Result<Imported, Error> {
    let bytes = fs::read(from).map_err(Error::io(from))?;
    let mut builder = Builder::new(from);
    read(&bytes, &mut builder).map_err(|wrong| Error::Foreign {
        path: from.to_owned(),
        reason: wrong.to_string(),
    })?;
    drop(bytes);
    let (file, temporary) = temporary_beside(to)?;
    let written = builder.write(BufWriter::with_capacity(1 << 20, file));
    let (imported, mut out) = written.map_err(Error::io(to))?;
    out.flush().map_err(Error::io(to))?;
    out.get_ref().sync_all().map_err(Error::io(to))?;
    // A capture is never written over.
    let placed = temporary.persist_noclobber(to);
    placed.map_err(|error| Error::io(to)(error.error))?;
    Ok(imported)
}

const CHROME: &str = "Chrome's trace format";
const KNOWN: &str = "`traceEvents` (Chrome) or `resourceSpans` (OTLP JSON)";

fn read(bytes: &[u8], builder: &mut Builder) -> Result<(), Wrong> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Wrong::bytes(bytes, error.valid_up_to()))?
        .trim_end();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    match text.trim_start().starts_with('[') {
        true => list(text, builder)?,
        false => documents(text, builder)?,
    }
    if builder.is_empty() {
        let remedy = "check that something was recorded";
        return Err(Wrong::whole(
            "holds no span and no value",
            "at least one",
            remedy,
        ));
    }
    if !builder.has_room() {
        let remedy = "leave out the times that are wrong";
        return Err(Wrong::whole(
            "its times are centuries apart",
            "times within 292 years",
            remedy,
        ));
    }
    Ok(())
}

/// A list of events, as Chrome writes it. Its end may be missing, for programs that die while they write.
fn list(text: &str, builder: &mut Builder) -> Result<(), Wrong> {
    let mended = match text.ends_with(']') {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{}]", text.trim_end_matches([',', ' ', '\n']))),
    };
    let events: Vec<chrome::Event<'_>> =
        serde_json::from_str(&mended).map_err(|error| Wrong::json(&error, CHROME))?;
    chrome::read(&events, builder)
}

/// Objects, one after another: collectors write one a line.
fn documents(text: &str, builder: &mut Builder) -> Result<(), Wrong> {
    let mut found = false;
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Document<'_>>();
    for document in documents {
        let document = document.map_err(|error| Wrong::json(&error, KNOWN))?;
        if let Some(events) = &document.trace_events {
            chrome::read(events, builder)?;
            found = true;
        }
        if let Some(spans) = &document.resource_spans {
            otlp::read(spans, builder)?;
            found = true;
        }
    }
    match found {
        true => Ok(()),
        false => Err(Wrong::whole(
            "is no trace of a known format",
            KNOWN,
            "export it in one of the two",
        )),
    }
}
