//! Whether the shared memory of an unclosed capture is still there, and in use.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use perf_format::Origin;
use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

/// What became of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArenaState {
    /// Not there (any more), or not on this machine.
    Gone,
    /// There, and a process holds its lock.
    Live,
    /// There, and nobody holds its lock.
    Dead,
}

/// Looks for the arena that a capture names. The path comes from a file that anybody may have written: nothing
/// but a plain file is opened, and its contents are not read.
pub(super) fn arena_state(origin: &Origin) -> ArenaState {
    let path = Path::new(&origin.arena);
    if !path.is_absolute() || !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        return ArenaState::Gone;
    }
    // Not even for a moment may an arena of our own be locked here.
    if origin.pid == std::process::id() && is_mapped_here(&origin.arena) {
        return ArenaState::Live;
    }
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits() as i32;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return ArenaState::Gone;
    };
    // A recorder's lock is that of an open file, of which the question who holds it (`F_GETLK`) gives no process; so a shared
    // lock is tried, and let go of with the file. Whoever would salvage the arena at this moment does so the next time.
    match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => ArenaState::Dead,
        Err(_) => ArenaState::Live,
    }
}

fn is_mapped_here(path: &str) -> bool {
    let Ok(maps) = File::open("/proc/self/maps") else {
        return true;
    };
    BufReader::new(maps)
        .split(b'\n')
        .map_while(Result::ok)
        .any(|line| line.ends_with(path.as_bytes()))
}
