//! Files that are read piece by piece, also while they grow.

use std::io::{self, Write};

use perf_format::{EventsChunk, Index, ReadAt};

use crate::sample;

#[test]
fn a_file_and_a_mapping_give_the_same_index() {
    let bytes = sample::capture(3000);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    assert_eq!(Index::read(&file).unwrap(), Index::build(&bytes).unwrap());
}

#[test]
fn a_growing_file_is_a_prefix_each_time() {
    let bytes = sample::capture(100);
    let mut file = tempfile::tempfile().unwrap();
    let mut chunks = 0;
    for piece in bytes.chunks(97) {
        file.write_all(piece).unwrap();
        let Ok(index) = Index::read(&file) else {
            continue;
        };
        assert!(index.damage.is_empty() && index.chunks.len() >= chunks);
        chunks = index.chunks.len();
    }
    assert_eq!(chunks, 11);
}

#[test]
fn a_file_that_shrank_gives_short_chunks_not_a_panic() {
    let bytes = sample::capture(100);
    let index = Index::build(&bytes).unwrap();
    for len in (0..bytes.len()).step_by(50) {
        for entry in index.event_chunks() {
            let chunk = index.chunk_bytes(&bytes[..len], entry);
            let whole = entry.offset + entry.head.chunk_len() <= len as u64;
            assert_eq!(EventsChunk::parse(chunk, entry.offset).is_ok(), whole);
        }
    }
}

/// A source that fails after a while.
struct Failing<'a>(&'a [u8], u64);

impl ReadAt for Failing<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        if offset > self.1 {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.bytes_at(offset, len, buffer)
    }
}

#[test]
fn an_error_of_the_disk_is_told_with_its_place() {
    let bytes = sample::capture(100);
    let second = Index::build(&bytes).unwrap().chunks[1].offset;
    let error = Index::read(&Failing(&bytes, second - 1)).unwrap_err();
    assert_eq!(error.offset(), Some(second));
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}
