//! Packed blocks: the one codec for columns of integers.
//!
//! A column is cut into blocks of [`BLOCK`] values, the last one shorter. A block is
//!
//! ```text
//! width u8            bits 0–6: width of an item, 0..=64; bit 7: delta mode
//! first zigzag-LEB128 only in delta mode: the first value
//! base  zigzag-LEB128 the smallest value, or in delta mode the smallest difference
//! items ⌈n·width/8⌉ B least significant bit first
//! ```
//!
//! Plain: `value[i] = base + item[i]`. Delta: `value[0] = first`,
//! `value[i] = value[i−1] + base + item[i]`, and `item[0]` is 0. All arithmetic
//! wraps modulo 2⁶⁴, so u64 and i64 columns are coded alike.

mod extent;
mod lanes;
mod varint;

use crate::error::{FormatError, Result};
pub(crate) use extent::Extent;
use extent::survey;
use lanes::{LANES, pack, unpack};
pub(crate) use varint::{put_varint, take_varint};

/// Values of a full block.
pub(crate) const BLOCK: usize = 128;
/// A buffer for one block.
pub(crate) type Block = [u64; BLOCK];

const DELTA: u8 = 0x80;
/// Bytes of a full block's items at width 64.
const ITEM_BYTES: usize = BLOCK * 8;

/// Which modes an encoder tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modes {
    /// Plain only: for columns where successive values are unrelated, so that
    /// looking for small differences is wasted time.
    Plain,
    /// The shorter of plain and delta.
    Both,
    /// Plain with base 0, unless all values are equal: for indexes into small
    /// tables, where looking for the smallest is wasted time as well.
    Index,
}

/// Appends `values` as blocks; returns their extent.
pub(crate) fn encode(values: &[u64], modes: Modes, out: &mut Vec<u8>) -> Extent {
    let mut extent = Extent::EMPTY;
    for block in values.chunks(BLOCK) {
        extent = extent.and(encode_block(block, modes, out));
    }
    extent
}

/// Appends one block of 1 to [`BLOCK`] values; returns their extent.
pub(crate) fn encode_block(values: &[u64], modes: Modes, out: &mut Vec<u8>) -> Extent {
    let (extent, deltas) = survey(values, modes);
    if let Some(deltas) = deltas {
        let items = |width: u32| (values.len() * width as usize).div_ceil(8);
        // Delta mode pays for the first value as well: ten bytes at most.
        if items(deltas.width()) + 10 < items(extent.width()) {
            put_block_delta(values, deltas, out);
            return extent;
        }
    }
    put_block(values, extent, out);
    extent
}

fn put_block(values: &[u64], extent: Extent, out: &mut Vec<u8>) {
    let (base, width) = (extent.low as u64, extent.width());
    out.push(width as u8);
    put_varint(extent.low, out);
    if let Ok(full) = <&Block>::try_from(values) {
        put_items(full, base, width, BLOCK, out);
    } else {
        let mut padded = [base; BLOCK];
        padded[..values.len()].copy_from_slice(values);
        put_items(&padded, base, width, values.len(), out);
    }
}

fn put_block_delta(values: &[u64], extent: Extent, out: &mut Vec<u8>) {
    let (base, width) = (extent.low as u64, extent.width());
    let mut deltas = [base; BLOCK];
    for (delta, pair) in deltas[1..].iter_mut().zip(values.windows(2)) {
        *delta = pair[1].wrapping_sub(pair[0]);
    }
    out.push(width as u8 | DELTA);
    put_varint(values[0] as i64, out);
    put_varint(extent.low, out);
    put_items(&deltas, base, width, values.len(), out);
}

fn put_items(values: &Block, base: u64, width: u32, count: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let half = LANES / 8 * width as usize;
    let (first, second) = values.split_at(LANES);
    out.resize(start + 2 * half, 0);
    let (low, high) = out[start..].split_at_mut(half);
    pack(width, first, base, low);
    if count > LANES {
        pack(width, second, base, high);
    }
    out.truncate(start + (count * width as usize).div_ceil(8));
}

