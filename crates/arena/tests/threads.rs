//! Many threads: rings and blocks are reused, nothing is lost, memory stays bounded.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use common::{SLOTS, attached, config, directory, drain, drain_one, items, owner, span};
use perf_arena::{Arena, Config, LossCause, OpenSpan, Producer, Record, SpanSlot, create, tag};

#[test]
fn ten_thousand_short_threads_leave_all_their_records_in_little_memory() {
    const THREADS: u64 = 10_000;
    const RECORDS: u64 = 20;
    let directory = directory();
    let mut owner = create(&Config {
        ring_bytes: 64 << 10,
        max_ring_bytes: 64 << 10,
        ..config(directory.path())
    })
    .unwrap();
    let arena = owner.arena();
    let done = AtomicBool::new(false);
    let (drained, lost, memory) = thread::scope(|scope| {
        let drainer = scope.spawn(|| {
            let mut sum = 0;
            let mut count = 0;
            loop {
                let last = done.load(Ordering::Acquire);
                let rings = drain(&mut owner);
                for record in rings.values().flatten() {
                    assert_eq!(*record, Record(span(record.end_ticks())));
                    sum += record.end_ticks();
                    count += 1;
                }
                if last && rings.is_empty() {
                    return (
                        (count, sum),
                        owner.lost(LossCause::RingFull),
                        owner.memory(),
                    );
                }
            }
        });
        thread::scope(|threads| {
            for lane in 0..4 {
                threads.spawn(move || {
                    for n in 0..THREADS / 4 {
                        let id = lane * (THREADS / 4) + n;
                        thread::spawn(move || short_life(arena, id * RECORDS, RECORDS))
                            .join()
                            .unwrap();
                    }
                });
            }
        });
        done.store(true, Ordering::Release);
        drainer.join().unwrap()
    });
    let total = THREADS * RECORDS;
    assert_eq!(drained, (total, total * (total - 1) / 2));
    assert_eq!(lost, 0);
    assert!(memory.rings < 1000, "{memory:?}");
    assert!(memory.segment_bytes <= 16 << 20, "{memory:?}");
    assert_eq!(memory.anonymous_bytes, 0, "{memory:?}");
}

fn short_life(arena: Arena, from: u64, count: u64) {
    let producer = Producer::detached();
    arena.attach(&producer, "short").unwrap();
    for n in from..from + count {
        let slot = producer.begin(n + 1, n, 1);
        assert!(!slot.is_none());
        producer.end(slot, span(n)).unwrap();
    }
    producer.detach();
}

#[test]
fn ring_ids_are_never_used_twice() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let mut seen = Vec::new();
    for round in 0..50 {
        let producer = attached(&owner);
        producer.push(span(round)).unwrap();
        producer.detach();
        let rings = drain(&mut owner);
        let (ring, slots) = rings.into_iter().next().unwrap();
        assert!(!seen.contains(&ring));
        assert_eq!(slots, [Record(span(round))]);
        seen.push(ring);
    }
    assert_eq!(owner.memory().rings, 1);
    assert_eq!(owner.take_new_threads().len(), 50);
}

#[test]
fn a_thread_that_leaves_with_a_full_ring_still_has_its_loss_told() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    for n in 0..SLOTS + 25 {
        let _ = producer.push(span(n));
    }
    producer.detach();
    let first = drain_one(&mut owner);
    assert_eq!(first.len() as u64, SLOTS);
    // The drainer wrote the notice in the thread's stead; then the ring is freed.
    let second = items(&drain_one(&mut owner));
    let lost = common::Item::Lost {
        cause: u32::from(LossCause::RingFull.code()),
        count: 25,
        from: SLOTS,
        to: SLOTS + 24,
    };
    assert_eq!(second, [lost]);
    assert_eq!(drain_one(&mut owner), []);
    assert_eq!(owner.rings(), []);
    assert_eq!(owner.lost(LossCause::RingFull), 25);
}

#[test]
fn a_span_ends_on_another_thread_after_its_own_is_gone() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let (sender, receiver) = mpsc::channel::<SpanSlot>();
    let arena = owner.arena();
    thread::spawn(move || {
        let producer = Producer::detached();
        arena.attach(&producer, "beginner").unwrap();
        for n in 0..70 {
            sender.send(producer.begin(n + 1, n, 3)).unwrap();
        }
        producer.detach();
    })
    .join()
    .unwrap();
    owner.drain(usize::MAX);
    owner.maintain();
    assert_eq!(owner.rings(), [], "the ring is free, its blocks are not");
    let open = owner.open_spans();
    assert_eq!(open.len(), 70);
    let expected = OpenSpan {
        start_ticks: 1,
        trace: 0,
        event: 3,
        thread: owner.take_new_threads()[0].thread,
    };
    assert!(open.contains(&expected));

    let ender = attached(&owner);
    for slot in receiver {
        ender.end(slot, span(0)).unwrap();
    }
    assert_eq!(owner.open_spans(), []);
    let blocks = owner.memory().blocks;
    owner.maintain();
    // What was freed serves the next threads.
    let more: Vec<_> = (0..2).map(|_| attached(&owner)).collect();
    assert_eq!(owner.memory().blocks, blocks);
    drop(more);
}

