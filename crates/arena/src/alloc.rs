//! Who gets which part of the arena. All of it is behind a lock, off the hot path: threads come here to get a ring and
//! the drainer to lay out spares.

use std::io;
use std::ptr::NonNull;

use crate::backing::Backing;
use crate::error::Warning;
use crate::layout::{
    MAX_BLOCKS, MAX_RINGS, MAX_SEGMENTS, MIN_SEGMENT_BYTES, PAGE_BYTES, Plan, Section,
};
use crate::record::RECORD_BYTES;
use crate::ring::{RING_HEAD_BYTES, SEGMENT_INFO_BYTES, Words};
use crate::slot::{BLOCK_BYTES, BLOCK_FREE, BLOCK_INFO_BYTES};
use crate::space::Space;
use crate::sync::Ordering;
use crate::sys;

/// How much of a section is allocated at a time.
const COMMIT_STEP: u64 = 64 << 10;
/// How much of a segment is allocated, or touched, at a time while rings fill up: half a millisecond's worth.
pub(crate) const PIECE_BYTES: u64 = 1 << 20;
/// A new segment takes at most this part of what is left, so that a thousand threads find room in a small arena.
const SHARE_OF_REST: u64 = 512;

/// What the arena has handed out, and what it can hand out again.
pub(crate) struct Allocator {
    pub(crate) backing: Backing,
    pub(crate) plan: Plan,
    data_used: u64,
    anonymous: Vec<(NonNull<u8>, usize)>,
    anonymous_bytes: u64,
    segments: u32,
    rings: u32,
    blocks: u32,
    free_segments: Vec<u32>,
    free_rings: Vec<u32>,
    free_blocks: Vec<u32>,
    /// Rings that the drainer has not seen yet.
    pub(crate) opened: Vec<u32>,
    warnings: Vec<Warning>,
    told: Vec<Warning>,
}

// SAFETY: the pointers are addresses of anonymous mappings that only the allocator releases.
unsafe impl Send for Allocator {}

/// A segment that was got.
pub(crate) struct Got {
    pub(crate) index: u32,
    /// Its pages have never been touched by this process.
    pub(crate) is_new: bool,
}

/// Memory that an arena has in use, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Shared memory of ring segments, in use or free for reuse.
    pub segment_bytes: u64,
    /// Of these, free for reuse.
    pub free_segment_bytes: u64,
    /// Anonymous memory of ring segments.
    pub anonymous_bytes: u64,
    /// Ring headers that were ever used.
    pub rings: u32,
    /// Blocks of open-span slots that were ever used.
    pub blocks: u32,
}

