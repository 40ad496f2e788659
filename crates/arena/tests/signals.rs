//! A signal handler that records in the midst of a recording of the same thread, after each single instruction of it: what
//! the handler records is kept or counted, and neither its record nor the interrupted one is ever torn.
#![cfg(target_arch = "x86_64")]

mod common;
#[path = "common/step.rs"]
mod step;

use std::cell::Cell;

use common::{Item, SLOTS, config, directory, drain, items, span};
use perf_arena::{
    AnnotationValue, Arena, Config, LossCause, Mode, Owner, Producer, Record, Rejected, create,
    process_loss,
};
use step::stepped;

/// Numbers of the handler's records begin here, those of the interrupted code at 0.
const NESTED: u64 = 1 << 32;
/// What annotations say: more than one slot of it.
const TEXT: &str = "what an annotation says, in more than one slot of a ring";

/// What the handler did.
#[derive(Clone, Copy, Default)]
struct Handled {
    attempts: u64,
    kept: u64,
    sum_of_kept: u64,
    nested: u64,
    full: u64,
    detached: u64,
}

thread_local! {
    static PRODUCER: Producer = const { Producer::detached() };
    static HANDLED: Cell<Handled> = const {
        Cell::new(Handled { attempts: 0, kept: 0, sum_of_kept: 0, nested: 0, full: 0, detached: 0 })
    };
}

/// The handler: a record, a span, or an annotation, in turn.
fn record_nested() {
    let mut handled = HANDLED.get();
    handled.attempts += 1;
    let n = NESTED + handled.attempts;
    let recorded = PRODUCER.with(|producer| match n % 3 {
        0 => producer.push(span(n)),
        1 => {
            let slot = producer.begin(n, n, 1);
            let ended = producer.end(slot, span(n));
            if ended == Err(Rejected::Detached) {
                Producer::abandon(slot);
            }
            ended
        }
        _ => producer.push_annotation(n, n, "key", AnnotationValue::Str(TEXT)),
    });
    match recorded {
        Ok(()) => {
            handled.kept += 1;
            handled.sum_of_kept += n;
        }
        Err(Rejected::Nested) => handled.nested += 1,
        Err(Rejected::Full) => handled.full += 1,
        Err(Rejected::Detached | Rejected::TooLarge) => handled.detached += 1,
    }
    HANDLED.set(handled);
}

/// An arena and this thread's producer, and what the interrupted code has recorded.
struct Interrupted {
    owner: Owner,
    outer: Vec<u64>,
    outer_full: u64,
    got: Vec<Record>,
}

impl Interrupted {
    fn new(config: &Config) -> Self {
        HANDLED.set(Handled::default());
        let owner = create(config).unwrap();
        attach(owner.arena());
        Self {
            owner,
            outer: Vec::new(),
            outer_full: 0,
            got: Vec::new(),
        }
    }

