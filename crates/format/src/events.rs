//! The Events chunk: a window of time over all threads, in columns.
//!
//! After the column directory the head holds
//!
//! ```text
//! ranges u32 · series u32 · losses u32 · strings u32 · traces u32 · trace_runs u32
//! ranges × [ring u32, thread u32, first_seq u64, slots u32, rows u32, first_end u64]
//! series × [event u32, tag u8, 3 × 0, rows u32, value_offset u32, max_value u64]
//! losses × [ring u32, thread u32, cause u32, 0 u32, count u64, from_ticks u64, to_ticks u64]
//! ```
//!
//! Rows are in the order of the ranges. Columns:
//!
//! | column | one entry a | holds |
//! |---|---|---|
//! | SERIES | row | index into the series table |
//! | END | row | end − end of the row before in its range; 0 for the first, whose end is `first_end` |
//! | VALUE | row | values of the first series in row order, then those of the second …; each series begins a block |
//! | TRACE | trace run | of rows that follow one another and have the same trace: 0, or 1 + index into TRACE_DICT |
//! | TRACE_RUNS | trace run | its rows |
//! | TRACE_DICT | trace | trace ids, by first appearance |
//! | STRINGS | string | lengths as packed blocks, then the bytes one after another |
//! | CPU | range | 1 + the processor that its thread was last seen on, or 0; absent if no range says it |
//! | WEIGHT, SPAN_ID, PARENT_ID, LONE | row | what [`Extra`] says; each absent if no row says it |

mod columns;
mod cpu;
mod dictionary;
mod encode;
mod encoder;
mod extra;
mod layout;
mod reader;
mod roll;
mod series_table;
mod strings;
mod trace_runs;

pub use columns::Columns;
pub use encoder::{ChunkEncoder, ChunkFull, RunHead};
pub use extra::Extra;
pub use layout::{Range, Series};
pub use reader::EventsChunk;

#[cfg(test)]
mod tests;
