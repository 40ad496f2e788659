//! One report from beginning to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use glob::Pattern;

use super::caveats;
use super::cells::Cells;
use super::exact::find_exact;
use super::integrity;
use super::pass::{Outcome, Pass};
use super::plan::{Planner, Unit};
use super::result::{Estimator, EventKind, EventStats, Report, SCHEMA, Selected, Slot, Source};
use super::rows::Naming;
use super::slots;
use super::spread::Domain;
use super::stats::Rows;
use super::survey::Survey;
use super::timeline::Timeline;
use super::window::{Lifetime, Stretches, surveyed};
use super::worker::Task;
use crate::capture::{Capture, CaptureSet};
use crate::error::{Error, ErrorKind};
use crate::options::{GroupBy, ReportOptions};
use crate::value::UnixNs;
use crate::warning::Warning;

/// Everything that is known before any record is read.
pub(crate) struct Run<'a> {
    set: &'a CaptureSet,
    pub(crate) options: &'a ReportOptions,
    pub(crate) captures: Vec<&'a Capture>,
    pub(crate) surveys: Vec<Survey>,
    lifetimes: Vec<Option<Lifetime>>,
    /// By capture: what is selected, without slots.
    pub(crate) timelines: Vec<Timeline>,
    pub(crate) stretches: Stretches,
    pub(super) naming: Naming<'a>,
    pub(super) domain: Domain,
    in_ns: bool,
    /// Different tick rates among the captures.
    pub(super) scales: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn new(set: &'a CaptureSet, options: &'a ReportOptions) -> Result<Self, Error> {
        let captures: Vec<&Capture> = set.captures().iter().collect();
        let patterns = options.events.iter().map(|pattern| {
            let bad = |error: glob::PatternError| ErrorKind::BadPattern(error.to_string());
            Pattern::new(pattern).map_err(|error| Error::new(Path::new(pattern), bad(error)))
        });
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let (surveys, lifetimes) = surveyed(&captures)?;
        let everything = Timeline {
            since: None,
            until: None,
            every: None,
        };
        let timelines: Vec<_> = lifetimes
            .iter()
            .map(|lifetime| lifetime.map_or(everything, |life| life.timeline(options)))
            .collect();
        let groups: Vec<_> = captures
            .iter()
            .map(|capture| group(capture, options.by.as_ref()))
            .collect();
        let mut stretches = Stretches::default();
        for ((lifetime, timeline), group) in lifetimes.iter().zip(&timelines).zip(&groups) {
            if let Some(lifetime) = lifetime {
                stretches.push(group.clone(), *lifetime, timeline);
            }
        }
        let scales = scales(&captures, &surveys);
        let one = scales
            .iter()
            .map(|scale| scale.to_bits())
            .collect::<BTreeSet<_>>()
            .len()
            < 2;
        let in_ns = options.exact && !one;
        let domain = if in_ns {
            Domain::Ns
        } else {
            Domain::of(&scales)
        };
        let events = captures.iter().map(|capture| &capture.events).collect();
        let naming = Naming {
            events,
            groups,
            patterns,
        };
        let scales = scales.len();
        Ok(Self {
            set,
            options,
            captures,
            surveys,
            lifetimes,
            timelines,
            stretches,
            naming,
            domain,
            in_ns,
            scales,
        })
    }

    /// Whether figures come of single records, of which only a sample was kept.
    pub(super) fn counts_kept_records(&self) -> bool {
        let options = self.options;
        let by_records = options.scan || options.exact || options.every_ns.is_some();
        (by_records || self.timelines.iter().any(Timeline::is_bounded))
            && self.captures.iter().any(|capture| capture.is_sampled())
    }

    pub(super) fn report(&self) -> Result<Report, Error> {
        let cells = self.new_cells();
        let outcome = self.fill(&self.timelines, &cells)?;
        let slots = self
            .options
            .every_ns
            .map(|every_ns| slots::slots(self, every_ns))
            .transpose()?;
        let (slots, in_slots) = slots.map_or((None, Vec::new()), |(slots, warnings)| {
            (Some(slots), warnings)
        });
        Ok(self.report_of(&cells, outcome, slots, in_slots))
    }

    /// The report of what was read into `cells`, and of `slots` with the warnings that came of these.
    pub(crate) fn report_of(
        &self,
        cells: &Cells,
        outcome: Outcome,
        slots: Option<Vec<Slot>>,
        in_slots: Vec<Warning>,
    ) -> Report {
        let mut events = self.rows(cells);
        self.add_open_spans(&mut events);
        let captures: Vec<_> = (self.captures.iter().zip(&self.surveys).zip(&self.lifetimes))
            .map(|((capture, survey), lifetime)| integrity::summary(capture, survey, *lifetime))
            .collect();
        let mut warnings = self.set.warnings().to_vec();
        for (((capture, summary), survey), timeline) in self
            .captures
            .iter()
            .zip(&captures)
            .zip(&self.surveys)
            .zip(&self.timelines)
        {
            warnings.extend(integrity::warnings(capture, summary, survey, timeline));
        }
        let source = Source {
            from_rollups: outcome.from_rollups,
            scanned: outcome.scanned,
        };
        let known = |warning: &Warning| !outcome.warnings.contains(warning);
        let in_slots: Vec<_> = in_slots.into_iter().filter(known).collect();
        warnings.extend(outcome.warnings);
        warnings.extend(in_slots);
        warnings.extend(caveats::overall(self, &events));
        Report {
            schema: SCHEMA,
            captures,
            estimator: if self.options.exact {
                Estimator::Exact
            } else {
                Estimator::Hdr3
            },
            source,
            selected: self.selected(),
            events,
            slots,
            warnings,
        }
    }

    /// The rows of cells without slots.
    fn rows(&self, cells: &Cells) -> Vec<EventStats> {
        let rows = Rows {
            percentiles: &self.options.percentiles,
            covered_ns: self.stretches.covered_by_group(i64::MIN, i64::MAX),
        };
        let cells = cells.sorted();
        cells.iter().filter_map(|cell| rows.row(cell)).collect()
    }

    /// Reads what `timelines` select, one timeline a capture, into cells.
    pub(crate) fn fill(&self, timelines: &[Timeline], cells: &Cells) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let mut units: Vec<Unit> = Vec::new();
        for (number, timeline) in timelines.iter().enumerate() {
            let (mine, warnings) = self.planner(number, *timeline).units();
            units.extend(mine);
            outcome.warnings.extend(warnings);
        }
        let pass = Pass {
            captures: &self.captures,
            naming: &self.naming,
            cells,
            in_ns: self.in_ns,
            strict: self.options.strict,
        };
        outcome.add(pass.run(Task::Count, &units)?);
        if self.options.exact {
            find_exact(&pass, &units, &self.options.percentiles)?;
        }
        self.refuse(&outcome.warnings)?;
        Ok(outcome)
    }

    pub(crate) fn new_cells(&self) -> Cells {
        Cells::new(self.domain)
    }

    pub(super) fn planner(&self, number: usize, timeline: Timeline) -> Planner<'_> {
        // Exact percentiles need every value, and their ranks must be of the same records.
        let use_rollups = !self.options.scan && !self.options.exact;
        let (capture, survey) = (self.captures[number], &self.surveys[number]);
        Planner {
            number,
            capture,
            survey,
            timeline,
            use_rollups,
        }
    }

    /// With `strict`, the first damage is an error.
    fn refuse(&self, warnings: &[Warning]) -> Result<(), Error> {
        let Some(damage) = warnings
            .iter()
            .find(|warning| self.options.strict && warning.kind.is_damage())
        else {
            return Ok(());
        };
        let path = damage.capture.clone().unwrap_or_default();
        Err(Error::new(
            Path::new(&path),
            ErrorKind::Incomplete(damage.message()),
        ))
    }

    fn selected(&self) -> Option<Selected> {
        let (from, to) = self.stretches.bounds()?;
        let covered_ns = self.stretches.covered_within(i64::MIN, i64::MAX);
        Some(Selected {
            start_unix_ns: UnixNs(from),
            end_unix_ns: UnixNs(to),
            covered_ns,
        })
    }

    pub(super) fn rows_of_slot(
        &self,
        cells: &[std::sync::Arc<super::cells::Cell>],
        from: i64,
        to: i64,
    ) -> Slot {
        let covered_ns = self.stretches.covered_by_group(from, to);
        let rows = Rows {
            percentiles: &self.options.percentiles,
            covered_ns,
        };
        Slot {
            start_unix_ns: UnixNs(from),
            end_unix_ns: UnixNs(to),
            covered_ns: self.stretches.covered_within(from, to),
            lost: 0,
            events: cells.iter().filter_map(|cell| rows.row(cell)).collect(),
        }
    }

    /// Notes on the first row of each group's event how many of its spans had not ended.
    fn add_open_spans(&self, events: &mut [EventStats]) {
        let mut open: BTreeMap<(Option<String>, String), u64> = BTreeMap::new();
        for (capture, group) in self.captures.iter().zip(&self.naming.groups) {
            for (event, count) in integrity::open_by_event(capture) {
                *open.entry((group.clone(), event)).or_default() += count;
            }
        }
        for row in events.iter_mut().filter(|row| row.kind == EventKind::Span) {
            row.open = open.remove(&(row.group.clone(), row.event.clone()));
        }
    }
}

/// The group of a capture.
fn group(capture: &Capture, by: Option<&GroupBy>) -> Option<String> {
    match by? {
        GroupBy::Capture => Some(capture.path().to_owned()),
        GroupBy::Label(key) => {
            let mut labels = capture
                .header()
                .into_iter()
                .flat_map(|header| &header.labels);
            let label = labels.find(|label| label.key == *key);
            Some(label.map(|label| label.value.clone()).unwrap_or_default())
        }
    }
}

/// The different tick rates of segments that hold records, in ns a tick, in the order of captures.
fn scales(captures: &[&Capture], surveys: &[Survey]) -> Vec<f64> {
    let mut scales: Vec<f64> = Vec::new();
    for (capture, survey) in captures.iter().zip(surveys) {
        for segment in survey.ends.keys() {
            let scale = capture.clock.ns_per_tick(*segment);
            if !scales.contains(&scale) {
                scales.push(scale);
            }
        }
    }
    scales
}
