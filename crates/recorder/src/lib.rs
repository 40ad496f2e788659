//! What the owner of a program installs: it records what the probes measure, streams it to a file, and saves what a dead
//! process left.
//!
//! ```text
//!   rings ──► staging area ──► chunk, live histograms ──► spool ──► file
//!   └──────── drainer thread: Drainer::drain_once ─────────┘└─ writer thread ─┘
//! ```
//!
//! Everything up to the spool lies in shared memory that outlives the process. A killed process loses nothing that was
//! published: [`salvage`] finds it there. A crashed host loses back to the last `fdatasync`, a second or so
//! ([`SyncPolicy`]).
//!
//! ```no_run
//! use perf_recorder::Recorder;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let recorder = Recorder::builder().capture("captures/").start()?;
//!     // … the program …
//!     let stopped = recorder.stop()?;
//!     eprintln!("{} records, lost: {}", stopped.records, stopped.lost);
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

mod anchors;
mod backend;
mod books;
mod builder;
mod calibrate;
mod describe;
mod drainer;
mod error;
mod handoff;
mod housekeeping;
mod live;
mod loss;
mod machine;
mod outlet;
mod pace;
mod path;
mod progress;
mod recorder;
mod rows;
pub mod salvage;
mod sink;
mod start;
mod status;
mod storage;
mod syncer;
mod warning;
mod writer;

pub use backend::ForkPolicy;
pub use builder::Builder;
pub use drainer::{Drainer, Round};
pub use error::{FlushError, StartError, StopError};
#[doc(hidden)]
pub use handoff::{Handoff, Hook};
pub use loss::Lost;
pub use recorder::{Recorder, Stopped};
pub use sink::{Refused, Sink};
pub use status::{RingUse, Status};
pub use storage::Storage;
pub use writer::SyncPolicy;
