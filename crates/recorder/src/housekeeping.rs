//! What a capture needs besides its events: tables, anchors, notes, and the end.

use std::time::Duration;

use perf_arena::EventEntry;
use perf_format::{
    Anchor, CloseReason, EventDescriptor, EventId, EventKind, LossEntry, Notes, OpenSpan, RingId,
    SegmentId, Tables, ThreadDescriptor, ThreadId, TraceId, WarningCode,
};
use perf_probe::clock;

use crate::drainer::{Drainer, Moment};
use crate::loss;
use crate::outlet::Outlet;

/// Descriptors of one piece; they are at most some 5 KB each.
const DESCRIPTORS_A_PIECE: usize = 32;
/// Open spans of one piece, at some 40 bytes each.
const OPEN_SPANS_A_PIECE: usize = 2_048;

impl Drainer {
    /// Anchors and notes that are due.
    pub(crate) fn housekeeping(&mut self, now: Moment) {
        if self.schedule.take(now.since_start) {
            self.anchor();
        }
        if self.books.is_due(now.since_start) {
            self.notes(now);
        }
    }

    /// Describes the events and threads that are new, before the first chunk that speaks of them.
    pub(crate) fn queue_tables(&mut self) {
        let threads = self.owner.take_new_threads();
        self.meet_events();
        let events = std::mem::take(&mut self.new_events);
        let threads: Vec<_> = threads
            .into_iter()
            .map(|thread| {
                self.processors.meet(thread.thread, thread.os_thread);
                let thread = ThreadDescriptor {
                    id: ThreadId(thread.thread),
                    os_tid: thread.os_thread.into(),
                    name: thread.name,
                };
                self.threads.insert(thread.id.0, thread.clone());
                thread
            })
            .collect();
        if let Some(sampler) = &mut self.sampler {
            for event in &events {
                sampler.meet(event.id, &event.name);
            }
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.meet_threads(&threads);
        }
        if let Some(rotation) = &mut self.rotation {
            rotation.events.extend(events.iter().cloned());
        }
        self.queue_descriptors(&threads, &events);
    }

    pub(crate) fn queue_descriptors(
        &mut self,
        threads: &[ThreadDescriptor],
        events: &[EventDescriptor],
    ) {
        for threads in threads.chunks(DESCRIPTORS_A_PIECE) {
            self.queue_table(Tables {
                threads: threads.to_vec(),
                ..Tables::default()
            });
        }
        for events in events.chunks(DESCRIPTORS_A_PIECE) {
            self.queue_table(Tables {
                events: events.to_vec(),
                ..Tables::default()
            });
        }
    }

    /// Takes in the events that are new.
    pub(crate) fn meet_events(&mut self) {
        let events = self.owner.take_new_events();
        if events.is_empty() {
            return;
        }
        let events: Vec<_> = events.into_iter().map(event_descriptor).collect();
        if let Some(keeper) = &mut self.keeper {
            keeper.meet_events(&events);
        }
        self.new_events.extend(events);
    }

    fn queue_table(&mut self, tables: Tables) {
        let mut bytes = self.buffer();
        self.stream.tables(&tables, &mut bytes);
        self.queue(bytes);
    }

    /// The first anchor, read before anything could be recorded: it says of the first records that nothing before them is
    /// missing.
    pub(crate) fn begin(&mut self, first: &Anchor) {
        self.queue_anchor(first);
        if let Some(keeper) = &mut self.keeper {
            keeper.anchored(Duration::ZERO, first);
        }
    }

    /// Compares the clocks, and begins a new segment if they no longer agree. Returns what they show.
    pub(crate) fn anchor(&mut self) -> Anchor {
        let read = (self.read_anchor)();
        let ticks = read.ticks;
        let before = self.segments.current();
        let (anchor, broken) = self.segments.place(read);
        if let Some(broken) = broken {
            // What was recorded so far is the old segment's.
            self.cut();
            let mut bytes = self.buffer();
            let segment = self.stream.begin_segment(&mut bytes);
            debug_assert_eq!(segment, SegmentId(before.0 + 1));
            self.queue(bytes);
            self.warnings.add(WarningCode::CLOCK, ticks, broken.message);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.anchored(self.start.elapsed(), &anchor);
        }
        self.queue_anchor(&anchor);
        self.recheck_clock(ticks);
        anchor
    }

    pub(crate) fn queue_anchor(&mut self, anchor: &Anchor) {
        let mut bytes = self.buffer();
        self.stream
            .anchors(std::slice::from_ref(anchor), &mut bytes);
        self.queue(bytes);
    }

    fn recheck_clock(&mut self, ticks: u64) {
        if self.clock_distrusted {
            return;
        }
        let now = clock::recheck();
        if now != *clock::status() {
            self.clock_distrusted = true;
            let message = format!("the clock would no longer be chosen: {}", now.reason);
            self.warnings.add(WarningCode::CLOCK, ticks, message);
        }
    }