impl Allocator {
    pub(crate) fn new(backing: Backing, plan: Plan) -> Self {
        Self {
            backing,
            plan,
            data_used: 0,
            anonymous: Vec::new(),
            anonymous_bytes: 0,
            segments: 0,
            rings: 0,
            blocks: 0,
            free_segments: Vec::new(),
            free_rings: Vec::new(),
            free_blocks: Vec::new(),
            opened: Vec::new(),
            warnings: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Notes a warning, once.
    pub(crate) fn warn(&mut self, warning: Warning) {
        if !self.told.contains(&warning) {
            self.told.push(warning.clone());
            self.warnings.push(warning);
        }
    }

    pub(crate) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Makes sure that a section is allocated up to `end` bytes.
    pub(crate) fn commit(&self, space: &Space, section: Section, end: u64) -> io::Result<()> {
        let entry = space.header().section(section);
        let have = entry.committed_bytes();
        if end <= have {
            return Ok(());
        }
        let limit = self.plan.bytes[section as usize];
        if end > limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let to = end.next_multiple_of(COMMIT_STEP).min(limit);
        let from = self.plan.offset(section);
        let to = match self.backing.allocate(from + have, to - have) {
            Ok(()) => to,
            // Perhaps there is room for what is needed, though not for the whole step.
            Err(_) => {
                let to = end.next_multiple_of(PAGE_BYTES).min(limit);
                self.backing.allocate(from + have, to - have)?;
                to
            }
        };
        entry.committed_bytes.store(to, Ordering::Release);
        Ok(())
    }

    /// An unused ring header.
    pub(crate) fn ring(&mut self, space: &Space) -> Option<u32> {
        if let Some(index) = self.free_rings.pop() {
            return Some(index);
        }
        let index = self.rings;
        let end = (u64::from(index) + 1) * RING_HEAD_BYTES as u64;
        if index >= MAX_RINGS || self.commit(space, Section::Rings, end).is_err() {
            return None;
        }
        self.rings += 1;
        Some(index)
    }

    pub(crate) fn free_ring(&mut self, index: u32) {
        self.free_rings.push(index);
    }

    /// A block of slots, all clear.
    pub(crate) fn block(&mut self, space: &Space) -> Option<u32> {
        if let Some(index) = self.free_blocks.pop() {
            return Some(index);
        }
        let index = self.blocks;
        let count = u64::from(index) + 1;
        let infos = self.commit(space, Section::BlockInfos, count * BLOCK_INFO_BYTES as u64);
        let blocks = self.commit(space, Section::Blocks, count * BLOCK_BYTES as u64);
        if index >= MAX_BLOCKS || infos.is_err() || blocks.is_err() {
            return None;
        }
        self.blocks += 1;
        Some(index)
    }

    pub(crate) fn free_block(&mut self, space: &Space, index: u32) {
        if let Some(info) = space.block_info(index) {
            info.state.store(BLOCK_FREE, Ordering::Relaxed);
            info.next.store(0, Ordering::Relaxed);
        }
        self.free_blocks.push(index);
    }

    /// Ring headers that were ever used.
    pub(crate) fn rings(&self) -> u32 {
        self.rings
    }

    /// Blocks of slots that were ever used.
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The size for another segment when `wanted` bytes would be best: less when many threads share little memory.
    pub(crate) fn fair_bytes(&self, space: &Space, wanted: u64) -> u64 {
        let share = (self.rest(space) / SHARE_OF_REST).max(MIN_SEGMENT_BYTES);
        wanted.min(1 << share.ilog2())
    }

    /// Bytes of shared memory that segments can still take.
    pub(crate) fn rest(&self, space: &Space) -> u64 {
        self.plan.bytes[Section::Data as usize] - self.data_used + self.free_bytes(space)
    }

    fn free_bytes(&self, space: &Space) -> u64 {
        self.free_segments
            .iter()
            .map(|&it| bytes_of(space, it))
            .sum()
    }

    /// A segment of `wanted` bytes, a power of two: a free one, a new one, a smaller one, whatever is free.
    pub(crate) fn segment(&mut self, space: &Space, wanted: u64) -> io::Result<Got> {
        let mut failure = None;
        let mut bytes = wanted;
        while bytes >= MIN_SEGMENT_BYTES {
            if let Some(index) = self.take_free(space, |have| have == bytes) {
                return Ok(Got {
                    index,
                    is_new: false,
                });
            }
            match self.new_segment(space, bytes) {
                Ok(index) => {
                    return Ok(Got {
                        index,
                        is_new: true,
                    });
                }
                Err(error) => failure = Some(error),
            }
            bytes /= 2;
        }
        if let Some(index) = self.take_free(space, |have| have > wanted) {
            return Ok(Got {
                index,
                is_new: false,
            });
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::StorageFull.into()))
    }

    /// As [`segment`](Self::segment), or else anonymous memory, within the bounds that the data section has.
    pub(crate) fn segment_or_anonymous(&mut self, space: &Space, wanted: u64) -> io::Result<Got> {
        let failure = match self.segment(space, wanted) {
            Ok(got) => return Ok(got),
            Err(failure) => failure,
        };
        if matches!(self.backing, Backing::Closed)
            || self.anonymous_bytes + wanted > self.plan.bytes[Section::Data as usize]
        {
            return Err(failure);
        }
        let size = wanted as usize;
        let index = self.enter(space, 0, wanted)?;
        let at = sys::map_anonymous(size)?;
        space.set_data(index, at.cast::<Words>());
        self.segments += 1;
        self.anonymous.push((at, size));
        self.anonymous_bytes += wanted;
        self.warn(Warning::AnonymousSegment {
            reason: failure.to_string(),
        });
        Ok(Got {
            index,
            is_new: true,
        })
    }

    /// A segment of exactly this size, if shared memory has it.
    pub(crate) fn exact_segment(&mut self, space: &Space, bytes: u64) -> io::Result<Got> {
        if let Some(index) = self.take_free(space, |have| have == bytes) {
            return Ok(Got {
                index,
                is_new: false,
            });
        }
        let index = self.new_segment(space, bytes)?;
        Ok(Got {
            index,
            is_new: true,
        })
    }

    fn take_free(&mut self, space: &Space, fits: impl Fn(u64) -> bool) -> Option<u32> {
        let place = self
            .free_segments
            .iter()
            .rposition(|&index| fits(bytes_of(space, index)))?;
        Some(self.free_segments.swap_remove(place))
    }

    /// Allocates a piece of what the next segment of exactly this size needs. Says whether all of it is there, as it is if a
    /// free segment will do.
    pub(crate) fn ready_exact_segment(&self, space: &Space, bytes: u64) -> io::Result<bool> {
        let is_free = |&index: &u32| bytes_of(space, index) == bytes;
        if self.free_segments.iter().any(is_free) {
            return Ok(true);
        }
        let have = space.header().section(Section::Data).committed_bytes();
        let end = self.data_used + bytes;
        let piece_end = end.min(have + PIECE_BYTES);
        self.commit(space, Section::Data, piece_end)?;
        Ok(piece_end == end)
    }

    fn new_segment(&mut self, space: &Space, bytes: u64) -> io::Result<u32> {
        let offset = self.data_used;
        let end = offset + bytes;
        self.commit(space, Section::Data, end)?;
        let start = self.plan.offset(Section::Data);
        let index = self.enter(space, start + offset, bytes)?;
        // SAFETY: within the mapping: the plan has the data section last and the mapping is as long as the plan.
        let at = unsafe { space.base().byte_add((start + offset) as usize) };
        space.set_data(index, at.cast());
        self.data_used = end;
        self.segments += 1;
        Ok(index)
    }

    /// Writes the entry of the next segment.
    fn enter(&mut self, space: &Space, offset: u64, bytes: u64) -> io::Result<u32> {
        let index = self.segments;
        let end = (u64::from(index) + 1) * SEGMENT_INFO_BYTES as u64;
        if index >= MAX_SEGMENTS {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.commit(space, Section::Segments, end)?;
        let info = space.segment(index).ok_or(io::ErrorKind::StorageFull)?;
        info.offset.store(offset, Ordering::Relaxed);
        info.ring.store(0, Ordering::Relaxed);
        info.next.store(0, Ordering::Relaxed);
        info.slots
            .store((bytes / RECORD_BYTES as u64) as u32, Ordering::Relaxed);
        Ok(index)
    }

    pub(crate) fn free_segment(&mut self, space: &Space, index: u32) {
        if let Some(info) = space.segment(index) {
            info.ring.store(0, Ordering::Relaxed);
            info.next.store(0, Ordering::Relaxed);
        }
        self.free_segments.push(index);
    }

    pub(crate) fn memory(&self, space: &Space) -> Memory {
        Memory {
            segment_bytes: self.data_used,
            free_segment_bytes: self.free_bytes(space),
            anonymous_bytes: self.anonymous_bytes,
            rings: self.rings,
            blocks: self.blocks,
        }
    }

    /// Gives all memory back, to be called when the mapping's pages are already replaced.
    pub(crate) fn close(&mut self) -> Backing {
        for (at, bytes) in self.anonymous.drain(..) {
            // Threads that have not noticed yet may still store there, so the addresses stay.
            sys::release_anonymous(at, bytes);
        }
        std::mem::replace(&mut self.backing, Backing::Closed)
    }
}

/// Bytes of a segment; 0 when there is none.
pub(crate) fn bytes_of(space: &Space, index: u32) -> u64 {
    let info = space.segment(index);
    info.map_or(0, |it| {
        u64::from(it.slots.load(Ordering::Relaxed)) * RECORD_BYTES as u64
    })
}
