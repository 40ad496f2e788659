//! What the recorder does for the probes.

use std::sync::Mutex;

use perf_arena::Arena;
use perf_probe::{AfterFork, Backend, Descriptor, Handle, LossCause, Producer, ThreadInfo, Ticks};

use crate::builder::Settings;
use crate::recorder::Recorder;

/// What happens to recording in the child of a fork. The parent goes on in any case, and the child never touches the
/// parent's memory or file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForkPolicy {
    /// The child records nothing, until it starts a recorder of its own.
    #[default]
    Off,
    /// The child starts a recorder like the parent's at its first record: with a file of its own beside the parent's,
    /// named by its process id.
    Follow,
}

/// The seam between probes and arena.
pub(crate) struct ProbeBackend {
    arena: Arena,
    /// How a child of a fork starts its own; `None` = it does not.
    follow: Option<Settings>,
}

/// The recorder that a forked child started for itself; it lasts until the child drops what it inherited of the
/// parent's, or ends.
pub(crate) static FOLLOWER: Mutex<Option<Recorder>> = Mutex::new(None);

impl ProbeBackend {
    pub(crate) fn new(arena: Arena, follow: Option<Settings>) -> Self {
        Self { arena, follow }
    }
}

impl Backend for ProbeBackend {
    fn attach(&self, thread: &ThreadInfo, producer: &Producer) -> bool {
        // Why there is none is a warning of the arena's, which the drainer writes into the capture.
        self.arena.attach(producer, &thread.name).is_ok()
    }

    fn detach(&self, producer: &Producer) {
        self.arena.detach(producer);
    }

    fn describe(&self, event: &Descriptor) -> bool {
        let entered =
            self.arena
                .add_event(event.id.raw(), event.kind.code(), event.name, event.unit);
        // After the end names do not matter any more; the process's own table must not suffer from it.
        entered.is_ok() || !self.arena.is_open()
    }

    fn lost(&self, cause: LossCause, count: u64, at: Ticks) {
        self.arena.count_loss(cause, count, at.0);
    }

    fn after_fork(&self) -> AfterFork {
        self.arena.forget();
        if self.follow.is_some() {
            AfterFork::Follow
        } else {
            AfterFork::Off
        }
    }

    fn follow(&self) -> Option<Handle> {
        let settings = self.follow.clone()?;
        // A child that cannot record must work all the same.
        let recorder = settings.start_in_child().ok()?;
        let handle = recorder.handle().clone();
        // Never waited for: at the fork, a thread that this process does not have may have held it.
        let earlier = match FOLLOWER.try_lock() {
            Ok(mut follower) => follower.replace(recorder),
            Err(_) => Some(recorder),
        };
        // The recorder of a parent that followed in its turn is not ours to end. One that found no place here lasts as long as
        // the process.
        std::mem::forget(earlier);
        Some(handle)
    }
}
