//! One file out of all that is left of a capture.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use perf_arena::reader::Reader;
use perf_arena::{DeadArena, Directory};
use perf_format::{CaptureId, ChunkKind, FileHeader, Index, ReadAt};

use super::known::Known;
use super::remainder::{Remainder, Saved};
use super::{SalvageError, goes_on, io_error, new_file, other_remainder_path, remainder_path};
use crate::machine;
use crate::parts::names::{self, Named};

/// What a recovery found and wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Files of the capture that were read.
    pub files: Vec<PathBuf>,
    /// Intact chunks of these files that are in the new one, byte for byte.
    pub kept_chunks: u64,
    /// Records in them.
    pub kept_records: u64,
    /// Damaged places of these files, which are not in the new one: in words, with file and offset.
    pub damage: Vec<String>,
    /// The dead process's arena, if there was one.
    pub arena: Option<PathBuf>,
    /// What was saved out of it.
    pub saved: Saved,
    /// Bytes of the new file.
    pub bytes: u64,
}

/// Writes to `out`, which must not exist yet, all that is left of the capture in the file `capture`: its intact chunks,
/// those of a remainder beside it, and what the arena of its dead process has. The new file is closed, marked as salvaged.
///
/// The arena is `arena`, or else the one that the capture's header names, if that is still there. It is not removed: the
/// next recorder does that, or whoever called this.
///
/// # Errors
/// The capture cannot be read at all and there is no arena; the arena is in use or belongs to another capture; `out` exists
/// or cannot be written.
pub fn recover(
    capture: &Path,
    arena: Option<&Path>,
    out: &Path,
) -> Result<Recovered, SalvageError> {
    let mut recovered = Recovered::default();
    let header = read_header(capture)?;
    let claimed = match arena {
        Some(path) => Some(claim(path)?),
        None => named_arena(header.as_ref())?,
    };
    let mut reader = claimed.as_ref().map(reader_of).transpose()?;
    let mut header = match (header, &reader) {
        (Some(header), Some(reader)) if header.capture_id.0 != reader.about().capture_id => {
            let arena = claimed
                .map(|arena| arena.path().to_owned())
                .unwrap_or_default();
            return Err(SalvageError::OtherCapture {
                arena,
                capture: capture.to_owned(),
            });
        }
        (Some(header), _) => header,
        (None, Some(reader)) => FileHeader::parse(&reader.about().metadata)
            .map_or_else(|_| FileHeader::default(), |(header, _)| header),
        (None, None) => FileHeader::default(),
    };
    recovered.arena = claimed.as_ref().map(|arena| arena.path().to_owned());
    recovered.files = files_of(capture, header.capture_id);
    // The new file begins where the first one does that is still there.
    let first = recovered.files.first().map(|path| path.file_name());
    if let Some(Some(Named::Part { number, .. })) = first.map(|name| name.and_then(names::parse)) {
        header.part = number;
    }

    let written = new_file::write(out, |file| {
        let mut sink = Counted {
            inner: file,
            bytes: 0,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        sink.write_all(&bytes)?;
        let mut known = Known::default();
        let directory = names::directory_of(out).unwrap_or(Path::new("."));
        for path in recovered.files.clone() {
            copy_intact(&path, directory, &mut known, &mut sink, &mut recovered)?;
        }
        let mut remainder = Remainder::new(&mut sink, &mut known);
        if let Some(reader) = &mut reader {
            remainder.write_arena(reader)?;
        }
        let (_, saved) = remainder.close(machine::unix_ns())?;
        recovered.saved = saved;
        recovered.bytes = sink.bytes;
        Ok(())
    });
    written.map(|()| recovered)
}

/// The capture's header; `None` if there is no file, or it begins with damage.
fn read_header(capture: &Path) -> Result<Option<FileHeader>, SalvageError> {
    if is_packed(capture) {
        let file = File::open(capture).map_err(io_error("open", capture))?;
        return Ok(names::packed_header_of(&file));
    }
    match File::open(capture) {
        Ok(file) => match Index::read(&file) {
            Ok(index) => Ok(index.header),
            // Nothing in it. The arena may have everything.
            Err(perf_format::FormatError::Empty) => Ok(None),
            Err(source) => Err(SalvageError::Capture {
                path: capture.to_owned(),
                source,
            }),
        },
        Err(error) => Err(io_error("open", capture)(error)),
    }
}

fn claim(path: &Path) -> Result<DeadArena, SalvageError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = Directory::open_existing(parent.unwrap_or(Path::new(".")))?;
    let claimed = directory
        .claim(path)
        .map_err(io_error("open the arena", path))?;
    claimed.ok_or_else(|| SalvageError::InUse {
        path: path.to_owned(),
    })
}

