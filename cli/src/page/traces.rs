//! The page of `traces`: the flows, where the time of the slowest went, and why their tails are slow.

mod flow;
mod waterfall;

use perf_analysis::traces::{Flow, KeptTrace, Scalar, Times, Traces};
use perf_analysis::{Percentile, Warning};
use perf_render::escape::bounded;
use perf_render::number::{count, nanos_inline};
use perf_render::{Cell, Column, Document, Fact, Keep, Row, Table, Tone};

use crate::gate::Unmatched;
use crate::page::{counted, push_warnings};
use crate::time::Zone;
pub(super) use flow::total_ns;

/// Flows whose owners are shown one by one.
const MAX_EXPLAINED: usize = 3;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) traces: &'a Traces,
    pub(crate) zone: &'a Zone,
    /// Traces were asked for by their ids: nothing else is shown.
    pub(crate) asked: bool,
}

impl Page<'_> {
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new();
        if self.asked {
            self.push_asked(&mut document);
        } else {
            self.push_overview(&mut document);
        }
        let several = self.traces.captures.len() > 1;
        let warnings: Vec<Warning> = self.traces.warnings.clone();
        push_warnings(&mut document, &warnings, several, &Unmatched::default());
        document
    }

    fn push_asked(&self, document: &mut Document) {
        for trace in &self.traces.asked {
            waterfall::push(document, trace, self.zone);
        }
        if self.traces.asked.is_empty() {
            document.paragraph("No record of that trace was found in what was selected.");
        }
    }

    fn push_overview(&self, document: &mut Document) {
        if let [only] = self.traces.captures.as_slice() {
            document.heading(&only.path);
        }
        self.push_flows(document);
        document.table(self.slowest());
        if self.traces.traces == 0 {
            document.paragraph("No trace was found in what was selected. Spans belong to a trace when they are recorded within trace::enter or in_trace.");
        }
    }

    /// The flows, and where the time of the slowest went.
    pub(super) fn push_flows(&self, document: &mut Document) {
        document.facts(self.facts());
        document.table(self.flows());
        let mut slow: Vec<&Flow> = self
            .traces
            .flows
            .iter()
            .filter(|flow| flow.end_to_end.is_some() && !flow.owners.is_empty())
            .collect();
        // What the flow took of everybody's time: rare and slow counts as much as frequent and quick.
        slow.sort_by_key(|flow| std::cmp::Reverse(flow::total_ns(flow)));
        for flow in slow.into_iter().take(MAX_EXPLAINED) {
            flow::push(document, flow);
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let traces = self.traces;
        let mut facts = Vec::new();
        if let Some(selected) = traces.selected {
            let range = self
                .zone
                .range(selected.start_unix_ns, selected.end_unix_ns);
            facts.push(Fact::new("time", range));
        }
        facts.push(Fact::new(
            "traces",
            format!(
                "{} of {}",
                counted(traces.traces, "trace", "traces"),
                counted(traces.spans, "span", "spans")
            ),
        ));
        let incomplete = traces.incomplete;
        facts.push(match incomplete.total() {
            0 => Fact::new("incomplete", "none"),
            _ => {
                let reasons = [
                    (incomplete.open, "had not ended"),
                    (incomplete.cut, "began before recording did"),
                    (incomplete.memory, "had too many records"),
                    (incomplete.sampled, "left single spans"),
                ];
                let reasons = reasons.iter().filter(|(many, _)| *many > 0);
                let reasons: Vec<String> = reasons
                    .map(|(many, why)| format!("{} {why}", count(*many)))
                    .collect();
                Fact::new("incomplete", reasons.join(", ")).tone(Tone::Caution)
            }
        });
        facts
    }

    fn flows(&self) -> Table {
        let flows: Vec<&Flow> = self.traces.flows.iter().collect();
        let mut table = flow_table(self.traces, &flows);
        let percentiles = percentiles(self.traces);
        let other = self.traces.other.iter().map(|other| {
            let name = match other.flows {
                Some(flows) => counted(flows, "other flow", "other flows"),
                None => "other flows".to_owned(),
            };
            flow_row(
                (&name, Cell::Absent),
                other.count,
                other.failed,
                other.end_to_end.as_ref(),
                &percentiles,
            )
            .tone(Tone::Dim)
        });
        table.rows.extend(other);
        table
    }

    fn slowest(&self) -> Table {
        let rows = self.traces.slowest.iter().map(|trace| {
            Row::new(vec![
                Cell::Text(trace.trace.clone()),
                Cell::Nanos(trace.end_to_end_ns as f64),
                Cell::Text(self.zone.instant(trace.start_unix_ns)),
                Cell::Text(longest_owner(trace)),
                Cell::Text(annotations(trace)),
            ])
        });
        Table {
            rows: rows.collect(),
            columns: vec![
                Column::new("slowest traces", "trace"),
                Column::new("end to end", "end_to_end_ns"),
                Column::new("start", "start").keep(Keep::IfRoom(3)),
                Column::new("mostly", "mostly").keep(Keep::IfRoom(1)),
                Column::new("annotations", "annotations").keep(Keep::IfRoom(2)),
            ],
        }
    }
}

