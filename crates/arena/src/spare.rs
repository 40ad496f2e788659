//! The spare pool: segments and slot blocks that the drainer has made ready (allocated, pages touched), so that a producer
//! that runs out takes one without a system call and without a lock.
//!
//! A place holds 0 or an index plus one. Only the drainer fills an empty place; any producer may empty it by
//! compare-and-swap. An index that is taken, used, recycled and put back into the same place between a producer's look and
//! its swap does no harm: what the producer looked at, the segment's size, never changes.

use crate::sync::{AtomicU32, Ordering};

/// Places for segments, and as many for blocks: one cache line each.
pub(crate) const SPARE_PLACES: usize = 16;

/// How much bigger the segment is that a ring grows to.
pub(crate) const GROWTH: u64 = 4;

/// The pool as it lies in the arena: 16 places for segments, then 16 for blocks, 4 bytes each.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Spares {
    pub(crate) segments: Shelf,
    pub(crate) blocks: Shelf,
}

/// Sixteen places of one kind.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Shelf([AtomicU32; SPARE_PLACES]);

impl Shelf {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| AtomicU32::new(0)))
    }

    /// Takes an index that `fits`. Acquire: what the drainer did to it before comes before what the taker does with it.
    pub(crate) fn take(&self, mut fits: impl FnMut(u32) -> bool) -> Option<u32> {
        self.0.iter().find_map(|place| {
            let mark = place.load(Ordering::Relaxed);
            let index = mark.checked_sub(1)?;
            (fits(index)
                && place
                    .compare_exchange(mark, 0, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok())
            .then_some(index)
        })
    }

    /// Puts `index` into an empty place; false when there is none. Only the drainer calls it.
    pub(crate) fn put(&self, index: u32) -> bool {
        let empty = self
            .0
            .iter()
            .find(|place| place.load(Ordering::Relaxed) == 0);
        if let Some(place) = empty {
            place.store(index + 1, Ordering::Release);
        }
        empty.is_some()
    }

    /// The indexes on the shelf at this moment.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0
            .iter()
            .filter_map(|place| place.load(Ordering::Relaxed).checked_sub(1))
    }
}
