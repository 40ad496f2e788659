//! Event names, the staging area and the spool of a dead arena.

use std::mem::offset_of;

use super::Reader;
use super::rings::records_of;
use super::source::Fields;
use crate::consumer::whole_records;
use crate::layout::{Header, Section};
use crate::names::EventEntry;
use crate::record::{RECORD_BYTES, Record};
use crate::spool::{FRAME_HEAD_BYTES, FRAME_MARK, frame_bytes};

/// Records of one ring that were drained and in no published chunk, or in one that was just being published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StagedRun {
    /// The ring's id.
    pub ring: u32,
    /// The thread's number in the capture.
    pub thread: u32,
    /// Sequence number of the first slot.
    pub first_seq: u64,
    /// Whole records with their payloads.
    pub records: Vec<Record>,
}

/// A chunk that was encoded and perhaps not yet written to the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpooledChunk {
    /// What the recorder tagged it with.
    pub tag: u64,
    /// The chunk's bytes.
    pub bytes: Vec<u8>,
}

impl Reader<'_> {
    /// The events, in the order of their registration.
    pub fn events(&mut self) -> Vec<EventEntry> {
        let used = self.fields().u64(offset_of!(Header, names_used));
        let Some(bytes) = self.section(Section::Names, 0, used) else {
            return Vec::new();
        };
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while let Some((entry, taken)) = EventEntry::decode(rest) {
            events.push(entry);
            rest = &rest[taken..];
        }
        if !rest.is_empty() {
            let at = self.sections[Section::Names as usize].offset + used - rest.len() as u64;
            self.note(at, "an event entry that makes no sense".into());
        }
        events
    }

    /// The records of the staging area, block by block. They are in order within a ring.
    pub fn staged(&mut self) -> Vec<StagedRun> {
        let width = RECORD_BYTES as u64;
        let slots = self.fields().u64(offset_of!(Header, staging_used));
        let Some(bytes) = slots
            .checked_mul(width)
            .and_then(|bytes| self.section(Section::Staging, 0, bytes))
        else {
            return Vec::new();
        };
        let start = self.sections[Section::Staging as usize].offset;
        let mut runs = Vec::new();
        let mut rest = &bytes[..];
        while let Some((head, after)) = rest.split_at_checked(RECORD_BYTES) {
            let at = start + (bytes.len() - rest.len()) as u64;
            let fields = Fields(head);
            let wanted = u64::from(fields.u32(16)) * width;
            let have = wanted.min(after.len() as u64) as usize;
            let (block, next) = after.split_at(have);
            rest = next;
            let mut records = records_of(block);
            let whole = whole_records(&records);
            if wanted == 0 || wanted > have as u64 || whole < records.len() {
                self.note(at, format!("a staging block of {wanted} bytes, {have} are there, {whole} slots are whole records"));
            }
            records.truncate(whole);
            runs.push(StagedRun {
                ring: fields.u32(0),
                thread: fields.u32(4),
                first_seq: fields.u64(8),
                records,
            });
        }
        runs
    }

    /// The chunks of the spool, oldest first. The first may be in the file already, whole or in part.
    pub fn spooled(&mut self) -> Vec<SpooledChunk> {
        let head = self.fields().u64(offset_of!(Header, spool_head));
        let mut at = self.fields().u64(offset_of!(Header, spool_tail));
        let range = self.sections[Section::Spool as usize];
        let mut chunks = Vec::new();
        if head.wrapping_sub(at) > range.bytes {
            self.note(
                offset_of!(Header, spool_head) as u64,
                format!(
                    "the spool is said to hold {} of {} bytes",
                    head.wrapping_sub(at),
                    range.bytes
                ),
            );
            return chunks;
        }
        while at != head {
            let ready = head.wrapping_sub(at);
            let Some(frame) = self.spool_bytes(at, FRAME_HEAD_BYTES.min(ready)) else {
                break;
            };
            let fields = Fields(&frame);
            let (length, mark) = (u64::from(fields.u32(0)), fields.u32(4));
            if ready < FRAME_HEAD_BYTES || mark != FRAME_MARK || frame_bytes(length) > ready {
                let place = range.offset + at % range.bytes.max(1);
                self.note(
                    place,
                    format!(
                        "a spool frame of {length} bytes with mark {mark:#x}, {ready} are there"
                    ),
                );
                break;
            }
            let tag = fields.u64(8);
            let Some(bytes) = self.spool_bytes(at.wrapping_add(FRAME_HEAD_BYTES), length) else {
                break;
            };
            chunks.push(SpooledChunk { tag, bytes });
            at = at.wrapping_add(frame_bytes(length));
        }
        chunks
    }

    /// Copies bytes of the spool, which may go round its end.
    fn spool_bytes(&mut self, position: u64, length: u64) -> Option<Vec<u8>> {
        let size = self.sections[Section::Spool as usize].bytes;
        let at = position.checked_rem(size)?;
        let first = length.min(size - at);
        let mut bytes = self.section(Section::Spool, at, first)?;
        bytes.extend(self.section(Section::Spool, 0, length - first)?);
        Some(bytes)
    }
}
