//! One finished trace, and who wants to see it.

use perf_format::{AnnotationValue, TraceId};

use super::anatomy::{Anatomy, Gap, NONE};
use super::span::Span;
use super::world::{Domain, World};
use crate::capture::Capture;
use crate::value::UnixNs;

/// A flow, as one worker numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

impl FlowId {
    /// All flows beyond those that are told apart.
    pub const OTHER: FlowId = FlowId(u32::MAX);
}

/// Sees every finished trace, in the same pass that sums the flows up.
///
/// There is one instance a worker. Which traces an instance sees, and in which order, depends on the number of threads:
/// what comes out after [`TraceSink::merge`] must not. Only traces that are selected, and whole as far as anybody knows, are
/// shown; see [`Trace::is_lossy`].
pub trait TraceSink: Send + Sized {
    /// A trace has ended.
    fn trace(&mut self, trace: &Trace<'_>, flow: FlowId);

    /// Adds what another worker's instance saw. `flows[i]` is what its flow `i` is called here.
    fn merge(&mut self, other: Self, flows: &[FlowId]);
}

/// Sees nothing.
impl TraceSink for () {
    fn trace(&mut self, _: &Trace<'_>, _: FlowId) {}

    fn merge(&mut self, (): Self, _: &[FlowId]) {}
}

/// An annotation of a trace, or its due time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note<'a> {
    /// When it was recorded, in units.
    pub(crate) at: u64,
    pub(crate) what: What<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What<'a> {
    Pair(&'a [u8], AnnotationValue<'a>),
    /// Unix ns.
    Due(i64),
}

/// The bits of outcomes that are failures: error and panicked.
const FAILURES: u8 = 0b1010;
/// The bit of the outcome of what was cancelled.
const CANCELLED: u8 = 0b0100;

/// One finished trace. Times are in units; see [`World::ns`].
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    pub(crate) world: &'a World,
    pub(crate) captures: &'a [&'a Capture],
    pub(crate) domain: &'a Domain,
    pub(crate) id: TraceId,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) spans: &'a [Span],
    pub(crate) anatomy: &'a Anatomy,
    pub(crate) notes: &'a [Note<'a>],
    /// The bits of its spans' outcomes.
    pub(crate) outcomes: u8,
    pub(crate) is_lossy: bool,
    /// How many traces it is the one of that was kept.
    pub(crate) weight: u32,
}

impl<'a> Trace<'a> {
    /// Its id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Names, and how long a unit is.
    pub fn world(&self) -> &'a World {
        self.world
    }

    /// The first start of its spans.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The last end of its spans.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// From the first start to the last end.
    pub fn end_to_end(&self) -> u64 {
        self.end - self.start
    }

    /// Its spans, thread by thread; those of one in the order recorded, or by start.
    pub fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// The parent of span `at`, if it has one.
    pub fn parent(&self, at: usize) -> Option<usize> {
        match self.anatomy.parents.get(at) {
            None | Some(&NONE) => None,
            Some(parent) => Some(*parent as usize),
        }
    }

    /// The time that span `at` owns: all spans' own time and all gaps add up to [`Trace::end_to_end`].
    pub fn own(&self, at: usize) -> u64 {
        self.anatomy.own.get(at).copied().unwrap_or(0)
    }

    /// The gaps, from the last to the first.
    pub fn gaps(&self) -> &'a [Gap] {
        &self.anatomy.gaps
    }

    /// Annotations, in the order recorded, as far as one thread recorded them: key and value.
    pub fn annotations(&self) -> impl Iterator<Item = (&'a [u8], AnnotationValue<'a>)> + use<'a> {
        self.notes.iter().filter_map(|note| match note.what {
            What::Pair(key, value) => Some((key, value)),
            What::Due(_) => None,
        })
    }

    /// When it ought to have begun, on the wall clock; of several the earliest.
    pub fn due(&self) -> Option<UnixNs> {
        let due = self.notes.iter().filter_map(|note| match note.what {
            What::Due(due) => Some(due),
            What::Pair(..) => None,
        });
        due.min().map(UnixNs)
    }

    /// From the due time to the first start, in ns; negative when it began early. The wall clock is read, so it is as exact
    /// as that.
    pub fn lag_ns(&self) -> Option<i64> {
        let due = self.due()?;
        Some(self.unix_ns(self.start).0.saturating_sub(due.0))
    }

    /// From the due time to the last end, in ns: lag and service time. A trace that began early waited for nobody.
    pub fn response_ns(&self) -> Option<u64> {
        let lag = self.lag_ns()?.max(0);
        Some(self.world.ns(self.end_to_end()).saturating_add_signed(lag))
    }

    /// A time on the wall clock.
    pub fn unix_ns(&self, units: u64) -> UnixNs {
        UnixNs(self.domain.unix_ns(self.captures, units))
    }

    /// Whether any of its spans ended in an error or a panic.
    pub fn has_failed(&self) -> bool {
        self.outcomes & FAILURES != 0
    }

    /// Whether any of its spans was cancelled.
    pub fn was_cancelled(&self) -> bool {
        self.outcomes & CANCELLED != 0
    }

    /// How many traces it stands for, itself included: more than one where a recorder kept a sample.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// True if records were lost while it ran: spans of it may be missing.
    pub fn is_lossy(&self) -> bool {
        self.is_lossy
    }
}
