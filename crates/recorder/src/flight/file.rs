//! A part of a flight recorder: whole, on the disk and under its name, or not there at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::parts::names;
use crate::path::CAPTURE_MODE;

/// The path of a part: `x.bin` → `x.00003.bin`.
pub(crate) fn part_path(base: &Path, part: u32) -> PathBuf {
    let stem = base.file_stem().unwrap_or_default();
    base.with_file_name(names::name_of(stem, part))
}

/// What a part is called until it is complete.
pub(crate) fn temporary(base: &Path) -> PathBuf {
    base.with_extension("bin.tmp")
}

/// Writes a part, brings it to the disk, and gives it its name.
///
/// # Errors
/// What the system says; then there is no part. A file that has the name already is left alone.
pub(super) fn write(
    base: &Path,
    part: u32,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let (unfinished, path) = (temporary(base), part_path(base, part));
    // One that is left over is of an attempt that failed.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(CAPTURE_MODE)
        .open(&unfinished)?;
    let filled = fill(&mut file)
        .and_then(|()| file.flush())
        .and_then(|()| file.sync_all())
        .and_then(|()| rename(&unfinished, &path));
    if let Err(error) = filled {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    names::sync_directory_of(&path)?;
    Ok(path)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}
