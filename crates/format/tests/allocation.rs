//! What a reader allocates is bounded by the bytes that are there, whatever they say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use perf_format::{
    Columns, EventsChunk, Frame, Index, Rollup, RollupChunk, SegmentId, SparseRollup, load,
};

/// Counts the bytes in use and their peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(in_use, Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `f` has in use at most, beyond what was in use before.
fn peak_of(f: impl FnOnce()) -> usize {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    f();
    PEAK.load(Relaxed) - before
}

/// Makes the sum of a chunk's head right.
fn seal(chunk: &mut [u8]) {
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    let crc = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the chunk in every way.
fn read(chunk: &[u8]) {
    if let Ok(events) = EventsChunk::parse(chunk, 0) {
        let _ = Columns::default().decode(&events);
        let _ = events.strings();
    }
    if let Ok(rollup) = RollupChunk::parse(chunk, 0) {
        let _ = rollup.decode_sparse(&mut SparseRollup::default());
        let _ = rollup.merge_into(&mut Rollup::new(SegmentId(0)));
    }
}

// One test, since the counts are those of the whole process.
#[test]
fn allocation_is_bounded_by_the_bytes_that_are_there() {
    let file = load::write_capture(Vec::new(), 4000, 1).unwrap();
    let index = Index::build(&file).unwrap();

    // A file that says nothing of itself: heads and metadata only.
    let opening = peak_of(|| drop(Index::build(&file)));
    assert!(
        opening < file.len() * 2 + (1 << 20),
        "{opening} for {} bytes",
        file.len()
    );

    // Every u32 of every head, made as large as it can be.
    for entry in &index.chunks {
        let chunk = index.chunk_bytes(&file, entry);
        let frame = Frame::parse(chunk, 0).unwrap();
        let head_len = frame.head.head_len as usize;
        for at in (16..head_len - 4).step_by(4) {
            for value in [u32::MAX, 65_536, 16_384, 65_535] {
                let mut hostile = chunk.to_vec();
                hostile[at..at + 4].copy_from_slice(&value.to_le_bytes());
                seal(&mut hostile);
                // A block of 128 equal values takes two bytes, and up to 18 in each of
                // the columns: with the limit of rows that is a few megabytes, at most.
                let peak = peak_of(|| read(&hostile));
                assert!(peak < 6 << 20, "{peak} bytes for {} at {at}", hostile.len());
            }
        }
    }

    // Metadata that promises long texts.
    let mut header = Vec::new();
    load::header(1).encode(&mut header);
    for at in 64..header.len() - 12 {
        let mut hostile = header.clone();
        hostile[at..at + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
        let end = hostile.len() - 4;
        let crc = crc32c::crc32c(&hostile[..end]);
        hostile[end..].copy_from_slice(&crc.to_le_bytes());
        let peak = peak_of(|| drop(perf_format::FileHeader::parse(&hostile)));
        assert!(peak < 64 << 10, "{peak} bytes at {at}");
    }
}
