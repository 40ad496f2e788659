//! Integers in few bits, as Parquet has them.

/// Values of a block of differences, and of the parts of it that have a width of their own.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// A value that is repeated, as the hybrid of runs and packed groups has it; `bytes` wide.
pub(super) fn put_run(out: &mut Vec<u8>, count: usize, value: u32, bytes: usize) {
    put_varint(out, (count as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Groups of eight values of the same hybrid, `width` bits each, the last group filled up.
pub(super) fn put_groups(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u32>, width: u8) {
    let groups = values.len().div_ceil(8);
    put_varint(out, (groups as u64) << 1 | 1);
    let filler = groups * 8 - values.len();
    let values = values.chain(std::iter::repeat_n(0, filler));
    put_bits(out, values.map(u64::from), u32::from(width));
}

/// Values of `width` bits, the least bit first, up to a whole byte.
fn put_bits(out: &mut Vec<u8>, values: impl Iterator<Item = u64>, width: u32) {
    let (mut bits, mut held) = (0_u64, 0_u32);
    for value in values {
        bits |= value << held;
        held += width;
        if held >= 64 {
            out.extend_from_slice(&bits.to_le_bytes());
            held -= 64;
            // What did not fit; nothing of it if the value ended with the word.
            bits = match width - held {
                64 => 0,
                done => value >> done,
            };
        }
    }
    let bytes = held.div_ceil(8) as usize;
    out.extend_from_slice(&bits.to_le_bytes()[..bytes]);
}

/// Differences from value to value, packed: `DELTA_BINARY_PACKED`.
pub(super) fn put_deltas(out: &mut Vec<u8>, values: &[i64]) {
    put_varint(out, BLOCK as u64);
    put_varint(out, (BLOCK / MINIBLOCK) as u64);
    put_varint(out, values.len() as u64);
    let Some((first, rest)) = values.split_first() else {
        put_zigzag(out, 0);
        return;
    };
    put_zigzag(out, *first);
    let mut before = *first;
    let mut deltas = [0_i64; BLOCK];
    for block in rest.chunks(BLOCK) {
        for (delta, value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(before);
            before = *value;
        }
        let deltas = &mut deltas[..block.len()];
        let least = deltas.iter().copied().min().unwrap_or(0);
        put_zigzag(out, least);
        let widths_at = out.len();
        out.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
        for (number, miniblock) in deltas.chunks(MINIBLOCK).enumerate() {
            let above = miniblock
                .iter()
                .map(|delta| delta.wrapping_sub(least) as u64);
            let all = above.clone().fold(0, |all, value| all | value);
            let width = 64 - all.leading_zeros();
            out[widths_at + number] = width as u8;
            if width > 0 {
                let filler = std::iter::repeat_n(0, MINIBLOCK - miniblock.len());
                put_bits(out, above.chain(filler), width);
            }
        }
    }
}
