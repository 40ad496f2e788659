//! The column directory of a chunk.

use super::{ChunkHead, ColumnId};
use crate::bytes::Cursor;
use crate::error::{FormatError, Result, within};
use crate::limits;

/// One entry of the column directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Which column.
    pub id: ColumnId,
    /// How its bytes are laid out.
    pub encoding: u16,
    /// Where it begins in the body.
    pub offset: u32,
    /// Its bytes.
    pub len: u32,
    /// CRC-32C of its bytes.
    pub crc: u32,
}

impl Column {
    /// Where it ends in the body.
    fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.len)
    }
}

/// Reads and checks the directory of the chunk with `head`, which lies at `offset` in the file.
pub(super) fn read_directory(
    cursor: &mut Cursor<'_>,
    head: &ChunkHead,
    offset: u64,
) -> Result<Vec<Column>> {
    let count = within(
        offset,
        "the number of columns",
        cursor.u16()?.into(),
        limits::MAX_COLUMNS,
    )?;
    cursor.take(6)?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let column = Column {
            id: ColumnId(cursor.u16()?),
            encoding: cursor.u16()?,
            offset: cursor.u32()?,
            len: cursor.u32()?,
            crc: cursor.u32()?,
        };
        if column.end() > head.body_len {
            let expected = format!("at most the body's {}", head.body_len);
            return Err(FormatError::malformed(
                offset,
                "the end of a column",
                expected,
                column.end(),
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}
