//! Files that appear whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use perf_format::MAGIC;

/// Writes `content` beside `path` and renames it there, so that nobody ever sees half of it. An existing file is
/// replaced, unless it is a capture.
///
/// # Errors
/// When the path cannot be written, or names a capture or a directory.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    // A link stays a link: what it points at is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(meta) = fs::metadata(&path) {
        let kind = meta.file_type();
        if kind.is_dir() {
            bail!(
                "cannot write {}: it is a directory; name a file in it",
                path.display()
            );
        }
        if kind.is_fifo() || kind.is_char_device() || kind.is_socket() || kind.is_block_device() {
            // Such as /dev/null: renaming over it would take it away from everybody.
            return (File::options().write(true).open(&path))
                .and_then(|mut file| file.write_all(content))
                .with_context(|| format!("cannot write {}", path.display()));
        }
        if is_capture(&path) {
            bail!(
                "{} is a capture and is left alone; write to another file",
                path.display()
            );
        }
    }
    let mut temporary =
        temporary_beside(&path).with_context(|| format!("cannot write {}", path.display()))?;
    (temporary.write_all(content))
        .and_then(|()| temporary.flush())
        .with_context(|| format!("cannot write {}", path.display()))?;
    temporary
        .persist(&path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// A new file in the directory of `path`, with the permissions that the user's mask leaves.
fn temporary_beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    tempfile::Builder::new()
        .prefix(".perf-analyze-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
}

/// Whatever this program is asked to write, it does not write it over one of these.
fn is_capture(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == MAGIC
}
