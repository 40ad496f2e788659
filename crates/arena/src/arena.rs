//! The arena as the recording side sees it.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering as StdOrdering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::alloc::{Allocator, Got, bytes_of};
use crate::config::Mode;
use crate::error::{AttachError, EventTableError, Warning};
use crate::layout::{MAX_RINGS, Section};
use crate::loss::{self, Loss, LossCause};
use crate::names::{EventEntry, MAX_EVENT_NAME_BYTES, MAX_UNIT_BYTES};
use crate::producer::Producer;
use crate::record::RECORD_BYTES;
use crate::ring::{MODE_DROP_NEWEST, MODE_OVERWRITE, Opening, RingHead};
use crate::slot::BLOCK_OWNED;
use crate::space::Space;
use crate::sync::Ordering;
use crate::sys;

/// What all handles of an arena share. It is never freed: threads hold references to it that nobody can count.
pub(crate) struct Inner {
    pub(crate) space: Space,
    pub(crate) allocator: Mutex<Allocator>,
    /// Set before the memory is given back; nobody gets a ring any more.
    closed: AtomicBool,
    /// Each ring's head as it was found when the arena was closed. What its thread records later reaches nobody.
    pub(crate) closed_at: OnceLock<Box<[u64]>>,
    /// The process that made it. In another, the child of a fork, it is nobody's.
    pid: u32,
    /// Descriptor of the file, for the child of a fork to close; −1 = none.
    pub(crate) descriptor: AtomicI32,
    /// Another descriptor for it to close; −1 = none.
    socket: AtomicI32,
    pub(crate) mode: Mode,
    pub(crate) ring_bytes: u64,
    pub(crate) max_ring_bytes: u64,
    first_seq: u64,
}

