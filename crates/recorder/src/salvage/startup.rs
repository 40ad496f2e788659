//! What a starting recorder does with the arenas of dead processes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use perf_arena::reader::Reader;
use perf_arena::{About, DeadArena, Directory, Liveness};
use perf_format::{CaptureId, FileHeader, Index};

use super::known::Known;
use super::remainder::{Remainder, Saved};
use super::{SalvageError, io_error, new_file, of_parts, other_remainder_path, remainder_path};
use crate::parts::names;
use crate::{flight, machine};

/// How long an arena stays that cannot be saved because its capture's directory is gone and there is no other place, or
/// because it cannot be read. Counted from when the arena last grew, at the latest when its process died.
pub const UNSAVED_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How many arenas stay that cannot be saved, for whatever reason: on a disk that is full, a program that crashes and is
/// started again and again would else fill the shared memory.
pub const UNSAVED_ARENAS: usize = 8;
/// Bytes of shared memory that they may have together. The newest stays even if it alone has more.
pub const UNSAVED_BYTES: u64 = 256 << 20;

/// Bytes of the blocks that the system counts for a file.
const BLOCK_BYTES: u64 = 512;

/// An arena that a dead process left, and what became of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dead {
    /// The arena.
    pub arena: PathBuf,
    /// The capture that it belongs to; empty if that went into no file, or cannot be known.
    pub capture: PathBuf,
    /// The file that has the remainder, with what was saved; `None` if there was nothing to save. After an error the arena
    /// is still there, unless it was given up.
    pub saved: Result<Option<(PathBuf, Saved)>, SalvageError>,
    /// It could not be saved, and was removed: what it held is lost. Either it stayed for longer than [`UNSAVED_KEPT`], or
    /// newer ones that cannot be saved either took its place.
    pub given_up: bool,
    /// It was given up for newer ones.
    is_crowded_out: bool,
}

impl Dead {
    /// What the owner of the program should know: what could not be saved, and what was saved in an unusual place. `None`
    /// if all went as usual.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let arena = self.arena.display();
        match &self.saved {
            Err(error) => {
                let fate = match (self.given_up, self.is_crowded_out) {
                    (false, _) => "stays unsaved",
                    (true, false) => "was removed after a week, unsaved",
                    (true, true) => {
                        "was removed, unsaved: newer ones that stay unsaved need the room"
                    }
                };
                Some(format!(
                    "{arena} of a dead process {fate}: {}",
                    error.in_full()
                ))
            }
            Ok(Some((path, _))) if path.parent() != self.capture.parent() => Some(format!(
                "what a dead process left is in {}: the directory of its capture {} is gone",
                path.display(),
                self.capture.display()
            )),
            Ok(_) => None,
        }
    }
}

/// Saves what dead processes of this user have left in `directory` (by default `/dev/shm/perf-<uid>`), each beside its
/// capture, and removes their arenas. An arena goes only when its remainder is safe on the disk. Arenas of living
/// processes are not touched.
///
/// Where the directory of the capture is gone, the remainder goes to `elsewhere`, as
/// `<stem>.<capture id>.salvaged.bin`. Without such a place the arena stays, and so does one that cannot be read; each for
/// [`UNSAVED_KEPT`]. One that cannot be written, because the disk is full perhaps, stays until it can be. So that shared
/// memory stays bounded, of all that stay only the newest are kept: [`UNSAVED_ARENAS`] at most, with [`UNSAVED_BYTES`]
/// together. What became of each is in the answer, the newest first, and in the warnings of the recorder that asked.
///
/// # Errors
/// The directory cannot be read. That it is not there is no error.
pub fn salvage_dead(
    directory: Option<&Path>,
    elsewhere: Option<&Path>,
) -> Result<Vec<Dead>, SalvageError> {
    let path = directory.map_or_else(Directory::default_path, Path::to_owned);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let directory = Directory::open_existing(&path)?;
    let listed = directory.list().map_err(io_error("list", &path))?;
    let mut dead: Vec<_> = listed
        .into_iter()
        .filter(|found| found.liveness == Liveness::Dead)
        .map(|found| (modified(&found.path), found.path))
        .collect();
    // The newest first: the oldest are those that have to go.
    dead.sort_by(|one, other| other.cmp(one));
    let mut kept = Kept::default();
    Ok(dead
        .iter()
        .filter_map(|(_, path)| salvage_one(&directory, path, elsewhere, &mut kept))
        .collect())
}

