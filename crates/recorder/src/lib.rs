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
//!
//! # Without a rebuild
//!
//! A program that starts its recorder with [`Recorder::from_env`] records when its environment says so: `PERF_CAPTURE=dir/`
//! names where to, `PERF_CONFIG=file.yaml` a file with all settings. With neither, nothing is started.
//! `PERF_LABELS=version=1.4.2,env=prod` notes keys and values in the capture, whichever of the two turned it on. A capture of a
//! systemd unit names it unasked, in the label `unit`.
//!
//! ```no_run
//! // Beside the settings, the program keeps the recorder: it stops when it is dropped.
//! let _recorder = perf_recorder::Recorder::from_env()?;
//! # Ok::<(), perf_recorder::StartError>(())
//! ```
//!
//! The file needs the cargo feature `config`; without it no YAML parser is compiled in, and `PERF_CONFIG` is an error. It is
//! the file in which `perf-analyze` finds `sla_thresholds` and `sla`. Values without quotes, numbers too, may have `${VAR}`
//! and `${VAR:-default}` in them. An unknown key, a value in another unit and a variable that is not set are refused, with
//! line and column.
//!
//! | key below `metrics` | what it does here |
//! |---|---|
//! | `enabled` | `false`: nothing is started, whatever `PERF_CAPTURE` says. By default `true` |
//! | `sampling.default_rate` | [`Sampling::rate`]: the share of the traces that the capture keeps, 0 to 1. The histograms tell of all |
//! | `sampling.adaptive` | `true`: from `high_load_threshold` records a second on (by default a million) the share is `high_load_rate` (by default 0.1), see [`Sampling::high_load`]. `false`, the default: these two do nothing |
//! | `sampling.events` | [`Sampling::event_rate`]: a map of names to shares |
//! | `sla_thresholds` | [`Sampling::keep_above`], in ns: spans above these are kept whatever the rate; and [`Flight::keep_above`]: with `recorder.flight` they are triggers |
//! | `buffer.size` | records that one thread's ring can grow to: [`Builder::max_ring_bytes`] of 32 bytes each, up to the next power of two. It takes a ring's first size with it where that is larger |
//! | `buffer.overflow_strategy` | `drop_newest` (or `drop`): what a full ring does. `overwrite` (or `overwrite_oldest`, `drop_oldest`) is taken, and the newest are dropped all the same, with a warning in the capture: a drainer empties the rings all the time, and either way the loss is counted. With `recorder.flight` it is the window's usual way, and there is no warning. `block` is refused: a probe never waits |
//! | `aggregation.interval_ms` | [`Builder::interval`], in ms |
//! | `aggregation.percentiles` | checked (0 to 100), and without effect: the histograms keep all that any percentile needs, and `perf-analyze` is asked for it afterwards |
//! | `export` | passed over: `perf-analyze export` writes other forms afterwards |
//! | `sla` | passed over: whole rules are for `perf-analyze sla` |
//! | `recorder.capture` | [`Builder::capture`]; `PERF_CAPTURE` goes before it |
//! | `recorder.labels` | [`Builder::label`], a map |
//! | `recorder.sync` | [`Builder::sync_policy`]: `at_stop`, `never`, or a number of ms |
//! | `recorder.fork` | [`Builder::fork_policy`]: `off` or `follow` |
//! | `recorder.salvage` | [`Builder::salvage`]: `true` or `false` |
//! | `recorder.drainer_nice` | [`Builder::drainer_nice`], −20 to 19 |
//! | `recorder.patience_ms` | [`Builder::patience`], in ms |
//! | `recorder.arena_directory` | [`Builder::arena_directory`] |
//! | `recorder.control` | [`Builder::control`]: `true` or `false`; `PERF_CONTROL=0` goes before the default |
//! | `recorder.ring_bytes`, `max_memory_bytes`, `spool_bytes` | the builder's of the same names, in bytes |
//! | `recorder.flight` | [`Builder::flight`], with any of the keys below; `{}` is enough |
//! | `recorder.flight.window_ms` | [`Flight::last`], in ms; by default 30000 |
//! | `recorder.flight.after_ms`, `quiet_ms` | [`Flight::after`] and [`Flight::quiet_for`], in ms |
//! | `recorder.flight.on_panic` | [`Flight::on_panic`]: `true` or `false` |
//! | `recorder.flight.on_signal` | [`Flight::on_signal`]: `SIGUSR1`, `SIGUSR2` or `SIGHUP` |
//! | `recorder.flight.max_bytes` | [`Flight::max_bytes`]; before `recorder.spool_bytes` |
//! | `recorder.rotate_bytes`, `rotate_every_s` | [`Builder::rotate_bytes`], [`Builder::rotate_every`] in s: the capture becomes several files |
//! | `recorder.keep_bytes`, `keep_for_s` | [`Builder::keep_bytes`], [`Builder::keep_for`] in s: older files of this program are deleted |
//! | `recorder.preallocate_bytes` | [`Builder::preallocate_bytes`] |
//! | `recorder.compress_closed` | `Builder::compress_closed`: a level of zstd, 1 to 19; with the cargo feature `zstd` |

#![forbid(unsafe_code)]

mod anchors;
mod backend;
mod books;
mod builder;
mod calibrate;
#[cfg(feature = "config")]
mod config;
pub mod control;
mod cut;
mod describe;
mod drainer;
mod environment;
mod error;
mod flight;
mod front;
mod handoff;
mod housekeeping;
mod labels;
mod live;
mod loss;
mod machine;
mod outlet;
mod pace;
mod parts;
mod path;
mod processors;
mod progress;
mod recorder;
mod rows;
pub mod salvage;
mod sampling;
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
pub use error::{ConfigError, FlushError, SnapshotError, StartError, StopError};
pub use flight::{Flight, FlightStatus};
#[doc(hidden)]
pub use handoff::{Handoff, Hook};
pub use loss::Lost;
pub use parts::Parts;
pub use recorder::{Recorder, Stopped};
pub use sampling::Sampling;
pub use sink::{Refused, Sink};
pub use status::{RingUse, Status};
pub use storage::Storage;
pub use writer::SyncPolicy;
