//! From a series of a capture to the row of the report that it belongs to.

use std::collections::HashMap;

use glob::Pattern;
use perf_format::{EventId, SeriesKey, Tag, TagClass};

use super::result::{EventKind, Outcome};

/// How values of a row are aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Durations in ticks.
    Ticks,
    /// Values in the event's unit.
    Values,
    Counter,
    Gauge,
}

/// What identifies a row; also the order of rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowKey {
    pub(crate) group: Option<String>,
    pub(crate) kind: EventKind,
    pub(crate) event: String,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) unit: String,
    /// False when no table names the event.
    pub(crate) named: bool,
}

impl RowKey {
    pub(crate) fn class(&self) -> Class {
        match self.kind {
            EventKind::Span => Class::Ticks,
            EventKind::Observation => Class::Values,
            EventKind::Counter => Class::Counter,
            EventKind::Gauge => Class::Gauge,
        }
    }
}

/// What a tag reports as; `None` for annotations, due times and unknown tags.
pub(crate) fn reported(tag: Tag) -> Option<(EventKind, Option<Outcome>)> {
    Some(match tag.class() {
        TagClass::Span(outcome) => (EventKind::Span, Some(outcome.into())),
        TagClass::Counter => (EventKind::Counter, None),
        TagClass::Gauge => (EventKind::Gauge, None),
        TagClass::Observation => (EventKind::Observation, None),
        TagClass::Annotation | TagClass::Due | TagClass::Unknown => return None,
    })
}

/// What a table says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) kind: Option<EventKind>,
}

/// The names and groups of captures, and which events are wanted.
pub(crate) struct Naming<'a> {
    /// By capture: its events.
    pub(crate) events: Vec<&'a HashMap<EventId, Named>>,
    /// By capture: its group.
    pub(crate) groups: Vec<Option<String>>,
    /// Empty: every event.
    pub(crate) patterns: Vec<Pattern>,
}

impl Naming<'_> {
    /// The row of a series; `None` when it is not reported or not wanted.
    pub(crate) fn row(&self, capture: usize, key: SeriesKey) -> Option<RowKey> {
        let (kind, outcome) = reported(key.tag)?;
        let named = self.events[capture].get(&key.event);
        let event = named.map_or_else(|| unnamed(key.event), |named| named.name.clone());
        if !self.wants(&event) {
            return None;
        }
        let unit = match (kind, named) {
            (EventKind::Span, _) => "ns".to_owned(),
            (_, Some(named)) if named.kind == Some(kind) => named.unit.clone(),
            _ => String::new(),
        };
        Some(RowKey {
            group: self.groups[capture].clone(),
            kind,
            event,
            outcome,
            unit,
            named: named.is_some(),
        })
    }

    /// Whether an event of this name is wanted.
    pub(crate) fn wants(&self, event: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(event))
    }
}

/// What an event is called that no table names.
pub(crate) fn unnamed(event: EventId) -> String {
    format!("event#{event}")
}
