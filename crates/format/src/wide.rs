//! The same code, compiled a second time for processors with wide vectors.

/// Runs `f`, on processors that have AVX2 and its companions as compiled for these. What `f` calls is compiled anew only
/// where it is inlined into it: loops worth it are `#[inline(always)]`.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code)]
pub(crate) fn wide<T>(f: impl FnOnce() -> T) -> T {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn with_avx2<T>(f: impl FnOnce() -> T) -> T {
        f()
    }
    let has_avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    if has_avx2 {
        // SAFETY: the processor has all that the function is compiled for; else it does nothing but call `f`.
        unsafe { with_avx2(f) }
    } else {
        f()
    }
}

/// Runs `f`: other processors' baselines have wide vectors.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn wide<T>(f: impl FnOnce() -> T) -> T {
    f()
}
