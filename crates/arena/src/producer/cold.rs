//! What a producer seldom does: take a ring and leave it, make room, grow, count and report losses.

use super::Producer;
use crate::error::Rejected;
use crate::loss::{self, IN_BAND, LossCause};
use crate::record::{tag, word3};
use crate::ring::{MODE_OVERWRITE, RING_CLOSING, RingHead};
use crate::slot::{SlotBlock, ring_mark};
use crate::space::Space;
use crate::spare::GROWTH;
use crate::sync::{Ordering, fence, signal_fence};

/// A ring of which at most one slot in so many is in use is larger than it need be.
const ROOMY: u64 = 4 * GROWTH;
/// Records that a full ring loses before it is looked at again, unless the drainer has been there.
const LOST_BETWEEN_LOOKS: u32 = 63;

impl Producer {
    /// Whether a record is in the making: the caller is a signal handler that interrupted it.
    pub fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Runs `work` with the producer marked busy: a signal handler that records meanwhile is nested.
    pub(crate) fn while_busy<T>(&self, work: impl FnOnce() -> T) -> T {
        self.busy.set(true);
        let result = work();
        self.busy.set(false);
        result
    }

    /// Takes over the ring with this index, which the arena has made ready for this thread. False when it has no data.
    pub(crate) fn adopt(&self, space: &'static Space, index: u32, max_slots: u32) -> bool {
        self.while_busy(|| self.take_over(space, index, max_slots).is_some())
    }

    fn take_over(&self, space: &'static Space, index: u32, max_slots: u32) -> Option<()> {
        let ring = space.ring(index)?;
        let segment = ring.segment.load(Ordering::Relaxed).checked_sub(1)?;
        // 0 when the arena was closed since the ring was opened: its pages are zero then, and a mask out of that would reach
        // anywhere.
        let slots = space.segment(segment)?.slots.load(Ordering::Relaxed);
        let mask = u64::from(slots).checked_sub(1)?;
        self.data.set(space.data(segment)?.as_ptr());
        let head = ring.start_seq.load(Ordering::Relaxed);
        self.cursor.set(0);
        self.head.set(head);
        self.limit.set(head);
        self.mask.set(mask);
        self.published.set(&raw const ring.head);
        self.block.set(SlotBlock::taken());
        self.blocks.set(0);
        self.block_index.set(0);
        self.untracked_left.set(0);
        self.full_left.set(0);
        self.extras.set(0);
        self.extras_end.set(head);
        if let Some(first) = ring.block.load(Ordering::Relaxed).checked_sub(1)
            && let Some(block) = space.block(first)
        {
            self.block.set(block);
            self.blocks.set(1);
        }
        self.ring_mark.set(ring_mark(index));
        self.ring.set(index);
        self.segment.set(segment);
        self.max_slots.set(max_slots);
        self.space.set(Some(space));
        Some(())
    }

    /// Leaves the ring to the drainer, which empties and reuses it. Open spans keep their slots; their ends go into the
    /// rings of the threads that end them. Does nothing when detached.
    pub fn detach(&self) {
        let Some(space) = self.space.take() else {
            return;
        };
        // First: once the ring is closing it may be somebody else's at any moment, and a signal handler must not find it.
        self.forget();
        signal_fence();
        if let Some(ring) = space.ring(self.ring.get()) {
            ring.state.store(RING_CLOSING, Ordering::Release);
        }
    }

    /// Whether its ring is one of this arena's.
    pub(crate) fn is_in(&self, space: &Space) -> bool {
        self.space
            .get()
            .is_some_and(|own| core::ptr::eq(own, space))
    }

    pub(crate) fn ring_index(&self) -> u32 {
        self.ring.get()
    }

    /// Records among the slots from `seq` on, if they are of one record and of what was written to make room for it. Of
    /// several records, the slots of all but the last are counted.
    pub(crate) fn records_since(&self, seq: u64) -> u64 {
        let slots = self.head.get().wrapping_sub(seq);
        let since = self.extras_end.get().wrapping_sub(seq).cast_signed();
        slots - self.extras.get().min(since.max(0).cast_unsigned())
    }

    /// Notes that `slots` slots from `from` on are not records of their own.
    pub(super) fn note_extras(&self, from: u64, slots: u64) {
        let before = if self.extras_end.get() == from {
            self.extras.get()
        } else {
            0
        };
        self.extras.set(before.wrapping_add(slots));
        self.extras_end.set(from.wrapping_add(slots));
    }

