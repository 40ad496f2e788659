//! A chunk out: the collected rows, grouped and packed.

use super::ChunkEncoder;
use super::encoder::Run;
use super::layout::{self, Range};
use crate::chunk::{ChunkBuilder, ChunkHead, ChunkKind, ColumnId, encoding};
use crate::packed::{BLOCK, Block, Extent, Modes, encode, encode_block};
use crate::{SegmentId, Tag};

impl ChunkEncoder {
    /// Puts the rows in the order of rings and sequence numbers and the values in
    /// that of series. No row can be pushed afterwards. Called by
    /// [`ChunkEncoder::roll_into`] and [`ChunkEncoder::encode`] if need be.
    pub fn group(&mut self) {
        if self.is_grouped {
            return;
        }
        self.is_grouped = true;
        self.is_open = false;
        self.order_runs();
        self.traces.order(self.runs.iter().map(Run::rows));
        self.grouped.resize(self.rows, 0);
        if self.series.len() == 1 {
            let mut grouped = self.grouped.as_mut_slice();
            for run in &self.runs {
                let (mine, rest) = grouped.split_at_mut(run.range.rows as usize);
                mine.copy_from_slice(&self.values[run.rows()]);
                grouped = rest;
            }
            return;
        }
        let mut next: Vec<u32> = Vec::with_capacity(self.series.len());
        let mut total = 0;
        for series in &self.series {
            next.push(total);
            total += series.rows;
        }
        let grouped = self.grouped.as_mut_slice();
        for run in &self.runs {
            for (&series, &value) in self.series_of[run.rows()]
                .iter()
                .zip(&self.values[run.rows()])
            {
                let slot = &mut next[usize::from(series)];
                grouped[*slot as usize] = value;
                *slot += 1;
            }
        }
    }

    /// Counts the rows of the runs, sorts them, and marks those that go on where
    /// the one before ended.
    fn order_runs(&mut self) {
        let mut end = self.rows;
        for run in self.runs.iter_mut().rev() {
            run.range.rows = (end - run.start) as u32;
            run.range.slots = run.range.slots.max(run.range.rows);
            run.range.first_end = if run.range.rows > 0 {
                self.ends[run.start]
            } else {
                0
            };
            end = run.start;
        }
        self.runs.retain(|run| run.range.slots > 0);
        self.runs.sort_by_key(|run| run.range.ring);
        let same_ring = |a: &Run, b: &Run| a.range.ring == b.range.ring;
        for runs in self.runs.chunk_by_mut(same_ring) {
            // Slot numbers wrap: what counts is how far each is from another one.
            let origin = runs[0].range.first_seq;
            runs.sort_by_key(|run| run.range.first_seq.wrapping_sub(origin) as i64);
        }
        let mut slots = 0u32;
        for index in 1..self.runs.len() {
            let (before, run) = (self.runs[index - 1].range, &mut self.runs[index]);
            let follows = before.ring == run.range.ring
                && before.thread == run.range.thread
                && before.first_seq.wrapping_add(before.slots.into()) == run.range.first_seq;
            // The slots of a range are a u32 all together.
            let joined = slots
                .checked_add(before.slots)
                .and_then(|sum| sum.checked_add(run.range.slots));
            run.continues = follows && joined.is_some();
            slots = if run.continues {
                slots + before.slots
            } else {
                0
            };
        }
    }

