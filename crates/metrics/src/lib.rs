//! Captures what a program says through the [`metrics`] facade, unchanged: a [`metrics::Recorder`] that records counters, gauges
//! and histograms with `perf-probe`.
//!
//! ```
//! use std::time::Duration;
//!
//! let directory = tempfile::tempdir()?;
//! let capture = perf_recorder::Recorder::builder().capture(directory.path()).start()?;
//! let recorder = perf_metrics::Recorder::new();
//! // A service calls `metrics::set_global_recorder`, once.
//! metrics::with_local_recorder(&recorder, || {
//!     metrics::counter!("orders_total", "venue" => "XETRA").increment(1);
//!     metrics::gauge!("queue_depth").set(17.0);
//!     metrics::histogram!("order_latency_seconds").record(Duration::from_micros(250));
//! });
//! assert_eq!(capture.stop()?.records, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of what
//!
//! | `metrics` | in the capture |
//! |---|---|
//! | counter | a counter; `absolute` records what is added to the greatest that it had set |
//! | gauge | a gauge; `increment` and `decrement` record the level that they lead to |
//! | histogram | observations |
//! | labels | part of the event's name, in the order of their keys: `orders_total{venue="XETRA"}` |
//! | the current trace of `perf-probe`, or of a `tracing` span through `perf-tracing` | that of the record |
//!
//! **Units.** Values of captures are integers. A metric described in a unit of time is recorded in `ns`, in a unit of data in
//! `bytes`, in one of rate in `bit/s` or `1/s`, in percent as `ppm` (1 % is 10 000). One that was not described goes by the ending
//! of its name, `_total` set aside: `_seconds`, `_milliseconds`, `_microseconds`, `_nanoseconds`, `_bytes`, `_ratio` (in `ppm`).
//! All others, and those described as counts, are rounded to whole numbers: describe what has fractions that matter. A
//! description counts if it comes before the first use of the metric. [`Recorder::misfits`] says how many values could not be
//! recorded as they were.
//!
//! **Series.** The names of events last as long as the process, so there are only so many:
//! [`Recorder::max_series`], 1024 unless changed. Series beyond that share one event a kind, and [`Recorder::overflowed`] says how
//! often. A counter that is incremented and also set by `absolute` is the sum of both.
//!
//! **Cost.** The macros look their series up at each call, under a lock that many threads can read at a time. A handle that is
//! kept (`let hits = metrics::counter!("hits");`) costs what `perf-probe` does, and no lock.

#![forbid(unsafe_code)]

mod family;
mod name;
mod recorder;
mod series;
mod unit;

pub use recorder::{DEFAULT_MAX_SERIES, Recorder};
