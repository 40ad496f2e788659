//! Keeping the spare pool stocked, so that a producer that runs out finds more without a system call.

use crate::alloc::{Allocator, Got};
use crate::arena::Inner;
use crate::config::Mode;
use crate::owner::Owner;
use crate::record::RECORD_BYTES;
use crate::spare::{GROWTH, SPARE_PLACES};
use crate::sys;

/// Segments of one size that lie ready when no ring is under pressure.
const IDLE_SPARES: usize = 1;
/// The most that lie ready.
const MAX_SPARES: usize = 6;
/// Spares never take more than this part of the memory that is left, so that new threads still find some.
const SHARE_OF_REST: u64 = 4;
/// Rounds of maintenance without a further attempt after memory was not to be had.
const PAUSE_ROUNDS: u32 = 1000;

impl Owner {
    /// Puts segments and blocks on the shelves.
    pub(crate) fn stock(&mut self) {
        let inner = self.arena.0;
        self.stock_blocks();
        if self.stock_pause > 0 {
            self.stock_pause -= 1;
            return;
        }
        if inner.mode == Mode::Overwrite {
            return;
        }
        for bytes in sizes(inner) {
            let wanted = self.wanted_spares(bytes);
            let shelf = &inner.space.spares().segments;
            let ready = shelf
                .iter()
                .filter(|&it| self.segment_bytes(it) == bytes)
                .count();
            for _ in ready..wanted {
                let Some(got) = take(&mut inner.lock(), inner, bytes) else {
                    self.stock_pause = PAUSE_ROUNDS;
                    return;
                };
                if got.is_new
                    && let Some(data) = inner.space.data(got.index)
                {
                    sys::populate(data.cast(), bytes as usize);
                }
                if !shelf.put(got.index) {
                    inner.lock().free_segment(&inner.space, got.index);
                    return;
                }
            }
        }
    }

    /// Spares of a size: one, and one for each ring under pressure that it would be bigger for.
    fn wanted_spares(&self, bytes: u64) -> usize {
        let slots = bytes / RECORD_BYTES as u64;
        let pressed = self
            .rings
            .iter()
            .filter(|ring| ring.is_pressed && ring.consumer.segment_slots() < slots)
            .count();
        (IDLE_SPARES + pressed).min(MAX_SPARES)
    }

    fn stock_blocks(&mut self) {
        let inner = self.arena.0;
        let shelf = &inner.space.spares().blocks;
        while shelf.iter().count() < SPARE_PLACES {
            let mut allocator = inner.lock();
            let Some(block) = allocator.block(&inner.space) else {
                return;
            };
            if !shelf.put(block) {
                allocator.free_block(&inner.space, block);
                return;
            }
        }
    }
}

/// The sizes that rings grow to.
fn sizes(inner: &Inner) -> impl Iterator<Item = u64> {
    let (first, last) = (inner.ring_bytes, inner.max_ring_bytes);
    let next = move |&bytes: &u64| (bytes < last).then(|| (bytes * GROWTH).min(last));
    std::iter::successors(next(&first), next)
}

fn take(allocator: &mut Allocator, inner: &Inner, bytes: u64) -> Option<Got> {
    let fair = bytes <= allocator.rest(&inner.space) / SHARE_OF_REST;
    fair.then(|| allocator.exact_segment(&inner.space, bytes).ok())?
}
