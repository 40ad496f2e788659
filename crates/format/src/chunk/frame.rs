//! A chunk's head in, checked; its columns on demand.

use super::directory::read_directory;
use super::{ChunkHead, ChunkKind, Column, ColumnId};
use crate::bytes::Cursor;
use crate::error::{FormatError, Result, check_sum, within};
use crate::{SegmentId, limits};

/// A chunk's head with its directory and tables, checked against its sum. The
/// body is not touched.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// The shared fields.
    pub head: ChunkHead,
    /// The column directory.
    pub columns: Vec<Column>,
    /// File offset of the chunk.
    pub offset: u64,
    pub(crate) tables: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the head at the start of `bytes`, which lie at `offset` in the
    /// file. `bytes` may end with the head.
    ///
    /// # Errors
    /// No mark, bytes cut short, a bad checksum, or lengths above the limits.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<Frame<'a>> {
        let head_len = ChunkHead::peek_len(bytes, offset)?;
        let head_bytes = Cursor::new(bytes, offset, "a chunk head").take(head_len)?;
        let (summed, stored) = head_bytes.split_at(head_len - 4);
        let head_crc = Cursor::new(stored, offset, "a chunk head").u32()?;
        check_sum(offset, "a chunk head", head_crc, summed)?;
        let mut cursor = Cursor::new(&summed[8..], offset + 8, "a chunk head");
        let head = ChunkHead {
            kind: ChunkKind(cursor.u16()?),
            version: cursor.u16()?,
            head_len: cursor.u32()?,
            body_len: cursor.u64()?,
            record_count: cursor.u32()?,
            segment: SegmentId(cursor.u32()?),
            chunk_seq: cursor.u64()?,
            min_start: cursor.u64()?,
            min_end: cursor.u64()?,
            max_end: cursor.u64()?,
            head_crc,
        };
        within(
            offset,
            "the length of a chunk body",
            head.body_len,
            limits::MAX_CHUNK_BODY_BYTES,
        )?;
        let columns = read_directory(&mut cursor, &head, offset)?;
        let tables = cursor.take(cursor.remaining())?;
        Ok(Frame {
            head,
            columns,
            offset,
            tables,
        })
    }

    /// The directory entry of column `id`.
    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// `Ok` if the chunk is of `kind`, in a version that this crate reads.
    pub(crate) fn expect_kind(&self, kind: ChunkKind) -> Result<()> {
        if self.head.kind == kind && self.head.is_known() {
            return Ok(());
        }
        Err(FormatError::malformed(
            self.offset,
            "the kind of a chunk",
            kind.name(),
            format!("{} version {}", self.head.kind.name(), self.head.version),
        ))
    }

    /// The directory entry of column `id`, which the chunk needs, with its number.
    pub(crate) fn needed_column(&self, id: ColumnId) -> Result<(usize, &Column)> {
        let mut columns = self.columns.iter().enumerate();
        let Some((number, column)) = columns.find(|(_, column)| column.id == id) else {
            return Err(FormatError::malformed(
                self.offset,
                "the columns of a chunk",
                format!("column {}", id.0),
                "none",
            ));
        };
        if column.encoding != id.encoding() {
            return Err(FormatError::malformed(
                self.column_offset(column),
                "the encoding of a column",
                id.encoding(),
                column.encoding,
            ));
        }
        Ok((number, column))
    }

    /// The bytes of column `id`, which the chunk needs, checked, with their file offset.
    pub(crate) fn read_column<'b>(&self, body: &'b [u8], id: ColumnId) -> Result<(&'b [u8], u64)> {
        let (_, column) = self.needed_column(id)?;
        self.check_column(body, column)?;
        Ok((self.column_bytes(body, column), self.column_offset(column)))
    }

    /// The body within the bytes of the whole chunk.
    pub(crate) fn body<'b>(&self, chunk: &'b [u8]) -> Result<&'b [u8]> {
        let start = self.head.head_len as usize;
        let len = self.head.body_len as usize;
        chunk.get(start..start + len).ok_or(FormatError::CutShort {
            offset: self.offset,
            what: "a chunk",
            expected: self.head.chunk_len(),
            got: chunk.len() as u64,
        })
    }

    /// File offset of a column.
    pub(crate) fn column_offset(&self, column: &Column) -> u64 {
        self.offset + u64::from(self.head.head_len) + u64::from(column.offset)
    }

    /// A column's bytes within `body`; the directory was checked to lie within it.
    pub(crate) fn column_bytes<'b>(&self, body: &'b [u8], column: &Column) -> &'b [u8] {
        &body[column.offset as usize..][..column.len as usize]
    }

    /// Checks the sum of one column.
    pub(crate) fn check_column(&self, body: &[u8], column: &Column) -> Result<()> {
        let offset = self.column_offset(column);
        check_sum(
            offset,
            column.id.name(),
            column.crc,
            self.column_bytes(body, column),
        )
    }

    /// Checks the sums of all columns of the chunk whose bytes are `chunk`. Works
    /// for kinds that this version does not know.
    ///
    /// # Errors
    /// The chunk is cut short, or the first column whose sum is wrong.
    pub fn check_body(&self, chunk: &[u8]) -> Result<()> {
        let body = self.body(chunk)?;
        self.columns
            .iter()
            .try_for_each(|column| self.check_column(body, column))
    }
}
