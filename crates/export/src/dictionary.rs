//! The names that columns of numbers stand for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use perf_analysis::records::Names;
use perf_analysis::report::CaptureSummary;
use perf_format::Outcome;

/// Kinds of values, by the number in their columns.
pub(crate) const VALUE_KINDS: [&str; 3] = ["counter", "gauge", "observation"];
/// Kinds of annotations, by the number in their columns.
pub(crate) const NOTE_KINDS: [&str; 4] = ["text", "int", "float", "due"];
/// Kinds of events, by the number in their columns.
pub(crate) const EVENT_KINDS: [&str; 4] = ["span", "counter", "gauge", "observation"];

/// The names of one column, by number.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary(pub(crate) ArrayRef);

impl Dictionary {
    pub(crate) fn of<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(Arc::new(StringArray::from_iter_values(names)))
    }
}

/// The names of every column of names.
#[derive(Debug, Clone)]
pub(crate) struct Dictionaries {
    by_column: HashMap<(&'static str, &'static str), Dictionary>,
    /// The number of the unit of each event.
    pub(crate) unit_of: Vec<u32>,
    /// The number of the host of each capture.
    pub(crate) host_of: Vec<u32>,
    pub(crate) hosts: Vec<String>,
}

impl Dictionaries {
    pub(crate) fn new(names: &Names, captures: &[CaptureSummary]) -> Self {
        let (units, unit_of) = numbered(names.events().iter().map(|event| event.unit.as_str()));
        let (hosts, host_of) = numbered(captures.iter().map(|capture| capture.host.as_str()));
        let events = Dictionary::of(names.events().iter().map(|event| &event.name));
        let threads = Dictionary::of(names.threads());
        let ids = Dictionary::of(captures.iter().map(|capture| &capture.capture_id));
        let outcomes = Dictionary::of(Outcome::ALL.map(Outcome::name));
        let host = Dictionary::of(&hosts);
        let units = Dictionary::of(units);
        let mut by_column = HashMap::new();
        for table in crate::table::Table::ALL {
            for column in table.columns() {
                let dictionary = match (table, column.name) {
                    (_, "event") => &events,
                    (_, "thread") => &threads,
                    (_, "capture") => &ids,
                    (_, "outcome") => &outcomes,
                    (_, "host") => &host,
                    (_, "unit") => &units,
                    (crate::table::Table::Values, "kind") => &Dictionary::of(VALUE_KINDS),
                    (crate::table::Table::Annotations, "kind") => &Dictionary::of(NOTE_KINDS),
                    (crate::table::Table::Events, "kind") => &Dictionary::of(EVENT_KINDS),
                    _ => continue,
                };
                by_column.insert((table.name(), column.name), dictionary.clone());
            }
        }
        Self {
            by_column,
            unit_of,
            host_of,
            hosts,
        }
    }

    /// Sets the names of a column that are known late.
    pub(crate) fn set(&mut self, table: &'static str, column: &'static str, names: Dictionary) {
        self.by_column.insert((table, column), names);
    }

    pub(crate) fn get(&self, table: &'static str, column: &'static str) -> Dictionary {
        let empty = || Dictionary::of(Vec::<String>::new());
        let found = self.by_column.get(&(table, column)).cloned();
        found.unwrap_or_else(empty)
    }
}

/// The different names, sorted, and the number of each of `all`.
fn numbered<'a>(all: impl Iterator<Item = &'a str> + Clone) -> (Vec<String>, Vec<u32>) {
    let mut sorted: Vec<String> = all.clone().map(str::to_owned).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let number = |name: &str| sorted.partition_point(|each| each.as_str() < name) as u32;
    let of = all.map(number).collect();
    (sorted, of)
}
