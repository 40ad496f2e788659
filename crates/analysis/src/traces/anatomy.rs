//! Parents, owners and gaps of one trace, as DESIGN.md defines them.
//!
//! *Parent*: the shortest span of the same thread that contains a span, ends inclusive; of identical intervals the one
//! recorded later is outer; of containers of one length the one recorded first. Partial overlap means siblings.
//!
//! *Owner*: the walk goes back from the last end. A span owns its time down to the end of its latest child, then the child
//! has its turn, and at the child's start the span goes on. At the start of a top-level span the walk continues in the
//! top-level span that was active then (the latest start of several), else in the one that ended last; the hole in
//! between is a gap. Each span is visited once, and those that the walk jumps over own nothing. So the spans' own times
//! and the gaps add up to the time from the first start to the last end, exactly.

mod explicit;
mod few;

use std::cmp::Reverse;

use self::explicit::Explicit;
use super::span::Span;

/// No span.
pub(crate) const NONE: u32 = u32::MAX;
/// Up to so many spans of a thread, containers are looked for one by one.
const FEW: usize = 48;

/// Time in which no top-level span of the trace was active on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The event whose span ended before it.
    pub from: u32,
    /// The event whose span began after it.
    pub to: u32,
    /// When it began, in units.
    pub start: u64,
    /// When it ended, in units.
    pub end: u64,
}

/// The anatomy of one trace. Kept, and used again for the next, so that a trace allocates nothing. What goes by span may be
/// longer than there are spans.
#[derive(Debug, Default)]
pub(crate) struct Anatomy {
    /// By span: its parent, or [`NONE`].
    pub(crate) parents: Vec<u32>,
    /// By span: the time that it owns, in units.
    pub(crate) own: Vec<u64>,
    /// From the last to the first. Never empty ones.
    pub(crate) gaps: Vec<Gap>,
    /// Spans that began within another of their thread and ended after it.
    pub(crate) overlaps: u32,
    /// By span: its last child, and the sibling before itself.
    last_child: Vec<u32>,
    before: Vec<u32>,
    tops: Tops,
    /// Spans that the walk will return to: the span, and the child before the one that it is in.
    stack: Vec<(u32, u32)>,
    containers: Containers,
    explicit: Explicit,
}

/// Top-level spans by start, then end.
#[derive(Debug, Default)]
struct Tops {
    spans: Vec<u32>,
    /// By place: where the latest end up to there is; the rightmost of equals.
    latest: Vec<u32>,
}

