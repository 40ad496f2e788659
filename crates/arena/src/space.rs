//! Where the shared structures are: typed references into the mapping, checked against what is allocated.
//!
//! Under loom, whose atomics have a layout of their own, the same structures live in ordinary memory.

use crate::ring::{RingHead, SegmentInfo, Words};
use crate::slot::{BlockInfo, SlotBlock};
use crate::spare::Spares;

#[cfg(not(loom))]
pub(crate) use mapped::Space;
#[cfg(loom)]
pub(crate) use model::Space;

#[cfg(not(loom))]
mod mapped {
    use core::ptr::NonNull;
    use core::sync::atomic::{AtomicPtr, Ordering};

    use super::{BlockInfo, RingHead, SegmentInfo, SlotBlock, Spares, Words};
    use crate::layout::{Header, MAX_SEGMENTS, Section};

    /// An arena's address range. It is never given back, so references into it hold for good; when the arena is closed,
    /// private zero pages take the place of the shared ones.
    pub(crate) struct Space {
        base: NonNull<u8>,
        bytes: usize,
        /// Where each segment's slots are in this process; null = no such segment.
        data: Box<[AtomicPtr<Words>]>,
    }

    // SAFETY: `base` is a plain address; everything shared behind it is atomic, and what is not (staging, spool) is
    // reached only through handles that are unique.
    unsafe impl Send for Space {}
    // SAFETY: as above.
    unsafe impl Sync for Space {}

    impl Space {
        /// # Safety
        /// `base` is a mapping of `bytes` bytes, page aligned, that is never unmapped; its first page is allocated.
        pub(crate) unsafe fn new(base: NonNull<u8>, bytes: usize) -> Self {
            let data = (0..MAX_SEGMENTS)
                .map(|_| AtomicPtr::new(core::ptr::null_mut()))
                .collect();
            Self { base, bytes, data }
        }

        pub(crate) fn base(&self) -> NonNull<u8> {
            self.base
        }

        pub(crate) fn bytes(&self) -> usize {
            self.bytes
        }

        pub(crate) fn header(&self) -> &Header {
            // SAFETY: the first page is allocated and Header fits into it; its fields are atomics.
            unsafe { self.base.cast::<Header>().as_ref() }
        }

        /// The `index`th item of a section, if it is allocated.
        fn item<T>(&self, section: Section, index: u32) -> Option<&T> {
            let entry = self.header().section(section);
            let end = (u64::from(index) + 1) * size_of::<T>() as u64;
            if end > entry.committed_bytes() {
                return None;
            }
            let start = usize::try_from(entry.offset()).ok()?;
            if start == 0 {
                // The arena was closed since the line above: the header's page is zero now, and no section begins there.
                return None;
            }
            let offset = start + index as usize * size_of::<T>();
            // The header is written by this process alone, but a wrong offset must not become a wild reference.
            if offset.checked_add(size_of::<T>())? > self.bytes
                || !offset.is_multiple_of(align_of::<T>())
            {
                return None;
            }
            // SAFETY: in bounds of the mapping, aligned (the base is page aligned), allocated, and made of atomics only.
            Some(unsafe { self.base.byte_add(offset).cast::<T>().as_ref() })
        }

        pub(crate) fn ring(&self, index: u32) -> Option<&RingHead> {
            self.item(Section::Rings, index)
        }

        pub(crate) fn segment(&self, index: u32) -> Option<&SegmentInfo> {
            self.item(Section::Segments, index)
        }

        pub(crate) fn block(&self, index: u32) -> Option<&SlotBlock> {
            self.item(Section::Blocks, index)
        }

        pub(crate) fn block_info(&self, index: u32) -> Option<&BlockInfo> {
            self.item(Section::BlockInfos, index)
        }

        pub(crate) fn spares(&self) -> &Spares {
            &self.header().spares
        }

        /// The slots of a segment.
        pub(crate) fn data(&self, index: u32) -> Option<NonNull<Words>> {
            NonNull::new(self.data.get(index as usize)?.load(Ordering::Acquire))
        }

        /// Makes the slots of a segment known.
        pub(crate) fn set_data(&self, index: u32, at: NonNull<Words>) {
            if let Some(place) = self.data.get(index as usize) {
                place.store(at.as_ptr(), Ordering::Release);
            }
        }
    }
}

#[cfg(loom)]
mod model {
    use core::ptr::NonNull;

    use super::{BlockInfo, RingHead, SegmentInfo, SlotBlock, Spares, Words};
    use crate::slot::Slot;
    use crate::spare::Shelf;
    use crate::sync::AtomicU64;

    /// A few rings, segments and blocks, all tiny.
    pub(crate) struct Space {
        rings: Vec<RingHead>,
        segments: Vec<(SegmentInfo, Box<[Words]>)>,
        blocks: Vec<(BlockInfo, SlotBlock)>,
        spares: Spares,
    }

    impl Space {
        pub(crate) fn new(rings: u32, segment_slots: &[u32], blocks: u32) -> Self {
            let words = || core::array::from_fn(|_| AtomicU64::new(0));
            Self {
                rings: (0..rings).map(|_| RingHead::new()).collect(),
                segments: segment_slots
                    .iter()
                    .map(|&slots| {
                        (
                            SegmentInfo::new(slots),
                            (0..slots).map(|_| words()).collect(),
                        )
                    })
                    .collect(),
                blocks: (0..blocks)
                    .map(|_| {
                        let slots = core::array::from_fn(|_| Slot::new(0));
                        (BlockInfo::new(), SlotBlock { slots })
                    })
                    .collect(),
                spares: Spares {
                    segments: Shelf::new(),
                    blocks: Shelf::new(),
                },
            }
        }

        pub(crate) fn ring(&self, index: u32) -> Option<&RingHead> {
            self.rings.get(index as usize)
        }

        pub(crate) fn segment(&self, index: u32) -> Option<&SegmentInfo> {
            Some(&self.segments.get(index as usize)?.0)
        }

        pub(crate) fn data(&self, index: u32) -> Option<NonNull<Words>> {
            let slots = &self.segments.get(index as usize)?.1;
            NonNull::new(slots.as_ptr().cast_mut())
        }

        pub(crate) fn block(&self, index: u32) -> Option<&SlotBlock> {
            Some(&self.blocks.get(index as usize)?.1)
        }

        pub(crate) fn block_info(&self, index: u32) -> Option<&BlockInfo> {
            Some(&self.blocks.get(index as usize)?.0)
        }

        pub(crate) fn spares(&self) -> &Spares {
            &self.spares
        }
    }
}
