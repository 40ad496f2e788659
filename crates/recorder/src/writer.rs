//! The second thread: takes whole chunks from the spool and puts them into the storage, in order, at known offsets.
//!
//! A chunk leaves the spool only when all of it was written. So a kill in the midst of a chunk leaves a torn tail in
//! the file and the whole chunk in the spool, and a write that failed is simply made again at the same offset.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perf_arena::SpoolReader;
use perf_format::MAGIC;

use crate::handoff::{Handoff, Hook};
use crate::machine;
use crate::parts::{Next, PartFiles};
use crate::progress::{Progress, Trouble};
use crate::storage::Storage;

/// The wait after a first failed write; it doubles with each further failure.
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);
/// Where a file header has the number of its part.
const PART_AT: usize = 40;
/// The longest sleep with nothing to do.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// When the storage is asked to make what was written survive a crash of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// This long after the last time, if anything was written since.
    Every(Duration),
    /// Only when the recorder stops or flushes.
    AtStop,
    /// Never: the host's own writeback will do.
    Never,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self::Every(Duration::from_secs(1))
    }
}

/// The state of the writer. Its thread calls [`step`](Self::step) over and over.
pub(crate) struct Writer {
    spool: SpoolReader,
    storage: Arc<dyn Storage>,
    progress: Arc<Progress>,
    policy: SyncPolicy,
    hook: Option<Hook>,
    /// Where parts of the capture get files of their own.
    files: Option<Arc<PartFiles>>,
    /// Where in the capture the last part begins that has one.
    begun: u64,
    /// A part has ended, and is to be synced.
    part_ended: bool,
    /// Bytes of the capture that are written, in whole chunks.
    offset: u64,
    /// Bytes of the oldest chunk that are written already.
    partial: usize,
    /// Syncs were ordered up to this offset.
    ordered: u64,
    last_sync: Instant,
    failing: Option<Failing>,
}

struct Failing {
    since: Instant,
    attempts: u64,
    error: io::Error,
}

/// Tells, when dropped, that the writer is done.
struct Ending(Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end_syncs();
        self.0.finish();
    }
}

fn told(hook: Option<Hook>, handoff: Handoff) {
    if let Some(hook) = hook {
        hook(handoff);
    }
}

/// The number of the part that begins with this frame; `None` if it is no file header.
fn part_of(first: &[u8], second: &[u8]) -> Option<u32> {
    let mut bytes = [0; PART_AT + 4];
    let from_first = first.len().min(bytes.len());
    let rest = bytes.len() - from_first;
    bytes[..from_first].copy_from_slice(&first[..from_first]);
    bytes[from_first..].copy_from_slice(second.get(..rest)?);
    let number = bytes[PART_AT..].try_into().ok()?;
    bytes
        .starts_with(&MAGIC)
        .then(|| u32::from_le_bytes(number))
}

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It wrote a chunk; there may be more.
    Wrote,
    /// There was nothing to write.
    Idle,
    /// A write failed. Try again after this time.
    Failed(Duration),
}

impl Writer {
    /// `offset` is where the first chunk goes: the length of the header, which is in the storage already.
    pub(crate) fn new(
        spool: SpoolReader,
        storage: Arc<dyn Storage>,
        offset: u64,
        policy: SyncPolicy,
        progress: Arc<Progress>,
    ) -> Self {
        progress.wrote(offset);
        Self {
            spool,
            storage,
            progress,
            policy,
            hook: None,
            files: None,
            begun: 0,
            part_ended: false,
            offset,
            partial: 0,
            ordered: 0,
            last_sync: Instant::now(),
            failing: None,
        }
    }

