//! The third thread: has the storage keep what was written. A sync can take seconds on a busy disk; the writer goes on
//! meanwhile, or the spool would fill up.

use crate::progress::{Progress, Trouble};
use crate::storage::Storage;

/// Syncs whenever the writer orders it, until there is no more to come.
pub(crate) fn run(storage: &dyn Storage, progress: &Progress) {
    let mut unreachable_told = false;
    while let Some((from, offset)) = progress.next_sync() {
        if let Err(error) = storage.sync() {
            // What was written meanwhile may have failed as well.
            let to = progress.written().max(offset);
            progress.tell(Trouble::SyncFailed {
                from,
                to,
                error: error.to_string(),
            });
        }
        if !unreachable_told && !storage.is_reachable() {
            unreachable_told = true;
            progress.tell(Trouble::Unreachable);
        }
        progress.synced(offset);
    }
}
