//! What an arena's memory is made of: a file in shared memory, or nothing but this process.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process;

use crate::directory::{Directory, EXTENSION, NEW_EXTENSION};
use crate::error::CreateError;
use crate::sys;

/// The file of an arena, locked for as long as this process has it.
pub(crate) struct ArenaFile {
    /// Closed by hand: not in the child of a fork, whose descriptor number may mean something else by then.
    file: ManuallyDrop<File>,
    directory: File,
    path: PathBuf,
    pid: u32,
}

impl ArenaFile {
    /// A new, empty, locked file. Its name says that it is being made until [`finish`](Self::finish).
    pub(crate) fn create(directory: &Directory) -> Result<Self, CreateError> {
        let failed = |action| {
            move |source| CreateError::Io {
                action,
                path: directory.path().to_owned(),
                source,
            }
        };
        let pid = process::id();
        let random = sys::random_name().map_err(failed("get random bytes for"))?;
        let path = directory
            .path()
            .join(format!("{pid}-{random}.{NEW_EXTENSION}"));
        let name = Path::new(path.file_name().unwrap_or_default());
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        let file =
            sys::open_at(directory.handle(), name, flags).map_err(failed("create a file in"))?;
        let locked = sys::try_lock(&file)
            .and_then(|is_ours| {
                is_ours
                    .then_some(())
                    .ok_or_else(|| io::ErrorKind::ResourceBusy.into())
            })
            .and_then(|()| directory.handle().try_clone());
        match locked {
            Ok(directory) => Ok(Self {
                file: ManuallyDrop::new(file),
                directory,
                path,
                pid,
            }),
            Err(error) => {
                // What stays after a failure here is an empty file, which a later listing removes.
                let _ = sys::unlink_at(directory.handle(), name);
                Err(failed("lock a file in")(error))
            }
        }
    }

    /// Gives it the name of an arena that is ready.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let path = self.path.with_extension(EXTENSION);
        sys::rename_at(
            &self.directory,
            &self.name(),
            Path::new(path.file_name().unwrap_or_default()),
        )?;
        self.path = path;
        Ok(())
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file. In the child of a fork it does nothing: the file is the parent's.
    pub(crate) fn remove(self) -> io::Result<()> {
        if self.is_ours() {
            sys::unlink_at(&self.directory, &self.name())?;
        }
        Ok(())
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.pid == process::id()
    }

    fn name(&self) -> PathBuf {
        self.path.file_name().unwrap_or_default().into()
    }
}

impl Drop for ArenaFile {
    fn drop(&mut self) {
        if self.is_ours() {
            sys::unlock(&self.file);
            // SAFETY: dropped here and nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// Where pages come from.
pub(crate) enum Backing {
    /// A file in shared memory.
    File(ArenaFile),
    /// Private pages, which need no allocation.
    Anonymous,
    /// The arena is closed: there is nothing to be had any more.
    Closed,
}

impl Backing {
    /// Makes sure that there is memory behind a part of the arena.
    pub(crate) fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match self {
            Self::File(own) => sys::allocate(own.file(), offset, bytes),
            Self::Anonymous => Ok(()),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
