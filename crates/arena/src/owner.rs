//! The arena as the draining side sees it: one owner, who drains, keeps spares ready, and closes.

use std::io;
use std::path::PathBuf;

use crate::alloc::{Memory, bytes_of};
use crate::arena::Arena;
use crate::backing::Backing;
use crate::consumer::Consumer;
use crate::error::{CreateError, Warning};
use crate::layout::{PAGE_BYTES, Section};
use crate::loss::{LOSS_CAUSES, Loss, LossCause};
use crate::names::EventEntry;
use crate::open::{self, OpenSpan};
use crate::ring::RING_FREE;
use crate::slot::BLOCK_ORPHAN;
use crate::spool::{SpoolReader, SpoolWriter};
use crate::staging::{StagedBlock, Staging};
use crate::sync::Ordering;

/// Orphaned blocks that one round of maintenance looks through.
const ORPHANS_A_ROUND: usize = 64;

/// The draining half of an arena. There is one; it may move to another thread.
///
/// Dropped without [`close`](Self::close) it leaves the file behind, as a crash would, for the next recorder to salvage.
pub struct Owner {
    pub(crate) arena: Arena,
    pub(crate) rings: Vec<Ring>,
    pub(crate) staging: Staging,
    spool: SpoolWriter,
    spool_reader: Option<SpoolReader>,
    orphans: Vec<u32>,
    /// Which ring is drained first: after a full staging area, the one that did not get its turn.
    first: usize,
    /// Losses of rings that are gone, by cause code.
    gone: [u64; LOSS_CAUSES],
    new_threads: Vec<ThreadEntry>,
    names_read: u64,
    pub(crate) stock_pause: u32,
    path: Option<PathBuf>,
}

/// A ring that is being drained.
pub(crate) struct Ring {
    pub(crate) consumer: Consumer,
    pub(crate) thread: u32,
    /// It was seen more than a quarter full and may want a bigger segment soon.
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

/// What one round of draining did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drained {
    /// Slots that were moved into the staging area.
    pub slots: usize,
    /// The staging area, or the limit, was reached before the rings were empty.
    pub is_full: bool,
    /// The fullest ring before the round, in thousandths of its segment.
    pub high_water_permille: u32,
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

    /// Moves what the rings have ready into the staging area, until that holds `max_slots` slots or is full. The rings'
    /// room is given back only after the copy is published, so a crash at any point loses nothing.
    ///
    /// Rings whose threads are gone are freed once they are empty; what they lost is in the stream by then.
    pub fn drain(&mut self, max_slots: usize) -> Drained {
        self.meet_new_rings();
        let mut drained = Drained::default();
        let count = self.rings.len();
        let start = if count == 0 { 0 } else { self.first % count };
        self.first = start;
        for step in 0..count {
            let index = (start + step) % count;
            if self.staging.used_slots() >= max_slots {
                drained.is_full |= self.rings[index].consumer.available() > 0;
                if drained.is_full {
                    self.first = index;
                    break;
                }
                continue;
            }
            self.drain_ring(index, max_slots, &mut drained);
        }
        self.staging.publish();
        self.commit();
        drained
    }

    fn drain_ring(&mut self, index: usize, max_slots: usize, drained: &mut Drained) {
        let ring = &mut self.rings[index];
        let ready = ring.consumer.available();
        let permille = ready.saturating_mul(1000) / ring.consumer.segment_slots().max(1);
        drained.high_water_permille = drained
            .high_water_permille
            .max(u32::try_from(permille).unwrap_or(u32::MAX));
        ring.is_pressed |= permille >= 250;
        if ready == 0 {
            return;
        }
        drained.slots += self
            .staging
            .take(&mut ring.consumer, ring.thread, max_slots);
        if ring.consumer.available() > 0 {
            drained.is_full = true;
        }
    }

    /// Gives the rings back what was published from the staging area.
    fn commit(&mut self) {
        let arena = self.arena;
        let mut finished = Vec::new();
        for ring in &mut self.rings {
            ring.consumer.commit(|segment| finished.push(segment));
        }
        if !finished.is_empty() {
            let mut allocator = arena.0.lock();
            for segment in finished {
                allocator.free_segment(&arena.0.space, segment);
            }
        }
    }

    /// Lays out spare segments and blocks, frees the rings of threads that are gone, reuses blocks whose last span has
    /// ended. To be called after each [`drain`](Self::drain).
    pub fn maintain(&mut self) {
        self.free_closed_rings();
        self.adopt_orphans();
        self.stock();
    }

