//! What can go wrong, one type per operation, and what goes on with less than was asked for.

use std::io;
use std::path::PathBuf;

/// Why a record was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Rejected {
    /// The producer has no ring. Nothing was counted: attach it and push again, or count the loss.
    Detached,
    /// The ring is full. Counted.
    Full,
    /// A signal handler interrupted a recording of the same thread. Counted.
    Nested,
    /// The annotation has no room in the ring even when it is empty. Counted.
    TooLarge,
}

/// Why a thread did not get a ring.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The arena was closed, or forgotten after a fork.
    #[error("the arena is closed")]
    Closed,
    /// All ring headers are in use, or could not be allocated.
    #[error("all {limit} rings are in use")]
    NoRing {
        /// The most rings that the arena can have.
        limit: u32,
    },
    /// Neither shared nor anonymous memory could be had for a segment.
    #[error("no memory for a ring segment")]
    NoMemory(#[source] io::Error),
    /// A signal handler interrupted this very call on the same thread.
    #[error("the thread is being attached already")]
    Busy,
}

/// Why an arena could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The directory for arenas is not fit for use.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
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
    /// A configured size is out of bounds.
    #[error("{name} is {got}; it must be from {min} to {max}")]
    Config {
        /// The setting.
        name: &'static str,
        /// Its value.
        got: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
}

/// Why a directory is not fit to hold arenas.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made or opened.
    #[error("cannot open the arena directory {path}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It belongs to somebody else, who could read or replace what is put there.
    #[error("the arena directory {path} belongs to user {owner}, not to {expected}")]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it must be: the effective user of this process.
        expected: u32,
    },
    /// Others may enter it.
    #[error("the arena directory {path} has mode {mode:o}, expected 700")]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It lies on a disk, whose writeback would stall the threads that record.
    #[error("the arena directory {path} is not on a tmpfs (file system type {fs_type:#x})")]
    NotMemory {
        /// The directory.
        path: PathBuf,
        /// `statfs` type of its file system.
        fs_type: u64,
    },
}

/// Why an event could not be entered into the name table. Its records are kept all the same; after a crash its name is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EventTableError {
    /// The table has no room left.
    #[error("the event table is full")]
    Full,
    /// The name or the unit is longer than the table takes.
    #[error("{got} bytes of name or unit; at most {max} are kept")]
    TooLong {
        /// Bytes of the longer of name and unit.
        got: usize,
        /// The most that is kept.
        max: usize,
    },
    /// The arena was closed, or forgotten after a fork.
    #[error("the arena is closed")]
    Closed,
}

/// Something that the arena had to do with less than it was asked for. The recorder writes these into the capture.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// The whole arena is anonymous memory: what is in it is lost if the process is killed.
    AnonymousArena {
        /// Why no file could be used.
        reason: String,
    },
    /// Staging area or spool are smaller than configured.
    SmallerSpool {
        /// Bytes asked for.
        wanted_bytes: u64,
        /// Bytes got.
        got_bytes: u64,
    },
    /// A ring segment is smaller than configured. Told once for each size.
    SmallerSegment {
        /// Bytes asked for.
        wanted_bytes: u64,
        /// Bytes got.
        got_bytes: u64,
    },
    /// A ring segment is anonymous memory: its records are lost if the process is killed. Told once.
    AnonymousSegment {
        /// Why: what the allocation in the arena said.
        reason: String,
    },
    /// A thread got no ring; its records are counted as lost. Told once.
    NoRing {
        /// Why.
        reason: String,
    },
}
