//! One worker's share: closes traces, and adds them to its own sums.

use std::collections::HashSet;

use perf_format::TraceId;

use super::anatomy::Anatomy;
use super::cells::bin_of;
use super::extent::Extent;
use super::extras::Extras;
use super::flows::{Incomplete, Scratch};
use super::intervals::Intervals;
use super::kept::{Kept, MAX_ASKED, Slowest, renamed};
use super::met::Met;
use super::neighbours::{Choice, Neighbours};
use super::span::Span;
use super::table::{Ends, FlowTable, OTHER};
use super::trace::{FlowId, Note, Trace, TraceSink};
use super::world::{Domain, World};
use crate::capture::Capture;

/// What all workers share.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) captures: &'a [&'a Capture],
    /// By domain: what ran outside of traces, by event.
    pub(crate) background: Vec<Vec<(Met, Intervals)>>,
    pub(crate) by: Option<Vec<u8>>,
    pub(crate) asked: HashSet<u64>,
    pub(crate) rules: Vec<Ends>,
    pub(crate) slowest: usize,
    /// Whether traces are taken apart.
    pub(crate) dissects: bool,
    /// Traces whose waiting is looked at.
    pub(crate) choice: Choice,
}

/// Counts over all traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) measured: u64,
    /// Spans of measured traces.
    pub(crate) spans: u64,
    pub(crate) not_selected: u64,
    /// Ids with annotations or a due time and no span.
    pub(crate) without_spans: u64,
    /// Further traces of an id that one had before.
    pub(crate) reused: u64,
    /// Spans that began within another and ended after it.
    pub(crate) overlaps: u64,
    /// Traces of which nothing but open spans is known.
    pub(crate) only_open: u64,
    /// Spans that reached beyond the parent that they name.
    pub(crate) clipped: u64,
    /// What is left of traces that were not kept.
    pub(crate) fragments: u64,
    /// For how many traces the measured ones stand.
    pub(crate) standing: u64,
}

impl Totals {
    fn merge(&mut self, other: Totals) {
        self.measured += other.measured;
        self.spans += other.spans;
        self.not_selected += other.not_selected;
        self.without_spans += other.without_spans;
        self.reused += other.reused;
        self.overlaps += other.overlaps;
        self.only_open += other.only_open;
        self.clipped += other.clipped;
        self.fragments += other.fragments;
        self.standing += other.standing;
    }
}

/// A worker's sums.
pub(crate) struct Analyst<S> {
    pub(crate) flows: FlowTable,
    pub(crate) slowest: Slowest,
    pub(crate) asked: Vec<Kept>,
    pub(crate) totals: Totals,
    pub(crate) sink: S,
    /// Ids with open spans that have been seen: domain and id.
    pub(crate) open_seen: HashSet<(usize, u64)>,
    anatomy: Anatomy,
    scratch: Scratch,
    busy: Vec<u32>,
}

/// Which trace is closed, and what is known of how it ended.
#[derive(Clone, Copy)]
pub(crate) struct Closing<'a> {
    pub(crate) domain: usize,
    pub(crate) id: u64,
    /// Closed before its time.
    pub(crate) early: bool,
    /// The chunk in which it lies whole.
    pub(crate) neighbours: Option<Neighbours<'a>>,
    /// What is said of its spans.
    pub(crate) extras: Extras<'a>,
}

impl<S: TraceSink> Analyst<S> {
    pub(crate) fn new(scene: &Scene<'_>, sink: S) -> Self {
        Self {
            flows: FlowTable::new(scene.world.events(), scene.rules.clone()),
            slowest: Slowest::new(scene.slowest),
            asked: Vec::new(),
            totals: Totals::default(),
            sink,
            open_seen: HashSet::new(),
            anatomy: Anatomy::default(),
            scratch: Scratch::default(),
            busy: Vec::new(),
        }
    }

