//! Open-span slots: where a tracked span waits for its end, so that a crash does not forget that it was open.
//!
//! A thread owns blocks of [`BLOCK_SLOTS`] slots. It fills only slots of its own blocks; any thread may clear one.
//!
//! ```text
//!             begin, owner: trace, event, then start (release)
//!     free ─────────────────────────────────────────────────────► open
//!   start = 0                                                   start ≠ 0
//!      ▲                                                            │ end, any thread: which ring and sequence number
//!      │      start = 0 (release)                                   ▼ the record will get
//!      └──────────────────────── published ◄──────────────────── ending
//!                                          the ring's head passes it
//! ```
//!
//! A kill between the last two leaves a slot that says in which ring, under which number its record is. If that ring's head
//! has passed the number, the span ended and the slot is dropped: no search, no doubt.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Slots of a block. Loom's model needs to go round a block in few steps.
pub const BLOCK_SLOTS: usize = if cfg!(loom) { 2 } else { 64 };
/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 32;
/// Bytes of a block.
pub(crate) const BLOCK_BYTES: usize = BLOCK_SLOTS * SLOT_BYTES;

/// One slot.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 8 | start in ticks; 0 = free |
/// | 8 | 8 | trace id |
/// | 16 | 4 | event id |
/// | 20 | 2 | ending: index of the ring that gets the record, plus one; 0 = not ending |
/// | 22 | 2 | ending: low bits of the record's sequence number |
/// | 24 | 8 | reserved, 0 |
#[repr(C, align(32))]
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) start: AtomicU64,
    pub(crate) trace: AtomicU64,
    pub(crate) event: AtomicU64,
    reserved: AtomicU64,
}

/// Nobody's block.
pub(crate) const BLOCK_FREE: u32 = 0;
/// A thread fills it.
pub(crate) const BLOCK_OWNED: u32 = 1;
/// Its thread is gone; it is reused when all its slots are clear.
pub(crate) const BLOCK_ORPHAN: u32 = 2;

/// One block of slots, as it lies in the arena.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct SlotBlock {
    pub(crate) slots: [Slot; BLOCK_SLOTS],
}

const _: () = assert!(cfg!(loom) || size_of::<SlotBlock>() == BLOCK_BYTES);

/// What the arena knows of a block.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 4 | state: 0 = free, 1 = a thread fills it, 2 = its thread is gone, spans are still open |
/// | 4 | 4 | number of the thread that fills or filled it |
/// | 8 | 4 | next block of the same thread, plus one; 0 = none |
/// | 12 | 4 | reserved, 0 |
#[repr(C)]
#[derive(Debug)]
pub(crate) struct BlockInfo {
    pub(crate) state: AtomicU32,
    pub(crate) thread: AtomicU32,
    pub(crate) next: AtomicU32,
    reserved: AtomicU32,
}

/// Bytes of a block's entry.
pub(crate) const BLOCK_INFO_BYTES: usize = 16;

impl SlotBlock {
    /// A block without a free slot: what a producer that has none looks at.
    #[cfg(not(loom))]
    pub(crate) const fn taken() -> &'static Self {
        static TAKEN: SlotBlock = SlotBlock {
            slots: [const { Slot::new(1) }; BLOCK_SLOTS],
        };
        &TAKEN
    }

    #[cfg(loom)]
    pub(crate) fn taken() -> &'static Self {
        Box::leak(Box::new(SlotBlock {
            slots: core::array::from_fn(|_| Slot::new(1)),
        }))
    }
}

#[cfg(loom)]
impl BlockInfo {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
            thread: AtomicU32::new(0),
            next: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
        }
    }
}

impl Slot {
    const_unless_loom! {
        pub(crate) fn new(start: u64) -> Self {
            Self {
                start: AtomicU64::new(start),
                trace: AtomicU64::new(0),
                event: AtomicU64::new(0),
                reserved: AtomicU64::new(0),
            }
        }
    }

    /// Whether the owner may fill it. Acquire: what the clearing thread stored comes before what the owner stores now.
    #[inline(always)]
    pub(crate) fn is_free(&self) -> bool {
        self.start.load(Ordering::Acquire) == 0
    }

    #[inline(always)]
    pub(crate) fn open(&self, start: u64, trace: u64, event: u32) {
        self.trace.store(trace, Ordering::Relaxed);
        self.event.store(u64::from(event), Ordering::Relaxed);
        // 0 means free; a clock that starts there is one tick off once.
        self.start
            .store(if start == 0 { 1 } else { start }, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.start.store(0, Ordering::Release);
    }
}

/// The `ending` half of a slot's event word: ring index and sequence number, to be or-ed to the event id.
#[inline(always)]
pub(crate) const fn ending(ring_mark: u64, seq: u64) -> u64 {
    ring_mark | seq << 48
}

/// The constant part of [`ending`] for the ring with this index.
pub(crate) const fn ring_mark(ring_index: u32) -> u64 {
    ((ring_index as u64 + 1) & 0xffff) << 32
}

/// An open span's place, handed from `begin` to `end`. It may travel to another thread.
///
/// It stays valid for good: the address range of an arena is never given back while the process lives, so a span that
/// ends after the recorder stopped clears a word that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct SpanSlot(pub(crate) *const Slot);

// SAFETY: the slot's words are atomics, and the memory they lie in outlives every thread.
unsafe impl Send for SpanSlot {}
// SAFETY: as above; a shared SpanSlot gives no access by itself.
unsafe impl Sync for SpanSlot {}

impl SpanSlot {
    /// No slot: the span is not tracked.
    pub const NONE: Self = Self(core::ptr::null());

    /// Whether the span is not tracked.
    #[inline(always)]
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0.is_null()
    }
}
