//! Who the thread is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::ThreadInfo;

/// Bytes of a thread's name that the kernel keeps, its terminator included.
const KERNEL_NAME_BYTES: usize = 16;

pub(crate) fn this_thread() -> ThreadInfo {
    // SAFETY: no precondition; it cannot fail.
    let os_id = unsafe { libc::syscall(libc::SYS_gettid) };
    let os_id = u32::try_from(os_id).unwrap_or(0);
    ThreadInfo {
        name: name(os_id),
        os_id,
    }
}

/// The signals that the thread blocked that set the recorder up.
static USUAL_MASK: AtomicU64 = AtomicU64::new(0);

/// Notes what this thread blocks, as what threads usually block. Called before threads record.
pub(crate) fn prepare() {
    USUAL_MASK.store(blocked_signals(), Ordering::Relaxed);
}

/// The signals that this thread blocks, the first 64 of them.
fn blocked_signals() -> u64 {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: with no new set, the call only writes the present one, to valid memory; zeros are an empty set.
    let set = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr());
        set.assume_init()
    };
    let member = |signal: i32| {
        // SAFETY: the set is valid.
        u64::from(unsafe { libc::sigismember(&raw const set, signal) } == 1)
    };
    (1..=64).fold(0, |mask, signal| mask | member(signal) << (signal - 1))
}

/// The kernel's name, since others than Rust name threads too; Rust's where the kernel's is cut off.
///
/// The standard library is not asked within a signal handler: in a thread that has just begun, the question makes it
/// abort. A handler's signal is blocked while it runs.
fn name(os_id: u32) -> String {
    if os_id == std::process::id() {
        return "main".to_owned();
    }
    let mut bytes = [0_u8; KERNEL_NAME_BYTES];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, the terminator included.
    unsafe { libc::prctl(libc::PR_GET_NAME, bytes.as_mut_ptr()) };
    let length = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let kernel = String::from_utf8_lossy(&bytes[..length]).into_owned();
    if length + 1 < KERNEL_NAME_BYTES || blocked_signals() != USUAL_MASK.load(Ordering::Relaxed) {
        return kernel;
    }
    // Late in a thread's end the standard library no longer knows it.
    let known = std::panic::catch_unwind(|| std::thread::current().name().map(str::to_owned));
    known.ok().flatten().unwrap_or(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_whole_and_short_ones_the_kernels() {
        for name in ["short", "a-name-that-is-too-long-for-the-kernel"] {
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(this_thread);
            let info = thread.expect("a thread starts").join().expect("it ends");
            assert_eq!(info.name, name);
            assert_ne!(info.os_id, std::process::id());
        }
    }
}
