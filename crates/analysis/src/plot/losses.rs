//! What was lost when.

use serde::Serialize;

use crate::report::run::Run;
use crate::value::UnixNs;

/// Losses that are kept one by one; of more, neighbours are added up.
const MAX_LOSSES: usize = 1000;

/// Records lost between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The earliest that one may have been lost.
    pub from_unix_ns: UnixNs,
    /// The latest.
    pub to_unix_ns: UnixNs,
    /// How many.
    pub count: u64,
}

/// Losses of known time that touch the selected time, in the order of time.
pub(super) fn losses(run: &Run<'_>) -> Vec<Lost> {
    let mut losses = Vec::new();
    for ((capture, survey), timeline) in run.captures.iter().zip(&run.surveys).zip(&run.timelines) {
        for lost in survey.lost_between.iter().filter(|lost| lost.to > 0) {
            let at = |ticks| capture.clock.unix_ns(lost.segment, ticks);
            let (from, to) = (at(lost.from.min(lost.to)), at(lost.to));
            let within = timeline.until.is_none_or(|until| from < until)
                && timeline.since.is_none_or(|since| to >= since);
            if within {
                losses.push(Lost {
                    from_unix_ns: UnixNs(from),
                    to_unix_ns: UnixNs(to.max(from)),
                    count: lost.count,
                });
            }
        }
    }
    losses.sort_by_key(|lost| (lost.from_unix_ns, lost.to_unix_ns, lost.count));
    joined(&losses)
}

fn joined(losses: &[Lost]) -> Vec<Lost> {
    let together = losses.len().div_ceil(MAX_LOSSES).max(1);
    let join = |some: &[Lost]| {
        let first = some.first()?;
        Some(some[1..].iter().fold(*first, |sum, lost| Lost {
            from_unix_ns: sum.from_unix_ns,
            to_unix_ns: sum.to_unix_ns.max(lost.to_unix_ns),
            count: sum.count.saturating_add(lost.count),
        }))
    };
    losses.chunks(together).filter_map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_losses_are_added_up() {
        let losses: Vec<Lost> = (0..2500)
            .map(|at| Lost {
                from_unix_ns: UnixNs(at),
                to_unix_ns: UnixNs(at + 10),
                count: 2,
            })
            .collect();
        let joined = joined(&losses);
        assert!(joined.len() <= MAX_LOSSES);
        assert_eq!(joined.iter().map(|lost| lost.count).sum::<u64>(), 5000);
        assert_eq!(joined[joined.len() - 1].to_unix_ns, UnixNs(2509));
    }
}
