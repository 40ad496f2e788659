//! What stops an analysis: which file, where in it, what was expected, what came, what to do.

use std::io;
use std::path::{Path, PathBuf};

use perf_format::FormatError;

/// Why an analysis cannot go on. Prints as one line.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct Error {
    /// The file, directory or pattern.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub kind: ErrorKind,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such file, or the pattern matches nothing.
    #[error("no such file; check the path")]
    NotFound,
    /// A directory that holds no capture.
    #[error(
        "holds no capture: expected files named *.bin or *.bin.zst; record one, or name the file"
    )]
    NoCaptures,
    /// A pipe, a device, a socket.
    #[error("is not a regular file; give a file that perf-recorder wrote")]
    NotAFile,
    /// A glob that cannot be parsed, of a file or of an event.
    #[error("not a usable pattern: {0}; quote special characters as [*]")]
    BadPattern(String),
    /// The system refused.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
    /// Nothing in it.
    #[error(
        "is empty: expected a capture, got 0 bytes; was the recorder stopped before it wrote anything? See `perf-analyze recover`"
    )]
    Empty,
    /// Not a capture at all.
    #[error(
        "is not a capture: offset 0: expected {expected}, got {got}; give a file that perf-recorder wrote"
    )]
    Foreign {
        /// The magic bytes.
        expected: String,
        /// The first bytes of the file.
        got: String,
    },
    /// Compressed, but not in the way that a reader can find its place in.
    #[error("is compressed by zstd, but {0}; decompress it (`zstd -d FILE`) and read the result")]
    NotSeekable(String),
    /// Written by a newer major version.
    #[error(
        "is a capture of format version {got}: this program reads up to {expected}; update perf-analyze"
    )]
    Newer {
        /// The newest major version that is read.
        expected: u16,
        /// The file's.
        got: u16,
    },
    /// Nothing can be trusted, or with `strict` not everything.
    #[error("{}; {}", .0, .0.remedy())]
    Damaged(#[source] FormatError),
    /// With `strict`: not everything can be read.
    #[error("{0}; `perf-analyze verify` locates the damage")]
    Incomplete(String),
    /// The file shrank while it was being read.
    #[error(
        "offset {offset}: the file was cut short while it was read: expected {expected} more bytes, got {got}; run again on a file that nobody truncates"
    )]
    CutShort {
        /// Where the read started.
        offset: u64,
        /// Bytes asked for.
        expected: u64,
        /// Bytes that were there.
        got: u64,
    },
    /// A report of too many time slots.
    #[error("{slots} time slots of the asked length are more than {limit}; ask for longer ones")]
    TooManySlots {
        /// How many it would be.
        slots: u64,
        /// The most that a report makes.
        limit: u64,
    },
    /// A configuration file that says something else than expected.
    #[error("{0}")]
    Config(String),
    /// A rule that cannot be judged on these captures.
    #[error("{0}")]
    Rule(String),
    /// The worker threads could not be started.
    #[error("cannot start worker threads: {0}; ask for fewer with --threads")]
    Threads(String),
}

impl Error {
    pub(crate) fn new(path: &Path, kind: ErrorKind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
        }
    }
}
