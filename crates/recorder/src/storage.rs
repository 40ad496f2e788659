//! Where the bytes of a capture are kept. A seam: tests put a failing disk here.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;

/// A place for the bytes of one capture. One thread writes; another one syncs, since that can take long and the writes
/// must go on meanwhile.
pub trait Storage: Send + Sync {
    /// Writes some of `bytes` at `offset` (bytes from the capture's start) and returns how many. The writer goes on
    /// from there, so a short write is no error. It may write the same bytes again at the same offset.
    ///
    /// # Errors
    /// Whatever the place reports. The writer tries again, later and later, until it succeeds.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes everything written so far survive a crash of the host.
    ///
    /// # Errors
    /// Whatever the place reports. The bytes since the last success then count as doubtful for good: the kernel
    /// forgets which pages failed, so that asking again would succeed falsely.
    fn sync(&self) -> io::Result<()>;

    /// Whether the bytes can still be found under the capture's path.
    fn is_reachable(&self) -> bool {
        true
    }
}

impl Storage for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_reachable(&self) -> bool {
        self.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }
}
