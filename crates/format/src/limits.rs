//! Every limit of the format, by name. A writer never exceeds one; a reader
//! refuses what does, so that no bytes make it allocate without bound.

/// Rows of one Events chunk, annotations included.
pub const MAX_CHUNK_ROWS: usize = 65_536;
/// Series (pairs of event and tag) of one Events chunk.
pub const MAX_CHUNK_SERIES: usize = 16_384;
/// Ranges (runs of one ring) of one Events chunk.
pub const MAX_CHUNK_RANGES: usize = 65_536;
/// Loss entries of one Events chunk.
pub const MAX_CHUNK_LOSSES: usize = 65_536;
/// Strings of one Events chunk.
pub const MAX_CHUNK_STRINGS: usize = 65_536;
/// Bytes of all strings of one Events chunk.
pub const MAX_CHUNK_STRING_BYTES: usize = 8 << 20;
/// Bytes of one annotation key or text; longer ones are refused.
pub const MAX_STRING_BYTES: usize = 64 << 10;
/// Bytes of a file header with its metadata.
pub const MAX_FILE_HEAD_BYTES: usize = 1 << 20;
/// Bytes of a chunk head with its tables and checksum.
pub const MAX_CHUNK_HEAD_BYTES: usize = 8 << 20;
/// Bytes of a chunk body.
pub const MAX_CHUNK_BODY_BYTES: usize = 64 << 20;
/// Columns of one chunk.
pub const MAX_COLUMNS: usize = 64;
/// Bytes of the payload of one metadata record.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// Metadata records of one chunk.
pub const MAX_RECORDS: usize = 1 << 20;
/// Events of one capture. Further descriptors are dropped and counted.
pub const MAX_EVENTS: usize = 1 << 20;
/// Threads of one capture. Further descriptors are dropped and counted.
pub const MAX_THREADS: usize = 1 << 20;
/// Anchors that a reader keeps; further ones are dropped and counted.
pub const MAX_ANCHORS: usize = 1 << 22;
/// Open spans that a reader keeps; further ones are dropped and counted.
pub const MAX_OPEN_SPANS: usize = 1 << 20;
/// Labels of one capture.
pub const MAX_LABELS: usize = 256;
/// Bytes of a name; longer ones are cut at a character.
pub const MAX_NAME_BYTES: usize = 4096;
/// Series of one Rollup chunk. A writer that has more writes no rollup: readers scan.
pub const MAX_ROLLUP_SERIES: usize = 65_536;
/// Bins of all histograms of one Rollup chunk, counted from bin 0 to that of the
/// maximum: what a reader allocates. A writer that has more writes no rollup.
pub const MAX_ROLLUP_BINS: usize = 16 << 20;

// A full Events chunk fits its head and body, whatever is in it.
const RANGES_BYTES: usize = MAX_CHUNK_RANGES * 40;
const SERIES_BYTES: usize = MAX_CHUNK_SERIES * 24;
const LOSSES_BYTES: usize = MAX_CHUNK_LOSSES * 40;
const _: () = assert!(RANGES_BYTES + SERIES_BYTES + LOSSES_BYTES + 4096 <= MAX_CHUNK_HEAD_BYTES);
const _: () = assert!(
    MAX_CHUNK_ROWS * 40 + MAX_CHUNK_STRING_BYTES + MAX_CHUNK_STRINGS * 10 <= MAX_CHUNK_BODY_BYTES
);
const _: () = assert!(MAX_CHUNK_SERIES < u16::MAX as usize);
