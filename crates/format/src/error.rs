//! What can be wrong with bytes, where, and what to do about it.

use std::io;

/// Why bytes could not be read as part of a capture.
///
/// Offsets count from the start of the file (or of the slice that was given).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no byte at all.
    #[error(
        "the file is empty: expected a capture; was the recorder stopped before it wrote anything?"
    )]
    Empty,
    /// The first bytes are not those of a capture, and no chunk is in the file.
    #[error("not a capture: expected the bytes {expected:02x?} at offset 0, got {got:02x?}")]
    NotACapture {
        /// The magic of a capture.
        expected: [u8; 8],
        /// What stood there.
        got: Vec<u8>,
    },
    /// A newer writer's file, with a layout that this reader does not know.
    #[error(
        "the capture has format version {major}.{minor}, and this reader knows versions up to {supported}.x: use a newer perf-analyze"
    )]
    NewerVersion {
        /// Major version of the file.
        major: u16,
        /// Minor version of the file.
        minor: u16,
        /// The newest major version that this reader knows.
        supported: u16,
    },
    /// Fewer bytes than the structure needs.
    #[error("{what} at offset {offset} is cut short: expected {expected} bytes, got {got}")]
    CutShort {
        /// Where the structure begins.
        offset: u64,
        /// The structure.
        what: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Bytes present.
        got: u64,
    },
    /// A checksum does not match.
    #[error(
        "{what} at offset {offset} is damaged: its checksum should be {expected:08x} and is {got:08x}"
    )]
    Checksum {
        /// Where the summed bytes begin.
        offset: u64,
        /// The structure.
        what: &'static str,
        /// The stored CRC-32C.
        expected: u32,
        /// The CRC-32C of the bytes.
        got: u32,
    },
    /// A number that cannot be right.
    #[error("{what} at offset {offset} is {got}: expected {expected}")]
    Malformed {
        /// Where the structure begins.
        offset: u64,
        /// The field.
        what: &'static str,
        /// What would be right.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A number above a limit of [`crate::limits`].
    #[error("{what} at offset {offset} is {got}, above the limit of {limit}")]
    Limit {
        /// Where the structure begins.
        offset: u64,
        /// The field.
        what: &'static str,
        /// What was found.
        got: u64,
        /// The largest value allowed.
        limit: u64,
    },
    /// The bytes could not be read.
    #[error("reading at offset {offset} failed: {message}")]
    Io {
        /// Where reading began.
        offset: u64,
        /// The kind of the error.
        kind: io::ErrorKind,
        /// The system's words.
        message: String,
    },
}

impl FormatError {
    /// What the user can do about it, as a short clause.
    pub fn remedy(&self) -> &'static str {
        match self {
            FormatError::Empty => "record again, or run `perf-analyze recover` on its arena",
            FormatError::NotACapture { .. } => {
                "check the path; `perf-analyze import` reads other formats"
            }
            FormatError::NewerVersion { .. } => "use a newer perf-analyze",
            FormatError::CutShort { .. }
            | FormatError::Checksum { .. }
            | FormatError::Malformed { .. }
            | FormatError::Limit { .. } => {
                "`perf-analyze verify` locates the damage, `perf-analyze recover` keeps what is intact"
            }
            FormatError::Io { .. } => "check the file and its disk",
        }
    }

    /// Where in the file, if it has a place.
    pub fn offset(&self) -> Option<u64> {
        match self {
            FormatError::Empty
            | FormatError::NotACapture { .. }
            | FormatError::NewerVersion { .. } => None,
            FormatError::CutShort { offset, .. }
            | FormatError::Checksum { offset, .. }
            | FormatError::Malformed { offset, .. }
            | FormatError::Limit { offset, .. }
            | FormatError::Io { offset, .. } => Some(*offset),
        }
    }

    pub(crate) fn malformed(
        offset: u64,
        what: &'static str,
        expected: impl ToString,
        got: impl ToString,
    ) -> Self {
        FormatError::Malformed {
            offset,
            what,
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }

    pub(crate) fn io(offset: u64, error: &io::Error) -> Self {
        FormatError::Io {
            offset,
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}

/// Shorthand for results of this crate.
pub type Result<T, E = FormatError> = std::result::Result<T, E>;

/// `Ok` if `got` is at most `limit`.
pub(crate) fn within(offset: u64, what: &'static str, got: u64, limit: usize) -> Result<usize> {
    if got <= limit as u64 {
        Ok(got as usize)
    } else {
        Err(FormatError::Limit {
            offset,
            what,
            got,
            limit: limit as u64,
        })
    }
}

/// `Ok` if the CRC-32C of `bytes`, a `what` at `offset`, is `expected`.
pub(crate) fn check_sum(
    offset: u64,
    what: &'static str,
    expected: u32,
    bytes: &[u8],
) -> Result<()> {
    let got = crc32c::crc32c(bytes);
    if got == expected {
        return Ok(());
    }
    Err(FormatError::Checksum {
        offset,
        what,
        expected,
        got,
    })
}
