//! The page of `sla`: how far the captures are to be trusted, each rule with its verdict, what broke it, and when.

use std::cmp::Reverse;

use perf_analysis::Number;
use perf_analysis::sla::{
    Also, AlsoKind, Budget, Episode, RuleResult, Sla, Target, Verdict, Violation, Windows,
};
use perf_render::escape::bounded;
use perf_render::number::{self, count, nanos_inline};
use perf_render::{Cell, Column, Document, Fact, Keep, Note, Row, Table, Tone};

use crate::gate::Unmatched;
use crate::page::sla_sheet::compliance;
use crate::page::{capture, counted, push_warnings};
use crate::time::Zone;

/// Of what else happened in an episode, this much is shown.
const MAX_ALSO: usize = 6;

/// Everything that the page needs.
pub(crate) struct Page<'a> {
    pub(crate) sla: &'a Sla,
    pub(crate) zone: &'a Zone,
    /// Whether something less than everything was selected.
    pub(crate) narrowed: bool,
    /// Violations and episodes that are shown.
    pub(crate) limit: usize,
    pub(crate) unmatched: &'a Unmatched,
}

impl Page<'_> {
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new();
        self.push_captures(&mut document);
        document.facts(self.facts());
        document.table(rules(&self.sla.rules));
        document.table(self.windows());
        document.table(self.violations());
        self.push_left_out(&mut document);
        self.push_episodes(&mut document);
        let several = self.sla.captures.len() > 1;
        push_warnings(&mut document, &self.sla.warnings, several, self.unmatched);
        document
    }

    fn push_captures(&self, document: &mut Document) {
        match self.sla.captures.as_slice() {
            [capture] => {
                document.heading(&capture.path);
                let shown = ["time", "records", "lost", "open", "end"];
                let mut facts = capture::facts(capture, self.zone);
                facts.retain(|fact| shown.contains(&fact.label.as_str()));
                document.facts(facts);
            }
            several => document.table(capture::table(several, self.zone)),
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(selected) = self.sla.selected.filter(|_| self.narrowed) {
            let (start, end) = (selected.start_unix_ns, selected.end_unix_ns);
            let covered = nanos_inline(selected.covered_ns as f64);
            let value = format!("{}, {covered}", self.zone.range(start, end));
            facts.push(Fact::new("selected", value).tone(Tone::Strong));
        }
        let order = [
            (Verdict::Fail, "failed"),
            (Verdict::Unproven, "unproven"),
            (Verdict::NoData, "without data"),
            (Verdict::Pass, "passed"),
        ];
        let parts = order.iter().filter_map(|(verdict, word)| {
            let mine = self
                .sla
                .rules
                .iter()
                .filter(|rule| rule.verdict == *verdict);
            let mine = mine.count() as u64;
            (mine > 0).then(|| format!("{} {word}", count(mine)))
        });
        let parts: Vec<String> = parts.collect();
        let rules = counted(self.sla.rules.len() as u64, "rule", "rules");
        let value = match parts.is_empty() {
            true => format!("{}: {rules}", word(self.sla.verdict)),
            false => format!(
                "{}: of {rules} {}",
                word(self.sla.verdict),
                parts.join(", ")
            ),
        };
        facts.push(Fact::new("verdict", value).tone(tone(self.sla.verdict)));
        facts
    }

    /// The windows of the rules that have any.
    fn windows(&self) -> Table {
        let room = |order| Keep::IfRoom(order);
        let columns = vec![
            Column::new("windows", "rule"),
            Column::new("pass", "pass"),
            Column::new("fail", "fail"),
            Column::new("unproven", "unproven"),
            Column::new("no data", "no_data"),
            Column::new("worst", "worst_start"),
            Column::new("over", "worst_over").keep(room(1)),
            Column::new("of", "worst_samples").keep(room(2)),
        ];
        let windowed: Vec<(&RuleResult, &Windows)> = (self.sla.rules.iter())
            .filter_map(|rule| Some((rule, rule.windows.as_ref()?)))
            .collect();
        let starts: Vec<_> = windowed
            .iter()
            .filter_map(|(_, windows)| windows.worst.as_ref())
            .map(|worst| worst.start_unix_ns)
            .collect();
        let mut starts = self.zone.slot_starts(&starts).into_iter();
        let rows = windowed.iter().map(|(rule, windows)| {
            let worst = windows.worst.as_ref();
            Row::new(vec![
                name(rule),
                Cell::Count(windows.pass),
                Cell::Count(windows.fail),
                Cell::Count(windows.unproven),
                Cell::Count(windows.no_data),
                Cell::or_absent(worst.and_then(|_| starts.next()), Cell::Text),
                Cell::or_absent(worst.and_then(|worst| worst.judged.over), Cell::Count),
                Cell::or_absent(worst.map(|worst| worst.judged.samples), Cell::Count),
            ])
            .tone(tone(rule.verdict))
        });
        Table {
            rows: rows.collect(),
            columns,
        }
    }

    /// The violations that are furthest over, those of one size by time.
    fn violations(&self) -> Table {
        let room = |order| Keep::IfRoom(order);
        let mut columns = vec![
            Column::new("violations", "rule"),
            Column::new("time", "end"),
            Column::new("took", "value"),
            Column::new("over by", "over_by").keep(room(1)),
            Column::new("budget", "budget"),
            Column::new("thread", "thread").keep(room(3)),
            Column::new("trace", "trace").keep(room(2)),
        ];
        let mut shown: Vec<&Violation> = self.sla.violations.iter().collect();
        shown.sort_by_key(|violation| {
            let over = violation.over_by.map_or(0.0, Number::as_f64);
            (Reverse(over.max(0.0).to_bits()), violation.end_unix_ns)
        });
        shown.truncate(self.limit);
        let annotated = shown
            .iter()
            .any(|violation| !violation.annotations.is_empty());
        columns.extend(annotated.then(|| Column::new("annotations", "annotations").keep(room(4))));
        let times: Vec<_> = shown
            .iter()
            .map(|violation| violation.end_unix_ns)
            .collect();
        let times = self.zone.slot_starts(&times);
        let rows = shown.iter().zip(times).map(|(violation, time)| {
            let rule = &self.sla.rules[violation.rule];
            let took = value(&rule.unit, violation.value as f64);
            let mut cells = vec![
                name(rule),
                Cell::Text(time),
                took,
                Cell::or_absent(violation.over_by, |over| value(&rule.unit, over.as_f64())),
                Cell::Text(budget(violation).to_owned()),
                Cell::or_absent(violation.thread.clone(), |thread| {
                    Cell::Text(bounded(&thread).into_owned())
                }),
                Cell::or_absent(violation.trace.clone(), Cell::Text),
            ];
            cells.extend(annotated.then(|| Cell::Text(annotations(violation))));
            let beyond = violation.budget == Budget::Beyond;
            Row::new(cells).tone(if beyond { Tone::Bad } else { Tone::Plain })
        });
        Table {
            rows: rows.collect(),
            columns,
        }
    }

    fn push_left_out(&self, document: &mut Document) {
        let listed = self.sla.violations.len() as u64;
        let all = listed.saturating_add(self.sla.more_violations);
        let shown = self.limit.min(self.sla.violations.len()) as u64;
        if all > shown {
            document.note(Note {
                tone: Tone::Dim,
                message: match shown {
                    0 => format!("{} not shown", counted(all, "violation", "violations")),
                    _ => format!(
                        "the furthest over of {}",
                        counted(all, "violation", "violations")
                    ),
                },
                remedy: Some("--limit shows more, --format csv lists them".to_owned()),
            });
        }
    }

    /// The episodes with most violations, by time.
    fn push_episodes(&self, document: &mut Document) {
        let mut largest: Vec<&Episode> = self.sla.episodes.iter().collect();
        largest.sort_by_key(|episode| Reverse(episode.violations));
        largest.truncate(self.limit);
        largest.sort_by_key(|episode| episode.start_unix_ns);
        if largest.is_empty() {
            return;
        }
        let gap = nanos_inline(self.sla.episode_gap_ns as f64);
        let all = self.sla.episodes.len() as u64 + self.sla.more_episodes;
        let title = counted(all, "episode", "episodes");
        let more = match all > largest.len() as u64 {
            true => format!(", the largest {}", largest.len()),
            false => String::new(),
        };
        document.heading(format!(
            "{title} of violations within {gap} of each other{more}"
        ));
        let starts: Vec<_> = largest
            .iter()
            .map(|episode| episode.start_unix_ns)
            .collect();
        let starts = self.zone.slot_starts(&starts);
        let facts = largest.iter().zip(starts).map(|(episode, start)| {
            let beyond = self.sla.rules[episode.rule].verdict == Verdict::Fail;
            Fact::new(start, self.episode(episode)).tone(if beyond {
                Tone::Bad
            } else {
                Tone::Plain
            })
        });
        document.facts(facts.collect());
    }

    fn episode(&self, episode: &Episode) -> String {
        let rule = &self.sla.rules[episode.rule];
        let mut text = format!(
            "{}, {} of {}, worst {}",
            nanos_inline(episode.length_ns as f64),
            counted(episode.violations, "violation", "violations"),
            bounded(&rule_text(rule)),
            shown(&rule.unit, episode.worst as f64),
        );
        let also = episode.also.as_deref().unwrap_or_default();
        if !also.is_empty() {
            let parts: Vec<String> = also.iter().take(MAX_ALSO).map(meanwhile).collect();
            text.push_str(&format!("; meanwhile {}", parts.join(", ")));
            if also.len() > MAX_ALSO {
                text.push_str(&format!(" and {} more", also.len() - MAX_ALSO));
            }
        }
        text
    }
}

