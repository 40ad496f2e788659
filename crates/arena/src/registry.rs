//! The arenas that this process has open.
//!
//! Liveness is a POSIX lock, which knows processes only: a process never sees its own lock, and closing any descriptor of
//! the file drops it. So a process must know its own arenas without opening them. (The newer locks that belong to a
//! descriptor would be inherited by the child of a fork, and a dead arena would look alive as long as the child lives.)

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

/// What makes a file the same file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(status: &Metadata) -> Self {
        Self {
            device: status.dev(),
            inode: status.ino(),
        }
    }
}

/// Open arenas, each with the process that opened it: a child of a fork finds its parent's here, and they are not its own.
static OPEN: Mutex<Vec<(Identity, u32)>> = Mutex::new(Vec::new());

/// A place in the registry; left when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    identity: Identity,
    pid: u32,
}

impl Entry {
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|entry| *entry != (self.identity, self.pid));
    }
}

/// Enters an arena. `None`: it is there already.
pub(crate) fn enter(identity: Identity) -> Option<Entry> {
    let pid = std::process::id();
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if open.contains(&(identity, pid)) {
        return None;
    }
    open.push((identity, pid));
    Some(Entry { identity, pid })
}

/// Runs `look` on an arena that this process does not have open, and keeps it from being opened meanwhile. `None`: it has.
pub(crate) fn unless_own<T>(identity: Identity, look: impl FnOnce() -> T) -> Option<T> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    (!open.contains(&(identity, std::process::id()))).then(look)
}
