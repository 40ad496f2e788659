//! Every chunk of one file.

use std::collections::{BTreeMap, BTreeSet};

use perf_format::{
    Anchor, ChunkEntry, ChunkKind, EventId, EventsChunk, Frame, Range, Rollup, RollupChunk,
};
use rayon::prelude::*;

use super::chunk::{RowCheck, finding};
use super::rollup::compare;
use super::{FileVerification, Finding, MAX_FINDINGS};
use crate::capture::{Capture, CaptureFile};
use crate::error::Error;
use crate::held::{Held, Overlap};
use crate::report::CaptureState;
use crate::report::rows::reported;

/// Groups that are in work at a time, so that what they return is never all in memory.
const GROUPS_AT_A_TIME: usize = 64;
/// Chunks of one group without a rollup.
const CHUNKS_A_GROUP: usize = 16;

/// Chunks that are read one after another: those of a rollup and the rollup itself.
#[derive(Debug, Default)]
struct Group<'a> {
    chunks: Vec<&'a ChunkEntry>,
    rollup: Option<&'a ChunkEntry>,
}

#[derive(Debug, Default)]
struct GroupOutcome {
    chunks: u64,
    columns: u64,
    records: u64,
    rollups: u64,
    findings: Vec<Finding>,
    /// With the offset and length of its chunk.
    ranges: Vec<(u64, u64, Range)>,
    /// Events with records, and the first chunk that has them.
    events: BTreeMap<EventId, (u64, u64)>,
}

pub(super) fn verify_file(
    capture: &Capture,
    file: &CaptureFile,
) -> Result<FileVerification, Error> {
    let mut verified = FileVerification {
        path: file.path.clone(),
        bytes: file.source.len(),
        intact: true,
        chunks: 0,
        columns: 0,
        records: 0,
        rollups: 0,
        closed_cleanly: file.index.closed_cleanly(),
        findings: damage(capture, file),
        more_findings: 0,
    };
    let mut held = Held::default();
    let mut events: BTreeMap<EventId, (u64, u64)> = BTreeMap::new();
    let sampled = capture.is_sampled();
    for batch in groups(file).chunks(GROUPS_AT_A_TIME) {
        let outcomes: Vec<_> = batch
            .par_iter()
            .map(|group| verify_group(file, group, sampled))
            .collect();
        for outcome in outcomes {
            let outcome = outcome?;
            verified.chunks += outcome.chunks;
            verified.columns += outcome.columns;
            verified.records += outcome.records;
            verified.rollups += outcome.rollups;
            add(&mut verified, outcome.findings);
            let twice: Vec<_> = outcome
                .ranges
                .iter()
                .filter_map(|range| twice(&mut held, range))
                .collect();
            add(&mut verified, twice);
            for (event, place) in outcome.events {
                events.entry(event).or_insert(place);
            }
        }
    }
    add(&mut verified, unnamed_events(file, &events));
    add(&mut verified, backward_anchors(file));
    verified
        .findings
        .sort_by_key(|finding| (finding.offset, finding.len));
    verified.intact = verified.findings.is_empty();
    Ok(verified)
}

fn add(verified: &mut FileVerification, findings: Vec<Finding>) {
    for finding in findings {
        match verified.findings.len() < MAX_FINDINGS {
            true => verified.findings.push(finding),
            false => verified.more_findings += 1,
        }
    }
}

fn damage(capture: &Capture, file: &CaptureFile) -> Vec<Finding> {
    let damage = file.index.damage.iter();
    let mut findings: Vec<_> = damage
        .map(|damage| {
            let (offset, len, message) = (damage.offset, damage.len, file.reason(damage));
            Finding {
                offset,
                len,
                kind: "damage",
                message,
            }
        })
        .collect();
    // A chunk that is just being written is no fault.
    if let Some(tail) = file
        .index
        .torn_tail
        .as_ref()
        .filter(|_| capture.state != CaptureState::Live)
    {
        let message = match tail.head {
            Some(head) => format!(
                "the last chunk is cut short: expected {} bytes, got {}",
                head.chunk_len(),
                tail.len
            ),
            None => "the last chunk is cut short within its head".to_owned(),
        };
        findings.push(Finding {
            offset: tail.offset,
            len: tail.len,
            kind: "torn_tail",
            message,
        });
    }
    findings
}

/// Each rollup with the chunks in its range, the others a few at a time.
fn groups(file: &CaptureFile) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut events: BTreeMap<u64, Vec<&ChunkEntry>> = BTreeMap::new();
    for entry in file.index.event_chunks() {
        events.entry(entry.head.chunk_seq).or_default().push(entry);
    }
    let mut others: Vec<&ChunkEntry> = Vec::new();
    for entry in &file.index.chunks {
        if let (Some(coverage), true) = (&entry.coverage, entry.head.is_known()) {
            let mut chunks = Vec::new();
            if coverage.chunks > 0 && coverage.first_chunk <= coverage.last_chunk {
                let covered = coverage.first_chunk..=coverage.last_chunk;
                let seqs: Vec<u64> = events.range(covered).map(|(seq, _)| *seq).collect();
                chunks = seqs
                    .iter()
                    .filter_map(|seq| events.remove(seq))
                    .flatten()
                    .collect();
            }
            groups.push(Group {
                chunks,
                rollup: Some(entry),
            });
        } else if entry.head.kind != ChunkKind::EVENTS || !entry.head.is_known() {
            others.push(entry);
        }
    }
    others.extend(events.into_values().flatten());
    groups.extend(others.chunks(CHUNKS_A_GROUP).map(|chunks| Group {
        chunks: chunks.to_vec(),
        rollup: None,
    }));
    groups
}

