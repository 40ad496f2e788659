//! The walk over a capture from head to head.

use super::resync::Searcher;
use super::{ChunkEntry, Damage, Index, TornTail};
use crate::chunk::{ChunkHead, ChunkKind, ColumnId, Frame};
use crate::error::{FormatError, Result};
use crate::metadata::read_records;
use crate::rollup::coverage_of;
use crate::{FileHeader, MAGIC, ReadAt, limits};

/// Builds the index of `source`.
pub(super) fn walk(source: &(impl ReadAt + ?Sized)) -> Result<Index> {
    let file_len = source.size().map_err(|error| FormatError::io(0, &error))?;
    let mut walk = Walk {
        searcher: Searcher::new(source, file_len),
        index: Index {
            file_len,
            ..Index::default()
        },
        suspected: None,
    };
    let start = walk.header()?;
    walk.chunks(start)?;
    Ok(walk.index)
}

struct Walk<'s, S: ?Sized> {
    searcher: Searcher<'s, S>,
    index: Index,
    /// The last chunk whose body was searched because nothing intact followed it.
    suspected: Option<u64>,
}

impl<S: ReadAt + ?Sized> Walk<'_, S> {
    /// Reads the file header; returns where the chunks begin.
    fn header(&mut self) -> Result<u64> {
        let bytes = self.searcher.bytes(0, limits::MAX_FILE_HEAD_BYTES)?;
        match FileHeader::parse(bytes) {
            Ok((header, len)) => {
                self.index.header = Some(header);
                Ok(len as u64)
            }
            Err(error @ (FormatError::Empty | FormatError::NewerVersion { .. })) => Err(error),
            Err(error) => {
                // The chunks may be intact all the same.
                let Some(start) = self.searcher.next_chunk(0)? else {
                    return Err(error);
                };
                self.index.damage.push(Damage {
                    offset: 0,
                    len: start,
                    reason: error,
                });
                Ok(start)
            }
        }
    }

    fn chunks(&mut self, start: u64) -> Result<()> {
        let mut position = start;
        while position < self.index.file_len {
            let error = match self.chunk(position) {
                Ok(next) => {
                    position = next;
                    continue;
                }
                Err(error @ FormatError::Io { .. }) => return Err(error),
                Err(error) => error,
            };
            let next = match self.next_part(position)? {
                Some(next) => Some(next),
                None => self.after_damage(position, error)?,
            };
            match next {
                Some(next) => position = next,
                None => break,
            }
        }
        Ok(())
    }

    /// Where the chunks go on, if the header of another part of this capture stands at `position`: parts put one behind
    /// another are a capture, too.
    fn next_part(&mut self, position: u64) -> Result<Option<u64>> {
        let Some(capture_id) = self.index.header.as_ref().map(|header| header.capture_id) else {
            return Ok(None);
        };
        if !self
            .searcher
            .bytes(position, MAGIC.len())?
            .starts_with(&MAGIC)
        {
            return Ok(None);
        }
        let bytes = self.searcher.bytes(position, limits::MAX_FILE_HEAD_BYTES)?;
        Ok(match FileHeader::parse(bytes) {
            Ok((header, len)) if header.capture_id == capture_id => Some(position + len as u64),
            _ => None,
        })
    }

    /// Takes in the chunk at `position`; returns where the next one should be.
    fn chunk(&mut self, position: u64) -> Result<u64> {
        let entry = self.searcher.head(position, |frame| {
            let is_rollup = frame.head.kind == ChunkKind::ROLLUP && frame.head.is_known();
            let coverage = if is_rollup {
                Some(coverage_of(frame)?)
            } else {
                None
            };
            Ok(ChunkEntry {
                offset: position,
                head: frame.head,
                coverage,
            })
        })?;
        let head = entry.head;
        let end = position + head.chunk_len();
        if end > self.index.file_len {
            let got = self.index.file_len - position;
            return Err(FormatError::CutShort {
                offset: position,
                what: "a chunk",
                expected: head.chunk_len(),
                got,
            });
        }
        self.index.chunks.push(entry);
        if !head.is_known() {
            self.index.unknown_chunks += 1;
        } else if !matches!(head.kind, ChunkKind::EVENTS | ChunkKind::ROLLUP) {
            match self.metadata(position, &head) {
                Ok(()) => {}
                Err(error @ FormatError::Io { .. }) => return Err(error),
                Err(reason) => self.index.damage.push(Damage {
                    offset: position,
                    len: head.chunk_len(),
                    reason,
                }),
            }
        }
        Ok(end)
    }

    /// Reads the body of a metadata chunk.
    fn metadata(&mut self, position: u64, head: &ChunkHead) -> Result<()> {
        let chunk = self.searcher.bytes(position, head.chunk_len() as usize)?;
        let frame = Frame::parse(chunk, position)?;
        let body = frame.body(chunk)?;
        let (records, offset) = frame.read_column(body, ColumnId::RECORDS)?;
        let index = &mut self.index;
        match head.kind {
            ChunkKind::TABLES => index.tables.read_records(records, offset),
            ChunkKind::ANCHORS => index.anchors.read_records(records, offset),
            ChunkKind::NOTES => index.notes.read_records(records, offset),
            ChunkKind::OPEN_SPANS => {
                let skipped = &mut index.notes.skipped_records;
                read_records(records, offset, skipped, |record| {
                    record.push_to(&mut index.open_spans, limits::MAX_OPEN_SPANS)
                })
            }
            _ => {
                let skipped = &mut index.notes.skipped_records;
                read_records(records, offset, skipped, |record| {
                    record.put_into(index.close.get_or_insert_default())
                })
            }
        }
    }

    /// What to do when no intact chunk is at `position`: returns where the next one is.
    fn after_damage(&mut self, position: u64, error: FormatError) -> Result<Option<u64>> {
        let torn_head = self.searcher.head(position, |frame| Ok(frame.head)).ok();
        let mut damage = Damage {
            offset: position,
            len: 0,
            reason: error,
        };
        let mut from = position + torn_head.map_or(1, |head| u64::from(head.head_len));
        // If bytes were cut out of the chunk before, the next one begins within what
        // should be that chunk's body. An intact body needs no search.
        // Once a chunk: what follows may be found from within its body again.
        if let Some(last) = self.index.chunks.last()
            && last.offset + last.head.chunk_len() == position
            && self.suspected != Some(last.offset)
        {
            let (offset, head) = (last.offset, last.head);
            self.suspected = Some(offset);
            if let Err(reason) = self.searcher.check_body(offset, &head) {
                from = offset + u64::from(head.head_len);
                if let Some(next) = self
                    .searcher
                    .next_chunk(from)?
                    .filter(|&next| next < position)
                {
                    damage = Damage {
                        offset,
                        len: next - offset,
                        reason,
                    };
                    self.index.damage.push(damage);
                    return Ok(Some(next));
                }
                from = position + torn_head.map_or(1, |head| u64::from(head.head_len));
            }
        }
        if let Some(next) = self.searcher.next_chunk(from)? {
            damage.len = next - position;
            self.index.damage.push(damage);
            return Ok(Some(next));
        }
        let len = self.index.file_len - position;
        if matches!(damage.reason, FormatError::CutShort { .. }) {
            self.index.torn_tail = Some(TornTail {
                offset: position,
                len,
                head: torn_head,
            });
        } else {
            damage.len = len;
            self.index.damage.push(damage);
        }
        Ok(None)
    }
}
