//! Finding a slot for a span when the next one is taken.

use super::Producer;
use crate::loss::LossCause;
use crate::slot::{BLOCK_OWNED, BLOCK_SLOTS, SlotBlock, SpanSlot};
use crate::space::Space;
use crate::sync::Ordering;

/// Blocks that one thread may own: 4096 spans that it began and nobody ended.
pub(crate) const MAX_BLOCKS_PER_THREAD: u32 = 64;

/// Begins that look at one slot only after all were found taken. Looking at all costs up to 4096 loads, so this keeps it
/// at about two a begin.
const UNTRACKED_RUN: u32 = 2048;

impl Producer {
    #[cold]
    #[inline(never)]
    pub(super) fn begin_cold(&self, start_ticks: u64, trace: u64, event: u32) -> SpanSlot {
        let Some(space) = self.space.get() else {
            return SpanSlot::NONE;
        };
        if self.busy.get() {
            return self.untracked(start_ticks);
        }
        self.busy.set(true);
        let slot = self.find_slot(space, start_ticks, trace, event);
        self.busy.set(false);
        slot.unwrap_or_else(|| self.untracked(start_ticks))
    }

    fn untracked(&self, start_ticks: u64) -> SpanSlot {
        self.count_loss(LossCause::Untracked, 1, start_ticks);
        SpanSlot::NONE
    }

    /// Tries the rest of the current block, then the thread's other blocks, then a spare one.
    fn find_slot(&self, space: &Space, start: u64, trace: u64, event: u32) -> Option<SpanSlot> {
        if self.untracked_left.get() > 0 {
            self.untracked_left.set(self.untracked_left.get() - 1);
            self.cursor.set(self.cursor.get().wrapping_add(1));
            return None;
        }
        if let Some(slot) = self.fill_current(start, trace, event) {
            return Some(slot);
        }
        let first = space.ring(self.ring.get())?.block.load(Ordering::Relaxed);
        let mut mark = first;
        for _ in 0..self.blocks.get() {
            let index = mark.checked_sub(1)?;
            self.block.set(space.block(index)?);
            if let Some(slot) = self.fill_current(start, trace, event) {
                return Some(slot);
            }
            mark = space.block_info(index)?.next.load(Ordering::Relaxed);
        }
        if self.blocks.get() < MAX_BLOCKS_PER_THREAD && self.take_spare_block(space).is_some() {
            return self.fill_current(start, trace, event);
        }
        self.untracked_left.set(UNTRACKED_RUN);
        None
    }

    /// Fills a free slot of the current block, looking at each once, from the cursor on.
    fn fill_current(&self, start: u64, trace: u64, event: u32) -> Option<SpanSlot> {
        // SAFETY: `block` is a block of a mapping that is never given back, or the static that has no free slot.
        let block: &SlotBlock = unsafe { &*self.block.get() };
        let cursor = self.cursor.get() as usize;
        (0..BLOCK_SLOTS).find_map(|step| {
            let at = cursor.wrapping_add(step);
            let slot = &block.slots[at % BLOCK_SLOTS];
            slot.is_free().then(|| {
                self.cursor.set(at.wrapping_add(1) as u32);
                slot.open(start, trace, event);
                SpanSlot(slot)
            })
        })
    }

    /// Puts a spare block before the thread's others and makes it the current one.
    fn take_spare_block(&self, space: &Space) -> Option<()> {
        let ring = space.ring(self.ring.get())?;
        let index = space
            .spares()
            .blocks
            .take(|index| space.block_info(index).is_some())?;
        let info = space.block_info(index)?;
        info.thread
            .store(ring.thread.load(Ordering::Relaxed), Ordering::Relaxed);
        info.next
            .store(ring.block.load(Ordering::Relaxed), Ordering::Relaxed);
        info.state.store(BLOCK_OWNED, Ordering::Relaxed);
        ring.block.store(index + 1, Ordering::Release);
        self.block.set(space.block(index)?);
        self.blocks.set(self.blocks.get() + 1);
        Some(())
    }
}
