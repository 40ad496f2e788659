//! Whether every byte of a capture is what its writer wrote.

mod chunk;
mod file;
mod rollup;

use serde::Serialize;

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::threads::with_threads;
use crate::warning::Warning;

/// The schema of [`Verification`].
pub const SCHEMA: &str = "perf-analyze/verify/1";

/// The answer of [`verify()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// True when no file has a finding.
    pub intact: bool,
    /// One entry a file, in the order given.
    pub files: Vec<FileVerification>,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileVerification {
    /// As given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// True when there is no finding.
    pub intact: bool,
    /// Chunks read.
    pub chunks: u64,
    /// Column checksums compared.
    pub columns: u64,
    /// Records decoded.
    pub records: u64,
    /// Rollups compared with a scan of their chunks, count for count.
    pub rollups: u64,
    /// Whether it ends with a close. Its absence alone is no finding.
    pub closed_cleanly: bool,
    /// What is wrong, in file order; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
}

/// The most findings that are listed for a file.
pub const MAX_FINDINGS: usize = 1000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Bytes from the start of the file to what is wrong.
    pub offset: u64,
    /// How many bytes are concerned.
    pub len: u64,
    /// `damage` (no chunk can be read there), `torn_tail`, `head` (disagrees with its rows), `column` (damaged),
    /// `rows` (the same records twice), `rollup` (disagrees with its chunks), `anchors` (time runs backward),
    /// `tables` (an event without a name).
    pub kind: &'static str,
    /// One sentence: what was expected, what is there.
    pub message: String,
}

/// Checks every chunk of every file of `set`: checksums, every row, heads against rows, rollups
/// against a scan, anchors. `threads`: worker threads, `None` for one a core.
///
/// # Errors
/// A file cut short while it is read. Damage is a finding, not an error.
pub fn verify(set: &CaptureSet, threads: Option<usize>) -> Result<Verification, Error> {
    with_threads(threads, || {
        let mut files = Vec::new();
        for capture in set.captures() {
            for file in &capture.files {
                files.push(file::verify_file(capture, file)?);
            }
        }
        let intact = files.iter().all(|file| file.intact);
        Ok(Verification {
            schema: SCHEMA,
            intact,
            files,
            warnings: set.warnings().to_vec(),
        })
    })
}
