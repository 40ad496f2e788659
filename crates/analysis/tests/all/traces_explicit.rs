//! Traces whose spans name their parents, and sampled ones, against an oracle: every name looked up in all spans, every way
//! from parent to parent walked, time shared by recursion.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use perf_analysis::traces::{FlowId, Trace, TraceSink, Traces, traces_with};
use perf_analysis::{CaptureSet, OpenOptions, TraceOptions};
use perf_format::{Extra, SpanId};

use crate::traces_world::{EVENTS, Made, Market, Recipe, What};
use crate::world::Dice;

#[derive(Debug, Clone, PartialEq)]
struct Whole {
    id: u64,
    start: u64,
    end: u64,
    /// By thread, start, end from the last, and place of the record from the last: thread, start, end, event.
    spans: Vec<(u32, u64, u64, u32)>,
    parents: Vec<Option<usize>>,
    own: Vec<u64>,
    /// From, to, start, end; from the last.
    gaps: Vec<(u32, u32, u64, u64)>,
}

#[derive(Debug, Default)]
struct Seen(Vec<Whole>);

impl TraceSink for Seen {
    fn trace(&mut self, trace: &Trace<'_>, _: FlowId) {
        let world = trace.world();
        let event = |event: u32| {
            let name = world.event_name(event);
            EVENTS.iter().position(|each| *each == name).unwrap() as u32
        };
        let thread = |thread: u32| -> u32 {
            let name = world.thread_name(thread);
            name.strip_prefix("worker-").unwrap().parse().unwrap()
        };
        let spans = trace.spans().iter().map(|span| {
            (
                thread(span.thread()),
                span.start,
                span.end,
                event(span.event()),
            )
        });
        let all = 0..trace.spans().len();
        let gaps = trace.gaps().iter();
        let whole = Whole {
            id: trace.id().0,
            start: trace.start(),
            end: trace.end(),
            spans: spans.collect(),
            parents: all.clone().map(|at| trace.parent(at)).collect(),
            own: all.map(|at| trace.own(at)).collect(),
            gaps: gaps
                .map(|gap| (event(gap.from), event(gap.to), gap.start, gap.end))
                .collect(),
        };
        let gaps = whole.gaps.iter().map(|(.., start, end)| end - start);
        let sum = whole.own.iter().sum::<u64>() + gaps.sum::<u64>();
        assert_eq!(sum, trace.end_to_end(), "stages and gaps add up");
        self.0.push(whole);
    }

    fn merge(&mut self, other: Self, _: &[FlowId]) {
        self.0.extend(other.0);
    }
}

/// Names parents in all ways, also wrong ones: of no span, of two, of the span itself, in circles. Some traces are sampled,
/// and of some only a part was kept.
fn name_and_weigh(market: &mut Market, dice: &mut Dice) {
    let mut by_id: BTreeMap<u64, Vec<&mut Made>> = BTreeMap::new();
    for made in &mut market.made {
        if made.trace != 0 && matches!(made.what, What::Span(..)) {
            by_id.entry(made.trace).or_default().push(made);
        }
    }
    for spans in by_id.into_values() {
        let many = spans.len() as u64;
        let weight = [1, 1, 4, 10][dice.below(4) as usize];
        let (mixed, lone) = (dice.once_in(8), dice.once_in(8));
        for (at, made) in spans.into_iter().enumerate() {
            let at = at as u64;
            // Now and then no id, or that of another.
            let span_id = match dice.below(12) {
                0 => 0,
                1 => 100 + dice.below(many),
                _ => 100 + at,
            };
            let parent_id = match dice.below(6) {
                0 if at > 0 => 0,
                1 => 7,
                _ => 100 + dice.below(many),
            };
            let weight = if mixed && at == 0 { weight + 1 } else { weight };
            made.extra = Extra {
                weight: NonZeroU32::new(weight).unwrap(),
                span_id: SpanId(span_id),
                parent_id: SpanId(parent_id),
                is_lone: lone && at + 1 == many,
            };
        }
    }
}

/// A span as the oracle sees it: place of its record, record, event.
type SpanOf<'a> = (usize, &'a Made, u32);

/// What the oracle says of a capture.
#[derive(Debug, Default)]
struct Told {
    wholes: Vec<Whole>,
    fragments: u64,
    clipped: u64,
    stand_for: u64,
}