    /// Becomes detached without touching the arena: for the child of a fork.
    pub fn forget(&self) {
        self.space.set(None);
        self.block.set(SlotBlock::taken());
        self.limit.set(self.head.get());
        self.busy.set(false);
    }

    /// Counts a record that this thread lost for a reason of the caller's. False when detached, or when the arena is being
    /// closed: nothing was counted.
    pub fn count_loss(&self, cause: LossCause, count: u64, ticks: u64) -> bool {
        let Some(ring) = self.ring_head() else {
            return false;
        };
        if !ring.loss[usize::from(cause.code())].add(count, ticks) {
            return false;
        }
        if cause.is_loss() {
            // The next push takes the slow path, which writes the loss into the stream first.
            self.limit.set(self.head.get());
        }
        true
    }

    #[cold]
    #[inline(never)]
    pub(super) fn nested(&self, ticks: u64) -> Rejected {
        if !self.count_loss(LossCause::NestedSignal, 1, ticks) {
            crate::loss::count_process_loss(LossCause::NestedSignal, 1);
        }
        Rejected::Nested
    }

    fn ring_head(&self) -> Option<&'static RingHead> {
        self.space.get()?.ring(self.ring.get())
    }

    /// Makes room for `need` slots, writes the losses that nobody was told of yet, and returns the number of the first
    /// granted slot. The producer is busy on entry, and on success still is.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&self, need: u64, ticks: u64) -> Result<u64, Rejected> {
        let granted = self.try_make_room(need, ticks);
        if granted.is_err() {
            self.busy.set(false);
        }
        granted
    }

    fn try_make_room(&self, need: u64, ticks: u64) -> Result<u64, Rejected> {
        let Some(ring) = self.ring_head() else {
            if self.is_attached() {
                // The arena was closed and its counters with it.
                loss::count_process_loss(LossCause::AfterShutdown, 1);
            }
            return Err(Rejected::Detached);
        };
        if self.is_still_full(ring, need) {
            self.lose(LossCause::RingFull, ticks);
            return Err(Rejected::Full);
        }
        let untold = IN_BAND.map(|cause| ring.loss[usize::from(cause.code())].read(cause));
        let notices = untold.iter().filter(|loss| loss.pending() > 0).count() as u64;
        if let Err(cause) = self.extend_limit(ring, need + notices) {
            if cause == LossCause::RingFull {
                self.full_need.set(need);
                self.full_tail.set(ring.tail.load(Ordering::Relaxed));
                self.full_left.set(LOST_BETWEEN_LOOKS);
            }
            self.lose(cause, ticks);
            return Err(match cause {
                LossCause::TooLarge => Rejected::TooLarge,
                _ => Rejected::Full,
            });
        }
        for loss in untold.iter().filter(|loss| loss.pending() > 0) {
            self.write_loss(ring, loss);
        }
        Ok(self.head.get())
    }

    fn lose(&self, cause: LossCause, ticks: u64) {
        if !self.count_loss(cause, 1, ticks) {
            // The arena was closed in the midst of this.
            loss::count_process_loss(LossCause::AfterShutdown, 1);
        }
    }

    /// Whether a moment ago there was no room for as many slots, and the drainer has taken nothing out since. Then looking
    /// for room is put off for some records: a thread that loses many must not keep the drainer from its processor by it.
    fn is_still_full(&self, ring: &RingHead, need: u64) -> bool {
        let left = self.full_left.get();
        let is_full = left > 0
            && need >= self.full_need.get()
            && ring.tail.load(Ordering::Relaxed) == self.full_tail.get();
        self.full_left.set(if is_full { left - 1 } else { 0 });
        is_full
    }

    fn write_loss(&self, ring: &RingHead, loss: &loss::Loss) {
        let head = self.head.get();
        self.write(head, loss.record().0);
        self.note_extras(head, 1);
        self.advance(head.wrapping_add(1));
        ring.loss[usize::from(loss.cause.code())].report(loss.pending());
    }

    /// Moves the limit so that `need` slots fit before it.
    fn extend_limit(&self, ring: &RingHead, need: u64) -> Result<(), LossCause> {
        if ring.mode.load(Ordering::Relaxed) == MODE_OVERWRITE {
            return self.reserve_quarter(ring, need);
        }
        let room = self.room(ring);
        if room >= need {
            let slots = self.mask.get() + 1;
            let is_roomy = slots - room <= slots / ROOMY && need <= slots / ROOMY;
            if is_roomy && self.shrink() {
                self.room(ring);
            }
            return Ok(());
        }
        if self.grow() && self.room(ring) >= need {
            return Ok(());
        }
        if need > self.mask.get() + 1 {
            return Err(LossCause::TooLarge);
        }
        Err(LossCause::RingFull)
    }

    /// Slots that can be written before the drainer must have moved on; renews the cached limit.
    fn room(&self, ring: &RingHead) -> u64 {
        let Some(segment) = self
            .space
            .get()
            .and_then(|space| space.segment(self.segment.get()))
        else {
            return 0;
        };
        let base = segment.base_seq.load(Ordering::Relaxed);
        let tail = ring.tail.load(Ordering::Acquire);
        let slots = self.mask.get() + 1;
        let oldest = if tail.wrapping_sub(base).cast_signed() > 0 {
            tail
        } else {
            base
        };
        let used = self.head.get().wrapping_sub(oldest);
        // More than the segment holds: not our numbers any more (the arena was closed under us).
        let room = slots.saturating_sub(used);
        self.limit.set(self.head.get().wrapping_add(room));
        room
    }

    /// Goes on in a bigger spare segment, if the drainer has laid one out. The old one keeps what is not yet drained.
    fn grow(&self) -> bool {
        let slots = self.mask.get() + 1;
        if slots >= u64::from(self.max_slots.get()) {
            return false;
        }
        let usual = |size| size > slots && size <= slots * GROWTH;
        self.move_on(usual) || self.move_on(|size| size > slots)
    }

    /// Goes on in a smaller spare segment. A ring goes round all of its segment, however few records wait in it: a smaller
    /// one stays in the processor's caches.
    fn shrink(&self) -> bool {
        let slots = self.mask.get() + 1;
        self.move_on(|size| size < slots && size * GROWTH >= slots)
    }

    /// Goes on in a spare segment with as many slots as are wanted.
    fn move_on(&self, is_wanted: impl Fn(u64) -> bool) -> bool {
        let Some(space) = self.space.get() else {
            return false;
        };
        let spare = space.spares().segments.take(|index| {
            let segment = space.segment(index);
            segment.is_some_and(|it| is_wanted(it.slots.load(Ordering::Relaxed).into()))
        });
        let Some(index) = spare else { return false };
        let (Some(old), Some(new), Some(data), Some(ring)) = (
            space.segment(self.segment.get()),
            space.segment(index),
            space.data(index),
            self.ring_head(),
        ) else {
            return false;
        };
        // Looked at once: an arena that is closed meanwhile has zeros here, and a mask out of that would reach anywhere.
        let Some(mask) = u64::from(new.slots.load(Ordering::Relaxed)).checked_sub(1) else {
            return false;
        };
        new.base_seq.store(self.head.get(), Ordering::Relaxed);
        new.next.store(0, Ordering::Relaxed);
        new.ring
            .store(ring.id.load(Ordering::Relaxed), Ordering::Relaxed);
        // Release: whoever follows the link finds the base. A head that lies in the new segment is stored after it.
        old.next.store(index + 1, Ordering::Release);
        self.segment.set(index);
        self.mask.set(mask);
        self.data.set(data.as_ptr());
        true
    }

    /// Overwrite mode: tells readers that the next quarter of the ring is in the making, and takes it. A record never
    /// straddles two quarters, so that a reader who lost the thread finds the start of a record at each boundary.
    fn reserve_quarter(&self, ring: &RingHead, need: u64) -> Result<(), LossCause> {
        let quarter = (self.mask.get() + 1) / 4;
        if need > quarter {
            return Err(LossCause::TooLarge);
        }
        let boundary = |seq: u64| (seq & !(quarter - 1)).wrapping_add(quarter);
        loop {
            let head = self.head.get();
            let reserved = ring.reserved.load(Ordering::Relaxed);
            let left = reserved.wrapping_sub(head);
            if left >= need && left <= quarter {
                self.limit.set(reserved);
                return Ok(());
            }
            if left > 0 && left <= quarter {
                let pad = word3(0, tag::PAD, left as u32 - 1);
                self.write(head, [0, 0, 0, pad]);
                self.note_extras(head, left);
                self.advance(reserved);
            }
            ring.reserved
                .store(boundary(self.head.get()), Ordering::Relaxed);
            // The words that come must not be seen before the reservation: a reader copies, fences, and then looks at it.
            fence(Ordering::Release);
        }
    }
}
