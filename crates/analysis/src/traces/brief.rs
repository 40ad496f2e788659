//! The short way for whoever asks only how long traces took.
//!
//! Of a chunk's rows only the extent of each trace is kept, in one pass. A trace that lies in this chunk alone, whose events
//! are all different, and of which nothing else is said, is closed with that. The rows of the others are then gathered and
//! go the usual way.

use perf_format::TraceId;

use super::analyst::{Analyst, Scene};
use super::anatomy::Anatomy;
use super::chunk::{ChunkRef, Grouped};
use super::extent::Extent;
use super::extras::Extras;
use super::trace::{Trace, TraceSink};

/// Events up to which a bit tells each from the others.
const MAX_EVENTS: usize = 64;

/// Groups the rows of a chunk by trace, but for those of traces that are closed at once. `repeats` says which traces may lie
/// in other chunks as well.
pub(crate) fn group<S: TraceSink>(
    grouped: &mut Grouped,
    analyst: &mut Analyst<S>,
    scene: &Scene<'_>,
    of: &ChunkRef<'_>,
    repeats: &[bool],
) {
    let is_plain = matches!(Extras::of_chunk(&grouped.columns), Extras::None);
    if !is_plain || !scene.is_brief(of.domain) {
        return grouped.group(scene.world, of);
    }
    let nothing = Anatomy::default();
    grouped.group_some(scene.world, of, |at, id, extent| {
        id != 0 && (repeats[at] || !analyst.close_brief(scene, of.domain, id, extent, &nothing))
    });
}

impl Scene<'_> {
    /// Whether traces of a domain may go the short way.
    fn is_brief(&self, domain: usize) -> bool {
        !self.dissects
            && self.by.is_none()
            && self.background[domain].is_empty()
            && self.world.events() <= MAX_EVENTS
            && self.world.domains[domain].opens.is_empty()
    }
}

impl<S: TraceSink> Analyst<S> {
    /// Closes a trace whose extent is all that is needed; false if more is.
    #[inline]
    fn close_brief(
        &mut self,
        scene: &Scene<'_>,
        domain: usize,
        id: u64,
        extent: &Extent,
        nothing: &Anatomy,
    ) -> bool {
        let of = &scene.world.domains[domain];
        let (start, end) = (extent.start, extent.end);
        if extent.repeats() || extent.end_to_end() > of.idle || of.is_cut(start, end) {
            return false;
        }
        let Some(place) = self.flows.known(extent.events) else {
            return false;
        };
        let flow = self.flows.id(place);
        let sums = self.flows.sums(place);
        if !sums.is_plain() || sums.sample.wants(TraceId(id)) {
            return false;
        }
        if of.block(end).is_none() {
            self.totals.not_selected += 1;
            return true;
        }
        let trace = Trace {
            world: scene.world,
            captures: scene.captures,
            domain: of,
            id: TraceId(id),
            start,
            end,
            spans: &[],
            anatomy: nothing,
            notes: &[],
            outcomes: extent.outcomes,
            is_lossy: of.is_lossy(start, end),
            weight: 1,
        };
        self.totals.measured += 1;
        self.totals.standing += 1;
        self.totals.spans += u64::from(extent.spans);
        sums.add_brief(&trace);
        self.sink.trace(&trace, flow);
        true
    }
}
