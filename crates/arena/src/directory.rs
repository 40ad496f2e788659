//! The directory that holds a user's arenas, and what lies in it: living arenas, and those that dead processes left.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::DirectoryError;
use crate::sys;

/// Where arenas go unless a directory is configured: memory, on every usual Linux.
const SHARED_MEMORY: &str = "/dev/shm";
/// What an arena's name ends in.
pub(crate) const EXTENSION: &str = "arena";
/// What it ends in while it is being made.
pub(crate) const NEW_EXTENSION: &str = "new";
/// An arena that is still being made after so long never will be: its process died meanwhile.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);
/// `statfs` types of file systems that live in memory.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// A directory that only this user can enter, on a file system in memory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    handle: File,
}

/// Whose an arena file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Liveness {
    /// A recorder has it open, of this process or another; or somebody salvages it.
    Live,
    /// Nobody has: its process is dead. There may be something to salvage.
    Dead,
}

/// An arena file in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Whose it is.
    pub liveness: Liveness,
}

/// A dead process's arena, held so that nobody else salvages it at the same time. Let go of when dropped.
#[derive(Debug)]
pub struct DeadArena {
    directory: File,
    path: PathBuf,
    file: File,
}

impl Directory {
    /// The usual place: `/dev/shm/perf-<uid>`.
    #[must_use]
    pub fn default_path() -> PathBuf {
        Path::new(SHARED_MEMORY).join(format!("perf-{}", sys::user()))
    }

    /// Opens the directory, and makes it if it is not there (only the last component).
    ///
    /// # Errors
    /// It cannot be made or opened, is a symbolic link, belongs to somebody else, lets others in, or is not in memory.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |source| DirectoryError::Io {
            path: path.to_owned(),
            source,
        };
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        Self::open_existing(path)
    }

    /// As [`open`](Self::open), but a directory that is not there is an error.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_existing(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |source| DirectoryError::Io {
            path: path.to_owned(),
            source,
        };
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)
            .map_err(failed)?;
        let status = handle.metadata().map_err(failed)?;
        if status.uid() != sys::user() {
            return Err(DirectoryError::Owner {
                path: path.to_owned(),
                owner: status.uid(),
                expected: sys::user(),
            });
        }
        let mode = status.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DirectoryError::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        let (fs_type, _) = sys::file_system(&handle).map_err(failed)?;
        if fs_type != TMPFS && fs_type != RAMFS {
            return Err(DirectoryError::NotMemory {
                path: path.to_owned(),
                fs_type,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn handle(&self) -> &File {
        &self.handle
    }

    /// Bytes that the file system has free.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        Ok(sys::file_system(&self.handle)?.1)
    }

    /// The arenas in it, by name. Removes what a process left that died while it made an arena.
    ///
    /// # Errors
    /// The directory cannot be read. A file that cannot be examined is left out.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            match path.extension().and_then(|it| it.to_str()) {
                Some(EXTENSION) => {
                    if let Ok(liveness) = self.liveness(&path) {
                        found.push(Listed { path, liveness });
                    }
                }
                Some(NEW_EXTENSION) => self.remove_if_abandoned(&path),
                _ => {}
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    fn liveness(&self, path: &Path) -> io::Result<Liveness> {
        let file = sys::open_at(&self.handle, file_name(path)?, libc::O_RDWR)?;
        Ok(if sys::is_locked(&file)? {
            Liveness::Live
        } else {
            Liveness::Dead
        })
    }

    fn remove_if_abandoned(&self, path: &Path) {
        let age = |status: &fs::Metadata| {
            SystemTime::now()
                .duration_since(status.modified().ok()?)
                .ok()
        };
        let old =
            fs::symlink_metadata(path).is_ok_and(|status| age(&status) > Some(ABANDONED_AFTER));
        if old && self.liveness(path).is_ok_and(|it| it == Liveness::Dead) {
            // Somebody else may have been quicker; then there is nothing left to do.
            let _ = file_name(path).and_then(|name| sys::unlink_at(&self.handle, name));
        }
    }

    /// Takes hold of a dead process's arena. `None`: it is alive, somebody else salvages it, or it is gone.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn claim(&self, path: &Path) -> io::Result<Option<DeadArena>> {
        let file = match sys::open_at(&self.handle, file_name(path)?, libc::O_RDWR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // Whoever salvaged it before us removed it before it let go of the lock.
        if !sys::try_lock(&file)? || file.metadata()?.nlink() == 0 {
            return Ok(None);
        }
        Ok(Some(DeadArena {
            directory: self.handle.try_clone()?,
            path: path.to_owned(),
            file,
        }))
    }
}

impl Drop for DeadArena {
    fn drop(&mut self) {
        sys::unlock(&self.file);
    }
}

impl DeadArena {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes, for [`Reader::from_file`](crate::reader::Reader::from_file).
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Removes the file.
    ///
    /// # Errors
    /// It cannot be unlinked.
    pub fn remove(self) -> io::Result<()> {
        sys::unlink_at(&self.directory, file_name(&self.path)?)
    }
}

fn file_name(path: &Path) -> io::Result<&Path> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(Path::new(name))
}
