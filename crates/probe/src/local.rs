//! What a thread keeps, and the hot path over it.
//!
//! A record asks four things, each one load and a branch that is predicted: does anything record at all (the gate), has
//! this thread looked since the gate last changed (the pass), does the event have an id, and is there room in the ring.

use std::cell::{Cell, UnsafeCell};

use perf_arena::{AnnotationValue, Producer, Record};

use crate::clock::{self, FakeClock, Ticks};
use crate::event::Event;
use crate::gate::{self, CLOSED};
use crate::ids::Outcome;
use crate::span::{OpenSpan, Who};
use crate::trace::{self, TraceId, Value};
use crate::{cold_lock, losses, owner};

/// A number that the gate never shows.
pub(crate) const MUST_LOOK: u32 = u32::MAX;

/// A thread's state. It is a constant and has no destructor, so it works from the thread's first instruction to its last.
#[repr(C)]
pub(crate) struct Local {
    producer: UnsafeCell<Producer>,
    /// The gate's number when the thread last looked and found a recorder; [`MUST_LOOK`] before.
    pub(crate) pass: Cell<u32>,
    /// The recorder whose ring `producer` fills; 0 = none.
    pub(crate) serial: Cell<u32>,
    trace: Cell<u64>,

    /// The gate's number when the thread last looked and found nothing to do.
    pub(crate) idle_gate: Cell<u32>,
    /// The gate's number when the thread last looked and found its recorder stopped.
    pub(crate) stopped_gate: Cell<u32>,
    /// The clock of the recorder, if that has one of its own; it lives as long as the handle that the owner keeps.
    pub(crate) clock: Cell<*const FakeClock>,
    next_unique: Cell<u64>,
    end_unique: Cell<u64>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            producer: UnsafeCell::new(Producer::detached()),
            pass: Cell::new(MUST_LOOK),
            serial: Cell::new(0),
            trace: Cell::new(0),
            idle_gate: Cell::new(MUST_LOOK),
            stopped_gate: Cell::new(MUST_LOOK),
            clock: Cell::new(std::ptr::null()),
            next_unique: Cell::new(0),
            end_unique: Cell::new(0),
        }
    };
}

impl Local {
    #[inline(always)]
    pub(crate) fn producer(&self) -> &Producer {
        // SAFETY: shared references are all that exist but in `swap_producer`, which nothing overlaps.
        unsafe { &*self.producer.get() }
    }

    /// Puts `other` in the producer's place. The caller has closed the pass, so that a signal handler keeps away.
    pub(crate) fn swap_producer(&self, other: Producer) -> Producer {
        // SAFETY: references to the producer end with the expression that made them, and the owner, the only caller, runs on
        // the cold path, which is not re-entered. In a signal handler it may come in the midst of such an expression, but
        // not once that has marked the producer busy (see `look`). What it goes on with is then the other producer, of
        // which it reads all fields anew: each is a cell. Or it fills a slot of the earlier one's block, which stays valid.
        unsafe { std::mem::replace(&mut *self.producer.get(), other) }
    }

    /// Has the thread look again at whom it records for.
    pub(crate) fn look_again(&self) {
        self.pass.set(MUST_LOOK);
        self.idle_gate.set(MUST_LOOK);
        self.stopped_gate.set(MUST_LOOK);
    }

    /// Whether this thread has a ring to record into, while the gate shows `gate`.
    #[inline(always)]
    fn may_pass(&self, gate: u32) -> bool {
        self.pass.get() == gate || self.look(gate)
    }

    /// Finds out whom this thread records for, and gets it a ring. False if nothing is to be recorded; what is lost is
    /// counted then.
    #[cold]
    #[inline(never)]
    fn look(&self, gate: u32) -> bool {
        if self.idle_gate.get() == gate {
            return false;
        }
        if self.stopped_gate.get() == gate {
            losses::count_stopped();
            return false;
        }
        // A signal handler that interrupted a record must not take the producer away from under it.
        if cold_lock::is_held_here() || self.producer().is_busy() {
            losses::count_nested();
            return false;
        }
        owner::look(self, gate)
    }
}

/// The id of `event`, or 0 in a signal handler that interrupted the very table of events.
#[inline(always)]
fn id_of(event: Event) -> u32 {
    let id = event.raw_id();
    if id == 0 { first_use(event) } else { id }
}

#[cold]
#[inline(never)]
fn first_use(event: Event) -> u32 {
    if cold_lock::is_held_here() {
        losses::count_nested();
        return 0;
    }
    event.intern()
}

/// Runs `work` with the thread's state, for code off the hot path.
pub(crate) fn with<R>(work: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(work)
}

/// The thread's state, for the hot path: the compiler makes calls of the closures that [`LocalKey::with`] takes, once
/// they are more than an address.
///
/// [`LocalKey::with`]: std::thread::LocalKey::with
#[inline(always)]
fn local<'a>() -> &'a Local {
    let local: *const Local = LOCAL.with(std::ptr::from_ref);
    // SAFETY: the state has no destructor, so it lives as long as its thread. The references that come from here stay in
    // one function, and so on one thread, and are gone when it returns.
    unsafe { &*local }
}

#[inline(always)]
pub(crate) fn record(event: Event, tag: u8, value: u64) {
    let gate = gate::load();
    if gate == CLOSED {
        return;
    }
    let local = local();
    if local.may_pass(gate) {
        push(local, event, clock::now(), tag, value);
    }
}

/// As [`record`], at a tick that was read before.
#[inline(always)]
pub(crate) fn record_at(event: Event, at: Ticks, tag: u8, value: u64) {
    let gate = gate::load();
    if gate == CLOSED {
        return;
    }
    let local = local();
    if local.may_pass(gate) {
        push(local, event, at, tag, value);
    }
}

