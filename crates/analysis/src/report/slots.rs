//! The report by time slots: some slots at a time, so that memory does not grow with their number.

use std::collections::BTreeMap;
use std::sync::Arc;

use perf_format::{Coverage, SegmentId};

use super::cells::Cell;
use super::result::Slot;
use super::run::Run;
use super::timeline::{SlotNumber, Timeline};
use crate::capture::Capture;
use crate::error::{Error, ErrorKind};
use crate::warning::{Warning, WarningKind};

/// The most slots of one report.
pub(crate) const MAX_SLOTS: u64 = 100_000;
/// Bytes of the counts of the slots that are filled at a time, about.
const BUDGET: u64 = 48 << 20;
/// Bytes of the counts of one event in a slot, at most about.
const EVENT_BYTES: u64 = 64 << 10;
/// Bytes of one record in a slot, if each has a bin of its own.
const RECORD_BYTES: u64 = 64;

/// All slots that hold records, in order; and what could not be read because slots cut it out of a rollup.
///
/// # Errors
/// As a report; more than [`MAX_SLOTS`].
pub(super) fn slots(run: &Run<'_>, every_ns: u64) -> Result<(Vec<Slot>, Vec<Warning>), Error> {
    let every = i64::try_from(every_ns).unwrap_or(i64::MAX).max(1);
    let mut slots = Vec::new();
    let unknown = each_slot(run, every, |from, to, cells| {
        slots.push(run.rows_of_slot(cells, from, to));
    })?;
    slots.retain(|slot: &Slot| !slot.events.is_empty());
    add_losses(run, every, &mut slots);
    Ok((slots, unknown))
}

/// Gives the cells of every slot of `every` ns that may hold records to `take`, with its first instant and the first
/// after it, in the order of time. Returns what could not be read because slots cut it out of a rollup.
///
/// # Errors
/// As [`slots`].
pub(crate) fn each_slot(
    run: &Run<'_>,
    every: i64,
    mut take: impl FnMut(i64, i64, &[Arc<Cell>]),
) -> Result<Vec<Warning>, Error> {
    let timelines: Vec<Timeline> = run
        .timelines
        .iter()
        .map(|timeline| Timeline {
            every: Some(every),
            ..*timeline
        })
        .collect();
    refuse_too_many(run, &timelines)?;
    let mut unknown: Vec<Warning> = Vec::new();
    for (first, last) in batches(run, &timelines) {
        let batch: Vec<Timeline> = timelines
            .iter()
            .map(|timeline| timeline.only_slots(first, last))
            .collect();
        let cells = run.new_cells();
        for warning in run.fill(&batch, &cells)?.warnings {
            // A rollup that two batches cut is said once.
            if matches!(warning.kind, WarningKind::RecordsUnknown { .. })
                && !unknown.contains(&warning)
            {
                unknown.push(warning);
            }
        }
        for cells in cells.sorted().chunk_by(|a, b| a.slot == b.slot) {
            let from = cells[0].slot.saturating_mul(every);
            take(from, from.saturating_add(every), cells);
        }
    }
    Ok(unknown)
}

fn refuse_too_many(run: &Run<'_>, timelines: &[Timeline]) -> Result<(), Error> {
    for ((capture, survey), timeline) in run.captures.iter().zip(&run.surveys).zip(timelines) {
        let mut ends = survey.ends.clone();
        for (segment, coverage) in counted_rollups(capture) {
            let (first, last) = (coverage.min_end, coverage.max_end.max(coverage.min_end));
            let range = ends.entry(segment).or_insert((first, last));
            *range = (range.0.min(first), range.1.max(last));
        }
        for (segment, (first, last)) in ends {
            let breaks = capture.clock_breaks(segment, first, last);
            let slots = timeline.most_slots(first, last, breaks, |ticks| {
                capture.clock.unix_ns(segment, ticks)
            });
            if slots > MAX_SLOTS {
                let path = capture.files[0].source.path();
                return Err(Error::new(
                    path,
                    ErrorKind::TooManySlots {
                        slots,
                        limit: MAX_SLOTS,
                    },
                ));
            }
        }
    }
    Ok(())
}

/// What the rollups of a capture cover that may stand for chunks, with their segments.
fn counted_rollups(capture: &Capture) -> impl Iterator<Item = (SegmentId, &Coverage)> {
    let rollups = capture.files.iter().flat_map(|file| file.index.rollups());
    rollups
        .filter(|(_, coverage)| coverage.rows > 0)
        .map(|(entry, coverage)| (entry.head.segment, coverage))
}

/// First and last slots of stretches whose counts fit into memory.
fn batches(run: &Run<'_>, timelines: &[Timeline]) -> Vec<(SlotNumber, SlotNumber)> {
    // The rows that may lie in a slot: an upper bound, since a chunk counts for every slot that it touches.
    let mut rows: BTreeMap<SlotNumber, u64> = BTreeMap::new();
    for (number, timeline) in timelines.iter().enumerate() {
        let planner = run.planner(number, *timeline);
        let capture = run.captures[number];
        for chunk in &run.surveys[number].chunks {
            let head = &capture.files[chunk.file as usize].index.chunks[chunk.entry as usize].head;
            if head.record_count == 0 {
                continue;
            }
            for slot in planner
                .parts(head.segment, head.min_end, head.max_end)
                .slots()
            {
                *rows.entry(slot).or_default() += u64::from(head.record_count);
            }
        }
        for (segment, coverage) in counted_rollups(capture) {
            for slot in planner
                .parts(segment, coverage.min_end, coverage.max_end)
                .slots()
            {
                rows.entry(slot).or_default();
            }
        }
    }
    let events: u64 = run
        .surveys
        .iter()
        .map(|survey| survey.reported_by_event.len() as u64)
        .sum();
    let mut batches: Vec<(SlotNumber, SlotNumber)> = Vec::new();
    let mut bytes = u64::MAX;
    for (slot, rows) in rows {
        let mine = rows
            .saturating_mul(RECORD_BYTES)
            .min((events + 1).saturating_mul(EVENT_BYTES));
        bytes = bytes.saturating_add(mine);
        match batches.last_mut() {
            Some((_, last)) if bytes <= BUDGET => *last = slot,
            _ => {
                batches.push((slot, slot));
                bytes = mine;
            }
        }
    }
    batches
}

/// Adds to each slot what was lost in intervals that touch it.
fn add_losses(run: &Run<'_>, every: i64, slots: &mut [Slot]) {
    let starts: Vec<i64> = slots.iter().map(|slot| slot.start_unix_ns.0).collect();
    for (capture, survey) in run.captures.iter().zip(&run.surveys) {
        for lost in survey.lost_between.iter().filter(|lost| lost.to > 0) {
            let at = |ticks| {
                capture
                    .clock
                    .unix_ns(lost.segment, ticks)
                    .div_euclid(every)
                    .saturating_mul(every)
            };
            let (from, to) = (at(lost.from.min(lost.to)), at(lost.to));
            let touched = starts.partition_point(|start| *start < from)
                ..starts.partition_point(|start| *start <= to);
            for slot in slots.get_mut(touched).into_iter().flatten() {
                slot.lost = slot.lost.saturating_add(lost.count);
            }
        }
    }
}
