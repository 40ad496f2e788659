//! Reading a capture that was compressed after it was closed, a frame at a time.
//!
//! The file is a row of zstd frames and a seek table, as FORMAT.md has it ("Compressed parts"): a read decompresses the
//! frames that it touches. The last ones are kept, since a chunk is read in several pieces. A frame that is damaged reads as
//! zeros, which are no chunk: what the frames beside it hold is found as in any damaged file.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use perf_format::{SeekFooter, ZSTD_MAGIC};

use super::source::read_up_to;

/// The largest frame, compressed or not, that is read: room for the largest chunk of all.
const MAX_FRAME_BYTES: u64 = 96 << 20;
/// Frames of one file; a table of more is refused.
const MAX_FRAMES: u32 = 1 << 24;
/// Bytes of decompressed frames that are kept for the next reads, or one frame if that has more.
const KEPT_BYTES: usize = 32 << 20;

/// Whether a file that begins with `start` is compressed by zstd.
pub(super) fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&ZSTD_MAGIC)
}

/// A compressed capture.
#[derive(Debug)]
pub(super) struct Compressed {
    frames: Vec<Frame>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// Where its content begins in the capture.
    offset: u64,
    len: u64,
    /// Where it begins in the file.
    stored_offset: u64,
    stored_len: u64,
}

#[derive(Debug, Default)]
struct Kept {
    /// Content of frames by their number, those that were used last at the end.
    frames: VecDeque<(usize, Arc<Vec<u8>>)>,
    bytes: usize,
    damaged: BTreeSet<usize>,
}

impl Compressed {
    /// Reads the seek table.
    ///
    /// # Errors
    /// There is none that fits the file; in words.
    pub(super) fn open(file: &File, stored_len: u64) -> Result<Self, String> {
        let frames = seek_table(file, stored_len)?;
        Ok(Self {
            frames,
            kept: Mutex::default(),
        })
    }

    /// Bytes of the capture.
    pub(super) fn len(&self) -> u64 {
        self.frames
            .last()
            .map_or(0, |frame| frame.offset + frame.len)
    }

    /// Fills `place` with what the capture has at `offset`; returns how much that is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(&self, file: &File, offset: u64, place: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let mut number = self
            .frames
            .partition_point(|frame| frame.offset + frame.len <= offset);
        while filled < place.len()
            && let Some(frame) = self.frames.get(number)
        {
            let at = (offset + filled as u64 - frame.offset) as usize;
            let count = (frame.len as usize - at).min(place.len() - filled);
            let part = &mut place[filled..filled + count];
            match self.content(file, number)? {
                Some(content) => part.copy_from_slice(&content[at..at + count]),
                None => part.fill(0),
            }
            filled += count;
            number += 1;
        }
        Ok(filled)
    }

    /// Whether `offset` lies in a frame that was found to be damaged.
    pub(super) fn is_damaged(&self, offset: u64) -> bool {
        let number = self
            .frames
            .partition_point(|frame| frame.offset + frame.len <= offset);
        self.kept().damaged.contains(&number)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a frame holds; `None` if it is damaged. Two threads that want the same at once both decompress it, so that nobody
    /// waits for a frame of which he needs nothing.
    fn content(&self, file: &File, number: usize) -> io::Result<Option<Arc<Vec<u8>>>> {
        {
            let mut kept = self.kept();
            if kept.damaged.contains(&number) {
                return Ok(None);
            }
            if let Some(content) = kept.get(number) {
                return Ok(Some(content));
            }
        }
        let content = self.frames[number].decompress(file)?.map(Arc::new);
        let mut kept = self.kept();
        match &content {
            Some(content) => kept.put(number, Arc::clone(content)),
            None => {
                kept.damaged.insert(number);
            }
        }
        Ok(content)
    }
}

impl Frame {
    fn decompress(&self, file: &File) -> io::Result<Option<Vec<u8>>> {
        let mut stored = vec![0; self.stored_len as usize];
        if read_up_to(file, self.stored_offset, &mut stored)? < stored.len() {
            return Ok(None);
        }
        // Not more than the table says, whatever the frame's own head does.
        let content = zstd::bulk::decompress(&stored, self.len as usize).ok();
        Ok(content.filter(|content| content.len() as u64 == self.len))
    }
}

impl Kept {
    fn get(&mut self, number: usize) -> Option<Arc<Vec<u8>>> {
        let at = self.frames.iter().position(|(kept, _)| *kept == number)?;
        let frame = self.frames.remove(at)?;
        let content = Arc::clone(&frame.1);
        self.frames.push_back(frame);
        Some(content)
    }

    fn put(&mut self, number: usize, content: Arc<Vec<u8>>) {
        if self.frames.iter().any(|(kept, _)| *kept == number) {
            return;
        }
        self.bytes += content.len();
        self.frames.push_back((number, content));
        while self.bytes > KEPT_BYTES && self.frames.len() > 1 {
            if let Some((_, dropped)) = self.frames.pop_front() {
                self.bytes -= dropped.len();
            }
        }
    }
}

