//! Packing and unpacking of 64 items of one width, unrolled.
//!
//! 64 items of W bits fill exactly W words of 64 bits. With the width a constant
//! and the item's index a literal, every shift and every word index is known when
//! compiling: what is left is two or three instructions an item.

/// Items of one call.
pub(super) const LANES: usize = 64;

/// Runs `$step!(index)` for 0..64 without a loop.
macro_rules! each_lane {
    ($step:ident) => {
        each_lane!(@ $step
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
            48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
        );
    };
    (@ $step:ident $($index:literal)*) => { $($step!($index);)* };
}

/// Calls `$f::<W>(…)` with the width as a constant.
macro_rules! with_width {
    ($width:expr, $f:ident $args:tt) => {
        with_width!(@ $width, $f $args
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
            48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
            64
        )
    };
    (@ $width:expr, $f:ident $args:tt $($w:literal)*) => {
        match $width {
            $($w => $f::<$w> $args,)*
            _ => unreachable!("a width was checked to be at most 64"),
        }
    };
}

/// Packs `values − base`, each below 2^width, into `width` × 8 bytes.
///
/// # Panics
/// If `values` holds fewer than 64 or `out` is not `width` × 8 bytes.
pub(super) fn pack(width: u32, values: &[u64], base: u64, out: &mut [u8]) {
    let values: &[u64; LANES] = values[..LANES].try_into().expect("64 values");
    with_width!(width, pack_lanes(values, base, out))
}

/// Unpacks 64 items of `width` bits from `width` × 8 bytes and adds `base`.
///
/// # Panics
/// If `out` holds fewer than 64 or `bytes` is not `width` × 8 bytes.
#[inline]
pub(super) fn unpack(width: u32, bytes: &[u8], base: u64, out: &mut [u64]) {
    let out: &mut [u64; LANES] = (&mut out[..LANES]).try_into().expect("64 values");
    with_width!(width, unpack_lanes(bytes, base, out))
}

fn pack_lanes<const W: usize>(values: &[u64; LANES], base: u64, out: &mut [u8]) {
    let words: &mut [[u8; 8]; W] = out.as_chunks_mut().0.try_into().expect("width × 8 bytes");
    if W == 0 {
        return;
    }
    let mut word = 0u64;
    macro_rules! step {
        ($index:literal) => {
            let bit = $index * W;
            let item = values[$index].wrapping_sub(base);
            let shift = bit % 64;
            word |= item << shift;
            if shift + W >= 64 {
                words[bit / 64] = word.to_le_bytes();
                word = if shift + W > 64 {
                    item >> (64 - shift)
                } else {
                    0
                };
            }
        };
    }
    each_lane!(step);
    debug_assert_eq!(word, 0, "the last item ends a word");
}

fn unpack_lanes<const W: usize>(bytes: &[u8], base: u64, out: &mut [u64; LANES]) {
    let words: &[[u8; 8]; W] = bytes.as_chunks().0.try_into().expect("width × 8 bytes");
    if W == 0 {
        out.fill(base);
        return;
    }
    let mask = u64::MAX >> ((64 - W) % 64);
    macro_rules! step {
        ($index:literal) => {
            let bit = $index * W;
            let shift = bit % 64;
            let mut item = u64::from_le_bytes(words[bit / 64]) >> shift;
            if shift + W > 64 {
                item |= u64::from_le_bytes(words[bit / 64 + 1]) << (64 - shift);
            }
            out[$index] = base.wrapping_add(item & mask);
        };
    }
    each_lane!(step);
}
