//! Code run one instruction at a time, with something else after each: all that a signal handler can come across.

use std::cell::Cell;
use std::sync::Once;

/// The processor's flag that raises a trap after the next instruction.
const TRAP_FLAG: i64 = 1 << 8;

thread_local! {
    /// What this thread does after each instruction; `None` ends the stepping.
    static AT_EACH: Cell<Option<fn()>> = const { Cell::new(None) };
}

extern "C" fn on_trap(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO the interrupted context, which is nobody else's meanwhile.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let flags = &mut context.uc_mcontext.gregs[libc::REG_EFL as usize];
    match AT_EACH.get() {
        Some(work) => {
            work();
            *flags |= TRAP_FLAG;
        }
        None => *flags &= !TRAP_FLAG,
    }
}

fn catch_traps() {
    let action = libc::sigaction {
        sa_sigaction: on_trap as *const () as libc::sighandler_t,
        // SAFETY: an empty set of signals is all zeros.
        sa_mask: unsafe { std::mem::zeroed() },
        sa_flags: libc::SA_SIGINFO,
        sa_restorer: None,
    };
    // SAFETY: the handler lives as long as the process; no old action is asked for.
    let status = unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0);
}

/// Runs `code`, and `at_each`, in a signal handler of the same thread, before it and after each of its instructions.
pub(crate) fn stepped<T>(at_each: fn(), code: impl FnOnce() -> T) -> T {
    static CAUGHT: Once = Once::new();
    CAUGHT.call_once(catch_traps);
    AT_EACH.set(Some(at_each));
    // SAFETY: the trap's handler is in place; it changes nothing but the trap flag.
    unsafe { std::arch::asm!("int3") };
    let result = code();
    AT_EACH.set(None);
    result
}