/// When the arena last grew; `None` if it is gone.
fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|status| status.modified()).ok()
}

/// The arenas that stay unsaved.
#[derive(Debug, Default)]
struct Kept {
    arenas: usize,
    bytes: u64,
}

impl Kept {
    /// Whether one more, with so many bytes, may stay as well.
    fn takes(&mut self, bytes: u64) -> bool {
        let all = self.bytes.saturating_add(bytes);
        let takes = self.arenas == 0 || (self.arenas < UNSAVED_ARENAS && all <= UNSAVED_BYTES);
        if takes {
            self.arenas += 1;
            self.bytes = all;
        } else {
            // Nor may any that is older.
            self.arenas = UNSAVED_ARENAS;
        }
        takes
    }
}

/// `None` if somebody else was quicker.
fn salvage_one(
    directory: &Directory,
    path: &Path,
    elsewhere: Option<&Path>,
    kept: &mut Kept,
) -> Option<Dead> {
    let mut dead = Dead {
        arena: path.to_owned(),
        capture: PathBuf::new(),
        saved: Ok(None),
        given_up: false,
        is_crowded_out: false,
    };
    let arena = match directory.claim(path) {
        Ok(claimed) => claimed?,
        Err(error) => {
            dead.saved = Err(io_error("claim the arena", path)(error));
            return Some(dead);
        }
    };
    let saved = match Reader::from_file(arena.file()) {
        Ok(mut reader) => {
            let about = reader.about().clone();
            dead.capture.clone_from(&about.capture_path);
            save(&mut reader, &about, elsewhere)
        }
        Err(source) => Err(SalvageError::Arena {
            path: path.to_owned(),
            source,
        }),
    };
    dead.saved = match saved {
        Ok(saved) => remove(arena).map(|()| saved),
        Err(error) => {
            let is_expired = is_hopeless(&error) && is_old(&arena);
            dead.is_crowded_out = !is_expired && !kept.takes(bytes_of(&arena));
            dead.given_up = (is_expired || dead.is_crowded_out) && remove(arena).is_ok();
            Err(error)
        }
    };
    Some(dead)
}

/// Whether another attempt will fail just the same, unless somebody mends what is wrong.
fn is_hopeless(error: &SalvageError) -> bool {
    matches!(
        error,
        SalvageError::NoPlace { .. } | SalvageError::Arena { .. }
    )
}

/// Bytes of memory that it has; its file is longer, with holes.
fn bytes_of(arena: &DeadArena) -> u64 {
    let status = arena.file().metadata();
    status.map_or(0, |status| status.blocks().saturating_mul(BLOCK_BYTES))
}

fn is_old(arena: &DeadArena) -> bool {
    let modified = arena.file().metadata().and_then(|status| status.modified());
    modified
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age > UNSAVED_KEPT)
}

fn remove(arena: DeadArena) -> Result<(), SalvageError> {
    let path = arena.path().to_owned();
    arena.remove().map_err(io_error("remove the arena", &path))
}

/// Writes the remainder of a capture beside it, or else to `elsewhere`.
fn save(
    reader: &mut Reader<'_>,
    about: &About,
    elsewhere: Option<&Path>,
) -> Result<Option<(PathBuf, Saved)>, SalvageError> {
    let capture = &about.capture_path;
    if capture.as_os_str().is_empty() {
        // It went to a sink of the program's own: there is no file that this could complete.
        return Ok(None);
    }
    let id = CaptureId(about.capture_id);
    let remainder = place_of(capture, id, elsewhere).ok_or_else(|| SalvageError::NoPlace {
        path: capture.clone(),
    })?;
    of_parts::trim(capture, id);
    let mut known = Known::default();
    let has_capture = of_parts::add(&mut known, &first_of(capture), id);
    if remainder.exists() {
        // It is complete, since it got its name last: only the arena was not removed any more.
        return Ok(None);
    }
    if has_capture && known.is_closed {
        return Ok(None);
    }
    let header = FileHeader::parse(&about.metadata).map(|(header, _)| header);
    let mut header = header.unwrap_or_else(|_| header_of(about, &known));
    header.origin.arena.clear();
    if let Some(label) = flight::label_of_kill(&header.labels) {
        header.labels.push(label);
        header.start_unix_ns = first_anchor(reader).unwrap_or(header.start_unix_ns);
        // A part that the kill caught in the making: its chunks are in the arena still.
        let _ = fs::remove_file(flight::temporary(capture));
    } else if let Some(start) = of_parts::start_of_newest(capture, id) {
        header.start_unix_ns = start;
    }
    header.part = of_parts::next_number(&first_of(capture));
    let saved = write(reader, &mut known, &header, &remainder)?;
    Ok(Some((remainder, saved)))
}

