//! Captures of several files, one after another: parts.
//!
//! ```text
//!   drainer: when a part ends ──► spool ──► writer: a file for each part ──► keeper: compresses, deletes old ones
//!      rotation.rs                             files.rs                        keeper.rs, compress.rs, retention.rs
//! ```

#[cfg(feature = "zstd")]
pub(crate) mod compress;
mod files;
mod keeper;
pub(crate) mod names;
mod retention;
mod rotation;
mod settings;

pub(crate) use files::{Next, PartFiles};
pub(crate) use retention::Deleted;
pub(crate) use rotation::Rotation;
#[cfg(all(feature = "config", feature = "zstd"))]
pub(crate) use settings::COMPRESSION_LEVELS;
pub(crate) use settings::PartSettings;
pub use settings::Parts;
#[cfg(feature = "config")]
pub(crate) use settings::SMALLEST_PART;
