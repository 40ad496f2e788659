//! The page of `report`: how far to trust it, where the time went, what to know.

use perf_analysis::report::{Estimator, EventStats, Report};
use perf_analysis::sla::RuleResult;
use perf_render::number::{count, nanos_inline};
use perf_render::{Document, Fact, Table, Tone};

use crate::gate::Unmatched;
use crate::page::in_short::InShort;
use crate::page::{capture, counted, events, push_warnings, sla, slots};
use crate::time::Zone;

/// What the page is made from.
pub(crate) struct Page<'a> {
    pub(crate) report: &'a Report,
    /// How rules fared.
    pub(crate) rules: &'a [RuleResult],
    pub(crate) traces: InShort<'a>,
    pub(crate) zone: &'a Zone,
    /// Whether less than the whole of every capture was asked for.
    pub(crate) narrowed: bool,
    pub(crate) unmatched: &'a Unmatched,
}

impl Page<'_> {
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new();
        if let [only] = &self.report.captures[..] {
            document.heading(&only.path);
        }
        self.push_integrity(&mut document);
        document.table(sla::rules(self.rules));
        self.push_events(&mut document);
        self.traces.push(&mut document);
        let several = self.report.captures.len() > 1;
        push_warnings(
            &mut document,
            &self.report.warnings,
            several,
            self.unmatched,
        );
        document
    }

    /// How far the captures are to be trusted.
    pub(super) fn push_integrity(&self, document: &mut Document) {
        match &self.report.captures[..] {
            [only] => {
                let mut facts = capture::facts(only, self.zone);
                facts.extend(self.figures());
                document.facts(facts);
            }
            several => {
                document.table(capture::table(several, self.zone));
                document.facts(self.figures());
            }
        }
    }

    /// Which records the figures are of, and how exact they are.
    fn figures(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(selected) = self.report.selected
            && self.narrowed
        {
            let range = self
                .zone
                .range(selected.start_unix_ns, selected.end_unix_ns);
            let covered = nanos_inline(selected.covered_ns as f64);
            facts.push(Fact::new("selected", format!("{range}, {covered}")).tone(Tone::Strong));
        }
        let exactness = match self.report.estimator {
            Estimator::Hdr3 => "percentiles within 0.1 %",
            Estimator::Exact => "exact order statistics",
        };
        let source = self.report.source;
        let from = match (source.from_rollups, source.scanned) {
            (0, 0) => "of no records".to_owned(),
            (0, scanned) => format!("of {}, each read", counted(scanned, "record", "records")),
            (_, 0) => "from rollups; payloads not read (--scan) or checked (verify)".to_owned(),
            (rolled, scanned) => format!(
                "{} records from rollups, {} read",
                count(rolled),
                count(scanned)
            ),
        };
        facts.push(Fact::new("figures", format!("{exactness}, {from}")));
        facts
    }

    /// The tables, group by group.
    fn push_events(&self, document: &mut Document) {
        self.push_groups(document, |group| {
            let mut tables = events::tables(group);
            tables.extend(self.slot_tables(group));
            tables
        });
        if self.report.events.is_empty() {
            document.paragraph("Nothing was recorded in what was selected.");
        }
    }

    /// The tables of one group over time, with `--every`.
    pub(super) fn slot_tables(&self, group: &[&EventStats]) -> Vec<Table> {
        let time_slots = self.report.slots.as_ref();
        time_slots.map_or_else(Vec::new, |time_slots| {
            slots::tables(group, time_slots, self.zone)
        })
    }

    /// What `tables` makes of each group, below the group's name if there are groups.
    pub(super) fn push_groups(
        &self,
        document: &mut Document,
        tables: impl Fn(&[&EventStats]) -> Vec<Table>,
    ) {
        let rows: Vec<&EventStats> = self.report.events.iter().collect();
        for group in rows.chunk_by(|a, b| a.group == b.group) {
            if let Some(name) = group.first().and_then(|row| row.group.as_ref()) {
                document.heading(if name.is_empty() {
                    "(without the label)"
                } else {
                    name
                });
            }
            for table in tables(group) {
                document.table(table);
            }
        }
    }
}
