//! Files of one capture joined to one.

use std::collections::{BTreeSet, HashMap};

use perf_format::{
    Anchor, CaptureId, ClockMap, CloseReason, EventId, FileHeader, Index, LossEntry, Notes,
    OpenSpan, SAMPLING_LABEL, SegmentId,
};
use serde::Serialize;

use super::CaptureFile;
use super::arena::{ArenaState, arena_state};
use crate::report::CaptureState;
use crate::report::rows::Named;

/// All files of one capture, and what their small chunks say together.
#[derive(Debug)]
pub(crate) struct Capture {
    /// By their number among the parts, equal ones in the order given; never empty.
    pub(crate) files: Vec<CaptureFile>,
    /// Absent when the header is damaged.
    pub(crate) id: Option<CaptureId>,
    pub(crate) state: CaptureState,
    pub(crate) events: HashMap<EventId, Named>,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) clock: ClockMap,
    /// Ticks of the anchors by segment, ascending.
    breaks: HashMap<SegmentId, Vec<u64>>,
    pub(crate) notes: Notes,
    pub(crate) open_spans: Vec<OpenSpan>,
    /// Which of its parts are here, if it has more than one.
    pub(crate) parts: Option<Parts>,
}

/// Which parts of a capture are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Number of the first one. Those before it were removed, or not given.
    pub first: u32,
    /// Number of the last one.
    pub last: u32,
    /// How many between these two are not here.
    pub missing: u32,
}

impl Parts {
    /// `None` for a capture that is one file, as far as it is known.
    fn of(files: &[CaptureFile]) -> Option<Self> {
        let known = files.iter().filter(|file| file.index.header.is_some());
        let parts: BTreeSet<u32> = known.map(CaptureFile::part).collect();
        let (first, last) = (*parts.first()?, *parts.last()?);
        let rotated = |file: &CaptureFile| {
            (file.index.close.as_ref()).is_some_and(|close| close.reason == CloseReason::ROTATED)
        };
        (last > 0 || files.iter().any(rotated)).then(|| Self {
            first,
            last,
            missing: (last - first) - (parts.len() as u32 - 1),
        })
    }
}

/// Groups files by the capture they are of, in the order of their first files.
pub(super) fn join(files: Vec<CaptureFile>) -> Vec<Capture> {
    let mut groups: Vec<Vec<CaptureFile>> = Vec::new();
    let mut by_id = HashMap::new();
    for file in files {
        let id = file.index.header.as_ref().map(|header| header.capture_id);
        // Without an id nothing says that two files belong together.
        let group = id
            .and_then(|id| by_id.get(&id).copied())
            .unwrap_or(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
            id.map(|id| by_id.insert(id, group));
        }
        groups[group].push(file);
    }
    for group in &mut groups {
        // Stable: files of one part stay in the order given.
        group.sort_by_key(CaptureFile::part);
    }
    groups.into_iter().map(Capture::new).collect()
}

impl Capture {
    fn new(files: Vec<CaptureFile>) -> Self {
        let header = files.iter().find_map(|file| file.index.header.as_ref());
        let id = header.map(|header| header.capture_id);
        let state = state_of(&files, header);
        let anchors = Merged::of(
            &files,
            |index| &index.anchors.anchors,
            |anchor| anchor.ticks,
        );
        let notes = Notes {
            self_costs: Merged::of(
                &files,
                |index| &index.notes.self_costs,
                |cost| cost.to_ticks,
            ),
            warnings: Merged::of(
                &files,
                |index| &index.notes.warnings,
                |warning| warning.ticks,
            ),
            losses: Merged::of(&files, |index| &index.notes.losses, |loss| loss.to_ticks),
            ..Notes::default()
        };
        let open_spans = Merged::of(
            last_state(&files),
            |index| &index.open_spans,
            |span| span.start_ticks,
        );
        let clock = ClockMap::new(header, &anchors);
        let breaks = breaks(&anchors);
        Self {
            id,
            state,
            parts: Parts::of(&files),
            events: names(&files),
            anchors,
            clock,
            breaks,
            notes,
            open_spans,
            files,
        }
    }

    /// Whether it holds a sample of what its rollups count.
    pub(crate) fn is_sampled(&self) -> bool {
        let labels = self.header().map_or(&[][..], |header| &header.labels);
        labels.iter().any(|label| label.key == SAMPLING_LABEL)
    }

    /// The first header that is intact.
    pub(crate) fn header(&self) -> Option<&FileHeader> {
        self.files
            .iter()
            .find_map(|file| file.index.header.as_ref())
    }

    /// The first file's path, for people.
    pub(crate) fn path(&self) -> &str {
        &self.files[0].path
    }

    /// The ticks after `first`, up to `last`, at which the relation of ticks and wall clock changes.
    pub(crate) fn clock_breaks(&self, segment: SegmentId, first: u64, last: u64) -> &[u64] {
        let breaks = self.breaks.get(&segment).map_or(&[][..], Vec::as_slice);
        let from = breaks.partition_point(|ticks| *ticks <= first);
        let to = breaks.partition_point(|ticks| *ticks <= last);
        &breaks[from..to.max(from)]
    }

