//! What each target does with its bytes. Every body panics on a fault and on nothing else.
//!
//! Checksums guard every byte of a capture, so changed bytes alone never get past them. Each reading target therefore
//! runs twice: over the bytes as they are, and over a copy in which [`repair`] made lengths and sums consistent again.

mod arena;
mod capture;
mod chunk;
mod feed;
mod metadata;
mod repair;
mod report;
mod round_trip;
mod traces;

pub use arena::arena;
pub use capture::capture;
pub use chunk::chunk;
pub use metadata::metadata;
pub use report::report;
pub use round_trip::round_trip;
pub use traces::traces;

/// A target's name, as `corpus/` and `fuzz_targets/` have it, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Target; 7] = [
    ("arena", arena),
    ("capture", capture),
    ("chunk", chunk),
    ("metadata", metadata),
    ("report", report),
    ("round_trip", round_trip),
    ("traces", traces),
];
