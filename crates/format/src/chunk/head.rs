//! The fields of a chunk's head that every kind shares.

use super::{CHUNK_HEAD_FIXED_BYTES, CHUNK_VERSION, ChunkKind, SYNC_MARK};
use crate::bytes::Cursor;
use crate::error::{FormatError, Result, within};
use crate::{SegmentId, limits};

/// The fields of a chunk's head that every kind shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkHead {
    /// What the chunk holds.
    pub kind: ChunkKind,
    /// Version of its layout.
    pub version: u16,
    /// Bytes of the head with its checksum.
    pub head_len: u32,
    /// Bytes of the body.
    pub body_len: u64,
    /// Rows, series or metadata records in the body.
    pub record_count: u32,
    /// The clock segment of its ticks.
    pub segment: SegmentId,
    /// Its number in the capture, counted over all kinds.
    pub chunk_seq: u64,
    /// Smallest start of its rows in ticks; 0 without rows.
    pub min_start: u64,
    /// Smallest end of its rows in ticks; 0 without rows.
    pub min_end: u64,
    /// Largest end of its rows in ticks; 0 without rows.
    pub max_end: u64,
    /// CRC-32C of the head. Since the head holds the columns' sums, it stands for the whole chunk.
    pub head_crc: u32,
}

impl ChunkHead {
    /// Bytes of the whole chunk.
    pub fn chunk_len(&self) -> u64 {
        u64::from(self.head_len) + self.body_len
    }

    /// True if this crate reads chunks of this kind and version.
    pub fn is_known(&self) -> bool {
        self.version <= CHUNK_VERSION && (ChunkKind::EVENTS..=ChunkKind::CLOSE).contains(&self.kind)
    }

    /// Reads the lengths of a head off the first bytes, so that the rest can be fetched.
    pub(crate) fn peek_len(bytes: &[u8], offset: u64) -> Result<usize> {
        let mut cursor = Cursor::new(bytes, offset, "a chunk head");
        let mark = cursor.take(8)?;
        if mark != SYNC_MARK {
            return Err(FormatError::malformed(
                offset,
                "the sync mark of a chunk",
                hex(&SYNC_MARK),
                hex(mark),
            ));
        }
        cursor.u32()?;
        let head_len = within(
            offset,
            "the length of a chunk head",
            cursor.u32()?.into(),
            limits::MAX_CHUNK_HEAD_BYTES,
        )?;
        if head_len < CHUNK_HEAD_FIXED_BYTES + 4 {
            return Err(FormatError::malformed(
                offset,
                "the length of a chunk head",
                "at least 76",
                head_len,
            ));
        }
        Ok(head_len)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
