//! Control from outside: a socket beside the arena, through which the same user sees what a recorder does, switches it off
//! and on, and asks for a snapshot. `perf-analyze attach` is made of it.
//!
//! ```text
//!   /dev/shm/perf-<uid>/control-<pid>-<capture>.sock      who connects gets   perf-control 1 <patience in ms>
//!                                                         asks one of         status · on · off · snapshot WORDS
//!                                                         and gets            ok, lines of KEY VALUE, end
//!                                                         or                  error WORDS, end
//! ```
//!
//! One question a connection; a line is at most [`MAX_REQUEST_BYTES`] long, and whoever takes longer than [`SLOWEST_CLIENT`] to
//! say it is sent away. Keys that a reader does not know are passed over; another version is refused. In values `\n` and
//! `\\` stand for a line's end and a backslash.
//!
//! The directory lets nobody else in, and the socket asks the kernel who is there: any other user is refused, root too, who can
//! become that user. Whether a socket's process lives, a connection tells: a dead one's is refused, and the next recorder
//! removes it. The capture's id in the name keeps a process id that came again, and several recorders of one
//! process, apart. The thread that answers sleeps until somebody connects. A forked child closes its copy of the socket.

mod client;
mod protocol;
mod server;
mod socket;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use perf_arena::DirectoryError;

pub use client::{ANSWER_WITHIN, Listed, Remote, RemoteStatus, list, of_process};
pub use protocol::{MAX_REQUEST_BYTES, VERSION};
pub use server::SLOWEST_CLIENT;
pub(crate) use server::{Control, start};

/// Why a recorder cannot be asked, or does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such process.
    #[error("there is no process {pid}")]
    NoProcess {
        /// Its number.
        pid: u32,
    },
    /// The process is somebody else's.
    #[error("process {pid} belongs to user {owner}: only that user can attach to it")]
    OtherUser {
        /// The process.
        pid: u32,
        /// The owner's number.
        owner: u32,
    },
    /// The process has no recorder that can be asked.
    #[error("process {pid} has no recorder with a control socket in {}", directory.display())]
    NoRecorder {
        /// The process.
        pid: u32,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The process is there and says nothing: it is stopped, or far too busy.
    #[error("the recorder of process {pid} did not answer within {} s", waited.as_secs())]
    NoAnswer {
        /// The process.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The recorder did not do it.
    #[error("the recorder of process {pid} says: {message}")]
    Refused {
        /// The process.
        pid: u32,
        /// Why, in its words.
        message: String,
    },
    /// The recorder is of a version that speaks otherwise.
    #[error(
        "the recorder of process {pid} speaks version {version} of the control protocol, and this program version {VERSION}"
    )]
    Version {
        /// The process.
        pid: u32,
        /// What it speaks.
        version: String,
    },
    /// What came is no answer.
    #[error("what the recorder of process {pid} answers makes no sense")]
    Malformed {
        /// The process.
        pid: u32,
    },
    /// The directory of arenas is not fit for use.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A system call failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
