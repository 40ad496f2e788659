//! The anatomy of a trace whose spans name their parents.
//!
//! *Parent*: the one span of the trace that has the id named, on whatever thread, unless the two have no time in common (the
//! one followed the other), or the names lead round in a circle. Every other span has the parent that its times give it, or
//! none if that is one of its own descendants.
//!
//! A child that reaches beyond its parent is cut off there, with all that is in it: the trace lasts from the first start
//! to the last end of its top-level spans.
//!
//! *Owner*: as in a trace of one thread, but children of one span may overlap. Of those that were active where the walk is,
//! the one that began last has its turn, else the one that ended last; those that the walk jumps over own nothing.

use super::super::extras::Extras;
use super::super::span::Span;
use super::{Anatomy, NONE};

/// Scratch memory, kept from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Explicit {
    /// Span ids with their spans, sorted.
    ids: Vec<(u64, u32)>,
    /// By span: the parent that it names, or [`NONE`].
    named: Vec<u32>,
    /// By span: from which one the search for circles came to it, plus 1.
    marks: Vec<u32>,
    /// Spans on circles.
    circle: Vec<u32>,
    /// Spans that have a parent, parent by parent, each by start, then end.
    children: Vec<u32>,
    /// By span: where its children begin; those of the last end where the list does.
    from: Vec<u32>,
    /// By place among `children`: where the latest end among those before it and itself is; the rightmost of equals.
    latest: Vec<u32>,
    /// Spans to return to: the span, and the place after its last child that began before the one that the walk is in.
    stack: Vec<(u32, u32)>,
}

impl Anatomy {
    /// Takes `spans` apart, sorted by thread and start, by the parents that they name. Cuts off what reaches beyond its parent,
    /// and gives the number of spans that did.
    #[inline(never)]
    pub(crate) fn dissect_explicit(&mut self, spans: &mut [Span], extras: Extras<'_>) -> u32 {
        self.infer(spans);
        self.explicit.name(spans, extras);
        self.explicit.settle(&mut self.parents);
        let tops = (0..spans.len() as u32).filter(|at| self.parents[*at as usize] == NONE);
        self.tops.spans.extend(tops);
        let clipped = self.explicit.clip(spans, &self.parents, &self.tops.spans);
        self.walk(spans, Self::descend_among);
        clipped
    }

    /// Shares the time of a top-level span from its start to `time` between it and what is in it.
    fn descend_among(&mut self, spans: &[Span], top: u32, mut time: u64) {
        let Explicit {
            children,
            from,
            latest,
            stack,
            ..
        } = &mut self.explicit;
        let (mut at, mut started) = (top, from[top as usize + 1]);
        loop {
            let first = from[at as usize];
            let child = |place: u32| &spans[children[place as usize] as usize];
            while started > first && child(started - 1).start >= time {
                started -= 1;
            }
            if started == first {
                let start = spans[at as usize].start;
                self.own[at as usize] += time - start;
                time = start;
                match stack.pop() {
                    Some(above) => (at, started) = above,
                    None => return,
                }
                continue;
            }
            let mut place = latest[started as usize - 1];
            if child(place).end >= time {
                // None is passed twice: those that are began later than the one that is found.
                place = started - 1;
                while child(place).end < time {
                    place -= 1;
                }
            }
            let end = child(place).end.min(time);
            self.own[at as usize] += time - end;
            stack.push((at, started));
            (at, time) = (children[place as usize], end);
            started = from[at as usize + 1];
        }
    }
}

