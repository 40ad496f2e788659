//! Which series of a capture a rule looks at, and from which recorded value on a sample is on the wrong side.

use std::collections::HashMap;

use perf_format::{EventId, Outcome as Ended, SegmentId, SeriesKey, Tag, TagClass};

use super::quantity::Decimal;
use super::rule::{Bound, Op, Rule, Stat, Target};
use crate::capture::Capture;
use crate::error::ErrorKind;
use crate::report::rows::{Named, unnamed};
use crate::report::spread::scaled;
use crate::report::survey::Survey;
use crate::report::{EventKind, Outcome};

/// From recorded values to the unit of a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Ticks of so many ns.
    Ticks(f64),
    /// A whole number of the rule's units each.
    Times(u64),
}

impl Scale {
    pub(super) fn value(self, raw: u64) -> u64 {
        match self {
            Self::Ticks(ns) => scaled(raw, ns),
            Self::Times(times) => raw.saturating_mul(times),
        }
    }

    /// The least recorded value that is on the far side of the bound of `rule`: above it, or at it where that counts.
    fn limit(self, rule: &Rule) -> Option<u64> {
        let beyond = |raw: u64| is_beyond(rule, self.value(raw));
        if !beyond(u64::MAX) {
            return None;
        }
        let (mut low, mut high) = (0, u64::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            match beyond(middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Some(low)
    }
}

/// Whether a value in the rule's unit lies beyond the bound. What is beyond it breaks `<` and `<=`, and keeps `>` and `>=`.
pub(super) fn is_beyond(rule: &Rule, value: u64) -> bool {
    let (value, bound) = match rule.bound {
        Bound::Ns(ns) => (u128::from(value), u128::from(ns)),
        Bound::Number(number) | Bound::Percent(number) | Bound::PerSecond(number) => (
            u128::from(value) * u128::from(Decimal::ONE),
            u128::from(number.millionths()),
        ),
    };
    match rule.op {
        Op::AtMost | Op::More => value > bound,
        Op::Less | Op::AtLeast => value >= bound,
    }
}

/// One rule that looks at a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watcher {
    pub(super) rule: usize,
    /// Recorded values from this on lie beyond the bound; `None`: none do, or single values have no side.
    pub(super) limit: Option<u64>,
    pub(super) scale: Scale,
    /// Whether each value must be read: for its sum.
    pub(super) sums: bool,
    /// Whether the series is one of failures, for a rule of an error rate.
    pub(super) failures: bool,
    /// Whether what is beyond the bound is a violation.
    pub(super) lists: bool,
}

/// By series: the rules that look at it, in one capture and clock segment.
pub(super) type Watch = HashMap<SeriesKey, Vec<Watcher>>;

/// What the captures have of the events of rules.
#[derive(Debug, Default)]
pub(super) struct Watches {
    pub(super) of: HashMap<(usize, SegmentId), Watch>,
    /// By rule: the unit of its values; `None` when no capture has the event.
    pub(super) units: Vec<Option<String>>,
}

impl Watches {
    /// Looks the events of `rules` up in all captures.
    ///
    /// # Errors
    /// The number of a rule that does not fit its event, and why.
    pub(super) fn new(
        rules: &[Rule],
        captures: &[&Capture],
        surveys: &[Survey],
    ) -> Result<Self, (usize, ErrorKind)> {
        let mut watches = Self {
            of: HashMap::new(),
            units: vec![None; rules.len()],
        };
        for (number, (capture, survey)) in captures.iter().zip(surveys).enumerate() {
            let events = events(capture, survey);
            let mut segments: Vec<SegmentId> = survey.ends.keys().copied().collect();
            // An open span is of the last one, which may have no record.
            segments.extend(capture.clock.segments());
            segments.push(SegmentId(0));
            segments.sort_unstable();
            segments.dedup();
            for (rule_number, rule) in rules.iter().enumerate() {
                let Target::Event { name, outcome } = &rule.target else {
                    let missing = missing_event(rule, captures);
                    if missing.is_none() {
                        watches.units[rule_number] = Some(unit_of_traces(rule).to_owned());
                    }
                    continue;
                };
                for event in events.iter().filter(|event| event.name == *name) {
                    let unit = fit(rule, event, *outcome)
                        .map_err(|message| (rule_number, ErrorKind::Rule(message)))?;
                    watches.units[rule_number].get_or_insert(unit);
                    for segment in &segments {
                        let ns = capture.clock.ns_per_tick(*segment);
                        let watch = watches.of.entry((number, *segment)).or_default();
                        event.watch(rule_number, rule, *outcome, ns, watch);
                    }
                }
            }
        }
        Ok(watches)
    }
}

/// An event of a capture.
struct Event {
    id: EventId,
    name: String,
    /// Absent for events that no table names: these may be anything.
    kind: Option<EventKind>,
    unit: String,
}

fn events(capture: &Capture, survey: &Survey) -> Vec<Event> {
    let named = capture
        .events
        .iter()
        .map(|(id, named): (&EventId, &Named)| Event {
            id: *id,
            name: named.name.clone(),
            kind: named.kind,
            unit: named.unit.clone(),
        });
    let others = survey.reported_by_event.keys();
    let others = others
        .filter(|id| !capture.events.contains_key(id))
        .map(|id| Event {
            id: *id,
            name: unnamed(*id),
            kind: None,
            unit: String::new(),
        });
    let mut events: Vec<Event> = named.chain(others).collect();
    events.sort_unstable_by_key(|event| event.id);
    events
}

/// The unit of the values of a rule on `event`, or why they do not fit.
fn fit(rule: &Rule, event: &Event, outcome: Option<Outcome>) -> Result<String, String> {
    match rule.stat {
        Stat::Rate => return Ok("1/s".to_owned()),
        Stat::ErrorRate if event.kind != Some(EventKind::Observation) => return Ok("%".to_owned()),
        _ => {}
    }
    match event.kind {
        Some(EventKind::Gauge | EventKind::Counter) => {
            Err("the event is no span and no observation; only its rate could be judged".to_owned())
        }
        Some(EventKind::Observation) => {
            if rule.stat == Stat::ErrorRate || outcome.is_some() {
                return Err("the event is an observation, which has no outcome".to_owned());
            }
            match (rule.bound, unit_ns(&event.unit)) {
                (Bound::Ns(_), Some(_)) => Ok("ns".to_owned()),
                (Bound::Ns(_), None) => Err(format!(
                    "the event is an observation in {}, not a duration: give a number without a unit",
                    if event.unit.is_empty() {
                        "no unit"
                    } else {
                        &event.unit
                    }
                )),
                _ => Ok(event.unit.clone()),
            }
        }
        Some(EventKind::Span) | None => match rule.bound {
            Bound::Number(number) => Err(format!(
                "the event is a span: give the bound a unit, such as {number}ms"
            )),
            _ => Ok("ns".to_owned()),
        },
    }
}

/// The event of a gap that no capture has.
pub(super) fn missing_event<'r>(rule: &'r Rule, captures: &[&Capture]) -> Option<&'r str> {
    let Target::Gap { from, to } = &rule.target else {
        return None;
    };
    let has = |name: &&String| {
        let events = captures.iter().flat_map(|capture| capture.events.values());
        events.into_iter().any(|event| event.name == **name)
    };
    [from, to]
        .into_iter()
        .find(|name| !has(name))
        .map(String::as_str)
}

