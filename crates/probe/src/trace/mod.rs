//! Traces: what is done for one cause carries one id, across calls, awaits, threads and processes.

mod id;
mod traceparent;
mod unique;

use std::marker::PhantomData;

pub(crate) use id::fmix64;
pub use id::{HIGH_HALF_KEY, TraceId, TraceparentError};
pub use perf_arena::MAX_ANNOTATION_BYTES;
use perf_arena::tag;
pub use traceparent::Traceparent;
pub(crate) use unique::{block as unique_block, forget_parent};

use crate::local;

/// Makes `trace` the current trace of this thread until the scope is dropped; then the one before is current again, also
/// when a panic unwinds.
#[inline(always)]
pub fn enter(trace: TraceId) -> TraceScope {
    TraceScope {
        outer: local::swap_trace(trace),
        on_its_thread: PhantomData,
    }
}

/// The thread's current trace; [`TraceId::NONE`] if there is none.
#[inline(always)]
pub fn current() -> TraceId {
    local::current_trace()
}

/// A stay in a trace. Made by [`enter`].
///
/// ```compile_fail,E0277
/// let scope = perf_probe::trace::enter(perf_probe::TraceId::unique());
/// std::thread::spawn(move || drop(scope));
/// ```
#[derive(Debug)]
#[must_use = "the trace is left when this is dropped, which is at once if it is not bound to a name"]
pub struct TraceScope {
    outer: TraceId,
    on_its_thread: PhantomData<*const ()>,
}

impl Drop for TraceScope {
    #[inline(always)]
    fn drop(&mut self) {
        local::swap_trace(self.outer);
    }
}

/// What is noted about a trace.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A text.
    Str(&'a str),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Str(text)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<f32> for Value<'_> {
    fn from(number: f32) -> Self {
        Self::Float(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Int(truth.into())
    }
}

macro_rules! value_from_integers {
    ($($integer:ty)*) => {
        $(impl From<$integer> for Value<'_> {
            fn from(number: $integer) -> Self {
                Self::Int(number.into())
            }
        })*
    };
}

value_from_integers!(i8 i16 i32 i64 u8 u16 u32);

/// Notes `key` = `value` for the current trace; nothing outside of a trace.
///
/// A key keeps 1024 bytes, and key and text together [`MAX_ANNOTATION_BYTES`]. What is longer is cut at a character, and
/// the record says so.
#[inline]
pub fn annotate<'a>(key: &str, value: impl Into<Value<'a>>) {
    let trace = current();
    if !trace.is_none() {
        annotate_id(trace, key, value);
    }
}

/// Notes `key` = `value` for `trace`, whether or not it is current.
#[inline]
pub fn annotate_id<'a>(trace: TraceId, key: &str, value: impl Into<Value<'a>>) {
    local::annotate(trace, key, value.into());
}

/// Notes when the current trace ought to have begun: the candle's close, the exchange's time stamp. Nanoseconds since
/// 1970. The report then shows response time = lag + service time.
#[inline]
pub fn due(unix_ns: i64) {
    let trace = current();
    if !trace.is_none() {
        local::record_for_trace(trace, tag::DUE, unix_ns);
    }
}
