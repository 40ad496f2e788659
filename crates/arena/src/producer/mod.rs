//! The recording half of a ring: what a thread keeps in its thread-local storage.
//!
//! The usual push is one look at a flag, one comparison with the cached limit, four relaxed stores and one release store of
//! the head. Everything else is out of line: [`cold`] makes room, [`spans`] finds slots, [`annotation`] writes payloads.

mod annotation;
mod cold;
mod plain;
mod spans;

use core::cell::Cell;

pub use annotation::{AnnotationValue, MAX_ANNOTATION_BYTES};

use crate::error::Rejected;
use crate::ring::Words;
use crate::slot::{Slot, SlotBlock, SpanSlot, ending};
use crate::space::Space;
use crate::sync::{AtomicU64, Ordering, signal_fence};

/// A thread's end of its ring, made to live in a `const` thread-local: it has no destructor, and a detached one is a
/// constant.
///
/// All methods take `&self`, so a signal handler may call them while the thread itself is inside one: the nested call is
/// counted as lost and touches nothing else. Whoever attaches a producer calls [`detach`](Self::detach) when its thread
/// exits; otherwise the ring stays the thread's until the arena is closed.
///
/// The first 64 bytes are all that a push in steady state looks at.
#[repr(C, align(64))]
pub struct Producer {
    /// A recording is under way on this thread. One that finds it set runs in a signal handler.
    busy: Cell<bool>,
    /// Which slot of the block to try next.
    cursor: Cell<u32>,
    /// Sequence number of the next slot; equals the ring's published head between calls.
    head: Cell<u64>,
    /// The slow path is due when the head gets here: the ring looks full, or a loss waits to be written.
    limit: Cell<u64>,
    mask: Cell<u64>,
    data: Cell<*const Words>,
    published: Cell<*const AtomicU64>,
    block: Cell<*const SlotBlock>,

    ring_mark: Cell<u64>,
    space: Cell<Option<&'static Space>>,
    ring: Cell<u32>,
    segment: Cell<u32>,
    max_slots: Cell<u32>,
    /// Number of slot blocks that the thread has.
    blocks: Cell<u32>,
    /// Which of them is in use.
    block_index: Cell<u32>,
    /// So many begins are untracked without a look, after a look found no free slot.
    untracked_left: Cell<u32>,
    /// Records to lose before a full ring is looked at again, while its tail stays where it was.
    full_left: Cell<u32>,
    full_tail: Cell<u64>,
    full_need: Cell<u64>,
    /// The last run of slots that are not records of their own (losses, padding, payloads): its length and its end.
    extras: Cell<u64>,
    extras_end: Cell<u64>,
}

impl Producer {
    const_unless_loom! {
        /// A producer without a ring. Every push is [`Rejected::Detached`], every span untracked.
        #[must_use]
        pub fn detached() -> Self {
            Self {
                busy: Cell::new(false),
                cursor: Cell::new(0),
                head: Cell::new(0),
                limit: Cell::new(0),
                mask: Cell::new(0),
                data: Cell::new(core::ptr::null()),
                published: Cell::new(core::ptr::null()),
                block: Cell::new(SlotBlock::taken()),
                ring_mark: Cell::new(0),
                space: Cell::new(None),
                ring: Cell::new(0),
                segment: Cell::new(0),
                max_slots: Cell::new(0),
                blocks: Cell::new(0),
                block_index: Cell::new(0),
                untracked_left: Cell::new(0),
                full_left: Cell::new(0),
                full_tail: Cell::new(0),
                full_need: Cell::new(0),
                extras: Cell::new(0),
                extras_end: Cell::new(0),
            }
        }
    }

    /// Whether it has a ring.
    #[inline(always)]
    pub fn is_attached(&self) -> bool {
        self.space.get().is_some()
    }

    /// Publishes one record (not an annotation, see [`push_annotation`](Self::push_annotation)); `words` are those of a
    /// [`Record`](crate::Record).
    ///
    /// # Errors
    /// The record is lost and, unless the producer is [detached](Rejected::Detached), counted.
    #[inline(always)]
    pub fn push(&self, words: [u64; 4]) -> Result<(), Rejected> {
        let head = self.claim(words[0])?;
        self.write(head, words);
        self.publish(head, 1);
        Ok(())
    }

