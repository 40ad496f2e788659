//! What an arena is to be like.

use std::path::PathBuf;

use crate::error::CreateError;
use crate::layout::{
    MAX_DATA_BYTES, MAX_META_BYTES, MAX_SEGMENT_BYTES, MAX_SPOOL_BYTES, MIN_SEGMENT_BYTES, pages,
};

/// The least that staging area and spool get; with less free memory the arena is anonymous.
pub(crate) const MIN_SPOOL_BYTES: u64 = 256 << 10;

/// What a full ring does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Refuses the new record and counts it.
    #[default]
    DropNewest,
    /// Overwrites the oldest records, a quarter of the ring at a time: a flight recorder. Rings begin at their largest
    /// size and do not grow. Overwritten records are counted by ring slots, so an annotation counts as its slots.
    Overwrite,
}

/// Sizes and places of an arena.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the file goes; `None` = [`Directory::default_path`](crate::Directory::default_path), and if that cannot be
    /// had, anonymous memory with a warning. A directory that is given must be fit for use.
    pub directory: Option<PathBuf>,
    /// What a full ring does.
    pub mode: Mode,
    /// Bytes of a ring's first segment, a power of two; less when memory is short. 256 KiB.
    pub ring_bytes: u64,
    /// Bytes of the largest segment that a ring grows to, a power of two. 16 MiB.
    pub max_ring_bytes: u64,
    /// Bytes of all segments together; no more than three quarters of the free shared memory. 512 MiB.
    pub data_bytes: u64,
    /// Bytes of the staging area; no more than a sixteenth of the free shared memory. 4 MiB.
    pub staging_bytes: u64,
    /// Bytes of the spool; no more than a quarter of the free shared memory. 32 MiB.
    pub spool_bytes: u64,
    /// Sequence number of each ring's first slot. 0, except to test the wrap.
    pub first_seq: u64,
    /// What is to be found after a crash.
    pub about: About,
}

/// What an arena says about itself to whoever salvages it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// The capture's id.
    pub capture_id: [u8; 16],
    /// The kernel's boot id: ticks of two arenas compare only if it is the same.
    pub boot_id: [u8; 16],
    /// Where the capture file is, as an absolute path.
    pub capture_path: PathBuf,
    /// When the capture began, unix ns.
    pub start_unix_ns: u64,
    /// Which clock the ticks come from, in the recorder's code.
    pub clock: u32,
    /// How fast the clock runs, as far as is known at the start.
    pub ticks_per_second: f64,
    /// Whatever else the recorder wants to find: the capture's header.
    pub metadata: Vec<u8>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: None,
            mode: Mode::DropNewest,
            ring_bytes: 256 << 10,
            max_ring_bytes: 16 << 20,
            data_bytes: 512 << 20,
            staging_bytes: 4 << 20,
            spool_bytes: 32 << 20,
            first_seq: 0,
            about: About::default(),
        }
    }
}

impl Config {
    /// Checks the sizes, and rounds them up to powers of two or whole pages.
    pub(crate) fn checked(&self) -> Result<Self, CreateError> {
        let check = |name, got, min, max| {
            if (min..=max).contains(&got) {
                Ok(got)
            } else {
                Err(CreateError::Config {
                    name,
                    got,
                    min,
                    max,
                })
            }
        };
        let segment =
            |name, got, min| check(name, got, min, MAX_SEGMENT_BYTES).map(u64::next_power_of_two);
        let whole = |name, got, max| check(name, got, MIN_SPOOL_BYTES, max).map(pages);
        let ring_bytes = segment("ring_bytes", self.ring_bytes, MIN_SEGMENT_BYTES)?;
        let meta = self.about.metadata.len() + self.about.capture_path.as_os_str().len();
        check("metadata", meta as u64, 0, MAX_META_BYTES)?;
        Ok(Self {
            ring_bytes,
            max_ring_bytes: segment("max_ring_bytes", self.max_ring_bytes, ring_bytes)?,
            data_bytes: whole("data_bytes", self.data_bytes, MAX_DATA_BYTES)?,
            staging_bytes: whole("staging_bytes", self.staging_bytes, MAX_SPOOL_BYTES)?,
            spool_bytes: whole("spool_bytes", self.spool_bytes, MAX_SPOOL_BYTES)?,
            ..self.clone()
        })
    }
}
