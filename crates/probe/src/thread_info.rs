//! Who the thread is.

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

/// The kernel's name, since others than Rust name threads too; Rust's where the kernel's is cut off.
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
    if length + 1 < KERNEL_NAME_BYTES {
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
