//! From a cell to a row of the report.

use std::collections::BTreeMap;

use super::cells::{Body, Cell};
use super::exact::ranks;
use super::result::{EventStats, Percentiles};
use super::rows::Class;
use super::spread::Final;
use crate::value::{Number, Percentile};

/// What turns cells into rows.
pub(crate) struct Rows<'a> {
    pub(crate) percentiles: &'a [Percentile],
    /// By group: the time that rates are per, in ns.
    pub(crate) covered_ns: BTreeMap<Option<String>, u64>,
}

impl Rows<'_> {
    /// The row of a cell; `None` when nothing was added to it.
    pub(crate) fn row(&self, cell: &Cell) -> Option<EventStats> {
        let body = cell.lock();
        let count = match cell.class {
            Class::Ticks | Class::Values => body.total.count,
            Class::Counter => body.counter.count,
            Class::Gauge => body.gauge.count,
        };
        if count == 0 {
            return None;
        }
        let covered_ns = self.covered_ns.get(&cell.row.group).copied().unwrap_or(0);
        let per_s = |amount: f64| (covered_ns > 0).then(|| amount / (covered_ns as f64 / 1e9));
        let mut row = EventStats {
            group: cell.row.group.clone(),
            event: cell.row.event.clone(),
            kind: cell.row.kind,
            unit: cell.row.unit.clone(),
            outcome: cell.row.outcome,
            count,
            rate_per_s: per_s(count as f64),
            min: None,
            mean: None,
            stddev: None,
            max: None,
            percentiles: None,
            weak_percentiles: Vec::new(),
            sum: None,
            sum_per_s: None,
            last: None,
            open: None,
            distribution: None,
        };
        match cell.class {
            Class::Ticks | Class::Values => self.fill_spread(&mut row, &body, cell.class),
            Class::Counter => {
                let counter = &body.counter;
                (row.min, row.max) = (Some(counter.min.into()), Some(counter.max.into()));
                row.mean = Some(Number::Real(counter.sum as f64 / count as f64));
                row.sum = Some(counter.sum);
            }
            Class::Gauge => {
                let gauge = &body.gauge;
                (row.min, row.max) = (Some(gauge.min.into()), Some(gauge.max.into()));
                row.mean = gauge.mean().map(Number::Real);
                row.last = gauge.last.map(|(_, value)| value.into());
            }
        }
        row.sum_per_s = row.sum.and_then(|sum| per_s(sum as f64));
        Some(row)
    }

    fn fill_spread(&self, row: &mut EventStats, body: &Body, class: Class) {
        let total = &body.total;
        // Durations are whole ns; a mean observation need not be whole.
        let number = |value: f64| match class {
            Class::Ticks => Number::Int(value.round() as i128),
            _ => Number::Real(value),
        };
        (row.min, row.max) = (Some(total.min.into()), Some(total.max.into()));
        row.mean = total.mean().map(number);
        row.stddev = total.stddev().map(number);
        row.sum = Some(total.sum);
        row.distribution = total.distribution();
        let values = self.values(total, &body.exact);
        let value = |percentile: &Percentile| {
            Some((*percentile, *values.get(&percentile.rank(total.count))?))
        };
        row.percentiles = Some(Percentiles(
            self.percentiles.iter().filter_map(value).collect(),
        ));
        let weak = self
            .percentiles
            .iter()
            .filter(|percentile| total.count < percentile.samples_needed());
        row.weak_percentiles = weak.copied().collect();
    }

    /// The order statistics by rank.
    fn values(&self, total: &Final, exact: &[(u64, u64)]) -> BTreeMap<u64, i128> {
        if !exact.is_empty() {
            return exact
                .iter()
                .map(|(rank, value)| (*rank, total.in_unit(*value).into()))
                .collect();
        }
        let ranks = ranks(self.percentiles, total.count);
        let values = total.at_ranks(&ranks);
        ranks
            .into_iter()
            .zip(values.into_iter().map(i128::from))
            .collect()
    }
}