    fn meet_new_rings(&mut self) {
        let inner = self.arena.0;
        let opened = std::mem::take(&mut inner.lock().opened);
        for index in opened {
            let Some(head) = inner.space.ring(index) else {
                continue;
            };
            let Some(consumer) = Consumer::new(&inner.space, index) else {
                continue;
            };
            let thread = head.thread.load(Ordering::Relaxed);
            self.new_threads.push(ThreadEntry {
                ring: consumer.ring_id(),
                thread,
                os_thread: head.os_thread.load(Ordering::Relaxed),
                name: head.name(),
            });
            self.rings.push(Ring {
                consumer,
                thread,
                is_pressed: false,
            });
        }
    }

    fn free_closed_rings(&mut self) {
        let mut index = 0;
        while index < self.rings.len() {
            let consumer = &mut self.rings[index].consumer;
            // Closing first: after it nothing is published any more, so an empty ring stays empty.
            let done = consumer.is_closing()
                && consumer.available() == 0
                && !consumer.publish_pending_losses();
            if done {
                let ring = self.rings.swap_remove(index);
                self.free_ring(&ring.consumer);
            } else {
                index += 1;
            }
        }
    }

    fn free_ring(&mut self, consumer: &Consumer) {
        let inner = self.arena.0;
        let mut allocator = inner.lock();
        let Some(head) = inner.space.ring(consumer.ring_index()) else {
            return;
        };
        for loss in consumer.losses() {
            self.gone[usize::from(loss.cause.code())] += loss.total;
        }
        let mut mark = head.block.swap(0, Ordering::Relaxed);
        while let Some(block) = mark.checked_sub(1) {
            let Some(info) = inner.space.block_info(block) else {
                break;
            };
            mark = info.next.swap(0, Ordering::Relaxed);
            if open::is_clear(&inner.space, block) {
                allocator.free_block(&inner.space, block);
            } else {
                info.state.store(BLOCK_ORPHAN, Ordering::Relaxed);
                self.orphans.push(block);
            }
        }
        let segment = head.segment.swap(0, Ordering::Relaxed);
        head.state.store(RING_FREE, Ordering::Relaxed);
        if let Some(segment) = segment.checked_sub(1) {
            allocator.free_segment(&inner.space, segment);
        }
        allocator.free_ring(consumer.ring_index());
    }

    fn adopt_orphans(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        let inner = self.arena.0;
        for _ in 0..self.orphans.len().min(ORPHANS_A_ROUND) {
            let block = self.orphans.remove(0);
            if open::is_clear(&inner.space, block) {
                inner.lock().free_block(&inner.space, block);
            } else {
                self.orphans.push(block);
            }
        }
    }

    /// The staged records, in blocks of consecutive slots, in the order in which they were drained.
    pub fn staged(&self) -> impl Iterator<Item = StagedBlock<'_>> {
        self.staging.blocks()
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
        let offset = space.header().section(Section::Names).offset();
        debug_assert!(offset >= PAGE_BYTES && end >= self.names_read);
        // SAFETY: published entries are allocated and never change.
        let mut rest: &[u8] = unsafe {
            let from = space.base().byte_add((offset + self.names_read) as usize);
            std::slice::from_raw_parts(from.as_ptr(), (end - self.names_read) as usize)
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

    /// The rings at this moment.
    #[must_use]
    pub fn rings(&self) -> Vec<RingStatus> {
        let status = |ring: &Ring| {
            let consumer = &ring.consumer;
            RingStatus {
                ring: consumer.ring_id(),
                thread: ring.thread,
                used_slots: consumer.available(),
                segment_slots: consumer.segment_slots(),
                write_index: consumer.write_index(),
                losses: consumer.losses(),
            }
        };
        self.rings.iter().map(status).collect()
    }

    /// All that was lost for `cause` so far, in rings and without one.
    #[must_use]
    pub fn lost(&self, cause: LossCause) -> u64 {
        let rings = self.rings.iter().flat_map(|ring| ring.consumer.losses());
        let total: u64 = rings
            .chain(self.arena.losses())
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
    /// # Errors
    /// The file could not be removed. The arena is closed all the same.
    pub fn close(mut self) -> io::Result<()> {
        self.shut(true)
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

    fn shut(&mut self, remove: bool) -> io::Result<()> {
        let inner = self.arena.0;
        let mut allocator = inner.lock();
        inner.let_go();
        match allocator.close() {
            Backing::File(file) if remove => file.remove(),
            _ => Ok(()),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // After `close` there is nothing left to shut. Without it the file stays, and losing its lock says that it is dead.
        let _ = self.shut(false);
    }
}
