//! How the rows of one series of a chunk are added up for one rule.

use perf_format::{Series, SeriesKey, TagClass, ThreadId};

use super::ledger::{Kept, Ledger, Tally};
use super::scan::Site;
use super::watch::Watcher;
use crate::report::timeline::SlotNumber;

/// One watcher's sums over the rows of a chunk, as long as they lie in one window.
#[derive(Clone, Copy)]
pub(super) struct Running<'w> {
    pub(super) watcher: &'w Watcher,
    pub(super) key: SeriesKey,
    pub(super) slot: SlotNumber,
    pub(super) tally: Tally,
    pub(super) has_rows: bool,
    /// The greatest recorded value.
    pub(super) most: u64,
}

/// Whether a series with this greatest value must be looked at row by row.
pub(super) fn is_hot(watcher: &Watcher, max_value: u64) -> bool {
    let beyond = watcher.limit.is_some_and(|limit| max_value >= limit);
    watcher.sums || watcher.failures && watcher.lists || beyond
}

/// Whether the head of a chunk tells all that a rule adds up, though not when each violation was.
pub(super) fn is_told_by_head(series: &Series, watcher: &Watcher) -> bool {
    let beyond = watcher.limit.is_some_and(|limit| series.max_value >= limit);
    !watcher.sums && !beyond
}

pub(super) fn head_tally(series: &Series, watcher: &Watcher) -> Tally {
    let rows = u64::from(series.rows);
    Tally {
        samples: rows,
        beyond: if watcher.failures { rows } else { 0 },
        worst: watcher.scale.value(series.max_value),
        ..Tally::default()
    }
}

impl Running<'_> {
    /// Adds a row that stands for `weight` rows; true if it is a violation. With weight 0 it is one of those that others
    /// stand for, kept for itself.
    #[inline]
    pub(super) fn add(
        &mut self,
        slot: SlotNumber,
        (value, weight): (u64, u32),
        ledger: &mut Ledger,
    ) -> bool {
        if slot != self.slot {
            self.flush(ledger);
            self.slot = slot;
        }
        let watcher = self.watcher;
        let beyond = watcher.failures || watcher.limit.is_some_and(|limit| value >= limit);
        self.tally.unseen += i64::from(weight) - 1;
        self.has_rows = true;
        self.tally.samples += u64::from(weight);
        self.tally.beyond += u64::from(beyond);
        self.most = self.most.max(value);
        if watcher.sums {
            let in_unit = watcher.scale.value(value);
            self.tally.sum += u128::from(in_unit) * u128::from(weight);
        }
        beyond && watcher.lists
    }

    pub(super) fn flush(&mut self, ledger: &mut Ledger) {
        let tally = Tally {
            worst: self.watcher.scale.value(std::mem::take(&mut self.most)),
            ..std::mem::take(&mut self.tally)
        };
        if std::mem::take(&mut self.has_rows) {
            ledger.tally((self.watcher.rule as u32, 0), self.slot, &tally);
        }
    }

    pub(super) fn kept(
        &self,
        site: &Site<'_>,
        row: usize,
        (value, end): (u64, u64),
        thread: ThreadId,
        trace: Option<&u64>,
    ) -> Kept {
        let unix_ns = site.unix_ns(end);
        let value = self.watcher.scale.value(value);
        let outcome = match self.key.tag.class() {
            TagClass::Span(outcome) => Some(outcome.into()),
            _ => None,
        };
        Kept {
            value,
            end: unix_ns,
            start: match outcome {
                Some(_) => unix_ns.saturating_sub_unsigned(value),
                None => unix_ns,
            },
            slot: self.slot,
            capture: site.number as u32,
            place: (site.kept.file, site.kept.entry, row as u32),
            trace: trace.copied().unwrap_or(0),
            thread: Some(thread),
            outcome,
            open: false,
        }
    }
}
