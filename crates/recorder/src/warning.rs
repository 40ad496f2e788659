//! What the recorder tells the reader of the capture about itself, in words.

use perf_arena::Warning as ArenaWarning;
use perf_format::{Warning, WarningCode};

use crate::parts::Deleted;
use crate::progress::Trouble;

/// How many warnings a recorder remembers for its status. The capture has them all.
const KEPT: usize = 32;

/// What has come up so far.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    /// Not yet written into the capture.
    fresh: Vec<Warning>,
    kept: Vec<Warning>,
}

impl Warnings {
    pub(crate) fn add(&mut self, code: WarningCode, ticks: u64, message: String) {
        let warning = Warning {
            code,
            ticks,
            message,
        };
        if self.kept.len() < KEPT {
            self.kept.push(warning.clone());
        }
        self.fresh.push(warning);
    }

    /// `count` spans ended before they began.
    pub(crate) fn add_reversed(&mut self, count: u64, ticks: u64) {
        self.add(WarningCode::CLOCK, ticks, reversed(count));
    }

    pub(crate) fn add_of_arena(&mut self, warning: &ArenaWarning, ticks: u64) {
        let (code, message) = of_arena(warning);
        self.add(code, ticks, message);
    }

    pub(crate) fn add_of_storage(&mut self, trouble: &Trouble, ticks: u64) {
        let (code, message) = of_storage(trouble);
        self.add(code, ticks, message);
    }

    /// What was deleted of old parts.
    pub(crate) fn add_deleted(&mut self, deleted: &Deleted, ticks: u64) {
        self.add(WarningCode::RETENTION, ticks, of_deleted(deleted));
    }

    /// The warnings that the capture does not have yet.
    pub(crate) fn take_fresh(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.fresh)
    }

    /// The first warnings of all.
    pub(crate) fn kept(&self) -> &[Warning] {
        &self.kept
    }
}

/// What a capture says of spans that ended before they began.
pub(crate) fn reversed(count: u64) -> String {
    format!(
        "{count} spans ended before they began: the clock stepped back. They are written with duration 0"
    )
}

fn of_arena(warning: &ArenaWarning) -> (WarningCode, String) {
    match warning {
        ArenaWarning::AnonymousArena { reason } => (
            WarningCode::ANONYMOUS_ARENA,
            format!(
                "no shared memory ({reason}): if the process is killed, records that are not yet in the file are lost"
            ),
        ),
        ArenaWarning::SmallerSpool {
            wanted_bytes,
            got_bytes,
        } => (
            WarningCode::SMALL_MEMORY,
            format!(
                "shared memory is short: the spool has {got_bytes} bytes instead of {wanted_bytes}"
            ),
        ),
        ArenaWarning::SmallerSegment {
            wanted_bytes,
            got_bytes,
        } => (
            WarningCode::SMALL_MEMORY,
            format!(
                "shared memory is short: a ring has {got_bytes} bytes instead of {wanted_bytes}"
            ),
        ),
        ArenaWarning::AnonymousSegment { reason } => (
            WarningCode::ANONYMOUS_ARENA,
            format!(
                "no shared memory for a ring ({reason}): if the process is killed, its records are lost"
            ),
        ),
        ArenaWarning::NoRing { reason } => (
            WarningCode::SMALL_MEMORY,
            format!("a thread got no ring, its records are lost: {reason}"),
        ),
        other => (WarningCode::SMALL_MEMORY, format!("{other:?}")),
    }
}

fn of_deleted(deleted: &Deleted) -> String {
    let mut told = Vec::new();
    if deleted.files > 0 {
        told.push(format!(
            "{} old files with {} bytes were deleted as it was asked for, the last of them {}",
            deleted.files,
            deleted.bytes,
            deleted.last.display()
        ));
    }
    if let Some((path, error)) = &deleted.refused {
        told.push(format!(
            "{} is too old or too much, and could not be deleted: {error}",
            path.display()
        ));
    }
    told.join("; ")
}

fn of_storage(trouble: &Trouble) -> (WarningCode, String) {
    match trouble {
        Trouble::WriteFailed { offset, stalled, attempts, error } => (
            WarningCode::WRITE_FAILED,
            format!(
                "writing at offset {offset} failed {attempts} times over {:.1} s ({error}), then went on",
                stalled.as_secs_f64()
            ),
        ),
        Trouble::SyncFailed { from, to, error } => (
            WarningCode::SYNC_FAILED,
            format!("fdatasync failed ({error}): a crash of the host may have cost bytes {from} to {to}"),
        ),
        Trouble::Unreachable => (
            WarningCode::WRITE_FAILED,
            "the file was deleted while it was being written: its bytes are gone when the process ends".to_owned(),
        ),
        Trouble::NotBegun { path, error } => (
            WarningCode::WRITE_FAILED,
            format!(
                "{} could not be created ({error}): the capture goes on in the part before",
                path.display()
            ),
        ),
        Trouble::Uncompressed { path, error } => (
            WarningCode::SETTINGS,
            format!("{} could not be compressed, and stays as it is: {error}", path.display()),
        ),
    }
}
