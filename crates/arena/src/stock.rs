//! Keeping the spare pool stocked, so that a producer that runs out finds more without a system call.

use std::io;

use crate::alloc::{Allocator, Got, PIECE_BYTES, bytes_of};
use crate::arena::Inner;
use crate::config::Mode;
use crate::owner::{Owner, Ring};
use crate::record::RECORD_BYTES;
use crate::spare::{GROWTH, SPARE_PLACES};
use crate::sys;

/// Spares of the size after the first that lie ready: threads often begin together.
const FIRST_SPARES: usize = 3;
/// Spares above this size lie ready only once a ring has grown to the size before: most never do.
const IDLE_BYTES: u64 = 4 << 20;
/// The most that lie ready of one size.
const MAX_SPARES: usize = 4;
/// Spares together never take more than this part of the memory that is left, so that new threads still find some.
const SHARE_OF_REST: u64 = 4;
/// Rounds of maintenance without a further attempt after memory was not to be had.
const PAUSE_ROUNDS: u32 = 1000;

/// A segment on its way to the shelf: its pages are being touched, a piece each round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preparing {
    index: u32,
    bytes: u64,
    touched: u64,
}

impl Owner {
    /// Puts on the shelves all that should lie there. Takes as long as it takes: for the time before anything is recorded.
    pub(crate) fn stock_all(&mut self) {
        while self.stock() {}
    }

    /// Puts segments and blocks on the shelves, or prepares some. Says whether there is more to do.
    pub(crate) fn stock(&mut self) -> bool {
        let inner = self.arena.0;
        self.stock_blocks();
        if inner.mode == Mode::Overwrite {
            return false;
        }
        if let Some(segment) = self.preparing.take() {
            self.prepare(segment);
            return true;
        }
        if self.stock_pause > 0 {
            self.stock_pause -= 1;
        }
        let is_due = |bytes| self.stock_pause == 0 || bytes < self.stock_below;
        let wanted = || sizes(inner).filter(|&bytes| is_due(bytes) && self.wants_spare(bytes));
        // First what a ring that runs full would go on in.
        let is_urgent = |bytes: &u64| self.pressed_rings(*bytes) > 0;
        let Some(bytes) = wanted().find(is_urgent).or_else(|| wanted().next()) else {
            return false;
        };
        let got = match take(&mut inner.lock(), inner, bytes) {
            Ok(Some(got)) => got,
            Ok(None) => return true,
            Err(_) => {
                // Smaller ones may still be had.
                self.pause_stock(bytes);
                return false;
            }
        };
        self.prepare(Preparing {
            index: got.index,
            bytes,
            touched: if got.is_new { 0 } else { bytes },
        });
        true
    }

    /// Touches the next piece of a segment, and puts it on the shelf after the last one.
    fn prepare(&mut self, mut segment: Preparing) {
        let inner = self.arena.0;
        let piece = (segment.bytes - segment.touched).min(PIECE_BYTES);
        if piece > 0
            && let Some(data) = inner.space.data(segment.index)
        {
            // SAFETY: the piece ends at the segment's end or before.
            let at = unsafe { data.cast::<u8>().byte_add(segment.touched as usize) };
            sys::populate(at, piece as usize);
        }
        segment.touched += piece;
        if segment.touched < segment.bytes {
            self.preparing = Some(segment);
        } else if !inner.space.spares().segments.put(segment.index) {
            inner.lock().free_segment(&inner.space, segment.index);
            self.pause_stock(0);
        }
    }

    /// Puts off further attempts at spares of `from_bytes` and more.
    fn pause_stock(&mut self, from_bytes: u64) {
        self.stock_pause = PAUSE_ROUNDS;
        self.stock_below = from_bytes;
    }

    fn wants_spare(&self, bytes: u64) -> bool {
        let shelf = &self.arena.0.space.spares().segments;
        let of_this_size = |&index: &u32| self.segment_bytes(index) == bytes;
        shelf.iter().filter(of_this_size).count() < self.wanted_spares(bytes)
    }

    /// Spares of a size: some, and one for each ring under pressure that would grow to it next.
    fn wanted_spares(&self, bytes: u64) -> usize {
        let inner = self.arena.0;
        let idle = if bytes <= inner.ring_bytes {
            // For a ring that becomes small again.
            self.rings
                .iter()
                .any(|ring| ring_bytes(ring) > bytes)
                .into()
        } else if bytes == inner.ring_bytes * GROWTH && bytes <= IDLE_BYTES / FIRST_SPARES as u64 {
            FIRST_SPARES
        } else {
            let is_near = |ring: &Ring| ring_bytes(ring) * GROWTH >= bytes;
            usize::from(bytes <= IDLE_BYTES || self.rings.iter().any(is_near))
        };
        (idle + self.pressed_rings(bytes)).min(MAX_SPARES)
    }

    /// Rings under pressure that would grow to this size next.
    fn pressed_rings(&self, bytes: u64) -> usize {
        let grows = |ring: &&Ring| {
            let now = ring_bytes(ring);
            now < bytes && bytes <= (now * GROWTH).max(self.arena.0.ring_bytes)
        };
        let pressed = self.rings.iter().filter(|ring| ring.is_pressed);
        pressed.filter(grows).count()
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

fn ring_bytes(ring: &Ring) -> u64 {
    ring.consumer.segment_slots() * RECORD_BYTES as u64
}

/// The sizes of rings.
fn sizes(inner: &Inner) -> impl Iterator<Item = u64> {
    let last = inner.max_ring_bytes;
    let next = move |&bytes: &u64| (bytes < last).then(|| (bytes * GROWTH).min(last));
    std::iter::successors(Some(inner.ring_bytes), next)
}

const _: () = assert!(
    4 * MAX_SPARES <= SPARE_PLACES,
    "four sizes fit on the shelf"
);

/// A segment for a spare, once all of it is allocated: a large one at once would take milliseconds.
fn take(allocator: &mut Allocator, inner: &Inner, bytes: u64) -> io::Result<Option<Got>> {
    let shelf = inner.space.spares().segments.iter();
    let on_shelf: u64 = shelf.map(|index| bytes_of(&inner.space, index)).sum();
    let rest = allocator.rest(&inner.space) + on_shelf;
    let fair = bytes + on_shelf <= rest / SHARE_OF_REST;
    if !fair {
        return Err(io::ErrorKind::StorageFull.into());
    }
    if !allocator.ready_exact_segment(&inner.space, bytes)? {
        return Ok(None);
    }
    allocator.exact_segment(&inner.space, bytes).map(Some)
}