#[test]
fn a_thread_with_many_open_spans_gets_more_blocks_and_then_counts() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    let mut slots = Vec::new();
    let mut untracked = 0;
    for n in 0..5000 {
        let slot = producer.begin(n + 1, n, 1);
        if slot.is_none() {
            untracked += 1;
        } else {
            assert!(!slots.contains(&slot));
            slots.push(slot);
        }
        if n % 50 == 0 {
            owner.maintain();
        }
    }
    assert_eq!(slots.len(), 64 * 64);
    assert_eq!(owner.lost(LossCause::Untracked), untracked);
    assert_eq!(owner.open_spans().len(), slots.len());
    for &slot in &slots {
        Producer::abandon(slot);
    }
    assert_eq!(owner.open_spans(), []);
    // Tracking resumes although it had been given up for a while.
    let resumed = (0..10).any(|n| !producer.begin(n + 1, 0, 1).is_none());
    assert!(resumed);
    // Untracked spans are no gap in the stream.
    producer.push(span(1)).unwrap();
    assert_eq!(drain_one(&mut owner), [Record(span(1))]);
}

#[test]
fn a_thousand_threads_at_once_find_room_in_a_small_arena() {
    let directory = directory();
    let mut owner = create(&Config {
        directory: Some(directory.path().to_owned()),
        data_bytes: 20 << 20,
        spool_bytes: 1 << 20,
        ..Config::default()
    })
    .unwrap();
    let arena = owner.arena();
    let begun = AtomicU64::new(0);
    let rings = thread::scope(|scope| {
        for _ in 0..1000 {
            scope.spawn(|| {
                let producer = Producer::detached();
                arena.attach(&producer, "one of many").unwrap();
                let n = begun.fetch_add(1, Ordering::SeqCst);
                producer.push(span(n)).unwrap();
                while begun.load(Ordering::SeqCst) < 1000 {
                    thread::yield_now();
                }
                producer.detach();
            });
        }
        let mut records = 0;
        while records < 1000 {
            records += drain(&mut owner).values().map(Vec::len).sum::<usize>();
        }
        owner.memory().rings
    });
    assert_eq!(rings, 1000);
    let memory = owner.memory();
    assert!(memory.segment_bytes <= 20 << 20, "{memory:?}");
    assert!(memory.anonymous_bytes <= 2 << 20, "{memory:?}");
}

#[test]
fn two_arenas_of_one_process_do_not_mix() {
    let directory = directory();
    let mut one = owner(directory.path());
    let mut other = owner(directory.path());
    assert_ne!(one.arena(), other.arena());
    let (to_one, to_other) = (attached(&one), attached(&other));
    for n in 0..100 {
        to_one.push(span(n)).unwrap();
        to_other.push(span(n + 1000)).unwrap();
    }
    assert!(
        drain_one(&mut one)
            .iter()
            .all(|record| record.end_ticks() < 100)
    );
    assert!(
        drain_one(&mut other)
            .iter()
            .all(|record| record.end_ticks() >= 1000)
    );
    one.close().unwrap();
    // The first is closed; its producer finds out, the second goes on.
    let _ = to_one.push(span(1));
    to_other.push(span(5)).unwrap();
    assert_eq!(drain_one(&mut other).len(), 1);
    // A thread may change from one to the other.
    other.arena().attach(&to_one, "changed").unwrap();
    to_one.push(span(6)).unwrap();
    assert_eq!(drain_one(&mut other), [Record(span(6))]);
}

#[test]
fn recording_after_the_arena_was_closed_is_refused_and_harmless() {
    let directory = directory();
    let owner = owner(directory.path());
    let arena = owner.arena();
    let producer = attached(&owner);
    let open = producer.begin(1, 2, 3);
    owner.close().unwrap();
    assert!(!arena.is_open());
    // Up to a ring's worth of records still goes to nowhere; then the closed ring is noticed.
    let last = (0..2 * SLOTS).map(|n| producer.push(span(n))).last();
    assert_eq!(last, Some(Err(perf_arena::Rejected::Detached)));
    assert!(producer.end(open, span(1)).is_err());
    Producer::abandon(open);
    producer.detach();
    assert!(arena.attach(&producer, "late").is_err());
    assert_eq!(arena.losses(), []);
    let before = perf_arena::process_loss(LossCause::AfterShutdown);
    arena.count_loss(LossCause::AfterShutdown, 2, 1);
    assert_eq!(
        perf_arena::process_loss(LossCause::AfterShutdown),
        before + 2
    );
    assert!(arena.add_event(1, 1, "NAME", "ns").is_err());
}

#[test]
fn threads_record_while_the_arena_is_closed_under_them() {
    let directory = directory();
    for _ in 0..20 {
        let mut owner = owner(directory.path());
        let arena = owner.arena();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let producer = Producer::detached();
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        n += 1;
                        let slot = producer.begin(n, n, 1);
                        if producer
                            .end(slot, Record::new(n, 1, n, 1, tag::SPAN_OK).0)
                            .is_err()
                        {
                            Producer::abandon(slot);
                            let _ = arena.attach(&producer, "restless");
                        }
                        if n % 1000 == 0 {
                            producer.detach();
                        }
                    }
                });
            }
            for _ in 0..20 {
                drain(&mut owner);
            }
            owner.close().unwrap();
            thread::sleep(std::time::Duration::from_millis(2));
            stop.store(true, Ordering::Relaxed);
        });
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
