//! What warnings say, and what they advise.

use super::WarningKind;
use crate::words::{counted, instant, length};

impl WarningKind {
    /// What happened.
    pub(super) fn message(&self) -> String {
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
            Self::PartsMissing { missing, goes_on } => {
                let between = counted((*missing).into(), "part");
                match (missing, goes_on) {
                    (0, _) => "the capture goes on in a part that is not here".into(),
                    (_, false) => format!("{between} of the capture between these are not here"),
                    (_, true) => format!(
                        "{between} of the capture between these are not here, nor is what followed"
                    ),
                }
            }
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
            Self::SampledRecords => "a sample of the records was kept, and these figures count kept ones alone, at least in part".to_owned(),
            Self::SampledTraces {
                kept,
                of,
                fragments,
            } => sampled_traces(*kept, *of, *fragments),
            Self::ClippedChildren { spans } => format!(
                "{} beyond the parent named in the record: what is beyond it counts for nothing",
                match spans {
                    1 => "1 span reaches".to_owned(),
                    spans => format!("{spans} spans reach"),
                }
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
                "captures were joined by their wall clocks, which are known to {} at best: shorter gaps, marked ~, mean nothing",
                length(*error_ns)
            ),
            Self::BackgroundCut => {
                "of what ran outside of traces only the longest intervals were compared".into()
            }
            Self::TooManyValues { key, flows, limit } => {
                let (have, are) = match flows {
                    1 => ("has", "is"),
                    _ => ("have", "are"),
                };
                format!(
                    "{} {have} more than {limit} values of {key:?} and {are} not split by it",
                    counted(*flows, "flow")
                )
            }
            Self::SwitchedOff { from, to } => {
                let from = from.map(|from| format!(" from about {}", instant(from)));
                let to = to.map_or_else(
                    || " and stayed off".to_owned(),
                    |to| format!(" until about {}", instant(to)),
                );
                format!(
                    "recording was off{}{to}: somebody had switched it off",
                    from.unwrap_or_default()
                )
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
            Self::PartsMissing { .. } => "give all parts, or the directory they are in",
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
            Self::SampledRecords => {
                "a plain `perf-analyze report` counts every record: without --scan, --exact, --skip, --since, --until and --every"
            }
            Self::SampledTraces { .. } => {
                "percentiles of events are of all spans, kept or not: see `perf-analyze report`"
            }
            Self::ClippedChildren { .. } => {
                "end child spans before their parent; of several hosts, check the clocks"
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
            Self::TooManyValues { .. } => {
                "split by an annotation of fewer values, or select a shorter time with --since and --until"
            }
            Self::SwitchedOff { .. } => {
                "leave these times out (--since, --until) where rates or gaps matter"
            }
            Self::Recorder { .. } => "see the recorder's documentation of this note",
        }
    }
}

fn sampled_traces(kept: u64, of: u64, fragments: u64) -> String {
    let mut text = Vec::new();
    if of > kept {
        let share = 100.0 * kept as f64 / of as f64;
        text.push(format!(
            "figures of traces are of a sample: {kept} stand for {of} ({share:.3} %)"
        ));
    }
    if fragments > 0 {
        text.push(format!(
            "of {} only single spans were kept: they are in no flow",
            counted(fragments, "trace")
        ));
    }
    text.join("; ")
}
