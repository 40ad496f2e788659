//! Running the units of a plan over all cores.
//!
//! Counts add up in any order. What depends on the order (gauges, warnings, which error comes first) is handed
//! back by each unit and joined in the order of units, so that the answer is the same at any number of threads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use perf_format::{
    ClockMap, EventsChunk, FormatError, Frame, GaugeSummary, RollupChunk, SparseAggregate,
    SparseRollup,
};
use rayon::prelude::*;

use super::cells::{Cell, Cells};
use super::plan::{ChunkJob, Job, RollupJob, Spot, Unit};
use super::rows::Naming;
use super::scan::{Origin, columns_needed, scan_chunk};
use super::worker::{Task, Worker};
use crate::capture::{Capture, CaptureFile};
use crate::error::Error;
use crate::warning::{Warning, WarningKind};

/// What a pass runs over.
pub(crate) struct Pass<'a> {
    pub(crate) captures: &'a [&'a Capture],
    pub(crate) naming: &'a Naming<'a>,
    pub(crate) cells: &'a Cells,
    /// Whether durations become ns before they are counted.
    pub(crate) in_ns: bool,
    /// Whether damage is an error.
    pub(crate) strict: bool,
}

/// What a pass found besides cells.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) from_rollups: u64,
    pub(crate) scanned: u64,
    pub(crate) unknown_records: u64,
    pub(crate) warnings: Vec<Warning>,
}

#[derive(Default)]
struct UnitOutcome {
    outcome: Outcome,
    gauges: Vec<(Arc<Cell>, GaugeSummary)>,
    /// By number of file: chunks that could not be read, and their rows.
    unread: Unread,
}

type Unread = BTreeMap<u32, (u64, u64)>;

/// By cell: a gauge over the units so far.
type Gauges = BTreeMap<usize, (Arc<Cell>, GaugeSummary)>;

/// A worker with the buffers that its chunks are read into.
struct Seat<'a> {
    worker: Worker<'a>,
    bytes: Vec<u8>,
    rollup: SparseRollup,
}

impl<'a> Pass<'a> {
    /// Runs `units` and adds what they hold to the cells.
    ///
    /// # Errors
    /// A file cut short; with `strict` the first damage, in the order of units.
    pub(crate) fn run(&self, task: Task, units: &[Unit]) -> Result<Outcome, Error> {
        let mut all = Outcome::default();
        let seats = Mutex::new(Vec::new());
        for (scale, wave) in self.waves(units) {
            let run = |unit: &&Unit| {
                let seat = lock(&seats).pop();
                let mut seat = seat.unwrap_or_else(|| self.seat(task));
                let outcome = self.unit(&mut seat, unit);
                lock(&seats).push(seat);
                outcome
            };
            let outcomes: Vec<_> = wave.par_iter().map(run).collect();
            lock(&seats)
                .iter_mut()
                .for_each(|seat: &mut Seat<'_>| seat.worker.flush());
            if task == Task::Count {
                self.cells.end_wave(if self.in_ns { 1.0 } else { scale });
            }
            self.join(&wave, outcomes, &mut all)?;
        }
        Ok(all)
    }

    fn seat(&self, task: Task) -> Seat<'a> {
        let workers = rayon::current_num_threads();
        Seat {
            worker: Worker::new(task, self.naming, self.cells, self.in_ns, workers),
            bytes: Vec::new(),
            rollup: SparseRollup::default(),
        }
    }

