//! FORMAT.md, "File header", "Chunk" and "Opening a file".

use super::events::Events;
use super::metadata::{self, Header, Metadata};
use super::numbers::{Bytes, Result, crc32c};
use super::rollup::Rollup;

const MAGIC: [u8; 8] = [0x89, 0x50, 0x45, 0x52, 0x46, 0x0D, 0x0A, 0x1A];
const MARK: [u8; 8] = [0xAB, 0x50, 0x45, 0x52, 0x46, 0x43, 0x4B, 0xBB];

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(super) header: Option<Header>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) metadata: Metadata,
    /// Bytes that are no intact chunk: where and how many.
    pub(super) damage: Vec<(usize, usize)>,
    pub(super) torn_tail: Option<(usize, usize)>,
}

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) offset: usize,
    pub(super) head: Head,
    pub(super) content: Result<Content>,
}

#[derive(Debug)]
pub(super) enum Content {
    Events(Events),
    Rollup(Rollup),
    /// The records went into the capture's metadata.
    Metadata,
    /// Of a kind or version that this decoder does not know.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) kind: u16,
    pub(super) version: u16,
    pub(super) head_len: usize,
    pub(super) body_len: usize,
    pub(super) records: u32,
    pub(super) segment: u32,
    pub(super) chunk_seq: u64,
    pub(super) min_start: u64,
    pub(super) min_end: u64,
    pub(super) max_end: u64,
    pub(super) columns: Vec<Column>,
    pub(super) tables: Vec<u8>,
    pub(super) crc: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) id: u16,
    pub(super) encoding: u16,
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) crc: u32,
}

/// Why there is no intact chunk at a place.
enum NoChunk {
    /// The file ends before it.
    Cut,
    Damaged,
}

/// Decodes a file.
pub(crate) fn decode(file: &[u8]) -> Result<Capture> {
    let mut capture = Capture::default();
    let mut position = match read_header(file) {
        Ok((header, len)) => {
            capture.header = Some(header);
            len
        }
        Err(reason) => {
            let refused = file.is_empty() || reason.starts_with("version");
            let next = if refused { None } else { search(file, 0) };
            let next = next.ok_or(reason)?;
            capture.damage.push((0, next));
            next
        }
    };
    while position < file.len() {
        match whole_chunk(file, position) {
            Ok(head) => {
                let next = position + head.head_len + head.body_len;
                capture.take_chunk(position, head, file);
                position = next;
            }
            Err(reason) => {
                let next = capture
                    .next_part(file, position)
                    .or_else(|| capture.after_damage(file, position, &reason));
                match next {
                    Some(next) => position = next,
                    None => break,
                }
            }
        }
    }
    Ok(capture)
}

fn read_header(file: &[u8]) -> Result<(Header, usize)> {
    let mut bytes = Bytes::new(file);
    if bytes.take(8)? != MAGIC {
        return Err("no magic".to_owned());
    }
    let (major, minor) = (bytes.u16()?, bytes.u16()?);
    let len = bytes.u32()? as usize;
    if !(68..=1 << 20).contains(&len) {
        return Err(format!("a header of {len} bytes"));
    }
    let summed = Bytes::new(file).take(len)?;
    if crc32c(&summed[..len - 4]) != Bytes::new(&summed[len - 4..]).u32()? {
        return Err("the header's checksum is wrong".to_owned());
    }
    if major > 1 {
        return Err(format!("version {major}.{minor}"));
    }
    let header = metadata::read_header(minor, &file[16..len - 4])?;
    Ok((header, len))
}

/// The head of a chunk at `offset`, the body of which lies in the file.
fn whole_chunk(file: &[u8], offset: usize) -> std::result::Result<Head, NoChunk> {
    let head = read_head(file, offset)?;
    if offset + head.head_len + head.body_len > file.len() {
        return Err(NoChunk::Cut);
    }
    Ok(head)
}

fn read_head(file: &[u8], offset: usize) -> std::result::Result<Head, NoChunk> {
    let here = &file[offset..];
    if here.len() < 8 {
        return Err(NoChunk::Cut);
    }
    if here[..8] != MARK {
        return Err(NoChunk::Damaged);
    }
    if here.len() < 16 {
        return Err(NoChunk::Cut);
    }
    let len = Bytes::new(&here[12..16]).u32().map_err(|_| NoChunk::Cut)? as usize;
    if !(76..=8 << 20).contains(&len) {
        return Err(NoChunk::Damaged);
    }
    let Some(head) = here.get(..len) else {
        return Err(NoChunk::Cut);
    };
    head_fields(head).map_err(|_| NoChunk::Damaged)
}

