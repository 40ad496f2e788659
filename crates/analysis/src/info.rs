//! What a capture file is made of.

mod contents;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::report::EventKind;
use crate::snapshot::Snapshot;
use crate::value::UnixNs;
use crate::warning::Warning;

/// The schema of [`Info`].
pub const SCHEMA: &str = "perf-analyze/info/1";

/// The answer of [`info()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// One entry a file, in the order given.
    pub files: Vec<FileInfo>,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileInfo {
    /// As given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Bytes of the capture in it: more than its size if it was compressed.
    pub plain_bytes: u64,
    /// `major.minor` of the format.
    pub format_version: String,
    /// In hexadecimal.
    pub capture_id: String,
    /// The boot that it was recorded in.
    pub boot_id: String,
    /// Where it was recorded.
    pub host: String,
    /// By which process.
    pub pid: u32,
    /// Its command, when known.
    pub command: Option<String>,
    /// When recording started; absent when the header is damaged.
    pub start_unix_ns: Option<UnixNs>,
    /// Which part of the capture this file is.
    pub part: u32,
    /// Build labels.
    pub labels: BTreeMap<String, String>,
    /// What made a flight recorder write it, if one did.
    pub snapshot: Option<Snapshot>,
    /// The shared memory that it was recorded through.
    pub arena: Option<String>,
    /// `tsc`, `monotonic` …
    pub clock_source: String,
    /// Why that source.
    pub clock_reason: String,
    /// The recorder's estimate in the header.
    pub ticks_per_second: f64,
    /// Whether it ends with a close.
    pub closed_cleanly: bool,
    /// Chunks by kind, in order of the kind's code.
    pub chunks: Vec<ChunkCount>,
    /// Bytes of the event chunks by column, largest first; heads are the last entry, `head`.
    pub columns: Vec<ColumnSize>,
    /// The event table, by id.
    pub events: Vec<EventInfo>,
    /// The thread table, by id.
    pub threads: Vec<ThreadInfo>,
    /// The anchors, in file order.
    pub anchors: Vec<AnchorInfo>,
    /// What is no intact chunk, in file order.
    pub damage: Vec<DamageInfo>,
}

/// How much of a kind of chunk there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunkCount {
    /// `events`, `rollup` …, or `unknown#CODE`.
    pub kind: String,
    /// How many chunks.
    pub chunks: u64,
    /// Their bytes, heads included.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
}

/// How many bytes a column takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnSize {
    /// `end`, `value` …, or `unknown#ID`.
    pub column: String,
    /// Over all event chunks.
    pub bytes: u64,
    /// Divided by the records of all event chunks.
    pub bytes_per_record: Option<f64>,
}

/// One event of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventInfo {
    /// Its id in this file.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What kind of thing it is; absent for a kind that this version does not know.
    pub kind: Option<EventKind>,
    /// Its unit.
    pub unit: String,
    /// Records of it in this file, of every outcome.
    pub records: u64,
}

/// One thread of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThreadInfo {
    /// Its id in this file.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Records of it in this file.
    pub records: u64,
    /// The processors that it was seen on, by number, with how many chunks say so: each is one look.
    pub cpus: BTreeMap<u32, u64>,
}

/// One clock anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AnchorInfo {
    /// Which run of the tick counter.
    pub segment: u32,
    /// The tick counter.
    pub ticks: u64,
    /// CLOCK_MONOTONIC_RAW in ns.
    pub monotonic_ns: i64,
    /// The wall clock.
    pub unix_ns: UnixNs,
    /// How far apart the readings may be, in ns.
    pub uncertainty_ns: u64,
}

/// A stretch that is no intact chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamageInfo {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Says what the files of `set` are made of. Reads heads and tables, not the records.
///
/// # Errors
/// A file cut short while it is read.
pub fn info(set: &CaptureSet) -> Result<Info, Error> {
    let files = set.captures().iter().flat_map(|capture| &capture.files);
    let files = files.map(contents::file_info).collect::<Result<_, _>>()?;
    Ok(Info {
        schema: SCHEMA,
        files,
        warnings: set.warnings().to_vec(),
    })
}
