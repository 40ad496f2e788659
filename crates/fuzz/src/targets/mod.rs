//! What each target does with its bytes. Every body panics on a fault and on nothing else.
//!
//! Checksums guard every byte of a capture, so changed bytes alone never get past them. Each reading target therefore
//! runs twice: over the bytes as they are, and over a copy in which [`repair`] made lengths and sums consistent again.

use std::io::Write;

use perf_analysis::{CaptureSet, OpenOptions};

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

/// Opens the bytes as a capture file, as they are and made consistent again, and gives what can be opened to `read`.
fn opened(bytes: &[u8], read: impl Fn(&CaptureSet)) {
    let mut mended = bytes.to_vec();
    repair::file(&mut mended);
    for bytes in [bytes, &mended] {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("a temporary file takes bytes");
        let open = OpenOptions { strict: false };
        if let Ok(set) = CaptureSet::open(&[file.path().to_owned()], &open) {
            read(&set);
        }
    }
}

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