#[inline(always)]
fn push(local: &Local, event: Event, at: Ticks, tag: u8, value: u64) {
    let id = id_of(event);
    if id != 0 {
        // A record that has no room is counted by the ring.
        let _ = local
            .producer()
            .push(Record::new(at.0, value, local.trace.get(), id, tag).0);
    }
}

/// Begins a span of `event` now, if it is to be recorded.
#[inline(always)]
pub(crate) fn begin(event: Event) -> Option<OpenSpan> {
    let gate = gate::load();
    if gate == CLOSED {
        return None;
    }
    let local = local();
    if local.may_pass(gate) {
        begin_at(local, event, clock::now)
    } else {
        None
    }
}

#[inline(always)]
fn begin_at(local: &Local, event: Event, start: impl FnOnce() -> Ticks) -> Option<OpenSpan> {
    let id = id_of(event);
    if id == 0 {
        return None;
    }
    let who = Who::new(id, local.serial.get())?;
    let trace = local.trace.get();
    let start = start();
    let slot = local.producer().begin(start.0, trace, id);
    Some(OpenSpan {
        start,
        trace,
        slot,
        who,
    })
}

/// Ends `span` at `end` if that takes nothing out of the ordinary; else it does nothing and says false.
#[inline(always)]
pub(crate) fn try_end_at(span: &OpenSpan, end: Ticks, outcome: Outcome) -> bool {
    let gate = gate::load();
    let local = local();
    local.pass.get() == gate
        && local.serial.get() == span.who.serial()
        && local
            .producer()
            .try_end(span.slot, span.record(end, outcome))
}

/// Records the end of `span`, from whatever thread.
#[cold]
#[inline(never)]
pub(crate) fn end(span: &OpenSpan, end: Ticks, outcome: Outcome) {
    let gate = gate::load();
    let local = local();
    if local.pass.get() == gate && local.serial.get() == span.who.serial() {
        // What has no room is counted by the ring.
        let _ = local.producer().end(span.slot, span.record(end, outcome));
    } else {
        owner::end_elsewhere(span, end, outcome);
    }
}

/// Ends `span` and begins one of `event` at the same tick.
#[inline(always)]
pub(crate) fn next(span: Option<OpenSpan>, outcome: Outcome, event: Event) -> Option<OpenSpan> {
    let Some(span) = span else {
        return begin(event);
    };
    let now = clock::now();
    if !try_end_at(&span, now, outcome) {
        end(&span, now, outcome);
    }
    let gate = gate::load();
    if gate == CLOSED {
        return None;
    }
    let local = local();
    if local.may_pass(gate) {
        begin_at(local, event, || now)
    } else {
        None
    }
}

/// Notes something about a trace.
pub(crate) fn annotate(trace: TraceId, key: &str, value: Value<'_>) {
    let gate = gate::load();
    if gate == CLOSED {
        return;
    }
    let value = match value {
        Value::Str(text) => AnnotationValue::Str(text),
        Value::Int(number) => AnnotationValue::Int(number),
        Value::Float(number) => AnnotationValue::Float(number),
    };
    LOCAL.with(|local| {
        if local.may_pass(gate) {
            let _ = local
                .producer()
                .push_annotation(clock::now().0, trace.raw(), key, value);
        }
    });
}

/// Records something about a trace that belongs to no event.
pub(crate) fn record_for_trace(trace: TraceId, tag: u8, value: i64) {
    let gate = gate::load();
    if gate == CLOSED {
        return;
    }
    LOCAL.with(|local| {
        if local.may_pass(gate) {
            let words = Record::new(clock::now().0, value.cast_unsigned(), trace.raw(), 0, tag).0;
            let _ = local.producer().push(words);
        }
    });
}

#[inline(always)]
pub(crate) fn current_trace() -> TraceId {
    if cfg!(feature = "off") {
        return TraceId::NONE;
    }
    TraceId::from_raw(local().trace.get())
}

/// Makes `trace` current and gives back the one that was.
#[inline(always)]
pub(crate) fn swap_trace(trace: TraceId) -> TraceId {
    if cfg!(feature = "off") {
        return TraceId::NONE;
    }
    TraceId::from_raw(local().trace.replace(trace.raw()))
}

/// A number that no thread of this process was given before.
pub(crate) fn next_unique() -> u64 {
    LOCAL.with(|local| {
        if local.next_unique.get() == local.end_unique.get() {
            let (first, end) = trace::unique_block();
            local.next_unique.set(first);
            local.end_unique.set(end);
        }
        let number = local.next_unique.get();
        local.next_unique.set(number.wrapping_add(1));
        number
    })
}

/// What the recorder's own clock shows, if this thread records for one that has its own.
pub(crate) fn fake_ticks() -> Option<Ticks> {
    LOCAL.with(|local| {
        let gate = gate::load();
        if gate != CLOSED {
            // A first reading, before the first record: whose thread is it?
            local.may_pass(gate);
        }
        // SAFETY: null, or a clock inside a handle that the thread's owner keeps until it sets this to null.
        unsafe { local.clock.get().as_ref() }.map(FakeClock::now)
    })
}

/// In the child, within `fork`: nothing of the parent's is touched from here on.
pub(crate) fn forget_parent() {
    LOCAL.with(|local| {
        local.producer().forget();
        local.look_again();
        local.serial.set(0);
        local.clock.set(std::ptr::null());
        local.next_unique.set(local.end_unique.get());
    });
}
