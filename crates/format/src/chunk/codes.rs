//! What a chunk is, and what its columns are.

use super::encoding;

/// What a chunk holds. Kinds that this version does not know are skipped and counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKind(pub u16);

impl ChunkKind {
    /// Rows.
    pub const EVENTS: ChunkKind = ChunkKind(1);
    /// Descriptors of events and threads.
    pub const TABLES: ChunkKind = ChunkKind(2);
    /// Clock anchors.
    pub const ANCHORS: ChunkKind = ChunkKind(3);
    /// Self-cost, warnings, losses.
    pub const NOTES: ChunkKind = ChunkKind(4);
    /// Histograms of the Events chunks before it.
    pub const ROLLUP: ChunkKind = ChunkKind(5);
    /// Spans that had not ended.
    pub const OPEN_SPANS: ChunkKind = ChunkKind(6);
    /// The clean end of the file.
    pub const CLOSE: ChunkKind = ChunkKind(7);

    /// A short name, for people.
    pub fn name(self) -> &'static str {
        match self {
            ChunkKind::EVENTS => "events",
            ChunkKind::TABLES => "tables",
            ChunkKind::ANCHORS => "anchors",
            ChunkKind::NOTES => "notes",
            ChunkKind::ROLLUP => "rollup",
            ChunkKind::OPEN_SPANS => "open spans",
            ChunkKind::CLOSE => "close",
            _ => "unknown",
        }
    }
}

/// Which column: an id of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

impl ColumnId {
    /// Metadata records, one after another.
    pub const RECORDS: ColumnId = ColumnId(1);
    /// Row → index into the chunk's series table.
    pub const SERIES: ColumnId = ColumnId(16);
    /// Row → end, as the difference to the end before it in its range.
    pub const END: ColumnId = ColumnId(17);
    /// Values, grouped by series.
    pub const VALUE: ColumnId = ColumnId(18);
    /// Trace run → index into the chunk's trace dictionary plus 1, or 0 for none.
    pub const TRACE: ColumnId = ColumnId(19);
    /// Trace ids.
    pub const TRACE_DICT: ColumnId = ColumnId(20);
    /// Trace run → its rows.
    pub const TRACE_RUNS: ColumnId = ColumnId(22);
    /// Keys and texts of annotations.
    pub const STRINGS: ColumnId = ColumnId(21);
    /// Row → how many rows it stands for.
    pub const WEIGHT: ColumnId = ColumnId(24);
    /// Range → 1 + the number of the processor that its thread was last seen on, or 0 if that is not known.
    pub const CPU: ColumnId = ColumnId(25);
    /// Row → span id.
    pub const SPAN_ID: ColumnId = ColumnId(26);
    /// Row → span id of the parent.
    pub const PARENT_ID: ColumnId = ColumnId(27);
    /// Row → 1 if it was kept for itself, of a trace that was not kept.
    pub const LONE: ColumnId = ColumnId(28);
    /// Summaries of a rollup's series.
    pub const SUMMARIES: ColumnId = ColumnId(32);
    /// Indexes of a rollup's bins.
    pub const BIN_INDEX: ColumnId = ColumnId(33);
    /// Counts of a rollup's bins.
    pub const BIN_COUNT: ColumnId = ColumnId(34);
}

impl ColumnId {
    /// How its bytes are laid out in the versions that this crate reads.
    pub(super) fn encoding(self) -> u16 {
        match self {
            ColumnId::RECORDS | ColumnId::STRINGS | ColumnId::SUMMARIES => encoding::PLAIN,
            _ => encoding::PACKED,
        }
    }

    /// The column, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            ColumnId::RECORDS => "the metadata of a chunk",
            ColumnId::SERIES => "the series column of a chunk",
            ColumnId::END => "the end column of a chunk",
            ColumnId::VALUE => "the value column of a chunk",
            ColumnId::TRACE => "the trace column of a chunk",
            ColumnId::TRACE_RUNS => "the trace runs of a chunk",
            ColumnId::TRACE_DICT => "the trace dictionary of a chunk",
            ColumnId::STRINGS => "the strings of a chunk",
            ColumnId::WEIGHT => "the weights of a chunk",
            ColumnId::CPU => "the processors of a chunk",
            ColumnId::SPAN_ID => "the span ids of a chunk",
            ColumnId::PARENT_ID => "the parents' span ids of a chunk",
            ColumnId::LONE => "the lone rows of a chunk",
            ColumnId::SUMMARIES => "the summaries of a rollup",
            ColumnId::BIN_INDEX => "the bin indexes of a rollup",
            ColumnId::BIN_COUNT => "the bin counts of a rollup",
            _ => "an unknown column of a chunk",
        }
    }
}
