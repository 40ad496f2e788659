//! The rings of a dead arena, and the records that were published in them and not drained.

use std::collections::HashSet;
use std::mem::offset_of;

use super::source::Fields;
use super::{Reader, losses};
use crate::consumer::{earlier, whole_records};
use crate::layout::{MAX_RINGS, MAX_SEGMENT_BYTES, MAX_SEGMENTS, Section};
use crate::loss::Loss;
use crate::record::{RECORD_BYTES, Record};
use crate::ring::{
    MODE_OVERWRITE, RING_CLOSING, RING_FREE, RING_HEAD_BYTES, RING_OWNED, RingHead,
    SEGMENT_INFO_BYTES, SegmentInfo, THREAD_NAME_BYTES,
};

/// What a ring was doing when its process died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingState {
    /// A thread recorded into it.
    Owned,
    /// Its thread had left it.
    Closing,
}

/// A ring that was in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingInfo {
    /// Its id.
    pub ring: u32,
    /// The thread's number in the capture.
    pub thread: u32,
    /// The kernel's id of the thread.
    pub os_thread: u32,
    /// The thread's name.
    pub name: String,
    /// What it was doing.
    pub state: RingState,
    /// Sequence number after the last published slot.
    pub head: u64,
    /// Sequence number of the first slot that was not drained.
    pub tail: u64,
    /// What it had lost, by cause. Exact: `total` less what all loss records of this ring, wherever they are, tell of, is
    /// what nobody was told of. `reported` says the same unless the process died between two stores.
    pub losses: Vec<Loss>,
    index: u32,
    segment: u32,
    reserved: u64,
    overwrites: bool,
}

/// Consecutive records of a ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Sequence number of the first slot.
    pub first_seq: u64,
    /// Whole records with their payloads.
    pub records: Vec<Record>,
}

/// What a ring held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RingRecords {
    /// The records that were published and not drained, in order; in several runs where slots are missing between.
    pub runs: Vec<Run>,
    /// Slots that were in anonymous memory and died with the process.
    pub volatile_slots: u64,
    /// Slots that should be there and could not be read.
    pub damaged_slots: u64,
}

struct SegmentFields {
    offset: u64,
    slots: u64,
    next: Option<u32>,
    base_seq: u64,
}

