//! The draining half of a ring.

use core::ptr::NonNull;

use crate::loss::{self, IN_BAND, Loss, LossCause};
use crate::record::{Record, tag};
use crate::ring::{MODE_OVERWRITE, RING_CLOSING, RingHead, Words};
use crate::space::Space;
use crate::sync::{Ordering, fence};

/// Slots that are looked at at a time when records are only counted: more than the longest record has.
const COUNT_SLOTS: usize = 1024;

/// Segments that are looked for behind the one that is being read. A ring moves on once or twice before it is read again; a
/// stray write can make a circle of the links.
const MAX_FOLLOWING: usize = 64;

/// Consecutive slots of one ring that were copied out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// Sequence number of the first.
    pub first_seq: u64,
    /// How many; whole records with their payloads.
    pub slots: usize,
}

/// Reads one ring, in two steps: [`copy_into`](Self::copy_into) takes records out, [`commit`](Self::commit) gives their
/// room back to the producer. What lies between is the caller's chance to put the copy where a crash will not lose it.
///
/// There is one for each ring, and the [`Owner`](crate::Owner) has them all.
pub struct Consumer {
    space: &'static Space,
    index: u32,
    id: u32,
    segment: u32,
    mask: u64,
    data: NonNull<Words>,
    /// Where the next copy begins.
    next: u64,
    /// Segments that are read to their end, to be given back with the next commit.
    finished: Vec<u32>,
}

// SAFETY: the pointer leads to atomics in a mapping that is never given back.
unsafe impl Send for Consumer {}

impl Consumer {
    /// Begins to read the ring with this index where its tail is. `None` for a ring without data.
    pub(crate) fn new(space: &'static Space, index: u32) -> Option<Self> {
        let ring = space.ring(index)?;
        let segment = ring.segment.load(Ordering::Acquire).checked_sub(1)?;
        let mut consumer = Self {
            space,
            index,
            id: ring.id.load(Ordering::Relaxed),
            segment,
            mask: 0,
            data: space.data(segment)?,
            next: ring.tail.load(Ordering::Relaxed),
            finished: Vec::new(),
        };
        consumer.enter(segment)?;
        Some(consumer)
    }

    /// The ring's id: with a sequence number it names a slot of this arena for good.
    pub fn ring_id(&self) -> u32 {
        self.id
    }

    pub(crate) fn ring_index(&self) -> u32 {
        self.index
    }

    /// Published slots that were not yet copied.
    pub fn available(&self) -> u64 {
        let Some(ring) = self.ring() else { return 0 };
        let ready = ring.head.load(Ordering::Acquire).wrapping_sub(self.next);
        ready.cast_signed().max(0).cast_unsigned()
    }

    /// Sequence number of the next slot to be copied: all before it were.
    pub fn read_index(&self) -> u64 {
        self.next
    }

    /// Slots of the segment that is being read.
    pub fn segment_slots(&self) -> u64 {
        self.mask + 1
    }

    /// Slots of all segments that may hold something to be read: this one, and those that follow it.
    pub fn capacity_slots(&self) -> u64 {
        let mut slots = self.segment_slots();
        let mut last = self.space.segment(self.segment);
        for _ in 0..MAX_FOLLOWING {
            let next = last.and_then(|info| info.next.load(Ordering::Acquire).checked_sub(1));
            last = next.and_then(|index| self.space.segment(index));
            let Some(info) = last else { break };
            slots += u64::from(info.slots.load(Ordering::Relaxed));
        }
        slots
    }

    /// Copies records to the front of `out`, as many whole ones as fit. In overwrite mode it first skips, and counts as
    /// [`LossCause::Overwritten`], the slots that the producer has overwritten or may be overwriting.
    pub fn copy_into(&mut self, out: &mut [Record]) -> Batch {
        let none = Batch {
            first_seq: self.next,
            slots: 0,
        };
        let Some(ring) = self.ring() else { return none };
        let overwrites = ring.mode.load(Ordering::Relaxed) == MODE_OVERWRITE;
        if overwrites {
            self.skip_overwritten(ring);
        }
        let first_seq = self.next;
        let head = ring.head.load(Ordering::Acquire);
        let slots = self.copy_to_head(head, out);
        let mut batch = Batch { first_seq, slots };
        if overwrites {
            batch = self.drop_torn(ring, batch, out);
        }
        if self.next != head {
            // Out of room, maybe in the midst of an annotation.
            let whole = whole_records(&out[..batch.slots]);
            self.next = self.next.wrapping_sub((batch.slots - whole) as u64);
            batch.slots = whole;
        }
        batch
    }