fn head_fields(bytes: &[u8]) -> Result<Head> {
    let crc = Bytes::new(&bytes[bytes.len() - 4..]).u32()?;
    let summed = &bytes[..bytes.len() - 4];
    if crc32c(summed) != crc {
        return Err("the head's checksum is wrong".to_owned());
    }
    let mut fields = Bytes::new(&summed[8..]);
    let mut head = Head {
        kind: fields.u16()?,
        version: fields.u16()?,
        head_len: fields.u32()? as usize,
        body_len: fields.u64()? as usize,
        records: fields.u32()?,
        segment: fields.u32()?,
        chunk_seq: fields.u64()?,
        min_start: fields.u64()?,
        min_end: fields.u64()?,
        max_end: fields.u64()?,
        columns: Vec::new(),
        tables: Vec::new(),
        crc,
    };
    if head.body_len > 64 << 20 {
        return Err(format!("a body of {} bytes", head.body_len));
    }
    let columns = fields.u16()?;
    fields.take(6)?;
    if columns > 64 {
        return Err(format!("{columns} columns"));
    }
    for _ in 0..columns {
        let column = Column {
            id: fields.u16()?,
            encoding: fields.u16()?,
            offset: fields.u32()? as usize,
            len: fields.u32()? as usize,
            crc: fields.u32()?,
        };
        if column.offset + column.len > head.body_len {
            return Err("a column beyond the body".to_owned());
        }
        if head
            .columns
            .iter()
            .any(|other| share_a_byte(other, &column))
        {
            return Err("two columns share a byte".to_owned());
        }
        head.columns.push(column);
    }
    head.tables = fields.left.to_vec();
    Ok(head)
}

fn share_a_byte(a: &Column, b: &Column) -> bool {
    let (start, end) = (
        a.offset.max(b.offset),
        (a.offset + a.len).min(b.offset + b.len),
    );
    start < end
}

/// Where the next intact head is, from `from` on.
fn search(file: &[u8], from: usize) -> Option<usize> {
    (from..file.len()).find(|offset| read_head(file, *offset).is_ok())
}

/// The bytes of column `id` of a chunk, checked.
pub(super) fn needed_column<'a>(
    head: &Head,
    body: &'a [u8],
    id: u16,
    encoding: u16,
) -> Result<&'a [u8]> {
    let column = head.columns.iter().find(|column| column.id == id);
    let column = column.ok_or_else(|| format!("no column {id}"))?;
    let bytes = &body[column.offset..column.offset + column.len];
    if crc32c(bytes) != column.crc {
        return Err(format!("the checksum of column {id} is wrong"));
    }
    if column.encoding != encoding {
        return Err(format!("column {id} has encoding {}", column.encoding));
    }
    Ok(bytes)
}

impl Capture {
    /// Behind the header of another part of the same capture, if one stands here.
    fn next_part(&self, file: &[u8], position: usize) -> Option<usize> {
        let (header, len) = read_header(&file[position..]).ok()?;
        (header.capture_id == self.header.as_ref()?.capture_id).then_some(position + len)
    }

    fn take_chunk(&mut self, offset: usize, head: Head, file: &[u8]) {
        let body = &file[offset + head.head_len..][..head.body_len];
        let content = match head.kind {
            _ if head.version > 1 => Ok(Content::Unknown),
            1 => Events::read(&head, body).map(Content::Events),
            5 => Rollup::read(&head, body).map(Content::Rollup),
            2 | 3 | 4 | 6 | 7 => needed_column(&head, body, 1, 0)
                .and_then(|records| self.metadata.read(head.kind, records))
                .map(|()| Content::Metadata),
            _ => Ok(Content::Unknown),
        };
        if matches!(head.kind, 2 | 3 | 4 | 6 | 7) && content.is_err() {
            self.damage.push((offset, head.head_len + head.body_len));
        }
        self.chunks.push(Chunk {
            offset,
            head,
            content,
        });
    }

    /// Where to go on, when there is no intact chunk at `position`.
    fn after_damage(&mut self, file: &[u8], position: usize, reason: &NoChunk) -> Option<usize> {
        let after_head =
            read_head(file, position).map_or(position + 1, |head| position + head.head_len);
        if let Some(last) = self.chunks.last()
            && last.offset + last.head.head_len + last.head.body_len == position
            && !sums_are_right(last, file)
            && let Some(next) = search(file, last.offset + last.head.head_len)
            && next < position
        {
            // Bytes were cut out of the chunk before.
            self.damage.push((last.offset, next - last.offset));
            return Some(next);
        }
        match search(file, after_head) {
            Some(next) => {
                self.damage.push((position, next - position));
                Some(next)
            }
            None => {
                let rest = (position, file.len() - position);
                match reason {
                    NoChunk::Cut => self.torn_tail = Some(rest),
                    NoChunk::Damaged => self.damage.push(rest),
                }
                None
            }
        }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (&Head, &Events)> {
        self.chunks.iter().filter_map(|chunk| match &chunk.content {
            Ok(Content::Events(events)) => Some((&chunk.head, events)),
            _ => None,
        })
    }

    pub(super) fn rollups(&self) -> impl Iterator<Item = (&Head, &Rollup)> {
        self.chunks.iter().filter_map(|chunk| match &chunk.content {
            Ok(Content::Rollup(rollup)) => Some((&chunk.head, rollup)),
            _ => None,
        })
    }

    pub(super) fn closed_cleanly(&self) -> bool {
        let last = self
            .chunks
            .last()
            .is_some_and(|chunk| chunk.head.kind == 7 && chunk.content.is_ok());
        last && self.torn_tail.is_none()
    }
}

fn sums_are_right(chunk: &Chunk, file: &[u8]) -> bool {
    let body = &file[chunk.offset + chunk.head.head_len..][..chunk.head.body_len];
    let mut columns = chunk.head.columns.iter();
    columns.all(|column| crc32c(&body[column.offset..column.offset + column.len]) == column.crc)
}
