//! The peers, one a file. What each row of the table includes is in `README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) mod fastrace;
pub(crate) mod lttng;
pub(crate) mod measureme;
pub(crate) mod metrics;
pub(crate) mod micromegas;
pub(crate) mod ours;
pub(crate) mod puffin;
pub(crate) mod reads;
pub(crate) mod tracing;
#[cfg(feature = "tracy")]
pub(crate) mod tracy;

/// The only file that a peer writes in `dir`.
fn only_file(dir: &Path) -> PathBuf {
    dir.join("spans")
}

/// Its bytes; none if it was never made.
fn bytes_of(dir: &Path) -> Result<Vec<u8>> {
    match fs::read(only_file(dir)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => Ok(read?),
    }
}

/// Takes `N` bytes from the front, or nothing if there are fewer.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}