    /// The runs, joined where one goes on where another ended.
    fn ranges(&self) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for run in &self.runs {
            match ranges.last_mut().filter(|_| run.continues) {
                Some(range) => {
                    if range.rows == 0 {
                        range.first_end = run.range.first_end;
                    }
                    range.slots += run.range.slots;
                    range.rows += run.range.rows;
                }
                None => ranges.push(run.range),
            }
        }
        ranges
    }

    /// Appends the chunk to `out`, numbered `chunk_seq`; returns its head.
    pub fn encode(&mut self, chunk_seq: u64, segment: SegmentId, out: &mut Vec<u8>) -> ChunkHead {
        self.group();
        let mut head = self.head(chunk_seq, segment);
        let start = out.len();
        let traced = !self.traces.ids().is_empty();
        let columns = 3 + 3 * usize::from(traced) + usize::from(self.strings.len() > 0);
        let mut chunk = ChunkBuilder::begin(out, &head, columns);
        let series_at = self.put_tables(&mut chunk);
        chunk.end_head();
        let body = start + chunk.position();
        self.put_values(&mut chunk, series_at);
        chunk.column(ColumnId::SERIES, encoding::PACKED, |out| {
            self.put_rows(Modes::Index, out, |rows, block| {
                widen(&self.series_of[rows], block)
            });
        });
        chunk.column(ColumnId::END, encoding::PACKED, |out| self.put_ends(out));
        if traced {
            let mut column = |id, values, modes| {
                chunk.column(id, encoding::PACKED, |out| {
                    encode(values, modes, out);
                });
            };
            column(ColumnId::TRACE, self.traces.numbers(), Modes::Both);
            column(ColumnId::TRACE_RUNS, self.traces.lengths(), Modes::Plain);
            column(ColumnId::TRACE_DICT, self.traces.ids(), Modes::Index);
        }
        if self.strings.len() > 0 {
            chunk.column(ColumnId::STRINGS, encoding::PLAIN, |out| {
                self.strings.encode(out)
            });
        }
        head.head_crc = chunk.finish();
        head.head_len = (body - start) as u32;
        head.body_len = (out.len() - body) as u64;
        head
    }

    fn head(&self, chunk_seq: u64, segment: SegmentId) -> ChunkHead {
        let (min_end, max_end) = self.end_range();
        ChunkHead {
            kind: ChunkKind::EVENTS,
            version: crate::CHUNK_VERSION,
            record_count: self.rows as u32,
            segment,
            chunk_seq,
            min_start: if self.rows == 0 { 0 } else { self.min_start },
            min_end,
            max_end,
            ..ChunkHead::default()
        }
    }

    /// Smallest and largest end; zeros without rows. Ends nearly always rise within
    /// a run, and then the first and the last of each run tell.
    fn end_range(&self) -> (u64, u64) {
        let (mut low, mut high) = (u64::MAX, 0);
        for run in self.runs.iter().filter(|run| run.range.rows > 0) {
            let ends = &self.ends[run.rows()];
            // A difference tells a fall by its sign only between ticks below 2⁶³.
            let falls = ends
                .iter()
                .zip(&ends[1..])
                .fold(ends[0], |falls, (before, after)| {
                    falls | after | after.wrapping_sub(*before)
                });
            let ends_of_run = [ends[0], ends[ends.len() - 1]];
            let outer = if falls >> 63 == 0 { &ends_of_run } else { ends };
            low = outer.iter().copied().fold(low, u64::min);
            high = outer.iter().copied().fold(high, u64::max);
        }
        if self.rows == 0 { (0, 0) } else { (low, high) }
    }

    /// Writes the head's tables; returns where the series table begins.
    fn put_tables(&self, chunk: &mut ChunkBuilder<'_>) -> usize {
        let ranges = self.ranges();
        let counts = [
            ranges.len(),
            self.series.len(),
            self.losses.len(),
            self.strings.len(),
            self.traces.ids().len(),
            self.traces.numbers().len(),
        ];
        layout::put_counts(counts, chunk.tables());
        ranges
            .iter()
            .for_each(|range| layout::put_range(range, chunk.tables()));
        let series_at = chunk.position();
        self.series
            .iter()
            .for_each(|series| layout::put_series(series, chunk.tables()));
        self.losses
            .iter()
            .for_each(|loss| layout::put_loss(loss, chunk.tables()));
        series_at
    }

    /// Writes the values and completes the series table, which begins at `series_at`.
    fn put_values(&self, chunk: &mut ChunkBuilder<'_>, series_at: usize) {
        let mut found = Vec::with_capacity(self.series.len());
        chunk.column(ColumnId::VALUE, encoding::PACKED, |out| {
            let begin = out.len();
            let mut values = self.grouped.as_slice();
            for series in &self.series {
                let offset = (out.len() - begin) as u32;
                let (mine, rest) = values.split_at(series.rows as usize);
                values = rest;
                // Durations are unrelated from one to the next; due times, for example, rise.
                let modes = if series.key.tag.is_span() {
                    Modes::Plain
                } else {
                    Modes::Both
                };
                let extent = encode(mine, modes, out);
                found.push((offset, max_value(series.key.tag, extent, mine)));
            }
        });
        for (index, (offset, max_value)) in found.into_iter().enumerate() {
            let entry = series_at + index * layout::SERIES_BYTES;
            chunk.patch(entry + layout::VALUE_OFFSET_AT, offset);
            chunk.patch(entry + layout::MAX_VALUE_AT, max_value as u32);
            chunk.patch(entry + layout::MAX_VALUE_AT + 4, (max_value >> 32) as u32);
        }
    }

    fn put_ends(&self, out: &mut Vec<u8>) {
        // Where the first row of a range was pushed: not always in its first run, which
        // may have no rows.
        let mut is_first = true;
        let mut firsts = self.runs.iter().filter_map(|run| {
            is_first |= !run.continues;
            (run.range.rows > 0 && std::mem::take(&mut is_first)).then_some(run.start)
        });
        let mut next_first = firsts.next();
        let mut previous = 0;
        self.put_rows(Modes::Plain, out, |rows, block| {
            if next_first == Some(rows.start) {
                previous = self.ends[rows.start];
                next_first = firsts.next();
            }
            for (delta, &end) in block.iter_mut().zip(&self.ends[rows]) {
                *delta = end.wrapping_sub(previous);
                previous = end;
            }
        });
    }

    /// Appends blocks with one value a row, in the order of the runs. `fill` writes
    /// the values of some rows, numbered as they were pushed, into a piece of a block.
    fn put_rows(
        &self,
        modes: Modes,
        out: &mut Vec<u8>,
        mut fill: impl FnMut(std::ops::Range<usize>, &mut [u64]),
    ) {
        let mut block: Block = [0; BLOCK];
        let mut filled = 0;
        for run in &self.runs {
            let mut rows = run.rows();
            while !rows.is_empty() {
                let here = rows.len().min(BLOCK - filled);
                fill(
                    rows.start..rows.start + here,
                    &mut block[filled..filled + here],
                );
                rows.start += here;
                filled += here;
                if filled == BLOCK {
                    encode_block(&block, modes, out);
                    filled = 0;
                }
            }
        }
        if filled > 0 {
            encode_block(&block[..filled], modes, out);
        }
    }
}

impl Run {
    /// The rows, numbered as they were pushed.
    pub(super) fn rows(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.range.rows as usize
    }
}

fn widen<T: Copy + Into<u64>>(narrow: &[T], block: &mut [u64]) {
    for (wide, &value) in block.iter_mut().zip(narrow) {
        *wide = value.into();
    }
}

/// What the series table says of the largest value.
fn max_value(tag: Tag, extent: Extent, values: &[u64]) -> u64 {
    if values.is_empty() {
        0
    } else if tag.is_signed() {
        extent.high as u64
    } else if !tag.is_span() && tag != Tag::OBSERVATION {
        0
    } else if extent.low >= 0 {
        extent.high as u64
    } else {
        // The extent is that of i64: a value from 2⁶³ on looks negative there.
        values.iter().copied().max().unwrap_or(0)
    }
}
