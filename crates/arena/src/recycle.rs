//! Taking back what threads have left: rings, segments, blocks of slots.

use crate::consumer::Consumer;
use crate::open;
use crate::owner::Owner;
use crate::ring::RING_FREE;
use crate::slot::BLOCK_ORPHAN;
use crate::sync::Ordering;

/// Orphaned blocks that one round of maintenance looks through.
const ORPHANS_A_ROUND: usize = 64;

impl Owner {
    /// Lays out spare segments and blocks, frees the rings of threads that are gone, reuses blocks whose last span has
    /// ended. To be called after each [`drain`](Self::drain).
    pub fn maintain(&mut self) {
        self.free_closed_rings();
        self.adopt_orphans();
        self.stock();
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
}
