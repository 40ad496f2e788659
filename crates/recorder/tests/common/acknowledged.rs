//! Memory that a child shares with its parent, so that the parent knows what the child had done when it died.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Counters in a file: how many records were acknowledged, by thread or by child.
pub(crate) struct Acknowledged {
    map: memmap2::MmapRaw,
    counters: u64,
}

impl Acknowledged {
    /// Opens the file `acknowledged` in `directory`, with so many counters, all 0 if it is new.
    pub(crate) fn open(directory: &Path, counters: u64) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("acknowledged"))
            .expect("a file");
        file.set_len(counters * 8).expect("a word for each");
        let map = memmap2::MmapRaw::map_raw(&file).expect("a mapping");
        Self { map, counters }
    }

    /// One counter.
    pub(crate) fn of(&self, counter: u64) -> &AtomicU64 {
        assert!(counter < self.counters);
        // SAFETY: in bounds and aligned, since the mapping is page aligned; it is only ever used as atomics.
        unsafe {
            &*self
                .map
                .as_mut_ptr()
                .cast::<AtomicU64>()
                .add(counter as usize)
        }
    }
}
