//! The spans that were open when the process died.

use std::collections::HashMap;
use std::mem::offset_of;

use super::Reader;
use super::source::Fields;
use crate::layout::{MAX_BLOCKS, MAX_RINGS, Section};
use crate::open::{OpenSpan, ending_ring, is_published};
use crate::ring::{RING_HEAD_BYTES, RingHead};
use crate::slot::{
    BLOCK_BYTES, BLOCK_FREE, BLOCK_INFO_BYTES, BLOCK_SLOTS, BlockInfo, SLOT_BYTES, Slot,
};

impl Reader<'_> {
    /// The spans that had begun and not ended. One whose record was published, but whose slot was not yet cleared, is not
    /// among them.
    pub fn open_spans(&mut self) -> Vec<OpenSpan> {
        let blocks = self
            .items(Section::Blocks, BLOCK_BYTES, MAX_BLOCKS)
            .min(self.items(Section::BlockInfos, BLOCK_INFO_BYTES, MAX_BLOCKS));
        let mut heads = HashMap::new();
        let mut found = Vec::new();
        for index in 0..u64::from(blocks) {
            let info_at = index * BLOCK_INFO_BYTES as u64;
            let Some(info) = self.section(Section::BlockInfos, info_at, BLOCK_INFO_BYTES as u64)
            else {
                break;
            };
            let fields = Fields(&info);
            if fields.u32(offset_of!(BlockInfo, state)) == BLOCK_FREE {
                continue;
            }
            let thread = fields.u32(offset_of!(BlockInfo, thread));
            let Some(block) = self.section(
                Section::Blocks,
                index * BLOCK_BYTES as u64,
                BLOCK_BYTES as u64,
            ) else {
                break;
            };
            for slot in block.chunks_exact(SLOT_BYTES).take(BLOCK_SLOTS) {
                let slot = Fields(slot);
                let start_ticks = slot.u64(offset_of!(Slot, start));
                let mark = slot.u64(offset_of!(Slot, event));
                let ended = ending_ring(mark).is_some_and(|ring| {
                    let head = *heads.entry(ring).or_insert_with(|| self.ring_head(ring));
                    head.is_some_and(|head| is_published(mark, head))
                });
                if start_ticks != 0 && !ended {
                    found.push(OpenSpan {
                        start_ticks,
                        trace: slot.u64(offset_of!(Slot, trace)),
                        event: mark as u32,
                        thread,
                    });
                }
            }
        }
        found
    }

    /// The head of the ring with this index.
    fn ring_head(&mut self, index: u32) -> Option<u64> {
        if index >= self.items(Section::Rings, RING_HEAD_BYTES, MAX_RINGS) {
            return None;
        }
        let at = u64::from(index) * RING_HEAD_BYTES as u64;
        let head = self.section(Section::Rings, at + offset_of!(RingHead, head) as u64, 8)?;
        Some(Fields(&head).u64(0))
    }
}
