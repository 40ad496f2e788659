//! Violations as one flat table, for spreadsheets.

use perf_analysis::Number;
use perf_analysis::sla::{Budget, Sla};
use perf_render::{Cell, Column, Row, Table};

use crate::page::sla::rule_text;
use crate::time::Zone;

/// Every violation that is listed, by time. Values are in the unit of their row: durations in ns.
pub(crate) fn violations(sla: &Sla, zone: &Zone) -> Table {
    let keys = [
        "time",
        "unix_ns",
        "rule",
        "event",
        "outcome",
        "value",
        "unit",
        "over_by",
        "budget",
        "open",
        "thread",
        "trace",
        "annotations",
        "capture",
    ];
    let rows = sla.violations.iter().map(|violation| {
        let rule = &sla.rules[violation.rule];
        let text = |text: &str| Cell::Text(text.to_owned());
        let pairs = violation.annotations.iter();
        let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        Row::new(vec![
            Cell::Text(zone.rfc3339(violation.end_unix_ns)),
            Cell::Integer(violation.end_unix_ns.0.into()),
            Cell::name(rule_text(rule)),
            Cell::name(&violation.event),
            Cell::or_absent(violation.outcome, |outcome| text(outcome.name())),
            Cell::Count(violation.value),
            // The values of a rule of an error rate are durations all the same.
            text(if rule.unit == "%" { "ns" } else { &rule.unit }),
            Cell::or_absent(violation.over_by, |over| match over {
                Number::Int(over) => Cell::Integer(over),
                Number::Real(over) => Cell::Number(over),
            }),
            text(match violation.budget {
                Budget::Within => "within",
                Budget::Beyond => "beyond",
                Budget::Undecided => "undecided",
            }),
            text(if violation.open { "true" } else { "false" }),
            Cell::or_absent(violation.thread.as_deref(), text),
            Cell::or_absent(violation.trace.as_deref(), text),
            Cell::Text(pairs.join(" ")),
            Cell::name(&violation.capture),
        ])
    });
    Table {
        rows: rows.collect(),
        columns: keys.map(|key| Column::new(key, key)).into(),
    }
}

/// A share with as many digits as it takes to tell it from all.
pub(super) fn compliance(share: f64) -> String {
    let broken = (1.0 - share) * 100.0;
    if broken <= 0.0 {
        return "100 %".to_owned();
    }
    let decimals = (1.0 - broken.log10().floor()).clamp(1.0, 6.0) as usize;
    let percent = share * 100.0;
    format!("{percent:.decimals$} %")
}
