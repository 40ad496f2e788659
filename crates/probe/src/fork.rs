//! `fork`: the child must not touch the parent's rings, and must not find a lock held by a thread that it lacks.

use std::sync::Once;
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

/// Has `fork` call the functions below, from now on.
pub(crate) fn hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // SAFETY: the three functions live as long as the process. If there is no memory for the entry, children keep
        // recording into the parent's rings, which `is_foreign` cannot prevent; that is reported nowhere else, so stop.
        let status = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        assert!(
            status == 0,
            "pthread_atfork: {}",
            std::io::Error::from_raw_os_error(status)
        );
    });
}

/// Takes the locks, so that no other thread is in the midst of what they guard.
extern "C" fn before() {
    GLOBAL.lock();
    REGISTRY.lock();
}

extern "C" fn in_parent() {
    // SAFETY: `before` took both in this thread.
    unsafe {
        REGISTRY.unlock();
        GLOBAL.unlock();
    }
}

extern "C" fn in_child() {
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
