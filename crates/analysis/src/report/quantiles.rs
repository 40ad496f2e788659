//! Some percentiles of events, over outcomes: from rollups where these fit.

use perf_format::bins;

use super::bins::SparseBins;
use super::result::{EventKind, Outcome};
use super::run::Run;
use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;
use crate::value::Percentile;

/// A percentile of an event's spans or observations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) event: String,
    /// `None`: spans of every outcome together.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) percentile: Percentile,
}

/// A value that was wanted. It comes from bins of three significant digits, so it is at most 0.1 % above the true one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: EventKind,
    pub(crate) unit: String,
    pub(crate) value: u64,
}

/// The values of `wanted`, in their order; `None` without samples.
///
/// # Errors
/// As a report.
pub(crate) fn quantiles(
    set: &CaptureSet,
    selection: &ReportOptions,
    wanted: &[Wanted],
) -> Result<Vec<Option<Found>>, Error> {
    let mut events: Vec<String> = wanted
        .iter()
        .map(|wanted| glob::Pattern::escape(&wanted.event))
        .collect();
    events.sort_unstable();
    events.dedup();
    let options = ReportOptions {
        events,
        ..selection.clone()
    };
    let run = Run::new(set, &options)?;
    let cells = run.new_cells();
    run.fill(&run.timelines, &cells)?;
    let cells = cells.sorted();
    let value = |wanted: &Wanted| {
        let mine = || {
            cells.iter().filter(|cell| {
                let row = &cell.row;
                let kind = matches!(row.kind, EventKind::Span | EventKind::Observation);
                let outcome = wanted.outcome.is_none() || row.outcome == wanted.outcome;
                kind && row.event == wanted.event && outcome
            })
        };
        let row = &mine().next()?.row;
        let mut counts = SparseBins::default();
        let (mut count, mut min, mut max) = (0_u64, u64::MAX, 0);
        let mut in_unit = None;
        for cell in mine() {
            let body = cell.lock();
            counts.add_all(body.total.bins().iter());
            count = count.saturating_add(body.total.count);
            min = min.min(body.total.min);
            max = max.max(body.total.max);
        }
        let rank = wanted.percentile.rank(count);
        if let Some((bin, _)) = counts.locate(&[rank]).first().filter(|_| rank > 0) {
            let highest = mine().next()?.lock().total.in_unit(bins::high(*bin));
            in_unit = Some(highest.clamp(min, max.max(min)));
        }
        Some(Found {
            kind: row.kind,
            unit: row.unit.clone(),
            value: in_unit?,
        })
    };
    Ok(wanted.iter().map(value).collect())
}
