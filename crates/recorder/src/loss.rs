//! The loss ledger: which records were attempted and not kept, by cause, exactly.

use std::fmt;

use perf_arena::{Loss, LossCause as ArenaCause};
use perf_format::{LossCause, LossEntry, RingId, ThreadId};

/// Causes that the file format has no name of its own for yet.
const AFTER_STOP: LossCause = LossCause(8);
pub(crate) const OVERWRITTEN: LossCause = LossCause(9);
/// What an unknown code of the arena becomes, so that it can be told from every known one.
const UNKNOWN_BASE: u32 = 1 << 16;

/// The file's code of a cause in the arena.
pub(crate) fn cause_of(cause: ArenaCause) -> LossCause {
    match cause {
        ArenaCause::RingFull => LossCause::RING_FULL,
        ArenaCause::NoRing => LossCause::NO_RING,
        ArenaCause::AfterShutdown => AFTER_STOP,
        ArenaCause::NestedSignal => LossCause::NESTED,
        ArenaCause::Overwritten => OVERWRITTEN,
        ArenaCause::TooLarge => LossCause::TOO_LONG,
        // Not a loss; whoever counts losses asks `is_loss` first.
        ArenaCause::Untracked => LossCause(UNKNOWN_BASE + ArenaCause::Untracked as u32),
    }
}

/// The file's code of a code in a loss record.
pub(crate) fn cause_of_code(code: u32) -> LossCause {
    let known = u8::try_from(code).ok().and_then(ArenaCause::from_code);
    known.map_or(LossCause(UNKNOWN_BASE.saturating_add(code)), cause_of)
}

/// A loss that nothing in the stream tells of, as the file has it. `None` if there is none.
pub(crate) fn pending_entry(ring: u32, thread: u32, loss: &Loss) -> Option<LossEntry> {
    (loss.cause.is_loss() && loss.pending() > 0).then(|| LossEntry {
        ring: RingId(ring),
        thread: ThreadId(thread),
        cause: cause_of(loss.cause),
        count: loss.pending(),
        from_ticks: loss.from_ticks,
        to_ticks: loss.to_ticks,
    })
}

/// Lost records by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost(Vec<(LossCause, u64)>);

impl Lost {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Those with this cause.
    pub fn by(&self, cause: LossCause) -> u64 {
        self.0
            .iter()
            .find(|(known, _)| *known == cause)
            .map_or(0, |(_, count)| *count)
    }

    /// Each cause that has cost something, with how many records.
    pub fn iter(&self) -> impl Iterator<Item = (LossCause, u64)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn add(&mut self, cause: LossCause, count: u64) {
        if count == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, total)) => *total = total.saturating_add(count),
            None => self.0.push((cause, count)),
        }
    }
}

/// `none`, or `12 (ring full 10, no ring for the thread 2)`.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        write!(f, "{} (", self.total())?;
        for (index, (cause, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {count}", cause.describe())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_keep_apart() {
        let mut codes: Vec<u32> = ArenaCause::ALL
            .iter()
            .map(|cause| cause_of(*cause).0)
            .collect();
        codes.extend([
            cause_of_code(0).0,
            cause_of_code(200).0,
            cause_of_code(u32::MAX).0,
        ]);
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert_eq!(cause_of_code(1), LossCause::RING_FULL);
    }

    #[test]
    fn the_ledger_adds_up() {
        let mut lost = Lost::default();
        assert_eq!(lost.to_string(), "none");
        lost.add(LossCause::RING_FULL, 0);
        assert_eq!(lost, Lost::default());
        lost.add(LossCause::RING_FULL, 7);
        lost.add(LossCause::NO_RING, 2);
        lost.add(LossCause::RING_FULL, 3);
        assert_eq!(
            (
                lost.total(),
                lost.by(LossCause::RING_FULL),
                lost.by(LossCause::NESTED)
            ),
            (12, 10, 0)
        );
        assert_eq!(
            lost.to_string(),
            "12 (ring full 10, no ring for the thread 2)"
        );
    }
}
