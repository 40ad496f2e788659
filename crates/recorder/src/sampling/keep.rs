//! The kept ones of a block, pushed to a chunk of their own.

use perf_arena::{Record, tag};
use perf_format::{ChunkEncoder, ChunkFull, Extra, RingId, RunHead, Tag, ThreadId};

use super::{Row, Sampler, lone};
use crate::rows::{self, Slots};

/// Which records a chunk keeps.
pub(crate) struct Keeping<'s> {
    pub(crate) sampler: &'s Sampler,
    /// Ring and number of two records that the chunk keeps whatever becomes of their traces: those with its first and last end.
    /// So the chunk's head tells the times of all its records.
    pub(crate) bounds: [Option<(u32, u64)>; 2],
}

impl Keeping<'_> {
    fn choose(&self, ring: u32, seq: u64, record: &Record) -> Option<Extra> {
        let row = rows::row(record);
        let chosen = self.sampler.choose(&Row {
            ring,
            seq,
            trace: row.trace.0,
            event: row.event.0,
            tag: row.tag,
            value: row.value,
        });
        let bounds = || self.bounds.contains(&Some((ring, seq)));
        chosen.or_else(|| bounds().then(lone))
    }
}

/// Pushes the kept records of a block to `encoder`, in a range that takes the whole block. Losses go to the ledger;
/// whoever pushed all records has counted them.
///
/// # Errors
/// The chunk is full. One that holds part of what another one holds is not.
pub(crate) fn push_kept(
    encoder: &mut ChunkEncoder,
    slots: &Slots<'_>,
    keeping: &Keeping<'_>,
) -> Result<(), ChunkFull> {
    encoder.begin_run(RunHead {
        ring: RingId(slots.ring),
        thread: ThreadId(slots.thread),
        first_seq: slots.first_seq,
    })?;
    if let Some(cpu) = slots.cpu {
        encoder.set_cpu(cpu);
    }
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(record) = slots.records.get(at) {
        let payload_end = at + 1 + record.payload_slots() as usize;
        let payload = slots.records.get(at + 1..payload_end).unwrap_or_default();
        let seq = slots.first_seq.wrapping_add(at as u64);
        at = payload_end;
        match record.tag() {
            _ if record.is_stray() => rows::push_stray(encoder, slots, &mut |_| {})?,
            tag::PAD => {}
            tag::LOSS => rows::push_loss(encoder, slots, record, &mut |_| {})?,
            of_record => {
                let Some(extra) = keeping.choose(slots.ring, seq, record) else {
                    continue;
                };
                if Tag(of_record).is_annotation() {
                    rows::push_annotation(encoder, record, payload, &mut bytes)?;
                } else {
                    encoder.push(&rows::row(record))?;
                }
                if extra != Extra::default() {
                    encoder.set_extra(encoder.rows() - 1, extra);
                }
            }
        }
    }
    encoder.end_run(u32::try_from(slots.records.len()).unwrap_or(u32::MAX));
    Ok(())
}
