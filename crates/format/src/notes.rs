//! The Notes, OpenSpans and Close chunks: what the recorder says of itself.

use crate::error::Result;
use crate::metadata::{read_records, record, record_fields};
use crate::stream::RecordChunks;
use crate::{CloseReason, EventId, LossEntry, ThreadId, TraceId, WarningCode};

record! {
    /// What recording itself cost in one interval.
    pub struct SelfCost = 1 {
        /// Start of the interval, in ticks.
        pub from_ticks: u64,
        /// End of the interval, in ticks.
        pub to_ticks: u64,
        /// Records taken out of the rings.
        pub records: u64,
        /// Bytes written to the file.
        pub file_bytes: u64,
        /// Processor time of the drainer thread, in ns.
        pub drainer_cpu_ns: u64,
        /// Processor time of the writer thread, in ns.
        pub writer_cpu_ns: u64,
        /// Longest time from one drain to the next, in ns.
        pub drain_lag_max_ns: u64,
        /// Fullest ring, in slots of 32 bytes.
        pub ring_high_water_slots: u64,
        /// Size of that ring, in slots of 32 bytes.
        pub ring_slots: u64,
        /// Most bytes that waited in the spool.
        pub spool_high_water_bytes: u64,
        later {
            /// What one record costs the application, in ns, as measured at the start; 0 if not measured.
            pub ns_per_record: f64,
        }
    }
}

record! {
    /// Something that the reader of a report should know.
    pub struct Warning = 2 {
        /// What it is about.
        pub code: WarningCode,
        /// When, in ticks; 0 if not known.
        pub ticks: u64,
        /// What happened, in words.
        pub message: String,
    }
}

// A loss that no Events chunk could carry.
record_fields! {
    LossEntry = 3 { ring, thread, cause, count, from_ticks, to_ticks, } later {}
}

record! {
    /// A span that had not ended.
    pub struct OpenSpan = 1 {
        /// The thread that began it.
        pub thread: ThreadId,
        /// Its event.
        pub event: EventId,
        /// When it began, in ticks.
        pub start_ticks: u64,
        /// Its trace, or none.
        pub trace: TraceId,
    }
}

record! {
    /// The clean end of a capture file.
    pub struct Close = 1 {
        /// Why it ended.
        pub reason: CloseReason,
        /// When, in ticks; 0 if not known.
        pub ticks: u64,
        /// When, in ns since 1970-01-01 UTC; 0 if not known.
        pub unix_ns: i64,
        /// Event chunks that were encoded, whether or not they reached the file.
        pub event_chunks: u64,
        /// Rows of those chunks.
        pub rows: u64,
        /// Records lost since the start.
        pub lost: u64,
    }
}

/// What Notes chunks hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notes {
    /// Cost of recording, interval by interval.
    pub self_costs: Vec<SelfCost>,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// Losses that no Events chunk could carry.
    pub losses: Vec<LossEntry>,
    /// Records that were skipped on reading because their tags are unknown (or, of
    /// open spans, beyond the limits): of Notes, OpenSpans and Close chunks.
    pub skipped_records: u64,
}

impl Notes {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.self_costs.is_empty() && self.warnings.is_empty() && self.losses.is_empty()
    }

    pub(crate) fn put_records(&self, out: &mut RecordChunks<'_>) {
        self.self_costs.iter().for_each(|cost| out.put(cost));
        self.warnings.iter().for_each(|warning| out.put(warning));
        self.losses.iter().for_each(|loss| out.put(loss));
    }

    /// Adds the records of a body that lies at `offset` in the file.
    pub(crate) fn read_records(&mut self, body: &[u8], offset: u64) -> Result<()> {
        read_records(body, offset, &mut self.skipped_records, |record| {
            Ok(record.push_to(&mut self.self_costs, usize::MAX)?
                || record.push_to(&mut self.warnings, usize::MAX)?
                || record.push_to(&mut self.losses, usize::MAX)?)
        })
    }
}
