//! One file out of all that is left of a capture.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use perf_arena::reader::Reader;
use perf_arena::{DeadArena, Directory};
use perf_format::{CaptureId, ChunkKind, FileHeader, Index, ReadAt};

use super::known::Known;
use super::remainder::{Remainder, Saved};
use super::startup::is_of;
use super::{SalvageError, io_error, new_file, remainder_path};
use crate::machine;

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
    let header = match (header, &reader) {
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

    let written = new_file::write(out, |file| {
        let mut sink = Counted {
            inner: file,
            bytes: 0,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        sink.write_all(&bytes)?;
        let mut known = Known::default();
        for path in recovered.files.clone() {
            copy_intact(&path, &mut known, &mut sink, &mut recovered)?;
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

/// The capture's file, and a remainder of it that was saved before.
fn files_of(capture: &Path, id: CaptureId) -> Vec<PathBuf> {
    let remainders = [
        remainder_path(capture),
        capture.with_extension(format!("{id}.salvaged.bin")),
    ];
    let of_it = |path: &PathBuf| File::open(path).is_ok_and(|file| is_of(&file, id));
    let mut files = vec![capture.to_owned()];
    files.extend(
        remainders
            .into_iter()
            .filter(|path| path != capture && of_it(path)),
    );
    files
}

/// Copies the intact chunks that are not there yet, except the end.
fn copy_intact(
    path: &Path,
    known: &mut Known,
    out: &mut impl Write,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let file = File::open(path)?;
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
        if entry.head.kind == ChunkKind::CLOSE {
            continue;
        }
        let chunk = file.bytes_at(entry.offset, entry.head.chunk_len() as usize, &mut bytes)?;
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
