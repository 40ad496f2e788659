//! A thread's ring: its header in the arena and the chain of segments that hold its records.
//!
//! ```text
//!            attach                     thread exits              drained, segments given back
//!   FREE ──────────────► OWNED ──────────────────────► CLOSING ──────────────────────────────► FREE, new ring id
//!
//!   consumer's segment              producer's segment
//!   ┌────────────────┐    next     ┌──────────────────────────────┐
//!   │ seq < base of  │ ──────────► │ seq ≥ base, at seq & mask    │
//!   │ the next one   │             │ wraps in place               │
//!   └────────────────┘             └──────────────────────────────┘
//!        ▲ tail                            ▲ head
//! ```
//!
//! Sequence numbers count 32-byte slots from the ring's start and wrap at 2⁶⁴; every comparison of them is a wrapping
//! difference. A record lies at `seq & (slots - 1)` of the segment that holds its number.
//!
//! Orderings: the producer stores record words relaxed and then the head with release; the consumer loads the head with
//! acquire and then the words relaxed. The consumer stores the tail with release when it has copied; the producer loads the
//! tail with acquire before it writes over what was there. The link to the next segment is stored (release) before a head
//! that lies in it, so a consumer that sees the head sees the link.

use crate::loss::LossCells;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The four words of a ring slot.
pub(crate) type Words = [AtomicU64; 4];

/// Nobody's ring.
pub(crate) const RING_FREE: u32 = 0;
/// A thread records into it.
pub(crate) const RING_OWNED: u32 = 1;
/// Its thread is gone; the drainer empties and frees it.
pub(crate) const RING_CLOSING: u32 = 2;

/// A full ring drops the newest record.
pub(crate) const MODE_DROP_NEWEST: u32 = 0;
/// A full ring overwrites its oldest records, a quarter of the ring at a time.
pub(crate) const MODE_OVERWRITE: u32 = 1;

/// Bytes of a thread name that a ring keeps.
pub const THREAD_NAME_BYTES: usize = 64;

/// The header of a ring, 768 bytes. The producer's words and the consumer's lie 128 bytes apart, because processors fetch
/// lines in pairs.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 4 | state: 0 free, 1 owned, 2 closing |
/// | 4 | 4 | ring id, unique within the arena; 0 = never used |
/// | 8 | 4 | thread number in the capture |
/// | 12 | 4 | the kernel's thread id |
/// | 16 | 4 | segment that holds the tail, plus one; 0 = none |
/// | 20 | 4 | first block of open-span slots, plus one; 0 = none |
/// | 24 | 8 | sequence number of the first slot |
/// | 32 | 4 | mode: 0 drops the newest, 1 overwrites the oldest |
/// | 36 | 4 | length of the thread's name in bytes |
/// | 64 | 64 | the thread's name, UTF-8, cut to fit |
/// | 128 | 8 | head: sequence number after the last published slot |
/// | 136 | 8 | overwrite mode: slots before this number may be in the making |
/// | 256 | 8 | tail: sequence number of the first slot not yet drained |
/// | 384 | 256 | losses by cause code: 8 × {total, reported, from ticks, to ticks}; the highest bit of a total: the arena was being closed |
/// | 640 | 128 | reserved, 0 |
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct RingHead {
    pub(crate) state: AtomicU32,
    pub(crate) id: AtomicU32,
    pub(crate) thread: AtomicU32,
    pub(crate) os_thread: AtomicU32,
    pub(crate) segment: AtomicU32,
    pub(crate) block: AtomicU32,
    pub(crate) start_seq: AtomicU64,
    pub(crate) mode: AtomicU32,
    pub(crate) name_len: AtomicU32,
    pad_ident: [AtomicU64; 3],
    pub(crate) name: [AtomicU64; THREAD_NAME_BYTES / 8],
    pub(crate) head: AtomicU64,
    pub(crate) reserved: AtomicU64,
    pad_producer: [AtomicU64; 14],
    pub(crate) tail: AtomicU64,
    pad_consumer: [AtomicU64; 15],
    pub(crate) loss: LossCells,
    pad_loss: [AtomicU64; 16],
}

/// Bytes of a ring header.
pub(crate) const RING_HEAD_BYTES: usize = 768;

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<RingHead>() == RING_HEAD_BYTES);
    assert!(offset_of!(RingHead, name) == 64);
    assert!(offset_of!(RingHead, head) == 128);
    assert!(offset_of!(RingHead, tail) == 256);
    assert!(offset_of!(RingHead, loss) == 384);
};