    pub(crate) fn with_hook(mut self, hook: Option<Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// The storage is these files.
    pub(crate) fn with_files(mut self, files: Option<Arc<PartFiles>>) -> Self {
        self.files = files;
        self
    }

    /// Runs until the recorder stops and the spool is empty, or until patience ends.
    pub(crate) fn run(&mut self) {
        // Also after a panic of the storage: somebody waits for both.
        let _ending = Ending(Arc::clone(&self.progress));
        loop {
            // Asked before the spool is looked at: what comes into the spool later is not missed.
            let is_complete = self.progress.is_complete();
            let step = self.step();
            if is_complete && step == Step::Idle {
                self.sync_at_end();
                if let Some(files) = &self.files {
                    files.finish();
                }
                break;
            }
            if self.progress.is_out_of_patience() {
                break;
            }
            self.sync_if_due();
            match step {
                Step::Wrote => {}
                // The drainer wakes it; a sync may be due before.
                Step::Idle => self.pause(self.time_to_sync().min(LONGEST_WAIT)),
                Step::Failed(wait) => self.pause(wait),
            }
        }
    }

    /// Sleeps, but not beyond the end of patience.
    fn pause(&self, wait: Duration) {
        let left = self.progress.patience_left().unwrap_or(Duration::MAX);
        thread::park_timeout(wait.min(left));
    }

    /// Writes the oldest chunk, or as much of it as the storage takes.
    pub(crate) fn step(&mut self) -> Step {
        let Some(frame) = self.spool.front() else {
            return Step::Idle;
        };
        let [first, second] = frame.parts;
        let header = part_of(first, second).zip(self.files.as_ref());
        if let Some((number, files)) = header
            && self.begun != self.offset
        {
            told(self.hook, Handoff::PartEnded);
            match files.begin(number, self.offset) {
                Ok(Next::Begun) => {}
                Ok(Next::Refused { path, error }) => {
                    let error = error.to_string();
                    self.progress.tell(Trouble::NotBegun { path, error });
                }
                Err(error) => return self.failed(error),
            }
            self.begun = self.offset;
            self.part_ended = true;
            told(self.hook, Handoff::PartCreated);
        }
        let whole = first.len() + second.len();
        while self.partial < whole {
            let rest = if self.partial < first.len() {
                &first[self.partial..]
            } else {
                &second[self.partial - first.len()..]
            };
            // A hook is there to stop half-way through a chunk.
            let upto = if self.hook.is_some() {
                rest.len().min(whole.div_ceil(2))
            } else {
                rest.len()
            };
            let at = self.offset + self.partial as u64;
            match self.storage.write_at(&rest[..upto], at) {
                Ok(0) => return self.failed(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.partial += count.min(upto),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.failed(error),
            }
            if self.partial < whole {
                told(self.hook, Handoff::HalfWritten);
            }
        }
        self.recovered();
        told(self.hook, Handoff::Written);
        self.offset += whole as u64;
        self.partial = 0;
        self.spool.pop();
        told(self.hook, Handoff::SpoolFreed);
        self.progress.wrote(self.offset);
        self.progress.set_writer_cpu_ns(machine::thread_cpu_ns());
        Step::Wrote
    }

    fn failed(&mut self, error: io::Error) -> Step {
        let since = self
            .failing
            .as_ref()
            .map_or_else(Instant::now, |failing| failing.since);
        let attempts = self.failing.as_ref().map_or(0, |failing| failing.attempts) + 1;
        self.progress.set_failing(Some(error.to_string()));
        self.failing = Some(Failing {
            since,
            attempts,
            error,
        });
        let doublings = u32::try_from(attempts - 1).unwrap_or(u32::MAX).min(16);
        Step::Failed((FIRST_BACK_OFF * 2u32.pow(doublings)).min(LONGEST_BACK_OFF))
    }

    /// Writing goes on: tells the capture that it had stopped, where and for how long.
    fn recovered(&mut self) {
        if let Some(Failing {
            since,
            attempts,
            error,
        }) = self.failing.take()
        {
            self.progress.set_failing(None);
            let (offset, stalled) = (self.offset, since.elapsed());
            self.progress.tell(Trouble::WriteFailed {
                offset,
                stalled,
                attempts,
                error: error.to_string(),
            });
        }
    }

    /// Has the other thread sync, if it is time to.
    fn sync_if_due(&mut self) {
        if self.files.as_ref().is_some_and(|files| files.take_retry()) {
            self.progress.want_part();
        }
        let is_asked = self.part_ended || self.progress.is_sync_asked(self.offset);
        if self.time_to_sync() > Duration::ZERO && !is_asked {
            return;
        }
        self.part_ended = false;
        self.last_sync = Instant::now();
        if self.ordered < self.offset || self.policy == SyncPolicy::Never {
            self.order_sync();
        }
    }

    fn order_sync(&mut self) {
        self.ordered = self.offset;
        self.progress.order_sync(self.offset);
        if self.policy == SyncPolicy::Never {
            self.progress.synced(self.offset);
            if let Some(files) = &self.files {
                files.hand_over_closed();
            }
        }
    }

    /// The time until the next sync that nobody asks for.
    fn time_to_sync(&self) -> Duration {
        match self.policy {
            SyncPolicy::Every(interval) => interval.saturating_sub(self.last_sync.elapsed()),
            SyncPolicy::AtStop | SyncPolicy::Never => Duration::MAX,
        }
    }

    /// The last sync. It may take as long as the recorder's owner is willing to wait.
    fn sync_at_end(&mut self) {
        self.order_sync();
        loop {
            // The owner may only be about to say how long that is: the drainer tells of its end before it is asked to.
            let left = self.progress.patience_left().unwrap_or(LONGEST_WAIT);
            if self.progress.wait_for_sync(self.offset, left) || self.progress.is_out_of_patience()
            {
                return;
            }
        }
    }
}
