//! Events and threads of all captures, each with one number over all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glob::Pattern;
use perf_format::{EventId, ThreadId};

use crate::capture::Capture;
use crate::report::EventKind;
use crate::report::rows::unnamed;
use crate::report::survey::Survey;

/// An event by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName {
    /// Its name, or `event#ID` when no table names it.
    pub name: String,
    /// The unit of its values: `ns` for spans.
    pub unit: String,
    /// What kind of thing it is, when its table says so.
    pub kind: Option<EventKind>,
    /// Whether it was asked for.
    pub is_wanted: bool,
}

/// Events and threads of all captures.
#[derive(Debug, Default)]
pub struct Names {
    events: Vec<EventName>,
    threads: Vec<String>,
    event_of: Vec<HashMap<EventId, u32>>,
    thread_of: Vec<HashMap<ThreadId, u32>>,
}

impl Names {
    pub(super) fn of(captures: &[&Capture], surveys: &[Survey], patterns: &[Pattern]) -> Self {
        let mut names = Self::default();
        let mut by_name: BTreeMap<String, EventName> = BTreeMap::new();
        let mut ids: Vec<BTreeMap<EventId, String>> = Vec::new();
        for (capture, survey) in captures.iter().zip(surveys) {
            let mut mine = BTreeMap::new();
            let open = capture.open_spans.iter().map(|open| open.event);
            let used = survey.reported_by_event.keys().copied().chain(open);
            for id in capture.events.keys().copied().chain(used) {
                let named = capture.events.get(&id);
                let name = named.map_or_else(|| unnamed(id), |named| named.name.clone());
                by_name.entry(name.clone()).or_insert_with(|| EventName {
                    is_wanted: patterns.is_empty()
                        || patterns.iter().any(|each| each.matches(&name)),
                    unit: named.map(|named| named.unit.clone()).unwrap_or_default(),
                    kind: named.and_then(|named| named.kind),
                    name: name.clone(),
                });
                mine.insert(id, name);
            }
            ids.push(mine);
        }
        let sorted: Vec<&String> = by_name.keys().collect();
        let number = |name: &String| sorted.binary_search(&name).unwrap_or(0) as u32;
        names.event_of = ids
            .iter()
            .map(|mine| mine.iter().map(|(id, name)| (*id, number(name))).collect())
            .collect();
        names.events = by_name.into_values().collect();
        names.add_threads(captures, surveys);
        names
    }

    fn add_threads(&mut self, captures: &[&Capture], surveys: &[Survey]) {
        let mut all = BTreeSet::new();
        let mut named: Vec<HashMap<ThreadId, String>> = Vec::new();
        for (capture, survey) in captures.iter().zip(surveys) {
            let mut known: HashMap<ThreadId, String> = HashMap::new();
            for file in capture.files.iter().rev() {
                let threads = file.index.tables.threads.iter();
                let threads = threads.filter(|thread| !thread.name.is_empty());
                known.extend(threads.map(|thread| (thread.id, thread.name.clone())));
            }
            let open = capture.open_spans.iter().map(|open| open.thread);
            let name = |id: ThreadId| {
                let known = known.get(&id).cloned();
                (id, known.unwrap_or_else(|| format!("thread#{id}")))
            };
            let mine: HashMap<ThreadId, String> = survey
                .records_by_thread
                .keys()
                .copied()
                .chain(open)
                .map(name)
                .collect();
            all.extend(mine.values().cloned());
            named.push(mine);
        }
        self.threads = all.into_iter().collect();
        let number = |name: &String| self.threads.binary_search(name).unwrap_or(0) as u32;
        self.thread_of = named
            .iter()
            .map(|mine| mine.iter().map(|(id, name)| (*id, number(name))).collect())
            .collect();
    }

    /// All events, by name; their places are their numbers.
    pub fn events(&self) -> &[EventName] {
        &self.events
    }

    /// All thread names, sorted; their places are their numbers. Threads of one name have one number.
    pub fn threads(&self) -> &[String] {
        &self.threads
    }

    pub(super) fn event(&self, capture: usize, id: EventId) -> u32 {
        self.event_of[capture].get(&id).copied().unwrap_or(0)
    }

    pub(super) fn thread(&self, capture: usize, id: ThreadId) -> u32 {
        self.thread_of[capture].get(&id).copied().unwrap_or(0)
    }
}