impl Anatomy {
    /// Forgets the trace before.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.parents.clear();
        self.own.clear();
        self.gaps.clear();
        self.overlaps = 0;
    }

    /// Takes `spans` apart, which lie within `extent`: from the first start to the last end. They stay as they are recorded,
    /// or are sorted by thread and start.
    #[inline]
    pub(crate) fn dissect(&mut self, spans: &mut [Span], extent: (u64, u64)) {
        if !self.dissect_few(spans, extent) {
            self.dissect_many(spans);
        }
    }

    /// Sorts `spans` by thread and start, and takes them apart.
    #[inline(never)]
    fn dissect_many(&mut self, spans: &mut [Span]) {
        self.infer(spans);
        for list in [&mut self.last_child, &mut self.before] {
            list.clear();
            list.resize(spans.len(), NONE);
        }
        for at in 0..spans.len() as u32 {
            match self.parents[at as usize] {
                NONE => self.tops.spans.push(at),
                parent => {
                    let last = &mut self.last_child[parent as usize];
                    self.before[at as usize] = *last;
                    *last = at;
                }
            }
        }
        self.walk(spans, Self::descend);
    }

    /// Sorts `spans` by thread and start, and finds the parents that their times give them. All else is empty then.
    fn infer(&mut self, spans: &mut [Span]) {
        spans.sort_unstable_by(|a, b| {
            let key = |span: &Span| {
                (
                    span.thread(),
                    span.start,
                    Reverse(span.end),
                    Reverse(span.order),
                )
            };
            key(a).cmp(&key(b))
        });
        self.overlaps = 0;
        self.gaps.clear();
        self.parents.clear();
        self.parents.resize(spans.len(), NONE);
        self.own.clear();
        self.own.resize(spans.len(), 0);
        self.tops.spans.clear();
        let mut from = 0;
        while from < spans.len() {
            let thread = spans[from].thread();
            let mut to = from + 1;
            while to < spans.len() && spans[to].thread() == thread {
                to += 1;
            }
            self.find_parents(spans, from, to);
            from = to;
        }
    }

    /// Parents within one thread, whose spans are `from..to`. A container of a span comes before it.
    fn find_parents(&mut self, spans: &[Span], from: usize, to: usize) {
        let many = to - from > FEW;
        if many {
            self.containers.begin(&spans[from..to]);
        }
        let mut latest = 0;
        for at in from..to {
            let span = &spans[at];
            // Ends of all before are below its own: nothing contains it.
            let apart = at == from || span.end > latest;
            if apart {
                self.overlaps += u32::from(at > from && span.start < latest);
            }
            if many {
                let (parent, overlaps) = self.containers.take(span, at as u32, spans);
                if !apart {
                    self.parents[at] = parent;
                    self.overlaps += u32::from(overlaps);
                }
            } else if !apart {
                let (parent, overlaps) = container(spans, from, at);
                self.parents[at] = parent;
                self.overlaps += u32::from(overlaps);
            }
            latest = latest.max(span.end);
        }
    }

    /// `descend` shares the time of a top-level span up to a time.
    fn walk(&mut self, spans: &[Span], descend: impl Fn(&mut Self, &[Span], u32, u64)) {
        let Some((mut at, mut time)) = self.tops.begin(spans) else {
            return;
        };
        // Places before this one start before `time`.
        let mut started = self.tops.spans.len();
        // Places from `started` up to this one may be spans without length at `time` itself.
        let mut instants;
        loop {
            let top = self.tops.spans[at];
            descend(self, spans, top, time);
            let left = &spans[top as usize];
            if left.start < time || started > at {
                time = left.start;
                while started > 0 && spans[self.tops.spans[started - 1] as usize].start >= time {
                    started -= 1;
                }
                instants = started;
                while instants < at && spans[self.tops.spans[instants] as usize].end == time {
                    instants += 1;
                }
            } else {
                instants = at;
            }
            let Some(next) = self.tops.next(spans, time, started, instants) else {
                return;
            };
            let reached = spans[self.tops.spans[next] as usize].end.min(time);
            if reached < time {
                self.gaps.push(Gap {
                    from: spans[self.tops.spans[next] as usize].event(),
                    to: left.event(),
                    start: reached,
                    end: time,
                });
            }
            (at, time) = (next, reached);
        }
    }

    /// Shares the time of a top-level span from its start to `time` between it and what is in it.
    fn descend(&mut self, spans: &[Span], top: u32, time: u64) {
        let (mut at, mut time) = (top, time);
        let mut child = self.last_child[at as usize];
        loop {
            // Siblings neither contain each other nor share an end, so the last that has begun also ends last.
            while child != NONE && spans[child as usize].start >= time {
                child = self.before[child as usize];
            }
            if child != NONE {
                let end = spans[child as usize].end.min(time);
                self.own[at as usize] += time - end;
                self.stack.push((at, self.before[child as usize]));
                (at, time) = (child, end);
                child = self.last_child[at as usize];
                continue;
            }
            let start = spans[at as usize].start;
            self.own[at as usize] += time - start;
            time = start;
            match self.stack.pop() {
                Some(above) => (at, child) = above,
                None => return,
            }
        }
    }
}

