//! A lock for the cold path that survives `fork`.
//!
//! The fork hook takes it before the process is copied and frees it on both sides, which needs `lock` and
//! `unlock` as two separate calls: the standard `Mutex` has no such thing.

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// How deep in the cold path this thread is.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in the cold path. A record that finds it so runs in a signal handler that interrupted it, or in
/// a recorder's callback, and would wait for itself.
pub(crate) fn is_held_here() -> bool {
    DEPTH.get() > 0
}

/// A stay in the cold path.
pub(crate) struct Inside;

impl Inside {
    pub(crate) fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// A spin lock that yields. Held for a few microseconds at most, when an event or a thread is first seen.
pub(crate) struct ColdLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` gives access to the value only to the one thread that holds the lock.
unsafe impl<T: Send> Sync for ColdLock<T> {}

impl<T> ColdLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `work` with the value, alone. `work` must not take the lock again.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        struct Unlock<'a, T>(&'a ColdLock<T>);
        impl<T> Drop for Unlock<'_, T> {
            fn drop(&mut self) {
                // SAFETY: `with` took the lock.
                unsafe { self.0.unlock() };
            }
        }
        self.lock();
        let _unlock = Unlock(self);
        // SAFETY: the lock is held, so this is the only reference to the value.
        work(unsafe { &mut *self.value.get() })
    }

    /// Takes the lock and keeps it. For the fork hook, which frees it with [`unlock`](Self::unlock).
    pub(crate) fn lock(&self) {
        std::mem::forget(Inside::enter());
        while self
            .held
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            std::thread::yield_now();
        }
    }

    /// Frees the lock.
    ///
    /// # Safety
    ///
    /// The caller holds it by [`lock`](Self::lock), on this side of a fork or the other.
    pub(crate) unsafe fn unlock(&self) {
        self.held.store(false, Ordering::Release);
        drop(Inside);
    }

    /// The value, while the caller holds the lock by [`lock`](Self::lock).
    ///
    /// # Safety
    ///
    /// The caller holds the lock and makes no second reference.
    #[expect(
        clippy::mut_from_ref,
        reason = "the lock stands for the unique reference"
    )]
    pub(crate) unsafe fn held_value(&self) -> &mut T {
        // SAFETY: the caller holds the lock.
        unsafe { &mut *self.value.get() }
    }
}
