//! The frame of every chunk: head, column directory, checksums.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | sync mark `AB 50 45 52 46 43 4B BB` |
//! | 8 | 2 | kind |
//! | 10 | 2 | version of the kind |
//! | 12 | 4 | `head_len`: bytes of head, directory, tables and checksum |
//! | 16 | 8 | `body_len`: bytes of the body, which follows the head |
//! | 24 | 4 | record count |
//! | 28 | 4 | clock segment |
//! | 32 | 8 | `chunk_seq`: number of the chunk in its capture |
//! | 40 | 8 | smallest start of the rows, ticks |
//! | 48 | 8 | smallest end, ticks |
//! | 56 | 8 | largest end, ticks |
//! | 64 | 2 | number of columns |
//! | 66 | 6 | reserved, 0 |
//! | 72 | 16 × columns | directory: id u16, encoding u16, offset u32, length u32, CRC-32C u32 |
//! | … | … | tables of the kind |
//! | head_len − 4 | 4 | CRC-32C of all bytes of the head before |

mod builder;
mod codes;
mod directory;
mod frame;
mod head;

pub(crate) use builder::ChunkBuilder;
pub use codes::{ChunkKind, ColumnId};
pub use directory::Column;
pub use frame::Frame;
pub use head::ChunkHead;

/// First bytes of every chunk, by which a reader finds the next one after damage.
pub const SYNC_MARK: [u8; 8] = *b"\xABPERFCK\xBB";
/// Bytes of a chunk head before the column directory.
const CHUNK_HEAD_FIXED_BYTES: usize = 72;
/// Bytes of one entry of the column directory.
const COLUMN_BYTES: usize = 16;
/// The version of every kind that this crate writes, and the newest that it reads.
pub const CHUNK_VERSION: u16 = 1;

/// How a column's bytes are laid out.
pub(crate) mod encoding {
    /// As the column's id says.
    pub(crate) const PLAIN: u16 = 0;
    /// Packed blocks.
    pub(crate) const PACKED: u16 = 1;
}
