//! One trace, span by span, with bars over its time.

use perf_analysis::report::Outcome;
use perf_analysis::traces::KeptTrace;
use perf_render::number::{count, nanos_inline};
use perf_render::{Cell, Column, Document, Fact, Keep, Name, Row, Table, Tone};

use super::scalar;
use crate::time::Zone;

/// Columns of the bars.
const WIDTH: u64 = 24;
/// Spans that a page shows of one trace.
const MAX_SPANS: usize = 200;
/// Levels of nesting that are shown by indentation.
const MAX_DEPTH: usize = 8;

pub(super) fn push(document: &mut Document, trace: &KeptTrace, zone: &Zone) {
    document.heading(format!("trace {}", trace.trace));
    document.facts(facts(trace, zone));
    document.table(table(trace));
    let hidden = trace.spans.len().saturating_sub(MAX_SPANS) as u64 + trace.more_spans;
    if hidden > 0 {
        document.paragraph(format!(
            "{} more spans: --format json has the first 10,000.",
            count(hidden)
        ));
    }
}

fn facts(trace: &KeptTrace, zone: &Zone) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("flow", &trace.flow),
        Fact::new("start", zone.instant(trace.start_unix_ns)),
        Fact::new("end to end", nanos_inline(trace.end_to_end_ns as f64)),
    ];
    if let (Some(lag), Some(response)) = (trace.lag_ns, trace.response_ns) {
        let began = match lag < 0 {
            true => format!("began {} early", nanos_inline(lag.unsigned_abs() as f64)),
            false => format!("began {} after it was due", nanos_inline(lag as f64)),
        };
        let response = nanos_inline(response as f64);
        facts.push(Fact::new("response", format!("{response}; {began}")));
    }
    if let Some(why) = trace.incomplete {
        let why = match why {
            "open" => "spans of it had not ended",
            "cut" => "it began before recording did",
            _ => "it had too many records, and more may follow",
        };
        facts.push(Fact::new("incomplete", why).tone(Tone::Caution));
    }
    if trace.lossy {
        facts.push(Fact::new("lossy", "records were lost in its time").tone(Tone::Caution));
    }
    for (key, value) in trace.annotations.iter().take(10) {
        facts.push(Fact::new(perf_render::escape::bounded(key), scalar(value)));
    }
    facts
}

fn table(trace: &KeptTrace) -> Table {
    let rows = in_tree_order(trace).into_iter().take(MAX_SPANS);
    let rows = rows.map(|(at, depth)| {
        let span = &trace.spans[at];
        let name = Name {
            text: format!("{}{}", "  ".repeat(depth.min(MAX_DEPTH)), span.event),
            mark: span.outcome.unusual().map(str::to_owned),
            repeated: false,
        };
        let row = Row::new(vec![
            Cell::Name(name),
            Cell::name(&span.thread),
            Cell::Nanos(span.start_ns as f64),
            Cell::Nanos(span.duration_ns as f64),
            Cell::Nanos(span.own_ns as f64),
            Cell::Text(bar(span.start_ns, span.duration_ns, trace.end_to_end_ns)),
        ]);
        match span.outcome {
            Outcome::Ok => row,
            Outcome::Cancelled => row.tone(Tone::Caution),
            Outcome::Error | Outcome::Panicked => row.tone(Tone::Bad),
        }
    });
    Table {
        rows: rows.collect(),
        columns: vec![
            Column::new("span", "event"),
            Column::new("thread", "thread").keep(Keep::IfRoom(2)),
            Column::new("at", "start_ns").keep(Keep::IfRoom(1)),
            Column::new("took", "duration_ns"),
            Column::new("own", "own_ns").keep(Keep::IfRoom(3)),
            Column::new("time", "bar"),
        ],
    }
}

/// Each span with how deep it is nested, right behind its parent and its elder siblings.
fn in_tree_order(trace: &KeptTrace) -> Vec<(usize, usize)> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); trace.spans.len()];
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    for (at, span) in trace.spans.iter().enumerate().rev() {
        match span.parent.and_then(|parent| children.get_mut(parent)) {
            // From the last to the first, as they are taken off a stack again.
            Some(siblings) => siblings.push(at),
            None => waiting.push((at, 0)),
        }
    }
    let mut order = Vec::with_capacity(trace.spans.len());
    while let Some((at, depth)) = waiting.pop() {
        order.push((at, depth));
        waiting.extend(children[at].iter().map(|child| (*child, depth + 1)));
    }
    order
}

/// A bar of eighths of a column. Something that takes no time at all still shows.
fn bar(start: u64, duration: u64, whole: u64) -> String {
    let steps = WIDTH * 8;
    let at = |ns: u64| match whole {
        0 => 0,
        whole => (u128::from(ns.min(whole)) * u128::from(steps) / u128::from(whole)) as u64,
    };
    let (from, to) = (at(start), at(start.saturating_add(duration)));
    let from = from.min(steps - 1);
    let to = to.max(from + 1);
    let mut bar = " ".repeat((from / 8) as usize);
    for column in from / 8..to.div_ceil(8) {
        let (low, high) = (
            from.max(column * 8) % 8,
            (to.min(column * 8 + 8) - 1) % 8 + 1,
        );
        bar.push(match (low, high) {
            (0, 8) => '█',
            // Blocks grow from the left; there is one that stands at the right.
            (0, eighths) => ['▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths as usize - 1],
            (low, 8) if low < 4 => '█',
            (low, 8) if low < 7 => '▐',
            (_, 8) => '▕',
            (low, high) if high - low <= 2 && high <= 4 => '▏',
            (low, high) if high - low <= 2 && low >= 4 => '▕',
            (low, _) if low < 4 => '▌',
            _ => '▐',
        });
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_lie_where_the_time_was() {
        assert_eq!(bar(0, 100, 100), "█".repeat(24));
        assert_eq!(bar(0, 0, 0), "▏");
        assert_eq!(
            bar(50, 50, 100),
            format!("{}{}", " ".repeat(12), "█".repeat(12))
        );
        assert_eq!(bar(100, 0, 100), format!("{}▕", " ".repeat(23)));
        assert_eq!(bar(0, 1, 100), "▏");
    }
}
