//! Warnings are values: what happened, what it does to the numbers, what to do about it.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::value::{Percentile, UnixNs};
use crate::words::{counted, instant, length};

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
            Self::LossyTraces { .. } => "lossy_traces",
            Self::TracesClosedEarly { .. } => "traces_closed_early",
            Self::ReusedTraceIds { .. } => "reused_trace_ids",
            Self::JoinedClocks { .. } => "joined_clocks",
            Self::BackgroundCut => "background_cut",
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

    fn message(&self) -> String {
        match self {
            Self::Unreadable { error } => format!("left out: {error}"),
            Self::Loss {
                lost,
                attempted,
                in_selection,
            } => format!(
                "{lost} of {attempted} records were lost ({in_selection} within the selected time); percentiles over a gap are uncertain"
            ),
            Self::OpenSpans { open } => {
                format!(
                    "{} had not ended: in no percentile, though perhaps the slowest",
                    counted(*open, "span")
                )
            }
            Self::NotClosed { live: true } => {
                "the capture is still being written; this is what it holds so far".into()
            }
            Self::NotClosed { live: false } => "the capture was not closed cleanly".into(),
            Self::Salvage { arena } => format!("its process died and left records in {arena}"),
            Self::TornTail { offset, len } => {
                format!(
                    "the last {len} bytes, from offset {offset}, are an unfinished chunk and were not read"
                )
            }
            Self::Damage {
                offset,
                len,
                reason,
            } => format!("{len} bytes at offset {offset} were not read: {reason}"),
            Self::RecordsOnlyInRollups { records } => format!(
                "a rollup counts {} that cannot be read: percentiles are complete, time selections and traces miss them",
                counted(*records, "record")
            ),
            Self::RecordsUnknown {
                chunks,
                records: Some(records),
            } => {
                format!(
                    "{} with {} could not be read; percentiles miss them",
                    counted(*chunks, "chunk"),
                    counted(*records, "record")
                )
            }
            Self::RecordsUnknown {
                chunks,
                records: None,
            } => {
                format!(
                    "{} with an unknown number of records could not be read; percentiles miss them",
                    counted(*chunks, "chunk")
                )
            }
            Self::RollupUnusable { offset, reason } => {
                format!(
                    "the rollup at offset {offset} was not used ({reason}); its chunks were read instead"
                )
            }
            Self::ClockStep { at, step_ns } => {
                let way = if *step_ns < 0 { "back" } else { "forward" };
                format!(
                    "the wall clock was set {way} by {} at about {}; durations are not affected",
                    length(step_ns.unsigned_abs()),
                    instant(*at)
                )
            }
            Self::UnknownChunks { chunks } => {
                format!("skipped {} of an unknown kind", counted(*chunks, "chunk"))
            }
            Self::UnknownRecords { records } => {
                format!(
                    "left out {} of an unknown kind",
                    counted(*records, "record")
                )
            }
            Self::UnknownEvents { ids, records } => {
                format!(
                    "{} of {} without a name: shown as event#ID",
                    counted(*records, "record"),
                    counted(*ids, "event")
                )
            }
            Self::Rebinned { scales } => {
                format!(
                    "captures of {scales} different clock rates were merged; their percentiles carry up to 0.1 % more error"
                )
            }
            Self::Overlap { records } => {
                format!(
                    "{} may stand in two files of this capture and be counted twice",
                    counted(*records, "record")
                )
            }
            Self::UnitMismatch { event } => format!(
                "event {event:?} has not the same kind and unit in every capture; shown apart"
            ),
            Self::FewSamples {
                event,
                rows,
                percentile,
                count,
                needed,
            } => {
                let have = if *rows == 1 { "has" } else { "have" };
                format!(
                    "{} {have} few samples: p{percentile} of {event:?} rests on {count}, about {needed} are needed",
                    counted(*rows, "row")
                )
            }
            Self::Saturated { rows } => {
                format!(
                    "{} with values beyond 2^64-1 ns, cut to that",
                    counted(*rows, "row")
                )
            }
            Self::NoEventMatches { pattern } => format!("no event matches {pattern:?}"),
            Self::NothingSelected => "no record lies in the selected time".into(),
            Self::IncompleteTraces { open, cut, of } => format!(
                "{} of {of} could not be measured: {open} had not ended, {cut} began before recording did; the slowest may be among them",
                counted(open + cut, "trace")
            ),
            Self::LossyTraces { lossy, of } => format!(
                "records were lost while {lossy} of {of} traces ran: spans of them may be missing, which changes flow and owners"
            ),
            Self::TracesClosedEarly { traces } => format!(
                "{} given up: too many records were waiting for the rest of their traces",
                counted(*traces, "trace")
            ),
            Self::ReusedTraceIds { traces } => format!(
                "{} an id that an earlier one had, and {} apart",
                match traces {
                    1 => "1 trace has".to_owned(),
                    traces => format!("{traces} traces have"),
                },
                if *traces == 1 { "counts" } else { "count" }
            ),
            Self::JoinedClocks { error_ns } => format!(
                "captures were joined by their wall clocks, which are known to {} at best: shorter gaps mean nothing",
                length(*error_ns)
            ),
            Self::BackgroundCut => {
                "of what ran outside of traces only the longest intervals were compared".into()
            }
            Self::Recorder { message } => format!("the recorder noted: {message}"),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check the path and that it is a capture; `perf-analyze verify FILE` tells more"
            }
            Self::Loss { .. } => {
                "give the recorder larger rings (Recorder::builder().ring_bytes) or record less"
            }
            Self::OpenSpans { .. } => {
                "let the spans end before the recorder stops; read the maximum as a lower bound"
            }
            Self::NotClosed { live: true } => "run again later for more",
            Self::NotClosed { live: false } => {
                "stop the recorder before the process ends (drop it, or recorder.stop())"
            }
            Self::Salvage { .. } => "run `perf-analyze recover FILE -o OUT` and read OUT",
            Self::TornTail { .. } | Self::Damage { .. } => {
                "run `perf-analyze verify FILE` for what is intact; restore the file from a good copy if there is one"
            }
            Self::RecordsOnlyInRollups { .. }
            | Self::RecordsUnknown { .. }
            | Self::RollupUnusable { .. } => {
                "run `perf-analyze verify FILE`; restore the file from a good copy if there is one"
            }
            Self::ClockStep { .. } => {
                "keep the wall clock slewed (chrony or ntpd) where captures are taken"
            }
            Self::UnknownChunks { .. } | Self::UnknownRecords { .. } => {
                "update perf-analyze to the recorder's version"
            }
            Self::UnknownEvents { .. } => {
                "run `perf-analyze verify FILE`: a table of names is missing or damaged"
            }
            Self::Rebinned { .. } => "use --exact, or --by capture",
            Self::Overlap { .. } => "give only one of the files of this capture",
            Self::UnitMismatch { .. } => "give the event one kind and one unit in every program",
            Self::FewSamples { .. } => "record longer, or read a lower percentile",
            Self::Saturated { .. } => "check the unit of the event",
            Self::NoEventMatches { .. } => {
                "check the spelling; `perf-analyze info FILE` lists the events"
            }
            Self::NothingSelected => "widen --since/--until, or leave out --skip",
            Self::IncompleteTraces { .. } => {
                "record longer, and let spans end before the recorder stops; read the maximum as a lower bound"
            }
            Self::LossyTraces { .. } => {
                "give the recorder larger rings (Recorder::builder().ring_bytes) or record less"
            }
            Self::TracesClosedEarly { .. } => {
                "give each request a trace id of its own, or a shorter --trace-idle"
            }
            Self::ReusedTraceIds { .. } => {
                "give each request an id of its own; where one trace really pauses, raise --trace-idle"
            }
            Self::JoinedClocks { .. } => {
                "record on one host without a reboot in between: such captures share a counter"
            }
            Self::BackgroundCut => "select a shorter time with --since and --until",
            Self::Recorder { .. } => "see the recorder's documentation of this note",
        }
    }
}
