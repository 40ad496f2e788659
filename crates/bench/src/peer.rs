//! What a peer has to do to be measured.

use std::path::Path;

use anyhow::Result;

/// A library that records spans, set up as its users set it up.
pub(crate) trait Peer: Sized + Sync {
    /// What a thread holds while it records; dropped when the thread is done.
    type Thread;

    /// Starts it, with its files below `dir`. When not `on`, as in a program that has the calls in its code but nobody listens.
    ///
    /// # Errors
    /// When it cannot start here.
    fn start(dir: &Path, on: bool) -> Result<Self>;

    /// Readies the calling thread.
    fn thread(&self) -> Self::Thread;

    /// Records `count` empty spans. A peer whose spans need one around them opens that once a call.
    fn spans(&self, thread: &mut Self::Thread, count: usize);

    /// Lets it write what it has and end. Gives how many spans it says that it dropped, if it says.
    ///
    /// # Errors
    /// When it cannot end cleanly.
    fn finish(self) -> Result<Option<u64>>;

    /// Counts the spans in the files below `dir`; none for a peer without files. Files may be cut short anywhere.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn written(dir: &Path) -> Result<Option<u64>>;

    /// Sums up the spans of the files below `dir` as its own tool does, and gives how many there were; none if that tool is a
    /// program of its own, or there is no such tool.
    ///
    /// # Errors
    /// When the tool cannot read the files.
    fn read(_: &Path) -> Result<Option<u64>> {
        Ok(None)
    }
}
