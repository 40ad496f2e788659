//! What to read for an answer: rollups where they fit, Events chunks elsewhere.
//!
//! A rollup answers for its chunks when all of them lie in one slot of the selection, and when the chunks that are
//! there are the ones that it covers. Then it also answers for chunks that are damaged.

use perf_format::{Coverage, SegmentId, chunk_digest};

use super::scan::Place;
use super::survey::{KeptChunk, Survey};
use super::timeline::{Parts, SlotNumber, Timeline};
use crate::capture::{Capture, CaptureFile};
use crate::warning::{Warning, WarningKind};

/// Units of work of one capture, at most about this many: each keeps its gauges apart until the end.
const UNITS: usize = 2048;

/// Some chunks of one file and clock segment, in the order of their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) capture: usize,
    pub(crate) file: u32,
    pub(crate) segment: SegmentId,
    pub(crate) jobs: Vec<Job>,
}

/// One chunk to be read.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// A rollup; the chunks that it stands for are read when it turns out to be damaged.
    Rollup {
        entry: u32,
        slot: SlotNumber,
        chunks: Vec<ChunkJob>,
        missing: Missing,
    },
    Chunk(ChunkJob),
}

/// Chunks that a rollup covers and that are not in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) chunks: u64,
    pub(crate) rows: u64,
}

/// One Events chunk to be read.
#[derive(Debug, Clone)]
pub(crate) struct ChunkJob {
    pub(crate) entry: u32,
    pub(crate) place: Place,
}

/// Plans the reading of one capture.
pub(crate) struct Planner<'a> {
    pub(crate) number: usize,
    pub(crate) capture: &'a Capture,
    pub(crate) survey: &'a Survey,
    pub(crate) timeline: Timeline,
    pub(crate) use_rollups: bool,
}

impl Planner<'_> {
    /// The units, and what cannot be read at all.
    pub(crate) fn units(&self) -> (Vec<Unit>, Vec<Warning>) {
        let mut units = Vec::new();
        let mut warnings = Vec::new();
        let mut kept = self.survey.chunks.as_slice();
        for (number, file) in self.capture.files.iter().enumerate() {
            let here = kept.partition_point(|chunk| chunk.file as usize <= number);
            let (mine, rest) = kept.split_at(here);
            kept = rest;
            let mut plan = FilePlan::new(self, file, mine);
            plan.rollups(&mut warnings);
            plan.gaps(&mut warnings);
            plan.chunks();
            self.cut(number as u32, plan.jobs, &mut units);
        }
        (units, warnings)
    }

    fn cut(&self, file: u32, mut jobs: Vec<(u64, SegmentId, Job)>, units: &mut Vec<Unit>) {
        jobs.sort_by_key(|(seq, ..)| *seq);
        let per_unit = jobs.len().div_ceil(UNITS).max(1);
        let mut open: Option<Unit> = None;
        for (_, segment, job) in jobs {
            match &mut open {
                Some(unit) if unit.segment == segment && unit.jobs.len() < per_unit => {
                    unit.jobs.push(job)
                }
                _ => {
                    let unit = Unit {
                        capture: self.number,
                        file,
                        segment,
                        jobs: vec![job],
                    };
                    units.extend(open.replace(unit));
                }
            }
        }
        units.extend(open);
    }

    pub(crate) fn parts(&self, segment: SegmentId, first: u64, last: u64) -> Parts {
        let last = last.max(first);
        let breaks = self.capture.clock_breaks(segment, first, last);
        self.timeline.parts(first, last, breaks, |ticks| {
            self.capture.clock.unix_ns(segment, ticks)
        })
    }
}

struct FilePlan<'a> {
    planner: &'a Planner<'a>,
    file: &'a CaptureFile,
    /// Chunks that are to be read and no rollup stands for, by number of the chunk.
    open: Vec<(u64, &'a KeptChunk)>,
    /// Numbers of chunks that lie in the file, kept or not, with their digests and rows; sorted.
    present: Vec<(u64, u64, u64)>,
    /// First and last numbers that rollups cover; ascending.
    covered: Vec<(u64, u64)>,
    jobs: Vec<(u64, SegmentId, Job)>,
}

