//! The files of a capture that is to be saved: its only one, or its parts, as far as they are there.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use perf_format::CaptureId;

use super::known::Known;
use crate::parts::names;

/// Bytes of the newest parts that are read. What an arena has besides the files is in the last two at most; those before only tell
/// what was lost.
const BYTES_READ: u64 = 1 << 30;
/// Parts that are read in any case.
const PARTS_READ: usize = 2;
/// Bytes of the blocks that the system counts for a file.
const BLOCK_BYTES: u64 = 512;

/// Takes in what there is of the capture `id`, of which `capture` is a file. True if there is something.
pub(super) fn add(known: &mut Known, capture: &Path, id: CaptureId) -> bool {
    let all = names::siblings(capture);
    let all: Vec<_> = all
        .iter()
        .filter(|part| !part.is_compressed && part.is_of(id))
        .collect();
    let Some(last) = all.last() else {
        return names::is_of(capture, id) && add_file(known, capture);
    };
    let (mut bytes, mut from) = (0, all.len());
    while from > 0 && (all.len() - from < PARTS_READ || bytes <= BYTES_READ) {
        from -= 1;
        bytes += fs::metadata(&all[from].path).map_or(0, |status| status.len());
    }
    known.is_partial = all.len() - from <= last.number as usize;
    let read = &all[from..];
    let mut has_some = false;
    for (index, part) in read.iter().enumerate() {
        if index + PARTS_READ == read.len() {
            // Times are read off the newest ones.
            known.anchors.clear();
        }
        has_some |= add_file(known, &part.path);
    }
    known.tidy_tables();
    has_some
}

fn add_file(known: &mut Known, path: &Path) -> bool {
    File::open(path).is_ok_and(|file| known.add_file(&file).is_ok())
}

/// The number that comes after those of all parts beside `capture`; 0 if it has none.
pub(super) fn next_number(capture: &Path) -> u32 {
    let last = names::siblings(capture).pop();
    last.map_or(0, |part| part.number.saturating_add(1))
}

/// The newest file of a capture.
fn newest(capture: &Path) -> PathBuf {
    let last = names::siblings(capture).pop();
    last.map_or_else(|| capture.to_owned(), |part| part.path)
}

/// When the newest part of the capture began, if it has parts.
pub(super) fn start_of_newest(capture: &Path, id: CaptureId) -> Option<i64> {
    let parts = names::siblings(capture);
    let newest = parts.iter().rfind(|part| part.is_of(id))?;
    // Of a compressed one the remainder is not: that was closed.
    let file = File::open(&newest.path).ok()?;
    names::header_of(&file).map(|header| header.start_unix_ns)
}

/// Removes what the dead process has left of no use: a part without a whole header, which holds nothing, and the disk's room that
/// was allocated behind the end of the newest file.
pub(super) fn trim(capture: &Path, id: CaptureId) {
    for part in names::siblings(capture).iter().rev() {
        if part.is_compressed || !names::is_stump(&part.path, id) {
            break;
        }
        let _ = fs::remove_file(&part.path);
    }
    let path = newest(capture);
    let Ok(file) = File::options().write(true).open(&path) else {
        return;
    };
    let Ok(status) = file.metadata() else { return };
    let is_ahead = status.blocks().saturating_mul(BLOCK_BYTES) > status.len();
    if is_ahead && (status.len() == 0 || names::is_of(&path, id)) {
        let _ = file.set_len(status.len());
    }
}