impl Reader<'_> {
    /// The rings that were in use. Each id is given once.
    pub fn rings(&mut self) -> Vec<RingInfo> {
        let mut found = Vec::new();
        let mut ids = HashSet::new();
        for index in 0..self.items(Section::Rings, RING_HEAD_BYTES, MAX_RINGS) {
            let from = u64::from(index) * RING_HEAD_BYTES as u64;
            let Some(head) = self.section(Section::Rings, from, RING_HEAD_BYTES as u64) else {
                break;
            };
            let fields = Fields(&head);
            let at = self.sections[Section::Rings as usize].offset + from;
            let state = match fields.u32(offset_of!(RingHead, state)) {
                RING_FREE => continue,
                RING_OWNED => RingState::Owned,
                RING_CLOSING => RingState::Closing,
                other => {
                    self.note(at, format!("ring state {other}"));
                    continue;
                }
            };
            let ring = ring_info(fields, index, state);
            if ids.insert(ring.ring) {
                found.push(ring);
            } else {
                self.note(at, format!("ring id {} a second time", ring.ring));
            }
        }
        found
    }

    /// The records of a ring from its tail to its head. Each segment is read once in a reader's life.
    pub fn records(&mut self, ring: &RingInfo) -> RingRecords {
        let mut found = RingRecords::default();
        let published = ring.head.wrapping_sub(ring.tail).cast_signed();
        if published < 0 {
            self.note_ring(ring, "its tail is ahead of its head".into());
            return found;
        }
        let mut next = ring.tail;
        let mut segment = ring.segment.checked_sub(1);
        while next != ring.head {
            let Some(index) = segment else {
                self.note_ring(ring, format!("no segment holds slot {next}"));
                break;
            };
            let Some(fields) = self.segment_fields(ring, index) else {
                break;
            };
            // A tail before the segment: it was about to move on when the process died, and what lies between is staged.
            if fields.base_seq.wrapping_sub(next).cast_signed() > 0 {
                next = earlier(fields.base_seq, ring.head);
            }
            let end = self.segment_end(ring, &fields);
            if end.wrapping_sub(next).cast_signed() < 0 {
                self.note_ring(
                    ring,
                    format!("segment {index} ends at slot {end}, before slot {next}"),
                );
                break;
            }
            self.take_segment(ring, &fields, &mut next, end, &mut found);
            if next != end {
                break;
            }
            segment = fields.next;
        }
        found.damaged_slots += ring.head.wrapping_sub(next);
        found
    }

    /// Where the part of the ring that a segment holds ends.
    fn segment_end(&mut self, ring: &RingInfo, fields: &SegmentFields) -> u64 {
        let base = fields.next.and_then(|next| {
            let entry = self.segment_entry(next)?;
            Some(Fields(&entry).u64(offset_of!(SegmentInfo, base_seq)))
        });
        base.map_or(ring.head, |base| earlier(ring.head, base))
    }

    /// Takes the slots from `next` to `end`, and moves `next` there. It stays where it is if they cannot be had.
    fn take_segment(
        &mut self,
        ring: &RingInfo,
        segment: &SegmentFields,
        next: &mut u64,
        end: u64,
        found: &mut RingRecords,
    ) {
        if ring.overwrites {
            let oldest = ring.reserved.wrapping_sub(segment.slots);
            if oldest.wrapping_sub(*next).cast_signed() > 0 {
                *next = earlier(oldest, end);
            }
        }
        let count = end.wrapping_sub(*next);
        if count == 0 {
            return;
        }
        if count > segment.slots {
            self.note_ring(
                ring,
                format!("{count} slots in a segment of {}", segment.slots),
            );
            return;
        }
        if segment.offset == 0 {
            found.volatile_slots += count;
            *next = end;
            return;
        }
        let Some(records) = self.slots(segment, *next, count) else {
            return;
        };
        let whole = whole_records(&records);
        if whole < records.len() {
            self.note_ring(
                ring,
                format!("the record at slot {whole} of {count} is not whole"),
            );
            found.damaged_slots += (records.len() - whole) as u64;
        }
        let mut records = records;
        records.truncate(whole);
        found.runs.push(Run {
            first_seq: *next,
            records,
        });
        *next = end;
    }

    /// Copies `count` slots from `first` on, which may go round the segment's end.
    fn slots(&mut self, segment: &SegmentFields, first: u64, count: u64) -> Option<Vec<Record>> {
        let at = first & (segment.slots - 1);
        let before_wrap = count.min(segment.slots - at);
        let start = self.sections[Section::Data as usize].offset;
        let from = segment.offset.checked_sub(start)?;
        let width = RECORD_BYTES as u64;
        let Some(left) = self.data_left.checked_sub(count * width) else {
            self.note(segment.offset, "segments overlap".into());
            return None;
        };
        self.data_left = left;
        let mut bytes = self.section(
            Section::Data,
            from.checked_add(at * width)?,
            before_wrap * width,
        )?;
        bytes.extend(self.section(Section::Data, from, (count - before_wrap) * width)?);
        Some(records_of(&bytes))
    }

    fn segment_entry(&mut self, index: u32) -> Option<Vec<u8>> {
        if index >= MAX_SEGMENTS {
            return None;
        }
        let from = u64::from(index) * SEGMENT_INFO_BYTES as u64;
        self.section(Section::Segments, from, SEGMENT_INFO_BYTES as u64)
    }

    /// A segment's entry, if it makes sense, is the ring's, and was not read before.
    fn segment_fields(&mut self, ring: &RingInfo, index: u32) -> Option<SegmentFields> {
        let Some(entry) = self.segment_entry(index) else {
            self.note_ring(ring, format!("there is no segment {index}"));
            return None;
        };
        let fields = Fields(&entry);
        let slots = fields.u32(offset_of!(SegmentInfo, slots));
        let owner = fields.u32(offset_of!(SegmentInfo, ring));
        let fits =
            slots.is_power_of_two() && u64::from(slots) * RECORD_BYTES as u64 <= MAX_SEGMENT_BYTES;
        if !fits || owner != ring.ring {
            self.note_ring(
                ring,
                format!("segment {index} has {slots} slots and belongs to ring {owner}"),
            );
            return None;
        }
        if !self.seen_segments.insert(index) {
            self.note_ring(ring, format!("segment {index} a second time"));
            return None;
        }
        Some(SegmentFields {
            offset: fields.u64(offset_of!(SegmentInfo, offset)),
            slots: u64::from(slots),
            next: fields.u32(offset_of!(SegmentInfo, next)).checked_sub(1),
            base_seq: fields.u64(offset_of!(SegmentInfo, base_seq)),
        })
    }

    fn note_ring(&mut self, ring: &RingInfo, what: String) {
        let start = self.sections[Section::Rings as usize].offset;
        let at = start + u64::from(ring.index) * RING_HEAD_BYTES as u64;
        self.note(at, format!("ring {}: {what}", ring.ring));
    }
}

fn ring_info(fields: Fields<'_>, index: u32, state: RingState) -> RingInfo {
    let name = fields
        .0
        .get(offset_of!(RingHead, name)..)
        .unwrap_or_default();
    let length = (fields.u32(offset_of!(RingHead, name_len)) as usize).min(THREAD_NAME_BYTES);
    RingInfo {
        ring: fields.u32(offset_of!(RingHead, id)),
        thread: fields.u32(offset_of!(RingHead, thread)),
        os_thread: fields.u32(offset_of!(RingHead, os_thread)),
        name: String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned(),
        state,
        head: fields.u64(offset_of!(RingHead, head)),
        tail: fields.u64(offset_of!(RingHead, tail)),
        losses: losses(fields, offset_of!(RingHead, loss)),
        index,
        segment: fields.u32(offset_of!(RingHead, segment)),
        reserved: fields.u64(offset_of!(RingHead, reserved)),
        overwrites: fields.u32(offset_of!(RingHead, mode)) == MODE_OVERWRITE,
    }
}

/// The records that these bytes are.
pub(super) fn records_of(bytes: &[u8]) -> Vec<Record> {
    let words = |slot: &[u8]| {
        let fields = Fields(slot);
        Record(std::array::from_fn(|word| fields.u64(word * 8)))
    };
    bytes.chunks_exact(RECORD_BYTES).map(words).collect()
}
