//! What another writer may write: every mode and width of block, and whatever a later minor version may add.

use super::made::Chance;
use super::numbers::crc32c;

fn put_varint(value: u64, out: &mut Vec<u8>) {
    let mut rest = if value >> 63 == 0 {
        value << 1
    } else {
        !(value << 1)
    };
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// `values` as packed blocks, with modes, bases and widths that no sensible writer would choose.
pub(super) fn packed(chance: &mut Chance, values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in values.chunks(128) {
        let is_delta = chance.below(2) == 0;
        let mut items = block.to_vec();
        if is_delta {
            for index in (1..block.len()).rev() {
                items[index] = block[index].wrapping_sub(block[index - 1]);
            }
        }
        let base = match chance.below(3) {
            0 => items.last().copied().unwrap_or(0),
            1 => chance.number(),
            _ => 0,
        };
        for item in &mut items {
            *item = item.wrapping_sub(base);
        }
        if is_delta {
            // Ignored, whatever it is, as far as the width goes.
            items[0] = 0;
        }
        let needed = items
            .iter()
            .map(|item| 64 - item.leading_zeros())
            .max()
            .unwrap_or(0);
        let width = needed + chance.below(u64::from(65 - needed)) as u32;
        out.push(width as u8 + if is_delta { 128 } else { 0 });
        if is_delta {
            put_varint(block[0], &mut out);
        }
        put_varint(base, &mut out);
        let start = out.len();
        out.resize(start + (items.len() * width as usize).div_ceil(8), 0);
        for (index, item) in items.iter().enumerate() {
            for bit in 0..width as usize {
                let place = index * width as usize + bit;
                out[start + place / 8] |= ((item >> bit & 1) as u8) << (place % 8);
            }
        }
    }
    out
}

/// A chunk, its columns given by id, encoding and bytes.
pub(super) fn chunk(
    kind: u16,
    version: u16,
    records: u32,
    seq: u64,
    tables: &[u8],
    columns: &[(u16, u16, Vec<u8>)],
) -> Vec<u8> {
    let mut head = b"\xABPERFCK\xBB".to_vec();
    let head_len = 72 + 16 * columns.len() + tables.len() + 4;
    let body: Vec<u8> = columns
        .iter()
        .flat_map(|(_, _, bytes)| bytes.clone())
        .collect();
    head.extend(kind.to_le_bytes());
    head.extend(version.to_le_bytes());
    head.extend((head_len as u32).to_le_bytes());
    head.extend((body.len() as u64).to_le_bytes());
    head.extend(records.to_le_bytes());
    head.extend(0_u32.to_le_bytes());
    head.extend(seq.to_le_bytes());
    head.extend([0; 24]);
    head.extend((columns.len() as u16).to_le_bytes());
    // Reserved; a later version may put something here.
    head.extend([1, 2, 3, 4, 5, 6]);
    let mut offset = 0_u32;
    for (id, encoding, bytes) in columns {
        head.extend(id.to_le_bytes());
        head.extend(encoding.to_le_bytes());
        head.extend(offset.to_le_bytes());
        head.extend((bytes.len() as u32).to_le_bytes());
        head.extend(crc32c(bytes).to_le_bytes());
        offset += bytes.len() as u32;
    }
    head.extend(tables);
    head.extend(crc32c(&head).to_le_bytes());
    head.extend(body);
    head
}

/// A metadata record.
pub(super) fn record(tag: u16, payload: &[u8]) -> Vec<u8> {
    let mut record = tag.to_le_bytes().to_vec();
    record.extend((payload.len() as u32).to_le_bytes());
    record.extend(payload);
    record
}

/// An Events chunk of one range and two series with random values, which uses what this version ignores.
pub(super) fn events(chance: &mut Chance, seq: u64, rows: usize) -> Vec<u8> {
    let number = |chance: &mut Chance| {
        if chance.below(2) == 0 {
            chance.number()
        } else {
            chance.below(1000)
        }
    };
    let indexes: Vec<u64> = (0..rows).map(|_| chance.below(2)).collect();
    let mut ends: Vec<u64> = (0..rows).map(|_| number(chance)).collect();
    if let Some(first) = ends.first_mut() {
        *first = 0;
    }
    let traces: Vec<u64> = (0..rows).map(|_| number(chance)).collect();
    // Runs of all lengths, 0 as well; the last has the rest.
    let (mut trace_of, mut runs, mut left) = (Vec::new(), Vec::new(), rows as u64);
    for _ in 0..rows.min(200) {
        trace_of.push(chance.below(rows as u64 + 1));
        runs.push(chance.below(5).min(left));
        left -= runs.last().unwrap_or(&0);
    }
    if let Some(last) = runs.last_mut() {
        *last += left;
    }
    let second = indexes.iter().sum::<u64>() as u32;
    let groups = [rows as u32 - second, second]
        .map(|rows| (0..rows).map(|_| number(chance)).collect::<Vec<u64>>());
    let blocks = groups.each_ref().map(|values| packed(chance, values));
    let weights: Vec<u64> = (0..rows).map(|_| 1 + chance.below(1 << 20)).collect();
    let mut tables = Vec::new();
    for count in [1, 2, 0, 0, rows as u32, runs.len() as u32] {
        tables.extend(count.to_le_bytes());
    }
    tables.extend([0, 1_u32].map(u32::to_le_bytes).concat());
    tables.extend(u64::MAX.to_le_bytes());
    tables.extend([rows as u32, rows as u32].map(u32::to_le_bytes).concat());
    tables.extend(chance.number().to_le_bytes());
    for (index, values) in groups.iter().enumerate() {
        let offset = if index == 0 {
            0
        } else {
            blocks[0].len() as u32
        };
        // Event, then the tag in the lowest of four bytes, the others reserved.
        let fields = [7, 0xAAAA_AA00 | [1, 10][index], values.len() as u32, offset];
        tables.extend(fields.map(u32::to_le_bytes).concat());
        tables.extend(values.iter().max().unwrap_or(&0).to_le_bytes());
    }
    tables.extend(b"tables of a later version");
    let columns = [
        (25, 1, packed(chance, &indexes)),
        (26, 1, packed(chance, &ends)),
        (28, 1, packed(chance, &ends)),
        (24, 1, packed(chance, &weights)),
        (27, 1, packed(chance, &indexes)),
        (20, 1, packed(chance, &traces)),
        (19, 1, packed(chance, &trace_of)),
        (22, 1, packed(chance, &runs)),
        (16, 1, packed(chance, &indexes)),
        (99, 7, b"a column of a later version".to_vec()),
        (18, 1, blocks.concat()),
        (17, 1, packed(chance, &ends)),
    ];
    chunk(1, 1, rows as u32, seq, &tables, &columns)
}

/// A Rollup chunk of three series: those of events 1 and 3 are known, that of event 2 has a later version's tag, and bins.
pub(super) fn rollup(chance: &mut Chance, seq: u64) -> Vec<u8> {
    let (steps, counts): (Vec<u64>, Vec<u64>) = (0..chance.below(300))
        .map(|_| (chance.number(), chance.number()))
        .unzip();
    let mut unknown = summary(2, 77, chance.number(), steps.len());
    unknown[16..48].fill(0xFF);
    unknown[56..].fill(0xFF);
    let known = [40, 42, 45];
    let mut first = summary(1, 1, 3, 3);
    first[16..24].copy_from_slice(&known.iter().sum::<u64>().to_le_bytes());
    first[32..40].copy_from_slice(&known[0].to_le_bytes());
    first[40..48].copy_from_slice(&known[2].to_le_bytes());
    let summaries = [first, unknown, summary(3, 8, 0, 0)].concat();
    let bins = |chance: &mut Chance, known: &[u64], later: &[u64]| {
        [packed(chance, known), packed(chance, later)].concat()
    };
    let columns = [
        (34, 1, bins(chance, &[1, 1, 1], &counts)),
        (32, 0, summaries),
        (33, 1, bins(chance, &[40, 1, 2], &steps)),
    ];
    chunk(5, 1, 3, seq, &[0; 40], &columns)
}

/// A summary with its event, tag, count and number of bins; the rest is 0.
fn summary(event: u32, tag: u8, count: u64, bins: usize) -> Vec<u8> {
    let mut entry = vec![0; 104];
    entry[..4].copy_from_slice(&event.to_le_bytes());
    entry[4] = tag;
    entry[8..16].copy_from_slice(&count.to_le_bytes());
    entry[48..52].copy_from_slice(&(bins as u32).to_le_bytes());
    entry
}
