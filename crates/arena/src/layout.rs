//! The layout of an arena file, version 1. Little-endian; every section begins at a multiple of 4096.
//!
//! ```text
//!   0      header, one page
//!   …      meta          what the recorder wants to be found after a crash: capture path, capture header
//!   …      names         event names, in the order of their registration
//!   …      rings         ring headers, 768 bytes each
//!   …      segments      segment entries, 32 bytes each
//!   …      block infos   16 bytes each
//!   …      blocks        64 open-span slots each
//!   …      staging       records that were drained and that no chunk holds yet
//!   …      spool         encoded chunks on their way to the file
//!   …      data          the segments' slots
//! ```
//!
//! The header gives each section's offset, its reserved size, and how much of it is allocated. Nothing beyond that is ever
//! touched: the file is sparse, and a store into a page that the file system cannot back would be fatal (SIGBUS).

use crate::loss::LossCells;
use crate::spare::Spares;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The first eight bytes of an arena that is ready.
pub const MAGIC: u64 = u64::from_le_bytes(*b"PERFAREN");
/// Major version in the high half, minor in the low. Readers refuse another major version.
pub const VERSION: u32 = 1 << 16;
/// Bytes of the header, and what section offsets are a multiple of.
pub const PAGE_BYTES: u64 = 4096;

/// The most rings, living and being drained, of an arena.
pub const MAX_RINGS: u32 = 4096;
/// The most segments.
pub const MAX_SEGMENTS: u32 = 8192;
/// The most blocks of open-span slots: 262 144 open spans.
pub const MAX_BLOCKS: u32 = 4096;
/// Bytes of a ring's smallest segment.
pub const MIN_SEGMENT_BYTES: u64 = 16 << 10;
/// Bytes of the largest segment that can be configured.
pub const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// Bytes of the event-name table when it is full.
pub const MAX_NAMES_BYTES: u64 = 32 << 20;
/// Bytes of capture path and recorder metadata together.
pub const MAX_META_BYTES: u64 = 1 << 20;
/// Bytes of the largest staging area and of the largest spool.
pub const MAX_SPOOL_BYTES: u64 = 1 << 30;
/// Bytes of all segments together, at most.
pub const MAX_DATA_BYTES: u64 = 1 << 40;

/// The sections, in the order of their entries and of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Section {
    Meta,
    Names,
    Rings,
    Segments,
    BlockInfos,
    Blocks,
    Staging,
    Spool,
    Data,
}

/// Number of sections.
pub(crate) const SECTIONS: usize = 9;

/// Where a section is: offset, reserved bytes, allocated bytes, each 8 bytes, and 8 reserved ones.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SectionEntry {
    pub(crate) offset: AtomicU64,
    pub(crate) reserved_bytes: AtomicU64,
    pub(crate) committed_bytes: AtomicU64,
    spare: AtomicU64,
}

impl SectionEntry {
    pub(crate) fn offset(&self) -> u64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Acquire: the allocation came before.
    pub(crate) fn committed_bytes(&self) -> u64 {
        self.committed_bytes.load(Ordering::Acquire)
    }
}

/// The header.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 8 | magic `PERFAREN`, stored last |
/// | 8 | 4 | version |
/// | 12 | 4 | bytes of the header, 4096 |
/// | 16 | 4 | process id |
/// | 20 | 4 | user id |
/// | 24 | 4 | clock source, the recorder's code |
/// | 28 | 4 | next ring id |
/// | 32 | 16 | boot id |
/// | 48 | 16 | capture id |
/// | 64 | 8 | start, unix ns |
/// | 72 | 8 | ticks per second, f64 bits |
/// | 80 | 4 | bytes of the capture's path, at the start of the meta section |
/// | 84 | 4 | bytes of the recorder's metadata, after the path |
/// | 88 | 8 | bytes of the names section that hold entries |
/// | 96 | 8 | slots of the staging area that hold blocks |
/// | 104 | 8 | number of times that the staging area was cleared |
/// | 128 | 8 | spool: position after the last published byte |
/// | 192 | 8 | spool: position of the first byte not yet written to the file |
/// | 256 | 288 | section entries, 9 × 32 |
/// | 640 | 256 | losses of threads without a ring, by cause code |
/// | 896 | 128 | spare segments and blocks |
/// | 1024 | 3072 | reserved, 0 |
#[repr(C, align(4096))]
pub(crate) struct Header {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU32,
    pub(crate) header_bytes: AtomicU32,
    pub(crate) pid: AtomicU32,
    pub(crate) uid: AtomicU32,
    pub(crate) clock: AtomicU32,
    pub(crate) next_ring_id: AtomicU32,
    pub(crate) boot_id: [AtomicU64; 2],
    pub(crate) capture_id: [AtomicU64; 2],
    pub(crate) start_unix_ns: AtomicU64,
    pub(crate) ticks_per_second: AtomicU64,
    pub(crate) path_bytes: AtomicU32,
    pub(crate) meta_bytes: AtomicU32,
    pub(crate) names_used: AtomicU64,
    pub(crate) staging_used: AtomicU64,
    pub(crate) staging_cleared: AtomicU64,
    pad_staging: [AtomicU64; 2],
    pub(crate) spool_head: AtomicU64,
    pad_head: [AtomicU64; 7],
    pub(crate) spool_tail: AtomicU64,
    pad_tail: [AtomicU64; 7],
    pub(crate) sections: [SectionEntry; SECTIONS],
    pad_sections: [AtomicU64; 12],
    pub(crate) loss: LossCells,
    pub(crate) spares: Spares,
    reserved: [AtomicU64; 384],
}

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Header>() as u64 == PAGE_BYTES);
    assert!(offset_of!(Header, names_used) == 88);
    assert!(offset_of!(Header, spool_head) == 128);
    assert!(offset_of!(Header, spool_tail) == 192);
    assert!(offset_of!(Header, sections) == 256);
    assert!(offset_of!(Header, loss) == 640);
    assert!(offset_of!(Header, spares) == 896);
};

impl Header {
    pub(crate) fn section(&self, section: Section) -> &SectionEntry {
        &self.sections[section as usize]
    }
}

/// How big each section is to be; offsets follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) bytes: [u64; SECTIONS],
}

impl Plan {
    /// Offset of a section.
    pub(crate) fn offset(&self, section: Section) -> u64 {
        self.start(section as usize)
    }

    /// Bytes of the whole address range.
    pub(crate) fn total(&self) -> u64 {
        self.start(SECTIONS)
    }

    /// Where the section with this index begins, or the last one ends.
    pub(crate) fn start(&self, index: usize) -> u64 {
        let before = &self.bytes[..index];
        PAGE_BYTES + before.iter().map(|bytes| pages(*bytes)).sum::<u64>()
    }
}

/// `bytes`, rounded up to whole pages.
pub(crate) const fn pages(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE_BYTES)
}
