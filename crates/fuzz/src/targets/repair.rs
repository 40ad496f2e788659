//! Makes the guards of mutated bytes consistent again: marks, lengths that point beyond the end, checksums. What they
//! guard stays as it is, so that the decoders behind the checksums see what the fuzzer made.

use perf_arena::layout;
use perf_format::{MAGIC, SYNC_MARK, limits};

/// Bytes of a chunk head before its column directory.
const CHUNK_FIXED: usize = 72;
/// Bytes of a directory entry.
const COLUMN: usize = 16;
/// Bytes of the file header before its records.
const FILE_FIXED: usize = 64;
const EVENTS: u16 = 1;

fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn put_u32(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
}

/// Mends the chunk at the start of `bytes`; returns its length, or `None` if they are too few for any chunk.
pub(super) fn chunk(bytes: &mut [u8]) -> Option<usize> {
    let least = CHUNK_FIXED + 4;
    if bytes.len() < least {
        return None;
    }
    bytes[..8].copy_from_slice(&SYNC_MARK);
    let head_len = (get_u32(bytes, 12) as usize).clamp(least, bytes.len());
    put_u32(bytes, 12, head_len);
    let there = bytes.len() - head_len;
    let body_len = usize::try_from(get_u64(bytes, 16)).map_or(there, |len| len.min(there));
    bytes[16..24].copy_from_slice(&(body_len as u64).to_le_bytes());

    let (head, body) = bytes[..head_len + body_len].split_at_mut(head_len);
    let columns = usize::from(get_u16(head, 64)).min((head_len - least) / COLUMN);
    head[64..66].copy_from_slice(&(columns as u16).to_le_bytes());
    let mut free = 0;
    for column in 0..columns {
        free = column_entry(
            &mut head[CHUNK_FIXED + column * COLUMN..][..COLUMN],
            body,
            free,
        );
    }
    if get_u16(head, 8) == EVENTS {
        let (end, tables) = (head_len - 4, CHUNK_FIXED + columns * COLUMN);
        row_counts(head, tables, end);
    }
    let sum = crc32c::crc32c(&head[..head_len - 4]);
    put_u32(head, head_len - 4, sum as usize);
    Some(head_len + body_len)
}

/// Brings a column back into the body, behind the one before, which ends at `free`, and its sum to what it should be.
/// Returns where it ends.
fn column_entry(entry: &mut [u8], body: &[u8], free: usize) -> usize {
    let offset = (get_u32(entry, 4) as usize).clamp(free, body.len());
    let len = (get_u32(entry, 8) as usize).min(body.len() - offset);
    put_u32(entry, 4, offset);
    put_u32(entry, 8, len);
    put_u32(
        entry,
        12,
        crc32c::crc32c(&body[offset..offset + len]) as usize,
    );
    offset + len
}

/// Makes the rows of all ranges and of the chunk those of all series, where the tables allow it.
fn row_counts(head: &mut [u8], tables: usize, end: usize) {
    const COUNTS: usize = 24;
    const RANGE: usize = 32;
    const SERIES: usize = 24;
    if tables + COUNTS > end {
        return;
    }
    let ranges = get_u32(head, tables) as usize;
    let series = get_u32(head, tables + 4) as usize;
    let first_range = tables + COUNTS;
    let first_series = first_range.saturating_add(ranges.saturating_mul(RANGE));
    if first_series.saturating_add(series.saturating_mul(SERIES)) > end {
        return;
    }
    let rows: usize = (0..series)
        .map(|number| get_u32(head, first_series + number * SERIES + 8) as usize)
        .sum();
    if rows > limits::MAX_CHUNK_ROWS {
        return;
    }
    let mut left = rows;
    for number in 0..ranges {
        let at = first_range + number * RANGE + 20;
        let mine = if number + 1 == ranges {
            left
        } else {
            left.min(get_u32(head, at) as usize)
        };
        put_u32(head, at, mine);
        left -= mine;
    }
    put_u32(head, 24, rows);
}

/// Mends the file header at the start of `bytes`; returns its length, or `None` if they are too few for one.
pub(super) fn file_header(bytes: &mut [u8]) -> Option<usize> {
    let least = FILE_FIXED + 4;
    if bytes.len() < least {
        return None;
    }
    bytes[..8].copy_from_slice(&MAGIC);
    let most = bytes.len().min(limits::MAX_FILE_HEAD_BYTES);
    let head_len = (get_u32(bytes, 12) as usize).clamp(least, most);
    put_u32(bytes, 12, head_len);
    let sum = crc32c::crc32c(&bytes[..head_len - 4]);
    put_u32(bytes, head_len - 4, sum as usize);
    Some(head_len)
}

/// Mends a whole file: the header, then each chunk that begins with a mark. Bytes between them stay garbage.
pub(super) fn file(bytes: &mut [u8]) {
    let Some(mut at) = file_header(bytes) else {
        return;
    };
    while let Some(next) = bytes[at..]
        .windows(SYNC_MARK.len())
        .position(|window| window == SYNC_MARK)
    {
        at += next;
        match chunk(&mut bytes[at..]) {
            Some(len) => at += len,
            None => return,
        }
    }
}

/// Mends the header of an arena: magic, version, and sections that lie beyond the end.
pub(super) fn arena(bytes: &mut [u8]) {
    const SECTIONS: usize = 256;
    const COUNT: usize = 9;
    const ENTRY: usize = 32;
    let len = bytes.len() as u64;
    if len < layout::PAGE_BYTES {
        return;
    }
    bytes[..8].copy_from_slice(&layout::MAGIC.to_le_bytes());
    bytes[8..12].copy_from_slice(&layout::VERSION.to_le_bytes());
    for entry in 0..COUNT {
        let at = SECTIONS + entry * ENTRY;
        let pages = len / layout::PAGE_BYTES;
        let offset = get_u64(bytes, at).min((pages - 1) * layout::PAGE_BYTES) / layout::PAGE_BYTES
            * layout::PAGE_BYTES;
        let there = get_u64(bytes, at + 16).min(len - offset);
        bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 16..at + 24].copy_from_slice(&there.to_le_bytes());
    }
}
