//! Spans in the JSON form of the OpenTelemetry protocol, for Jaeger, Tempo and others.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use perf_analysis::records::Records;
use perf_analysis::report::Outcome;
use perf_analysis::traces::{FlowId, Trace, TraceSink, traces_with};
use perf_analysis::{CaptureSet, ReportOptions, TraceOptions};
use perf_format::AnnotationValue;
use serde_json::{Value, json};

use crate::error::Error;
use crate::import::HIGH_HALF;
use crate::single::{MAX_SPANS, SingleExported, written};

struct Span {
    event: u32,
    thread: u32,
    outcome: Outcome,
    start: i64,
    duration: u64,
    parent: Option<usize>,
}

struct Whole {
    id: u64,
    spans: Vec<Span>,
    attributes: Vec<Value>,
    /// The high half of its id, where an importer or the W3C header gave one.
    high: u64,
}

#[derive(Default)]
struct Kept {
    traces: Vec<Whole>,
    spans: u64,
    /// Spans that all workers met.
    met: Arc<AtomicU64>,
    events: Vec<String>,
    threads: Vec<String>,
}

impl TraceSink for Kept {
    fn trace(&mut self, trace: &Trace<'_>, _: FlowId) {
        let spans = trace.spans().len() as u64;
        self.spans += spans;
        if self.met.fetch_add(spans, Relaxed) + spans > MAX_SPANS {
            self.traces = Vec::new();
            return;
        }
        let world = trace.world();
        let spans = trace.spans().iter().enumerate().map(|(at, span)| {
            let known = |names: &mut Vec<String>, at: u32, name: &str| {
                if names.len() <= at as usize {
                    names.resize(at as usize + 1, String::new());
                }
                if names[at as usize].is_empty() {
                    names[at as usize] = name.to_owned();
                }
            };
            known(
                &mut self.events,
                span.event(),
                world.event_name(span.event()),
            );
            known(
                &mut self.threads,
                span.thread(),
                world.thread_name(span.thread()),
            );
            Span {
                event: span.event(),
                thread: span.thread(),
                outcome: span.outcome(),
                start: trace.unix_ns(span.start).0,
                duration: world.ns(span.duration()),
                parent: trace.parent(at),
            }
        });
        let spans = spans.collect();
        let (mut attributes, mut high) = (Vec::new(), 0);
        for (key, value) in trace.annotations() {
            if key == HIGH_HALF.as_bytes()
                && let AnnotationValue::Str(text) = value
                && let Ok(half) = u64::from_str_radix(&String::from_utf8_lossy(text), 16)
            {
                high = half;
                continue;
            }
            attributes.push(attribute(&String::from_utf8_lossy(key), value));
        }
        if let Some(due) = trace.due() {
            attributes.push(attribute("perf.due_unix_ns", AnnotationValue::Int(due.0)));
        }
        self.traces.push(Whole {
            id: trace.id().0,
            spans,
            attributes,
            high,
        });
    }

    fn merge(&mut self, other: Self, _: &[FlowId]) {
        let name = |mine: &mut Vec<String>, other: Vec<String>| {
            if mine.len() < other.len() {
                mine.resize(other.len(), String::new());
            }
            for (mine, other) in mine.iter_mut().zip(other) {
                if mine.is_empty() {
                    *mine = other;
                }
            }
        };
        name(&mut self.events, other.events);
        name(&mut self.threads, other.threads);
        self.traces.extend(other.traces);
        self.spans += other.spans;
    }
}

fn attribute(key: &str, value: AnnotationValue<'_>) -> Value {
    let value = match value {
        AnnotationValue::Str(text) => json!({ "stringValue": String::from_utf8_lossy(text) }),
        AnnotationValue::Int(int) => json!({ "intValue": int.to_string() }),
        AnnotationValue::Float(float) => json!({ "doubleValue": float }),
    };
    json!({ "key": key, "value": value })
}

pub(crate) fn write(
    set: &CaptureSet,
    records: &Records<'_>,
    select: &ReportOptions,
    out: &mut dyn Write,
) -> Result<SingleExported, Error> {
    let options = TraceOptions {
        slowest: 0,
        ..TraceOptions::from(select)
    };
    let met = Arc::default();
    let seen = traces_with(set, &options, |_| Kept {
        met: Arc::clone(&met),
        ..Kept::default()
    })?;
    let mut kept = seen.sink;
    if kept.spans > MAX_SPANS {
        return Err(Error::TooMany {
            form: "OTLP JSON",
            spans: kept.spans,
            limit: MAX_SPANS,
        });
    }
    kept.traces
        .sort_by_key(|trace| (trace.spans.iter().map(|span| span.start).min(), trace.id));
    let summaries = records.summaries();
    let service = summaries
        .first()
        .and_then(|capture| capture.command.clone());
    let resource = [
        (
            "service.name",
            service.unwrap_or_else(|| "perf-recorder".to_owned()),
        ),
        (
            "host.name",
            summaries
                .first()
                .map(|capture| capture.host.clone())
                .unwrap_or_default(),
        ),
    ];
    let resource: Vec<Value> = { resource.iter() }
        .map(|(key, value)| attribute(key, AnnotationValue::Str(value.as_bytes())))
        .collect();
    let mut put = |text: &str| written(out.write_all(text.as_bytes()));
    let head = json!({ "attributes": resource });
    put(&format!(
        "{{\"resourceSpans\":[{{\"resource\":{head},\"scopeSpans\":[{{\"scope\":{{\"name\":\"perf-recorder\"}},\"spans\":["
    ))?;
    let mut comma = "\n";
    for trace in &kept.traces {
        for at in 0..trace.spans.len() {
            put(comma)?;
            put(&span(trace, at, &kept).to_string())?;
            comma = ",\n";
        }
    }
    put("\n]}]}]}\n")?;
    let all: u64 = summaries.iter().map(|capture| capture.spans).sum();
    Ok(SingleExported {
        written: kept.spans,
        left_out: all.saturating_sub(kept.spans),
        warnings: Vec::new(),
    })
}

fn span(trace: &Whole, at: usize, kept: &Kept) -> Value {
    let span = &trace.spans[at];
    let status = match span.outcome {
        Outcome::Ok => json!({ "code": 1 }),
        Outcome::Error => json!({ "code": 2 }),
        Outcome::Cancelled => json!({ "code": 2, "message": "cancelled" }),
        Outcome::Panicked => json!({ "code": 2, "message": "panicked" }),
    };
    let thread = kept.threads[span.thread as usize].as_bytes();
    let mut attributes = vec![attribute("thread.name", AnnotationValue::Str(thread))];
    let first = (0..trace.spans.len()).min_by_key(|at| (trace.spans[*at].start, *at));
    if first == Some(at) {
        attributes.extend(trace.attributes.iter().cloned());
    }
    json!({
        "traceId": format!("{:016x}{:016x}", trace.high, trace.id),
        "spanId": span_id(trace.id, at),
        "parentSpanId": span.parent.map_or_else(String::new, |parent| span_id(trace.id, parent)),
        "name": kept.events[span.event as usize],
        "kind": 1,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.start.saturating_add_unsigned(span.duration).to_string(),
        "status": status,
        "attributes": attributes,
    })
}

/// A span has no id of its own: trace and place, mixed by SplitMix64's finaliser, are as good as random.
fn span_id(trace: u64, at: usize) -> String {
    let mut mixed = trace.wrapping_add((at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    format!("{:016x}", (mixed ^ (mixed >> 31)).max(1))
}
