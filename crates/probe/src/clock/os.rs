//! The machine's counters and the kernel's clocks.

/// The hardware counter. Not ordered against the instructions around it, like every bare `rdtsc`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn counter() -> u64 {
    // SAFETY: `rdtsc` has no precondition; where the kernel forbids it, `decide` has chosen another source.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The virtual counter of the generic timer.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: Linux lets user space read the virtual counter; it touches neither memory nor stack.
    unsafe {
        core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags))
    };
    ticks
}

/// Other machines have no counter that we know: the kernel's clock.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(super) fn counter() -> u64 {
    nanos(libc::CLOCK_MONOTONIC_RAW)
}

/// Nanoseconds of one of the kernel's clocks, or 0 where the kernel does not have it. Through the vDSO, so
/// without a system call on every machine that matters.
pub(super) fn nanos(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if status != 0 {
        return 0;
    }
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// Whether the processor says that its counter runs at one rate in every power state.
#[cfg(target_arch = "x86_64")]
pub(super) fn counter_is_invariant() -> bool {
    use core::arch::x86_64::__cpuid;
    const POWER_MANAGEMENT_LEAF: u32 = 0x8000_0007;
    const INVARIANT_TSC_BIT: u32 = 1 << 8;
    #[allow(unused_unsafe, reason = "older compilers call it unsafe")]
    // SAFETY: every x86-64 processor has the instruction.
    let leaf = |number| unsafe { __cpuid(number) };
    leaf(0x8000_0000).eax >= POWER_MANAGEMENT_LEAF
        && leaf(POWER_MANAGEMENT_LEAF).edx & INVARIANT_TSC_BIT != 0
}

/// The generic timer runs at one rate by its architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn counter_is_invariant() -> bool {
    cfg!(target_arch = "aarch64")
}

/// Whether `rdtsc` may be used in this thread (`prctl(PR_SET_TSC)` can forbid it; then it raises SIGSEGV).
pub(super) fn counter_is_allowed() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    let mut state: libc::c_int = 0;
    // SAFETY: PR_GET_TSC writes one int to where its argument points.
    let status = unsafe { libc::prctl(libc::PR_GET_TSC, &raw mut state) };
    // A kernel that does not know the question does not know the ban either.
    status != 0 || state != libc::PR_TSC_SIGSEGV
}
