//! What fields say: of their span, and of its trace.

use std::error::Error;
use std::fmt::{Debug, Write};

use perf_probe::trace::{self, MAX_ANNOTATION_BYTES, Traceparent, Value};
use perf_probe::{Outcome, TraceId};
use tracing_core::Field;
use tracing_core::field::{FieldSet, Visit};

use crate::context::Context;

/// The trace of a span that begins one, or goes on with one from elsewhere.
const TRACE_ID: &str = "trace_id";
/// The same, as the header of the incoming call.
const TRACEPARENT: &str = "traceparent";
/// Anything but `false` makes the span an error.
const ERROR: &str = "error";
/// What the span came to.
const OUTCOME: &str = "outcome";

const DIRECTIVES: [&str; 4] = [TRACE_ID, TRACEPARENT, ERROR, OUTCOME];

/// Whether any of a span's fields says something about the span.
pub(crate) fn has_directives(fields: &FieldSet) -> bool {
    DIRECTIVES.iter().any(|name| fields.field(name).is_some())
}

/// What the fields of a span say about it.
#[derive(Default)]
pub(crate) struct Directives {
    pub(crate) remote: Option<Traceparent>,
    id: Option<TraceId>,
    pub(crate) outcome: Option<Outcome>,
}

impl Directives {
    /// The trace that the fields name.
    pub(crate) fn context(&self) -> Option<Context> {
        match self.remote {
            Some(remote) => Some(Context::of(remote)),
            None => self.id.map(Context::here),
        }
    }
}

impl Visit for Directives {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            TRACE_ID if value != 0 => self.id = Some(TraceId::from_raw(value)),
            ERROR => self.outcome = self.outcome.or(Some(Outcome::Error)),
            _ => {}
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record_u64(field, value.cast_unsigned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if value {
            self.record_debug(field, &value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            TRACE_ID => self.id = trace_of(value),
            TRACEPARENT => self.remote = Traceparent::parse(value.trim()).ok(),
            ERROR => self.outcome = self.outcome.or(Some(Outcome::Error)),
            OUTCOME => self.outcome = outcome_of(value).or(self.outcome),
            _ => {}
        }
    }

    fn record_error(&mut self, field: &Field, _: &(dyn Error + 'static)) {
        self.record_str(field, "");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if DIRECTIVES.contains(&field.name()) {
            self.record_str(field, &text_of(value));
        }
    }
}

/// The trace that a text names: 16 or 32 hexadecimal digits are an id, of which the low half counts, and so is a UUID; of any
/// other text the trace is the one of it as a key. An empty text and an id of zeros name none.
fn trace_of(text: &str) -> Option<TraceId> {
    let text = text.trim();
    let digits: String = text.chars().filter(|each| *each != '-').collect();
    let is_id = matches!(digits.len(), 16 | 32) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let trace = if is_id {
        let low = u64::from_str_radix(&digits[digits.len() - 16..], 16);
        TraceId::from_raw(low.unwrap_or_default())
    } else if text.is_empty() {
        TraceId::NONE
    } else {
        TraceId::from_key(text, 0)
    };
    (!trace.is_none()).then_some(trace)
}

fn outcome_of(text: &str) -> Option<Outcome> {
    Some(match text {
        "ok" => Outcome::Ok,
        "error" => Outcome::Error,
        "cancelled" => Outcome::Cancelled,
        "panicked" => Outcome::Panicked,
        _ => return None,
    })
}

/// Annotates a trace with the fields that were chosen.
pub(crate) struct Notes<'a> {
    pub(crate) trace: TraceId,
    pub(crate) keys: &'a [String],
}

impl Notes<'_> {
    fn note(&self, field: &Field, value: Value<'_>) {
        if !self.trace.is_none() && self.keys.iter().any(|key| key == field.name()) {
            trace::annotate_id(self.trace, field.name(), value);
        }
    }
}

impl Visit for Notes<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, Value::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, Value::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.note(field, Value::Int(value)),
            Err(_) => self.note(field, Value::Str(&value.to_string())),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, Value::Int(value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, Value::Str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.keys.iter().any(|key| key == field.name()) {
            self.note(field, Value::Str(&text_of(value)));
        }
    }
}

/// A value as text, no longer than an annotation can be.
fn text_of(value: &dyn Debug) -> String {
    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.push_str(text);
            // The recorder cuts what is left over, and says so.
            if self.0.len() > MAX_ANNOTATION_BYTES {
                return Err(std::fmt::Error);
            }
            Ok(())
        }
    }
    let mut text = Bounded(String::new());
    let _ = write!(text, "{value:?}");
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_traces() {
        let id = Some(TraceId::from_raw(0xa3ce_929d_0e0e_4736));
        assert_eq!(trace_of("a3ce929d0e0e4736"), id);
        assert_eq!(trace_of("4bf92f3577b34da6a3ce929d0e0e4736"), id);
        assert_eq!(trace_of("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"), id);
        assert_eq!(trace_of("order 17"), Some(TraceId::from_key("order 17", 0)));
        assert_eq!(trace_of(""), None);
        assert_eq!(trace_of("0000000000000000"), None);
    }

    #[test]
    fn a_value_of_any_length_gives_a_bounded_text() {
        let long = vec![1_u8; 1 << 20];
        assert!(text_of(&long).len() < MAX_ANNOTATION_BYTES + 64);
        assert_eq!(text_of(&[1, 2]), "[1, 2]");
    }
}