/// Some of the flows, one a row.
pub(super) fn flow_table(traces: &Traces, flows: &[&Flow]) -> Table {
    let percentiles = percentiles(traces);
    let room = |order| Keep::IfRoom(order);
    let mut columns = vec![
        Column::new("flows", "flow"),
        Column::new("count", "count"),
        Column::new("stages", "stages").keep(Keep::IfWide),
        Column::new("mean", "mean_ns").keep(Keep::IfWide),
    ];
    for (place, percentile) in percentiles.iter().enumerate() {
        let order = if place == 0 {
            1
        } else {
            10 - place.min(9) as u8
        };
        let key = format!("p{percentile}");
        columns.push(Column::new(&key, &key).keep(room(order)));
    }
    columns.extend([
        Column::new("max", "max_ns"),
        Column::new("failed", "failed").keep(room(0)),
    ]);
    let rows = flows.iter().map(|flow| {
        let stages = Cell::Count(flow.events.len() as u64);
        flow_row(
            (&flow.flow, stages),
            flow.count,
            flow.failed,
            flow.end_to_end.as_ref(),
            &percentiles,
        )
    });
    Table {
        rows: rows.collect(),
        columns,
    }
}

fn percentiles(traces: &Traces) -> Vec<Percentile> {
    let first = traces
        .flows
        .iter()
        .find_map(|flow| flow.end_to_end.as_ref());
    first.map_or_else(Vec::new, |times| {
        let all = times.percentiles.0.iter();
        all.map(|(percentile, _)| *percentile).collect()
    })
}

fn flow_row(
    (name, stages): (&str, Cell),
    traces: u64,
    failed: u64,
    times: Option<&Times>,
    percentiles: &[Percentile],
) -> Row {
    let ns = |value: Option<u64>| Cell::or_absent(value, |ns| Cell::Nanos(ns as f64));
    let mut cells = vec![
        Cell::name(name),
        Cell::Count(traces),
        stages,
        ns(times.map(|times| times.mean)),
    ];
    for percentile in percentiles {
        let value = times.and_then(|times| times.percentiles.get(*percentile));
        let cell = Cell::or_absent(value, |ns| Cell::Nanos(ns as f64));
        let weak = times.is_some_and(|times| times.weak_percentiles.contains(percentile));
        cells.push(match weak && cell != Cell::Absent {
            true => Cell::Doubtful(Box::new(cell)),
            false => cell,
        });
    }
    cells.push(ns(times.map(|times| times.max)));
    cells.push(match traces {
        0 => Cell::Absent,
        traces => Cell::Share(failed as f64 / traces as f64),
    });
    Row::new(cells)
}

/// The stage or gap that owns most of a trace.
fn longest_owner(trace: &KeptTrace) -> String {
    let mut owners: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for span in &trace.spans {
        *owners.entry(span.event.clone()).or_default() += span.own_ns;
    }
    for gap in &trace.gaps {
        let name = format!("{}→{}", gap.from, gap.to);
        *owners.entry(name).or_default() += gap.duration_ns;
    }
    let most = owners
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    most.map_or_else(String::new, |(name, ns)| {
        format!("{} {}", bounded(&name), nanos_inline(ns as f64))
    })
}

pub(super) fn annotations(trace: &KeptTrace) -> String {
    let shown = trace.annotations.iter().take(4).map(|(key, value)| {
        let value = scalar(value);
        format!("{}={}", bounded(key), bounded(&value))
    });
    shown.collect::<Vec<_>>().join(" ")
}

pub(super) fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => text.clone(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
    }
}

/// Every owner of every flow, one a row.
pub(crate) fn sheet(traces: &Traces) -> Table {
    flow::sheet(traces)
}
