//! What the heads of all Events chunks of a capture say, without reading a value: how many records there are,
//! what was lost, and which chunks two files of one capture both hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use perf_format::{
    ChunkEntry, EventId, EventsChunk, LossCause, LossEntry, Range, SegmentId, SeriesKey, TagClass,
    ThreadId,
};
use rayon::prelude::*;

use super::rows::reported;
use crate::capture::{Capture, CaptureFile};
use crate::error::Error;
use crate::held::{Held, Overlap};

/// Chunks that one task reads the heads of.
const CHUNKS_A_TASK: usize = 64;

/// An Events chunk that is to be read.
#[derive(Debug, Clone)]
pub(crate) struct KeptChunk {
    /// Number of its file in the capture.
    pub(crate) file: u32,
    /// Its place in the index of the file.
    pub(crate) entry: u32,
    /// By number of range: left out, because another file holds it. Empty: none.
    pub(crate) skipped: Vec<bool>,
}

/// Records lost in an interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LostBetween {
    pub(crate) segment: SegmentId,
    pub(crate) count: u64,
    /// Ticks; both 0 when not known.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What the heads say.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// In the order of files and chunks.
    pub(crate) chunks: Vec<KeptChunk>,
    pub(crate) records: u64,
    pub(crate) spans: u64,
    pub(crate) unknown_records: u64,
    /// Records that a report shows, by event: no annotations, no due times.
    pub(crate) reported_by_event: HashMap<EventId, u64>,
    pub(crate) records_by_thread: BTreeMap<ThreadId, u64>,
    pub(crate) lost: BTreeMap<LossCause, u64>,
    pub(crate) lost_between: Vec<LostBetween>,
    /// First and last end by segment, over chunks with rows.
    pub(crate) ends: BTreeMap<SegmentId, (u64, u64)>,
    /// Files and numbers of chunks whose records other chunks of another file hold.
    pub(crate) replaced: Vec<(u32, u64)>,
    /// Rows that stand in two files in a way that cannot be told apart.
    pub(crate) doubtful_rows: u64,
    /// Heads that were intact when the file was indexed and are not any more, or whose tables are damaged.
    pub(crate) unreadable: Vec<(u32, u32, perf_format::FormatError)>,
}

/// The tables of a chunk, or its place in the index and what is wrong with them.
type HeadResult = Result<Head, (u32, perf_format::FormatError)>;

/// The tables of one chunk.
struct Head {
    entry: u32,
    series: Vec<(SeriesKey, u32)>,
    ranges: Vec<Range>,
    losses: Vec<LossEntry>,
}

impl Survey {
    /// Reads the heads of all Events chunks of `capture`.
    ///
    /// # Errors
    /// A file cut short.
    pub(crate) fn of(capture: &Capture) -> Result<Self, Error> {
        let mut survey = Self::default();
        let mut seen = Seen::default();
        for (number, file) in capture.files.iter().enumerate() {
            survey.add_file(number as u32, file, capture.files.len() > 1, &mut seen)?;
        }
        for loss in capture.noted_losses() {
            survey.add_loss(SegmentId(0), loss);
        }
        Ok(survey)
    }

    fn add_file(
        &mut self,
        number: u32,
        file: &CaptureFile,
        joined: bool,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let events: Vec<u32> = (0..file.index.chunks.len() as u32)
            .filter(|at| {
                let head = &file.index.chunks[*at as usize].head;
                head.kind == perf_format::ChunkKind::EVENTS && head.is_known()
            })
            .collect();
        // A few tasks at a time, so that the tables of all chunks are never in memory together.
        for batch in events.chunks(CHUNKS_A_TASK * 32) {
            let heads: Vec<_> = batch
                .par_chunks(CHUNKS_A_TASK)
                .map(|task| read_heads(file, task))
                .collect();
            for head in heads
                .into_iter()
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
            {
                match head {
                    Ok(head) => self.add_chunk(number, file, head, joined, seen)?,
                    Err((entry, error)) => self.unreadable.push((number, entry, error)),
                }
            }
        }
        Ok(())
    }

