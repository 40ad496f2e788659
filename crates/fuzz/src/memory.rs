//! Counts what the process has allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with a meter.
struct Metered;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Metered = Metered;

fn add(bytes: usize) {
    PEAK.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call goes on to the system's allocator with the same arguments; the counters allocate nothing.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Bytes that were allocated at most while `f` ran, beyond what was allocated before.
pub(crate) fn peak_while(f: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    f();
    PEAK.load(Relaxed).saturating_sub(before)
}

/// Bytes that a target may allocate for an input of `len` bytes.
///
/// Two bytes of a packed block stand for 128 values in each of some ten columns and tables of at most 16 bytes, and a
/// vector may be twice what it holds: that is the factor. A rollup's dense histogram (104 bytes of summary, 57 344 bins
/// of 8 bytes) stays below it, up to the format's own limit on all bins. The constant is for encoders, whose buffers
/// have room for a full chunk from the start, and for the worker threads of a report.
pub(crate) fn limit_bytes(len: usize) -> usize {
    const A_BYTE: usize = 16_384;
    const FIXED: usize = 64 << 20;
    const AT_MOST: usize = 1 << 30;
    FIXED + len.saturating_mul(A_BYTE).min(AT_MOST)
}
