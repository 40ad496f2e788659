//! How many samples break a bound, window by window: what plots mark.

use super::options::SlaOptions;
use super::rule::{Rule, Target};
use super::run::Run;
use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;
use crate::threads::with_threads;
use crate::value::UnixNs;

/// By window: its first instant, and how many samples that ended in it are beyond the bound. Ascending; windows without
/// any are left out.
pub type Beyond = Vec<(UnixNs, u64)>;

/// Counts the samples beyond the bound of each of `rules`, in windows of `every_ns` that begin at multiples of it since
/// 1970 UTC, in the part of `set` that `selection` chooses. Whatever the captures hold, memory is bounded: nothing is kept of
/// a single sample. The rules must bound values of events from above; of one about traces the counts are empty. Open spans have no end, and
/// are not counted.
///
/// # Errors
/// As [`crate::sla()`].
pub fn beyond_over_time(
    set: &CaptureSet,
    rules: &[Rule],
    every_ns: u64,
    selection: &ReportOptions,
) -> Result<Vec<Beyond>, Error> {
    let windowed = rules.iter().map(|rule| Rule {
        over_ns: Some(every_ns),
        ..rule.clone()
    });
    let options = SlaOptions {
        rules: windowed.collect(),
        since: selection.since,
        until: selection.until,
        skip_ns: selection.skip_ns,
        violations: 0,
        strict: selection.strict,
        threads: selection.threads,
        ..SlaOptions::default()
    };
    with_threads(options.threads, || {
        let run = Run::new(set, &options)?;
        let ledger = run.scan().run()?;
        let every = i64::try_from(every_ns).unwrap_or(i64::MAX).max(1);
        let mut counts = vec![Beyond::new(); rules.len()];
        for (((rule, _), slot), tally) in &ledger.tallies {
            let place = *rule as usize;
            let is_about_an_event = matches!(rules[place].target, Target::Event { .. });
            if is_about_an_event && tally.beyond > 0 {
                let start = UnixNs(slot.saturating_mul(every));
                counts[place].push((start, tally.beyond));
            }
        }
        Ok(counts)
    })
}