    fn add_chunk(
        &mut self,
        file: u32,
        of: &CaptureFile,
        mut head: Head,
        joined: bool,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let entry = &of.index.chunks[head.entry as usize];
        let mut skipped = Vec::new();
        if joined {
            if !seen
                .chunks
                .insert((entry.head.chunk_seq, entry.head.head_crc))
            {
                return Ok(());
            }
            skipped = self.skipped(&head.ranges, seen);
            if !skipped.is_empty() && skipped.iter().all(|skip| *skip) {
                self.replaced.push((file, entry.head.chunk_seq));
                return Ok(());
            }
            if !skipped.contains(&true) {
                skipped.clear();
            }
        }
        if !skipped.is_empty() {
            head.series = kept_series(of, entry, &skipped)?;
        }
        self.add_rows(&head, &skipped);
        if entry.head.record_count > 0 {
            let ends = (entry.head.min_end, entry.head.max_end);
            let (from, to) = self.ends.entry(entry.head.segment).or_insert(ends);
            *from = ends.0.min(*from);
            *to = ends.1.max(*to);
        }
        for loss in &head.losses {
            self.add_loss(entry.head.segment, loss);
        }
        self.chunks.push(KeptChunk {
            file,
            entry: head.entry,
            skipped,
        });
        Ok(())
    }

    /// Which ranges another file holds.
    fn skipped(&mut self, ranges: &[Range], seen: &mut Seen) -> Vec<bool> {
        let mut skipped = Vec::with_capacity(ranges.len());
        for range in ranges {
            let overlap = seen.held.take(range);
            skipped.push(overlap == Overlap::All);
            if overlap == Overlap::Part {
                // Which of its rows lie in the overlap is not in the head, and the writers never cut a range in two.
                self.doubtful_rows += u64::from(range.rows);
            }
        }
        skipped
    }

    fn add_rows(&mut self, head: &Head, skipped: &[bool]) {
        let kept = |number: usize| !skipped.get(number).copied().unwrap_or(false);
        for (number, range) in head.ranges.iter().enumerate() {
            if kept(number) && range.rows > 0 {
                self.records += u64::from(range.rows);
                *self.records_by_thread.entry(range.thread).or_default() += u64::from(range.rows);
            }
        }
        for (key, rows) in &head.series {
            let rows = u64::from(*rows);
            if reported(key.tag).is_some() {
                *self.reported_by_event.entry(key.event).or_default() += rows;
            }
            match key.tag.class() {
                TagClass::Span(_) => self.spans += rows,
                TagClass::Unknown => self.unknown_records += rows,
                _ => {}
            }
        }
    }

    fn add_loss(&mut self, segment: SegmentId, loss: &LossEntry) {
        let sum = self.lost.entry(loss.cause).or_default();
        *sum = sum.saturating_add(loss.count);
        let between = LostBetween {
            segment,
            count: loss.count,
            from: loss.from_ticks,
            to: loss.to_ticks,
        };
        self.lost_between.push(between);
    }

    /// Records lost, of all causes.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

fn read_heads(file: &CaptureFile, entries: &[u32]) -> Result<Vec<HeadResult>, Error> {
    let mut buffer = Vec::new();
    let mut heads = Vec::with_capacity(entries.len());
    for entry in entries {
        let chunk = &file.index.chunks[*entry as usize];
        file.read_head(chunk, &mut buffer)?;
        heads.push(match EventsChunk::parse(&buffer, chunk.offset) {
            Ok(parsed) => Ok(Head {
                entry: *entry,
                series: parsed
                    .series()
                    .iter()
                    .map(|series| (series.key, series.rows))
                    .collect(),
                ranges: parsed.ranges().to_vec(),
                losses: parsed.losses().to_vec(),
            }),
            Err(error) => Err((*entry, error)),
        });
    }
    Ok(heads)
}

/// The rows of each series in the ranges that are not skipped: the head only counts all of them.
fn kept_series(
    file: &CaptureFile,
    entry: &ChunkEntry,
    skipped: &[bool],
) -> Result<Vec<(SeriesKey, u32)>, Error> {
    let mut bytes = Vec::new();
    file.read_chunk(entry, &mut bytes)?;
    // A chunk that cannot be decoded is not counted by the report either.
    let Ok(chunk) = EventsChunk::parse(&bytes, entry.offset) else {
        return Ok(Vec::new());
    };
    let mut series_of = Vec::new();
    if chunk.series_indexes(&mut series_of).is_err() {
        return Ok(Vec::new());
    }
    let mut rows = vec![0; chunk.series().len()];
    let mut series_of = series_of.into_iter();
    for (number, range) in chunk.ranges().iter().enumerate() {
        let skip = skipped.get(number).copied().unwrap_or(false);
        for series in series_of.by_ref().take(range.rows as usize) {
            rows[usize::from(series)] += u32::from(!skip);
        }
    }
    Ok(chunk
        .series()
        .iter()
        .map(|series| series.key)
        .zip(rows)
        .collect())
}

/// What the files before hold, of one capture.
#[derive(Debug, Default)]
struct Seen {
    /// Whole chunks, by number and sum.
    chunks: HashSet<(u64, u32)>,
    held: Held,
}