/// Reads the blocks of one column.
#[derive(Debug, Clone)]
pub(crate) struct PackedReader<'a> {
    bytes: &'a [u8],
    position: usize,
    offset: u64,
}

impl<'a> PackedReader<'a> {
    /// Reads `bytes`, which lie at `offset` in the file.
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Self {
        PackedReader {
            bytes,
            position: 0,
            offset,
        }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn cut_short(&self, needed: usize) -> FormatError {
        FormatError::CutShort {
            offset: self.offset,
            what: "a column of packed blocks",
            expected: (self.position + needed) as u64,
            got: self.bytes.len() as u64,
        }
    }

    fn varint(&mut self) -> Result<i64> {
        let (value, len) =
            take_varint(&self.bytes[self.position..]).ok_or_else(|| self.cut_short(10))?;
        self.position += len;
        Ok(value)
    }

    /// Decodes one block of `count` values (1 to [`BLOCK`]) into the front of
    /// `out`; what lies behind them is meaningless.
    #[inline]
    pub(crate) fn next_block(&mut self, count: usize, out: &mut Block) -> Result<()> {
        let head = *self
            .bytes
            .get(self.position)
            .ok_or_else(|| self.cut_short(1))?;
        let width = u32::from(head & !DELTA);
        if width > 64 {
            let offset = self.offset + self.position as u64;
            return Err(FormatError::malformed(
                offset,
                "the width of a packed block",
                "at most 64",
                width,
            ));
        }
        self.position += 1;
        let first = if head & DELTA != 0 {
            Some(self.varint()? as u64)
        } else {
            None
        };
        let base = self.varint()? as u64;
        self.unpack_items(width, count, base, out)?;
        if let Some(first) = first {
            let mut value = first.wrapping_sub(base);
            for item in out.iter_mut() {
                value = value.wrapping_add(*item);
                *item = value;
            }
        }
        Ok(())
    }

    #[inline]
    fn unpack_items(&mut self, width: u32, count: usize, base: u64, out: &mut Block) -> Result<()> {
        let len = (count * width as usize).div_ceil(8);
        let half = LANES / 8 * width as usize;
        let rest = &self.bytes[self.position..];
        if rest.len() < len {
            return Err(self.cut_short(len));
        }
        self.position += len;
        let (first, second) = out.split_at_mut(LANES);
        if rest.len() >= 2 * half {
            unpack(width, &rest[..half], base, first);
            unpack(width, &rest[half..2 * half], base, second);
        } else {
            // The last block of a column: its items end before those of a full one.
            let mut padded = [0u8; ITEM_BYTES];
            padded[..len].copy_from_slice(&rest[..len]);
            unpack(width, &padded[..half], base, first);
            unpack(width, &padded[half..2 * half], base, second);
        }
        Ok(())
    }

    /// Decodes the next blocks, `count` values in all, into the front of `out`, which has room for whole blocks; what lies
    /// behind them is meaningless.
    pub(crate) fn fill(&mut self, count: usize, out: &mut [u64]) -> Result<()> {
        let (blocks, _) = out[..count.next_multiple_of(BLOCK)].as_chunks_mut();
        let mut left = count;
        for block in blocks {
            let here = left.min(BLOCK);
            self.next_block(here, block)?;
            left -= here;
        }
        Ok(())
    }

    /// Calls `f` with the values of the next blocks, `count` in all.
    #[inline]
    pub(crate) fn for_each_block(&mut self, count: usize, mut f: impl FnMut(&[u64])) -> Result<()> {
        let mut block = [0; BLOCK];
        let mut left = count;
        while left > 0 {
            let here = left.min(BLOCK);
            self.next_block(here, &mut block)?;
            f(&block[..here]);
            left -= here;
        }
        Ok(())
    }

    /// Fails unless every byte of the column was read.
    pub(crate) fn expect_end(&self) -> Result<()> {
        if self.position == self.bytes.len() {
            return Ok(());
        }
        Err(FormatError::malformed(
            self.offset,
            "the length of a column of packed blocks",
            self.position,
            self.bytes.len(),
        ))
    }
}

#[cfg(test)]
mod tests;
