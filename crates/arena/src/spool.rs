//! The spool: encoded chunks on their way from the drainer to the thread that writes the file. A byte ring with one
//! writer and one reader, in frames.
//!
//! | offset | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | bytes of the payload |
//! | 4 | 4 | mark `SPOL` |
//! | 8 | 8 | tag: the caller's, for example a chunk's number |
//! | 16 | … | payload, zero-padded to a multiple of 8 |
//!
//! Positions count bytes from the spool's beginning and only grow; a byte lies at `position % size`, so a frame may go
//! round the end. A frame is complete when the head has passed it, and stays in the spool until the tail has.

use core::ptr::NonNull;

use crate::sync::{AtomicU64, Ordering};

/// Bytes before a frame's payload.
pub(crate) const FRAME_HEAD_BYTES: u64 = 16;
/// What every frame has in its second word.
pub(crate) const FRAME_MARK: u32 = u32::from_le_bytes(*b"SPOL");

/// The spool has no room for the frame now; the reader is behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the spool has {free_bytes} bytes free, {wanted_bytes} are wanted")]
pub struct SpoolFull {
    /// Bytes of the frame with its head.
    pub wanted_bytes: u64,
    /// Bytes that are free.
    pub free_bytes: u64,
}

/// Bytes of a frame with this payload.
pub(crate) const fn frame_bytes(payload: u64) -> u64 {
    FRAME_HEAD_BYTES + payload.next_multiple_of(8)
}

/// The two positions in the arena.
#[derive(Clone, Copy)]
pub(crate) struct Positions {
    pub(crate) head: &'static AtomicU64,
    pub(crate) tail: &'static AtomicU64,
    pub(crate) size: u64,
}

/// The writer's position: only it moves the head, so it keeps it at hand.
pub(crate) struct HeadEnd {
    positions: Positions,
    head: u64,
}

/// The reader's position: only it moves the tail.
pub(crate) struct TailEnd {
    positions: Positions,
    tail: u64,
}

impl HeadEnd {
    pub(crate) fn new(positions: Positions) -> Self {
        let head = positions.head.load(Ordering::Relaxed);
        Self { positions, head }
    }

    /// Bytes that the reader has not released yet.
    pub(crate) fn used(&self) -> u64 {
        // Acquire: the reader is done with the bytes before they are written over.
        self.head
            .wrapping_sub(self.positions.tail.load(Ordering::Acquire))
    }

    /// Where a frame of `bytes` bytes can go.
    pub(crate) fn claim(&self, bytes: u64) -> Result<u64, SpoolFull> {
        let free = self.positions.size.saturating_sub(self.used());
        if bytes > free {
            return Err(SpoolFull {
                wanted_bytes: bytes,
                free_bytes: free,
            });
        }
        Ok(self.head)
    }

    /// The frame at the claimed place is complete. Release: its bytes come before.
    pub(crate) fn publish(&mut self, bytes: u64) {
        self.head = self.head.wrapping_add(bytes);
        self.positions.head.store(self.head, Ordering::Release);
    }
}

impl TailEnd {
    pub(crate) fn new(positions: Positions) -> Self {
        let tail = positions.tail.load(Ordering::Relaxed);
        Self { positions, tail }
    }

    /// Where the oldest frame is, and how many published bytes there are from there on.
    pub(crate) fn front(&self) -> (u64, u64) {
        let head = self.positions.head.load(Ordering::Acquire);
        (self.tail, head.wrapping_sub(self.tail))
    }

    /// Done with so many bytes.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.tail = self.tail.wrapping_add(bytes);
        self.positions.tail.store(self.tail, Ordering::Release);
    }
}

/// The drainer's end of the spool.
pub struct SpoolWriter {
    end: HeadEnd,
    bytes: NonNull<u8>,
}

/// The file writer's end of the spool. It may go to a thread of its own.
pub struct SpoolReader {
    end: TailEnd,
    bytes: NonNull<u8>,
}

// SAFETY: the spool's bytes lie in a mapping that is never given back; the positions keep writer and reader apart.
unsafe impl Send for SpoolWriter {}
// SAFETY: as above.
unsafe impl Send for SpoolReader {}

/// A frame in the spool; its payload is in two parts when it goes round the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What the writer tagged it with.
    pub tag: u64,
    /// The payload, the second part mostly empty.
    pub parts: [&'a [u8]; 2],
}

