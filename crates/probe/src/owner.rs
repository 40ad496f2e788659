//! Whom a thread records for: the cold half of its state, which knows when the thread ends.

use std::cell::RefCell;

use perf_arena::{LossCause, Producer};

use crate::backend::Handle;
use crate::clock::Ticks;
use crate::gate::{self, Resolved};
use crate::ids::Outcome;
use crate::local::{self, Local};
use crate::span::OpenSpan;
use crate::{cold_lock, fork, losses, registry, thread_info};

/// A thread that got no ring asks again after so many lost records.
const RECORDS_BETWEEN_ATTEMPTS: u32 = 4096;

/// What a thread holds on to.
#[derive(Default)]
struct Owner {
    /// The recorder whose ring is in the thread's hot state.
    active: Option<Handle>,
    /// Rings of other recorders, from scopes left or entered meanwhile.
    parked: Vec<Parked>,
    /// The scopes that the thread is in, the innermost last.
    scopes: Vec<Handle>,
    /// Records to lose before the thread asks for a ring again.
    patience: u32,
}

struct Parked {
    handle: Handle,
    producer: Producer,
}

thread_local! {
    static OWNER: RefCell<Owner> = RefCell::default();
}

/// Why the owner is not to be had.
enum Away {
    /// The thread is ending: it has given its ring back.
    Ending,
    /// The caller is a signal handler that interrupted the owner's own work.
    Busy,
}

/// Runs `work` with this thread's owner.
fn with<R>(work: impl FnOnce(&mut Owner) -> R) -> Result<R, Away> {
    let ran = OWNER.try_with(|owner| match owner.try_borrow_mut() {
        Ok(mut owner) => Ok(work(&mut owner)),
        Err(_) => Err(Away::Busy),
    });
    ran.unwrap_or(Err(Away::Ending))
}

/// Finds out whom this thread records for, while the gate shows `gate`, and gets it a ring.
pub(crate) fn look(local: &Local, gate: u32) -> bool {
    local.look_again();
    match with(|owner| owner.look(local, gate)) {
        Ok(found) => return found,
        Err(Away::Ending) => lose_without_ring(),
        Err(Away::Busy) => losses::count_nested(),
    }
    false
}

fn lose_without_ring() {
    match gate::resolve() {
        Resolved::Record(handle) => {
            handle
                .backend()
                .lost(LossCause::AfterShutdown, 1, crate::clock::now())
        }
        Resolved::Stopped => losses::count_stopped(),
        Resolved::Idle => {}
    }
}

impl Owner {
    fn look(&mut self, local: &Local, gate: u32) -> bool {
        let scope = self
            .scopes
            .last()
            .filter(|handle| !fork::is_foreign(handle.serial()));
        let resolved = match scope {
            Some(handle) if handle.is_open() => Resolved::Record(handle.clone()),
            Some(_) => Resolved::Stopped,
            None => gate::resolve(),
        };
        match resolved {
            Resolved::Record(handle) => {
                let ready = self.activate(local, &handle);
                if ready {
                    local.pass.set(gate);
                }
                ready
            }
            Resolved::Stopped => {
                self.release_closed(local);
                local.stopped_gate.set(gate);
                losses::count_stopped();
                false
            }
            Resolved::Idle => {
                local.idle_gate.set(gate);
                false
            }
        }
    }

    /// Puts the ring of `handle`'s recorder into the hot state, attaching the thread if it is new to it.
    fn activate(&mut self, local: &Local, handle: &Handle) -> bool {
        if local.serial.get() == handle.serial() {
            return true;
        }
        self.release_closed(local);
        self.park(local);
        if let Some(place) = self
            .parked
            .iter()
            .position(|parked| parked.handle.serial() == handle.serial())
        {
            let parked = self.parked.swap_remove(place);
            local.swap_producer(parked.producer);
        } else if !self.attach(handle, local.producer()) {
            return false;
        }
        local
            .clock
            .set(handle.clock().map_or(std::ptr::null(), |clock| clock));
        local.serial.set(handle.serial());
        self.active = Some(handle.clone());
        true
    }

    fn attach(&mut self, handle: &Handle, producer: &Producer) -> bool {
        if self.patience > 0 {
            self.patience -= 1;
        } else if handle
            .backend()
            .attach(&thread_info::this_thread(), producer)
        {
            return true;
        } else {
            self.patience = RECORDS_BETWEEN_ATTEMPTS;
        }
        handle
            .backend()
            .lost(LossCause::NoRing, 1, crate::clock::now());
        false
    }

