//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use perf_format::{MAGIC, ZSTD_MAGIC};

/// Writes `content` beside `path` and renames it there, so that nobody ever sees half of it. An existing file is
/// replaced, unless it is a capture.
///
/// # Errors
/// When the path cannot be written, or names a capture or a directory.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    // A link stays a link: what it points at is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let kind = fs::metadata(&path).ok().map(|meta| meta.file_type());
    if kind.is_some_and(|kind| kind.is_dir()) {
        bail!(
            "cannot write {}: it is a directory; name a file in it",
            path.display()
        );
    }
    if kind.is_some_and(|kind| kind.is_file()) && is_capture(&path) {
        bail!(
            "{} is a capture and is left alone; write to another file",
            path.display()
        );
    }
    let written = match kind {
        // Such as /dev/null: renaming over it would take it away from everybody.
        Some(kind) if !kind.is_file() => write_into(&path, content),
        _ => write_beside(&path, content),
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn write_into(device: &Path, content: &[u8]) -> io::Result<()> {
    File::options().write(true).open(device)?.write_all(content)
}

fn write_beside(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = temporary_beside(path)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    Ok(())
}

/// A new file in the directory of `path`, with the permissions that the user's mask leaves.
fn temporary_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // Not `tempfile_in`: its file would be for the user's eyes only, and its errors name a file that nobody asked for.
    tempfile::Builder::new()
        .prefix(".perf-analyze-")
        .make_in(directory, |path| {
            File::options().write(true).create_new(true).open(path)
        })
}

/// Whatever this program is asked to write, it does not write it over one of these. A part that was compressed is known by
/// its name and its first bytes.
pub(crate) fn is_capture(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    let is_named_so = path.as_os_str().as_bytes().ends_with(b".bin.zst");
    read.is_ok() && (start == MAGIC || is_named_so && start.starts_with(&ZSTD_MAGIC))
}