    /// Units of one tick rate, rates in the order of their first units.
    fn waves<'u>(&self, units: &'u [Unit]) -> Vec<(f64, Vec<&'u Unit>)> {
        let mut waves: Vec<(f64, Vec<&Unit>)> = Vec::new();
        let mut at = HashMap::new();
        for unit in units {
            let scale = self.clock(unit).ns_per_tick(unit.segment);
            let wave = *at.entry(scale.to_bits()).or_insert_with(|| {
                waves.push((scale, Vec::new()));
                waves.len() - 1
            });
            waves[wave].1.push(unit);
        }
        waves
    }

    fn clock(&self, unit: &Unit) -> &ClockMap {
        &self.captures[unit.capture].clock
    }

    fn file(&self, unit: &Unit, spot: Spot) -> &CaptureFile {
        &self.captures[unit.capture].files[spot.file as usize]
    }

    /// Joins what the units of a wave found, in their order.
    fn join(
        &self,
        wave: &[&Unit],
        outcomes: Vec<Result<UnitOutcome, Error>>,
        all: &mut Outcome,
    ) -> Result<(), Error> {
        let mut gauges = Gauges::new();
        let mut before: Option<&Unit> = None;
        let mut unread = Unread::new();
        for (unit, outcome) in wave.iter().zip(outcomes) {
            let outcome = outcome?;
            // A gauge holds its value across units of one clock segment, and not beyond.
            if let Some(before) = before.filter(|before| !before.continues(unit)) {
                self.end_stretch(before, &mut gauges);
                self.warn_unread(before, std::mem::take(&mut unread), all);
            }
            before = Some(unit);
            for (cell, summary) in outcome.gauges {
                gauges
                    .entry(cell.id)
                    .or_insert((cell, GaugeSummary::default()))
                    .1
                    .merge(&summary);
            }
            for (file, (chunks, rows)) in outcome.unread {
                let sum = unread.entry(file).or_default();
                *sum = (sum.0 + chunks, sum.1 + rows);
            }
            all.add(outcome.outcome);
        }
        if let Some(before) = before {
            self.end_stretch(before, &mut gauges);
            self.warn_unread(before, unread, all);
        }
        Ok(())
    }

    fn end_stretch(&self, unit: &Unit, gauges: &mut Gauges) {
        let clock = self.clock(unit);
        for (cell, summary) in std::mem::take(gauges).into_values() {
            let last = clock.unix_ns(unit.segment, summary.last_ticks);
            cell.lock()
                .gauge
                .add(&summary, clock.ns_per_tick(unit.segment), last);
        }
    }

    fn warn_unread(&self, unit: &Unit, unread: Unread, all: &mut Outcome) {
        for (file, (chunks, rows)) in unread {
            let file = &self.captures[unit.capture].files[file as usize];
            let kind = WarningKind::RecordsUnknown {
                chunks,
                records: Some(rows),
            };
            all.warnings.push(file.warning(kind));
        }
    }

    fn unit(&self, seat: &mut Seat<'_>, unit: &Unit) -> Result<UnitOutcome, Error> {
        let mut outcome = UnitOutcome::default();
        for job in &unit.jobs {
            match job {
                Job::Chunk(chunk) => self.chunk(seat, unit, chunk, &mut outcome)?,
                Job::Rollup(rollup) => self.rollup(seat, unit, rollup, &mut outcome)?,
            }
        }
        outcome.gauges = seat.worker.take_gauges();
        Ok(outcome)
    }

    fn rollup(
        &self,
        seat: &mut Seat<'_>,
        unit: &Unit,
        job: &RollupJob,
        outcome: &mut UnitOutcome,
    ) -> Result<(), Error> {
        let file = self.file(unit, job.spot);
        let entry = &file.index.chunks[job.spot.entry as usize];
        file.read_chunk(entry, &mut seat.bytes)?;
        let decoded = RollupChunk::parse(&seat.bytes, entry.offset).and_then(|rollup| {
            rollup.decode_sparse(&mut seat.rollup)?;
            Ok(*rollup.coverage())
        });
        let missing = job.missing;
        match decoded {
            Ok(coverage) => {
                add_rollup(&mut seat.worker, &seat.rollup, job.slot, unit.capture);
                outcome.outcome.from_rollups += coverage.rows;
                if missing.chunks > 0 {
                    let kind = WarningKind::RecordsOnlyInRollups {
                        records: missing.rows,
                    };
                    outcome.outcome.warnings.push(file.warning(kind));
                }
                Ok(())
            }
            Err(error) if self.strict => Err(file.error(error)),
            Err(error) => {
                let kind = WarningKind::RollupUnusable {
                    offset: entry.offset,
                    reason: error.to_string(),
                };
                outcome.outcome.warnings.push(file.warning(kind));
                outcome.outcome.warnings.extend(missing.warning(file));
                job.chunks
                    .iter()
                    .try_for_each(|chunk| self.chunk(seat, unit, chunk, outcome))
            }
        }
    }

    fn chunk(
        &self,
        seat: &mut Seat<'_>,
        unit: &Unit,
        job: &ChunkJob,
        outcome: &mut UnitOutcome,
    ) -> Result<(), Error> {
        let file = self.file(unit, job.spot);
        let entry = &file.index.chunks[job.spot.entry as usize];
        file.read_head(entry, &mut seat.bytes)?;
        match self.scan(seat, unit, job, file)? {
            Ok(scanned) => {
                outcome.outcome.scanned += scanned.rows;
                outcome.outcome.unknown_records += scanned.unknown;
                Ok(())
            }
            Err(error) if self.strict => Err(file.error(error)),
            Err(error) => {
                let (offset, len) = (entry.offset, entry.head.chunk_len());
                let kind = WarningKind::Damage {
                    offset,
                    len,
                    reason: error.to_string(),
                };
                outcome.outcome.warnings.push(file.warning(kind));
                let unread = outcome.unread.entry(job.spot.file).or_default();
                *unread = (unread.0 + 1, unread.1 + u64::from(entry.head.record_count));
                Ok(())
            }
        }
    }

    /// Reads the columns that are needed, each to its place in the chunk, and counts them. The head has been read.
    fn scan(
        &self,
        seat: &mut Seat<'_>,
        unit: &Unit,
        job: &ChunkJob,
        file: &CaptureFile,
    ) -> Result<Result<super::scan::Scanned, FormatError>, Error> {
        let entry = &file.index.chunks[job.spot.entry as usize];
        let wanted = match needed(&mut seat.worker, &seat.bytes, entry.offset, job) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(Err(error)),
        };
        for (offset, len) in wanted {
            file.read_body(entry, offset, len, &mut seat.bytes)?;
        }
        let origin = Origin {
            capture: unit.capture,
            scale: self.clock(unit).ns_per_tick(unit.segment),
        };
        let chunk = EventsChunk::parse(&seat.bytes, entry.offset);
        Ok(chunk.and_then(|chunk| scan_chunk(&mut seat.worker, &chunk, origin, &job.place)))
    }
}

