//! Reading captures back, for tests that compare them with what they counted themselves.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub(crate) mod acknowledged;
pub(crate) mod child;
pub(crate) mod clocks;
pub(crate) mod killed;
pub(crate) mod latency;
pub(crate) mod series;
pub(crate) mod world;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use perf_format::{ChunkEntry, EventsChunk, FormatError, Index, Rollup, Row, Tag, ThreadId};

/// A capture, read whole.
pub(crate) struct Capture {
    pub index: Index,
    /// Every row with its thread.
    pub rows: Vec<(ThreadId, Row)>,
    /// Keys and values of annotations, by trace: text as it is, numbers in decimal.
    pub annotations: Vec<(u64, String, String)>,
    /// Losses, in chunks and in notes.
    pub lost: u64,
    /// Slots of each ring that the chunks cover: first, count.
    pub ranges: Vec<(u32, u64, u64)>,
    pub bytes: Vec<u8>,
}

impl Capture {
    /// Reads the file. Every chunk must be intact.
    pub(crate) fn open(path: &Path) -> Self {
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, FormatError> {
        let index = Index::build(&bytes)?;
        assert_eq!(index.damage, [], "no damage is expected");
        let mut capture = Self {
            rows: Vec::new(),
            annotations: Vec::new(),
            lost: index.notes.losses.iter().map(|loss| loss.count).sum(),
            ranges: Vec::new(),
            index,
            bytes: Vec::new(),
        };
        for entry in capture.index.event_chunks() {
            let chunk = EventsChunk::parse(capture.index.chunk_bytes(&bytes, entry), entry.offset)?;
            chunk.verify()?;
            capture.lost += chunk.losses().iter().map(|loss| loss.count).sum::<u64>();
            let strings = chunk.strings()?;
            let text = |number: u64| String::from_utf8_lossy(strings[number as usize]).into_owned();
            let rows = chunk.decode_rows()?;
            let mut rest = rows.as_slice();
            for range in chunk.ranges() {
                capture
                    .ranges
                    .push((range.ring.0, range.first_seq, range.slots.into()));
                let (mine, after) = rest.split_at(range.rows as usize);
                rest = after;
                for row in mine {
                    let value = match row.tag {
                        Tag::ANNOTATION_STR => text(row.value),
                        Tag::ANNOTATION_INT => row.value.cast_signed().to_string(),
                        Tag::ANNOTATION_FLOAT => f64::from_bits(row.value).to_string(),
                        _ => {
                            capture.rows.push((range.thread, *row));
                            continue;
                        }
                    };
                    capture
                        .annotations
                        .push((row.trace.0, text(row.event.0.into()), value));
                }
            }
        }
        capture.bytes = bytes;
        Ok(capture)
    }

    /// Rows, annotations included.
    pub(crate) fn records(&self) -> u64 {
        (self.rows.len() + self.annotations.len()) as u64
    }

    /// The name of each row's event, with the row.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Row)> {
        let names: HashMap<u32, &str> = self
            .index
            .tables
            .events
            .iter()
            .map(|event| (event.id.0, event.name.as_str()))
            .collect();
        self.rows.iter().map(move |(_, row)| {
            let name = if row.tag == Tag::DUE {
                "(due)"
            } else {
                names[&row.event.0]
            };
            (name, row)
        })
    }

    /// Values of the rows of one event.
    pub(crate) fn values(&self, name: &str) -> Vec<u64> {
        self.named()
            .filter(|(named, _)| *named == name)
            .map(|(_, row)| row.value)
            .collect()
    }

    /// Rows by event name and tag.
    pub(crate) fn counts(&self) -> BTreeMap<(String, u8), u64> {
        let mut counts = BTreeMap::new();
        for (name, row) in self.named() {
            *counts.entry((name.to_owned(), row.tag.0)).or_insert(0) += 1;
        }
        counts
    }

    pub(crate) fn thread_name(&self, thread: ThreadId) -> &str {
        self.index
            .tables
            .thread(thread)
            .map_or("", |found| found.name.as_str())
    }

    /// No slot of a ring is in two chunks.
    pub(crate) fn assert_each_slot_once(&self) {
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            let [(ring, first, slots), (next_ring, next, _)] = *pair else {
                unreachable!("windows of two")
            };
            assert!(
                ring != next_ring || first + slots <= next,
                "ring {ring}: {first} + {slots} and {next}"
            );
        }
    }

    /// The rollups that are in the file.
    pub(crate) fn rollups(&self) -> Vec<Rollup> {
        let of = |(entry, _): (&ChunkEntry, _)| {
            let bytes = self.index.chunk_bytes(&self.bytes, entry);
            let chunk = perf_format::RollupChunk::parse(bytes, entry.offset);
            let rollup = chunk.and_then(|chunk| chunk.rollup());
            rollup.expect("an intact rollup")
        };
        self.index.rollups().map(of).collect()
    }

    /// The rollups add up to what a scan of the chunks counts.
    pub(crate) fn assert_rollups_equal_scan(&self) {
        let mut written = BTreeMap::new();
        let mut covered = 0;
        for rollup in self.rollups() {
            covered += rollup.coverage.chunks;
            written
                .entry(rollup.segment)
                .or_insert_with(|| Rollup::new(rollup.segment))
                .merge(&rollup);
        }
        let mut scanned = BTreeMap::new();
        let mut chunks = 0;
        for entry in self.index.event_chunks() {
            chunks += 1;
            let bytes = self.index.chunk_bytes(&self.bytes, entry);
            let chunk = EventsChunk::parse(bytes, entry.offset).expect("an intact chunk");
            let segment = entry.head.segment;
            let rollup = scanned
                .entry(segment)
                .or_insert_with(|| Rollup::new(segment));
            chunk.roll_into(rollup, |_| true).expect("intact columns");
            rollup.coverage.add(&entry.head);
        }
        assert_eq!(covered, chunks, "every chunk is covered by a rollup");
        assert_eq!(written, scanned);
    }
}
