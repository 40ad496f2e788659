//! What makes a flow.

use super::hash::spread;

/// What makes a flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FlowKey {
    /// A rule of `--flow`, by number.
    Rule(usize),
    /// Its events, ascending.
    Events(Box<[u32]>),
}

impl FlowKey {
    /// Decides which flows go first when there are too many. The rules that were asked for never go.
    pub(crate) fn hash(&self) -> u64 {
        match self {
            Self::Rule(_) => 0,
            Self::Events(events) => set_hash(events),
        }
    }
}

pub(crate) fn set_hash(events: &[u32]) -> u64 {
    let sum = events.iter().fold(0_u64, |sum, event| {
        sum.wrapping_add(spread(u64::from(*event) + 1))
    });
    spread(sum)
}