    fn copy_to_head(&mut self, head: u64, out: &mut [Record]) -> usize {
        let mut slots = 0;
        loop {
            // After the head: a link that this head needs is visible now.
            let link = self.link();
            let end = match link.and_then(|next| self.space.segment(next)) {
                Some(next) => earlier(head, next.base_seq.load(Ordering::Relaxed)),
                None => head,
            };
            let ready = end.wrapping_sub(self.next).cast_signed().max(0);
            // No more than there is, whatever a stray write has made of the head.
            let ready = ready.cast_unsigned().min(self.segment_slots());
            let count = (out.len() - slots).min(ready as usize);
            self.copy(&mut out[slots..slots + count]);
            slots += count;
            match link {
                Some(next) if self.at_base_of(next) => {
                    let old = self.segment;
                    if self.enter(next).is_none() {
                        return slots;
                    }
                    self.finished.push(old);
                }
                _ => return slots,
            }
        }
    }

    fn copy(&mut self, out: &mut [Record]) {
        // Up to the segment's end, and on from its beginning; `copy_to_head` asks for no more than a segment.
        let first = (self.next & self.mask) as usize;
        let to_end = out.len().min(self.segment_slots() as usize - first);
        let (before_end, from_start) = out.split_at_mut(to_end);
        self.copy_from(first, before_end);
        self.copy_from(0, from_start);
        self.next = self.next.wrapping_add(out.len() as u64);
    }

    /// Copies consecutive slots of the segment, from `index` on; there are as many.
    fn copy_from(&self, index: usize, out: &mut [Record]) {
        debug_assert!(index + out.len() <= self.segment_slots() as usize);
        for (offset, record) in out.iter_mut().enumerate() {
            // SAFETY: `copy` gives no more slots than lie between the index and the segment's end.
            let words = unsafe { self.data.add(index + offset).as_ref() };
            for (to, word) in record.0.iter_mut().zip(words) {
                *to = word.load(Ordering::Relaxed);
            }
        }
    }

    /// Gives the room of all that was copied back to the producer, and each segment that is done with to `recycle`.
    pub fn commit(&mut self, mut recycle: impl FnMut(u32)) {
        let Some(ring) = self.ring() else { return };
        // A reader that finds the new segment with the old tail begins at the segment's base.
        ring.segment.store(self.segment + 1, Ordering::Relaxed);
        // Release: the words were read before the producer may write over them.
        ring.tail.store(self.next, Ordering::Release);
        for segment in self.finished.drain(..) {
            recycle(segment);
        }
    }

    /// Reads on to what is the head now, and gives nothing back: counts the records there, losses and padding apart, and
    /// returns them with the sequence number up to which it has looked.
    pub(crate) fn count_rest(&mut self) -> (u64, u64) {
        let head = self.write_index();
        let mut copied = vec![Record::default(); COUNT_SLOTS];
        let mut records = 0;
        while head.wrapping_sub(self.next).cast_signed() > 0 {
            let batch = self.copy_into(&mut copied);
            if batch.slots == 0 {
                break;
            }
            let mut at = 0;
            while at < batch.slots {
                let record = &copied[at];
                records += u64::from(!matches!(record.tag(), tag::LOSS | tag::PAD));
                at += 1 + record.payload_slots() as usize;
            }
        }
        (records, self.next)
    }

    /// Whether the thread has left the ring for good; what it published before is still to be drained.
    pub fn is_closing(&self) -> bool {
        self.ring()
            .is_some_and(|ring| ring.state.load(Ordering::Acquire) == RING_CLOSING)
    }

    /// What the ring has lost so far, by cause; only causes that have cost something.
    pub fn losses(&self) -> Vec<Loss> {
        self.ring()
            .map_or_else(Vec::new, |ring| loss::read_all(&ring.loss))
    }

