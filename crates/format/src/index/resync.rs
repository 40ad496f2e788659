//! Finding the next chunk after damage, in time proportional to the file.

use crate::chunk::{ChunkHead, Frame, SYNC_MARK};
use crate::error::{FormatError, Result};
use crate::{ReadAt, limits};

/// Bytes searched at a time.
const WINDOW_BYTES: usize = 1 << 20;
/// Bytes that a head is first assumed to take; longer ones are read again.
const PROBE_BYTES: usize = 4096;
/// Work allowed beyond the file's own length: see [`Searcher::spend`].
const WORK_FLOOR: u64 = 64 << 20;
/// Times that a file's length may be read again while looking for chunks.
const WORK_FACTOR: u64 = 16;

/// Reads heads and looks for marks, with a budget: a hostile file can hold a mark
/// at every eighth byte, each with a long head that has to be summed.
pub(super) struct Searcher<'s, S: ?Sized> {
    source: &'s S,
    len: u64,
    work_left: u64,
    buffer: Vec<u8>,
}

impl<'s, S: ReadAt + ?Sized> Searcher<'s, S> {
    pub(super) fn new(source: &'s S, len: u64) -> Self {
        let work_left = len.saturating_mul(WORK_FACTOR).saturating_add(WORK_FLOOR);
        Searcher {
            source,
            len,
            work_left,
            buffer: Vec::new(),
        }
    }

    /// Takes `bytes` of work off the budget; false if it is used up.
    fn spend(&mut self, bytes: u64) -> bool {
        self.work_left = self.work_left.saturating_sub(bytes);
        self.work_left > 0
    }

    /// `len` bytes at `offset`, fewer at the end of the file.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let len = (self.len.saturating_sub(offset)).min(len as u64) as usize;
        self.source
            .bytes_at(offset, len, &mut self.buffer)
            .map_err(|error| FormatError::io(offset, &error))
    }

    /// Reads the chunk head at `offset` and gives it to `f`.
    pub(super) fn head<T>(
        &mut self,
        offset: u64,
        f: impl FnOnce(&Frame<'_>) -> Result<T>,
    ) -> Result<T> {
        let probe = self.bytes(offset, PROBE_BYTES)?;
        let head_len = ChunkHead::peek_len(probe, offset)?;
        if head_len <= probe.len() {
            return f(&Frame::parse(probe, offset)?);
        }
        f(&Frame::parse(self.bytes(offset, head_len)?, offset)?)
    }

    /// Checks the body of a chunk whose head was found right. `Ok(())` as well if
    /// the budget is used up.
    pub(super) fn check_body(&mut self, offset: u64, head: &ChunkHead) -> Result<()> {
        if !self.spend(head.chunk_len()) {
            return Ok(());
        }
        let chunk = self.bytes(offset, head.chunk_len() as usize)?;
        Frame::parse(chunk, offset)?.check_body(chunk)
    }

    /// The offset of the next chunk with an intact head, from `from` on.
    pub(super) fn next_chunk(&mut self, mut from: u64) -> Result<Option<u64>> {
        while let Some(mark) = self.next_mark(from)? {
            let head_bytes = match self
                .bytes(mark, 16)
                .and_then(|bytes| ChunkHead::peek_len(bytes, mark))
            {
                Ok(len) => len.min(limits::MAX_CHUNK_HEAD_BYTES),
                Err(_) => 0,
            };
            if head_bytes > 0 {
                if !self.spend(head_bytes as u64) {
                    return Ok(None);
                }
                if self.head(mark, |_| Ok(())).is_ok() {
                    return Ok(Some(mark));
                }
            }
            from = mark + 1;
        }
        Ok(None)
    }

    /// The offset of the next sync mark, from `from` on.
    fn next_mark(&mut self, mut from: u64) -> Result<Option<u64>> {
        let overlap = SYNC_MARK.len() as u64 - 1;
        while from + overlap < self.len {
            let window = self.bytes(from, WINDOW_BYTES)?;
            let searched = window.len() as u64;
            // A file that shrinks meanwhile gives fewer bytes than it had.
            if searched <= overlap {
                return Ok(None);
            }
            if let Some(at) = find_mark(window) {
                return Ok(self.spend(at as u64 + 1).then_some(from + at as u64));
            }
            if !self.spend(searched) {
                return Ok(None);
            }
            from += searched - overlap;
        }
        Ok(None)
    }
}

fn find_mark(window: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = window[start..]
        .iter()
        .position(|&byte| byte == SYNC_MARK[0])
    {
        let at = start + at;
        if window[at..].starts_with(&SYNC_MARK) {
            return Some(at);
        }
        start = at + 1;
    }
    None
}
