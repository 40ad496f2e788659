//! What applications and libraries call: events, spans, counters, gauges, traces.
//!
//! A library instruments itself with this crate alone. Without a recorder every call is one relaxed load and a branch;
//! with the feature `off`, which is the choice of the final binary, it is nothing at all. The owner of the program installs
//! a recorder (`perf-recorder`), and then each record costs about as much as reading the clock.
//!
//! ```
//! use perf_probe::{TraceId, events, measure, record_counter, trace};
//!
//! events! {
//!     pub ORDER_SUBMIT: span = "ORDER_SUBMIT";
//!     pub ORDERS_SUBMITTED: counter("orders") = "ORDERS_SUBMITTED";
//! }
//!
//! fn submit(symbol: &str, candle_unix_ns: i64) {
//!     let _trace = trace::enter(TraceId::from_key(symbol, candle_unix_ns));
//!     trace::annotate("symbol", symbol);
//!     let _span = measure!(ORDER_SUBMIT);
//!     record_counter(ORDERS_SUBMITTED, 1);
//! }
//! # submit("EURUSD", 0);
//! ```
//!
//! On the hot path nothing blocks, allocates, takes a lock, makes a system call or panics. The first use of an event and
//! the first record of a thread do some of that, once. A signal handler may record if its thread and its events have
//! recorded before; where it interrupts a recording of its own thread, its record is counted as lost. It must not be the
//! first to record on its thread after a recorder was started or stopped: that allocates and frees memory, too.

pub mod adapter;
mod backend;
pub mod clock;
mod cold_lock;
mod event;
mod fork;
mod future;
mod gate;
mod ids;
mod local;
mod losses;
mod owner;
mod registry;
mod scope;
mod span;
mod thread_info;
pub mod trace;
mod verbs;

pub use backend::{AfterFork, Backend, Handle, ThreadInfo};
pub use clock::Ticks;
pub use event::{Event, MAX_NAME_BYTES, MAX_UNIT_BYTES};
pub use future::{InTrace, InTraceExt, Measured, measured, measured_result};
pub use gate::{AlreadyInstalled, InstallGuard, install, is_enabled, set_enabled};
pub use ids::{EventId, Kind, Outcome};
pub use losses::{Losses, losses};
pub use perf_arena::{LossCause, Producer};
pub use registry::{Descriptor, MAX_EVENTS, RegisterError, registered};
pub use scope::scope;
pub use span::{Laps, Span, laps};
pub use trace::TraceId;
pub use verbs::{
    Start, record_counter, record_end, record_end_as, record_gauge, record_histogram, record_start,
};

/// The `#[measure]` attribute.
///
/// `measure!` and `#[measure]` share a name, and a name can be imported in one meaning only. Where both are wanted, import
/// the attribute with a star:
///
/// ```
/// use perf_probe::attribute::*;
/// use perf_probe::{events, measure};
///
/// events! {
///     LOAD: span = "LOAD";
///     PARSE: span = "PARSE";
/// }
///
/// #[measure(LOAD)]
/// fn load(text: &str) -> Result<i64, std::num::ParseIntError> {
///     let _span = measure!(PARSE);
///     Ok(text.parse::<i64>()? + 1)
/// }
/// assert_eq!(load("1"), Ok(2));
/// ```
///
/// The span of a call is its whole duration. That of an `async fn`, or of a function that returns `impl Future` or a boxed
/// future, lasts from the first poll of the future to its completion, with all waiting; a future dropped before is a
/// cancelled span. If the last segment of the return type's path is `Result`, an `Err` is the outcome error. A panic is the
/// outcome panicked.
///
/// What cannot be measured so says why:
///
/// ```compile_fail
/// # perf_probe::events! { LOAD: span = "LOAD"; }
/// #[perf_probe::attribute::measure(LOAD)]
/// const fn load() -> u32 { 1 }
/// ```
///
/// ```compile_fail
/// # perf_probe::events! { LOAD: span = "LOAD"; }
/// #[perf_probe::attribute::measure(LOAD)]
/// unsafe fn load() {}
/// ```
///
/// ```compile_fail
/// # perf_probe::events! { LOAD: span = "LOAD"; }
/// #[perf_probe::attribute::measure(LOAD)]
/// extern "C" fn load() {}
/// ```
///
/// ```compile_fail
/// # perf_probe::events! { LOAD: span = "LOAD"; }
/// #[perf_probe::attribute::measure(LOAD)]
/// struct Load;
/// ```
///
/// ```compile_fail
/// #[perf_probe::attribute::measure]
/// fn load() {}
/// ```
///
/// ```compile_fail,E0308
/// #[perf_probe::attribute::measure("LOAD")]
/// fn load() {}
/// ```
pub mod attribute {
    pub use perf_probe_macros::measure;
}

/// For the macros.
#[doc(hidden)]
pub mod __private {
    pub use crate::event::EventCell;
    pub use crate::span::call;
}
