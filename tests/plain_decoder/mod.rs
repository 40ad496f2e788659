//! A second decoder of captures, plain and slow, written from crates/format/FORMAT.md alone, and tests that hold it
//! against perf-format's: row for row, table for table, bin for bin.
//!
//! The decoder (`numbers`, `file`, `metadata`, `events`, `rollup`, `clock`, `listing`) uses nothing of perf-format and does
//! everything the obvious way, one bit at a time where need be. Where the two differ, one of three is wrong: the fast reader,
//! this one, or the page.

mod clock;
mod compare;
mod events;
mod file;
mod foreign;
mod listing;
mod made;
mod metadata;
mod numbers;
mod rollup;
mod tests;

pub(crate) use file::decode;
pub(crate) use listing::listing;
