//! Trace ids: what one cause is called wherever its work is done.

use std::fmt;

use crate::local;

/// Everything that is done for one cause carries the same trace id. 0 is no trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TraceId(u64);

impl TraceId {
    /// No trace.
    pub const NONE: Self = Self(0);

    /// Wraps a raw id.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The raw id, as records carry it.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Whether this is no trace.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The trace of a business key at a time: the same in every process that knows both, so nothing needs to be
    /// passed along.
    ///
    /// FNV-1a (64 bits) over the key's bytes, one byte 0xFF and the timestamp as `i64` little-endian, then the
    /// finaliser of MurmurHash3 (fmix64); 0 becomes 1. FORMAT.md has the same text and test vectors. The unit of
    /// `timestamp` is the caller's.
    pub fn from_key(key: impl AsRef<[u8]>, timestamp: i64) -> Self {
        let hash = fnv1a(FNV_OFFSET, key.as_ref());
        let hash = fnv1a(hash, &[0xFF]);
        let hash = fnv1a(hash, &timestamp.to_le_bytes());
        Self(fmix64(hash).max(1))
    }

    /// The trace of a W3C `traceparent` header: the low 64 bits of its 128-bit id, so that the id can be found in
    /// other tools. When the high half is not 0 it is recorded once, here, as the annotation `trace_id_high`.
    ///
    /// # Errors
    ///
    /// The header is not of the form `00-<32 hex>-<16 hex>-<2 hex>` (lower case; a later version may be longer), or
    /// an id in it is one that must not be used.
    pub fn from_traceparent(header: &str) -> Result<Self, TraceparentError> {
        let parent = super::Traceparent::parse(header)?;
        parent.annotate_high();
        Ok(parent.trace())
    }

    /// A new id, unlike any other: a random start for each process, then a permutation of a counter, so ids never
    /// repeat within a process.
    pub fn unique() -> Self {
        Self(fmix64(local::next_unique()).max(1))
    }
}

impl fmt::Display for TraceId {
    /// Sixteen hexadecimal digits, as in `traceparent`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// The key under which the high half of a 128-bit trace id is annotated.
pub const HIGH_HALF_KEY: &str = "trace_id_high";

/// Why a `traceparent` header was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceparentError {
    /// Too short, or too long for version 00.
    #[error("a traceparent has 55 bytes, this one has {0}")]
    Length(usize),
    /// A byte is not what the form asks for.
    #[error("byte {0} of the traceparent is not a lower-case hex digit or dash where one belongs")]
    Form(usize),
    /// Version ff is forbidden.
    #[error("version ff of traceparent is not valid")]
    Version,
    /// The trace id or the parent id is all zeros.
    #[error("an id of the traceparent is all zeros")]
    ZeroId,
    /// Only the low half of the trace id is zero, which here would mean no trace.
    #[error("the low 64 bits of the trace id are zero")]
    ZeroLowHalf,
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

/// The finaliser of MurmurHash3: a permutation of the 64-bit numbers in which every input bit moves half of the output.
pub(crate) const fn fmix64(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of FORMAT.md.
    #[test]
    fn keys_hash_as_the_format_says() {
        let vectors: [(&str, i64, u64); 6] = [
            ("", 0, 0xe5dc_7d6d_69a7_ecb1),
            ("EURUSD", 0, 0x73fe_b395_9021_d0a4),
            ("EURUSD", 1_700_000_000_000_000_000, 0xd4a3_0a9e_5278_5342),
            ("EURUSD", -1, 0x07ca_e5df_319f_4dde),
            ("BTC/USD", 1_700_000_000, 0xe403_6b4e_2811_ed7b),
            ("\u{e9}t\u{e9}", i64::MIN, 0x33d8_82a8_5686_7177),
        ];
        for (key, timestamp, id) in vectors {
            assert_eq!(
                TraceId::from_key(key, timestamp).raw(),
                id,
                "{key:?} at {timestamp}"
            );
        }
    }

    #[test]
    fn key_and_timestamp_do_not_run_into_each_other() {
        assert_ne!(TraceId::from_key("A", 0x42), TraceId::from_key("A\x42", 0));
        assert_ne!(TraceId::from_key([0xff], 0), TraceId::from_key([], 0xff));
    }

    #[test]
    fn the_low_half_of_a_traceparent_is_the_id() {
        let id =
            TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(id, Ok(TraceId::from_raw(0xa3ce_929d_0e0e_4736)));
        assert_eq!(
            id.map(|id| id.to_string()),
            Ok("a3ce929d0e0e4736".to_owned())
        );
    }

    #[test]
    fn unique_ids_are_unique_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| (0..5_000).map(|_| TraceId::unique()).collect::<Vec<_>>())
            })
            .collect();
        let mut ids: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("the thread ends"))
            .collect();
        assert!(ids.iter().all(|id| !id.is_none()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20_000);
    }
}
