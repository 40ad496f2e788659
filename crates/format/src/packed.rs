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

mod lanes;
mod varint;

use crate::error::{FormatError, Result};
use lanes::{LANES, pack, unpack};
pub(crate) use varint::{put_varint, take_varint};

/// Values of a full block.
pub(crate) const BLOCK: usize = 128;
/// A buffer for one block.
pub(crate) type Block = [u64; BLOCK];

const DELTA: u8 = 0x80;
/// Bytes of a full block's items at width 64.
const ITEM_BYTES: usize = BLOCK * 8;

/// Appends `values` as blocks, each in the mode that is shorter.
pub(crate) fn encode(values: &[u64], out: &mut Vec<u8>) {
    for block in values.chunks(BLOCK) {
        encode_block(block, out);
    }
}

/// Appends `values` as blocks in plain mode: for columns where successive values
/// are unrelated, so that looking for small differences is wasted time.
pub(crate) fn encode_plain(values: &[u64], out: &mut Vec<u8>) {
    for block in values.chunks(BLOCK) {
        encode_block_plain(block, out);
    }
}

/// Smallest and largest of `values` as i64; they hold at least one.
#[inline]
fn signed_range(values: &[u64]) -> (i64, i64) {
    values
        .iter()
        .fold((i64::MAX, i64::MIN), |(low, high), &value| {
            let value = value as i64;
            (low.min(value), high.max(value))
        })
}

/// Bits that `high − low` needs.
#[inline]
fn width_of(low: i64, high: i64) -> u32 {
    64 - (high.wrapping_sub(low) as u64).leading_zeros()
}

/// Appends one block of 1 to [`BLOCK`] values in the shorter mode.
pub(crate) fn encode_block(values: &[u64], out: &mut Vec<u8>) {
    let (low, high) = signed_range(values);
    let (mut delta_low, mut delta_high) = (i64::MAX, i64::MIN);
    for pair in values.windows(2) {
        let delta = pair[1].wrapping_sub(pair[0]) as i64;
        delta_low = delta_low.min(delta);
        delta_high = delta_high.max(delta);
    }
    let plain = width_of(low, high);
    let delta = if values.len() > 1 {
        width_of(delta_low, delta_high)
    } else {
        plain
    };
    let items = |width: u32| (values.len() * width as usize).div_ceil(8);
    // Delta mode pays for the first value as well: ten bytes at most.
    if items(delta) + 10 < items(plain) {
        encode_block_delta(values, delta_low, delta, out);
    } else {
        put_block(values, low, plain, out);
    }
}

/// Appends one block of 1 to [`BLOCK`] values in plain mode.
#[inline]
pub(crate) fn encode_block_plain(values: &[u64], out: &mut Vec<u8>) {
    let (low, high) = signed_range(values);
    put_block(values, low, width_of(low, high), out);
}

fn put_block(values: &[u64], low: i64, width: u32, out: &mut Vec<u8>) {
    out.push(width as u8);
    put_varint(low, out);
    if let Ok(full) = <&Block>::try_from(values) {
        put_items(full, low as u64, width, BLOCK, out);
    } else {
        let mut padded = [low as u64; BLOCK];
        padded[..values.len()].copy_from_slice(values);
        put_items(&padded, low as u64, width, values.len(), out);
    }
}

fn encode_block_delta(values: &[u64], low: i64, width: u32, out: &mut Vec<u8>) {
    let mut deltas = [low as u64; BLOCK];
    for (delta, pair) in deltas[1..].iter_mut().zip(values.windows(2)) {
        *delta = pair[1].wrapping_sub(pair[0]);
    }
    out.push(width as u8 | DELTA);
    put_varint(values[0] as i64, out);
    put_varint(low, out);
    put_items(&deltas, low as u64, width, values.len(), out);
}

fn put_items(values: &Block, base: u64, width: u32, count: usize, out: &mut Vec<u8>) {
    let mut items = [0u8; ITEM_BYTES];
    let (first, second) = values.split_at(LANES);
    let half = LANES / 8 * width as usize;
    pack(width, first, base, &mut items[..half]);
    if count > LANES {
        pack(width, second, base, &mut items[half..2 * half]);
    }
    out.extend_from_slice(&items[..(count * width as usize).div_ceil(8)]);
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