    /// Losses that no Events chunk carries.
    pub(crate) fn noted_losses(&self) -> &[LossEntry] {
        &self.notes.losses
    }
}

/// What the files of a capture say, without repetitions. Two files of one capture repeat each other's small chunks; within
/// one file the same entry twice is two entries. Equal entries have equal ticks, and few have the same.
struct Merged<T> {
    all: Vec<T>,
    /// Where in `all` the entries of a tick are.
    places: HashMap<u64, Vec<usize>>,
}

impl<T: Clone + PartialEq> Merged<T> {
    /// All that `of` picks of `files`.
    fn of(files: &[CaptureFile], of: impl Fn(&Index) -> &[T], ticks: impl Fn(&T) -> u64) -> Vec<T> {
        if let [only] = files {
            return of(&only.index).to_vec();
        }
        let mut merged = Self {
            all: Vec::new(),
            places: HashMap::new(),
        };
        for file in files {
            merged.add(of(&file.index), &ticks);
        }
        merged.all
    }

    fn add(&mut self, more: &[T], ticks: &impl Fn(&T) -> u64) {
        // Repetitions come in the same order, so the match is nearly always the next one.
        let mut next: HashMap<u64, usize> = HashMap::new();
        for entry in more {
            let ticks = ticks(entry);
            let places = self.places.entry(ticks).or_default();
            let next = next.entry(ticks).or_default();
            let found = (places[*next..].iter()).position(|at| self.all[*at] == *entry);
            match found {
                Some(at) => {
                    let at = *next + at;
                    places[*next..=at].rotate_right(1);
                }
                None => {
                    places.insert(*next, self.all.len());
                    self.all.push(entry.clone());
                }
            }
            *next += 1;
        }
    }
}

/// The files that say which spans are open at the end: not what a flight recorder wrote in between.
fn last_state(files: &[CaptureFile]) -> &[CaptureFile] {
    let goes_on = |file: &CaptureFile| {
        (file.index.close.as_ref()).is_some_and(|close| close.reason == CloseReason::SNAPSHOT)
    };
    let last = files.last().map_or(0, CaptureFile::part);
    let before = (files.iter()).take_while(|file| goes_on(file) && file.part() < last);
    &files[before.count()..]
}

fn breaks(anchors: &[Anchor]) -> HashMap<SegmentId, Vec<u64>> {
    let mut breaks: HashMap<SegmentId, Vec<u64>> = HashMap::new();
    for anchor in anchors {
        breaks.entry(anchor.segment).or_default().push(anchor.ticks);
    }
    breaks.values_mut().for_each(|ticks| ticks.sort_unstable());
    breaks
}

fn names(files: &[CaptureFile]) -> HashMap<EventId, Named> {
    let mut names = HashMap::new();
    for file in files.iter().rev() {
        for event in &file.index.tables.events {
            let kind = crate::report::EventKind::of_format(event.kind);
            names.insert(
                event.id,
                Named {
                    name: event.name.clone(),
                    unit: event.unit.clone(),
                    kind,
                },
            );
        }
    }
    names
}

fn state_of(files: &[CaptureFile], header: Option<&FileHeader>) -> CaptureState {
    let closed = files.iter().filter(|file| file.index.closed_cleanly());
    let reasons: Vec<CloseReason> = closed
        .filter_map(|file| file.index.close.as_ref())
        .map(|close| close.reason)
        .collect();
    // A part that was closed because the next one began says nothing of the capture's end.
    let mut ends = (reasons.iter())
        .filter(|reason| **reason != CloseReason::ROTATED)
        .peekable();
    if ends.peek().is_some() {
        return match ends.all(|reason| *reason == CloseReason::SALVAGED) {
            true => CaptureState::Salvaged,
            false => CaptureState::Closed,
        };
    }
    match header.map_or(ArenaState::Gone, |header| arena_state(&header.origin)) {
        ArenaState::Gone if reasons.len() == files.len() => CaptureState::Continued,
        ArenaState::Gone => CaptureState::Unclosed,
        ArenaState::Live => CaptureState::Live,
        ArenaState::Dead => CaptureState::Salvageable,
    }
}

#[cfg(test)]
mod tests {
    use super::Merged;

    /// Each entry with its ticks.
    fn merged(files: &[&[(u64, char)]]) -> Vec<(u64, char)> {
        let mut merged = Merged {
            all: Vec::new(),
            places: Default::default(),
        };
        for file in files {
            merged.add(file, &|entry| entry.0);
        }
        merged.all
    }

    #[test]
    fn repetitions_across_files_count_once() {
        let (a, b, c, d) = ((1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'));
        assert_eq!(
            merged(&[&[a, b, b, d], &[a, b, b, b, c]]),
            [a, b, b, d, b, c]
        );
        assert_eq!(merged(&[&[], &[a, a]]), [a, a]);
        assert_eq!(merged(&[&[b, c], &[c, b], &[c, c, b]]), [b, c, c]);
    }

    #[test]
    fn many_entries_of_one_tick_are_no_burden() {
        let file: Vec<_> = (0..200_000).map(|_| (0, 'x')).collect();
        assert_eq!(merged(&[&file, &file, &file]).len(), file.len());
    }
}
