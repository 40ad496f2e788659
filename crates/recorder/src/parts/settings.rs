//! When the parts of a capture end, and how long they are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::builder::{Builder, Destination};
use crate::error::StartError;

/// Bytes of the smallest part: below that its head and its end weigh more than what is in between.
pub(crate) const SMALLEST_PART: u64 = 64 << 10;
/// Time of the shortest part.
pub(crate) const SHORTEST_PART: Duration = Duration::from_secs(1);
/// Bytes that a part is allocated at a time.
const ALLOCATION_STEP: u64 = 4 << 20;

/// Levels of compression. Those above take gigabytes of memory for little.
pub(crate) const COMPRESSION_LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// What the builder was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartSettings {
    pub(crate) rotate_bytes: Option<u64>,
    pub(crate) rotate_every: Option<Duration>,
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) preallocate_bytes: Option<u64>,
    /// The level at which closed parts are compressed.
    pub(crate) compress: Option<i32>,
    /// Parts may be as small as they like.
    pub(crate) tiny: bool,
}

impl PartSettings {
    /// Whether the capture has parts.
    pub(crate) fn is_rotating(&self) -> bool {
        self.rotate_bytes.is_some() || self.rotate_every.is_some()
    }

    /// Whether old parts are deleted.
    pub(crate) fn is_retaining(&self) -> bool {
        self.keep_bytes.is_some() || self.keep_for.is_some()
    }

    /// Bytes that are allocated ahead of what is written; 0 for none.
    pub(crate) fn allocation_step(&self) -> u64 {
        let usual = match self.rotate_bytes {
            _ if !self.is_rotating() => 0,
            Some(bytes) => bytes.min(ALLOCATION_STEP),
            None => ALLOCATION_STEP,
        };
        self.preallocate_bytes.unwrap_or(usual)
    }

    /// # Errors
    /// Something in it makes no sense.
    pub(crate) fn check(&self, destination: &Destination) -> Result<(), StartError> {
        let refused = |message: String| Err(StartError::Setting { message });
        if let Some(bytes) = self.rotate_bytes
            && bytes < SMALLEST_PART
            && !self.tiny
        {
            return refused(format!(
                "`rotate_bytes` is at least {SMALLEST_PART}, not {bytes}"
            ));
        }
        if let Some(every) = self.rotate_every
            && every < SHORTEST_PART
            && !self.tiny
        {
            return refused(format!(
                "`rotate_every` is at least {SHORTEST_PART:?}, not {every:?}"
            ));
        }
        if self.is_retaining() && !self.is_rotating() {
            return refused("`keep_bytes` and `keep_for` delete whole parts: they need `rotate_bytes` or `rotate_every`".to_owned());
        }
        if self.compress.is_some() && !self.is_rotating() {
            return refused(
                "closed parts can only be compressed with `rotate_bytes` or `rotate_every`"
                    .to_owned(),
            );
        }
        if let Some(level) = self.compress
            && !COMPRESSION_LEVELS.contains(&level)
        {
            let (from, upto) = (COMPRESSION_LEVELS.start(), COMPRESSION_LEVELS.end());
            return refused(format!(
                "`compress_closed` is a level from {from} to {upto}, not {level}"
            ));
        }
        let least = 2 * self.rotate_bytes.unwrap_or(0);
        if let Some(bytes) = self.keep_bytes
            && bytes < least
        {
            return refused(format!(
                "`keep_bytes` is at least twice `rotate_bytes`, which is {least}, not {bytes}: one part is always being written"
            ));
        }
        let has_files = matches!(destination, Destination::Path(_));
        if (self.is_retaining() || self.compress.is_some()) && !has_files {
            return refused(
                "parts can only be deleted or compressed where the capture goes into files"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// Captures of several parts.
impl Builder {
    /// Ends the file when it has so many bytes, at least 64 KiB, and goes on in another one: parts of one capture, which share its
    /// id and its numbering, `NAME.00000.bin`, `NAME.00001.bin` and so on. A part is larger by no more than one chunk and its end.
    /// Each can be read alone, and all one after another are one capture. A [`sink`](Self::sink) or a
    /// [`storage`](Self::storage) gets them so, with the header of each part as a piece of its own.
    pub fn rotate_bytes(mut self, bytes: u64) -> Self {
        self.settings.parts.rotate_bytes = Some(bytes);
        self
    }

    /// Ends the file after so long, at least a second, and goes on in another one, as [`rotate_bytes`](Self::rotate_bytes) does;
    /// both may be asked for. Where a day has a whole number of these times, parts end at multiples of it since midnight UTC: one of an
    /// hour ends on the hour.
    pub fn rotate_every(mut self, time: Duration) -> Self {
        self.settings.parts.rotate_every = Some(time);
        self
    }

    /// Deletes the oldest parts in the capture's directory, so that those that stay have no more than so many bytes together, the one
    /// that is being written counted as full. By default nothing is ever deleted.
    ///
    /// What is deleted are closed parts and salvaged remainders that a program of the same name and the same user has recorded there,
    /// in whatever process: by their names, and by what their headers say. A part that a living process writes stays, whatever
    /// its age; so does every other file.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.settings.parts.keep_bytes = Some(bytes);
        self
    }

    /// Deletes parts that were written to for the last time so long ago. For the rest as [`keep_bytes`](Self::keep_bytes); both may be
    /// asked for.
    pub fn keep_for(mut self, time: Duration) -> Self {
        self.settings.parts.keep_for = Some(time);
        self
    }

    /// Bytes of disk that are allocated ahead of what is written, so that a file lies in few pieces, and less often waits for
    /// the file system. By default 4 MiB for captures of several parts, and none for one file. 0 is none. They are given back when the file
    /// ends; a disk without room for them is still written to until it is full.
    pub fn preallocate_bytes(mut self, bytes: u64) -> Self {
        self.settings.parts.preallocate_bytes = Some(bytes);
        self
    }

    /// Compresses parts that are closed, at this level of zstd (1 to 19; 3 is a good one), into `NAME.00000.bin.zst` and so on, which are
    /// read as they are. A thread of low priority does it, once the part is on the disk. A stop waits for it as long as its
    /// [patience](Self::patience) lasts; what is not compressed by then stays as it is.
    #[cfg(feature = "zstd")]
    pub fn compress_closed(mut self, level: i32) -> Self {
        self.settings.parts.compress = Some(level);
        self
    }

    /// Lets parts be as small and as short as they like. For tests of many parts.
    #[doc(hidden)]
    pub fn tiny_parts(mut self) -> Self {
        self.settings.parts.tiny = true;
        self
    }
}

/// Parts of a recorder that has stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parts {
    /// Parts that were begun. 1 without rotation, 0 if the capture did not go into a file.
    pub begun: u64,
    /// The first part, which may be deleted by now.
    pub first: Option<PathBuf>,
    /// The last part. After the end it is called what it is called then, compressed or not.
    pub last: Option<PathBuf>,
    /// Files that were deleted since the start, as [`Builder::keep_bytes`] and [`Builder::keep_for`] asked for.
    pub deleted_files: u64,
    /// Bytes that these had.
    pub deleted_bytes: u64,
}
