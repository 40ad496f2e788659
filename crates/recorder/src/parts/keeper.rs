//! Who looks after the parts that are closed: compresses them and deletes old ones, in a thread of its own that gets what
//! processor time nobody else wants.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

#[cfg(feature = "zstd")]
use super::compress::compress;
use super::files::Part;
use super::retention::Retention;
use crate::handoff::Hook;
use crate::machine;
use crate::progress::{Progress, Trouble};

/// The nice value of the thread.
const NICE: i32 = 19;
/// The longest time between two looks at the age of parts, and the shortest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// The wait while another process deletes in the same directory.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// Closed parts that wait to be compressed; each keeps a file open. The oldest of more stay as they are.
const MOST_WAITING: usize = 16;

/// What the keeper's thread and the others tell each other.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    desk: Mutex<Desk>,
    changed: Condvar,
    /// Whoever stops the recorder does not wait any longer.
    hurry: AtomicBool,
    deleted_files: AtomicU64,
    deleted_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Desk {
    parts: VecDeque<Part>,
    /// The part that is being written.
    current: PathBuf,
    /// No part will come any more.
    is_ending: bool,
    has_ended: bool,
}

/// What there is to do.
enum Next {
    /// With whether so many wait that there is no time to compress it.
    Part(Part, bool),
    Time,
    End,
}

/// What is done with closed parts.
#[derive(Debug)]
pub(crate) struct Duties {
    pub(crate) retention: Option<Retention>,
    pub(crate) compress: Option<i32>,
    pub(crate) hook: Option<Hook>,
}

impl Keeper {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file at `path` is the one that is being written from now on.
    pub(crate) fn begins(&self, path: &Path) {
        path.clone_into(&mut self.desk().current);
    }

    /// Takes a part that is closed.
    pub(crate) fn take_over(&self, part: Part) {
        self.desk().parts.push_back(part);
        self.changed.notify_all();
    }

    /// Files that were deleted, and their bytes.
    pub(crate) fn deleted(&self) -> (u64, u64) {
        let files = self.deleted_files.load(Ordering::Relaxed);
        (files, self.deleted_bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }

    /// Lets the thread finish what it has, but no longer than `patience`; then it leaves the rest as it is. False if it does not
    /// come back within `grace` either.
    pub(crate) fn end(&self, patience: Duration, grace: Duration) -> bool {
        self.desk().is_ending = true;
        self.changed.notify_all();
        if self.wait_for_end(patience) {
            return true;
        }
        self.hurry.store(true, Ordering::Relaxed);
        self.wait_for_end(grace)
    }

    fn wait_for_end(&self, patience: Duration) -> bool {
        let waits = |desk: &mut Desk| !desk.has_ended;
        let waited = self
            .changed
            .wait_timeout_while(self.desk(), patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.has_ended
    }

    fn next(&self, wait: Duration) -> Next {
        let waits = |desk: &mut Desk| desk.parts.is_empty() && !desk.is_ending;
        let waited = self.changed.wait_timeout_while(self.desk(), wait, waits);
        let mut desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        let is_crowded = desk.parts.len() > MOST_WAITING;
        match desk.parts.pop_front() {
            Some(part) => Next::Part(part, is_crowded),
            None if desk.is_ending => Next::End,
            None => Next::Time,
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn start(
        self: &Arc<Self>,
        duties: Duties,
        progress: Arc<Progress>,
    ) -> std::io::Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        let run = move || {
            // Also after a panic: somebody waits for it.
            let _ending = Ending(&keeper);
            // It does not matter if it keeps its priority.
            let _ = machine::renice_thread(NICE);
            keeper.run(&duties, &progress);
        };
        thread::Builder::new().name("perf-keeper".into()).spawn(run)
    }

    fn run(&self, duties: &Duties, progress: &Progress) {
        loop {
            let is_done = self.delete_old(duties, progress);
            let wait = if is_done { duties.wait() } else { BUSY_WAIT };
            match self.next(wait) {
                Next::Part(part, is_crowded) => {
                    if !is_crowded {
                        self.close(&part, duties, progress);
                    }
                    part.unlock();
                }
                Next::Time => {}
                Next::End if !is_done && !self.is_hurried() => thread::sleep(BUSY_WAIT),
                Next::End => return,
            }
        }
    }

    fn close(&self, part: &Part, duties: &Duties, progress: &Progress) {
        if let Some(level) = duties.compress
            && part.is_sound
            && !self.is_hurried()
            && let Err(error) = compress(part, level, self, duties.hook)
        {
            let path = part.path.clone();
            let error = error.to_string();
            progress.tell(Trouble::Uncompressed { path, error });
        }
    }

    /// False if another process is about it.
    fn delete_old(&self, duties: &Duties, progress: &Progress) -> bool {
        let Some(retention) = &duties.retention else {
            return true;
        };
        let current = self.desk().current.clone();
        let Some(deleted) = retention.run(&current, SystemTime::now()) else {
            return false;
        };
        self.deleted_files
            .fetch_add(deleted.files, Ordering::Relaxed);
        self.deleted_bytes
            .fetch_add(deleted.bytes, Ordering::Relaxed);
        if deleted.files > 0 || deleted.refused.is_some() {
            progress.deleted(deleted);
        }
        true
    }
}

struct Ending<'k>(&'k Keeper);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.desk().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl Duties {
    /// Time between two looks at what has become too old.
    fn wait(&self) -> Duration {
        let age = self.retention.as_ref().and_then(|it| it.keep_for);
        // Long, not for ever: a wait must not overflow the clock.
        age.map_or(LONGEST_WAIT * 60, |age| {
            (age / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT)
        })
    }
}

#[cfg(not(feature = "zstd"))]
fn compress(_: &Part, _: i32, _: &Keeper, _: Option<Hook>) -> std::io::Result<()> {
    Ok(())
}
