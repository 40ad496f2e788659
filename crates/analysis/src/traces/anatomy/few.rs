//! The anatomy of a short trace as most are: recorded span by span, nested or one after the other on each thread.
//!
//! Records of a thread come in the order of their ends, so that a span comes after all that it contains, and a stack finds
//! the parents. Spans that nest share their time without any walk: of the part before the moment at which the trace's path
//! leaves a top-level span, each span owns what its children do not cover. Only the path from one top-level span to the
//! next is walked.
//!
//! Whatever is not so (another order, partial overlap, spans without length, many spans) is left to the general
//! way, which gives the same for all that is done here.

use super::super::span::Span;
use super::{Anatomy, Gap, NONE};

/// Spans of the longest trace that is taken apart here.
pub(super) const MOST: usize = 16;
const PLACE_BITS: u32 = MOST.ilog2();
/// Times within a trace take so many bits here: a start, an end and a place are one number.
const TIME_BITS: u32 = (u64::BITS - PLACE_BITS) / 2;

/// A top-level span in one number, ordered by start, end, and place among the spans; times from the trace's first start.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Top(u64);

impl Top {
    fn new(start: u64, end: u64, at: usize) -> Self {
        Self(start << (TIME_BITS + PLACE_BITS) | end << PLACE_BITS | at as u64)
    }

    fn start(self) -> u64 {
        self.0 >> (TIME_BITS + PLACE_BITS)
    }

    fn end(self) -> u64 {
        self.0 >> PLACE_BITS & ((1 << TIME_BITS) - 1)
    }

    fn at(self) -> usize {
        self.0 as usize % MOST
    }
}

impl Anatomy {
    /// Takes `spans`, which lie within `from..=to`, apart as they stand, if they are of this kind; otherwise does nothing and
    /// gives false.
    pub(super) fn dissect_few(&mut self, spans: &[Span], (from, to): (u64, u64)) -> bool {
        if spans.len() > MOST || spans.is_empty() || (to - from) >> TIME_BITS > 0 {
            return false;
        }
        if self.own.len() < MOST {
            self.own.resize(MOST, 0);
            self.parents.resize(MOST, NONE);
        }
        let mut tops = [Top::default(); MOST];
        let Some(count) = self.nest(spans, from, &mut tops) else {
            return false;
        };
        let tops = &mut tops[..count];
        sort(tops);
        self.overlaps = 0;
        self.gaps.clear();
        // Mostly one top-level span runs at a time, and the path leaves each at its end: nothing of it is hidden.
        if tops.is_sorted_by(|before, after| before.end() <= after.start()) {
            self.chain(spans, tops, from);
        } else {
            let mut left = [0; MOST];
            self.walk_tops(spans, tops, from, &mut left);
            self.clip(spans, from, &mut left);
        }
        true
    }

    /// Finds the parents, what each span owns if nothing hides it, and the top-level spans, which it counts; `None` if the
    /// spans of a thread are not in the order of their ends, or do not nest.
    #[inline]
    fn nest(&mut self, spans: &[Span], from: u64, tops: &mut [Top; MOST]) -> Option<usize> {
        let own = self.own.first_chunk_mut::<MOST>()?;
        let parents = self.parents.first_chunk_mut::<MOST>()?;
        // Those that nothing contains so far: of earlier threads, then of this one.
        let (mut count, mut mine) = (0, 0);
        let (mut thread, mut end) = (0, 0);
        for (at, span) in spans.iter().enumerate().take(MOST) {
            if span.thread() != thread {
                if span.thread() < thread {
                    return None;
                }
                (thread, mine, end) = (span.thread(), count, 0);
            }
            // A span without length may lie in two that only touch.
            if span.end < end || span.start == span.end {
                return None;
            }
            end = span.end;
            let start = span.start - from;
            let mut free = end - span.start;
            while count > mine {
                let before = tops[(count - 1) % MOST];
                if before.start() < start {
                    if before.end() > start {
                        return None;
                    }
                    break;
                }
                count -= 1;
                parents[before.at()] = at as u32;
                free -= before.end() - before.start();
            }
            own[at] = free;
            parents[at] = NONE;
            tops[count % MOST] = Top::new(start, end - from, at);
            count += 1;
        }
        Some(count)
    }

    /// The gaps between top-level spans that come one after the other.
    #[inline]
    fn chain(&mut self, spans: &[Span], tops: &[Top], from: u64) {
        for pair in tops.windows(2).rev() {
            let (start, end) = (pair[0].end(), pair[1].start());
            if start < end {
                self.gaps.push(Gap {
                    from: spans[pair[0].at()].event(),
                    to: spans[pair[1].at()].event(),
                    start: from + start,
                    end: from + end,
                });
            }
        }
    }

    /// What each span owns of the time before `left`, at which the path leaves the top-level span that it is in.
    fn clip(&mut self, spans: &[Span], from: u64, left: &mut [u64; MOST]) {
        let own = &mut self.own[..spans.len()];
        own.fill(0);
        // A parent comes after its children.
        for (at, span) in spans.iter().enumerate().rev() {
            let parent = self.parents[at];
            if parent != NONE {
                left[at] = left[parent as usize];
            }
            let time = (span.end - from).min(left[at]);
            let time = time.saturating_sub(span.start - from);
            own[at] = own[at].wrapping_add(time);
            if parent != NONE {
                own[parent as usize] = own[parent as usize].wrapping_sub(time);
            }
        }
    }

    /// Walks back from the last end, notes when the path leaves each top-level span that it is in, and the gaps.
    #[inline(never)]
    fn walk_tops(&mut self, spans: &[Span], tops: &[Top], from: u64, left: &mut [u64; MOST]) {
        // By place: the latest end up to there, and the rightmost of those that have it.
        let mut latest = [0; MOST];
        let mut last = 0;
        for (place, (top, latest)) in tops.iter().zip(&mut latest).enumerate() {
            last = u64::max(last, top.end() << PLACE_BITS | place as u64);
            *latest = last;
        }
        let place_of = |latest: u64| (latest as usize % MOST).min(tops.len() - 1);
        let mut at = place_of(last);
        let mut time = tops[at].end();
        loop {
            let top = tops[at];
            left[top.at()] = time;
            time = top.start();
            // Of equal starts, others may stand before it.
            let mut begun = at;
            while begun > 0 && tops[begun - 1].start() >= time {
                begun -= 1;
            }
            if begun == 0 {
                return;
            }
            let last = latest[begun - 1];
            at = place_of(last);
            if last >> PLACE_BITS >= time {
                // Something is active then: what began last goes first.
                at = begun - 1;
                while tops[at].end() < time {
                    at -= 1;
                }
            } else {
                self.gaps.push(Gap {
                    from: spans[tops[at].at()].event(),
                    to: spans[top.at()].event(),
                    start: from + tops[at].end(),
                    end: from + time,
                });
                time = tops[at].end();
            }
        }
    }
}

/// Few, and mostly in order.
#[inline]
fn sort(tops: &mut [Top]) {
    for at in 1..tops.len() {
        let top = tops[at];
        let mut to = at;
        while to > 0 && tops[to - 1] > top {
            tops[to] = tops[to - 1];
            to -= 1;
        }
        tops[to] = top;
    }
}

#[cfg(test)]
mod tests;
