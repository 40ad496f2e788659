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

use crate::SegmentId;
use crate::bytes::{Cursor, Put, patch_u32};
use crate::error::{FormatError, Result, within};
use crate::limits;

/// First bytes of every chunk, by which a reader finds the next one after damage.
pub const SYNC_MARK: [u8; 8] = *b"\xABPERFCK\xBB";
/// Bytes of a chunk head before the column directory.
pub(crate) const CHUNK_HEAD_FIXED_BYTES: usize = 72;
/// Bytes of one entry of the column directory.
pub(crate) const COLUMN_BYTES: usize = 16;
/// The version of every kind that this crate writes, and the newest that it reads.
pub const CHUNK_VERSION: u16 = 1;

/// What a chunk holds. Kinds that this version does not know are skipped and counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKind(pub u16);

impl ChunkKind {
    /// Rows.
    pub const EVENTS: ChunkKind = ChunkKind(1);
    /// Descriptors of events and threads.
    pub const TABLES: ChunkKind = ChunkKind(2);
    /// Clock anchors.
    pub const ANCHORS: ChunkKind = ChunkKind(3);
    /// Self-cost, warnings, losses.
    pub const NOTES: ChunkKind = ChunkKind(4);
    /// Histograms of the Events chunks before it.
    pub const ROLLUP: ChunkKind = ChunkKind(5);
    /// Spans that had not ended.
    pub const OPEN_SPANS: ChunkKind = ChunkKind(6);
    /// The clean end of the file.
    pub const CLOSE: ChunkKind = ChunkKind(7);

    /// A short name, for people.
    pub fn name(self) -> &'static str {
        match self {
            ChunkKind::EVENTS => "events",
            ChunkKind::TABLES => "tables",
            ChunkKind::ANCHORS => "anchors",
            ChunkKind::NOTES => "notes",
            ChunkKind::ROLLUP => "rollup",
            ChunkKind::OPEN_SPANS => "open spans",
            ChunkKind::CLOSE => "close",
            _ => "unknown",
        }
    }
}

/// Which column: an id of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

impl ColumnId {
    /// Metadata records, one after another.
    pub const RECORDS: ColumnId = ColumnId(1);
    /// Row → index into the chunk's series table.
    pub const SERIES: ColumnId = ColumnId(16);
    /// Row → end, as the difference to the end before it in its range.
    pub const END: ColumnId = ColumnId(17);
    /// Values, grouped by series.
    pub const VALUE: ColumnId = ColumnId(18);
    /// Trace run → index into the chunk's trace dictionary plus 1, or 0 for none.
    pub const TRACE: ColumnId = ColumnId(19);
    /// Trace ids.
    pub const TRACE_DICT: ColumnId = ColumnId(20);
    /// Trace run → its rows.
    pub const TRACE_RUNS: ColumnId = ColumnId(22);
    /// Keys and texts of annotations.
    pub const STRINGS: ColumnId = ColumnId(21);
    /// Reserved: how many rows one kept row stands for.
    pub const WEIGHT: ColumnId = ColumnId(24);
    /// Reserved: processor number.
    pub const CPU: ColumnId = ColumnId(25);
    /// Reserved: span id.
    pub const SPAN_ID: ColumnId = ColumnId(26);
    /// Reserved: the parent's span id.
    pub const PARENT_ID: ColumnId = ColumnId(27);
    /// Summaries of a rollup's series.
    pub const SUMMARIES: ColumnId = ColumnId(32);
    /// Indexes of a rollup's bins.
    pub const BIN_INDEX: ColumnId = ColumnId(33);
    /// Counts of a rollup's bins.
    pub const BIN_COUNT: ColumnId = ColumnId(34);
}

/// How a column's bytes are laid out.
pub(crate) mod encoding {
    /// As the column's id says.
    pub(crate) const PLAIN: u16 = 0;
    /// Packed blocks.
    pub(crate) const PACKED: u16 = 1;
}

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
        let got = crc32c::crc32c(summed);
        if head_crc != got {
            return Err(FormatError::Checksum {
                offset,
                what: "a chunk head",
                expected: head_crc,
                got,
            });
        }
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
        let got = crc32c::crc32c(self.column_bytes(body, column));
        if got == column.crc {
            return Ok(());
        }
        let offset = self.column_offset(column);
        Err(FormatError::Checksum {
            offset,
            what: column_name(column.id),
            expected: column.crc,
            got,
        })
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