fn seek_table(file: &File, stored_len: u64) -> Result<Vec<Frame>, String> {
    let fill = |offset: u64, bytes: &mut [u8]| match read_up_to(file, offset, bytes) {
        Ok(read) if read == bytes.len() => Ok(()),
        Ok(_) => Err("it was cut short while it was read".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let no_table = || "it has no seek table at its end".to_owned();
    let mut footer = [0; SeekFooter::BYTES];
    let footer_at = stored_len.checked_sub(SeekFooter::BYTES as u64);
    fill(footer_at.ok_or_else(no_table)?, &mut footer)?;
    let footer = SeekFooter::parse(footer).ok_or_else(no_table)?;
    let table_at = stored_len.checked_sub(footer.table_bytes());
    let Some(table_at) = table_at.filter(|_| footer.frames <= MAX_FRAMES) else {
        return Err(format!(
            "its seek table tells of {} frames, which cannot be",
            footer.frames
        ));
    };
    let mut table = vec![0; footer.table_bytes() as usize];
    fill(table_at, &mut table)?;
    let entries = footer.entries(&table);
    let entries = entries.ok_or_else(|| "its seek table is damaged".to_owned())?;
    let mut frames = Vec::with_capacity(entries.len());
    let (mut offset, mut stored_offset) = (0, 0);
    for entry in entries {
        let (stored_len, len) = (entry.stored_bytes.into(), entry.content_bytes.into());
        if u64::max(stored_len, len) > MAX_FRAME_BYTES {
            return Err(format!(
                "its seek table tells of a frame of {} bytes, at most {MAX_FRAME_BYTES} are read",
                stored_len.max(len)
            ));
        }
        frames.push(Frame {
            offset,
            len,
            stored_offset,
            stored_len,
        });
        offset += len;
        stored_offset += stored_len;
    }
    match stored_offset == table_at {
        true => Ok(frames),
        false => Err(format!(
            "its seek table tells of {stored_offset} bytes of frames, there are {table_at}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// `content` in frames of `frame_bytes`, with a seek table.
    fn compressed(content: &[u8], frame_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut table = Vec::new();
        for part in content.chunks(frame_bytes) {
            let frame = zstd::bulk::compress(part, 1).unwrap();
            table.extend((frame.len() as u32).to_le_bytes());
            table.extend((part.len() as u32).to_le_bytes());
            bytes.extend(frame);
        }
        let count = table.len() as u32 / 8;
        bytes.extend([0x5e, 0x2a, 0x4d, 0x18]);
        bytes.extend((table.len() as u32 + 9).to_le_bytes());
        bytes.extend(table);
        bytes.extend(count.to_le_bytes());
        bytes.push(0);
        bytes.extend([0xb1, 0xea, 0x92, 0x8f]);
        bytes
    }

    fn stored(bytes: &[u8]) -> (File, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        (file, bytes.len() as u64)
    }

    fn content() -> Vec<u8> {
        (0..100_000_u32).map(|at| (at / 7 % 251) as u8).collect()
    }

    #[test]
    fn any_stretch_is_what_was_compressed() {
        let content = content();
        let (file, len) = stored(&compressed(&content, 1000));
        let compressed = Compressed::open(&file, len).unwrap();
        assert_eq!(compressed.len(), content.len() as u64);
        for (offset, len) in [
            (0, 1),
            (999, 2),
            (1000, 1000),
            (500, 5000),
            (99_990, 100),
            (0, 100_000),
        ] {
            let mut place = vec![1; len];
            let read = compressed.read(&file, offset as u64, &mut place).unwrap();
            let expected = &content[offset..(offset + len).min(content.len())];
            assert_eq!(&place[..read], expected, "{len} at {offset}");
        }
        assert_eq!(compressed.read(&file, 100_000, &mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn a_damaged_frame_reads_as_zeros_and_the_others_as_they_are() {
        let content = content();
        let mut bytes = compressed(&content, 1000);
        let third: usize = 2 * zstd::bulk::compress(&content[..1000], 1).unwrap().len();
        bytes[third + 6..third + 16].fill(0xff);
        let (file, len) = stored(&bytes);
        let compressed = Compressed::open(&file, len).unwrap();
        let mut place = vec![1; content.len()];
        compressed.read(&file, 0, &mut place).unwrap();
        let damaged: Vec<usize> = (0..100)
            .filter(|number| place[number * 1000..][..1000] != content[number * 1000..][..1000])
            .collect();
        assert!((1..=2).contains(&damaged.len()), "{damaged:?}");
        for number in damaged {
            assert!(place[number * 1000..][..1000].iter().all(|byte| *byte == 0));
            assert!(compressed.is_damaged(number as u64 * 1000 + 5));
        }
        assert!(!compressed.is_damaged(50_000));
    }

    #[test]
    fn what_is_no_seek_table_is_refused() {
        let whole = compressed(&content(), 1000);
        for cut in [0, 5, 9, 12, 100, 800, whole.len() - 1] {
            let (file, len) = stored(&whole[..cut]);
            assert!(Compressed::open(&file, len).is_err(), "cut at {cut}");
        }
        // Any one byte of the table: refused, or it gives other frames, which are damaged.
        for at in whole.len() - 817..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            let (file, len) = stored(&bytes);
            if let Ok(compressed) = Compressed::open(&file, len) {
                let mut place = vec![0; 4000];
                compressed.read(&file, 0, &mut place).unwrap();
            }
        }
    }

    #[test]
    fn little_is_kept() {
        let content = vec![7; 40 << 20];
        let (file, len) = stored(&compressed(&content, 1 << 20));
        let compressed = Compressed::open(&file, len).unwrap();
        let mut place = vec![0; 1 << 20];
        for number in 0..40 {
            compressed.read(&file, number << 20, &mut place).unwrap();
            assert!(compressed.kept().bytes <= KEPT_BYTES);
        }
        assert!(compressed.kept().frames.len() > 16);
    }
}
