//! Captures in, plain structs out. Nothing here prints.
//!
//! [`CaptureSet::open`] finds and indexes capture files; [`report()`], [`info()`] and [`verify()`] turn
//! a set into result structs that serialise to the JSON documented beside each field.
//!
//! ```no_run
//! use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, report};
//! let set = CaptureSet::open(&["captures/".into()], &OpenOptions::default())?;
//! let report = report(&set, &ReportOptions::default())?;
//! for row in &report.events {
//!     println!("{} {}", row.event, row.count);
//! }
//! # Ok::<(), perf_analysis::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod capture;
mod chosen;
mod cover;
pub mod diff;
mod error;
mod held;
pub mod info;
pub mod options;
pub mod plot;
pub mod records;
pub mod report;
pub mod sla;
mod snapshot;
mod threads;
pub mod traces;
pub mod value;
pub mod verify;
mod warning;
mod words;

pub use capture::{CaptureSet, OpenOptions, Parts};
pub use error::{Error, ErrorKind};
pub use info::info;
pub use options::{GroupBy, ReportOptions, TimeBound};
pub use plot::plot_data;
pub use report::report;
pub use sla::{SlaOptions, sla};
pub use snapshot::Snapshot;
pub use traces::{TraceOptions, traces};
pub use value::{Number, Percentile, UnixNs};
pub use verify::verify;
pub use warning::{Warning, WarningKind};
