//! Warnings are values: what happened, what it does to the numbers, what to do about it.

mod text;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::value::{Percentile, UnixNs};

/// Something a reader of the numbers must know. In JSON `{"kind", "message", "remedy", "capture"}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// The capture or file it is about; absent: the whole report.
    pub capture: Option<String>,
    /// What happened.
    pub kind: WarningKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WarningKind {
    /// A file could not be read at all and was left out.
    Unreadable {
        /// The one-line error.
        error: String,
    },
    /// Records were lost while recording.
    Loss {
        /// How many.
        lost: u64,
        /// Recorded and lost together.
        attempted: u64,
        /// Lost within the selected time, as far as the ledger tells.
        in_selection: u64,
    },
    /// Spans were still open at the end: their durations are only bounded from below.
    OpenSpans {
        /// How many.
        open: u64,
    },
    /// The capture was not closed: the process is still running, or was killed.
    NotClosed {
        /// True when its process seems to be recording still.
        live: bool,
    },
    /// Parts of a rotated capture are not among the files.
    PartsMissing {
        /// How many between the first and the last that are here.
        missing: u32,
        /// Whether the capture went on after the last that is here.
        goes_on: bool,
    },
    /// A dead process left records in shared memory.
    Salvage {
        /// The arena.
        arena: String,
    },
    /// The file ends in the middle of a chunk.
    TornTail {
        /// Where the torn chunk begins.
        offset: u64,
        /// Bytes from there to the end.
        len: u64,
    },
    /// Bytes in the middle of the file that are no intact chunk.
    Damage {
        /// Where.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// What was wrong.
        reason: String,
    },
    /// Chunks that could not be read, but whose records a rollup counts: percentiles are complete,
    /// time selections and traces miss them.
    RecordsOnlyInRollups {
        /// How many records.
        records: u64,
    },
    /// Chunks that neither a scan nor a rollup could read.
    RecordsUnknown {
        /// Chunks missing by sequence number, at least.
        chunks: u64,
        /// Records in them where their heads still told.
        records: Option<u64>,
    },
    /// A rollup could not be used; its chunks were scanned.
    RollupUnusable {
        /// Where it lies.
        offset: u64,
        /// Why.
        reason: String,
    },
    /// The wall clock was set while recording.
    ClockStep {
        /// About when, by the clock before the step.
        at: UnixNs,
        /// By how much, in ns.
        step_ns: i64,
    },
    /// Chunks of a kind that this version does not know were skipped.
    UnknownChunks {
        /// How many.
        chunks: u64,
    },
    /// Records of a tag that this version does not know were left out.
    UnknownRecords {
        /// How many.
        records: u64,
    },
    /// Records of an event id that no table names.
    UnknownEvents {
        /// How many ids.
        ids: u64,
        /// How many records.
        records: u64,
    },
    /// Captures of different tick scales were merged: bins were mapped, adding up to 0.1 % of error.
    Rebinned {
        /// How many different scales.
        scales: u64,
    },
    /// Two files of one capture hold partly the same records in a way that cannot be told apart.
    Overlap {
        /// Records that may be counted twice.
        records: u64,
    },
    /// Two captures name the same event with different kind or unit.
    UnitMismatch {
        /// The event.
        event: String,
    },
    /// Too few samples for a percentile to mean much.
    FewSamples {
        /// The first such event.
        event: String,
        /// How many rows of the report have one.
        rows: u64,
        /// The percentile, of that first event.
        percentile: Percentile,
        /// Its samples.
        count: u64,
        /// What it would take.
        needed: u64,
    },
    /// Values too large for their unit were cut to the largest that fits.
    Saturated {
        /// How many rows of the report have one.
        rows: u64,
    },
    /// An event pattern that matches no event of the captures.
    NoEventMatches {
        /// The pattern.
        pattern: String,
    },
    /// The selected time holds no record of a capture.
    NothingSelected,
    /// Traces that could not be measured, since spans of them had not ended or had begun before recording did.
    IncompleteTraces {
        /// With spans that had not ended.
        open: u64,
        /// Begun before recording did.
        cut: u64,
        /// Of so many traces.
        of: u64,
    },
    /// Figures count kept records, of which there were more: the capture holds a sample, and they are not from its rollups.
    SampledRecords,
    /// Traces are a sample of those that ran.
    SampledTraces {
        /// Traces that were kept.
        kept: u64,
        /// For so many they stand.
        of: u64,
        /// Further traces of which only single spans were kept.
        fragments: u64,
    },
    /// Spans reached beyond the parent that their records name.
    ClippedChildren {
        /// How many.
        spans: u64,
    },
    /// Records were lost while traces ran: spans of them may be missing.
    LossyTraces {
        /// How many.
        lossy: u64,
        /// Of so many that were measured.
        of: u64,
    },
    /// Too many traces were waiting for more records: those that had waited longest were given up.
    TracesClosedEarly {
        /// How many.
        traces: u64,
    },
    /// Ids came again after their traces were over, and count as further traces.
    ReusedTraceIds {
        /// Further traces.
        traces: u64,
    },
    /// Traces were joined by the wall clocks of captures.
    JoinedClocks {
        /// The largest known error of these, in ns.
        error_ns: u64,
    },
    /// Of what ran outside of traces only the longest intervals were looked at.
    BackgroundCut,
    /// An annotation has too many values in some flows to split these by it.
    TooManyValues {
        /// The annotation's key.
        key: String,
        /// How many flows.
        flows: u64,
        /// The most values that a flow is split by.
        limit: u64,
    },
    /// Nothing was recorded for a while: somebody had switched it off from outside.
    SwitchedOff {
        /// From when on; absent: since before the first that is known.
        from: Option<UnixNs>,
        /// Until when; absent: it stayed off.
        to: Option<UnixNs>,
    },
    /// Something the recorder itself wrote down.
    Recorder {
        /// Its words.
        message: String,
    },
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Warning", 4)?;
        out.serialize_field("kind", self.kind.name())?;
        out.serialize_field("message", &self.message())?;
        out.serialize_field("remedy", self.kind.remedy())?;
        out.serialize_field("capture", &self.capture)?;
        out.end()
    }
}

