//! One capture file: its bytes and its index.

use std::path::Path;

use perf_format::{ChunkEntry, Damage, FormatError, Index};

use super::source::SourceFile;
use crate::error::{Error, ErrorKind};
use crate::warning::{Warning, WarningKind};

/// An open capture file.
#[derive(Debug)]
pub(crate) struct CaptureFile {
    pub(crate) source: SourceFile,
    pub(crate) index: Index,
    /// The path, for people.
    pub(crate) path: String,
}

impl CaptureFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let source = SourceFile::open(path)?;
        let index = Index::read(&source).map_err(|error| Error::of_format(path, error))?;
        Ok(Self {
            source,
            index,
            path: path.display().to_string(),
        })
    }

    /// Its number among the parts of the capture; 0 if its header is damaged.
    pub(crate) fn part(&self) -> u32 {
        self.index.header.as_ref().map_or(0, |header| header.part)
    }

    /// With `strict`: damage is an error. The torn tail of a file that is being written is no damage.
    pub(super) fn refuse_damage(&self, live: bool) -> Result<(), Error> {
        if let Some(damage) = self.index.damage.first() {
            return Err(self.error(damage.reason.clone()));
        }
        match &self.index.torn_tail {
            Some(tail) if !live => Err(self.error(FormatError::CutShort {
                offset: tail.offset,
                what: "the last chunk",
                expected: tail
                    .head
                    .map_or(0, |head| head.chunk_len())
                    .max(tail.len + 1),
                got: tail.len,
            })),
            _ => Ok(()),
        }
    }

    pub(super) fn warn(&self, live: bool, warnings: &mut Vec<Warning>) {
        let mut warn = |kind| warnings.push(self.warning(kind));
        for damage in &self.index.damage {
            warn(WarningKind::Damage {
                offset: damage.offset,
                len: damage.len,
                reason: self.reason(damage),
            });
        }
        if let Some(tail) = self.index.torn_tail.as_ref().filter(|_| !live) {
            warn(WarningKind::TornTail {
                offset: tail.offset,
                len: tail.len,
            });
        }
        if self.index.unknown_chunks > 0 {
            warn(WarningKind::UnknownChunks {
                chunks: self.index.unknown_chunks,
            });
        }
        let records = self.unknown_metadata();
        if records > 0 {
            warn(WarningKind::UnknownRecords { records });
        }
    }

    /// Why bytes could not be read.
    pub(crate) fn reason(&self, damage: &Damage) -> String {
        match self.source.is_lost_in_compression(damage.offset) {
            true => "the zstd frame around them is damaged".to_owned(),
            false => damage.reason.to_string(),
        }
    }

    /// Records of the header and of the small chunks whose tag this version does not know.
    fn unknown_metadata(&self) -> u64 {
        let index = &self.index;
        let in_header = index
            .header
            .as_ref()
            .map_or(0, |header| header.unknown_records);
        let in_chunks = [
            index.tables.skipped_records,
            index.anchors.skipped_records,
            index.notes.skipped_records,
        ];
        in_chunks.into_iter().fold(in_header, u64::saturating_add)
    }

    pub(crate) fn warning(&self, kind: WarningKind) -> Warning {
        Warning {
            capture: Some(self.path.clone()),
            kind,
        }
    }

    pub(crate) fn error(&self, error: FormatError) -> Error {
        Error::of_format(self.source.path(), error)
    }

    /// Reads the head of a chunk into `buffer`, which gets the length of the whole chunk; what follows the head
    /// is left as it was.
    pub(crate) fn read_head(&self, entry: &ChunkEntry, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let len = entry.head.chunk_len() as usize;
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer.truncate(len);
        let head = &mut buffer[..entry.head.head_len as usize];
        self.source.read_into(entry.offset, head)
    }

    /// Reads a stretch of the body of a chunk into its place in `buffer`.
    pub(crate) fn read_body(
        &self,
        entry: &ChunkEntry,
        offset: u32,
        len: u32,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        let start = entry.head.head_len as usize + offset as usize;
        match buffer.get_mut(start..start + len as usize) {
            Some(place) => self.source.read_into(entry.offset + start as u64, place),
            // The directory was checked against the body's length.
            None => Ok(()),
        }
    }

    /// Reads a whole chunk into `buffer`.
    pub(crate) fn read_chunk(&self, entry: &ChunkEntry, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let len = entry.head.chunk_len() as usize;
        self.source.read_exact_at(entry.offset, len, buffer)
    }
}

impl Error {
    /// Turns an error of the format into one that names the file.
    pub(crate) fn of_format(path: &Path, error: FormatError) -> Self {
        let kind = match error {
            FormatError::Empty => ErrorKind::Empty,
            FormatError::NotACapture { expected, got } => ErrorKind::Foreign {
                expected: hex(&expected),
                got: hex(&got),
            },
            FormatError::NewerVersion {
                major, supported, ..
            } => ErrorKind::Newer {
                expected: supported,
                got: major,
            },
            FormatError::Io { kind, message, .. } => {
                ErrorKind::Io(std::io::Error::new(kind, message))
            }
            damaged => ErrorKind::Damaged(damaged),
        };
        Self::new(path, kind)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