impl SpoolWriter {
    /// Publishes a frame: all of it, or nothing.
    ///
    /// # Errors
    /// There is no room for it now.
    pub fn push(&mut self, tag: u64, payload: &[u8]) -> Result<(), SpoolFull> {
        let bytes = frame_bytes(payload.len() as u64);
        let Ok(length) = u32::try_from(payload.len()) else {
            return Err(SpoolFull {
                wanted_bytes: bytes,
                free_bytes: self.end.positions.size,
            });
        };
        let at = self.end.claim(bytes)?;
        let mut head = [0; FRAME_HEAD_BYTES as usize];
        head[0..4].copy_from_slice(&length.to_le_bytes());
        head[4..8].copy_from_slice(&FRAME_MARK.to_le_bytes());
        head[8..16].copy_from_slice(&tag.to_le_bytes());
        self.copy_in(at, &head);
        self.copy_in(at.wrapping_add(FRAME_HEAD_BYTES), payload);
        self.end.publish(bytes);
        Ok(())
    }

    /// Bytes of the largest payload that fits when the spool is empty.
    #[must_use]
    pub fn max_payload_bytes(&self) -> u64 {
        self.end.positions.size - FRAME_HEAD_BYTES
    }

    /// Bytes of the spool.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.end.positions.size
    }

    /// Bytes that the reader has not released yet.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.end.used()
    }

    fn copy_in(&mut self, position: u64, from: &[u8]) {
        let at = (position % self.end.positions.size) as usize;
        let first = from.len().min(self.end.positions.size as usize - at);
        // SAFETY: the claimed range belongs to this writer alone; both parts lie within the spool.
        unsafe {
            let to = self.bytes.as_ptr();
            core::ptr::copy_nonoverlapping(from.as_ptr(), to.add(at), first);
            core::ptr::copy_nonoverlapping(from.as_ptr().add(first), to, from.len() - first);
        }
    }
}

impl SpoolReader {
    /// The oldest frame, if there is one. It stays in the spool, and is found after a crash, until [`pop`](Self::pop).
    pub fn front(&mut self) -> Option<Frame<'_>> {
        self.peek(0).map(|(frame, _)| frame)
    }

    /// The frame that begins `after` bytes behind the oldest one, if there is one, and where the next begins. The frames before
    /// it, back to the oldest, must not have been popped meanwhile: `after` is 0, or what an earlier call returned.
    pub fn peek(&self, after: u64) -> Option<(Frame<'_>, u64)> {
        let (tail, published) = self.end.front();
        let (at, ready) = (tail.wrapping_add(after), published.checked_sub(after)?);
        if ready < FRAME_HEAD_BYTES {
            return None;
        }
        let head = self.bytes_at(at, FRAME_HEAD_BYTES).concat();
        let length = u64::from(u32::from_le_bytes(head[0..4].try_into().ok()?));
        let tag = u64::from_le_bytes(head[8..16].try_into().ok()?);
        // No more than there is, whatever a stray write has made of positions and lengths.
        if frame_bytes(length) > ready.min(self.end.positions.size) {
            return None;
        }
        let parts = self.bytes_at(at.wrapping_add(FRAME_HEAD_BYTES), length);
        Some((Frame { tag, parts }, after + frame_bytes(length)))
    }

    /// Gives the oldest frame's room back: its bytes are safe elsewhere. Does nothing when there is none.
    pub fn pop(&mut self) {
        if let Some(frame) = self.front() {
            let payload = frame.parts[0].len() + frame.parts[1].len();
            self.end.release(frame_bytes(payload as u64));
        }
    }

    /// Bytes of published frames that were not popped.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.end.front().1
    }

    /// Bytes of the spool.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.end.positions.size
    }

    fn bytes_at(&self, position: u64, length: u64) -> [&[u8]; 2] {
        let at = (position % self.end.positions.size) as usize;
        let length = length as usize;
        let first = length.min(self.end.positions.size as usize - at);
        // SAFETY: published and not yet released: the writer leaves the range alone. Both parts lie within the spool,
        // since no frame is longer than it.
        unsafe {
            let from = self.bytes.as_ptr();
            [
                core::slice::from_raw_parts(from.add(at), first),
                core::slice::from_raw_parts(from, length - first),
            ]
        }
    }
}

/// Both ends of a spool.
///
/// # Safety
/// `bytes` leads to `positions.size` bytes that stay mapped for good and that nobody else touches; it is called once.
pub(crate) unsafe fn ends(positions: Positions, bytes: NonNull<u8>) -> (SpoolWriter, SpoolReader) {
    (
        SpoolWriter {
            end: HeadEnd::new(positions),
            bytes,
        },
        SpoolReader {
            end: TailEnd::new(positions),
            bytes,
        },
    )
}
