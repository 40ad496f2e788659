//! What can go wrong, one type per operation.

use std::io;
use std::path::PathBuf;

/// Why a recorder did not start. Nothing was left behind, except a directory that was made for the capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings of the environment or of a file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting makes no sense, alone or with the others.
    #[error("{message}")]
    Setting {
        /// Which one, and why.
        message: String,
    },
    /// Neither a capture path nor a sink was given.
    #[error("the recorder has no destination: call `capture` or `sink` on its builder")]
    NoDestination,
    /// The capture's directory could not be made.
    #[error("cannot create the directory {path} for captures")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is such a file already.
    #[error(
        "{path} exists and is not overwritten: give another name, or a directory with a slash at its end"
    )]
    CaptureExists {
        /// The file.
        path: PathBuf,
    },
    /// The capture's file could not be created, or its header not written.
    #[error("cannot create the capture {path}")]
    CreateCapture {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no shared memory, not even anonymous memory, for the rings.
    #[error("cannot create the arena")]
    Arena(#[from] perf_arena::CreateError),
    /// The process already has a recorder.
    #[error(transparent)]
    AlreadyInstalled(#[from] perf_probe::AlreadyInstalled),
    /// A flight recorder writes files of its own: it goes neither to a sink nor to a storage.
    #[error("a flight recorder has no destination but a path: call `capture` on its builder")]
    FlightWithoutPath,
    /// The flight recorder cannot wait for this signal.
    #[error("signal {signal} cannot trigger a flight recorder; take SIGUSR1 or SIGUSR2")]
    Signal {
        /// Its number.
        signal: i32,
    },
    /// A thread could not be started, or random bytes not be read.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The storage did not take it in time. The recorder goes on trying.
    #[error("the snapshot could not be written in time")]
    TimedOut,
    /// The recorder has stopped, or belongs to the parent process.
    #[error("the recorder is not running")]
    NotRunning,
    /// The capture does not go into a file of the recorder's own.
    #[error("the recorder has no file: it records to a sink or a storage")]
    NoFile,
    /// The part could not be written. What it would have held stays in the window.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The part.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
}

impl From<FlushError> for SnapshotError {
    fn from(error: FlushError) -> Self {
        match error {
            FlushError::TimedOut => Self::TimedOut,
            FlushError::NotRunning => Self::NotRunning,
        }
    }
}

/// Why a recorder did not end cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The storage did not take everything in time. What is left is in the arena, which stays: the next recorder of the
    /// same user, or `perf-analyze recover`, saves it. While the storage does not return from a write, its thread and the
    /// arena are left alone, and can be saved when the process has ended.
    #[error(
        "{bytes} bytes of the capture could not be written in time ({error}); `perf-analyze recover` can save them"
    )]
    Unwritten {
        /// Bytes that were not written.
        bytes: u64,
        /// The last error of the storage.
        error: String,
    },
    /// One of the recorder's own threads panicked: a bug.
    #[error("the recorder's {thread} thread panicked")]
    Panicked {
        /// Which thread.
        thread: &'static str,
    },
    /// The recorder belongs to the parent process.
    #[error("the recorder belongs to the process that forked this one")]
    Forked,
}

/// Why a flush did not complete.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The storage did not take everything in time. The recorder goes on trying.
    #[error("the capture could not be flushed in time")]
    TimedOut,
    /// The recorder has stopped, or belongs to the parent process.
    #[error("the recorder is not running")]
    NotRunning,
}

/// Why settings from outside of the program cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{path}: {message}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// One line: where, by line and column, and what.
        message: String,
    },
    /// `PERF_CONFIG` names a file, and this program was built without what reads it.
    #[error(
        "PERF_CONFIG names {path}, and this program reads no configuration: build it with the feature `config` of perf-recorder"
    )]
    NotBuiltIn {
        /// The file.
        path: PathBuf,
    },
    /// `PERF_LABELS` does not hold labels.
    #[error("PERF_LABELS: {message}")]
    Labels {
        /// One line: what is wrong.
        message: String,
    },
}