/// The arena that the header names, if it is still there.
fn named_arena(header: Option<&FileHeader>) -> Result<Option<DeadArena>, SalvageError> {
    let Some(header) = header.filter(|header| !header.origin.arena.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&header.origin.arena);
    if path.exists() {
        claim(path).map(Some)
    } else {
        Ok(None)
    }
}

fn reader_of(arena: &DeadArena) -> Result<Reader<'_>, SalvageError> {
    Reader::from_file(arena.file()).map_err(|source| SalvageError::Arena {
        path: arena.path().to_owned(),
        source,
    })
}

/// The capture's file or all its parts, and a remainder of it that was saved before.
fn files_of(capture: &Path, id: CaptureId) -> Vec<PathBuf> {
    let parts = names::siblings(capture).into_iter();
    let mut files: Vec<_> = parts
        .filter(|part| part.path == capture || part.is_of(id))
        .map(|part| part.path)
        .collect();
    if files.is_empty() {
        files.push(capture.to_owned());
    }
    let remainders = [remainder_path(capture), other_remainder_path(capture, id)];
    files.extend(
        remainders
            .into_iter()
            .filter(|path| path != capture && names::is_of(path, id)),
    );
    files
}

fn is_packed(path: &Path) -> bool {
    matches!(
        path.file_name().and_then(names::parse),
        Some(Named::Part {
            is_compressed: true,
            ..
        })
    )
}

/// Opens a file of the capture; a compressed one takes room for what it holds in `directory`, for as long as it is open.
fn open(path: &Path, directory: &Path) -> io::Result<File> {
    if is_packed(path) {
        unpacked(path, directory)
    } else {
        File::open(path)
    }
}

#[cfg(feature = "zstd")]
use crate::parts::compress::unpacked;

#[cfg(not(feature = "zstd"))]
fn unpacked(_: &Path, _: &Path) -> io::Result<File> {
    Err(io::Error::other(
        "it is compressed, and this program was built without the feature `zstd` of perf-recorder",
    ))
}

/// Copies the intact chunks that are not there yet, except the end.
fn copy_intact(
    path: &Path,
    directory: &Path,
    known: &mut Known,
    out: &mut impl Write,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let opened = open(path, directory);
    let file = match opened {
        Ok(file) => file,
        Err(error) if is_packed(path) => {
            let damage = format!("{}: {error}", path.display());
            recovered.damage.push(damage);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let index = match Index::read(&file) {
        Ok(index) => index,
        Err(error) => {
            recovered
                .damage
                .push(format!("{}: {error}", path.display()));
            return Ok(());
        }
    };
    let mut damage: Vec<String> = index
        .damage
        .iter()
        .map(|damage| damage.reason.to_string())
        .collect();
    if let Some(tail) = &index.torn_tail {
        damage.push(format!(
            "the last {} bytes, from offset {} on, are the beginning of a chunk",
            tail.len, tail.offset
        ));
    }
    let (rows_before, mut bytes) = (known.rows, Vec::new());
    for entry in &index.chunks {
        let chunk = file.bytes_at(entry.offset, entry.head.chunk_len() as usize, &mut bytes)?;
        if entry.head.kind == ChunkKind::CLOSE && !goes_on(chunk) {
            continue;
        }
        match known.add_chunk(chunk, entry.offset) {
            Ok(true) => {
                out.write_all(chunk)?;
                recovered.kept_chunks += 1;
            }
            Ok(false) => {}
            Err(error) => damage.push(error.to_string()),
        }
    }
    recovered.kept_records += known.rows - rows_before;
    recovered.damage.extend(
        damage
            .into_iter()
            .map(|what| format!("{}: {what}", path.display())),
    );
    known.add_metadata(index);
    Ok(())
}

/// Counts what is written.
struct Counted<'w, W> {
    inner: &'w mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