impl<'a> FilePlan<'a> {
    fn new(planner: &'a Planner<'a>, file: &'a CaptureFile, kept: &'a [KeptChunk]) -> Self {
        let seq = |chunk: &KeptChunk| file.index.chunks[chunk.entry as usize].head.chunk_seq;
        let mut open: Vec<_> = kept.iter().map(|chunk| (seq(chunk), chunk)).collect();
        open.sort_by_key(|(seq, _)| *seq);
        let heads = file.index.event_chunks().map(|entry| &entry.head);
        let mut present: Vec<_> = heads
            .map(|head| {
                (
                    head.chunk_seq,
                    chunk_digest(head),
                    u64::from(head.record_count),
                )
            })
            .collect();
        present.sort_unstable();
        Self {
            planner,
            file,
            open,
            present,
            covered: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn rollups(&mut self, warnings: &mut Vec<Warning>) {
        let mut rollups: Vec<_> = (self.file.index.chunks.iter().enumerate())
            .filter_map(|(at, entry)| Some((at, entry, *entry.coverage.as_ref()?)))
            .filter(|(_, entry, coverage)| {
                entry.head.is_known() && coverage.chunks > 0 && coverage.rows > 0
            })
            .collect();
        rollups.sort_by_key(|(_, _, coverage)| coverage.first_chunk);
        for (at, entry, coverage) in rollups {
            match self.fit(&coverage) {
                Fit::Other => {}
                Fit::Unusable(_) if !self.planner.use_rollups => {}
                Fit::Unusable(reason) => {
                    let kind = WarningKind::RollupUnusable {
                        offset: entry.offset,
                        reason: reason.into(),
                    };
                    warnings.push(self.file.warning(kind));
                }
                Fit::Good(missing) => {
                    self.covered
                        .push((coverage.first_chunk, coverage.last_chunk));
                    warnings.extend(self.place_rollup(
                        at as u32,
                        entry.head.segment,
                        &coverage,
                        missing,
                    ));
                }
            }
        }
    }

    /// Whether a rollup stands for the chunks that are there.
    fn fit(&self, coverage: &Coverage) -> Fit {
        let present = &self.present[span_of(&self.present, coverage, |(seq, ..)| *seq)];
        let open = &self.open[span_of(&self.open, coverage, |(seq, _)| *seq)];
        if self
            .covered
            .last()
            .is_some_and(|(_, upto)| coverage.first_chunk <= *upto)
        {
            return Fit::Unusable("it covers chunks that another rollup covers");
        }
        if open.is_empty() && !present.is_empty() {
            // Another file of the capture holds them all.
            return Fit::Other;
        }
        if open.len() < present.len() || open.iter().any(|(_, chunk)| !chunk.skipped.is_empty()) {
            return Fit::Unusable("another file holds some of its chunks");
        }
        let digest = present
            .iter()
            .fold(0, |sum: u64, (_, digest, _)| sum.wrapping_add(*digest));
        let rows: u64 = present.iter().map(|(.., rows)| rows).sum();
        let chunks = present.len() as u64;
        match (
            chunks < coverage.chunks,
            digest == coverage.digest && rows == coverage.rows,
        ) {
            (false, true) if chunks == coverage.chunks => Fit::Good(Missing::default()),
            (true, _) if rows <= coverage.rows => Fit::Good(Missing {
                chunks: coverage.chunks - chunks,
                rows: coverage.rows - rows,
            }),
            _ => Fit::Unusable("it was made of other chunks than those in the file"),
        }
    }

    fn place_rollup(
        &mut self,
        entry: u32,
        segment: SegmentId,
        coverage: &Coverage,
        missing: Missing,
    ) -> Option<Warning> {
        let parts = self
            .planner
            .parts(segment, coverage.min_end, coverage.max_end);
        match parts.single() {
            Some(None) => None,
            Some(Some(slot)) if self.planner.use_rollups => {
                let mine = span_of(&self.open, coverage, |(seq, _)| *seq);
                let whole = |chunk: &KeptChunk| ChunkJob {
                    entry: chunk.entry,
                    place: Place::Whole(slot),
                };
                let chunks = self
                    .open
                    .drain(mine)
                    .map(|(_, chunk)| whole(chunk))
                    .collect();
                let job = Job::Rollup {
                    entry,
                    slot,
                    chunks,
                    missing,
                };
                self.jobs.push((coverage.first_chunk, segment, job));
                None
            }
            // Cut by a bound, or not wanted: its chunks are read, each by its own times.
            _ => missing.warning(self.file),
        }
    }

    /// Numbers that no chunk has, within damage and outside all rollups: nothing says what was in them.
    fn gaps(&self, warnings: &mut Vec<Warning>) {
        if self.file.index.damage.is_empty() {
            return;
        }
        let mut numbers: Vec<u64> = self
            .file
            .index
            .chunks
            .iter()
            .map(|entry| entry.head.chunk_seq)
            .collect();
        numbers.sort_unstable();
        let mut chunks = 0_u64;
        for pair in numbers.windows(2) {
            let inside = |(first, last): &&(u64, u64)| *first <= pair[0] && pair[1] <= *last;
            // Between the last chunk that a rollup covers and the rollup itself nothing of it can be missing.
            if !self.covered.iter().any(|range| inside(&range)) {
                chunks = chunks.saturating_add((pair[1] - pair[0]).saturating_sub(1));
            }
        }
        if chunks > 0 {
            warnings.push(self.file.warning(WarningKind::RecordsUnknown {
                chunks,
                records: None,
            }));
        }
    }

    fn chunks(&mut self) {
        for (seq, chunk) in std::mem::take(&mut self.open) {
            let head = &self.file.index.chunks[chunk.entry as usize].head;
            if head.record_count == 0 {
                continue;
            }
            let parts = self.planner.parts(head.segment, head.min_end, head.max_end);
            let place = match (parts.single(), chunk.skipped.is_empty()) {
                (Some(None), _) => continue,
                (Some(Some(slot)), true) => Place::Whole(slot),
                _ => Place::ByRow {
                    parts,
                    skipped: chunk.skipped.clone(),
                },
            };
            self.jobs.push((
                seq,
                head.segment,
                Job::Chunk(ChunkJob {
                    entry: chunk.entry,
                    place,
                }),
            ));
        }
    }
}

enum Fit {
    Good(Missing),
    /// Nothing of it is to be read from this file.
    Other,
    Unusable(&'static str),
}

impl Missing {
    /// What to say when no rollup stands in for them.
    pub(crate) fn warning(self, file: &CaptureFile) -> Option<Warning> {
        let kind = WarningKind::RecordsUnknown {
            chunks: self.chunks,
            records: Some(self.rows),
        };
        (self.chunks > 0).then(|| file.warning(kind))
    }
}

/// Where in `sorted` the chunks lie that a rollup covers.
fn span_of<T>(
    sorted: &[T],
    coverage: &Coverage,
    seq: impl Fn(&T) -> u64,
) -> std::ops::Range<usize> {
    let from = sorted.partition_point(|each| seq(each) < coverage.first_chunk);
    let to = sorted.partition_point(|each| seq(each) <= coverage.last_chunk);
    from..to.max(from)
}