    /// Sequence number after the last published slot.
    pub fn write_index(&self) -> u64 {
        self.ring()
            .map_or(0, |ring| ring.head.load(Ordering::Acquire))
    }

    /// For a ring that its thread has left and that is drained and committed: writes the losses that the thread itself did
    /// not get to tell of, as the thread would have. Says whether there were any, which are then to be drained.
    pub(crate) fn publish_pending_losses(&mut self) -> bool {
        let Some(ring) = self.ring() else {
            return false;
        };
        let mut head = ring.head.load(Ordering::Relaxed);
        let before = head;
        for cause in IN_BAND {
            let cell = &ring.loss[usize::from(cause.code())];
            let loss = cell.read(cause);
            if loss.pending() > 0 {
                self.write(head, loss.record());
                head = head.wrapping_add(1);
                // The head comes with each: what is published and what is reported must not part for long.
                ring.head.store(head, Ordering::Release);
                cell.report(loss.pending());
            }
        }
        head != before
    }

    fn write(&self, seq: u64, record: Record) {
        let index = (seq & self.mask) as usize;
        // SAFETY: the mask keeps the index within the segment.
        let words = unsafe { self.data.add(index).as_ref() };
        for (to, word) in words.iter().zip(record.0) {
            to.store(word, Ordering::Relaxed);
        }
    }

    fn ring(&self) -> Option<&'static RingHead> {
        self.space.ring(self.index)
    }

    fn link(&self) -> Option<u32> {
        let info = self.space.segment(self.segment)?;
        info.next.load(Ordering::Acquire).checked_sub(1)
    }

    fn at_base_of(&self, segment: u32) -> bool {
        self.space
            .segment(segment)
            .is_some_and(|info| info.base_seq.load(Ordering::Relaxed) == self.next)
    }

    fn enter(&mut self, segment: u32) -> Option<()> {
        let slots = self.space.segment(segment)?.slots.load(Ordering::Relaxed);
        self.data = self.space.data(segment)?;
        self.mask = u64::from(slots).checked_sub(1)?;
        self.segment = segment;
        Some(())
    }

    /// The first slot that the producer does not write over, now or soon.
    fn oldest_kept(&self, ring: &RingHead) -> u64 {
        let reserved = ring.reserved.load(Ordering::Relaxed);
        reserved.wrapping_sub(self.segment_slots())
    }

    fn skip_overwritten(&mut self, ring: &RingHead) {
        let lost = self.oldest_kept(ring).wrapping_sub(self.next).cast_signed();
        if lost > 0 {
            self.next = self.oldest_kept(ring);
            count_overwritten(ring, lost.cast_unsigned());
        }
    }

    /// Drops from the front of a copy what was overwritten while it was made.
    fn drop_torn(&mut self, ring: &RingHead, batch: Batch, out: &mut [Record]) -> Batch {
        // The words were read before the reservation is looked at again.
        fence(Ordering::Acquire);
        let torn = self
            .oldest_kept(ring)
            .wrapping_sub(batch.first_seq)
            .cast_signed();
        let Ok(torn) = usize::try_from(torn) else {
            return batch;
        };
        let torn = torn.min(batch.slots);
        out.copy_within(torn..batch.slots, 0);
        count_overwritten(ring, torn as u64);
        Batch {
            first_seq: batch.first_seq.wrapping_add(torn as u64),
            slots: batch.slots - torn,
        }
    }
}

fn count_overwritten(ring: &RingHead, slots: u64) {
    // Not sealed yet: whoever closes the arena is who reads here.
    let _ = ring.loss[usize::from(LossCause::Overwritten.code())].add(slots, 0);
}

/// The earlier of two sequence numbers.
pub(crate) fn earlier(one: u64, other: u64) -> u64 {
    if other.wrapping_sub(one).cast_signed() < 0 {
        other
    } else {
        one
    }
}

/// How many of these slots, which begin with a record, make up whole records.
pub(crate) fn whole_records(slots: &[Record]) -> usize {
    let mut whole = 0;
    while let Some(record) = slots.get(whole) {
        let next = whole + 1 + record.payload_slots() as usize;
        if next > slots.len() {
            break;
        }
        whole = next;
    }
    whole
}
