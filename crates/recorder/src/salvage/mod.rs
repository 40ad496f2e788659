//! Saving what a dead process left in its arena.
//!
//! A record is in the capture's file, in the spool, in the staging area or in a ring, and for a moment in two of them. Its
//! ring and sequence number say so: what is saved is the union of the four, each record once.
//!
//! - A starting recorder saves what dead processes of its user have left, each in a file of its own beside the dead
//!   capture, `<stem>.salvaged.bin`, and then removes the arena: [`salvage_dead`].
//!   If the directory of the dead capture is gone, the remainder goes to the directory of its own capture, under a name
//!   with the dead capture's id, and a warning says so. What cannot be saved at all stays for a week
//!   ([`UNSAVED_KEPT`]), each start warns of it, and the last warning says that it was removed. Of all that stay, those for
//!   which the disk has no room included, only the newest are kept ([`UNSAVED_ARENAS`], [`UNSAVED_BYTES`]).
//! - [`recover`] makes one file of a damaged or unfinished capture, of such a remainder, and of an arena.
//!
//! An arena is taken for hostile input: whatever its bytes are, reading it ends, and what does not hold together is told.

mod known;
mod new_file;
mod of_parts;
mod recover;
mod remainder;
mod startup;

use std::io;
use std::path::{Path, PathBuf};

use perf_arena::DirectoryError;
use perf_arena::reader::ReadError;
use perf_format::{CaptureId, CloseReason, FormatError, Index};

use crate::parts::names;

pub use recover::{Recovered, recover};
pub use remainder::Saved;
pub use startup::{Dead, UNSAVED_ARENAS, UNSAVED_BYTES, UNSAVED_KEPT, salvage_dead};

/// Why something could not be saved. The arena is then still there, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// A system call failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory of arenas is not fit for use.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The file is no arena that this version reads.
    #[error("cannot read the arena {path}")]
    Arena {
        /// The arena.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ReadError,
    },
    /// The capture cannot be read at all.
    #[error("cannot read the capture {path}")]
    Capture {
        /// The capture.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: FormatError,
    },
    /// The capture's directory is not there, so there is no place for what is left of it.
    #[error("the directory of the capture {path} is not there")]
    NoPlace {
        /// The capture.
        path: PathBuf,
    },
    /// A living process has the arena.
    #[error("the arena {path} is in use: its process is alive, or somebody else is saving it")]
    InUse {
        /// The arena.
        path: PathBuf,
    },
    /// Arena and capture do not belong together.
    #[error("the arena {arena} belongs to another capture than {capture}")]
    OtherCapture {
        /// The arena.
        arena: PathBuf,
        /// The capture.
        capture: PathBuf,
    },
}

impl SalvageError {
    /// With what the system or the reader said, in one line.
    pub(crate) fn in_full(&self) -> String {
        let source = std::error::Error::source(self).map(|source| format!(": {source}"));
        format!("{self}{}", source.unwrap_or_default())
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SalvageError {
    let path = path.to_owned();
    move |source| SalvageError::Io {
        action,
        path,
        source,
    }
}

/// Where the remainder of a capture goes: beside it, `x.bin` → `x.salvaged.bin`, and the same beside the parts `x.00000.bin` and so on.
#[must_use]
pub fn remainder_path(capture: &Path) -> PathBuf {
    names::beside(capture, "salvaged.bin")
}

/// Where it goes if something else has that name, or beside which there is nothing of the capture.
fn other_remainder_path(capture: &Path, id: CaptureId) -> PathBuf {
    names::beside(capture, &format!("{id}.salvaged.bin"))
}

/// Whether a Close chunk ends a part only, behind which the capture goes on: it has a number as any other.
fn goes_on(close: &[u8]) -> bool {
    let close = Index::build(close).ok().and_then(|index| index.close);
    close.is_some_and(|close| close.reason == CloseReason::ROTATED)
}

/// What would be saved out of an arena with these bytes, if there were no file.
#[cfg(test)]
pub(crate) fn saved_from(arena: &[u8]) -> Saved {
    let mut known = known::Known::default();
    let mut reader = perf_arena::reader::Reader::from_bytes(arena).expect("an arena");
    let mut remainder = remainder::Remainder::new(io::sink(), &mut known);
    remainder.write_arena(&mut reader).expect("nothing fails");
    remainder.saved
}
