//! From slots of a ring to rows of a chunk.

use perf_arena::{Record, tag};
use perf_format::{
    AnnotationValue, ChunkEncoder, ChunkFull, EventId, LossEntry, RingId, Row, RunHead, Tag,
    ThreadId, TraceId,
};

use crate::loss;

/// Consecutive slots of one ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<'a> {
    pub(crate) ring: u32,
    pub(crate) thread: u32,
    /// Sequence number of the first.
    pub(crate) first_seq: u64,
    /// The processor that the thread runs on, if that is known.
    pub(crate) cpu: Option<u32>,
    /// Whole records with their payloads.
    pub(crate) records: &'a [Record],
}

/// What became of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Slots that were taken: fewer than there are if the chunk became full in between.
    pub(crate) slots: usize,
    /// Spans among them that ended before they began, and have the duration 0 now.
    pub(crate) reversed: u64,
}

/// Pushes the records of a block to `encoder`. Losses among them go to the chunk's ledger, and to `lost`.
pub(crate) fn push(
    encoder: &mut ChunkEncoder,
    slots: &Slots<'_>,
    lost: &mut impl FnMut(&LossEntry),
) -> Pushed {
    let mut pushed = Pushed::default();
    let head = RunHead {
        ring: RingId(slots.ring),
        thread: ThreadId(slots.thread),
        first_seq: slots.first_seq,
    };
    if encoder.begin_run(head).is_err() {
        return pushed;
    }
    if let Some(cpu) = slots.cpu {
        encoder.set_cpu(cpu);
    }
    let mut bytes = Vec::new();
    let mut taken = 0;
    loop {
        // Spans, counters, gauges, observations: nearly all there is.
        let rest = &slots.records[taken..];
        let mut top_bits = 0;
        let is_plain = |record: &&Record| {
            top_bits |= record.value();
            record.tag() < tag::ANNOTATION_STR
        };
        let plain = rest.iter().take_while(is_plain).count();
        let rows = encoder.push_rows(&rest[..plain], row);
        if top_bits & NEGATIVE != 0 {
            let reversed = rest[..rows].iter().filter(|record| is_reversed(record));
            pushed.reversed += reversed.count() as u64;
        }
        taken += rows;
        let Some(record) = slots.records.get(taken) else {
            break;
        };
        // A payload that is longer than the block can only come from a damaged arena.
        let payload_end = taken + 1 + record.payload_slots() as usize;
        let payload = slots.records.get(taken + 1..payload_end);
        let taken_in = match record.tag() {
            _ if record.is_stray() => push_stray(encoder, slots, lost),
            tag::PAD => Ok(()),
            tag::LOSS => push_loss(encoder, slots, record, lost),
            tag::ANNOTATION_STR | tag::ANNOTATION_INT | tag::ANNOTATION_FLOAT => {
                push_annotation(encoder, record, payload.unwrap_or_default(), &mut bytes)
            }
            _ => encoder.push(&row(record)),
        };
        if taken_in.is_err() {
            break;
        }
        taken = payload_end.min(slots.records.len());
    }
    // A staging block has at most as many slots as a chunk has rows.
    encoder.end_run(u32::try_from(taken).unwrap_or(u32::MAX));
    pushed.slots = taken;
    pushed
}

/// The bit of a duration that says that the clock stepped back over the span.
const NEGATIVE: u64 = 1 << 63;

fn is_reversed(record: &Record) -> bool {
    Tag(record.tag()).is_span() && record.value() & NEGATIVE != 0
}

#[inline]
pub(crate) fn row(record: &Record) -> Row {
    // A duration as long as 2⁶⁴ ticks would ruin every sum and maximum that it is in. Without a branch: nearly all are well.
    let is_negative = (record.value().cast_signed() >> 63).cast_unsigned();
    let is_span = u64::from(Tag(record.tag()).is_span()).wrapping_neg();
    Row {
        end_ticks: record.end_ticks(),
        value: record.value() & !(is_negative & is_span),
        trace: TraceId(record.trace()),
        event: EventId(record.event()),
        tag: Tag(record.tag()),
    }
}

