//! Opening a capture: hop from head to head, keep what is intact, say what is not.

mod resync;
mod walk;

use std::collections::HashSet;

use crate::chunk::{ChunkHead, ChunkKind};
use crate::error::{FormatError, Result};
use crate::notes::{Close, Notes, OpenSpan};
use crate::{Anchors, ClockMap, Coverage, FileHeader, ReadAt, Tables};

/// One chunk with an intact head.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkEntry {
    /// Where in the file.
    pub offset: u64,
    /// The head's shared fields.
    pub head: ChunkHead,
    /// What a Rollup chunk covers.
    pub coverage: Option<Coverage>,
}

/// Bytes that could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// What is wrong with them.
    pub reason: FormatError,
}

/// The end of a file that was cut in the middle of a chunk, or is still being written.
#[derive(Debug, Clone, PartialEq)]
pub struct TornTail {
    /// Where the incomplete chunk begins.
    pub offset: u64,
    /// Bytes of it that are there.
    pub len: u64,
    /// Its head, if that is intact.
    pub head: Option<ChunkHead>,
}

/// What is in a capture file: all that is needed before any column is read.
///
/// Event and rollup bodies are not touched; those of the small metadata chunks are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index {
    /// Bytes of the file when it was opened.
    pub file_len: u64,
    /// The file header; `None` if it is damaged.
    pub header: Option<FileHeader>,
    /// Every chunk with an intact head whose body lies in the file, in file order.
    pub chunks: Vec<ChunkEntry>,
    /// Events and threads.
    pub tables: Tables,
    /// Clock anchors.
    pub anchors: Anchors,
    /// Self-cost, warnings, losses.
    pub notes: Notes,
    /// Spans that had not ended.
    pub open_spans: Vec<OpenSpan>,
    /// The clean end, if it was written.
    pub close: Option<Close>,
    /// What could not be read, in file order.
    pub damage: Vec<Damage>,
    /// The incomplete chunk at the end, if there is one.
    pub torn_tail: Option<TornTail>,
    /// Chunks that were skipped because their kind or version is unknown.
    pub unknown_chunks: u64,
}

impl Index {
    /// Opens a capture that lies in memory, for example mapped.
    ///
    /// # Errors
    /// Nothing can be read: the file is empty, is no capture, is of a newer major
    /// version, or has neither an intact header nor an intact chunk. Any other
    /// damage is in [`Index::damage`].
    pub fn build(bytes: &[u8]) -> Result<Index> {
        Index::read(bytes)
    }

    /// Opens a capture, reading only the pieces that are needed: for files that
    /// are still being written.
    ///
    /// # Errors
    /// As [`Index::build`], and input/output errors.
    pub fn read(source: &(impl ReadAt + ?Sized)) -> Result<Index> {
        walk::walk(source)
    }

    /// The chunks of one kind, in file order.
    pub fn of_kind(&self, kind: ChunkKind) -> impl Iterator<Item = &ChunkEntry> {
        self.chunks
            .iter()
            .filter(move |entry| entry.head.kind == kind && entry.head.is_known())
    }

    /// The Events chunks, in file order.
    pub fn event_chunks(&self) -> impl Iterator<Item = &ChunkEntry> {
        self.of_kind(ChunkKind::EVENTS)
    }

    /// The Rollup chunks with what they cover, in file order.
    pub fn rollups(&self) -> impl Iterator<Item = (&ChunkEntry, &Coverage)> {
        self.of_kind(ChunkKind::ROLLUP)
            .filter_map(|entry| Some((entry, entry.coverage.as_ref()?)))
    }

    /// The bytes of a chunk of this index in `bytes`, the whole file. Shorter
    /// than the chunk, or empty, if the file has shrunk since.
    pub fn chunk_bytes<'a>(&self, bytes: &'a [u8], entry: &ChunkEntry) -> &'a [u8] {
        let start = (entry.offset as usize).min(bytes.len());
        let end = start
            .saturating_add(entry.head.chunk_len() as usize)
            .min(bytes.len());
        &bytes[start..end]
    }

    /// True if the capture was closed, and nothing follows.
    pub fn closed_cleanly(&self) -> bool {
        let last = self.chunks.last();
        self.close.is_some()
            && self.torn_tail.is_none()
            && last.is_some_and(|entry| entry.head.kind == ChunkKind::CLOSE)
    }

    /// How many numbers below the highest chunk number no chunk has: chunks that
    /// were lost on their way to the file, or damaged. A part that is not the first
    /// begins with the number that its first chunk has.
    pub fn missing_chunks(&self) -> u64 {
        let numbers: HashSet<u64> = self
            .chunks
            .iter()
            .map(|entry| entry.head.chunk_seq)
            .collect();
        let highest = numbers
            .iter()
            .max()
            .map_or(0, |highest| highest.saturating_add(1));
        let before = match self.header.as_ref().map_or(0, |header| header.part) {
            0 => 0,
            _ => numbers.iter().min().copied().unwrap_or(0),
        };
        (highest - before).saturating_sub(numbers.len() as u64)
    }

    /// Converts ticks into times.
    pub fn clock_map(&self) -> ClockMap {
        ClockMap::new(self.header.as_ref(), &self.anchors.anchors)
    }
}
