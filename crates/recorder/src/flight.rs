//! The flight recorder: the last seconds of everything, encoded, in shared memory; a file only when something triggers one.
//!
//! ```text
//!   rings ──► staging area ──► chunks ──► window (the spool, which drops its oldest) ··trigger··► part file
//! ```
//!
//! Up to the window all is as in a capture, and costs the program the same. The rings drop their newest records when they are
//! full, since such rings grow: with a drainer that is away for 2 ms at 2 million records a second they lost 14 %, and rings
//! of the same first size that overwrite their oldest, which cannot grow, 83 %. The drainer looks at what it takes out of the
//! rings: a span above its limit is a trigger, and so are a panic, a signal and a call. A thread of its own then writes
//! what the window holds as a part of the capture, and gives that room back. A killed process leaves its window to
//! [`salvage`](crate::salvage): the kill is a trigger, too.

mod compose;
mod desk;
mod file;
mod keeper;
mod panic;
mod running;
mod watch;
mod window;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use perf_format::Label;

pub(crate) use compose::label_of_kill;
pub(crate) use desk::{Desk, Kind};
pub(crate) use file::{part_path, temporary};
pub(crate) use keeper::Keeper;
pub(crate) use running::{Running, Starting, View};

/// By default, how long it goes on recording after a span was too slow: what came of that is of interest, too.
const AFTER: Duration = Duration::from_millis(500);
/// By default, the least time between two parts that the same kind of trigger writes.
const QUIET: Duration = Duration::from_secs(60);

/// What a flight recorder keeps and what triggers it.
///
/// ```no_run
/// use std::time::Duration;
/// use perf_recorder::{Flight, Recorder};
///
/// let flight = Flight::last(Duration::from_secs(30)).keep_above("ORDER_EXECUTION", Duration::from_millis(5));
/// let recorder = Recorder::builder().capture("flights/").flight(flight).start()?;
/// // … whenever the program finds something odd:
/// let file = recorder.snapshot("a reply that nobody asked for")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "give it to `Builder::flight`"]
pub struct Flight {
    pub(crate) last: Duration,
    pub(crate) after: Duration,
    pub(crate) quiet_for: Duration,
    pub(crate) on_panic: bool,
    pub(crate) on_signal: Option<i32>,
    pub(crate) max_bytes: Option<u64>,
    /// By event.
    pub(crate) limits: BTreeMap<String, Duration>,
}

impl Flight {
    /// Keeps the last so long: as much of it as fits into [`max_bytes`](Self::max_bytes).
    pub fn last(window: Duration) -> Self {
        Self {
            last: window.max(Duration::from_millis(1)),
            after: AFTER,
            quiet_for: QUIET,
            on_panic: true,
            on_signal: None,
            max_bytes: None,
            limits: BTreeMap::new(),
        }
    }

    /// How long it goes on recording after a span was too slow, before it writes: half a second by default. The other triggers
    /// write at once.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Writes when a span of this event takes longer than `limit`. Several may be given.
    pub fn keep_above(mut self, event: impl Into<String>, limit: Duration) -> Self {
        self.limits.insert(event.into(), limit);
        self
    }

    /// The least time between two parts that slow spans write, and between two that panics write: a minute by default.
    /// What triggers in between is counted, and the next part says so. Signals and calls are not held back.
    pub fn quiet_for(mut self, quiet: Duration) -> Self {
        self.quiet_for = quiet;
        self
    }

    /// Whether a panic writes: by default yes, also one that is caught later. The panicking thread waits until the part
    /// is safe, a second at most, before the panic takes its course. A hook that the program sets after the recorder has
    /// started must call the one before it.
    pub fn on_panic(mut self, on_panic: bool) -> Self {
        self.on_panic = on_panic;
        self
    }

    /// Writes when the process gets this signal, such as `SIGUSR2`, which then no longer ends the process: by default none does.
    pub fn on_signal(mut self, signal: i32) -> Self {
        self.on_signal = Some(signal);
        self
    }

    /// Bytes of shared memory for the window; the same as [`Builder::spool_bytes`](crate::Builder::spool_bytes), by default
    /// 32 MiB. Three quarters are the window's, at about 6 bytes a span: some four million spans. The last quarter takes
    /// what comes while a part is being written.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// What every header says.
    pub(crate) fn label(&self) -> Label {
        compose::label_of(self.last)
    }

    /// How long a chunk stays: also what came before a slow span is still there when its time after is over.
    fn kept(&self) -> Duration {
        self.last
            .saturating_add(self.after)
            .saturating_add(Duration::from_secs(2))
    }
}

/// A flight recorder at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FlightStatus {
    /// How far back the window shall reach.
    pub last: Duration,
    /// How far back it reaches.
    pub window: Duration,
    /// Bytes of encoded chunks in it.
    pub window_bytes: u64,
    /// Records in these chunks.
    pub window_records: u64,
    /// Parts that were written.
    pub snapshots: u64,
    /// The last of them.
    pub last_snapshot: Option<PathBuf>,
    /// Triggers that wrote no part of their own.
    pub suppressed: u64,
    /// Why the last attempt to write a part failed, if it did.
    pub failing: Option<String>,
}