impl Warning {
    /// One sentence for people, without the capture's name.
    pub fn message(&self) -> String {
        self.kind.message()
    }
}

impl WarningKind {
    /// The stable name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::Loss { .. } => "loss",
            Self::OpenSpans { .. } => "open_spans",
            Self::NotClosed { .. } => "not_closed",
            Self::PartsMissing { .. } => "parts_missing",
            Self::Salvage { .. } => "salvage",
            Self::TornTail { .. } => "torn_tail",
            Self::Damage { .. } => "damage",
            Self::RecordsOnlyInRollups { .. } => "records_only_in_rollups",
            Self::RecordsUnknown { .. } => "records_unknown",
            Self::RollupUnusable { .. } => "rollup_unusable",
            Self::ClockStep { .. } => "clock_step",
            Self::UnknownChunks { .. } => "unknown_chunks",
            Self::UnknownRecords { .. } => "unknown_records",
            Self::UnknownEvents { .. } => "unknown_events",
            Self::Rebinned { .. } => "rebinned",
            Self::Overlap { .. } => "overlap",
            Self::UnitMismatch { .. } => "unit_mismatch",
            Self::FewSamples { .. } => "few_samples",
            Self::Saturated { .. } => "saturated",
            Self::NoEventMatches { .. } => "no_event_matches",
            Self::NothingSelected => "nothing_selected",
            Self::IncompleteTraces { .. } => "incomplete_traces",
            Self::SampledRecords => "sampled_records",
            Self::SampledTraces { .. } => "sampled_traces",
            Self::ClippedChildren { .. } => "clipped_children",
            Self::LossyTraces { .. } => "lossy_traces",
            Self::TracesClosedEarly { .. } => "traces_closed_early",
            Self::ReusedTraceIds { .. } => "reused_trace_ids",
            Self::JoinedClocks { .. } => "joined_clocks",
            Self::BackgroundCut => "background_cut",
            Self::TooManyValues { .. } => "too_many_values",
            Self::SwitchedOff { .. } => "switched_off",
            Self::Recorder { .. } => "recorder",
        }
    }

    /// True for those that say the input is not whole (`--strict` makes them errors).
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::TornTail { .. }
                | Self::Damage { .. }
                | Self::RecordsOnlyInRollups { .. }
                | Self::RecordsUnknown { .. }
                | Self::RollupUnusable { .. }
        )
    }
}
