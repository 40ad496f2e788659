//! Trace ids out of keys: the hash that FORMAT.md specifies, so that every
//! process derives the same id from the same key.

use crate::TraceId;

/// The trace of what `key` (for example a symbol) does at `candle_ts` (any i64
/// that tells the occasions apart).
///
/// FNV-1a, 64 bits, over the bytes of `key`, one byte `FF` (which UTF-8 never
/// holds, so that key and time cannot run together) and `candle_ts` in
/// little-endian order; then MurmurHash3's 64-bit finalizer; 0 becomes 1.
pub fn trace_from_key(key: &str, candle_ts: i64) -> TraceId {
    let mut hash = FNV_OFFSET;
    let bytes = key.bytes().chain([0xFF]).chain(candle_ts.to_le_bytes());
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    }
    TraceId(fmix64(hash).max(1))
}

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

/// By what a sampler decides about a trace: MurmurHash3's 64-bit finalizer of its id.
///
/// One trace in *n* is kept if its hash is below 2⁶⁴ ÷ *n*. So what is kept at a low rate is also kept at a higher one, and
/// recorders that do not know of each other keep the same traces.
#[inline]
pub fn trace_hash(trace: TraceId) -> u64 {
    fmix64(trace.0)
}

/// MurmurHash3's 64-bit finalizer: a bijection that mixes every bit into every other.
#[inline]
pub(crate) fn fmix64(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of FORMAT.md; they were computed by a program of their own.
    #[test]
    fn vectors_of_the_specification() {
        for (key, candle_ts, expected) in VECTORS {
            assert_eq!(
                trace_from_key(key, candle_ts),
                TraceId(expected),
                "{key:?} {candle_ts}"
            );
        }
    }

    const VECTORS: [(&str, i64, u64); 5] = [
        ("", 0, 0xE5DC_7D6D_69A7_ECB1),
        ("EURUSD", 1_700_000_000, 0x259F_1402_A315_D680),
        ("EURUSD", 1_700_000_060, 0x15AD_86CC_4307_F275),
        ("GBPUSD", 1_700_000_000, 0x0C69_4380_05A7_844F),
        ("naïve", -1, 0x821B_5095_704A_2704),
    ];
}
