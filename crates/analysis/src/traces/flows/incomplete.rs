//! Traces that could not be measured.

/// Traces that could not be measured, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unmeasured {
    pub(crate) open: u64,
    pub(crate) cut: u64,
    pub(crate) memory: u64,
}

/// Why a trace is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// Spans of it had not ended.
    Open,
    /// It began before recording did.
    Cut,
    /// It was closed early, for lack of memory.
    Memory,
    /// It was not kept, and single spans of it were: such a trace is of no flow.
    Sampled,
}

impl Incomplete {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cut => "cut",
            Self::Memory => "memory",
            Self::Sampled => "sampled",
        }
    }
}