impl Tops {
    /// Sorts, and gives the place of the span that ends last, with its end.
    fn begin(&mut self, spans: &[Span]) -> Option<(usize, u64)> {
        let key = |at: &u32| {
            let span = &spans[*at as usize];
            (span.start, span.end, *at)
        };
        self.spans.sort_unstable_by_key(key);
        self.latest.clear();
        let mut best = 0;
        for (place, at) in self.spans.iter().enumerate() {
            if spans[*at as usize].end >= spans[self.spans[best] as usize].end {
                best = place;
            }
            self.latest.push(best as u32);
        }
        let last = *self.latest.last()? as usize;
        Some((last, spans[self.spans[last] as usize].end))
    }

    /// Where the walk goes on at `time`. Places below `started` began before it; those from there up to `instants` are
    /// spans without length at `time` that it has not been in.
    ///
    /// Takes as long as all places that it passes, and none is passed twice: what was passed began later than what is found.
    fn next(&self, spans: &[Span], time: u64, started: usize, instants: usize) -> Option<usize> {
        let end = |place: usize| spans[self.spans[place] as usize].end;
        let latest = self.latest[..started].last().map(|place| *place as usize);
        if latest.is_some_and(|place| end(place) >= time) {
            return (0..started).rev().find(|place| end(*place) >= time);
        }
        match instants > started {
            true => Some(instants - 1),
            false => latest,
        }
    }
}

/// The shortest of `spans[from..at]` that contains span `at`, and whether it sticks out of one of them.
fn container(spans: &[Span], from: usize, at: usize) -> (u32, bool) {
    let span = &spans[at];
    let mut best = (u64::MAX, u64::MAX, NONE);
    let mut overlaps = false;
    for (place, other) in spans[from..at].iter().enumerate() {
        if other.end >= span.end {
            best = best.min((other.duration(), other.order, (from + place) as u32));
        } else {
            overlaps |= other.end > span.start;
        }
    }
    (best.2, overlaps)
}

/// The same for many spans: trees over their ends (Fenwick), into which spans are put as the sweep passes their starts.
#[derive(Debug, Default)]
struct Containers {
    ends: Vec<u64>,
    /// Over ends from the last: the shortest.
    shortest: Vec<(u64, u64, u32)>,
    /// Over ends from the first: how many.
    counts: Vec<u32>,
}

impl Containers {
    fn begin(&mut self, spans: &[Span]) {
        self.ends.clear();
        self.ends.extend(spans.iter().map(|span| span.end));
        self.ends.sort_unstable();
        self.ends.dedup();
        self.shortest.clear();
        self.shortest
            .resize(self.ends.len() + 1, (u64::MAX, u64::MAX, NONE));
        self.counts.clear();
        self.counts.resize(self.ends.len() + 1, 0);
    }

    /// What contains `span` among those taken before, and whether it sticks out of one; then takes it.
    fn take(&mut self, span: &Span, at: u32, _spans: &[Span]) -> (u32, bool) {
        let size = self.ends.len();
        let below = self.ends.partition_point(|end| *end < span.end);
        let mut best = (u64::MAX, u64::MAX, NONE);
        let mut place = size - below;
        while place > 0 {
            best = best.min(self.shortest[place]);
            place -= place & place.wrapping_neg();
        }
        let before_start = self.ends.partition_point(|end| *end <= span.start);
        let overlaps = self.count(below) > self.count(before_start);
        let mut place = size - below;
        while place <= size {
            let slot = &mut self.shortest[place];
            *slot = (*slot).min((span.duration(), span.order, at));
            place += place & place.wrapping_neg();
        }
        let mut place = below + 1;
        while place <= size {
            self.counts[place] += 1;
            place += place & place.wrapping_neg();
        }
        (best.2, overlaps)
    }

    fn count(&self, mut place: usize) -> u32 {
        let mut count = 0;
        while place > 0 {
            count += self.counts[place];
            place -= place & place.wrapping_neg();
        }
        count
    }
}
