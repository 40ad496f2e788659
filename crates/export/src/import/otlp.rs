//! OTLP JSON: what OpenTelemetry collectors write.

use std::collections::HashSet;

use perf_format::{Outcome, SpanId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::builder::{Builder, Made};
use super::number::{hash, hex_id, integer};
use super::wrong::Wrong;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct ResourceSpans<'a> {
    #[serde(default)]
    resource: Resource,
    #[serde(default = "Vec::new")]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize, Default)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ScopeSpans<'a> {
    #[serde(default = "Vec::new")]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Span<'a> {
    trace_id: String,
    #[serde(default)]
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    #[serde(default)]
    name: String,
    #[serde(borrow)]
    start_time_unix_nano: &'a RawValue,
    #[serde(borrow, default)]
    end_time_unix_nano: Option<&'a RawValue>,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

impl Attribute {
    fn text(&self) -> Option<&str> {
        self.value.get("stringValue")?.as_str()
    }
}

fn find<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    attributes.iter().find(|each| each.key == key)?.text()
}

impl Span<'_> {
    fn outcome(&self) -> Outcome {
        let failed = self.status.code == 2 || self.status.code == "STATUS_CODE_ERROR";
        match (failed, self.status.message.as_str()) {
            (true, "cancelled") => Outcome::Cancelled,
            (true, "panicked") => Outcome::Panicked,
            (true, _) => Outcome::Error,
            (false, _) => Outcome::Ok,
        }
    }
}

pub(super) fn read(resources: &[ResourceSpans<'_>], builder: &mut Builder) -> Result<(), Wrong> {
    let mut known: HashSet<(u64, u64, SpanId)> = HashSet::new();
    let mut parents = Vec::new();
    for resource in resources {
        let service = find(&resource.resource.attributes, "service.name").unwrap_or("main");
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let of = |field: &str| format!("`{field}` of span `{}`", short(&span.name));
            let trace = hex_id(&span.trace_id)
                .ok_or_else(|| Wrong::new(of("traceId"), "up to 32 hexadecimal digits"))?;
            let time = |field: &str, value: &RawValue| {
                integer(value.get()).ok_or_else(|| Wrong::new(of(field), "a number of ns"))
            };
            let start = time("startTimeUnixNano", span.start_time_unix_nano)?;
            let end = span.end_time_unix_nano;
            let end = end.map(|end| time("endTimeUnixNano", end)).transpose()?;
            let thread = find(&span.attributes, "thread.name").unwrap_or(service);
            let Some(end) = end.filter(|end| *end != 0) else {
                builder.open(thread, &span.name, start, trace);
                continue;
            };
            let (id, parent) = (span_id(&span.span_id), span_id(&span.parent_span_id));
            builder.span(Made {
                thread,
                name: &span.name,
                start,
                end: end.max(start),
                trace,
                outcome: span.outcome(),
                id,
                parent,
            });
            for attribute in &span.attributes {
                annotate(builder, thread, trace, end, attribute);
            }
            known.insert((trace.0, trace.1, id));
            if parent != SpanId::NONE {
                parents.push((trace.0, trace.1, parent));
            }
        }
    }
    builder.counts.with_parent += parents.len() as u64;
    let missing = parents.iter().filter(|parent| !known.contains(*parent));
    builder.counts.parents_missing += missing.count() as u64;
    Ok(())
}

/// The number of a span id. One that is no number of 64 bits only has to be told from others.
fn span_id(text: &str) -> SpanId {
    SpanId(match (text, hex_id(text)) {
        ("", _) => 0,
        (_, Some((0, id))) => id,
        _ => hash(text.as_bytes()),
    })
}

/// As much of a name as a line has room for.
fn short(name: &str) -> String {
    let mut short: String = name.chars().take(60).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// Attributes of spans become annotations of their trace, but for those that are something else here.
fn annotate(
    builder: &mut Builder,
    thread: &str,
    trace: (u64, u64),
    at: i64,
    attribute: &Attribute,
) {
    let value = &attribute.value;
    if attribute.key == "thread.name" {
        return;
    }
    if attribute.key == "perf.due_unix_ns" {
        let due = value.get("intValue").map(|due| integer(&due.to_string()));
        if let Some(Some(due)) = due {
            builder.due(thread, trace, at, due);
        }
        return;
    }
    if let Some(text) = attribute.text() {
        builder.text(thread, trace, at, &attribute.key, text);
    } else if let Some(int) = value
        .get("intValue")
        .and_then(|int| integer(&int.to_string()))
    {
        builder.int(thread, trace, at, &attribute.key, int);
    } else if let Some(float) = value.get("doubleValue").and_then(Value::as_f64) {
        builder.float(thread, trace, at, &attribute.key, float);
    } else {
        builder.counts.ignored += 1;
    }
}