/// What the arena knows of a segment. Its place and size never change once it exists.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 8 | offset in the arena in bytes; 0 = anonymous memory, gone with the process |
/// | 8 | 4 | slots, a power of two; 0 = no such segment |
/// | 12 | 4 | next segment of the same ring, plus one; 0 = none |
/// | 16 | 8 | sequence number of the ring's first slot that lies in it |
/// | 24 | 4 | id of the ring that uses it; 0 = nobody |
/// | 28 | 4 | reserved, 0 |
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SegmentInfo {
    pub(crate) offset: AtomicU64,
    pub(crate) slots: AtomicU32,
    pub(crate) next: AtomicU32,
    pub(crate) base_seq: AtomicU64,
    pub(crate) ring: AtomicU32,
    reserved: AtomicU32,
}

/// Bytes of a segment's entry.
pub(crate) const SEGMENT_INFO_BYTES: usize = 32;

#[cfg(not(loom))]
const _: () = assert!(size_of::<SegmentInfo>() == SEGMENT_INFO_BYTES);

/// How a ring begins.
pub(crate) struct Opening<'a> {
    pub(crate) id: u32,
    pub(crate) thread: u32,
    pub(crate) os_thread: u32,
    pub(crate) segment: u32,
    pub(crate) block: Option<u32>,
    pub(crate) first_seq: u64,
    pub(crate) mode: u32,
    pub(crate) name: &'a str,
}

impl RingHead {
    /// Writes the header of a ring that nobody has: neither a thread nor the drainer.
    pub(crate) fn open(&self, opening: &Opening<'_>) {
        let mark = |index: Option<u32>| index.map_or(0, |it| it + 1);
        self.id.store(opening.id, Ordering::Relaxed);
        self.thread.store(opening.thread, Ordering::Relaxed);
        self.os_thread.store(opening.os_thread, Ordering::Relaxed);
        self.segment
            .store(mark(Some(opening.segment)), Ordering::Relaxed);
        self.block.store(mark(opening.block), Ordering::Relaxed);
        self.mode.store(opening.mode, Ordering::Relaxed);
        for seq in [&self.start_seq, &self.head, &self.reserved, &self.tail] {
            seq.store(opening.first_seq, Ordering::Relaxed);
        }
        for cell in &self.loss {
            cell.clear();
        }
        self.set_name(opening.name);
        self.state.store(RING_OWNED, Ordering::Release);
    }

    fn set_name(&self, name: &str) {
        let mut length = name.len().min(THREAD_NAME_BYTES);
        while !name.is_char_boundary(length) {
            length -= 1;
        }
        let mut bytes = [0; THREAD_NAME_BYTES];
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        for (word, eight) in self.name.iter().zip(bytes.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
        }
        self.name_len.store(length as u32, Ordering::Relaxed);
    }

    /// The thread's name.
    pub(crate) fn name(&self) -> String {
        let words = self.name.iter().map(|word| word.load(Ordering::Relaxed));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let length = (self.name_len.load(Ordering::Relaxed) as usize).min(bytes.len());
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

#[cfg(loom)]
fn zeros<const N: usize>() -> [AtomicU64; N] {
    core::array::from_fn(|_| AtomicU64::new(0))
}

#[cfg(loom)]
impl RingHead {
    pub(crate) fn new() -> Self {
        let word = || AtomicU32::new(0);
        Self {
            state: word(),
            id: word(),
            thread: word(),
            os_thread: word(),
            segment: word(),
            block: word(),
            start_seq: AtomicU64::new(0),
            mode: word(),
            name_len: word(),
            pad_ident: zeros(),
            name: zeros(),
            head: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            pad_producer: zeros(),
            tail: AtomicU64::new(0),
            pad_consumer: zeros(),
            loss: core::array::from_fn(|_| crate::loss::LossCell::new()),
            pad_loss: zeros(),
        }
    }
}

#[cfg(loom)]
impl SegmentInfo {
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            offset: AtomicU64::new(0),
            slots: AtomicU32::new(slots),
            next: AtomicU32::new(0),
            base_seq: AtomicU64::new(0),
            ring: AtomicU32::new(0),
            reserved: AtomicU32::new(0),
        }
    }
}
