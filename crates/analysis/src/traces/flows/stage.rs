//! One stage of a flow.

/// One stage of a flow, of traces in which some stage occurs more than once; of all others only how many there are is
/// counted, since each has each stage once.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageSums {
    pub(crate) spans: u64,
    pub(crate) traces: u64,
    /// Traces that have it more than once: how many, with how many spans, at most how many, and the sums from the trace's
    /// start to the first end and to the last.
    pub(crate) fan_traces: u64,
    pub(crate) fan_spans: u64,
    pub(crate) fan_most: u64,
    pub(crate) fan_first: u128,
    pub(crate) fan_last: u128,
}

impl StageSums {
    /// Adds what another worker saw of the same stage.
    pub(super) fn merge(&mut self, other: &StageSums) {
        self.spans += other.spans;
        self.traces += other.traces;
        self.fan_traces += other.fan_traces;
        self.fan_spans += other.fan_spans;
        self.fan_most = self.fan_most.max(other.fan_most);
        self.fan_first += other.fan_first;
        self.fan_last += other.fan_last;
    }
}
