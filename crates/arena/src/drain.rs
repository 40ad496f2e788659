//! Moving records from the rings into the staging area.

use crate::MAX_ANNOTATION_BYTES;
use crate::consumer::Consumer;
use crate::owner::{Owner, Ring, ThreadEntry};
use crate::record::RECORD_BYTES;
use crate::sync::Ordering;

/// A ring that is so full before a round may need a bigger segment before the next.
const PRESSED_PERMILLE: u64 = 250;

/// Slots that a ring is given at least when room is shared out: more than any one record takes.
const MIN_SHARE: usize = 512;
const _: () = assert!(MIN_SHARE * RECORD_BYTES > 2 * MAX_ANNOTATION_BYTES);

/// What one round of draining did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drained {
    /// Slots that were moved into the staging area.
    pub slots: usize,
    /// Rings that threads have got since the round before.
    pub new_rings: usize,
    /// The staging area, or the limit, was reached before the rings were empty.
    pub is_full: bool,
    /// The fullest ring before the round, in thousandths of its segments; at most 1000.
    pub high_water_permille: u32,
    /// Slots that waited in that ring.
    pub high_water_slots: u64,
    /// Slots of its segments: of the one that is drained, and of those that the thread has gone on to.
    pub high_water_of_slots: u64,
}

/// Where a round of draining has got to. A test that kills the process stops it here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainStep {
    /// The records are in the staging area, which is not yet published; the rings have them still.
    Copied,
    /// The staging area is published; the rings have them still.
    Published,
    /// The rings have given them up.
    Committed,
}

impl Owner {
    /// Moves what the rings have ready into the staging area, until that holds `max_slots` slots or is full. The rings'
    /// room is given back only after the copy is published, so a crash at any point loses nothing.
    ///
    /// Rings whose threads are gone are freed once they are empty; what they lost is in the stream by then.
    pub fn drain(&mut self, max_slots: usize) -> Drained {
        self.drain_hooked(max_slots, |_| {})
    }

    /// As [`drain`](Self::drain), and calls `reached` at each step.
    pub fn drain_hooked(
        &mut self,
        max_slots: usize,
        mut reached: impl FnMut(DrainStep),
    ) -> Drained {
        let mut drained = Drained {
            new_rings: self.meet_new_rings(),
            ..Drained::default()
        };
        let count = self.rings.len();
        let start = if count == 0 { 0 } else { self.first % count };
        self.first = start;
        let shares = self.shares(max_slots);
        for step in 0..count {
            let index = (start + step) % count;
            let share = shares.as_ref().map_or(max_slots, |shares| shares[index]);
            let end = max_slots.min(self.staging.used_slots().saturating_add(share));
            if self.staging.used_slots() >= end {
                drained.is_full |= self.rings[index].consumer.available() > 0;
                if drained.is_full && shares.is_none() {
                    self.first = index;
                    break;
                }
                continue;
            }
            self.drain_ring(index, end, &mut drained);
        }
        reached(DrainStep::Copied);
        self.staging.publish();
        reached(DrainStep::Published);
        self.commit();
        reached(DrainStep::Committed);
        drained
    }

    /// When the rings have more than there is room for: how many slots of it each gets. In proportion to what it has, so
    /// that what comes together is of one time: then most traces, which cross threads, are whole in one chunk. `None` when
    /// there is room for all, or so little that the rings take turns.
    fn shares(&self, max_slots: usize) -> Option<Vec<usize>> {
        let room = max_slots.saturating_sub(self.staging.used_slots());
        let ready: Vec<u64> = self
            .rings
            .iter()
            .map(|ring| ring.consumer.available())
            .collect();
        let total: u64 = ready.iter().sum();
        let is_scarce = total + ready.len() as u64 > room as u64;
        if !is_scarce || room < ready.len() * MIN_SHARE {
            return None;
        }
        let spare = (room - ready.len() * MIN_SHARE) as u128;
        let share =
            |&ready: &u64| MIN_SHARE + (u128::from(ready) * spare / u128::from(total)) as usize;
        Some(ready.iter().map(share).collect())
    }

    fn drain_ring(&mut self, index: usize, max_slots: usize, drained: &mut Drained) {
        let ring = &mut self.rings[index];
        let ready = ring.consumer.available();
        // After what is ready, so that it has room for it.
        let slots = ring.consumer.capacity_slots().max(1);
        let permille_of = |slots: u64| ready.saturating_mul(1000) / slots;
        // No more than there is, whatever a stray write has made of the head.
        let permille = permille_of(slots).min(1000) as u32;
        if permille >= drained.high_water_permille {
            drained.high_water_permille = permille;
            drained.high_water_slots = ready;
            drained.high_water_of_slots = slots;
        }
        ring.is_pressed = permille_of(ring.consumer.segment_slots().max(1)) >= PRESSED_PERMILLE;
        if ready == 0 {
            return;
        }
        drained.slots += self
            .staging
            .take(&mut ring.consumer, ring.thread, max_slots);
        if ring.consumer.available() > 0 {
            drained.is_full = true;
        }
    }

    /// Gives the rings back what was published from the staging area.
    fn commit(&mut self) {
        let arena = self.arena;
        let mut finished = Vec::new();
        for ring in &mut self.rings {
            ring.consumer.commit(|segment| finished.push(segment));
        }
        if !finished.is_empty() {
            let mut allocator = arena.0.lock();
            for segment in finished {
                allocator.free_segment(&arena.0.space, segment);
            }
        }
    }

    /// Takes in the rings that are new; returns how many.
    pub(crate) fn meet_new_rings(&mut self) -> usize {
        let inner = self.arena.0;
        let opened = std::mem::take(&mut inner.lock().opened);
        let count = opened.len();
        for index in opened {
            let Some(head) = inner.space.ring(index) else {
                continue;
            };
            let Some(consumer) = Consumer::new(&inner.space, index) else {
                continue;
            };
            let thread = head.thread.load(Ordering::Relaxed);
            self.new_threads.push(ThreadEntry {
                ring: consumer.ring_id(),
                thread,
                os_thread: head.os_thread.load(Ordering::Relaxed),
                name: head.name(),
            });
            self.rings.push(Ring {
                consumer,
                thread,
                is_pressed: false,
            });
        }
        count
    }
}
