//! A whole file: the index, and then everything that it leads to.

use std::collections::HashSet;
use std::io;

use perf_format::{ChunkKind, FormatError, Index, ReadAt};

use super::{chunk, repair};

/// Reads the bytes as a capture file.
pub fn capture(bytes: &[u8]) {
    read(bytes);
    let mut mended = bytes.to_vec();
    repair::file(&mut mended);
    read(&mended);
}

fn read(bytes: &[u8]) {
    let built = Index::build(bytes);
    same(&built, &Index::read(&Pieces(bytes)));
    let Ok(index) = built else { return };
    places(&index, bytes.len() as u64);
    for entry in &index.chunks {
        let chunk = index.chunk_bytes(bytes, entry);
        assert_eq!(
            chunk.len() as u64,
            entry.head.chunk_len(),
            "an indexed chunk is all there"
        );
        chunk::decode(chunk, entry.offset);
        assert!(entry.coverage.is_none() || entry.head.kind == ChunkKind::ROLLUP);
    }
    times(&index);
    assert!(
        index.missing_chunks()
            <= index
                .chunks
                .iter()
                .map(|entry| entry.head.chunk_seq)
                .max()
                .unwrap_or(0)
    );
    assert!(!index.closed_cleanly() || index.close.is_some());
}

/// Reading piece by piece gives what reading from memory gives. Compared as text, since numbers may be NaN.
fn same(built: &Result<Index, FormatError>, read: &Result<Index, FormatError>) {
    if built != read {
        assert_eq!(format!("{built:?}"), format!("{read:?}"));
    }
}

/// Chunks and damage lie in the file, in its order.
fn places(index: &Index, file_len: u64) {
    assert_eq!(index.file_len, file_len);
    assert!(
        index.chunks.is_sorted_by(|a, b| a.offset < b.offset),
        "chunks are in file order, each once"
    );
    let mut told = HashSet::new();
    for damage in &index.damage {
        assert!(
            told.insert((damage.offset, damage.len)),
            "{damage:?} a second time"
        );
        let end = damage
            .offset
            .checked_add(damage.len)
            .expect("damage ends somewhere");
        assert!(
            end <= file_len && damage.len > 0,
            "{damage:?} of {file_len}"
        );
        assert!(!damage.reason.to_string().is_empty());
    }
    if let Some(tail) = &index.torn_tail {
        assert_eq!(
            tail.offset + tail.len,
            file_len,
            "a torn tail is at the end"
        );
    }
}

/// Every tick of the file converts, whatever the anchors say.
fn times(index: &Index) {
    let clock = index.clock_map();
    for entry in &index.chunks {
        let head = &entry.head;
        assert!(clock.ns_per_tick(head.segment) >= 0.0);
        for ticks in [head.min_start, head.min_end, head.max_end, 0, u64::MAX] {
            let near = clock.unix_ns(head.segment, ticks);
            let far = clock.unix_ns(head.segment, ticks.wrapping_add(1));
            // The two may saturate; what matters is that no bytes make them panic.
            let _ = near.checked_sub(far);
            assert!(
                clock.duration_ns(head.segment, ticks)
                    >= clock.duration_ns(head.segment, ticks / 2)
            );
        }
    }
    assert_eq!(
        clock.uncertainty_ns().is_some(),
        clock.segments().next().is_some()
    );
}

/// Gives bytes by way of a buffer, as a file does.
struct Pieces<'a>(&'a [u8]);

impl ReadAt for Pieces<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn bytes_at<'b>(
        &'b self,
        offset: u64,
        len: usize,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<&'b [u8]> {
        let start = self.0.len().min(offset as usize);
        let end = self.0.len().min(start.saturating_add(len));
        buffer.clear();
        buffer.extend_from_slice(&self.0[start..end]);
        Ok(buffer)
    }
}