fn read_directory(cursor: &mut Cursor<'_>, head: &ChunkHead, offset: u64) -> Result<Vec<Column>> {
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
        let end = u64::from(column.offset) + u64::from(column.len);
        if end > head.body_len {
            let expected = format!("at most the body's {}", head.body_len);
            return Err(FormatError::malformed(
                offset,
                "the end of a column",
                expected,
                end,
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column_name(id: ColumnId) -> &'static str {
    match id {
        ColumnId::RECORDS => "the metadata of a chunk",
        ColumnId::SERIES => "the series column of a chunk",
        ColumnId::END => "the end column of a chunk",
        ColumnId::VALUE => "the value column of a chunk",
        ColumnId::TRACE => "the trace column of a chunk",
        ColumnId::TRACE_RUNS => "the trace runs of a chunk",
        ColumnId::TRACE_DICT => "the trace dictionary of a chunk",
        ColumnId::STRINGS => "the strings of a chunk",
        ColumnId::SUMMARIES => "the summaries of a rollup",
        ColumnId::BIN_INDEX => "the bin indexes of a rollup",
        ColumnId::BIN_COUNT => "the bin counts of a rollup",
        _ => "an unknown column of a chunk",
    }
}

/// Appends one chunk to a buffer: fixed head, then tables, then columns, then
/// lengths and sums are filled in.
pub(crate) struct ChunkBuilder<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    body: usize,
    columns: usize,
    written: usize,
}

impl<'o> ChunkBuilder<'o> {
    /// Begins a chunk of `columns` columns. Lengths and sums of `head` are ignored.
    /// Tables are appended through [`ChunkBuilder::tables`].
    pub(crate) fn begin(out: &'o mut Vec<u8>, head: &ChunkHead, columns: usize) -> Self {
        let start = out.len();
        out.extend_from_slice(&SYNC_MARK);
        out.put_u16(head.kind.0);
        out.put_u16(CHUNK_VERSION);
        out.put_u32(0);
        out.put_u64(0);
        out.put_u32(head.record_count);
        out.put_u32(head.segment.0);
        out.put_u64(head.chunk_seq);
        out.put_u64(head.min_start);
        out.put_u64(head.min_end);
        out.put_u64(head.max_end);
        out.put_u16(columns as u16);
        out.extend_from_slice(&[0; 6]);
        out.resize(out.len() + columns * COLUMN_BYTES, 0);
        ChunkBuilder {
            out,
            start,
            body: 0,
            columns,
            written: 0,
        }
    }

    /// The buffer, to append the kind's tables.
    pub(crate) fn tables(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Ends the head.
    pub(crate) fn end_head(&mut self) {
        self.out.put_u32(0);
        self.body = self.out.len();
    }

    /// Appends a column, the bytes of which `f` writes.
    pub(crate) fn column(&mut self, id: ColumnId, encoding: u16, f: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.out.len();
        f(self.out);
        let crc = crc32c::crc32c(&self.out[begin..]);
        let entry = self.start + CHUNK_HEAD_FIXED_BYTES + self.written * COLUMN_BYTES;
        let len = self.out.len() - begin;
        patch_u32(self.out, entry, u32::from(id.0) | u32::from(encoding) << 16);
        patch_u32(self.out, entry + 4, (begin - self.body) as u32);
        patch_u32(self.out, entry + 8, len as u32);
        patch_u32(self.out, entry + 12, crc);
        self.written += 1;
    }

    /// Bytes of the chunk so far.
    pub(crate) fn position(&self) -> usize {
        self.out.len() - self.start
    }

    /// Fills in lengths and sums; returns the head's CRC-32C.
    pub(crate) fn finish(self) -> u32 {
        debug_assert_eq!(
            self.columns, self.written,
            "every declared column is written"
        );
        let head_len = self.body - self.start;
        let body_len = (self.out.len() - self.body) as u64;
        patch_u32(self.out, self.start + 12, head_len as u32);
        patch_u32(self.out, self.start + 16, body_len as u32);
        patch_u32(self.out, self.start + 20, (body_len >> 32) as u32);
        let crc = crc32c::crc32c(&self.out[self.start..self.body - 4]);
        patch_u32(self.out, self.body - 4, crc);
        crc
    }
}
