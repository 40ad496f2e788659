//! The arena as the draining side sees it: one owner, who drains, keeps spares ready, and closes.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering as StdOrdering;

use crate::alloc::{Memory, bytes_of};
use crate::arena::{Arena, Inner};
use crate::backing::Backing;
use crate::consumer::Consumer;
use crate::error::{CreateError, Warning};
use crate::layout::Section;
use crate::loss::{self, LOSS_CAUSES, Loss, LossCause};
use crate::names::EventEntry;
use crate::open::{self, OpenSpan};
use crate::ring::{RING_FREE, RingHead};
use crate::spool::{SpoolReader, SpoolWriter};
use crate::staging::{StagedBlock, Staging};
use crate::stock::Preparing;
use crate::sync::Ordering;

/// The draining half of an arena. There is one; it may move to another thread.
///
/// Dropped without [`close`](Self::close) it leaves the file behind, as a crash would, for the next recorder to salvage.
///
/// In the child of a fork it can only be closed or dropped, which leaves the parent's arena alone: anything else may wait
/// for a lock that a thread of the parent had.
pub struct Owner {
    pub(crate) arena: Arena,
    pub(crate) rings: Vec<Ring>,
    pub(crate) staging: Staging,
    spool: SpoolWriter,
    spool_reader: Option<SpoolReader>,
    pub(crate) orphans: Vec<u32>,
    /// Which ring is drained first: after a full staging area, the one that did not get its turn.
    pub(crate) first: usize,
    /// Losses of rings that are gone, by cause code.
    pub(crate) gone: [u64; LOSS_CAUSES],
    pub(crate) new_threads: Vec<ThreadEntry>,
    names_read: u64,
    /// Rounds in which only spares of less than `stock_below` bytes are laid out.
    pub(crate) stock_pause: u32,
    pub(crate) stock_below: u64,
    pub(crate) preparing: Option<Preparing>,
    path: Option<PathBuf>,
}

/// A ring that is being drained.
pub(crate) struct Ring {
    pub(crate) consumer: Consumer,
    pub(crate) thread: u32,
    /// It was more than a quarter full when last drained, and may want a bigger segment soon.
    pub(crate) is_pressed: bool,
}

/// A thread that got a ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadEntry {
    /// Id of its ring.
    pub ring: u32,
    /// Its number in the capture.
    pub thread: u32,
    /// The kernel's id.
    pub os_thread: u32,
    /// Its name, cut to 64 bytes.
    pub name: String,
}

/// A ring at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingStatus {
    /// The ring's id.
    pub ring: u32,
    /// The thread's number in the capture.
    pub thread: u32,
    /// Published slots that were not yet drained.
    pub used_slots: u64,
    /// Slots of the segment that is drained.
    pub segment_slots: u64,
    /// Slots of that one and of those behind it: all that `used_slots` may lie in.
    pub capacity_slots: u64,
    /// Sequence number up to which it was drained.
    pub read_index: u64,
    /// Sequence number after the last published slot.
    pub write_index: u64,
    /// What it has lost, by cause.
    pub losses: Vec<Loss>,
}

impl Owner {
    pub(crate) fn new(
        arena: Arena,
        staging: Staging,
        spool: (SpoolWriter, SpoolReader),
        path: Option<PathBuf>,
    ) -> Self {
        Self {
            arena,
            rings: Vec::new(),
            staging,
            spool: spool.0,
            spool_reader: Some(spool.1),
            orphans: Vec::new(),
            first: 0,
            gone: [0; LOSS_CAUSES],
            new_threads: Vec::new(),
            names_read: 0,
            stock_pause: 0,
            stock_below: 0,
            preparing: None,
            path,
        }
    }

    /// The handle for the recording side.
    #[must_use]
    pub fn arena(&self) -> Arena {
        self.arena
    }

    /// Where the file is; `None` for an anonymous arena.
    #[must_use]
    pub fn path(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    /// The staged records, in blocks of consecutive slots, in the order in which they were drained.
    pub fn staged(&self) -> impl Iterator<Item = StagedBlock<'_>> {
        self.staging.blocks(0)
    }

