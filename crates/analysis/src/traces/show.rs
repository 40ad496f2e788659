//! Traces that were kept, in the words of the result.

use super::flows::Incomplete;
use super::kept::{Kept, KeptValue};
use super::result::{KeptGap, KeptSpan, KeptTrace, Scalar};
use super::run::{FlowNames, name_of};
use super::summary::Summary;
use super::trace::FlowId;
use crate::value::UnixNs;

/// What all readers of JSON keep exactly.
const EXACT_IN_JSON: u64 = 1 << 53;

impl Summary<'_> {
    pub(super) fn kept(&self, kept: &Kept, names: &FlowNames) -> KeptTrace {
        let name = |event| self.world.event_name(event).to_owned();
        let from_start = |units: u64| self.world.ns(units - kept.start);
        let flow = match kept.flow {
            FlowId::OTHER => "other",
            flow => name_of(names, flow).unwrap_or("other"),
        };
        let spans = kept.spans.iter().map(|(span, parent, own)| KeptSpan {
            event: name(span.event()),
            thread: self.world.thread_name(span.thread()).to_owned(),
            outcome: span.outcome(),
            start_ns: from_start(span.start),
            duration_ns: self.world.ns(span.duration()),
            own_ns: self.world.ns(*own),
            parent: usize::try_from(*parent)
                .ok()
                .filter(|parent| *parent < kept.spans.len()),
        });
        let gaps = kept.gaps.iter().map(|gap| KeptGap {
            from: name(gap.from),
            to: name(gap.to),
            start_ns: from_start(gap.start),
            duration_ns: self.world.ns(gap.end - gap.start),
        });
        let annotations = kept.annotations.iter().map(|(key, value)| {
            let value = match value {
                KeptValue::Text(text) => Scalar::Text(text.clone()),
                KeptValue::Int(value) if value.unsigned_abs() < EXACT_IN_JSON => {
                    Scalar::Int(*value)
                }
                KeptValue::Int(value) => Scalar::Text(value.to_string()),
                KeptValue::Float(value) => Scalar::Float(*value),
            };
            (key.clone(), value)
        });
        let domain = &self.world.domains[kept.domain];
        KeptTrace {
            trace: kept.id.to_string(),
            flow: flow.to_owned(),
            start_unix_ns: UnixNs(domain.unix_ns(self.captures, kept.start)),
            end_to_end_ns: self.world.ns(kept.end - kept.start),
            lag_ns: kept.lag_ns,
            response_ns: kept.response_ns,
            lossy: kept.is_lossy,
            incomplete: kept.incomplete.map(Incomplete::name),
            annotations: annotations.collect(),
            spans: spans.collect(),
            more_spans: kept.more_spans,
            gaps: gaps.collect(),
        }
    }
}
