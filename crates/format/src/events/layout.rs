//! The tables in the head of an Events chunk.

use crate::bytes::{Cursor, Put};
use crate::chunk::Frame;
use crate::error::{FormatError, Result, within};
use crate::{EventId, LossCause, LossEntry, RingId, SeriesKey, Tag, ThreadId, limits};

/// Bytes of the counts before the tables.
const COUNTS_BYTES: usize = 24;
pub(super) const RANGE_BYTES: usize = 32;
pub(super) const SERIES_BYTES: usize = 24;
pub(super) const LOSS_BYTES: usize = 40;

/// A run of rows of one ring, in recorded order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// The ring.
    pub ring: RingId,
    /// The thread that recorded.
    pub thread: ThreadId,
    /// Number, in the ring, of the first slot of 32 bytes.
    pub first_seq: u64,
    /// Slots that the rows took, with the texts of annotations and loss records.
    pub slots: u32,
    /// Rows.
    pub rows: u32,
    /// End of the first row, in ticks; 0 without rows.
    pub first_end: u64,
}

/// A series of a chunk: what rows share that differ only in time, value and trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Series {
    /// Event and tag.
    pub key: SeriesKey,
    /// Rows.
    pub rows: u32,
    /// Where its blocks begin in the VALUE column.
    pub value_offset: u32,
    /// Largest value: as u64 for spans and observations, as i64 for signed tags
    /// (see [`Tag::is_signed`]), 0 for the others.
    pub max_value: u64,
}

/// Everything in the head of an Events chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct EventTables {
    pub(super) ranges: Vec<Range>,
    pub(super) series: Vec<Series>,
    pub(super) losses: Vec<LossEntry>,
    pub(super) strings: usize,
    pub(super) traces: usize,
    pub(super) trace_runs: usize,
}

impl EventTables {
    /// Reads and checks the tables of `frame`.
    pub(super) fn parse(frame: &Frame<'_>) -> Result<EventTables> {
        let offset = frame.offset;
        let mut cursor = Cursor::new(frame.tables, offset, "the tables of an Events chunk");
        let mut count = |what, limit| within(offset, what, cursor.u32()?.into(), limit);
        let ranges = count("the number of ranges", limits::MAX_CHUNK_RANGES)?;
        let series = count("the number of series", limits::MAX_CHUNK_SERIES)?;
        let losses = count("the number of loss entries", limits::MAX_CHUNK_LOSSES)?;
        let strings = count("the number of strings", limits::MAX_CHUNK_STRINGS)?;
        let traces = count("the number of traces", limits::MAX_CHUNK_ROWS)?;
        let trace_runs = count("the number of trace runs", limits::MAX_CHUNK_ROWS)?;
        let expected =
            COUNTS_BYTES + ranges * RANGE_BYTES + series * SERIES_BYTES + losses * LOSS_BYTES;
        // Longer is allowed: a later minor version may add tables at the end.
        if frame.tables.len() < expected {
            return Err(FormatError::malformed(
                offset,
                "the tables of an Events chunk",
                expected,
                frame.tables.len(),
            ));
        }
        let mut tables = EventTables {
            strings,
            traces,
            trace_runs,
            ..EventTables::default()
        };
        tables.ranges = (0..ranges)
            .map(|_| take_range(&mut cursor))
            .collect::<Result<_>>()?;
        tables.series = (0..series)
            .map(|_| take_series(&mut cursor))
            .collect::<Result<_>>()?;
        tables.losses = (0..losses)
            .map(|_| take_loss(&mut cursor))
            .collect::<Result<_>>()?;
        tables.check(frame)?;
        Ok(tables)
    }

    fn check(&self, frame: &Frame<'_>) -> Result<()> {
        let offset = frame.offset;
        let rows = within(
            offset,
            "the rows of a chunk",
            frame.head.record_count.into(),
            limits::MAX_CHUNK_ROWS,
        )? as u64;
        let in_ranges: u64 = self.ranges.iter().map(|range| u64::from(range.rows)).sum();
        if in_ranges != rows {
            return Err(FormatError::malformed(
                offset,
                "the rows of all ranges",
                rows,
                in_ranges,
            ));
        }
        let in_series: u64 = self
            .series
            .iter()
            .map(|series| u64::from(series.rows))
            .sum();
        if in_series != rows {
            return Err(FormatError::malformed(
                offset,
                "the rows of all series",
                rows,
                in_series,
            ));
        }
        let disordered = self
            .series
            .windows(2)
            .any(|pair| pair[0].value_offset > pair[1].value_offset);
        if disordered
            || self
                .series
                .first()
                .is_some_and(|series| series.value_offset != 0)
        {
            return Err(FormatError::malformed(
                offset,
                "the value offsets of the series",
                "from 0, rising",
                "others",
            ));
        }
        Ok(())
    }
}

pub(super) fn put_counts(counts: [usize; 6], out: &mut Vec<u8>) {
    counts.iter().for_each(|&count| out.put_u32(count as u32));
}

pub(super) fn put_range(range: &Range, out: &mut Vec<u8>) {
    out.put_u32(range.ring.0);
    out.put_u32(range.thread.0);
    out.put_u64(range.first_seq);
    out.put_u32(range.slots);
    out.put_u32(range.rows);
    out.put_u64(range.first_end);
}

fn take_range(cursor: &mut Cursor<'_>) -> Result<Range> {
    Ok(Range {
        ring: RingId(cursor.u32()?),
        thread: ThreadId(cursor.u32()?),
        first_seq: cursor.u64()?,
        slots: cursor.u32()?,
        rows: cursor.u32()?,
        first_end: cursor.u64()?,
    })
}

pub(super) fn put_series(series: &Series, out: &mut Vec<u8>) {
    out.put_u32(series.key.event.0);
    out.put_u32(series.key.tag.0.into());
    out.put_u32(series.rows);
    out.put_u32(series.value_offset);
    out.put_u64(series.max_value);
}

fn take_series(cursor: &mut Cursor<'_>) -> Result<Series> {
    let event = EventId(cursor.u32()?);
    let tag = Tag(cursor.u8()?);
    cursor.take(3)?;
    let (rows, value_offset, max_value) = (cursor.u32()?, cursor.u32()?, cursor.u64()?);
    Ok(Series {
        key: SeriesKey { event, tag },
        rows,
        value_offset,
        max_value,
    })
}

pub(super) fn put_loss(loss: &LossEntry, out: &mut Vec<u8>) {
    out.put_u32(loss.ring.0);
    out.put_u32(loss.thread.0);
    out.put_u32(loss.cause.0);
    out.put_u32(0);
    out.put_u64(loss.count);
    out.put_u64(loss.from_ticks);
    out.put_u64(loss.to_ticks);
}

fn take_loss(cursor: &mut Cursor<'_>) -> Result<LossEntry> {
    let (ring, thread) = (RingId(cursor.u32()?), ThreadId(cursor.u32()?));
    let cause = LossCause(cursor.u32()?);
    cursor.u32()?;
    let (count, from_ticks, to_ticks) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
    Ok(LossEntry {
        ring,
        thread,
        cause,
        count,
        from_ticks,
        to_ticks,
    })
}