    /// Opens a slot for a span that starts now. [`SpanSlot::NONE`]: there is none, the span is not tracked. That is counted,
    /// unless the producer is detached.
    #[inline(always)]
    pub fn begin(&self, start_ticks: u64, trace: u64, event: u32) -> SpanSlot {
        let cursor = self.cursor.get() as usize;
        // SAFETY: `block` is a block of a mapping that is never given back, or the static that has no free slot.
        let block = unsafe { &*self.block.get() };
        let slot = &block.slots[cursor % block.slots.len()];
        if !slot.is_free() {
            return self.begin_cold(start_ticks, trace, event);
        }
        self.cursor.set(cursor.wrapping_add(1) as u32);
        // A handler that comes from here on takes another slot.
        signal_fence();
        slot.open(start_ticks, trace, event);
        SpanSlot(slot)
    }

    /// Publishes the record of a span and clears its slot, from whatever thread and whether the record finds room or not.
    ///
    /// # Errors
    /// As [`push`](Self::push). When [detached](Rejected::Detached) the slot is left open, so that the caller can attach
    /// and try again; [`abandon`](Self::abandon) clears it.
    #[inline(always)]
    pub fn end(&self, span: SpanSlot, words: [u64; 4]) -> Result<(), Rejected> {
        if span.is_none() {
            return self.push(words);
        }
        // SAFETY: a SpanSlot that is not NONE is a slot of a mapping that is never given back.
        let slot = unsafe { &*span.0 };
        let head = match self.claim(words[0]) {
            Ok(head) => head,
            Err(Rejected::Detached) => return Err(Rejected::Detached),
            Err(lost) => {
                slot.clear();
                return Err(lost);
            }
        };
        self.publish_end(head, slot, words);
        Ok(())
    }

    /// Clears a span's slot without a record.
    pub fn abandon(span: SpanSlot) {
        if !span.is_none() {
            // SAFETY: a SpanSlot that is not NONE is a slot of a mapping that is never given back.
            unsafe { &*span.0 }.clear();
        }
    }

    /// The sequence number of the next slot, and marks the producer busy until [`publish`](Self::publish).
    #[inline(always)]
    fn claim(&self, ticks: u64) -> Result<u64, Rejected> {
        if self.busy.get() {
            return Err(self.nested(ticks));
        }
        self.busy.set(true);
        // What follows must be read after the flag is set: a handler that came before has changed it.
        signal_fence();
        let head = self.head.get();
        if self.limit.get().wrapping_sub(head).cast_signed() <= 0 {
            return self.make_room(1, ticks);
        }
        Ok(head)
    }

    /// Stores the words of the slot with this number, which `claim` or `make_room` granted.
    #[inline(always)]
    fn write(&self, seq: u64, words: [u64; 4]) {
        let index = (seq & self.mask.get()) as usize;
        // SAFETY: a granted number means that the producer is attached; the mask keeps the index within the segment.
        let slot = unsafe { &*self.data.get().add(index) };
        for (to, word) in slot.iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
    }

    /// Publishes the record of a span in the claimed place, and clears its slot.
    #[inline(always)]
    fn publish_end(&self, head: u64, slot: &Slot, words: [u64; 4]) {
        self.write(head, words);
        // The head's release store below comes after this one: whoever finds the record published and the slot still open
        // also finds where the record is.
        let event = words[3] & 0xffff_ffff;
        slot.event.store(
            event | ending(self.ring_mark.get(), head),
            Ordering::Relaxed,
        );
        self.publish(head, 1);
        slot.clear();
    }

    /// Publishes `slots` slots from `head` on and ends what `claim` began.
    #[inline(always)]
    fn publish(&self, head: u64, slots: u64) {
        self.advance(head.wrapping_add(slots));
        signal_fence();
        self.busy.set(false);
    }

    #[inline(always)]
    fn advance(&self, head: u64) {
        self.head.set(head);
        // SAFETY: only an attached producer gets here; the ring's header lies in a mapping that is never given back.
        unsafe { &*self.published.get() }.store(head, Ordering::Release);
    }
}
