//! What stops an export or an import.

use std::io;
use std::path::{Path, PathBuf};

/// What is said of a slot of time that is nothing.
pub(crate) const NO_SLOT: &str = "a slot of time is longer than nothing";

/// Why an export or an import cannot go on. Prints as one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A capture cannot be read.
    #[error(transparent)]
    Analysis(#[from] perf_analysis::Error),
    /// A file or directory cannot be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was asked for does not go together.
    #[error("{0}")]
    Usage(String),
    /// A table could not be encoded.
    #[error("cannot encode {table}: {reason}")]
    Encode {
        /// The table.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// More directories than files that may be open at once.
    #[error(
        "more than {limit} partitions; export fewer events or a shorter time at once, or partition by less"
    )]
    TooManyPartitions {
        /// The most there may be.
        limit: usize,
    },
    /// More spans than a form holds that must be put together in memory.
    #[error(
        "{spans} spans are more than {limit}, the most that {form} is made of; narrow it with --since, --until or --event"
    )]
    TooMany {
        /// What was asked for.
        form: &'static str,
        /// How many there are.
        spans: u64,
        /// The most.
        limit: u64,
    },
    /// A file to import that says something else than expected.
    #[error("{}: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io {
            path: path.clone(),
            source,
        }
    }

    pub(crate) fn encode(table: &'static str) -> impl Fn(String) -> Error {
        move |reason| Error::Encode { table, reason }
    }
}
