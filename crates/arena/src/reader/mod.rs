//! Reading an arena that a dead process left, as hostile input.
//!
//! Whatever the bytes are, reading them ends, does not panic, and allocates no more at a time than the arena is long. All
//! is copied first and judged afterwards. What does not hold together is left out and told as [`Damage`]; the rest is
//! given.
//!
//! A record may be found in more than one of ring, staging area, spool and capture file; its ring id and sequence number
//! say so.

mod areas;
mod rings;
mod source;
mod spans;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub use areas::{SpooledChunk, StagedRun};
pub use rings::{RingInfo, RingRecords, RingState, Run};

use crate::About;
use crate::layout::{
    Header, MAGIC, MAX_META_BYTES, PAGE_BYTES, SECTIONS, Section, SectionEntry, VERSION,
};
use crate::loss::{self, LOSS_CAUSES, Loss, LossCause, LossCell};
use source::{Fields, Source};

/// Why an arena cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read the arena")]
    Io(#[from] io::Error),
    /// It is shorter than an arena's header.
    #[error("the arena has {got} bytes, expected at least {expected}")]
    TooShort {
        /// Bytes that are there.
        got: u64,
        /// Bytes of a header.
        expected: u64,
    },
    /// It does not begin as an arena does.
    #[error("not an arena: it begins with {got:#018x}, expected {MAGIC:#018x}")]
    Magic {
        /// The first eight bytes, little-endian.
        got: u64,
    },
    /// Another major version wrote it.
    #[error("the arena has version {}.{}, this program reads {}.x", got >> 16, got & 0xffff, VERSION >> 16)]
    Version {
        /// Its version, major in the high half.
        got: u32,
    },
}

/// A part of an arena that does not hold together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Where, in bytes from the arena's beginning.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// An arena's bytes, with a header that makes sense.
pub struct Reader<'a> {
    source: Source<'a>,
    header: Vec<u8>,
    sections: [SectionRange; SECTIONS],
    pid: u32,
    about: About,
    damage: Vec<Damage>,
    /// Segments that were read, and bytes of segments that may still be: none is read twice, and all together are no
    /// longer than their section, so that hostile links cannot multiply the work.
    seen_segments: HashSet<u32>,
    data_left: u64,
}

/// The allocated part of a section that the source really has.
#[derive(Clone, Copy, Default)]
struct SectionRange {
    offset: u64,
    bytes: u64,
}

