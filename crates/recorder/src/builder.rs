//! Choosing where and how to record.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use perf_format::Anchor;
use perf_probe::clock::FakeClock;

use crate::backend::ForkPolicy;
use crate::drainer::Drainer;
use crate::error::StartError;
use crate::flight::Flight;
use crate::handoff::Hook;
use crate::parts::PartSettings;
use crate::recorder::Recorder;
use crate::sampling::Sampling;
use crate::sink::Sink;
use crate::start;
use crate::storage::Storage;
use crate::writer::SyncPolicy;

/// What a recorder is to be like. Everything but the destination has a sensible default.
#[must_use = "a builder does nothing until `start` is called"]
pub struct Builder {
    pub(crate) destination: Destination,
    pub(crate) settings: Settings,
}

/// Reads time since some start, which never goes back, and the time of day in unix ns.
pub(crate) type TimeSource = fn() -> (Duration, i64);

/// Where the capture goes.
pub(crate) enum Destination {
    None,
    /// A file, or a directory for a file.
    Path(PathBuf),
    Storage(Arc<dyn Storage>),
    Sink(Box<dyn Sink + Send>),
}

/// All choices that a forked child can inherit.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The path that was asked for, if it was one.
    pub(crate) path: Option<PathBuf>,
    pub(crate) arena: perf_arena::Config,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) interval: Duration,
    pub(crate) patience: Duration,
    pub(crate) drainer_nice: Option<i32>,
    pub(crate) sync: SyncPolicy,
    pub(crate) sampling: Sampling,
    pub(crate) flight: Option<Flight>,
    pub(crate) control: Option<bool>,
    pub(crate) parts: PartSettings,
    pub(crate) fork: ForkPolicy,
    pub(crate) install: bool,
    pub(crate) salvage: bool,
    pub(crate) hook: Option<Hook>,
    pub(crate) read_anchor: fn() -> Anchor,
    /// What the drainer takes for its own time: since some start, and unix ns.
    pub(crate) time: Option<TimeSource>,
    /// What the probes read instead of the machine's clock.
    pub(crate) clock: Option<FakeClock>,
    /// What the capture says first, as warnings.
    pub(crate) remarks: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        let settings = Settings {
            path: None,
            arena: perf_arena::Config::default(),
            labels: Vec::new(),
            interval: Duration::from_secs(1),
            patience: Duration::from_secs(5),
            drainer_nice: None,
            sync: SyncPolicy::default(),
            sampling: Sampling::default(),
            flight: None,
            control: None,
            parts: PartSettings::default(),
            fork: ForkPolicy::default(),
            install: true,
            salvage: true,
            hook: None,
            read_anchor: crate::anchors::read,
            time: None,
            clock: None,
            remarks: Vec::new(),
        };
        Self {
            destination: Destination::None,
            settings,
        }
    }
}

impl Builder {
    /// Records into a file. A path that ends in `/`, or that is a directory, gets a file of its own in it, named by UTC
    /// time and process id; the directory is made if it is missing. An existing file is never overwritten.
    pub fn capture(mut self, path: impl AsRef<Path>) -> Self {
        self.settings.path = Some(path.as_ref().to_owned());
        self.destination = Destination::Path(path.as_ref().to_owned());
        self
    }

    /// Records into something like a file. Its bytes are written by a thread of their own, which waits for it and tries
    /// again when it fails, while encoded chunks wait in the arena.
    pub fn storage(mut self, storage: impl Storage + 'static) -> Self {
        self.destination = Destination::Storage(Arc::new(storage));
        self
    }

    /// Gives the encoded pieces to `sink`, on the drainer's own thread.
    pub fn sink(mut self, sink: impl Sink + Send + 'static) -> Self {
        self.destination = Destination::Sink(Box::new(sink));
        self
    }

