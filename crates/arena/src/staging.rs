//! The staging area: records that were drained and that no chunk holds yet. A crash finds them here.
//!
//! Blocks follow one another from the area's beginning, each a head of one slot's size and then its records:
//!
//! | offset | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | ring id |
//! | 4 | 4 | thread number |
//! | 8 | 8 | sequence number of the first record's slot |
//! | 16 | 4 | slots |
//! | 20 | 12 | reserved, 0 |

use core::ptr::NonNull;

use crate::consumer::Consumer;
use crate::record::Record;
use crate::sync::{AtomicU64, Ordering};

/// The area, in the hands of the drainer.
pub(crate) struct Staging {
    records: NonNull<Record>,
    slots: usize,
    used: usize,
    published: &'static AtomicU64,
    cleared: &'static AtomicU64,
}

// SAFETY: the area belongs to whoever has this struct; other processes look at it only after this one is dead.
unsafe impl Send for Staging {}

/// Drained records of one ring, consecutive in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StagedBlock<'a> {
    /// The ring's id.
    pub ring: u32,
    /// The thread's number in the capture.
    pub thread: u32,
    /// Sequence number of the first slot.
    pub first_seq: u64,
    /// Whole records with their payloads.
    pub records: &'a [Record],
}

impl Staging {
    /// # Safety
    /// `records` leads to `slots` slots that stay mapped for good and that nobody else touches.
    pub(crate) unsafe fn new(
        records: NonNull<Record>,
        slots: usize,
        published: &'static AtomicU64,
        cleared: &'static AtomicU64,
    ) -> Self {
        Self {
            records,
            slots,
            used: 0,
            published,
            cleared,
        }
    }

    fn all(&mut self) -> &mut [Record] {
        // SAFETY: as `new` was promised.
        unsafe { core::slice::from_raw_parts_mut(self.records.as_ptr(), self.slots) }
    }

    /// Copies what a ring has ready, as far as there is room below `max_slots` slots. Not yet published.
    pub(crate) fn take(&mut self, consumer: &mut Consumer, thread: u32, max_slots: usize) -> usize {
        let used = self.used;
        let end = max_slots.min(self.slots);
        let Some((head, out)) = self
            .all()
            .get_mut(used..end)
            .and_then(<[_]>::split_first_mut)
        else {
            return 0;
        };
        let batch = consumer.copy_into(out);
        if batch.slots > 0 {
            let ids = u64::from(consumer.ring_id()) | u64::from(thread) << 32;
            *head = Record([ids, batch.first_seq, batch.slots as u64, 0]);
            self.used += 1 + batch.slots;
        }
        batch.slots
    }

    /// Makes what was taken visible to a salvager. The rings may forget it afterwards.
    pub(crate) fn publish(&self) {
        self.published.store(self.used as u64, Ordering::Release);
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.published.store(0, Ordering::Release);
        self.cleared.fetch_add(1, Ordering::Relaxed);
    }

    /// Slots in use, block heads included.
    pub(crate) fn used_slots(&self) -> usize {
        self.used
    }

    /// Slots of the area.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// The blocks from this slot on, at which one begins: 0, or what [`used_slots`](Self::used_slots) was.
    pub(crate) fn blocks(&self, from: usize) -> impl Iterator<Item = StagedBlock<'_>> {
        // SAFETY: as `new` was promised.
        let all = unsafe { core::slice::from_raw_parts(self.records.as_ptr(), self.used) };
        let mut rest = all.get(from..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (head, after) = rest.split_first()?;
            let slots = (head.0[2] as usize).min(after.len());
            let (records, next) = after.split_at(slots);
            rest = next;
            Some(StagedBlock {
                ring: head.0[0] as u32,
                thread: (head.0[0] >> 32) as u32,
                first_seq: head.0[1],
                records,
            })
        })
    }
}
