//! A count in a mapped file: what was stored there outlives a kill, so that it can be compared with what the peer kept.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use memmap2::MmapMut;

/// How many spans were recorded so far.
pub(crate) struct Acknowledged {
    map: MmapMut,
}

impl Acknowledged {
    /// Makes the file at `path`, with a count of 0.
    ///
    /// # Errors
    /// When the file cannot be made or mapped.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(8)?;
        // SAFETY: the file was just made for this process; whoever else opens it only reads, and nobody cuts it short.
        let map = unsafe { MmapMut::map_mut(&file)? };
        Ok(Self { map })
    }

    /// Counts spans whose recording call has returned.
    pub(crate) fn add(&self, spans: u64) {
        // SAFETY: the map begins a page, has eight bytes, lives as long as `self`, and is only used through this atomic.
        let count = unsafe { AtomicU64::from_ptr(self.map.as_ptr().cast_mut().cast()) };
        count.fetch_add(spans, Ordering::Release);
    }
}