    /// Notes a key and a value in the capture: a version, an environment, a host's role.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.labels.push((key.into(), value.into()));
        self
    }

    /// Bytes of a thread's first ring, a power of two: 256 KiB by default, which holds 8192 spans and stays in a
    /// processor's second-level cache. Rings that fill up grow to [`max_ring_bytes`](Self::max_ring_bytes).
    pub fn ring_bytes(mut self, bytes: u64) -> Self {
        self.settings.arena.ring_bytes = bytes;
        self.settings.arena.max_ring_bytes = self.settings.arena.max_ring_bytes.max(bytes);
        self
    }

    /// Bytes of the largest ring that a thread can get, a power of two: 16 MiB by default, which outlast a drainer that is
    /// kept from its processor for tens of milliseconds.
    pub fn max_ring_bytes(mut self, bytes: u64) -> Self {
        self.settings.arena.max_ring_bytes = bytes;
        self.settings.arena.ring_bytes = self.settings.arena.ring_bytes.min(bytes);
        self
    }

    /// Bytes of all rings together, at most: 512 MiB by default, taken as threads need them, and never more than three
    /// quarters of the free shared memory.
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.settings.arena.data_bytes = bytes;
        self
    }

    /// Bytes of encoded chunks that can wait for a slow disk: 32 MiB by default.
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        self.settings.arena.spool_bytes = bytes;
        self
    }

    /// Where shared memory is: by default `/dev/shm/perf-<uid>`. The directory must lie on a tmpfs, and be nobody else's.
    pub fn arena_directory(mut self, path: impl AsRef<Path>) -> Self {
        self.settings.arena.directory = Some(path.as_ref().to_owned());
        self
    }

    /// Time between two notes of the recorder's own cost: a second by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// How long stop and flush wait for a storage that does not take everything, or does not return: five seconds by
    /// default. A stop that finds the patience at its end may take a second more.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// The nice value of the drainer's thread, from −20 (most urgent) to 19; by default that of the thread that starts the
    /// recorder. Where threads of the program keep all processors busy, a drainer that is more urgent than they are keeps
    /// up with them. Below the present value it takes a privilege (`CAP_SYS_NICE`, or `LimitNICE=` of systemd); if it is
    /// refused, the capture says so.
    pub fn drainer_nice(mut self, nice: i32) -> Self {
        self.settings.drainer_nice = Some(nice.clamp(-20, 19));
        self
    }

    /// When the capture is made to survive a crash of the host: by default a second after the last time.
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.settings.sync = policy;
        self
    }

    /// How much of what is recorded the capture keeps: by default everything.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.settings.sampling = sampling;
        self
    }

    /// Records into memory, and writes only what a trigger asks for: the last seconds, as parts of a capture. The path that
    /// [`capture`](Self::capture) names is then what the parts are called after, `x.bin` → `x.00000.bin`; nothing is created
    /// before the first. It does not rotate: with `rotate_bytes` or `rotate_every` the start is refused.
    pub fn flight(mut self, flight: Flight) -> Self {
        if let Some(bytes) = flight.max_bytes {
            self.settings.arena.spool_bytes = bytes;
        }
        self.settings.flight = Some(flight);
        self
    }

    /// Whether it can be controlled from outside, by processes of the same user: see [`control`](crate::control). By default a
    /// recorder of the whole process can whose capture goes to a path, unless the environment says `PERF_CONTROL=0`. It takes
    /// a thread that sleeps, and a socket in the directory of the arena.
    pub fn control(mut self, control: bool) -> Self {
        self.settings.control = Some(control);
        self
    }

    /// What the child of a fork does: by default it records nothing.
    pub fn fork_policy(mut self, policy: ForkPolicy) -> Self {
        self.settings.fork = policy;
        self
    }

    /// Records only what runs inside [`Recorder::scope`], instead of the whole process. For tests, which then do not
    /// disturb each other.
    pub fn scoped(mut self) -> Self {
        self.settings.install = false;
        self
    }

    /// Whether to save, before recording begins, what dead processes of the same user have left in shared memory: by
    /// default yes. See [`salvage`](crate::salvage).
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.settings.salvage = salvage;
        self
    }

    /// Runs at each hand-off of records. For tests that kill the process there.
    #[doc(hidden)]
    pub fn on_handoff(mut self, hook: Hook) -> Self {
        self.settings.hook = Some(hook);
        self
    }

    /// Reads the clocks. For tests of clocks that break.
    #[doc(hidden)]
    pub fn anchor_source(mut self, read: fn() -> Anchor) -> Self {
        self.settings.read_anchor = read;
        self
    }

    /// Reads the drainer's own time. For tests in which hours pass in seconds.
    #[doc(hidden)]
    pub fn time_source(mut self, read: TimeSource) -> Self {
        self.settings.time = Some(read);
        self
    }

    /// Has the probes read `clock` instead of the machine's. For tests of a clock that steps.
    #[doc(hidden)]
    pub fn clock(mut self, clock: FakeClock) -> Self {
        self.settings.clock = Some(clock);
        self
    }

    /// Numbers the slots of each ring from here on. For tests of the wrap.
    #[doc(hidden)]
    pub fn first_seq(mut self, seq: u64) -> Self {
        self.settings.arena.first_seq = seq;
        self
    }

    /// Starts recording.
    ///
    /// # Errors
    /// There is no destination, its file exists or cannot be made, there is no memory, or the process records already.
    pub fn start(self) -> Result<Recorder, StartError> {
        start::start(self)
    }

    /// Starts a recorder that has no threads: the caller drains it. `destination` is ignored; the file header goes to
    /// `sink` at once, and each [`Drainer::drain_once`] must get the same sink. The handle is for
    /// [`perf_probe::scope`] or [`perf_probe::install`].
    ///
    /// # Errors
    /// There is no memory for the arena, or the sink refuses the header.
    pub fn manual(self, sink: &mut impl Sink) -> Result<(perf_probe::Handle, Drainer), StartError> {
        start::manual(self.settings, sink)
    }
}
