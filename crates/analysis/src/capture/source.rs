//! Reading bytes of a file that may change while it is read.
//!
//! Captures are read with `pread` into a reused buffer, never through a mapping. A mapping of a file
//! that somebody cuts short dies by SIGBUS on the next touch, and no check beforehand can close that gap;
//! `pread` just returns fewer bytes, which becomes one clear error. It also keeps memory flat without
//! advice to the kernel, and what was checksummed is what is decoded: a mapping may change in between.
//!
//! Nor would a mapping be faster. A capture of 100 M spans (584 MB, page cache warm, 2 cores shared with other work),
//! its chunks parsed in place and their pages released behind the scan, against this, interleaved, medians of the
//! processor time of 15 runs on two threads and 9 on one:
//!
//! | | `--scan` | `--exact` | one thread: `--scan` | `--exact` | most memory |
//! |---|---|---|---|---|---|
//! | `pread` | 447 ms | 780 ms | 399 ms | 822 ms | 14 MiB |
//! | mapped, pages released | 429 ms | 852 ms | 441 ms | 807 ms | 54 MiB |
//! | mapped, pages kept | 437 ms | 746 ms | 448 ms | 813 ms | 309 MiB |
//!
//! The copy that a mapping saves is of a few columns, and costs about as much as the page faults that it brings;
//! populating the columns beforehand was no faster. Runs of one kind differ by up to a quarter, least values by less:
//! 366 ms by `pread` and 389 ms mapped and released for `--scan`, 675 and 723 ms for `--exact`.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use perf_format::ReadAt;

use super::compressed::{Compressed, is_zstd};
use super::find::io_error;
use crate::error::{Error, ErrorKind};

/// An open file and the length that it had when it was opened. A file that grows is read up to that
/// length: a consistent prefix.
#[derive(Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    file: File,
    len: u64,
    stored_len: u64,
    compressed: Option<Compressed>,
}

impl SourceFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| io_error(path, error))?;
        let meta: Metadata = file.metadata().map_err(|error| io_error(path, error))?;
        if !meta.is_file() {
            return Err(Error::new(path, ErrorKind::NotAFile));
        }
        let stored_len = meta.len();
        let mut start = [0; 4];
        let read = read_up_to(&file, 0, &mut start).map_err(|error| io_error(path, error))?;
        let compressed = match is_zstd(&start[..read]) {
            true => Some(
                Compressed::open(&file, stored_len)
                    .map_err(|what| Error::new(path, ErrorKind::NotSeekable(what)))?,
            ),
            false => None,
        };
        Ok(Self {
            path: path.to_owned(),
            len: compressed.as_ref().map_or(stored_len, Compressed::len),
            stored_len,
            file,
            compressed,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the capture when it was opened.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes that these take in the file, which may be compressed.
    pub(crate) fn stored_len(&self) -> u64 {
        self.stored_len
    }

    /// Whether `offset` was not read because the file's compression is damaged there.
    pub(crate) fn is_lost_in_compression(&self, offset: u64) -> bool {
        (self.compressed.as_ref()).is_some_and(|compressed| compressed.is_damaged(offset))
    }

    /// Fills `buffer` unless the capture ends before that; how many bytes came.
    fn read_up_to(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.compressed {
            None => read_up_to(&self.file, offset, buffer),
            Some(compressed) => compressed.read(&self.file, offset, buffer),
        }
    }

    /// Reads exactly `len` bytes into `buffer`, whose former content is dropped.
    pub(crate) fn read_exact_at(
        &self,
        offset: u64,
        len: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // Not cleared first: bytes that are overwritten anyway need no zeroes.
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer.truncate(len);
        self.read_into(offset, buffer)
    }

    /// Fills `place`.
    pub(crate) fn read_into(&self, offset: u64, place: &mut [u8]) -> Result<(), Error> {
        let got = (self.read_up_to(offset, place)).map_err(|error| io_error(&self.path, error))?;
        let (expected, got) = (place.len() as u64, got as u64);
        match got < expected {
            true => Err(Error::new(
                &self.path,
                ErrorKind::CutShort {
                    offset,
                    expected,
                    got,
                },
            )),
            false => Ok(()),
        }
    }
}

/// Reads until `buffer` is full or the file ends; how many bytes came.
pub(super) fn read_up_to(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The length stays what it was when the file was opened, so that a growing file gives one index.
impl ReadAt for SourceFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let present = self.len.saturating_sub(offset).min(len as u64) as usize;
        if buffer.len() < present {
            buffer.resize(present, 0);
        }
        let filled = self.read_up_to(offset, &mut buffer[..present])?;
        Ok(&buffer[..filled])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_while_open_is_one_clear_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.bin");
        std::fs::write(&path, vec![7; 1000]).unwrap();
        let source = SourceFile::open(&path).unwrap();
        let mut buffer = Vec::new();
        source.read_exact_at(900, 100, &mut buffer).unwrap();
        assert_eq!(buffer, vec![7; 100]);

        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(950)
            .unwrap();
        let error = source.read_exact_at(900, 100, &mut buffer).unwrap_err();
        assert!(
            matches!(
                error.kind,
                ErrorKind::CutShort {
                    offset: 900,
                    expected: 100,
                    got: 50
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("cut short"));
    }
}
