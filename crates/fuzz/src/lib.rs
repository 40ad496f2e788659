//! Fuzz targets for every reader of bytes that somebody else may have written, and for what the writers promise.
//!
//! The bodies are in [`targets`], which knows nothing of libFuzzer: the ordinary tests include that module and replay
//! `corpus/` with it. Here each body also runs under a bound on what it may allocate.

mod memory;
pub mod targets;

/// Runs one target over one input.
///
/// # Panics
/// If the target finds a fault, or allocates more than it may for so many bytes.
pub fn check(bytes: &[u8], target: fn(&[u8])) {
    let peak = memory::peak_while(|| target(bytes));
    let limit = memory::limit_bytes(bytes.len());
    assert!(
        peak <= limit,
        "{peak} bytes were allocated for an input of {}; the limit is {limit}",
        bytes.len()
    );
}