/// Where in the body the columns lie that scanning will touch.
fn needed(
    worker: &mut Worker<'_>,
    bytes: &[u8],
    offset: u64,
    job: &ChunkJob,
) -> Result<Vec<(u32, u32)>, FormatError> {
    let wanted = columns_needed(worker, &EventsChunk::parse(bytes, offset)?, &job.place);
    let columns = Frame::parse(bytes, offset)?.columns;
    let wanted = columns
        .into_iter()
        .filter(|column| wanted.contains(&column.id));
    Ok(wanted.map(|column| (column.offset, column.len)).collect())
}

fn add_rollup(worker: &mut Worker<'_>, rollup: &SparseRollup, slot: i64, capture: usize) {
    for (key, aggregate) in rollup.series() {
        let Some(local) = worker.local(slot, capture, *key) else {
            continue;
        };
        match aggregate {
            SparseAggregate::Distribution(histogram) => {
                let wave = &mut worker.cell(local).lock().wave;
                wave.add_totals(histogram.count, histogram.sum, histogram.min, histogram.max);
                wave.bins.add_all(
                    rollup
                        .bins(histogram)
                        .iter()
                        .map(|(bin, count)| (*bin as usize, *count)),
                );
            }
            SparseAggregate::Counter(counter) => worker.counter(local, counter),
            SparseAggregate::Gauge(gauge) => worker.gauge(local, gauge),
        }
    }
}

impl Unit {
    /// Whether `next` goes on where this one ends.
    fn continues(&self, next: &Unit) -> bool {
        (self.capture, self.segment) == (next.capture, next.segment)
    }
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Outcome) {
        self.from_rollups += other.from_rollups;
        self.scanned += other.scanned;
        self.unknown_records += other.unknown_records;
        self.warnings.extend(other.warnings);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
