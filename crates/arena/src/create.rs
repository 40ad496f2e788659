//! Making an arena.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::process;
use std::ptr::NonNull;
use std::sync::atomic::Ordering as StdOrdering;

use memmap2::MmapOptions;

use crate::alloc::Allocator;
use crate::arena::{Arena, Inner};
use crate::backing::{ArenaFile, Backing};
use crate::config::{Config, MIN_SPOOL_BYTES};
use crate::directory::Directory;
use crate::error::{CreateError, Warning};
use crate::layout::{
    MAGIC, MAX_BLOCKS, MAX_NAMES_BYTES, MAX_RINGS, MAX_SEGMENTS, MIN_SEGMENT_BYTES, PAGE_BYTES,
    Plan, SECTIONS, Section, VERSION,
};
use crate::owner::Owner;
use crate::record::{RECORD_BYTES, Record};
use crate::ring::{RING_HEAD_BYTES, SEGMENT_INFO_BYTES};
use crate::slot::{BLOCK_BYTES, BLOCK_INFO_BYTES};
use crate::space::Space;
use crate::spool::{self, Positions};
use crate::staging::Staging;
use crate::sync::Ordering;
use crate::sys;

/// The spool takes at most this part of the free shared memory.
const SPOOL_SHARE: u64 = 4;
/// The staging area takes at most this part of the free shared memory.
const STAGING_SHARE: u64 = 16;

/// Makes an arena.
///
/// With little shared memory it makes do with less, and without any, or where no file can be made or locked, with anonymous
/// memory; each such step is a [`Warning`] that [`Owner::take_warnings`] gives.
///
/// # Errors
/// A size is out of bounds, a configured directory is not fit for use, or no address range could be had at all.
pub fn create(config: &Config) -> Result<Owner, CreateError> {
    let config = config.checked()?;
    let directory = match &config.directory {
        Some(path) => Directory::open(path)?,
        None => match Directory::open(&Directory::default_path()) {
            Ok(directory) => directory,
            Err(error) => return anonymous(&config, error.to_string()),
        },
    };
    let mut sizes = Sizes::fair(&config, directory.free_bytes().unwrap_or(0));
    let limit = sys::file_size_limit();
    if sizes.plan(&config).total() > limit {
        let reason = format!("files of this process may have {limit} bytes, too few for an arena");
        return anonymous(&config, reason);
    }
    loop {
        let file = match ArenaFile::create(&directory) {
            Ok(file) => file,
            // No inodes or descriptors left, or a file system without these locks.
            Err(error) => return anonymous(&config, with_source(&error)),
        };
        let plan = sizes.plan(&config);
        match allocate_fixed(&file, &plan) {
            Ok(()) => return in_file(&config, plan, file),
            Err(error) => {
                // A failure here leaves an empty file, which the next listing removes.
                let _ = file.remove();
                if !sizes.halve() {
                    return anonymous(&config, error.to_string());
                }
            }
        }
    }
}

