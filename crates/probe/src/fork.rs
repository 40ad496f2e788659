//! `fork`: the child must not touch the parent's rings, and must not find a lock held by a thread that it lacks.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::gate::GLOBAL;
use crate::registry::{self, REGISTRY};
use crate::{backend, local, trace};

/// Handles up to this serial number are those of the process that forked this one off.
static FOREIGN: AtomicU32 = AtomicU32::new(0);

/// Whether the handle with this number belongs to the parent process: its memory is shared with it, and must not be
/// written, closed or removed from here.
pub(crate) fn is_foreign(serial: u32) -> bool {
    serial <= FOREIGN.load(Ordering::Relaxed)
}

/// Nobody has called [`hook`] yet.
const UNHOOKED: u32 = 0;
/// `fork` calls the functions below.
const HOOKED: u32 = u32::MAX;

/// One of these, or the id of the process that is about to hook. No `Once`: a fork in the midst of it would leave the child
/// waiting for a thread that it does not have.
static HOOK: AtomicU32 = AtomicU32::new(UNHOOKED);

thread_local! {
    /// How often the functions below are called for the fork under way: twice, when a child has hooked again.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Has `fork` call the functions below, from now on.
pub(crate) fn hook() {
    let own = std::process::id();
    loop {
        match HOOK.load(Ordering::Acquire) {
            HOOKED => return,
            // Another thread is at it.
            process if process == own => std::thread::yield_now(),
            // Nobody is, or a thread of the parent was: it may have come to its end or not.
            earlier => {
                let mine =
                    HOOK.compare_exchange(earlier, own, Ordering::Acquire, Ordering::Relaxed);
                if mine.is_ok() {
                    break;
                }
            }
        }
    }
    // SAFETY: the three functions live as long as the process. If there is no memory for the entry, children keep
    // recording into the parent's rings, which `is_foreign` cannot prevent; that is reported nowhere else, so stop.
    let status = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    HOOK.store(
        if status == 0 { HOOKED } else { UNHOOKED },
        Ordering::Release,
    );
    assert!(
        status == 0,
        "pthread_atfork: {}",
        std::io::Error::from_raw_os_error(status)
    );
}

/// Takes the locks, so that no other thread is in the midst of what they guard.
extern "C" fn before() {
    if CALLS.replace(CALLS.get() + 1) == 0 {
        GLOBAL.lock();
        REGISTRY.lock();
    }
}

/// Whether this is the last of the calls after the fork.
fn is_last_call() -> bool {
    CALLS.set(CALLS.get() - 1);
    CALLS.get() == 0
}

extern "C" fn in_parent() {
    if !is_last_call() {
        return;
    }
    // SAFETY: `before` took both in this thread.
    unsafe {
        REGISTRY.unlock();
        GLOBAL.unlock();
    }
}

extern "C" fn in_child() {
    if !is_last_call() {
        return;
    }
    FOREIGN.store(backend::last_serial(), Ordering::Relaxed);
    local::forget_parent();
    trace::forget_parent();
    // SAFETY: `before` took both in this thread, which is the only one of the child.
    unsafe {
        let global = GLOBAL.held_value();
        let after = registry::forget_parent(REGISTRY.held_value(), global.installed());
        global.forget_parent(after);
        REGISTRY.unlock();
        GLOBAL.unlock();
    }
}