    /// Those of them that came since the staging area had `from` slots in use: as [`staging_slots`](Self::staging_slots) said
    /// then, if it was not cleared in between.
    pub fn staged_since(&self, from: usize) -> impl Iterator<Item = StagedBlock<'_>> {
        self.staging.blocks(from)
    }

    /// Slots of the staging area in use, and all of them.
    #[must_use]
    pub fn staging_slots(&self) -> (usize, usize) {
        (self.staging.used_slots(), self.staging.slots())
    }

    /// Forgets the staged records: they are in the spool or the file now.
    pub fn clear_staged(&mut self) {
        self.staging.clear();
    }

    /// The drainer's end of the spool.
    pub fn spool(&mut self) -> &mut SpoolWriter {
        &mut self.spool
    }

    /// The file writer's end of the spool; `None` if it was taken before.
    pub fn take_spool_reader(&mut self) -> Option<SpoolReader> {
        self.spool_reader.take()
    }

    /// The threads that got a ring since the last call. Those whose records [`drain`](Self::drain) has staged are among them.
    pub fn take_new_threads(&mut self) -> Vec<ThreadEntry> {
        std::mem::take(&mut self.new_threads)
    }

    /// The events that were named since the last call.
    pub fn take_new_events(&mut self) -> Vec<EventEntry> {
        let space = &self.arena.0.space;
        let end = space.header().names_used.load(Ordering::Acquire);
        let section = space.header().section(Section::Names);
        let offset = section.offset();
        // In the child of a fork that let go of the arena, all of these are zero.
        let Some(bytes) = end
            .min(section.committed_bytes())
            .checked_sub(self.names_read)
        else {
            return Vec::new();
        };
        let end = self.names_read + bytes;
        // SAFETY: published entries are allocated and never change; no bytes in a section that is not there.
        let mut rest: &[u8] = unsafe {
            let from = space.base().byte_add((offset + self.names_read) as usize);
            std::slice::from_raw_parts(from.as_ptr(), bytes as usize)
        };
        self.names_read = end;
        let mut events = Vec::new();
        while let Some((entry, taken)) = EventEntry::decode(rest) {
            rest = &rest[taken..];
            events.push(entry);
        }
        events
    }

    /// The warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        self.arena.0.lock().take_warnings()
    }

    /// Spans that are open at this moment.
    #[must_use]
    pub fn open_spans(&self) -> Vec<OpenSpan> {
        let blocks = self.arena.0.lock().blocks();
        open::open_spans(&self.arena.0.space, blocks)
    }

    /// The rings at this moment, of those that a [`drain`](Self::drain) has met.
    #[must_use]
    pub fn rings(&self) -> Vec<RingStatus> {
        let status = |ring: &Ring| {
            let consumer = &ring.consumer;
            RingStatus {
                ring: consumer.ring_id(),
                thread: ring.thread,
                used_slots: consumer.available(),
                segment_slots: consumer.segment_slots(),
                // After those in use, so that it has room for them.
                capacity_slots: consumer.capacity_slots(),
                read_index: consumer.read_index(),
                write_index: consumer.write_index(),
                losses: consumer.losses(),
            }
        };
        self.rings.iter().map(status).collect()
    }

    /// All that was lost for `cause` so far, in rings and without one.
    #[must_use]
    pub fn lost(&self, cause: LossCause) -> u64 {
        let inner = self.arena.0;
        // Rings that no drain has met yet have lost something too.
        let opened = inner.lock().opened.clone();
        let heads = opened.iter().filter_map(|&index| inner.space.ring(index));
        let unmet = heads.flat_map(|head| loss::read_all(&head.loss));
        let met = self.rings.iter().flat_map(|ring| ring.consumer.losses());
        let all = met.chain(unmet).chain(self.arena.losses());
        let total: u64 = all
            .filter(|loss| loss.cause == cause)
            .map(|loss| loss.total)
            .sum();
        total + self.gone[usize::from(cause.code())]
    }

    /// Memory in use.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.arena.0.lock().memory(&self.arena.0.space)
    }

    /// Bytes of a segment, for the stock.
    pub(crate) fn segment_bytes(&self, index: u32) -> u64 {
        bytes_of(&self.arena.0.space, index)
    }

    /// Closes the arena and removes its file. Nothing in it is needed any more.
    ///
    /// What threads publish or lose from here on is counted for the process, as is what the rings still hold.
    ///
    /// # Errors
    /// The file could not be removed. The arena is closed all the same.
    pub fn close(self) -> io::Result<()> {
        self.close_telling(|_| u64::MAX)
    }

    /// As [`close`](Self::close), and counts for the process also what was lost beyond what the capture tells of: `told`
    /// says how much that is for each cause. No loss is counted twice or not at all, whenever threads have it.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn close_telling(mut self, told: impl Fn(LossCause) -> u64) -> io::Result<()> {
        self.shut(Some(&told))
    }

    /// Lets others find the file, now that all is in place.
    pub(crate) fn finish(&mut self) -> Result<(), CreateError> {
        let mut allocator = self.arena.0.lock();
        if let Backing::File(file) = &mut allocator.backing {
            file.finish().map_err(|source| CreateError::Io {
                action: "rename",
                path: file.path().to_owned(),
                source,
            })?;
            self.path = Some(file.path().to_owned());
        }
        Ok(())
    }

    /// Closes the arena; with `told`, of what is lost, also removes its file.
    fn shut(&mut self, told: Option<&dyn Fn(LossCause) -> u64>) -> io::Result<()> {
        if !self.arena.is_ours() {
            // Without the lock, which a thread of the parent may have for ever. The file is the parent's.
            self.arena.forget();
            return Ok(());
        }
        let inner = self.arena.0;
        if inner.closed_at.get().is_some() {
            // The second time: the memory is gone.
            return Ok(());
        }
        // Nobody gets a ring from here on, so those that are met now are all.
        inner.shut();
        self.meet_new_rings();
        let mut allocator = inner.lock();
        let rings = (0..allocator.rings()).filter_map(|index| inner.space.ring(index));
        let rings: Vec<&'static RingHead> = rings.collect();
        let heads = rings.iter().map(|ring| ring.head.load(Ordering::Acquire));
        let mut heads: Box<[u64]> = heads.collect();
        let in_use = |ring: &&&RingHead| ring.state.load(Ordering::Relaxed) != RING_FREE;
        let in_use: Vec<&RingHead> = rings.iter().filter(in_use).copied().collect();
        if let Some(told) = told {
            self.count_rest(&mut heads);
            let late = |(cause, count): (LossCause, u64)| count.saturating_sub(told(cause));
            let mut lost = seal(inner, &in_use);
            for (cause, count) in &mut lost {
                *count += self.gone[usize::from(cause.code())];
            }
            count_late(lost.into_iter().map(late).sum());
        }
        let _ = inner.closed_at.set(heads);
        inner.let_go();
        // Again, on the pages that took the place of the arena's: some threads may have met those already.
        count_late(seal(inner, &in_use).iter().map(|(_, count)| count).sum());
        // Before the file is closed: afterwards its number may be that of some other file of the program, which the child
        // of a later fork must not close.
        inner.descriptor.store(-1, StdOrdering::Relaxed);
        match allocator.close() {
            Backing::File(file) if told.is_some() => file.remove(),
            _ => Ok(()),
        }
    }

    /// Counts what the rings still hold: it was recorded too late to be drained. `heads` gets how far each was looked at.
    fn count_rest(&mut self, heads: &mut [u64]) {
        for ring in &mut self.rings {
            let (records, end) = ring.consumer.count_rest();
            count_late(records);
            if let Some(head) = heads.get_mut(ring.consumer.ring_index() as usize) {
                *head = end;
            }
        }
    }
}

fn count_late(count: u64) {
    loss::count_process_loss(LossCause::AfterShutdown, count);
}

/// What these rings, and threads without one, have lost until now, by cause; what they lose from here on they are told to
/// count themselves.
fn seal(inner: &Inner, rings: &[&RingHead]) -> Vec<(LossCause, u64)> {
    let causes = LossCause::ALL.into_iter().filter(|cause| cause.is_loss());
    let sum = |cause: LossCause| {
        let code = usize::from(cause.code());
        let of_rings: u64 = rings.iter().map(|ring| ring.loss[code].seal()).sum();
        of_rings + inner.space.header().loss[code].seal()
    };
    causes.map(|cause| (cause, sum(cause))).collect()
}

impl Drop for Owner {
    fn drop(&mut self) {
        // After `close` there is nothing left to shut. Without it the file stays, and losing its lock says that it is dead.
        let _ = self.shut(None);
    }
}
