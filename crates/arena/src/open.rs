//! Which spans are open.

use crate::ring::RingHead;
use crate::slot::{BLOCK_FREE, BLOCK_SLOTS};
use crate::space::Space;
use crate::sync::Ordering;

/// A tracked span that has begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenSpan {
    /// When it began, in ticks.
    pub start_ticks: u64,
    /// Its trace, 0 = none.
    pub trace: u64,
    /// Its event.
    pub event: u32,
    /// Number of the thread that began it.
    pub thread: u32,
}

/// Whether the record that an ending slot speaks of is published: the ring's head has passed its number. `mark` is the
/// slot's event word. Only the low sixteen bits of the number are there, which is enough: the thread that ends a span
/// publishes nothing else until it has cleared the slot.
pub(crate) fn is_published(mark: u64, head: u64) -> bool {
    let seq = (mark >> 48) as u16;
    let past = (head as u16).wrapping_sub(seq);
    past > 0 && past < 1 << 15
}

/// The index of the ring that an ending slot speaks of; `None` if it is not ending.
pub(crate) fn ending_ring(mark: u64) -> Option<u32> {
    ((mark >> 32) as u16).checked_sub(1).map(u32::from)
}

/// Whether no span is open in a block.
pub(crate) fn is_clear(space: &Space, block: u32) -> bool {
    space
        .block(block)
        .is_none_or(|block| block.slots.iter().all(crate::slot::Slot::is_free))
}

/// The open spans of the first `blocks` blocks. Of a process that runs on a weakly ordered processor, a slot that is used
/// anew at this very moment may show words of two spans: to rule it out would cost each span a fence.
pub(crate) fn open_spans(space: &Space, blocks: u32) -> Vec<OpenSpan> {
    let mut found = Vec::new();
    for index in 0..blocks {
        let (Some(info), Some(block)) = (space.block_info(index), space.block(index)) else {
            break;
        };
        if info.state.load(Ordering::Relaxed) == BLOCK_FREE {
            continue;
        }
        for slot in &block.slots[..BLOCK_SLOTS] {
            let start_ticks = slot.start.load(Ordering::Acquire);
            let trace = slot.trace.load(Ordering::Relaxed);
            let mark = slot.event.load(Ordering::Relaxed);
            let published = ending_ring(mark)
                .and_then(|ring| space.ring(ring))
                .is_some_and(|ring: &RingHead| {
                    is_published(mark, ring.head.load(Ordering::Acquire))
                });
            // Ended, or taken by another span, while we looked.
            let changed = slot.start.load(Ordering::Acquire) != start_ticks;
            if start_ticks != 0 && !published && !changed {
                found.push(OpenSpan {
                    start_ticks,
                    trace,
                    event: mark as u32,
                    thread: info.thread.load(Ordering::Relaxed),
                });
            }
        }
    }
    found
}
