//! The string table of a chunk: keys and texts of annotations.

use std::collections::HashMap;

use crate::error::{FormatError, Result, within};
use crate::limits;
use crate::packed::{Modes, PackedReader, encode};

/// Numbers strings by first appearance.
#[derive(Debug, Default)]
pub(super) struct StringTable {
    numbers: HashMap<Box<[u8]>, u32>,
    lengths: Vec<u64>,
    bytes: Vec<u8>,
}

impl StringTable {
    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.lengths.clear();
        self.bytes.clear();
    }

    /// True if `more` strings of `bytes` bytes in all surely fit.
    pub(super) fn has_room(&self, more: usize, bytes: usize) -> bool {
        self.len() + more <= limits::MAX_CHUNK_STRINGS
            && self.bytes.len() + bytes <= limits::MAX_CHUNK_STRING_BYTES
    }

    /// The number of `string`; a new one if it has none.
    pub(super) fn intern(&mut self, string: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(string) {
            return number;
        }
        let number = self.lengths.len() as u32;
        self.numbers.insert(string.into(), number);
        self.lengths.push(string.len() as u64);
        self.bytes.extend_from_slice(string);
        number
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode(&self.lengths, Modes::Both, out);
        out.extend_from_slice(&self.bytes);
    }
}

/// Splits a STRINGS column, which lies at `offset` in the file, into `count` strings.
pub(super) fn split_strings(column: &[u8], offset: u64, count: usize) -> Result<Vec<&[u8]>> {
    let mut reader = PackedReader::new(column, offset);
    let mut ends: Vec<u64> = Vec::with_capacity(count);
    let mut end = 0u64;
    reader.for_each_block(count, |lengths| {
        ends.extend(lengths.iter().map(|&length| {
            end = end.saturating_add(length);
            end
        }));
    })?;
    let bytes = &column[reader.position()..];
    let total = within(
        offset,
        "the bytes of all strings",
        end,
        limits::MAX_CHUNK_STRING_BYTES,
    )?;
    if total != bytes.len() {
        return Err(FormatError::malformed(
            offset,
            "the bytes of all strings",
            total,
            bytes.len(),
        ));
    }
    // Sums of lengths only rise, and the last was checked.
    let mut start = 0;
    Ok(ends
        .into_iter()
        .map(|end| {
            let string = &bytes[start..end as usize];
            start = end as usize;
            string
        })
        .collect())
}