    /// Takes the ring out of the hot state and keeps it for later.
    fn park(&mut self, local: &Local) {
        local.serial.set(0);
        local.clock.set(std::ptr::null());
        let Some(handle) = self.active.take() else {
            return;
        };
        let producer = local.swap_producer(Producer::detached());
        self.parked.push(Parked { handle, producer });
    }

    /// Gives back the rings of recorders that have stopped.
    fn release_closed(&mut self, local: &Local) {
        if self.active.as_ref().is_some_and(|handle| !handle.is_open()) {
            self.park(local);
        }
        self.parked.retain(|parked| {
            let open = parked.handle.is_open();
            if !open {
                parked.release();
            }
            open
        });
    }

    /// A ring of the recorder with this serial number, if that is still open.
    fn producer_of<'a>(&'a mut self, local: &'a Local, serial: u32) -> Found<'a> {
        if local.serial.get() == serial {
            return match &self.active {
                Some(active) if active.is_open() => Found::Ring(local.producer()),
                _ => Found::Stopped,
            };
        }
        let place = self
            .parked
            .iter()
            .position(|parked| parked.handle.serial() == serial);
        let place = match place {
            Some(place) => place,
            None => {
                // A future that another thread began, or a scope of another thread.
                let Some(handle) = registry::listener(serial) else {
                    return Found::Stopped;
                };
                let producer = Producer::detached();
                if !self.attach(&handle, &producer) {
                    return Found::Lost;
                }
                self.parked.push(Parked { handle, producer });
                self.parked.len() - 1
            }
        };
        let parked = &self.parked[place];
        if parked.handle.is_open() {
            Found::Ring(&parked.producer)
        } else {
            Found::Stopped
        }
    }
}

/// What became of the search for a ring.
enum Found<'a> {
    Ring(&'a Producer),
    /// There is none left, and the record is counted as lost for that.
    Lost,
    /// The recorder has stopped.
    Stopped,
}

impl Parked {
    fn release(&self) {
        if fork::is_foreign(self.handle.serial()) {
            self.producer.forget();
        } else {
            self.handle.backend().detach(&self.producer);
        }
    }
}

impl Drop for Owner {
    /// The thread ends: its rings are left to the drainer.
    fn drop(&mut self) {
        local::with(|local| {
            local.look_again();
            self.park(local);
        });
        for parked in &self.parked {
            parked.release();
        }
    }
}

/// Records the end of a span whose ring is not in the hot state: another thread began it, or a scope was entered or left
/// meanwhile, or probes were turned off, or the recorder has stopped.
#[cold]
#[inline(never)]
pub(crate) fn end_elsewhere(span: &OpenSpan, end: Ticks, outcome: Outcome) {
    if fork::is_foreign(span.who.serial()) {
        // The parent's span, in the child: its slot is in the parent's memory.
        return;
    }
    local::with(|local| {
        let nested = || {
            Producer::abandon(span.slot);
            losses::count_nested();
        };
        // As in `Local::look`.
        if cold_lock::is_held_here() || local.producer().is_busy() {
            return nested();
        }
        let ended = with(|owner| {
            match owner.producer_of(local, span.who.serial()) {
                Found::Ring(producer) => {
                    // What has no room is counted by the ring.
                    let _ = producer.end(span.slot, span.record(end, outcome));
                }
                Found::Lost => Producer::abandon(span.slot),
                Found::Stopped => return false,
            }
            true
        });
        if let Err(Away::Busy) = ended {
            return nested();
        }
        if !ended.unwrap_or(false) {
            Producer::abandon(span.slot);
            match registry::listener(span.who.serial()) {
                Some(handle) => handle.backend().lost(LossCause::AfterShutdown, 1, end),
                None => losses::count_stopped(),
            }
        }
    });
}

/// Enters a scope; false if the thread is ending.
pub(crate) fn enter_scope(handle: &Handle) -> bool {
    local::with(Local::look_again);
    with(|owner| owner.scopes.push(handle.clone())).is_ok()
}

/// Leaves the innermost scope.
pub(crate) fn leave_scope() {
    local::with(Local::look_again);
    let left = with(|owner| owner.scopes.pop());
    drop(left);
}

/// Whether the thread is in a scope whose recorder is open.
pub(crate) fn in_open_scope() -> bool {
    with(|owner| owner.scopes.last().is_some_and(Handle::is_open)).unwrap_or(false)
}