/// Something that happened during an episode, in a few words.
pub(super) fn meanwhile(also: &Also) -> String {
    let greatest = also
        .greatest
        .map(|greatest| shown(&also.unit, greatest as f64));
    let greatest = greatest.unwrap_or_default();
    let what = bounded(&also.what);
    match also.kind {
        AlsoKind::Violations => format!(
            "{} of {what}, worst {greatest}",
            counted(also.count, "violation", "violations")
        ),
        AlsoKind::Observations => format!("{} {what} up to {greatest}", count(also.count)),
        AlsoKind::Gauge => format!("{what} up to {greatest}"),
        AlsoKind::Lost => format!("{} lost", counted(also.count, "record", "records")),
    }
}

/// A short table of rules, also for other pages.
pub(crate) fn rules(rules: &[RuleResult]) -> Table {
    let room = |order| Keep::IfRoom(order);
    let columns = vec![
        Column::new("rules", "rule"),
        Column::new("verdict", "verdict"),
        Column::new("measured", "measured"),
        Column::new("over", "over"),
        Column::new("allowed", "allowed").keep(room(2)),
        Column::new("samples", "samples"),
        Column::new("kept by", "compliance").keep(room(1)),
        Column::new("open", "open").keep(Keep::IfWide),
        Column::new("worst", "worst").keep(room(3)),
        Column::new("unknown", "unknown").keep(room(4)),
    ];
    let has_unknown = rules.iter().any(|rule| rule.total.unknown != Some(0));
    let rows = rules.iter().map(|rule| {
        let total = &rule.total;
        let of_value = |number: f64| value(&rule.unit, number);
        let mut cells = vec![
            name(rule),
            Cell::Text(word(rule.verdict).to_owned()),
            Cell::or_absent(total.measured, |measured| of_value(measured.as_f64())),
            Cell::or_absent(total.over, Cell::Count),
            Cell::or_absent(total.allowed, Cell::Count),
            Cell::Count(total.samples),
            Cell::or_absent(total.compliance, |share| Cell::Text(compliance(share))),
            Cell::Count(total.open),
            Cell::or_absent(total.worst.filter(|_| rule.unit != "%"), |worst| {
                of_value(worst as f64)
            }),
        ];
        cells.extend(has_unknown.then(|| match total.unknown {
            Some(unknown) => Cell::Count(unknown),
            None => Cell::Text("any".to_owned()),
        }));
        Row::new(cells).tone(tone(rule.verdict))
    });
    let keep = if has_unknown { 10 } else { 9 };
    Table {
        rows: rows.collect(),
        columns: columns.into_iter().take(keep).collect(),
    }
}

