//! What annotations say of the traces of a flow.

use std::collections::HashMap;

use super::super::cells::bin_of;
use super::super::notes::encode;
use super::super::trace::Trace;
use super::{ByCounts, FlowSums, MAX_BY_VALUES, Scratch};

/// Annotations of one trace that are looked at.
const MAX_NOTES: usize = 64;

impl FlowSums {
    /// Adds how late a measured trace began, if it says when it was due.
    pub(crate) fn add_due(&mut self, trace: &Trace<'_>) {
        if let (Some(lag), Some(response)) = (trace.lag_ns(), trace.response_ns()) {
            self.early += u64::from(lag < 0);
            self.lag.record(lag.max(0) as u64);
            self.response.record(response);
        }
    }

    /// Adds what annotations say of a measured trace.
    pub(crate) fn add_notes(
        &mut self,
        trace: &Trace<'_>,
        by: Option<&[u8]>,
        scratch: &mut Scratch,
    ) {
        let bin = bin_of(trace.end_to_end());
        scratch.seen.clear();
        for (key, value) in trace.annotations().take(MAX_NOTES) {
            encode(value, &mut scratch.bytes);
            let bytes = &scratch.bytes;
            // A trace counts once, however often it says the same.
            if scratch.seen.iter().any(|(k, v)| k == key && v == bytes) {
                continue;
            }
            self.notes.add(key, bytes, bin);
            if by == Some(key) && !scratch.seen.iter().any(|(seen, _)| seen == key) {
                self.add_by(trace, bytes);
            }
            scratch.seen.push((key.to_vec(), bytes.clone()));
        }
    }

    fn add_by(&mut self, trace: &Trace<'_>, value: &[u8]) {
        if self.too_many_by {
            return;
        }
        if !self.by.contains_key(value) {
            self.by.insert(value.into(), ByCounts::default());
            self.check_by();
        }
        if let Some(counts) = self.by.get_mut(value) {
            counts.e2e.record(trace.end_to_end());
            counts.failed += u64::from(trace.outcomes > 1);
        }
    }

    pub(super) fn check_by(&mut self) {
        if self.by.len() > MAX_BY_VALUES {
            self.too_many_by = true;
            self.by = HashMap::new();
        }
    }
}