impl<'a> Reader<'a> {
    /// Reads an arena from memory.
    ///
    /// # Errors
    /// The header is not that of an arena that this version reads.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, ReadError> {
        Self::new(Source::Bytes(bytes))
    }

    /// Reads an arena from an open file: that of a [`DeadArena`](crate::DeadArena), or a copy.
    ///
    /// # Errors
    /// The file cannot be read, or the header is not that of an arena that this version reads.
    pub fn from_file(file: &'a File) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        Self::new(Source::File(file, length))
    }

    fn new(source: Source<'a>) -> Result<Self, ReadError> {
        if source.bytes() < PAGE_BYTES {
            return Err(ReadError::TooShort {
                got: source.bytes(),
                expected: PAGE_BYTES,
            });
        }
        let header = source.read(0, PAGE_BYTES)?;
        let fields = Fields(&header);
        let magic = fields.u64(offset_of!(Header, magic));
        if magic != MAGIC {
            return Err(ReadError::Magic { got: magic });
        }
        let version = fields.u32(offset_of!(Header, version));
        if version >> 16 != VERSION >> 16 {
            return Err(ReadError::Version { got: version });
        }
        let pid = fields.u32(offset_of!(Header, pid));
        let mut reader = Self {
            source,
            header,
            sections: [SectionRange::default(); SECTIONS],
            pid,
            about: About::default(),
            damage: Vec::new(),
            seen_segments: HashSet::new(),
            data_left: 0,
        };
        reader.find_sections();
        reader.data_left = reader.sections[Section::Data as usize].bytes;
        reader.about = reader.read_about();
        Ok(reader)
    }

    fn fields(&self) -> Fields<'_> {
        Fields(&self.header)
    }

    fn find_sections(&mut self) {
        for index in 0..SECTIONS {
            let at = offset_of!(Header, sections) + index * size_of::<SectionEntry>();
            let offset = self.fields().u64(at + offset_of!(SectionEntry, offset));
            let bytes = self
                .fields()
                .u64(at + offset_of!(SectionEntry, committed_bytes));
            // The last section may have been cut off; each before it must be whole.
            let there = self.source.bytes().saturating_sub(offset).min(bytes);
            if !offset.is_multiple_of(PAGE_BYTES) || there < bytes {
                self.note(
                    at as u64,
                    format!("section {index} has {bytes} bytes at {offset}, {there} are there"),
                );
            }
            self.sections[index] = SectionRange {
                offset,
                bytes: there,
            };
        }
    }

    fn read_about(&mut self) -> About {
        let fields = self.fields();
        let path_bytes = u64::from(fields.u32(offset_of!(Header, path_bytes)));
        let meta_bytes = u64::from(fields.u32(offset_of!(Header, meta_bytes)));
        let about = About {
            capture_id: fields.id(offset_of!(Header, capture_id)),
            boot_id: fields.id(offset_of!(Header, boot_id)),
            capture_path: PathBuf::new(),
            start_unix_ns: fields.u64(offset_of!(Header, start_unix_ns)),
            clock: fields.u32(offset_of!(Header, clock)),
            ticks_per_second: f64::from_bits(fields.u64(offset_of!(Header, ticks_per_second))),
            metadata: Vec::new(),
        };
        let length = path_bytes + meta_bytes;
        if length > MAX_META_BYTES {
            self.note(
                offset_of!(Header, path_bytes) as u64,
                format!("{length} bytes of metadata"),
            );
            return about;
        }
        let text = self.section(Section::Meta, 0, length).unwrap_or_default();
        let (path, metadata) = text
            .split_at_checked(path_bytes as usize)
            .unwrap_or_default();
        About {
            capture_path: PathBuf::from(OsStr::from_bytes(path)),
            metadata: metadata.to_vec(),
            ..about
        }
    }

    /// A copy of a part of a section; damage if it is not there.
    fn section(&mut self, section: Section, from: u64, bytes: u64) -> Option<Vec<u8>> {
        let range = self.sections[section as usize];
        if from.checked_add(bytes).is_none_or(|end| end > range.bytes) {
            self.note(
                range.offset,
                format!(
                    "{bytes} bytes at {from} of the {section:?} section, which has {}",
                    range.bytes
                ),
            );
            return None;
        }
        match self.source.read(range.offset + from, bytes) {
            Ok(copy) => Some(copy),
            Err(error) => {
                self.note(range.offset + from, error.to_string());
                None
            }
        }
    }

    /// How many whole items of a size a section has.
    fn items(&self, section: Section, item_bytes: usize, most: u32) -> u32 {
        let count = self.sections[section as usize].bytes / item_bytes as u64;
        count.min(u64::from(most)) as u32
    }

    fn note(&mut self, offset: u64, what: String) {
        /// Damage that is told; a hostile arena could have any amount of it.
        const MOST: usize = 1000;
        if self.damage.len() < MOST {
            self.damage.push(Damage { offset, what });
        }
    }

    /// What the recorder said about itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Id of the process that made the arena.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What threads without a ring have lost, by cause.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        losses(self.fields(), offset_of!(Header, loss))
    }

    /// What was found wrong so far; complete when all parts were read. At most 1000 places.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// The losses in eight cells at `at`; only causes that are known and have cost something.
fn losses(fields: Fields<'_>, at: usize) -> Vec<Loss> {
    (0..LOSS_CAUSES)
        .filter_map(|code| {
            let at = at + code * size_of::<LossCell>();
            let loss = Loss {
                cause: LossCause::from_code(code as u8)?,
                total: loss::count_of(fields.u64(at)),
                reported: fields.u64(at + 8),
                from_ticks: fields.u64(at + 16),
                to_ticks: fields.u64(at + 24),
            };
            (loss.total > 0).then_some(loss)
        })
        .collect()
}
