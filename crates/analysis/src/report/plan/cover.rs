//! Which chunks rollups stand for, and which are left.

use perf_format::{ChunkEntry, Coverage, SegmentId, chunk_digest};

use super::{ChunkJob, Job, Missing, Planner, RollupJob, Spot};
use crate::capture::CaptureFile;
use crate::report::scan::Place;
use crate::report::survey::KeptChunk;
use crate::warning::{Warning, WarningKind};

/// A chunk that no rollup stands for yet.
#[derive(Debug, Clone, Copy)]
struct OpenChunk<'a> {
    seq: u64,
    kept: &'a KeptChunk,
    entry: &'a ChunkEntry,
}

pub(super) struct CoverPlan<'a> {
    planner: &'a Planner<'a>,
    /// By number of the chunk.
    open: Vec<OpenChunk<'a>>,
    /// What rollups stand for, whether or not it is read; ascending.
    covered: Vec<Coverage>,
    pub(super) jobs: Vec<(u64, SegmentId, Job)>,
    pub(super) warnings: Vec<Warning>,
}

/// Whether a rollup stands for the chunks that are there.
enum Fit {
    Good(Missing),
    /// All that it covers is counted already.
    Repeated,
    Unusable(&'static str),
}

impl<'a> CoverPlan<'a> {
    pub(super) fn new(planner: &'a Planner<'a>) -> Self {
        let open = planner.survey.chunks.iter().map(|kept| {
            let entry =
                &planner.capture.files[kept.file as usize].index.chunks[kept.entry as usize];
            OpenChunk {
                seq: entry.head.chunk_seq,
                kept,
                entry,
            }
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|chunk| chunk.seq);
        Self {
            planner,
            open,
            covered: Vec::new(),
            jobs: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn file(&self, spot: Spot) -> &'a CaptureFile {
        &self.planner.capture.files[spot.file as usize]
    }

    /// Lets every rollup that fits stand for its chunks.
    pub(super) fn rollups(&mut self) {
        let mut rollups = Vec::new();
        for (file, of) in self.planner.capture.files.iter().enumerate() {
            for (at, entry) in of.index.chunks.iter().enumerate() {
                let coverage = entry
                    .coverage
                    .filter(|coverage| coverage.chunks > 0 && coverage.rows > 0);
                if let (Some(coverage), true) = (coverage, entry.head.is_known()) {
                    rollups.push((
                        coverage,
                        entry,
                        Spot {
                            file: file as u32,
                            entry: at as u32,
                        },
                    ));
                }
            }
        }
        rollups.sort_by_key(|(coverage, _, spot)| (coverage.first_chunk, spot.file));
        for (coverage, entry, spot) in rollups {
            match self.fit(&coverage, spot) {
                Fit::Good(missing) => {
                    self.covered.push(coverage);
                    self.place_rollup(entry, spot, &coverage, missing);
                }
                Fit::Unusable(reason) if self.planner.use_rollups => {
                    let kind = WarningKind::RollupUnusable {
                        offset: entry.offset,
                        reason: reason.into(),
                    };
                    self.warnings.push(self.file(spot).warning(kind));
                }
                Fit::Unusable(_) | Fit::Repeated => {}
            }
        }
    }

    fn fit(&self, coverage: &Coverage, spot: Spot) -> Fit {
        if self.covered.contains(coverage) {
            return Fit::Repeated;
        }
        if self
            .covered
            .last()
            .is_some_and(|before| coverage.first_chunk <= before.last_chunk)
        {
            return Fit::Unusable("it covers chunks that another rollup covers");
        }
        let open = &self.open[span_of(&self.open, coverage)];
        // Chunks of its file whose records stand in other chunks of another file.
        let replaced = self
            .planner
            .survey
            .replaced
            .iter()
            .filter(|(file, _)| *file == spot.file);
        if replaced.clone().any(|(_, seq)| coverage.contains(*seq)) {
            return match open.is_empty() {
                true => Fit::Repeated,
                false => Fit::Unusable("another file holds some of its records"),
            };
        }
        if open.iter().any(|chunk| !chunk.kept.skipped.is_empty()) {
            return Fit::Unusable("another file holds some of its records");
        }
        let digest = open.iter().fold(0_u64, |sum, chunk| {
            sum.wrapping_add(chunk_digest(&chunk.entry.head))
        });
        let rows: u64 = open
            .iter()
            .map(|chunk| u64::from(chunk.entry.head.record_count))
            .sum();
        let chunks = open.len() as u64;
        if chunks == coverage.chunks && digest == coverage.digest && rows == coverage.rows {
            return Fit::Good(Missing::default());
        }
        match chunks < coverage.chunks && rows <= coverage.rows {
            true => Fit::Good(Missing {
                chunks: coverage.chunks - chunks,
                rows: coverage.rows - rows,
            }),
            false => Fit::Unusable("it was made of other chunks than those in the file"),
        }
    }

    fn place_rollup(
        &mut self,
        entry: &ChunkEntry,
        spot: Spot,
        coverage: &Coverage,
        missing: Missing,
    ) {
        let segment = entry.head.segment;
        match self
            .planner
            .parts(segment, coverage.min_end, coverage.max_end)
            .single()
        {
            Some(None) => {}
            Some(Some(slot)) if self.planner.use_rollups => {
                let mine = span_of(&self.open, coverage);
                let place = Place::Whole(slot);
                let chunks = self
                    .open
                    .drain(mine)
                    .map(|chunk| chunk.job(place.clone()))
                    .collect();
                let job = Job::Rollup(RollupJob {
                    spot,
                    slot,
                    chunks,
                    missing,
                });
                self.jobs.push((coverage.first_chunk, segment, job));
            }
            // Cut by a bound, or not wanted: its chunks are read, each by its own times.
            _ => self.warnings.extend(missing.warning(self.file(spot))),
        }
    }

    /// Numbers that no chunk has, where a file is damaged and no rollup tells: nothing says what was in them.
    pub(super) fn gaps(&mut self) {
        let files = &self.planner.capture.files;
        let Some(damaged) = files.iter().find(|file| !file.index.damage.is_empty()) else {
            return;
        };
        let mut numbers: Vec<u64> = files
            .iter()
            .flat_map(|file| &file.index.chunks)
            .map(|entry| entry.head.chunk_seq)
            .collect();
        numbers.sort_unstable();
        let mut chunks = 0_u64;
        for pair in numbers.windows(2) {
            let missing = (pair[1] - pair[0]).saturating_sub(1);
            // Numbers within a rollup's range are its own to account for.
            let inside =
                |cover: &Coverage| cover.first_chunk <= pair[0] && pair[1] <= cover.last_chunk;
            if missing > 0 && !self.covered.iter().any(inside) {
                chunks = chunks.saturating_add(missing);
            }
        }
        if chunks > 0 {
            self.warnings
                .push(damaged.warning(WarningKind::RecordsUnknown {
                    chunks,
                    records: None,
                }));
        }
    }

    /// Reads the chunks that no rollup stands for.
    pub(super) fn chunks(&mut self) {
        for chunk in std::mem::take(&mut self.open) {
            let head = &chunk.entry.head;
            if head.record_count == 0 {
                continue;
            }
            let parts = self.planner.parts(head.segment, head.min_end, head.max_end);
            let place = match (parts.single(), chunk.kept.skipped.is_empty()) {
                (Some(None), _) => continue,
                (Some(Some(slot)), true) => Place::Whole(slot),
                _ => Place::ByRow {
                    parts,
                    skipped: chunk.kept.skipped.clone(),
                },
            };
            self.jobs
                .push((chunk.seq, head.segment, Job::Chunk(chunk.job(place))));
        }
    }
}

impl OpenChunk<'_> {
    fn job(&self, place: Place) -> ChunkJob {
        let spot = Spot {
            file: self.kept.file,
            entry: self.kept.entry,
        };
        ChunkJob { spot, place }
    }
}

/// Where among `open` the chunks lie that a rollup covers.
fn span_of(open: &[OpenChunk<'_>], coverage: &Coverage) -> std::ops::Range<usize> {
    let from = open.partition_point(|chunk| chunk.seq < coverage.first_chunk);
    let to = open.partition_point(|chunk| chunk.seq <= coverage.last_chunk);
    from..to.max(from)
}
