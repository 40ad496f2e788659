//! Records of which nobody knows whether they broke a rule: lost while recording, or not readable any more.
//!
//! What could be any event counts for every rule. Where it is known when they were recorded, they count only in the windows
//! that they may belong to.

use perf_format::{ChunkEntry, ChunkKind, SegmentId};

use super::ledger::Unknown;
use crate::capture::Capture;
use crate::report::CaptureState;
use crate::report::plan::{Job, Planner};
use crate::report::survey::Survey;
use crate::report::timeline::Timeline;

/// So many records, that ended somewhere in a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) amount: Unknown,
    /// Unix ns, both ends included.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Whether they were lost while recording.
    pub(super) lost: bool,
}

const EVER: (i64, i64) = (i64::MIN, i64::MAX);

/// What is not known of one capture.
pub(super) fn missing(number: usize, capture: &Capture, survey: &Survey) -> Vec<Missing> {
    let mut found: Vec<Missing> = survey
        .lost_between
        .iter()
        .map(|lost| {
            let at = |ticks| capture.clock.unix_ns(lost.segment, ticks);
            let (from, to) = match lost.to {
                0 => EVER,
                to => (at(lost.from.min(to)), at(to)),
            };
            Missing {
                amount: Unknown::Count(lost.count),
                from,
                to,
                lost: true,
            }
        })
        .collect();
    let unreadable = survey.unreadable.iter().map(|(file, entry, _)| {
        let entry = &capture.files[*file as usize].index.chunks[*entry as usize];
        let (from, to) = times(capture, entry);
        unread(Unknown::Count(entry.head.record_count.into()), from, to)
    });
    found.extend(unreadable);
    found.extend(only_in_rollups(number, capture, survey));
    found.extend(gaps(capture));
    found.extend(tails(capture));
    found.sort_unstable_by_key(|missing| (missing.from, missing.to));
    found
}

fn unread(amount: Unknown, from: i64, to: i64) -> Missing {
    Missing {
        amount,
        from,
        to,
        lost: false,
    }
}

fn unix(capture: &Capture, segment: SegmentId, first: u64, last: u64) -> (i64, i64) {
    let (one, two) = (
        capture.clock.unix_ns(segment, first),
        capture.clock.unix_ns(segment, last),
    );
    (one.min(two), one.max(two))
}

fn times(capture: &Capture, entry: &ChunkEntry) -> (i64, i64) {
    let head = &entry.head;
    unix(capture, head.segment, head.min_end, head.max_end)
}

/// The plan of a report that uses rollups knows which chunks only these have seen.
fn planner<'a>(number: usize, capture: &'a Capture, survey: &'a Survey) -> Planner<'a> {
    let timeline = Timeline {
        since: None,
        until: None,
        every: None,
    };
    Planner {
        number,
        capture,
        survey,
        timeline,
        use_rollups: true,
    }
}

fn only_in_rollups(number: usize, capture: &Capture, survey: &Survey) -> Vec<Missing> {
    let (units, _) = planner(number, capture, survey).units();
    let rollups = units
        .iter()
        .flat_map(|unit| &unit.jobs)
        .filter_map(|job| match job {
            Job::Rollup(rollup) if rollup.missing.chunks > 0 => Some(rollup),
            _ => None,
        });
    let missing = rollups.filter_map(|rollup| {
        let file = &capture.files[rollup.spot.file as usize];
        let entry = &file.index.chunks[rollup.spot.entry as usize];
        let coverage = entry.coverage?;
        let (from, to) = unix(
            capture,
            entry.head.segment,
            coverage.min_end,
            coverage.max_end,
        );
        Some(unread(Unknown::Count(rollup.missing.rows), from, to))
    });
    missing.collect()
}

/// Numbers that no chunk has, where a file is damaged or a part missing and no rollup tells what was in them.
fn gaps(capture: &Capture) -> Vec<Missing> {
    let files = &capture.files;
    let is_whole = files.iter().all(|file| file.index.damage.is_empty());
    if is_whole && capture.parts.is_none_or(|parts| parts.missing == 0) {
        return Vec::new();
    }
    let mut chunks: Vec<&ChunkEntry> = capture
        .files
        .iter()
        .flat_map(|file| &file.index.chunks)
        .collect();
    chunks.sort_by_key(|entry| entry.head.chunk_seq);
    let covered: Vec<(u64, u64)> = (chunks.iter().filter_map(|entry| entry.coverage))
        .filter(|coverage| coverage.rows > 0)
        .map(|coverage| (coverage.first_chunk, coverage.last_chunk))
        .collect();
    let has_rows =
        |entry: &&&ChunkEntry| entry.head.kind == ChunkKind::EVENTS && entry.head.record_count > 0;
    let mut found = Vec::new();
    for (at, pair) in chunks.windows(2).enumerate() {
        let (before, after) = (pair[0].head.chunk_seq, pair[1].head.chunk_seq);
        let inside = |(first, last): &(u64, u64)| *first <= before && after <= *last;
        if after - before < 2 || covered.iter().any(inside) {
            continue;
        }
        // Chunks are written in the order of time, about: what is missing lies between its neighbours.
        let before = chunks[..=at].iter().rev().find(has_rows);
        let after = chunks[at + 1..].iter().find(has_rows);
        let from = before.map_or(i64::MIN, |entry| times(capture, entry).0);
        let to = after.map_or(i64::MAX, |entry| times(capture, entry).1);
        found.push(unread(Unknown::Endless, from.min(to), to.max(from)));
    }
    found
}

/// What a file that was cut short, or a process that died, leaves out at the end.
fn tails(capture: &Capture) -> Vec<Missing> {
    let mut found = Vec::new();
    // Nothing that is missing at the end was recorded before the last chunk began.
    let last = || {
        let chunks = capture
            .files
            .iter()
            .flat_map(|file| file.index.event_chunks());
        let filled = chunks.filter(|entry| entry.head.record_count > 0);
        let starts = filled.map(|entry| times(capture, entry).0);
        starts.max().unwrap_or(i64::MIN)
    };
    if [CaptureState::Salvageable, CaptureState::Continued].contains(&capture.state) {
        found.push(unread(Unknown::Endless, last(), i64::MAX));
    }
    if capture.state == CaptureState::Live {
        return found;
    }
    for tail in capture
        .files
        .iter()
        .filter_map(|file| file.index.torn_tail.as_ref())
    {
        let events = tail.head.filter(|head| head.kind == ChunkKind::EVENTS);
        found.push(match events {
            // More chunks may have followed, in a file that was cut.
            Some(head) => {
                let (from, _) = unix(capture, head.segment, head.min_end, head.max_end);
                unread(Unknown::Endless, from, i64::MAX)
            }
            None => unread(Unknown::Endless, last(), i64::MAX),
        });
    }
    found
}
