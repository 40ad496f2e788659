//! Chrome's Trace Event Format, in JSON.
//!
//! Taken are `X`, `B`/`E`, asynchronous `b`/`e`, counters `C`, and the names of threads. A trace is what `args.trace_id`
//! says, and an asynchronous event without one belongs to the trace of its id.

use std::collections::HashMap;

use perf_format::{Outcome, SpanId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::builder::{Builder, Made};
use super::number::{hash, hex_id, micros_as_nanos};
use super::wrong::Wrong;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Event<'a> {
    #[serde(default)]
    name: Option<Value>,
    #[serde(default)]
    cat: Option<Value>,
    ph: Option<Value>,
    #[serde(borrow, default)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dur: Option<&'a RawValue>,
    #[serde(default)]
    pid: Option<Value>,
    #[serde(default)]
    tid: Option<Value>,
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    args: Option<Value>,
}

/// A span that has begun.
struct Begun {
    name: String,
    start: i64,
    trace: (u64, u64),
    outcome: Option<Outcome>,
}

type Lane = (String, String);

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Event<'_> {
    fn arg(&self, names: &[&str]) -> Option<&Value> {
        let args = self.args.as_ref()?;
        names.iter().find_map(|name| args.get(name))
    }

    /// The trace of `args`, high and low half.
    fn trace(&self) -> (u64, u64) {
        match self.arg(&["trace_id", "traceId", "trace"]) {
            Some(Value::String(id)) => hex_id(id).unwrap_or_else(|| (0, hash(id.as_bytes()))),
            Some(Value::Number(id)) => (0, id.as_u64().unwrap_or(0)),
            _ => (0, 0),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        let told = self.arg(&["outcome"])?.as_str()?;
        Outcome::ALL.into_iter().find(|each| each.name() == told)
    }

    fn lane(&self) -> Lane {
        (text(self.pid.as_ref()), text(self.tid.as_ref()))
    }
}

pub(super) fn read(events: &[Event<'_>], builder: &mut Builder) -> Result<(), Wrong> {
    let threads = thread_names(events);
    let thread = |lane: &Lane| {
        let named = threads.get(lane).cloned();
        named.unwrap_or_else(|| format!("{}/{}", lane.0, lane.1))
    };
    let mut stacks: HashMap<Lane, Vec<Begun>> = HashMap::new();
    let mut flying: HashMap<(String, String, String), (Lane, Begun)> = HashMap::new();
    // Begins and ends stand in the order of time within a thread, or else are put so.
    let mut order: Vec<(i64, usize)> = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        match event.ts.map(|ts| micros_as_nanos(ts.get())) {
            Some(Some(ns)) => order.push((ns, at)),
            Some(None) => return Err(Wrong::new(format!("`ts` of event {at}"), "a number of µs")),
            None => builder.counts.ignored += 1,
        }
    }
    order.sort_by_key(|(ns, _)| *ns);
    for (ns, at) in order {
        let event = &events[at];
        let lane = event.lane();
        let begun = || Begun {
            name: text(event.name.as_ref()),
            start: ns,
            trace: event.trace(),
            outcome: event.outcome(),
        };
        match text(event.ph.as_ref()).as_str() {
            "X" => {
                let duration = event.dur.map_or(Some(0), |dur| micros_as_nanos(dur.get()));
                let duration = duration.and_then(|ns| u64::try_from(ns).ok());
                let Some(duration) = duration else {
                    return Err(Wrong::new(
                        format!("`dur` of event {at}"),
                        "a number of µs that is not negative",
                    ));
                };
                let end = ns.saturating_add_unsigned(duration);
                end_span(builder, &thread(&lane), begun(), end, None);
            }
            "B" => stacks.entry(lane).or_default().push(begun()),
            "E" => match stacks.get_mut(&lane).and_then(Vec::pop) {
                Some(begun) => end_span(builder, &thread(&lane), begun, ns, event.outcome()),
                None => builder.counts.unmatched_ends += 1,
            },
            "b" | "S" => {
                let mut begun = begun();
                if begun.trace == (0, 0) {
                    let id = text(event.id.as_ref());
                    begun.trace = hex_id(&id).unwrap_or_else(|| (0, hash(id.as_bytes())));
                }
                let key = key(event);
                if let Some((lane, before)) = flying.insert(key, (lane, begun)) {
                    builder.open(&thread(&lane), &before.name, before.start, before.trace);
                }
            }
            "e" | "F" => match flying.remove(&key(event)) {
                Some((lane, begun)) => {
                    end_span(builder, &thread(&lane), begun, ns, event.outcome())
                }
                None => builder.counts.unmatched_ends += 1,
            },
            "C" => counter(event, &thread(&lane), ns, builder),
            _ => builder.counts.ignored += 1,
        }
    }
    let mut left: Vec<(Lane, Begun)> = flying.into_values().collect();
    for (lane, stack) in stacks {
        left.extend(stack.into_iter().map(|begun| (lane.clone(), begun)));
    }
    left.sort_by(|a, b| (a.1.start, &a.1.name, &a.0).cmp(&(b.1.start, &b.1.name, &b.0)));
    for (lane, begun) in left {
        builder.open(&thread(&lane), &begun.name, begun.start, begun.trace);
    }
    Ok(())
}

fn key(event: &Event<'_>) -> (String, String, String) {
    (
        text(event.cat.as_ref()),
        text(event.id.as_ref()),
        text(event.name.as_ref()),
    )
}

fn end_span(builder: &mut Builder, thread: &str, begun: Begun, end: i64, outcome: Option<Outcome>) {
    builder.span(Made {
        thread,
        name: &begun.name,
        start: begun.start,
        end,
        trace: begun.trace,
        outcome: outcome.or(begun.outcome).unwrap_or(Outcome::Ok),
        // The format knows no parents: spans lie within one another.
        id: SpanId::NONE,
        parent: SpanId::NONE,
    });
}

/// Each number of `args` is a level of its own.
fn counter(event: &Event<'_>, thread: &str, ns: i64, builder: &mut Builder) {
    let name = text(event.name.as_ref());
    let values = event.args.as_ref().and_then(Value::as_object);
    for (series, value) in values.into_iter().flatten() {
        let Some(value) = value
            .as_i64()
            .or_else(|| value.as_f64().map(|value| value.round() as i64))
        else {
            builder.counts.ignored += 1;
            continue;
        };
        let name = match series.as_str() {
            "value" => name.clone(),
            series => format!("{name}.{series}"),
        };
        builder.gauge(thread, &name, ns, value);
    }
}

fn thread_names(events: &[Event<'_>]) -> HashMap<Lane, String> {
    let metadata = events.iter().filter(|event| {
        text(event.ph.as_ref()) == "M" && text(event.name.as_ref()) == "thread_name"
    });
    let named = metadata.filter_map(|event| {
        let name = event.arg(&["name"])?.as_str()?;
        Some((event.lane(), name.to_owned()))
    });
    named.collect()
}