/// A handle of an arena, to get rings from and to name events in. It stays valid for good; when the arena is closed, what
/// goes through it is refused.
#[derive(Clone, Copy)]
pub struct Arena(pub(crate) &'static Inner);

impl PartialEq for Arena {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Arena {}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena")
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn new(space: Space, allocator: Allocator, config: &crate::Config) -> Self {
        Self {
            space,
            allocator: Mutex::new(allocator),
            closed: AtomicBool::new(false),
            closed_at: OnceLock::new(),
            pid: std::process::id(),
            descriptor: AtomicI32::new(-1),
            socket: AtomicI32::new(-1),
            mode: config.mode,
            ring_bytes: match config.mode {
                Mode::DropNewest => config.ring_bytes,
                Mode::Overwrite => config.max_ring_bytes,
            },
            max_ring_bytes: config.max_ring_bytes,
            first_seq: config.first_seq,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Allocator> {
        self.allocator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses everything from now on.
    pub(crate) fn shut(&self) {
        self.closed.store(true, StdOrdering::SeqCst);
    }

    /// Puts zero pages in the place of the arena's, without a lock or an allocation.
    pub(crate) fn let_go(&self) {
        self.shut();
        // SAFETY: behind the range there are only atomics, and staging and spool, whose handles are gone or idle.
        // Producers that still store into it reach private zero pages, which make every one of their checks fail.
        // An error leaves the shared pages in place, which is no worse than before.
        let _ = unsafe { sys::replace_by_zeros(self.space.base(), self.space.bytes()) };
    }
}

impl Arena {
    /// Whether rings can be had from it in this process.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.0.closed.load(StdOrdering::Relaxed) && self.is_ours()
    }

    /// Whether this process made it, rather than the one that it was forked off from.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.pid == std::process::id()
    }

    /// Gives a thread a ring of its own. `name` is the thread's name; 64 bytes of it are kept.
    ///
    /// This takes a lock and makes system calls; it is for a thread's first record. A producer that was attached before
    /// is detached first.
    ///
    /// # Errors
    /// The arena is closed, or there is no ring or no memory left.
    pub fn attach(&self, producer: &Producer, name: &str) -> Result<(), AttachError> {
        if producer.is_busy() {
            return Err(AttachError::Busy);
        }
        producer.detach();
        producer
            .while_busy(|| self.open_ring(name))
            .and_then(|index| {
                let max_slots = (self.0.max_ring_bytes / RECORD_BYTES as u64) as u32;
                if producer.adopt(&self.0.space, index, max_slots) {
                    Ok(())
                } else {
                    Err(AttachError::Closed)
                }
            })
    }

    /// Takes a ring back from a thread, as [`Producer::detach`], and counts the record that the thread was in the midst
    /// of when the arena was closed. A thread that went on recording for longer has each slot of its earlier late
    /// records counted.
    pub fn detach(&self, producer: &Producer) {
        if !producer.is_in(&self.0.space) || self.0.pid != std::process::id() {
            producer.detach();
            return;
        }
        // Under the lock, so either before the arena is closed, which then finds all, or after it, when it is known what
        // it found.
        let allocator = self.0.lock();
        let closed_at = self.0.closed_at.get();
        let seen = closed_at.and_then(|heads| heads.get(producer.ring_index() as usize));
        let late = seen.map_or(0, |seen| producer.records_since(*seen));
        producer.detach();
        drop(allocator);
        loss::count_process_loss(LossCause::AfterShutdown, late);
    }

    fn open_ring(&self, name: &str) -> Result<u32, AttachError> {
        let inner = self.0;
        // Before the lock as well: in the child of a fork, another thread of the parent may have it for ever.
        if !self.is_open() {
            return Err(AttachError::Closed);
        }
        let mut allocator = inner.lock();
        if !self.is_open() {
            return Err(AttachError::Closed);
        }
        let no_ring = AttachError::NoRing { limit: MAX_RINGS };
        let Some(index) = allocator.ring(&inner.space) else {
            allocator.warn(Warning::NoRing {
                reason: no_ring.to_string(),
            });
            return Err(no_ring);
        };
        let wanted = match inner.mode {
            Mode::DropNewest => allocator.fair_bytes(&inner.space, inner.ring_bytes),
            Mode::Overwrite => inner.ring_bytes,
        };
        let got = match allocator.segment_or_anonymous(&inner.space, wanted) {
            Ok(got) => got,
            Err(error) => {
                allocator.free_ring(index);
                let error = AttachError::NoMemory(error);
                allocator.warn(Warning::NoRing {
                    reason: error.to_string(),
                });
                return Err(error);
            }
        };
        let got_bytes = bytes_of(&inner.space, got.index);
        if got_bytes < inner.ring_bytes {
            allocator.warn(Warning::SmallerSegment {
                wanted_bytes: inner.ring_bytes,
                got_bytes,
            });
        }
        let block = allocator.block(&inner.space);
        let ring = inner.space.ring(index).ok_or(AttachError::Closed)?;
        self.prepare(ring, &got, block, name);
        allocator.opened.push(index);
        drop(allocator);
        if got.is_new
            && let Some(data) = inner.space.data(got.index)
        {
            sys::populate(data.cast(), got_bytes as usize);
        }
        Ok(index)
    }

    fn prepare(&self, ring: &RingHead, got: &Got, block: Option<u32>, name: &str) {
        let inner = self.0;
        let space = &inner.space;
        let id = space.header().next_ring_id.fetch_add(1, Ordering::Relaxed);
        let first = inner.first_seq;
        if let Some(info) = space.segment(got.index) {
            info.base_seq.store(first, Ordering::Relaxed);
            info.next.store(0, Ordering::Relaxed);
            info.ring.store(id, Ordering::Relaxed);
        }
        if let Some(info) = block.and_then(|index| space.block_info(index)) {
            info.thread.store(id, Ordering::Relaxed);
            info.next.store(0, Ordering::Relaxed);
            info.state.store(BLOCK_OWNED, Ordering::Relaxed);
        }
        ring.open(&Opening {
            id,
            thread: id,
            os_thread: sys::thread_id(),
            segment: got.index,
            block,
            first_seq: first,
            mode: match inner.mode {
                Mode::DropNewest => MODE_DROP_NEWEST,
                Mode::Overwrite => MODE_OVERWRITE,
            },
            name,
        });
    }

    /// Enters an event into the name table, so that a salvager knows what its records mean. Entries are not looked for:
    /// the caller enters each event once.
    ///
    /// # Errors
    /// The name is too long or the table full; the event's records are kept all the same.
    pub fn add_event(
        &self,
        id: u32,
        kind: u8,
        name: &str,
        unit: &str,
    ) -> Result<(), EventTableError> {
        let check = |got, max| {
            if got <= max {
                Ok(())
            } else {
                Err(EventTableError::TooLong { got, max })
            }
        };
        check(name.len(), MAX_EVENT_NAME_BYTES)?;
        check(unit.len(), MAX_UNIT_BYTES)?;
        let entry = EventEntry::encode(id, kind, name, unit);
        // Before the lock as well, as in `open_ring`.
        if !self.is_open() {
            return Err(EventTableError::Closed);
        }
        let allocator = self.0.lock();
        if !self.is_open() {
            return Err(EventTableError::Closed);
        }
        let space = &self.0.space;
        let used = space.header().names_used.load(Ordering::Relaxed);
        let end = used + entry.len() as u64;
        allocator
            .commit(space, Section::Names, end)
            .map_err(|_| EventTableError::Full)?;
        let offset = space.header().section(Section::Names).offset() + used;
        // SAFETY: the range is within the names section and allocated; the lock keeps other writers out, and readers
        // look only at what was published before.
        unsafe {
            let to = space.base().byte_add(offset as usize).as_ptr();
            std::ptr::copy_nonoverlapping(entry.as_ptr(), to, entry.len());
        }
        space.header().names_used.store(end, Ordering::Release);
        Ok(())
    }

    /// Counts records that a thread without a ring lost, last at `ticks`.
    pub fn count_loss(&self, cause: LossCause, count: u64, ticks: u64) {
        let cell = &self.0.space.header().loss[usize::from(cause.code())];
        if self.0.closed.load(StdOrdering::Relaxed) || !cell.add(count, ticks) {
            // Whatever it was lost for: nobody writes this arena's losses down any more.
            loss::count_process_loss(LossCause::AfterShutdown, count);
        }
    }

    /// What threads without a ring have lost, by cause; only causes that have cost something.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        loss::read_all(&self.0.space.header().loss)
    }

    /// Has [`forget`](Self::forget) close this descriptor as well: a socket that only the parent shall answer. `None`, to be said
    /// before the descriptor is closed here, takes it back.
    pub fn close_in_child(&self, descriptor: Option<BorrowedFd<'_>>) {
        let number = descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd());
        self.0.socket.store(number, StdOrdering::Relaxed);
    }

    /// In the child of a fork: lets go of the arena, so that no store of this process reaches it. The parent's arena, file
    /// and lock are untouched. It takes no lock and allocates nothing, so it can be called from a `pthread_atfork`
    /// handler. Producers that the child inherited can no longer be used to record; [`Producer::forget`] detaches them.
    pub fn forget(&self) {
        self.0.let_go();
        // An open descriptor would keep the parent's memory alive after the parent has removed the file, and its lock after
        // the parent is dead. While the parent lives, its own descriptor holds the lock: a close here does not drop it.
        sys::close(self.0.descriptor.swap(-1, StdOrdering::Relaxed));
        sys::close(self.0.socket.swap(-1, StdOrdering::Relaxed));
    }
}
