//! Where a reader's bytes come from, and how they are taken apart.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An arena's bytes. A file is read, never mapped: a mapped hole of a full tmpfs would be fatal to touch.
pub(super) enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a File, u64),
}

impl Source<'_> {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// A copy of these bytes; an error if they are not all there. Nothing is allocated before that is known.
    pub(super) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = offset.checked_add(length).ok_or_else(missing)?;
        if end > self.bytes() {
            return Err(missing());
        }
        let (from, to) = (
            usize::try_from(offset).map_err(|_| missing())?,
            usize::try_from(end).map_err(|_| missing())?,
        );
        match self {
            Self::Bytes(bytes) => Ok(bytes.get(from..to).ok_or_else(missing)?.to_vec()),
            Self::File(file, _) => {
                let mut copy = vec![0; to - from];
                file.read_exact_at(&mut copy, offset)?;
                Ok(copy)
            }
        }
    }
}

/// Little-endian fields of copied bytes. A field beyond the end is 0; callers copy whole structures.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn u32(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |it| u32::from_le_bytes(*it))
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |it| u64::from_le_bytes(*it))
    }

    pub(super) fn id(&self, at: usize) -> [u8; 16] {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().unwrap_or_default()
    }
}
