//! A file that was not there before, whole and on the disk, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{SalvageError, io_error};
use crate::parts::names;
use crate::path::CAPTURE_MODE;

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Creates `path` and has `fill` write it; brings it to the disk. A file that could not be finished is removed.
///
/// # Errors
/// It exists, or cannot be created or written.
pub(super) fn write<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, SalvageError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(CAPTURE_MODE)
        .open(path);
    let file = file.map_err(io_error("create", path))?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let filled = fill(&mut out).and_then(|filled| {
        out.flush()?;
        out.get_ref().sync_all()?;
        names::sync_directory_of(path)?;
        Ok(filled)
    });
    if filled.is_err() {
        let _ = fs::remove_file(path);
    }
    filled.map_err(io_error("write", path))
}