fn told(market: &Market) -> Told {
    let mut by_id: BTreeMap<u64, Vec<SpanOf<'_>>> = BTreeMap::new();
    for (order, made) in market.made.iter().enumerate() {
        if let (What::Span(event, _), true) = (&made.what, made.trace != 0) {
            by_id
                .entry(made.trace)
                .or_default()
                .push((order, made, *event));
        }
    }
    let mut told = Told::default();
    for (id, mut spans) in by_id {
        spans.sort_by_key(|(order, made, _)| (made.thread, made.start, !made.end, !*order));
        let (whole, clipped) = whole(id, &spans);
        told.clipped += clipped;
        let weights: BTreeSet<u32> = (spans.iter())
            .map(|(_, made, _)| made.extra.weight.get())
            .collect();
        let any_lone = spans.iter().any(|(_, made, _)| made.extra.is_lone);
        if weights.len() > 1 || any_lone {
            told.fragments += 1;
        } else {
            told.stand_for += u64::from(*weights.first().unwrap());
            told.wholes.push(whole);
        }
    }
    told
}

fn whole(id: u64, spans: &[SpanOf<'_>]) -> (Whole, u64) {
    let parents = parents(spans);
    let clipped = (parents.iter().zip(spans)).filter(|(parent, (_, made, _))| {
        parent.is_some_and(|parent| {
            let outer = spans[parent].1;
            made.start < outer.start || made.end > outer.end
        })
    });
    let clipped = clipped.count() as u64;
    let cut: Vec<(u64, u64)> = (0..spans.len())
        .map(|at| cut(spans, &parents, at))
        .collect();
    let mut walk = Walk {
        spans,
        parents: &parents,
        cut: &cut,
        visited: BTreeSet::new(),
        own: vec![0; spans.len()],
        gaps: Vec::new(),
    };
    walk.tops();
    let Walk { own, gaps, .. } = walk;
    let whole = Whole {
        id,
        start: cut.iter().map(|(start, _)| *start).min().unwrap(),
        end: cut.iter().map(|(_, end)| *end).max().unwrap(),
        spans: (spans.iter().zip(&cut))
            .map(|((_, made, event), (start, end))| (made.thread, *start, *end, *event))
            .collect(),
        parents,
        own,
        gaps,
    };
    (whole, clipped)
}

/// The way from a span to what has no parent; it ends as well where it comes to a span again.
fn way(parents: &[Option<usize>], from: usize) -> Vec<usize> {
    let mut way = vec![from];
    while let Some(parent) = parents[way[way.len() - 1]] {
        way.push(parent);
        if way[..way.len() - 1].contains(&parent) {
            break;
        }
    }
    way
}

fn is_in_circle(parents: &[Option<usize>], at: usize) -> bool {
    way(parents, at).iter().skip(1).any(|each| *each == at)
}

fn parents(spans: &[SpanOf<'_>]) -> Vec<Option<usize>> {
    let named: Vec<Option<usize>> = (0..spans.len()).map(|at| named(spans, at)).collect();
    let straight: Vec<Option<usize>> = (0..spans.len())
        .map(|at| named[at].filter(|_| !is_in_circle(&named, at)))
        .collect();
    let both: Vec<Option<usize>> = (0..spans.len())
        .map(|at| straight[at].or_else(|| container(spans, at)))
        .collect();
    (0..spans.len())
        .map(
            |at| match straight[at].is_none() && is_in_circle(&both, at) {
                true => None,
                false => both[at],
            },
        )
        .collect()
}

/// The one span that has the id that `at` names as its parent's, if they have time in common.
fn named(spans: &[SpanOf<'_>], at: usize) -> Option<usize> {
    let made = spans[at].1;
    let wanted = made.extra.parent_id;
    let has = |other: &usize| wanted.0 != 0 && spans[*other].1.extra.span_id == wanted;
    let found: Vec<usize> = (0..spans.len()).filter(has).collect();
    let [parent] = found[..] else { return None };
    let outer = spans[parent].1;
    let common = made.end.min(outer.end) > made.start.max(outer.start);
    let within = |one: &Made, other: &Made| one.start >= other.start && one.end <= other.end;
    let meet = common || within(made, outer) || within(outer, made);
    (parent != at && meet).then_some(parent)
}

/// The shortest of the same thread that contains it; of identical ones the later recorded is outer.
fn container(spans: &[SpanOf<'_>], at: usize) -> Option<usize> {
    let (order, made, _) = spans[at];
    let contains = |other: &usize| {
        let (theirs, outer, _) = spans[*other];
        let same = (outer.start, outer.end) == (made.start, made.end);
        outer.thread == made.thread
            && *other != at
            && outer.start <= made.start
            && outer.end >= made.end
            && (!same || theirs > order)
    };
    (0..spans.len())
        .filter(contains)
        .min_by_key(|other| (spans[*other].1.end - spans[*other].1.start, spans[*other].0))
}

/// Start and end within all that it lies in.
fn cut(spans: &[SpanOf<'_>], parents: &[Option<usize>], at: usize) -> (u64, u64) {
    let made = spans[at].1;
    match parents[at] {
        None => (made.start, made.end),
        Some(parent) => {
            let (from, to) = cut(spans, parents, parent);
            (made.start.clamp(from, to), made.end.clamp(from, to))
        }
    }
}

struct Walk<'a> {
    spans: &'a [SpanOf<'a>],
    parents: &'a [Option<usize>],
    cut: &'a [(u64, u64)],
    visited: BTreeSet<usize>,
    own: Vec<u64>,
    gaps: Vec<(u32, u32, u64, u64)>,
}

impl Walk<'_> {
    /// Of those below `parent` that were not visited: what was active at `time`, the latest start of several; else what
    /// ended last.
    fn next(&self, parent: Option<usize>, time: u64) -> Option<usize> {
        let (start, end) = (|at: usize| self.cut[at].0, |at: usize| self.cut[at].1);
        let left = || {
            let all = 0..self.spans.len();
            all.filter(|at| self.parents[*at] == parent && !self.visited.contains(at))
        };
        let active = left().filter(|at| start(*at) < time && end(*at) >= time);
        // Within a span, what has no length at `time` has nothing to own; between top-level spans it bounds a gap.
        let ended = left().filter(|at| end(*at) <= time && (parent.is_none() || start(*at) < time));
        active
            .max_by_key(|at| (start(*at), end(*at), *at))
            .or_else(|| ended.max_by_key(|at| (end(*at), start(*at), *at)))
    }

    fn tops(&mut self) {
        let tops = (0..self.spans.len()).filter(|at| self.parents[*at].is_none());
        let last = tops.max_by_key(|at| (self.cut[*at].1, self.cut[*at].0, *at));
        let mut current = last.unwrap();
        let mut time = self.cut[current].1;
        loop {
            time = self.within(current, time);
            let Some(next) = self.next(None, time) else {
                return;
            };
            let end = self.cut[next].1;
            if end < time {
                let (from, to) = (self.spans[next].2, self.spans[current].2);
                self.gaps.push((from, to, end, time));
                time = end;
            }
            current = next;
        }
    }

    /// Shares what lies before `time` of span `at`, and gives its start.
    fn within(&mut self, at: usize, mut time: u64) -> u64 {
        self.visited.insert(at);
        while let Some(child) = self.next(Some(at), time) {
            let end = self.cut[child].1.min(time);
            self.own[at] += time - end;
            time = self.within(child, end);
        }
        self.own[at] += time - self.cut[at].0;
        self.cut[at].0
    }
}

fn analyse(market: &Market, threads: usize) -> (Vec<Whole>, Traces) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("market.bin");
    std::fs::write(&path, &market.bytes).unwrap();
    let set = CaptureSet::open(&[path], &OpenOptions::default()).unwrap();
    let options = TraceOptions {
        idle_ns: u64::MAX / 4,
        threads: Some(threads),
        max_flows: 1000,
        ..TraceOptions::default()
    };
    let seen = traces_with(&set, &options, |_| Seen::default()).unwrap();
    let mut wholes = seen.sink.0;
    wholes.sort_by_key(|whole| whole.id);
    (wholes, seen.traces)
}

#[test]
fn named_parents_and_weights_are_the_oracles() {
    for seed in 1..=16 {
        let mut recipe = Recipe::new(300 + seed);
        // No id is used again, so that an id is a trace; many lie in several chunks.
        (recipe.reuse, recipe.open, recipe.losses) = (u64::MAX, 0, 0);
        recipe.window = [900_000, 4000, 8000, 60_000_000][seed as usize % 4];
        recipe.apart = [40_000, 900][seed as usize / 4 % 2];
        let mut market = recipe.make();
        name_and_weigh(&mut market, &mut Dice::new(seed));
        recipe.write_again(&mut market);
        let expected = told(&market);
        assert!(expected.fragments > 20 && expected.clipped > 100);
        for threads in [1, 3] {
            let (wholes, traces) = analyse(&market, threads);
            for (got, expected) in wholes.iter().zip(&expected.wholes) {
                assert_eq!(got, expected, "seed {seed}");
            }
            assert_eq!(wholes.len(), expected.wholes.len(), "seed {seed}");
            assert_eq!(traces.traces, wholes.len() as u64);
            assert_eq!(traces.incomplete.sampled, expected.fragments);
            assert_eq!(traces.incomplete.total(), expected.fragments);
            assert_eq!(traces.clipped_children, expected.clipped);
            assert_eq!(traces.stand_for, expected.stand_for);
            let in_flows: u64 = traces.flows.iter().map(|flow| flow.count).sum();
            assert_eq!(in_flows, traces.traces, "fragments are of no flow");
            assert!(traces.flows.iter().all(|flow| flow.count > 0));
            let warned = |name: &str| {
                let mut all = traces.warnings.iter();
                all.any(|warning| warning.kind.name() == name)
            };
            assert!(warned("sampled_traces") && warned("clipped_children"));
            assert!(!warned("incomplete_traces"));
        }
    }
}
