//! Traces that are kept whole: the slowest, and those asked for.

use std::cmp::Reverse;

use perf_format::{AnnotationValue, TraceId};

use super::anatomy::{Gap, NONE};
use super::flows::Incomplete;
use super::span::Span;
use super::trace::{FlowId, Trace};

/// Spans that are kept of one trace; of longer ones the first.
pub const MAX_KEPT_SPANS: usize = 10_000;
/// Annotations that are kept of one trace.
const MAX_KEPT_NOTES: usize = 1000;
/// Traces that are kept because their id was asked for.
pub(crate) const MAX_ASKED: usize = 100;

/// A trace, copied out of the pass.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: TraceId,
    pub(crate) domain: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) flow: FlowId,
    pub(crate) spans: Vec<(Span, u32, u64)>,
    pub(crate) more_spans: u64,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) annotations: Vec<(String, KeptValue)>,
    pub(crate) lag_ns: Option<i64>,
    pub(crate) response_ns: Option<u64>,
    pub(crate) is_lossy: bool,
    pub(crate) incomplete: Option<Incomplete>,
}

/// The value of an annotation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeptValue {
    Text(String),
    Int(i64),
    Float(f64),
}

impl KeptValue {
    fn of(value: AnnotationValue<'_>) -> Self {
        match value {
            AnnotationValue::Str(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            AnnotationValue::Int(value) => Self::Int(value),
            AnnotationValue::Float(value) => Self::Float(value),
        }
    }
}

impl Kept {
    pub(crate) fn of(
        trace: &Trace<'_>,
        domain: usize,
        flow: FlowId,
        incomplete: Option<Incomplete>,
    ) -> Self {
        let anatomy = trace.anatomy;
        // In the order of time: thread by thread is for machines.
        let mut order: Vec<u32> = (0..trace.spans.len() as u32).collect();
        let key = |at: u32| {
            let span = &trace.spans[at as usize];
            (span.start, Reverse(span.end), at)
        };
        order.sort_unstable_by_key(|at| key(*at));
        let mut place = vec![NONE; order.len()];
        for (to, from) in order.iter().enumerate() {
            place[*from as usize] = to as u32;
        }
        let spans = order.iter().take(MAX_KEPT_SPANS).map(|at| {
            let at = *at as usize;
            let parent = match anatomy.parents[at] {
                NONE => NONE,
                parent => place[parent as usize],
            };
            (trace.spans[at], parent, anatomy.own[at])
        });
        let annotations = trace.annotations().take(MAX_KEPT_NOTES);
        Self {
            id: trace.id,
            domain,
            start: trace.start,
            end: trace.end,
            flow,
            spans: spans.collect(),
            more_spans: order.len().saturating_sub(MAX_KEPT_SPANS) as u64,
            gaps: anatomy
                .gaps
                .iter()
                .rev()
                .take(MAX_KEPT_SPANS)
                .copied()
                .collect(),
            annotations: annotations
                .map(|(key, value)| {
                    (
                        String::from_utf8_lossy(key).into_owned(),
                        KeptValue::of(value),
                    )
                })
                .collect(),
            lag_ns: trace.lag_ns(),
            response_ns: trace.response_ns(),
            is_lossy: trace.is_lossy,
            incomplete,
        }
    }

    fn rank(&self) -> (Reverse<u64>, usize, u64, u64) {
        rank(self.end - self.start, self.domain, self.start, self.id)
    }
}

fn rank(e2e: u64, domain: usize, start: u64, id: TraceId) -> (Reverse<u64>, usize, u64, u64) {
    (Reverse(e2e), domain, start, id.0)
}

/// The slowest traces so far.
#[derive(Debug)]
pub(crate) struct Slowest {
    limit: usize,
    /// Sorted, the slowest first.
    kept: Vec<Kept>,
    /// No trace faster than this has a place.
    floor: u64,
}

impl Slowest {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::new(),
            floor: if limit == 0 { u64::MAX } else { 0 },
        }
    }

    /// Keeps the trace if it is among the slowest.
    #[inline]
    pub(crate) fn offer(&mut self, trace: &Trace<'_>, domain: usize, flow: FlowId) {
        if trace.end_to_end() >= self.floor && self.limit > 0 {
            self.take(trace, domain, flow);
        }
    }

    #[cold]
    fn take(&mut self, trace: &Trace<'_>, domain: usize, flow: FlowId) {
        let mine = rank(trace.end_to_end(), domain, trace.start, trace.id);
        if self.kept.len() < self.limit || self.kept.last().is_some_and(|last| mine < last.rank()) {
            self.insert(Kept::of(trace, domain, flow, None));
        }
    }

    fn insert(&mut self, trace: Kept) {
        let at = self.kept.partition_point(|each| each.rank() < trace.rank());
        self.kept.insert(at, trace);
        self.kept.truncate(self.limit);
        if self.kept.len() == self.limit {
            self.floor = self.kept.last().map_or(0, |last| last.end - last.start);
        }
    }

    pub(crate) fn merge(&mut self, other: Slowest, flows: &[FlowId]) {
        for mut trace in other.kept {
            trace.flow = renamed(trace.flow, flows);
            self.insert(trace);
        }
    }

    pub(crate) fn finish(self) -> Vec<Kept> {
        self.kept
    }
}

/// What a flow of another worker is called here.
pub(crate) fn renamed(flow: FlowId, flows: &[FlowId]) -> FlowId {
    match flow {
        FlowId::OTHER => flow,
        FlowId(number) => flows.get(number as usize).copied().unwrap_or(FlowId::OTHER),
    }
}