pub(crate) fn push_loss(
    encoder: &mut ChunkEncoder,
    slots: &Slots<'_>,
    record: &Record,
    lost: &mut impl FnMut(&LossEntry),
) -> Result<(), ChunkFull> {
    let entry = LossEntry {
        ring: RingId(slots.ring),
        thread: ThreadId(slots.thread),
        cause: loss::cause_of_code(record.event()),
        count: record.value(),
        from_ticks: record.trace(),
        to_ticks: record.end_ticks(),
    };
    encoder.push_loss(entry)?;
    lost(&entry);
    Ok(())
}

/// A slot that a stray write has made into something that no thread records: its record is lost.
pub(crate) fn push_stray(
    encoder: &mut ChunkEncoder,
    slots: &Slots<'_>,
    lost: &mut impl FnMut(&LossEntry),
) -> Result<(), ChunkFull> {
    let entry = LossEntry {
        ring: RingId(slots.ring),
        thread: ThreadId(slots.thread),
        cause: loss::OVERWRITTEN,
        count: 1,
        ..LossEntry::default()
    };
    encoder.push_loss(entry)?;
    lost(&entry);
    Ok(())
}

pub(crate) fn push_annotation(
    encoder: &mut ChunkEncoder,
    record: &Record,
    payload: &[Record],
    bytes: &mut Vec<u8>,
) -> Result<(), ChunkFull> {
    bytes.clear();
    for slot in payload {
        for word in slot.0 {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    let (key, rest) = bytes.split_at(bytes.len().min(record.event() as usize));
    let value = match record.tag() {
        tag::ANNOTATION_STR => {
            AnnotationValue::Str(&rest[..rest.len().min(record.value() as usize)])
        }
        tag::ANNOTATION_INT => AnnotationValue::Int(record.value().cast_signed()),
        _ => AnnotationValue::Float(f64::from_bits(record.value())),
    };
    encoder.push_annotation(record.end_ticks(), TraceId(record.trace()), key, value)
}

#[cfg(test)]
mod tests {
    use perf_format::{EventsChunk, SegmentId};

    use super::*;

    #[test]
    fn a_stray_write_costs_one_record_and_is_told_of() {
        let span = |n: u64| Record::new(n, 1, 0, 7, tag::SPAN_OK);
        let claim = |tag: u8| Record([0, 0, 0, u64::from(tag) << 32 | 0xffff << 40]);
        let (annotation, padding) = (claim(tag::ANNOTATION_STR), claim(tag::PAD));
        let records = [span(1), annotation, span(2), span(3), padding, span(4)];
        let slots = Slots {
            ring: 1,
            thread: 2,
            first_seq: 0,
            cpu: None,
            records: &records,
        };
        let mut encoder = ChunkEncoder::new();
        let mut lost = 0;
        let pushed = push(&mut encoder, &slots, &mut |entry| lost += entry.count);
        assert_eq!((pushed.slots, lost), (records.len(), 2));
        let mut bytes = Vec::new();
        encoder.encode(0, SegmentId(0), &mut bytes);
        let chunk = EventsChunk::parse(&bytes, 0).expect("a chunk");
        let rows = chunk.decode_rows().expect("rows");
        let ends: Vec<_> = rows.iter().map(|row| row.end_ticks).collect();
        assert_eq!(ends, [1, 2, 3, 4]);
        let told: Vec<_> = chunk
            .losses()
            .iter()
            .map(|loss| (loss.ring.0, loss.cause, loss.count))
            .collect();
        assert_eq!(told, [(1, loss::OVERWRITTEN, 1); 2]);
        assert_eq!(chunk.ranges()[0].slots, 6);
    }
}