impl Explicit {
    /// Finds the parents that spans name.
    fn name(&mut self, spans: &[Span], extras: Extras<'_>) {
        self.ids.clear();
        let ids = (spans.iter().zip(0..)).map(|(span, at)| (extras.of(span).span_id.0, at));
        self.ids.extend(ids.filter(|(id, _)| *id != 0));
        self.ids.sort_unstable();
        self.named.clear();
        for (at, span) in spans.iter().enumerate() {
            let id = extras.of(span).parent_id.0;
            let place = self.ids.partition_point(|(each, _)| *each < id);
            let mut same = self.ids[place..].iter().take_while(|(each, _)| *each == id);
            // An id that several have is no name.
            let parent = match (same.next(), same.next()) {
                (Some((_, parent)), None) => *parent,
                _ => NONE,
            };
            let is_parent =
                parent != NONE && parent != at as u32 && meet(span, &spans[parent as usize]);
            self.named.push(if is_parent { parent } else { NONE });
        }
    }

    /// Puts the parents that are named in the place of those that the times give, and opens circles.
    fn settle(&mut self, parents: &mut [u32]) {
        circles(&self.named, &mut self.marks, &mut self.circle);
        for at in &self.circle {
            self.named[*at as usize] = NONE;
        }
        for (parent, named) in parents.iter_mut().zip(&self.named) {
            if *named != NONE {
                *parent = *named;
            }
        }
        circles(parents, &mut self.marks, &mut self.circle);
        for at in &self.circle {
            if self.named[*at as usize] == NONE {
                parents[*at as usize] = NONE;
            }
        }
    }

    /// Lists the children of each span, cuts off what reaches beyond its parent, and counts those that did.
    fn clip(&mut self, spans: &mut [Span], parents: &[u32], tops: &[u32]) -> u32 {
        let parent = |at: u32| parents[at as usize];
        self.children.clear();
        let all = 0..spans.len() as u32;
        self.children.extend(all.filter(|at| parent(*at) != NONE));
        self.children.sort_unstable_by_key(|at| parent(*at));
        self.from.clear();
        self.from.resize(spans.len() + 1, 0);
        let mut clipped = 0;
        for at in &self.children {
            self.from[parent(*at) as usize + 1] += 1;
            let (span, outer) = (&spans[*at as usize], &spans[parent(*at) as usize]);
            clipped += u32::from(span.start < outer.start || span.end > outer.end);
        }
        let mut sum = 0;
        for from in &mut self.from {
            sum += *from;
            *from = sum;
        }
        // From the top down: a parent is cut before its children are.
        self.marks.clear();
        self.marks.extend_from_slice(tops);
        self.latest.clear();
        self.latest.resize(self.children.len(), 0);
        while let Some(at) = self.marks.pop() {
            let Span { start, end, .. } = spans[at as usize];
            let places = self.from[at as usize] as usize..self.from[at as usize + 1] as usize;
            let children = &mut self.children[places.clone()];
            for child in children.iter() {
                let span = &mut spans[*child as usize];
                span.start = span.start.clamp(start, end);
                span.end = span.end.clamp(start, end);
            }
            children.sort_unstable_by_key(|child| {
                let span = &spans[*child as usize];
                (span.start, span.end, *child)
            });
            let mut best = places.start;
            for place in places {
                let end = |place: usize| spans[self.children[place] as usize].end;
                if end(place) >= end(best) {
                    best = place;
                }
                self.latest[place] = best as u32;
                self.marks.push(self.children[place]);
            }
        }
        clipped
    }
}

/// Whether two spans have time in common, or one without length lies within the other.
fn meet(one: &Span, other: &Span) -> bool {
    let within = |inner: &Span, outer: &Span| outer.start <= inner.start && inner.end <= outer.end;
    one.start.max(other.start) < one.end.min(other.end) || within(one, other) || within(other, one)
}

/// All spans from which the way from parent to parent leads back to themselves.
fn circles(parents: &[u32], marks: &mut Vec<u32>, circle: &mut Vec<u32>) {
    circle.clear();
    marks.clear();
    marks.resize(parents.len(), 0);
    for from in 0..parents.len() as u32 {
        let mut at = from;
        while at != NONE && marks[at as usize] == 0 {
            marks[at as usize] = from + 1;
            at = parents[at as usize];
        }
        if at != NONE && marks[at as usize] == from + 1 {
            let first = at;
            loop {
                circle.push(at);
                at = parents[at as usize];
                if at == first {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
