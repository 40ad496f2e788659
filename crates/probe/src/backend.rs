//! The seam between the probes and a recorder.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use perf_arena::{LossCause, Producer};

use crate::clock::{FakeClock, Ticks};
use crate::fork;
use crate::registry::Descriptor;

/// What a recorder does for the probes. All of it is off the hot path.
///
/// No method may panic. None may record through probes of the same thread: while one runs, such a record is counted as
/// nested and dropped.
pub trait Backend: Send + Sync + 'static {
    /// A thread records for the first time: attach its producer to a ring. `false` if there is none left: then its
    /// records are reported by [`lost`](Self::lost), and it asks again from time to time.
    fn attach(&self, thread: &ThreadInfo, producer: &Producer) -> bool;

    /// A thread ends, or this recorder has stopped: take its ring back.
    fn detach(&self, producer: &Producer) {
        producer.detach();
    }

    /// A new event. Called before its first record, under the lock of the event table: it must not block. `false` if its
    /// name cannot be kept; a new event is then recorded as the overflow event.
    fn describe(&self, event: &Descriptor) -> bool;

    /// `count` records were lost that no ring could count: their thread has none, or no longer.
    fn lost(&self, cause: LossCause, count: u64, at: Ticks);

    /// This process was forked off just now, and the recorder is the parent's. Called in the child, in the midst of `fork`: only async-signal-safe calls
    /// are allowed, and no lock. Nothing of the parent's, neither memory nor file, may be touched from here on.
    fn after_fork(&self) -> AfterFork {
        AfterFork::Off
    }

    /// A child that answered [`AfterFork::Follow`] records for the first time: the recorder that it shall use.
    fn follow(&self) -> Option<Handle> {
        None
    }
}

/// What the probes do in a forked child.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AfterFork {
    /// Nothing, until the child installs a recorder itself.
    #[default]
    Off,
    /// At their first record they ask [`Backend::follow`] for a recorder.
    Follow,
}

/// The thread that asks for a ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadInfo {
    /// Its name: Rust's, else the kernel's.
    pub name: String,
    /// The kernel's id of it.
    pub os_id: u32,
}

/// A recorder, as the probes know it. Clones are the same recorder.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

pub(crate) struct Inner {
    /// Never 0, and never the same for two handles of a process.
    serial: u32,
    open: AtomicBool,
    listening: AtomicBool,
    clock: Option<FakeClock>,
    /// Dropped by hand: a forked child must not run a recorder's destructor.
    backend: ManuallyDrop<Box<dyn Backend>>,
}

static LAST_SERIAL: AtomicU32 = AtomicU32::new(0);

/// The newest handle so far: what is not newer at a fork belongs to the parent.
pub(crate) fn last_serial() -> u32 {
    LAST_SERIAL.load(Ordering::Relaxed)
}

impl Handle {
    /// A handle to `backend`. Probes use it once it is [installed](crate::install) or in a [scope](crate::scope).
    pub fn new(backend: impl Backend) -> Self {
        Self::build(Box::new(backend), None)
    }

    /// A handle whose threads read `clock` instead of the machine's: for tests.
    pub fn with_clock(backend: impl Backend, clock: FakeClock) -> Self {
        Self::build(Box::new(backend), Some(clock))
    }

    fn build(backend: Box<dyn Backend>, clock: Option<FakeClock>) -> Self {
        Self(Arc::new(Inner {
            serial: LAST_SERIAL.fetch_add(1, Ordering::Relaxed) + 1,
            open: AtomicBool::new(true),
            listening: AtomicBool::new(false),
            clock,
            backend: ManuallyDrop::new(backend),
        }))
    }

    /// Ends it for good: later records through it are counted as lost. An installed handle is closed by its
    /// [`InstallGuard`](crate::InstallGuard). Threads give their rings up at their next record or at their end.
    pub fn close(&self) {
        self.0.open.store(false, Ordering::Relaxed);
        crate::gate::changed();
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn serial(&self) -> u32 {
        self.0.serial
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.0.backend()
    }

    pub(crate) fn clock(&self) -> Option<&FakeClock> {
        self.0.clock.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Handle")
            .field("serial", &self.0.serial)
            .field("open", &self.is_open())
            .finish()
    }
}

impl Inner {
    pub(crate) fn backend(&self) -> &dyn Backend {
        &**self.backend
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) && !fork::is_foreign(self.serial)
    }

    /// Whether the caller is the first to make it a listener.
    pub(crate) fn start_listening(&self) -> bool {
        !self.listening.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !fork::is_foreign(self.serial) {
            // SAFETY: this is the only place that drops it, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.backend) };
        }
    }
}