    /// Closes all records of one id: one trace, or several where it was idle in between.
    pub(crate) fn close(
        &mut self,
        scene: &Scene<'_>,
        closing: Closing<'_>,
        spans: &mut [Span],
        notes: &[Note<'_>],
    ) {
        let domain = &scene.world.domains[closing.domain];
        let opens = match domain.opens.is_empty() {
            true => &[][..],
            false => domain.opens.get(&closing.id).map_or(&[][..], Vec::as_slice),
        };
        let extent = Extent::of(spans);
        let (mut from, mut to) = (extent.start, extent.end);
        for note in notes {
            from = from.min(note.at);
            to = to.max(note.at);
        }
        if opens.is_empty() && to.saturating_sub(from) <= domain.idle {
            return self.one(scene, closing, (spans, extent), notes, opens);
        }
        if !opens.is_empty() {
            self.open_seen.insert((closing.domain, closing.id));
        }
        self.split(scene, closing, domain, spans, notes, opens);
    }

    /// Cuts where nothing of the trace ran for longer than it may be idle. An open span runs for ever.
    fn split(
        &mut self,
        scene: &Scene<'_>,
        closing: Closing<'_>,
        domain: &Domain,
        spans: &mut [Span],
        notes: &[Note<'_>],
        opens: &[(u64, u32)],
    ) {
        let mut notes = notes.to_vec();
        let mut opens = opens.to_vec();
        spans.sort_unstable_by_key(|span| (span.start, span.order));
        notes.sort_by_key(|note| note.at);
        opens.sort_unstable();
        let (mut spans, mut notes, mut opens) = (spans, notes.as_slice(), opens.as_slice());
        let mut traces = 0;
        loop {
            // What joins the trace that begins with the earliest record left.
            let (mut spans_in, mut notes_in, mut opens_in) = (0, 0, 0);
            let mut reach: Option<u64> = None;
            loop {
                let span = spans.get(spans_in).map(|span| (span.start, 0, span.end));
                let note = notes.get(notes_in).map(|note| (note.at, 1, note.at));
                let open = opens.get(opens_in).map(|open| (open.0, 2, u64::MAX));
                let Some((start, kind, end)) = [span, note, open].into_iter().flatten().min()
                else {
                    break;
                };
                if reach.is_some_and(|reach| start > reach.saturating_add(domain.idle)) {
                    break;
                }
                reach = Some(reach.map_or(end, |reach| reach.max(end)));
                match kind {
                    0 => spans_in += 1,
                    1 => notes_in += 1,
                    _ => opens_in += 1,
                }
            }
            if reach.is_none() {
                break;
            }
            let (mine, rest) = spans.split_at_mut(spans_in);
            let extent = Extent::of(mine);
            self.one(
                scene,
                closing,
                (mine, extent),
                &notes[..notes_in],
                &opens[..opens_in],
            );
            traces += u64::from(!mine.is_empty());
            (spans, notes, opens) = (rest, &notes[notes_in..], &opens[opens_in..]);
        }
        self.totals.reused += u64::saturating_sub(traces, 1);
    }

    fn one(
        &mut self,
        scene: &Scene<'_>,
        closing: Closing<'_>,
        (spans, mut extent): (&mut [Span], Extent),
        notes: &[Note<'_>],
        opens: &[(u64, u32)],
    ) {
        if spans.is_empty() {
            match opens.is_empty() {
                true => self.totals.without_spans += 1,
                false => self.only_open(scene, closing, opens),
            }
            return;
        }
        let domain = &scene.world.domains[closing.domain];
        let mut clipped = 0;
        if closing.extras.names_parents(spans) {
            clipped = self.anatomy.dissect_explicit(spans, closing.extras);
            extent = Extent::of(spans);
        } else if scene.dissects {
            self.anatomy.dissect(spans, (extent.start, extent.end));
        } else {
            self.anatomy.clear();
        }
        let Extent {
            start,
            end,
            outcomes,
            events,
            ..
        } = extent;
        let Some(block) = domain.block(end) else {
            self.totals.not_selected += 1;
            return;
        };
        self.totals.overlaps += u64::from(self.anatomy.overlaps);
        self.totals.clipped += u64::from(clipped);
        let weight = closing.extras.weight(spans);
        let cut = domain.is_cut(start, end);
        let incomplete = match (opens.is_empty(), cut, closing.early) {
            (false, ..) => Some(Incomplete::Open),
            (_, true, _) => Some(Incomplete::Cut),
            (.., true) => Some(Incomplete::Memory),
            _ if weight.is_none() => Some(Incomplete::Sampled),
            _ => None,
        };
        let trace = Trace {
            world: scene.world,
            captures: scene.captures,
            domain,
            id: TraceId(closing.id),
            start,
            end,
            spans,
            anatomy: &self.anatomy,
            notes,
            outcomes,
            is_lossy: domain.is_lossy(start, end),
            weight: weight.unwrap_or(1),
        };
        let all = trace.spans.iter().map(Span::event);
        let asked = scene.asked.contains(&closing.id) && self.asked.len() < MAX_ASKED;
        if incomplete == Some(Incomplete::Sampled) {
            // Nobody knows its flow.
            self.totals.fragments += 1;
            if asked {
                let kept = Kept::of(&trace, closing.domain, FlowId::OTHER, incomplete);
                self.asked.push(kept);
            }
            return;
        }
        let (place, repeats) = match opens.is_empty() {
            true => self.flows.find(events, all),
            false => self
                .flows
                .find_any(all.chain(opens.iter().map(|(_, event)| *event))),
        };
        let flow = self.flows.id(place);
        if asked {
            self.asked
                .push(Kept::of(&trace, closing.domain, flow, incomplete));
        }
        let level = self.flows.level;
        let sums = self.flows.sums(place);
        if let Some(why) = incomplete {
            let age = domain.last.saturating_sub(start);
            return sums.count_incomplete(why, age);
        }
        self.totals.measured += 1;
        self.totals.standing += u64::from(trace.weight);
        self.totals.spans += trace.spans.len() as u64;
        let block = scene.dissects.then_some((block, level));
        sums.add(&trace, block, repeats, &mut self.scratch);
        if !notes.is_empty() {
            sums.add_due(&trace);
            if scene.dissects || scene.by.is_some() {
                sums.add_notes(&trace, scene.by.as_deref(), &mut self.scratch);
            }
        }
        let bin = bin_of(end - start);
        for (met, intervals) in &scene.background[closing.domain] {
            if intervals.meet(start, end) {
                sums.met.note(*met, bin);
            }
        }
        let looked_at = place != OTHER && scene.choice.takes(closing.id);
        if let Some(neighbours) = closing.neighbours.filter(|_| looked_at) {
            if !scene.choice.is_all() {
                sums.met.note(Met::Looked, bin);
            }
            neighbours.busy(trace.spans, trace.gaps(), end - start, &mut self.busy);
            for event in &self.busy {
                sums.met.note(Met::Busy(*event), bin);
            }
        }
        self.slowest.offer(&trace, closing.domain, flow);
        self.sink.trace(&trace, flow);
    }

    /// A trace of which no span has ended.
    fn only_open(&mut self, scene: &Scene<'_>, closing: Closing<'_>, opens: &[(u64, u32)]) {
        let domain = &scene.world.domains[closing.domain];
        let start = opens.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let (place, _) = self.flows.find_any(opens.iter().map(|(_, event)| *event));
        let age = domain.last.saturating_sub(start);
        self.flows
            .sums(place)
            .count_incomplete(Incomplete::Open, age);
        self.totals.only_open += 1;
    }

    /// Counts the ids with open spans of which no record was seen, the last traces that there are.
    pub(crate) fn close_unseen(&mut self, scene: &Scene<'_>) {
        for (number, domain) in scene.world.domains.iter().enumerate() {
            for (id, opens) in &domain.opens {
                if !self.open_seen.contains(&(number, *id)) {
                    let closing = Closing {
                        domain: number,
                        id: *id,
                        early: false,
                        neighbours: None,
                        extras: Extras::None,
                    };
                    self.only_open(scene, closing, opens);
                }
            }
        }
        self.flows.settle();
    }

    /// Adds another worker's sums.
    pub(crate) fn merge(&mut self, other: Analyst<S>) {
        let ids = self.flows.merge(other.flows);
        self.slowest.merge(other.slowest, &ids);
        self.asked.extend(other.asked.into_iter().map(|mut kept| {
            kept.flow = renamed(kept.flow, &ids);
            kept
        }));
        self.totals.merge(other.totals);
        self.open_seen.extend(other.open_seen);
        self.sink.merge(other.sink, &ids);
    }
}
