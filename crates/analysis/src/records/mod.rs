//! Every record of captures, one after another, for those who hand them on.
//!
//! [`Records::open`] surveys the captures; [`Records::parts`] cuts them into stretches that are read each on its own, on any
//! thread; [`Records::read`] gives the rows of one. A record stands in one part only, also when two files of a capture hold
//! it. Parts follow the file, so that time rises from part to part about as far as it does in there.

mod names;
mod rows;

use std::ops::Range;
use std::path::Path;

use glob::Pattern;
use perf_format::{Columns, EventsChunk};

use crate::capture::{Capture, CaptureSet};
use crate::error::{Error, ErrorKind};
use crate::options::ReportOptions;
use crate::report::survey::Survey;
use crate::report::timeline::Timeline;
use crate::report::window::{Lifetime, surveyed};
use crate::report::{CaptureSummary, integrity};
use crate::threads::with_threads;
use crate::warning::{Warning, WarningKind};
pub use names::{EventName, Names};
pub use rows::{ChunkRows, Record, Series};

/// Captures whose records are to be read, all that is known of them without reading one.
#[derive(Debug)]
pub struct Records<'a> {
    set: &'a CaptureSet,
    captures: Vec<&'a Capture>,
    surveys: Vec<Survey>,
    lifetimes: Vec<Option<Lifetime>>,
    timelines: Vec<Timeline>,
    names: Names,
    strict: bool,
    /// Patterns that no event matches.
    unmatched: Vec<String>,
}

/// Chunks of one capture that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which capture, in the order of [`Records::summaries`].
    pub capture: usize,
    /// Rows of all kinds in its chunks, selected or not.
    pub rows: u64,
    chunks: Range<usize>,
}

/// Buffers of one reader, used again from part to part.
#[derive(Debug, Default)]
pub struct Buffers {
    bytes: Vec<u8>,
    columns: Columns,
}

impl<'a> Records<'a> {
    /// Surveys the captures. Of `options` the events, the bounds in time, `skip_ns`, `strict` and `threads` count.
    ///
    /// # Errors
    /// A file cut short; a bad event pattern.
    pub fn open(set: &'a CaptureSet, options: &ReportOptions) -> Result<Self, Error> {
        let patterns = options.events.iter().map(|pattern| {
            let bad = |error: glob::PatternError| ErrorKind::BadPattern(error.to_string());
            Pattern::new(pattern).map_err(|error| Error::new(Path::new(pattern), bad(error)))
        });
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let captures: Vec<&Capture> = set.captures().iter().collect();
        let (surveys, lifetimes) = with_threads(options.threads, || surveyed(&captures))?;
        let everything = Timeline {
            since: None,
            until: None,
            every: None,
        };
        let timelines = lifetimes
            .iter()
            .map(|life| life.map_or(everything, |life| life.timeline(options)))
            .collect();
        let unmatched = |names: &Names| {
            let nowhere = |pattern: &&Pattern| {
                let mut events = names.events().iter();
                !events.any(|event| pattern.matches(&event.name))
            };
            let unmatched = patterns.iter().filter(nowhere);
            unmatched
                .map(|pattern| pattern.as_str().to_owned())
                .collect()
        };
        let names = Names::of(&captures, &surveys, &patterns);
        let unmatched = unmatched(&names);
        Ok(Self {
            set,
            captures,
            surveys,
            lifetimes,
            timelines,
            names,
            strict: options.strict,
            unmatched,
        })
    }

    /// The integrity of each capture, as in a report.
    pub fn summaries(&self) -> Vec<CaptureSummary> {
        let known = self.captures.iter().zip(&self.surveys).zip(&self.lifetimes);
        known
            .map(|((capture, survey), lifetime)| integrity::summary(capture, survey, *lifetime))
            .collect()
    }

    /// What a reader must know of the captures, as far as it is known before their records are read.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.set.warnings().to_vec();
        let captures = self.captures.iter().zip(&self.surveys);
        for ((capture, survey), (summary, timeline)) in
            captures.zip(self.summaries().iter().zip(&self.timelines))
        {
            warnings.extend(integrity::warnings(capture, summary, survey, timeline));
        }
        let unmatched = self.unmatched.iter().map(|pattern| Warning {
            capture: None,
            kind: WarningKind::NoEventMatches {
                pattern: pattern.clone(),
            },
        });
        warnings.extend(unmatched);
        warnings
    }

    /// Events and threads of all captures.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Records of each event of a capture: the number of the event and how many, in the order of numbers, selected in time
    /// or not.
    pub fn counts(&self, capture: usize) -> Vec<(u32, u64)> {
        let counted = &self.surveys[capture].reported_by_event;
        let mut counts: Vec<(u32, u64)> = counted
            .iter()
            .map(|(id, rows)| (self.names.event(capture, *id), *rows))
            .collect();
        counts.sort_unstable();
        counts
    }

    /// All chunks, cut into parts of about so many rows: never more, unless one chunk has more. Independent of the threads.
    pub fn parts(&self, rows: u64) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (capture, survey) in self.surveys.iter().enumerate() {
            let mut last: Option<Part> = None;
            for (at, kept) in survey.chunks.iter().enumerate() {
                let file = &self.captures[capture].files[kept.file as usize];
                let here = u64::from(file.index.chunks[kept.entry as usize].head.record_count);
                match &mut last {
                    Some(part) if part.rows + here <= rows => {
                        part.rows += here;
                        part.chunks.end = at + 1;
                    }
                    _ => {
                        let next = Part {
                            capture,
                            rows: here,
                            chunks: at..at + 1,
                        };
                        parts.extend(last.replace(next));
                    }
                }
            }
            parts.extend(last);
        }
        parts
    }

    /// Shows the rows of every chunk of `part` to `each`. Damaged chunks are left out, with a warning.
    ///
    /// # Errors
    /// A file cut short; with `strict`, damage.
    pub fn read(
        &self,
        part: &Part,
        buffers: &mut Buffers,
        mut each: impl FnMut(&ChunkRows<'_>),
    ) -> Result<Vec<Warning>, Error> {
        let mut warnings = Vec::new();
        let capture = self.captures[part.capture];
        for kept in &self.surveys[part.capture].chunks[part.chunks.clone()] {
            let file = &capture.files[kept.file as usize];
            let entry = &file.index.chunks[kept.entry as usize];
            file.read_chunk(entry, &mut buffers.bytes)?;
            let parsed = EventsChunk::parse(&buffers.bytes, entry.offset).and_then(|chunk| {
                buffers.columns.decode(&chunk)?;
                let strings = chunk.strings()?;
                Ok((chunk, strings))
            });
            match parsed {
                Ok((chunk, strings)) => {
                    let skipped = kept.skipped.as_slice();
                    let columns = &buffers.columns;
                    let of = (self, part.capture);
                    each(&ChunkRows::new(of, &chunk, columns, skipped, strings));
                }
                Err(error) if self.strict => {
                    let path = Path::new(&file.path);
                    return Err(Error::new(path, ErrorKind::Damaged(error)));
                }
                Err(error) => warnings.push(file.warning(WarningKind::Damage {
                    offset: entry.offset,
                    len: entry.head.chunk_len(),
                    reason: error.to_string(),
                })),
            }
        }
        Ok(warnings)
    }
}
