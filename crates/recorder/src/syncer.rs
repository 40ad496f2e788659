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
        let is_reachable = storage.is_reachable();
        if !unreachable_told && !is_reachable {
            progress.tell(Trouble::Unreachable);
            // What comes has a better place in the next part.
            progress.want_part();
        }
        // The next part can be deleted, too.
        unreachable_told = !is_reachable;
        progress.synced(offset);
    }
}