    fn note(&mut self, n: u64, recorded: Result<(), Rejected>) {
        match recorded {
            Ok(()) => self.outer.push(n),
            Err(Rejected::Full) => self.outer_full += 1,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn push(&mut self, n: u64) {
        let pushed = stepped(record_nested, || PRODUCER.with(|it| it.push(span(n))));
        self.note(n, pushed);
    }

    fn drain(&mut self) {
        loop {
            let more = drain(&mut self.owner);
            if more.is_empty() {
                return;
            }
            self.got.extend(more.into_values().flatten());
        }
    }

    /// Compares what was recorded with what the ring gave.
    fn check(mut self) {
        PRODUCER.with(Producer::detach);
        self.drain();
        let handled = HANDLED.get();
        let (mut outer, mut nested) = (Vec::new(), Vec::new());
        let (mut told_full, mut told_nested) = (0, 0);
        for item in items(&self.got) {
            let record = match item {
                Item::Record(record) => {
                    assert_eq!(record, Record(span(record.end_ticks())), "torn");
                    record
                }
                Item::Annotation(record, payload) => {
                    let said = [b"key", TEXT.as_bytes()].concat();
                    assert_eq!(&payload[..said.len()], said, "torn");
                    assert_eq!(record.trace(), record.end_ticks(), "torn");
                    record
                }
                Item::Lost { cause, count, .. } => {
                    if cause == u32::from(LossCause::NestedSignal.code()) {
                        told_nested += count;
                    } else {
                        told_full += count;
                    }
                    continue;
                }
            };
            let of_whom = if record.end_ticks() > NESTED {
                &mut nested
            } else {
                &mut outer
            };
            of_whom.push(record.end_ticks());
        }
        assert_eq!(outer, self.outer);
        assert!(
            nested.is_sorted_by(|one, next| one < next),
            "in order, once"
        );
        assert_eq!(nested.len() as u64, handled.kept);
        assert_eq!(nested.iter().sum::<u64>(), handled.sum_of_kept);
        let lost = |cause| self.owner.lost(cause);
        assert_eq!(lost(LossCause::NestedSignal), handled.nested);
        assert_eq!(lost(LossCause::RingFull), handled.full + self.outer_full);
        // All of it is told in the stream, too.
        assert_eq!(
            (told_nested, told_full),
            (handled.nested, handled.full + self.outer_full)
        );
        assert_eq!(handled.detached, 0);
        assert_eq!(self.owner.open_spans(), []);
        assert!(handled.attempts > 10, "{} instructions", handled.attempts);
        self.owner.close().unwrap();
    }
}

fn attach(arena: Arena) {
    PRODUCER.with(|producer| arena.attach(producer, "interrupted").unwrap());
}

/// Rings that take all that a handler records.
fn roomy(directory: &tempfile::TempDir) -> Config {
    Config {
        ring_bytes: 4 << 20,
        max_ring_bytes: 4 << 20,
        // A new ring gets a 512th of what there is.
        data_bytes: 2 << 30,
        ..config(directory.path())
    }
}

#[test]
fn within_a_push() {
    let directory = directory();
    let mut interrupted = Interrupted::new(&roomy(&directory));
    for n in 0..20 {
        interrupted.push(n);
    }
    let handled = HANDLED.get();
    assert!(handled.kept > 0 && handled.nested > 0);
    interrupted.check();
}

#[test]
fn within_a_span() {
    let directory = directory();
    let mut interrupted = Interrupted::new(&roomy(&directory));
    // Twice round a block of slots.
    for n in 0..130 {
        let ended = stepped(record_nested, || {
            PRODUCER.with(|producer| {
                let slot = producer.begin(n, n, 1);
                assert!(!slot.is_none());
                if n % 2 == 0 || !producer.try_end(slot, span(n)) {
                    producer.end(slot, span(n))
                } else {
                    Ok(())
                }
            })
        });
        interrupted.note(n, ended);
        interrupted.drain();
    }
    interrupted.check();
}

#[test]
fn within_the_search_for_a_slot() {
    let directory = directory();
    let mut interrupted = Interrupted::new(&roomy(&directory));
    let mut open = Vec::new();
    for n in 0..200 {
        let slot = stepped(record_nested, || PRODUCER.with(|it| it.begin(n, n, 1)));
        assert!(!slot.is_none() && !open.contains(&slot));
        open.push(slot);
        interrupted.drain();
    }
    for (n, slot) in (0..).zip(open) {
        interrupted.note(n, PRODUCER.with(|it| it.end(slot, span(n))));
    }
    interrupted.check();
}

#[test]
fn within_an_annotation() {
    let directory = directory();
    let mut interrupted = Interrupted::new(&roomy(&directory));
    for n in 0..3 {
        let annotated = stepped(record_nested, || {
            PRODUCER.with(|it| it.push_annotation(n, n, "key", AnnotationValue::Str(TEXT)))
        });
        interrupted.note(n, annotated);
        interrupted.drain();
    }
    interrupted.check();
}

#[test]
fn within_a_push_that_finds_the_ring_full_or_nearly_so() {
    let directory = directory();
    for free in 0..12 {
        let mut interrupted = Interrupted::new(&config(directory.path()));
        for n in 0..SLOTS - free {
            interrupted.note(n, PRODUCER.with(|it| it.push(span(n))));
        }
        interrupted.push(1000);
        interrupted.push(1001);
        // With room again, the notices of what was lost come before the next record.
        interrupted.drain();
        interrupted.push(1002);
        interrupted.check();
    }
}

#[test]
fn within_the_growth_of_a_ring() {
    let directory = directory();
    let config = Config {
        max_ring_bytes: 1 << 20,
        ..config(directory.path())
    };
    for free in 0..4 {
        let mut interrupted = Interrupted::new(&config);
        for n in 0..SLOTS - free {
            interrupted.note(n, PRODUCER.with(|it| it.push(span(n))));
        }
        for n in 1000..1006 {
            interrupted.push(n);
        }
        assert!(interrupted.owner.lost(LossCause::RingFull) == 0);
        interrupted.check();
    }
}

#[test]
fn within_a_push_of_a_flight_recorder() {
    let directory = directory();
    let config = Config {
        mode: Mode::Overwrite,
        ..roomy(&directory)
    };
    let mut interrupted = Interrupted::new(&config);
    // Up to the boundaries of quarters, where a push reserves the next one.
    for n in 0..32_768 - 3 {
        interrupted.note(n, PRODUCER.with(|it| it.push(span(n))));
    }
    for n in 40_000..40_010 {
        interrupted.push(n);
    }
    interrupted.check();
}

#[test]
fn within_attach_and_detach() {
    let directory = directory();
    let mut owner = create(&roomy(&directory)).unwrap();
    let arena = owner.arena();
    HANDLED.set(Handled::default());
    let before = process_loss(LossCause::NestedSignal);
    stepped(record_nested, || {
        attach(arena);
        PRODUCER.with(Producer::detach);
    });
    let handled = HANDLED.get();
    let mut kept = (0, 0);
    for _ in 0..3 {
        for item in drain(&mut owner)
            .into_values()
            .flat_map(|slots| items(&slots))
        {
            if let Item::Record(record) | Item::Annotation(record, _) = item {
                kept = (kept.0 + 1, kept.1 + record.end_ticks());
            }
        }
    }
    assert_eq!(kept, (handled.kept, handled.sum_of_kept));
    let nested =
        owner.lost(LossCause::NestedSignal) + process_loss(LossCause::NestedSignal) - before;
    assert_eq!(nested, handled.nested);
    assert_eq!(kept.0 + nested + handled.detached, handled.attempts);
    assert_eq!(owner.rings(), [], "the ring was given back");
    assert_eq!(owner.open_spans(), []);
    owner.close().unwrap();
}