/// A file by whose name the parts of a capture are found. The arena of a flight recorder names what they are named after.
fn first_of(capture: &Path) -> PathBuf {
    let name = capture.file_name().unwrap_or_default();
    match names::parse(name).is_some() || capture.exists() {
        true => capture.to_owned(),
        false => flight::part_path(capture, 0),
    }
}

/// When the oldest anchor was read that the spool of a flight recorder has: about where its window begins.
fn first_anchor(reader: &mut Reader<'_>) -> Option<i64> {
    let chunks = reader.spooled();
    let anchors = chunks
        .iter()
        .filter_map(|chunk| Index::build(&chunk.bytes).ok());
    let anchors = anchors.flat_map(|index| index.anchors.anchors);
    anchors.map(|anchor| anchor.realtime_ns).min()
}

/// A header out of what the arena itself says, when the one that the recorder had put there is damaged.
fn header_of(about: &About, known: &Known) -> FileHeader {
    let mut header = known.header.clone().unwrap_or_default();
    header.capture_id = CaptureId(about.capture_id);
    header.start_unix_ns = i64::try_from(about.start_unix_ns).unwrap_or(0);
    header.clock.source = perf_format::ClockSource(u16::try_from(about.clock).unwrap_or(0));
    header.clock.ticks_per_second = about.ticks_per_second;
    header
}

/// Where the remainder of a capture goes; `None` if there is no place for it.
fn place_of(capture: &Path, id: CaptureId, elsewhere: Option<&Path>) -> Option<PathBuf> {
    if capture.parent().is_some_and(Path::is_dir) {
        return Some(free_remainder_path(capture, id));
    }
    let other = elsewhere.filter(|directory| directory.is_dir())?;
    Some(other_remainder_path(&other.join(capture.file_name()?), id))
}

/// The path of the remainder. If something else has that name, another one.
fn free_remainder_path(capture: &Path, id: CaptureId) -> PathBuf {
    let usual = remainder_path(capture);
    let usable = match File::open(&usual) {
        Ok(file) => names::header_of(&file).is_some_and(|it| it.capture_id == id),
        // What exists and cannot be opened may be anything: it must not pass for a remainder that is complete.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if usable {
        usual
    } else {
        other_remainder_path(capture, id)
    }
}

/// Writes the remainder under another name, brings it to the disk, and only then gives it its own.
fn write(
    reader: &mut Reader<'_>,
    known: &mut Known,
    header: &FileHeader,
    path: &Path,
) -> Result<Saved, SalvageError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    // One that is left over is of an attempt that died: whoever has the arena is alone here.
    let _ = fs::remove_file(&temporary);
    let saved = new_file::write(&temporary, |out| {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        out.write_all(&bytes)?;
        let mut remainder = Remainder::new(out, known);
        remainder.write_arena(reader)?;
        let (_, saved) = remainder.close(machine::unix_ns())?;
        Ok(saved)
    })?;
    let named = fs::rename(&temporary, path).and_then(|()| names::sync_directory_of(path));
    if named.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    named.map_err(io_error("rename", &temporary))?;
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_stay_and_so_many_bytes() {
        let mut kept = Kept::default();
        let takes = (0..12).filter(|_| kept.takes(1)).count();
        assert_eq!(takes, UNSAVED_ARENAS);

        let mut kept = Kept::default();
        assert!(kept.takes(UNSAVED_BYTES / 2) && kept.takes(UNSAVED_BYTES / 2));
        assert!(!kept.takes(1));
        assert!(!kept.takes(0), "an older one must not outlive a newer one");

        let mut kept = Kept::default();
        assert!(kept.takes(2 * UNSAVED_BYTES), "the newest, however large");
        assert!(!kept.takes(1));
    }
}
