//! Whether anything is recorded at all: the one word that every call site reads.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::backend::{AfterFork, Handle};
use crate::cold_lock::ColdLock;
use crate::local::MUST_LOOK;
use crate::{clock, fork, registry, thread_info};

/// 0 while nothing in the process records, else a number that changes whenever threads must look again at whom they
/// record for.
static GATE: AtomicU32 = AtomicU32::new(CLOSED);

/// Nothing records.
pub(crate) const CLOSED: u32 = 0;

#[inline(always)]
pub(crate) fn load() -> u32 {
    if cfg!(feature = "off") {
        CLOSED
    } else {
        GATE.load(Ordering::Relaxed)
    }
}

pub(crate) static GLOBAL: ColdLock<Global> = ColdLock::new(Global {
    state: State::Never,
    enabled: true,
    scopes: 0,
    turn: 0,
});

/// Whom the process records for.
pub(crate) struct Global {
    pub(crate) state: State,
    enabled: bool,
    /// Threads that are in a scope at the moment.
    scopes: usize,
    /// How often the gate's number has changed.
    turn: u32,
}

/// What became of the recorder of the whole process.
pub(crate) enum State {
    /// There has been none, or it was the parent's.
    Never,
    /// There is one.
    Installed(Handle),
    /// It was shut down: records are counted.
    Stopped,
    /// The parent's wants the child to have one of its own, at its first record.
    Follow(Handle),
}

/// What a thread outside of any scope shall do.
pub(crate) enum Resolved {
    Record(Handle),
    /// Nothing, and nothing is lost by it.
    Idle,
    /// Count the record: the recorder has been shut down.
    Stopped,
}

impl Global {
    /// Sets the gate to what the state asks for, under a new number.
    fn publish(&mut self) {
        self.turn = match self.turn.wrapping_add(1) {
            CLOSED | MUST_LOOK => 1,
            turn => turn,
        };
        let looks = match self.state {
            State::Never => false,
            State::Installed(_) => self.enabled,
            State::Stopped | State::Follow(_) => true,
        };
        let open = looks || self.scopes > 0;
        GATE.store(if open { self.turn } else { CLOSED }, Ordering::Release);
    }

    /// The serial number of the installed recorder.
    pub(crate) fn installed(&self) -> Option<u32> {
        match &self.state {
            State::Installed(handle) | State::Follow(handle) => Some(handle.serial()),
            State::Never | State::Stopped => None,
        }
    }

    /// In the child, within `fork`: the parent's recorder is forgotten, not dropped.
    pub(crate) fn forget_parent(&mut self, after: AfterFork) {
        self.scopes = 0;
        self.state = match std::mem::replace(&mut self.state, State::Never) {
            State::Installed(handle) | State::Follow(handle) => match after {
                AfterFork::Follow => State::Follow(handle),
                AfterFork::Off => {
                    std::mem::forget(handle);
                    State::Never
                }
            },
            State::Never | State::Stopped => State::Never,
        };
        self.publish();
    }
}

/// A recorder is already installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this process already records: stop the recorder that is installed, or use a scope")]
pub struct AlreadyInstalled;

/// Makes `handle` the recorder of the whole process, until the guard is dropped.
///
/// # Errors
///
/// There is one already.
pub fn install(handle: Handle) -> Result<InstallGuard, AlreadyInstalled> {
    clock::prepare();
    thread_info::prepare();
    fork::hook();
    GLOBAL.with(|global| {
        if matches!(global.state, State::Installed(_)) {
            return Err(AlreadyInstalled);
        }
        registry::listen(&handle);
        global.state = State::Installed(handle.clone());
        global.enabled = true;
        global.publish();
        Ok(InstallGuard { handle })
    })
}

/// Keeps a recorder installed. Dropping it shuts the probes: records that come later are counted, not kept.
#[derive(Debug)]
#[must_use = "the recorder is uninstalled when this is dropped"]
pub struct InstallGuard {
    handle: Handle,
}

impl InstallGuard {
    /// The installed recorder's handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for InstallGuard {
    fn drop(&mut self) {
        if fork::is_foreign(self.handle.serial()) {
            return;
        }
        let stopped = GLOBAL.with(|global| {
            let state = match std::mem::replace(&mut global.state, State::Stopped) {
                State::Installed(handle) if handle.serial() == self.handle.serial() => Some(handle),
                other => {
                    global.state = other;
                    None
                }
            };
            global.publish();
            state
        });
        self.handle.close();
        // Outside of the lock: the last handle takes the recorder with it.
        drop(stopped);
    }
}

/// Turns the installed recorder's probes on or off; off, a call site costs one relaxed load. Scopes are not touched.
/// Spans that are open meanwhile are recorded when they end.
pub fn set_enabled(enabled: bool) {
    GLOBAL.with(|global| {
        if global.enabled != enabled {
            global.enabled = enabled;
            global.publish();
        }
    });
}

/// Whether a record made here and now would be kept: a recorder is installed and enabled, or this thread is in a scope.
pub fn is_enabled() -> bool {
    if load() == CLOSED {
        return false;
    }
    crate::scope::is_active()
        || GLOBAL.with(|global| matches!(global.state, State::Installed(_)) && global.enabled)
}

/// Makes every thread look again at whom it records for.
pub(crate) fn changed() {
    GLOBAL.with(Global::publish);
}

pub(crate) fn scope_entered() {
    GLOBAL.with(|global| {
        global.scopes += 1;
        if global.scopes == 1 {
            global.publish();
        }
    });
}

pub(crate) fn scope_left() {
    GLOBAL.with(|global| {
        global.scopes = global.scopes.saturating_sub(1);
        if global.scopes == 0 {
            global.publish();
        }
    });
}

/// Whom a thread outside of any scope records for.
pub(crate) fn resolve() -> Resolved {
    let parent = match GLOBAL.with(|global| global.resolve()) {
        Ok(resolved) => return resolved,
        Err(parent) => parent,
    };
    // Without the lock, since the recorder starts threads and opens files; meanwhile others find nothing to do.
    let own = parent.backend().follow();
    std::mem::forget(parent);
    let Some(own) = own else {
        return Resolved::Idle;
    };
    match install(own.clone()) {
        Ok(guard) => {
            // The child's recorder stays until its process ends.
            std::mem::forget(guard);
            Resolved::Record(own)
        }
        Err(AlreadyInstalled) => Resolved::Idle,
    }
}

impl Global {
    /// `Err` with the parent's recorder if that must be followed first; only one thread gets it.
    fn resolve(&mut self) -> Result<Resolved, Handle> {
        match &self.state {
            State::Installed(handle) if self.enabled => Ok(Resolved::Record(handle.clone())),
            State::Stopped => Ok(Resolved::Stopped),
            State::Never | State::Installed(_) => Ok(Resolved::Idle),
            State::Follow(_) => match std::mem::replace(&mut self.state, State::Never) {
                State::Follow(parent) => {
                    self.publish();
                    Err(parent)
                }
                other => {
                    self.state = other;
                    Ok(Resolved::Idle)
                }
            },
        }
    }
}
