//! Files of one capture joined to one.

use std::collections::HashMap;

use perf_format::{
    Anchor, CaptureId, ClockMap, CloseReason, EventId, FileHeader, LossEntry, Notes, OpenSpan,
    SAMPLING_LABEL, SegmentId,
};

use super::CaptureFile;
use super::arena::{ArenaState, arena_state};
use crate::report::CaptureState;
use crate::report::rows::Named;

/// All files of one capture, and what their small chunks say together.
#[derive(Debug)]
pub(crate) struct Capture {
    /// In the order given; never empty.
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
    groups.into_iter().map(Capture::new).collect()
}

impl Capture {
    fn new(files: Vec<CaptureFile>) -> Self {
        let header = files.iter().find_map(|file| file.index.header.as_ref());
        let id = header.map(|header| header.capture_id);
        let state = state_of(&files, header);
        let mut anchors = Vec::new();
        let mut notes = Notes::default();
        let mut open_spans = Vec::new();
        for file in &files {
            let index = &file.index;
            append_new(&mut anchors, &index.anchors.anchors);
            append_new(&mut notes.self_costs, &index.notes.self_costs);
            append_new(&mut notes.warnings, &index.notes.warnings);
            append_new(&mut notes.losses, &index.notes.losses);
            append_new(&mut open_spans, &index.open_spans);
        }
        let clock = ClockMap::new(header, &anchors);
        let breaks = breaks(&anchors);
        Self {
            id,
            state,
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

/// Appends what `all` does not hold yet. Two files of one capture repeat each other's small chunks; within one
/// file the same entry twice is two entries.
fn append_new<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    if all.is_empty() {
        all.extend_from_slice(more);
        return;
    }
    let before = all.len();
    let mut matched = vec![false; before];
    let mut next = 0;
    for entry in more {
        // Repetitions come in the same order, so the match is nearly always the next one.
        let at = (next..before)
            .chain(0..next)
            .find(|at| !matched[*at] && all[*at] == *entry);
        match at {
            Some(at) => {
                matched[at] = true;
                next = at + 1;
            }
            None => all.push(entry.clone()),
        }
    }
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
    let closed = || files.iter().filter(|file| file.index.closed_cleanly());
    let mut reasons = closed()
        .filter_map(|file| file.index.close.as_ref())
        .map(|close| close.reason)
        .peekable();
    if reasons.peek().is_some() {
        return match reasons.all(|reason| reason == CloseReason::SALVAGED) {
            true => CaptureState::Salvaged,
            false => CaptureState::Closed,
        };
    }
    match header.map_or(ArenaState::Gone, |header| arena_state(&header.origin)) {
        ArenaState::Gone => CaptureState::Unclosed,
        ArenaState::Live => CaptureState::Live,
        ArenaState::Dead => CaptureState::Salvageable,
    }
}

#[cfg(test)]
mod tests {
    use super::append_new;

    #[test]
    fn repetitions_across_files_count_once() {
        let mut all = vec![1, 2, 2, 3];
        append_new(&mut all, &[1, 2, 2, 2, 4]);
        assert_eq!(all, [1, 2, 2, 3, 2, 4]);
        let mut empty = Vec::new();
        append_new(&mut empty, &[7, 7]);
        assert_eq!(empty, [7, 7]);
    }
}