fn unit_of_traces(rule: &Rule) -> &'static str {
    match rule.stat {
        Stat::Rate => "1/s",
        Stat::ErrorRate => "%",
        Stat::Max | Stat::Percentile(_) | Stat::Mean => "ns",
    }
}

/// ns of a unit of time.
pub(super) fn unit_ns(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    })
}

impl Event {
    fn watch(
        &self,
        number: usize,
        rule: &Rule,
        outcome: Option<Outcome>,
        ns_per_tick: f64,
        watch: &mut Watch,
    ) {
        let observed = match rule.bound {
            Bound::Ns(_) => Scale::Times(unit_ns(&self.unit).unwrap_or(1)),
            _ => Scale::Times(1),
        };
        let spans = Ended::ALL.into_iter();
        let spans = spans.filter(|ended| outcome.is_none_or(|outcome| outcome == (*ended).into()));
        let mut tags: Vec<(Tag, Scale)> = spans
            .map(|ended| (ended.tag(), Scale::Ticks(ns_per_tick)))
            .collect();
        if outcome.is_none() && rule.stat != Stat::ErrorRate {
            tags.push((Tag::OBSERVATION, observed));
            if rule.stat == Stat::Rate {
                tags.extend([Tag::COUNTER, Tag::GAUGE].map(|tag| (tag, Scale::Times(1))));
            }
        }
        for (tag, scale) in tags {
            let has_sides = matches!(rule.stat, Stat::Max | Stat::Percentile(_));
            let failed = matches!(tag.class(), TagClass::Span(Ended::Error | Ended::Panicked));
            let failures = rule.stat == Stat::ErrorRate && failed;
            let watcher = Watcher {
                rule: number,
                limit: if has_sides { scale.limit(rule) } else { None },
                scale,
                sums: rule.stat == Stat::Mean,
                failures,
                lists: rule.op.is_upper() && (has_sides || failures),
            };
            let key = SeriesKey {
                event: self.id,
                tag,
            };
            watch.entry(key).or_default().push(watcher);
        }
    }
}