fn verify_group(
    file: &CaptureFile,
    group: &Group<'_>,
    sampled: bool,
) -> Result<GroupOutcome, Error> {
    let mut outcome = GroupOutcome::default();
    let mut bytes = Vec::new();
    let mut rows = RowCheck::default();
    let mut scanned = Rollup::default();
    for entry in &group.chunks {
        file.read_chunk(entry, &mut bytes)?;
        if outcome.check_sums(entry, &bytes)
            && entry.head.kind == ChunkKind::EVENTS
            && entry.head.is_known()
        {
            outcome.check_events(entry, &bytes, &mut rows, &mut scanned);
        }
    }
    if let Some(entry) = group.rollup {
        file.read_chunk(entry, &mut bytes)?;
        if outcome.check_sums(entry, &bytes) {
            outcome.rollups += 1;
            let wrong = match RollupChunk::parse(&bytes, entry.offset) {
                Ok(chunk) => compare(&chunk, &scanned, sampled),
                Err(error) => vec![error.to_string()],
            };
            let (offset, len) = (entry.offset, entry.head.chunk_len());
            let wrong = wrong.into_iter().map(|message| Finding {
                offset,
                len,
                kind: "rollup",
                message,
            });
            outcome.findings.extend(wrong);
        }
    }
    Ok(outcome)
}

impl GroupOutcome {
    /// Checks the sums of head and columns, of chunks of any kind. False when one is wrong.
    fn check_sums(&mut self, entry: &ChunkEntry, bytes: &[u8]) -> bool {
        self.chunks += 1;
        let checked = Frame::parse(bytes, entry.offset).and_then(|frame| {
            self.columns += frame.columns.len() as u64;
            frame.check_body(bytes)
        });
        checked
            .map_err(|error| {
                self.findings
                    .push(finding(entry.offset, entry.head.chunk_len(), &error))
            })
            .is_ok()
    }

    fn check_events(
        &mut self,
        entry: &ChunkEntry,
        bytes: &[u8],
        rows: &mut RowCheck,
        scanned: &mut Rollup,
    ) {
        let (offset, len) = (entry.offset, entry.head.chunk_len());
        let chunk = match EventsChunk::parse(bytes, offset) {
            Ok(chunk) => chunk,
            Err(error) => return self.findings.push(finding(offset, len, &error)),
        };
        self.records += chunk.rows() as u64;
        rows.check(&chunk, offset, &mut self.findings);
        scanned.coverage.add(chunk.head());
        // What cannot be decoded was a finding already.
        let _ = chunk.roll_into(scanned, |_| true);
        self.ranges
            .extend(chunk.ranges().iter().map(|range| (offset, len, *range)));
        for series in chunk
            .series()
            .iter()
            .filter(|series| reported(series.key.tag).is_some())
        {
            self.events.entry(series.key.event).or_insert((offset, len));
        }
    }
}

/// A finding when some slots of a range stood in the file before.
fn twice(held: &mut Held, (offset, len, range): &(u64, u64, Range)) -> Option<Finding> {
    let (from, slots) = (range.first_seq, range.slots);
    let message = format!(
        "some of the {slots} slots from {from} of ring {} stand in the file twice",
        range.ring
    );
    let finding = Finding {
        offset: *offset,
        len: *len,
        kind: "rows",
        message,
    };
    (held.take(range) != Overlap::Nothing).then_some(finding)
}

fn unnamed_events(file: &CaptureFile, events: &BTreeMap<EventId, (u64, u64)>) -> Vec<Finding> {
    let named: BTreeSet<EventId> = file
        .index
        .tables
        .events
        .iter()
        .map(|event| event.id)
        .collect();
    let unnamed = events.iter().filter(|(event, _)| !named.contains(event));
    let finding = |(event, (offset, len)): (&EventId, &(u64, u64))| {
        let message = format!("records of event {event}, which no table names");
        Finding {
            offset: *offset,
            len: *len,
            kind: "tables",
            message,
        }
    };
    unnamed.map(finding).collect()
}

/// Of the anchors of a segment, in order of ticks, none may go back in monotonic time. A recovered file repeats anchors,
/// so their order in the file means nothing.
fn backward_anchors(file: &CaptureFile) -> Vec<Finding> {
    let chunk = file.index.of_kind(ChunkKind::ANCHORS).next();
    let (offset, len) = chunk.map_or((0, 0), |entry| (entry.offset, entry.head.chunk_len()));
    let mut last: BTreeMap<u32, &Anchor> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut anchors: Vec<&Anchor> = file.index.anchors.anchors.iter().collect();
    anchors.sort_by_key(|anchor| anchor.ticks);
    for anchor in anchors {
        if let Some(before) = last.insert(anchor.segment.0, anchor)
            && anchor.monotonic_raw_ns < before.monotonic_raw_ns
        {
            let message = format!(
                "an anchor of segment {} at {} ticks and {} ns should follow one at {} ticks and {} ns",
                anchor.segment,
                anchor.ticks,
                anchor.monotonic_raw_ns,
                before.ticks,
                before.monotonic_raw_ns
            );
            findings.push(Finding {
                offset,
                len,
                kind: "anchors",
                message,
            });
        }
    }
    findings
}
