//! OTLP JSON: what OpenTelemetry collectors write.

use std::collections::HashMap;

use perf_format::Outcome;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::builder::{Builder, Made};
use super::number::{hex_id, integer};

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

pub(super) fn read(resources: &[ResourceSpans<'_>], builder: &mut Builder) -> Result<(), String> {
    let mut placed: HashMap<(u64, u64, &str), (String, i64, i64)> = HashMap::new();
    let mut children = Vec::new();
    for resource in resources {
        let service = find(&resource.resource.attributes, "service.name").unwrap_or("main");
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let trace = hex_id(&span.trace_id).ok_or_else(|| {
                format!("span `{}`: `traceId` is no id in hexadecimal", span.name)
            })?;
            let start = integer(span.start_time_unix_nano.get());
            let start =
                start.ok_or_else(|| format!("span `{}`: a time is no number of ns", span.name))?;
            let end = span.end_time_unix_nano.and_then(|end| integer(end.get()));
            let thread = find(&span.attributes, "thread.name").unwrap_or(service);
            let Some(end) = end.filter(|end| *end != 0) else {
                builder.open(thread, &span.name, start, trace);
                continue;
            };
            builder.span(Made {
                thread,
                name: &span.name,
                start,
                end: end.max(start),
                trace,
                outcome: span.outcome(),
            });
            for attribute in &span.attributes {
                annotate(builder, thread, trace, end, attribute);
            }
            let place = (thread.to_owned(), start, end.max(start));
            if !span.parent_span_id.is_empty() {
                children.push((trace, span.parent_span_id.as_str(), place.clone()));
            }
            placed.insert((trace.0, trace.1, span.span_id.as_str()), place);
        }
    }
    for ((high, low), parent, (thread, start, end)) in children {
        let parent = placed.get(&(high, low, parent));
        let is_within =
            parent.is_some_and(|(of, from, to)| *of == thread && *from <= start && end <= *to);
        builder.counts.with_parent += 1;
        builder.counts.parents_lost += u64::from(!is_within);
    }
    Ok(())
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
