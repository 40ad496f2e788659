//! Traces of others as captures, so that every report can read them.

mod builder;
mod chrome;
mod number;
mod otlp;

use std::borrow::Cow;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::file::temporary_beside;
use builder::Builder;

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
    /// Those among them whose parent is not the span that contains them on their thread. The format cannot keep a parent
    /// yet, so reports will take these for others' children, or for nobody's.
    pub parents_lost: u64,
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
    let text = fs::read_to_string(from).map_err(Error::io(from))?;
    let foreign = |reason: String| Error::Foreign {
        path: from.to_owned(),
        reason,
    };
    let mut builder = Builder::new(from);
    read(&text, &mut builder).map_err(foreign)?;
    if builder.is_empty() {
        return Err(foreign("holds no span and no value".to_owned()));
    }
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

fn read(text: &str, builder: &mut Builder) -> Result<(), String> {
    let text = text.trim();
    if text.starts_with('[') {
        // Chrome's format allows the end to be missing, for programs that die while they write.
        let mended = match text.ends_with(']') {
            true => Cow::Borrowed(text),
            false => Cow::Owned(format!("{}]", text.trim_end_matches([',', ' ', '\n']))),
        };
        let events: Vec<chrome::Event<'_>> = serde_json::from_str(&mended)
            .map_err(|error| format!("is no trace in Chrome's format: {error}"))?;
        return chrome::read(&events, builder);
    }
    let mut found = false;
    // Collectors write one object a line.
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Document<'_>>();
    for document in documents {
        let document = document.map_err(|error| format!("is no trace that is known: {error}"))?;
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
        false => Err(
            "is no trace that is known: expected `traceEvents` (Chrome) or `resourceSpans` (OTLP JSON)"
                .to_owned(),
        ),
    }
}