    /// Closes the interval's books and writes them down, with what came up meanwhile.
    pub(crate) fn notes(&mut self, now: Moment) {
        let ticks = clock::now().0;
        let totals = self.totals(ticks);
        let cost = self.books.close(now.since_start, totals);
        for warning in self.owner.take_warnings() {
            self.warnings.add_of_arena(&warning, ticks);
        }
        let (troubles, dropped) = self.progress.take_troubles();
        for trouble in &troubles {
            self.warnings.add_of_storage(trouble, ticks);
        }
        if dropped > 0 {
            let message = format!("{dropped} more troubles with the file were not noted");
            self.warnings.add(WarningCode::WRITE_FAILED, ticks, message);
        }
        let reversed = std::mem::take(&mut self.reversed);
        if reversed > 0 {
            self.warnings.add_reversed(reversed, ticks);
        }
        let losses = self.losses_without_ring();
        let notes = Notes {
            self_costs: vec![cost],
            warnings: self.warnings.take_fresh(),
            losses,
            ..Notes::default()
        };
        self.queue_notes(&notes);
        self.forget_ended_threads(now);
    }

    pub(crate) fn queue_notes(&mut self, notes: &Notes) {
        let mut bytes = self.buffer();
        self.stream.notes(notes, &mut bytes);
        self.queue(bytes);
    }

    /// What threads without a ring have lost since the last call.
    fn losses_without_ring(&mut self) -> Vec<LossEntry> {
        let mut entries = Vec::new();
        for loss in self.owner.arena().losses() {
            let cause = loss::cause_of(loss.cause);
            let count = loss.total - self.told_without_ring.by(cause).min(loss.total);
            if count > 0 && loss.cause.is_loss() {
                self.told_without_ring.add(cause, count);
                self.lost.add(cause, count);
                let (ring, thread) = (RingId(0), ThreadId(0));
                let (from_ticks, to_ticks) = (loss.from_ticks, loss.to_ticks);
                entries.push(LossEntry {
                    ring,
                    thread,
                    cause,
                    count,
                    from_ticks,
                    to_ticks,
                });
            }
        }
        entries
    }

    fn forget_ended_threads(&mut self, now: Moment) {
        let living = self.owner.rings();
        if let Some(keeper) = &mut self.keeper {
            let living = living.iter().map(|ring| ring.thread).collect();
            keeper.forget_threads(now.since_start, &living);
        }
        if self.threads.len() > living.len() {
            self.threads
                .retain(|thread, _| living.iter().any(|ring| ring.thread == *thread));
            let threads = &self.threads;
            self.processors
                .retain(|thread| threads.contains_key(&thread));
        }
    }

    /// One step towards the end: drains what is left, then writes what only the end can tell. True when the sink has it
    /// all; until then to be called again.
    pub(crate) fn finish_at(&mut self, now: Moment, outlet: &mut dyn Outlet) -> bool {
        if !self.is_closed {
            let round = self.drain_at(now, outlet);
            // Rings of threads that are gone get a last record after the round: what they lost.
            let is_left = self.owner.rings().iter().any(|ring| ring.used_slots > 0);
            if round.is_blocked || round.has_more || is_left {
                return false;
            }
            self.is_closed = true;
            self.queue_end(now);
        }
        self.offer(outlet)
    }

    fn queue_end(&mut self, now: Moment) {
        self.anchor();
        self.cut();
        // Of threads and events that recorded nothing: an open span may be all that there is of them.
        self.queue_tables();
        let open: Vec<OpenSpan> = self.owner.open_spans().into_iter().map(open_span).collect();
        for spans in open.chunks(OPEN_SPANS_A_PIECE) {
            let mut bytes = self.buffer();
            self.stream.open_spans(spans, &mut bytes);
            self.queue(bytes);
        }
        self.open_spans = open.len() as u64;
        self.tell_untracked();
        self.tell_deleted();
        self.notes(now);
        let losses = self.losses_untold();
        self.queue_notes(&Notes {
            losses,
            ..Notes::default()
        });
        self.queue_end_of_part(now, self.lost_in_part(), CloseReason::STOPPED);
    }

    /// Losses of living rings after which nothing was recorded any more.
    fn losses_untold(&mut self) -> Vec<LossEntry> {
        let mut entries = Vec::new();
        for ring in self.owner.rings() {
            for loss in &ring.losses {
                let pending = loss::pending_entry(ring.ring, ring.thread, loss);
                let Some(mut entry) = pending else { continue };
                // The record that tells of it may be drained already, and its thread not yet have noted that it told.
                let told = self.lost.by(entry.cause);
                let untold = self.owner.lost(loss.cause).saturating_sub(told);
                entry.count = entry.count.min(untold);
                if entry.count > 0 {
                    self.lost.add(entry.cause, entry.count);
                    entries.push(entry);
                }
            }
        }
        entries
    }

    fn tell_untracked(&mut self) {
        let untracked = self.owner.lost(perf_arena::LossCause::Untracked);
        if untracked > 0 {
            let message = format!(
                "{untracked} spans found no slot: had the process died, it would not be known that they were open"
            );
            self.warnings
                .add(WarningCode::UNTRACKED_SPANS, clock::now().0, message);
        }
    }
}

/// An event of the arena's name table, as the file has it.
pub(crate) fn event_descriptor(entry: EventEntry) -> EventDescriptor {
    // The arena keeps the probe's codes, which begin at 0; the file's begin at 1.
    let kind = EventKind(entry.kind.saturating_add(1));
    EventDescriptor {
        id: EventId(entry.id),
        kind,
        name: entry.name,
        unit: entry.unit,
    }
}

/// An open span of the arena, as the file has it.
pub(crate) fn open_span(span: perf_arena::OpenSpan) -> OpenSpan {
    OpenSpan {
        thread: ThreadId(span.thread),
        event: EventId(span.event),
        start_ticks: span.start_ticks,
        trace: TraceId(span.trace),
    }
}