/// The error and what the system said about it.
fn with_source(error: &CreateError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Bytes of the sections that depend on how much memory there is.
struct Sizes {
    staging: u64,
    spool: u64,
    data: u64,
}

impl Sizes {
    fn fair(config: &Config, free: u64) -> Self {
        let share = |wanted: u64, part: u64| {
            let most = (free / part).max(MIN_SPOOL_BYTES);
            wanted.min(most / PAGE_BYTES * PAGE_BYTES)
        };
        let staging = share(config.staging_bytes, STAGING_SHARE);
        let spool = share(config.spool_bytes, SPOOL_SHARE);
        let rest = free.saturating_sub(staging + spool) / 4 * 3;
        let data = config.data_bytes.min(rest).max(MIN_SEGMENT_BYTES);
        Self {
            staging,
            spool,
            data: data / PAGE_BYTES * PAGE_BYTES,
        }
    }

    /// Half of it; false when it is the least already.
    fn halve(&mut self) -> bool {
        let less = |bytes: u64| (bytes / 2 / PAGE_BYTES * PAGE_BYTES).max(MIN_SPOOL_BYTES);
        let before = (self.staging, self.spool);
        (self.staging, self.spool) = (less(self.staging), less(self.spool));
        before != (self.staging, self.spool)
    }

    fn plan(&self, config: &Config) -> Plan {
        let mut bytes = [0; SECTIONS];
        let mut set = |section: Section, size: u64| bytes[section as usize] = size;
        let meta = config.about.metadata.len() + config.about.capture_path.as_os_str().len();
        set(Section::Meta, meta as u64);
        set(Section::Names, MAX_NAMES_BYTES);
        set(
            Section::Rings,
            u64::from(MAX_RINGS) * RING_HEAD_BYTES as u64,
        );
        set(
            Section::Segments,
            u64::from(MAX_SEGMENTS) * SEGMENT_INFO_BYTES as u64,
        );
        set(
            Section::BlockInfos,
            u64::from(MAX_BLOCKS) * BLOCK_INFO_BYTES as u64,
        );
        set(Section::Blocks, u64::from(MAX_BLOCKS) * BLOCK_BYTES as u64);
        set(Section::Staging, self.staging);
        set(Section::Spool, self.spool);
        set(Section::Data, self.data);
        Plan { bytes }
    }
}

/// The sections that are allocated whole from the start.
const FIXED: [Section; 3] = [Section::Meta, Section::Staging, Section::Spool];

fn allocate_fixed(file: &ArenaFile, plan: &Plan) -> io::Result<()> {
    sys::allocate(file.file(), 0, PAGE_BYTES)?;
    for section in FIXED {
        let bytes = plan.bytes[section as usize];
        if bytes > 0 {
            sys::allocate(file.file(), plan.offset(section), bytes)?;
        }
    }
    Ok(())
}

fn in_file(config: &Config, plan: Plan, file: ArenaFile) -> Result<Owner, CreateError> {
    let failed = |action| {
        let path = file.path().to_owned();
        move |source| CreateError::Io {
            action,
            path,
            source,
        }
    };
    let bytes = plan.total() as usize;
    let map = MmapOptions::new()
        .len(bytes)
        .map_raw(file.file())
        .map_err(failed("map"))?;
    let base = NonNull::new(map.as_mut_ptr());
    // The address range is never given back: threads hold pointers into it that nobody can count.
    std::mem::forget(map);
    let base = base.ok_or_else(|| failed("map")(io::ErrorKind::OutOfMemory.into()))?;
    let descriptor = file.file().as_raw_fd();
    let (wanted, got) = (config.spool_bytes, plan.bytes[Section::Spool as usize]);
    let mut owner = assemble(config, plan, Backing::File(file), base);
    let inner = owner.arena.0;
    inner.descriptor.store(descriptor, StdOrdering::Relaxed);
    if got < wanted {
        inner.lock().warn(Warning::SmallerSpool {
            wanted_bytes: wanted,
            got_bytes: got,
        });
    }
    owner.finish()?;
    owner.stock_all();
    Ok(owner)
}

fn anonymous(config: &Config, reason: String) -> Result<Owner, CreateError> {
    let sizes = Sizes {
        staging: config.staging_bytes,
        spool: config.spool_bytes,
        data: config.data_bytes,
    };
    let plan = sizes.plan(config);
    let base = sys::map_anonymous(plan.total() as usize).map_err(|source| CreateError::Io {
        action: "map anonymous memory for",
        path: "the arena".into(),
        source,
    })?;
    let mut owner = assemble(config, plan, Backing::Anonymous, base);
    owner
        .arena
        .0
        .lock()
        .warn(Warning::AnonymousArena { reason });
    owner.stock_all();
    Ok(owner)
}

/// Writes the header and makes the handles. `base` is a mapping of `plan.total()` bytes whose fixed sections are allocated.
fn assemble(config: &Config, plan: Plan, backing: Backing, base: NonNull<u8>) -> Owner {
    let path = match &backing {
        Backing::File(file) => Some(file.path().to_owned()),
        _ => None,
    };
    // SAFETY: the mapping is as long as the plan, is never unmapped, and its first page is allocated.
    let space = unsafe { Space::new(base, plan.total() as usize) };
    write_header(&space, config, &plan);
    let allocator = Allocator::new(backing, plan);
    let inner: &'static Inner = Box::leak(Box::new(Inner::new(space, allocator, config)));
    let at = |section| {
        // SAFETY: the plan's offsets lie within the mapping.
        unsafe { base.byte_add(plan.offset(section) as usize) }
    };
    let header = inner.space.header();
    let slots = plan.bytes[Section::Staging as usize] as usize / RECORD_BYTES;
    let records = at(Section::Staging).cast::<Record>();
    let positions = Positions {
        head: &header.spool_head,
        tail: &header.spool_tail,
        size: plan.bytes[Section::Spool as usize],
    };
    // SAFETY: the section is allocated whole, mapped for good, and this is the only handle.
    let staging = unsafe {
        Staging::new(
            records,
            slots,
            &header.staging_used,
            &header.staging_cleared,
        )
    };
    // SAFETY: as above.
    let spool = unsafe { spool::ends(positions, at(Section::Spool)) };
    Owner::new(Arena(inner), staging, spool, path)
}

fn write_header(space: &Space, config: &Config, plan: &Plan) {
    let header = space.header();
    let about = &config.about;
    let path = about.capture_path.as_os_str().as_bytes();
    let text: Vec<u8> = [path, &about.metadata].concat();
    // SAFETY: the meta section is allocated and as long as the two; nobody else has the mapping yet.
    unsafe {
        let to = space.base().byte_add(plan.offset(Section::Meta) as usize);
        std::ptr::copy_nonoverlapping(text.as_ptr(), to.as_ptr(), text.len());
    }
    for (index, entry) in header.sections.iter().enumerate() {
        let bytes = plan.bytes[index];
        let fixed = FIXED.iter().any(|section| *section as usize == index);
        entry.offset.store(plan.start(index), Ordering::Relaxed);
        entry.reserved_bytes.store(bytes, Ordering::Relaxed);
        entry
            .committed_bytes
            .store(if fixed { bytes } else { 0 }, Ordering::Relaxed);
    }
    let halves = |id: [u8; 16]| {
        let number = u128::from_le_bytes(id);
        [number as u64, (number >> 64) as u64]
    };
    for (words, id) in [
        (&header.boot_id, about.boot_id),
        (&header.capture_id, about.capture_id),
    ] {
        for (word, half) in words.iter().zip(halves(id)) {
            word.store(half, Ordering::Relaxed);
        }
    }
    header.version.store(VERSION, Ordering::Relaxed);
    header
        .header_bytes
        .store(PAGE_BYTES as u32, Ordering::Relaxed);
    header.pid.store(process::id(), Ordering::Relaxed);
    header.uid.store(sys::user(), Ordering::Relaxed);
    header.clock.store(about.clock, Ordering::Relaxed);
    header.next_ring_id.store(1, Ordering::Relaxed);
    header
        .start_unix_ns
        .store(about.start_unix_ns, Ordering::Relaxed);
    header
        .ticks_per_second
        .store(about.ticks_per_second.to_bits(), Ordering::Relaxed);
    header
        .path_bytes
        .store(path.len() as u32, Ordering::Relaxed);
    header
        .meta_bytes
        .store(about.metadata.len() as u32, Ordering::Relaxed);
    header.magic.store(MAGIC, Ordering::Release);
}