fn name(result: &RuleResult) -> Cell {
    Cell::name(rule_text(result))
}

/// The rule; one about each flow as if it were about this one alone.
pub(super) fn rule_text(result: &RuleResult) -> String {
    let mut rule = result.rule.clone();
    if let Target::EndToEnd(flow) | Target::Response(flow) = &mut rule.target {
        flow.clone_from(&result.flow);
    }
    rule.to_string()
}

/// A value in the unit of its rule.
pub(super) fn value(unit: &str, number: f64) -> Cell {
    match unit {
        "ns" => Cell::Nanos(number),
        "1/s" => Cell::PerSecond(number),
        "%" => Cell::Text(number::percent(number / 100.0)),
        _ => Cell::Number(number),
    }
}

/// The same in running text.
fn shown(unit: &str, value: f64) -> String {
    match unit {
        "ns" | "%" => nanos_inline(value),
        "" => number::number(value),
        unit => format!("{} {}", number::number(value), bounded(unit)),
    }
}

fn annotations(violation: &Violation) -> String {
    let pairs = violation.annotations.iter();
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{}={}", bounded(key), bounded(value)))
        .collect();
    pairs.join(" ")
}

fn budget(violation: &Violation) -> &'static str {
    match (violation.budget, violation.open) {
        (Budget::Within, false) => "within",
        (Budget::Within, true) => "within, open",
        (Budget::Beyond, false) => "beyond",
        (Budget::Beyond, true) => "beyond, open",
        (Budget::Undecided, false) => "undecided",
        (Budget::Undecided, true) => "undecided, open",
    }
}

/// A verdict in words.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::NoData => "no data",
        Verdict::Unproven => "unproven",
        Verdict::Fail => "fail",
    }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::NoData | Verdict::Unproven => Tone::Caution,
        Verdict::Fail => Tone::Bad,
    }
}
