//! Every interleaving, and every reordering that the memory model allows, of the small protocols that the arena is made of.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p perf-arena --release --test loom`
#![cfg(loom)]

use std::cell::RefCell;
use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::thread;
use perf_arena::model::{Model, SpoolTail, spool};
use perf_arena::{LossCause, Producer, Record, Rejected, tag};

/// Runs `body` under loom. `preemptions` bounds how often a thread is interrupted where it could have gone on: without a
/// bound the larger models take hours, and bugs of this kind need few.
fn explore(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(body);
}

fn span(n: u64) -> Record {
    Record::new(n + 100, n + 200, n + 300, n as u32, tag::SPAN_OK)
}

/// Copies what is there, commits, and appends the records to `got`.
fn drain(consumer: &mut perf_arena::Consumer, got: &mut Vec<Record>, recycle: impl FnMut(u32)) {
    let mut out = [Record::default(); 8];
    let batch = consumer.copy_into(&mut out);
    assert_eq!(batch.first_seq, got.len() as u64);
    got.extend(&out[..batch.slots]);
    consumer.commit(recycle);
}

/// Checks a stream against what was pushed: spans in order, and losses that fill the gaps exactly.
fn check(got: &[Record], accepted: &[u64], attempts: u64, pending: u64) {
    let mut seen = Vec::new();
    let mut lost = 0;
    for record in got {
        if record.tag() == tag::LOSS {
            assert_eq!(record.event(), u32::from(LossCause::RingFull.code()));
            lost += record.value();
        } else {
            assert_eq!(*record, span(u64::from(record.event())), "not torn");
            seen.push(u64::from(record.event()));
        }
    }
    assert_eq!(seen, accepted);
    assert_eq!(seen.len() as u64 + lost + pending, attempts);
}

fn push_all(producer: &Producer, count: u64) -> Vec<u64> {
    (0..count)
        .filter(|&n| producer.push(span(n).0).is_ok())
        .collect()
}

#[test]
fn a_ring_hands_over_whole_records_and_counts_the_others() {
    explore(3, || {
        let model = Model::new(1, &[2], 0, false);
        let pushed = thread::spawn(move || push_all(&model.producer(0), 4));
        let mut consumer = model.consumer(0);
        let mut got = Vec::new();
        for _ in 0..2 {
            drain(&mut consumer, &mut got, |_| {});
        }
        let accepted = pushed.join().unwrap();
        drain(&mut consumer, &mut got, |_| {});
        let losses = consumer.losses();
        let pending = losses.first().map_or(0, perf_arena::Loss::pending);
        check(&got, &accepted, 4, pending);
    });
}

#[test]
fn a_ring_moves_to_a_bigger_segment_without_a_gap() {
    explore(3, || {
        let model = Model::new(1, &[1, 2], 0, false);
        model.lay_out_segment(1);
        let pushed = thread::spawn(move || push_all(&model.producer(0), 3));
        let mut consumer = model.consumer(0);
        let mut got = Vec::new();
        let mut recycled = Vec::new();
        for _ in 0..2 {
            drain(&mut consumer, &mut got, |segment| recycled.push(segment));
        }
        let accepted = pushed.join().unwrap();
        drain(&mut consumer, &mut got, |segment| recycled.push(segment));
        let losses = consumer.losses();
        let pending = losses.first().map_or(0, perf_arena::Loss::pending);
        check(&got, &accepted, 3, pending);
        assert!(recycled.is_empty() || recycled == [0]);
    });
}

#[test]
fn a_recycled_segment_can_be_laid_out_at_once() {
    explore(2, || {
        // Segment 0 is done with as soon as the ring has moved; it becomes a spare while the producer still runs.
        let model = Model::new(1, &[1, 2, 4], 0, false);
        model.lay_out_segment(1);
        let pushed = thread::spawn(move || push_all(&model.producer(0), 4));
        let mut consumer = model.consumer(0);
        let mut got = Vec::new();
        drain(&mut consumer, &mut got, |segment| {
            model.lay_out_segment(segment)
        });
        model.lay_out_segment(2);
        drain(&mut consumer, &mut got, |segment| {
            model.lay_out_segment(segment)
        });
        let accepted = pushed.join().unwrap();
        drain(&mut consumer, &mut got, |_| {});
        let losses = consumer.losses();
        let pending = losses.first().map_or(0, perf_arena::Loss::pending);
        check(&got, &accepted, 4, pending);
    });
}

#[test]
fn overwriting_never_shows_a_torn_record() {
    explore(2, || {
        let model = Model::new(1, &[4], 0, true);
        let pushed = thread::spawn(move || push_all(&model.producer(0), 6));
        let mut consumer = model.consumer(0);
        let mut last = None;
        for round in 0..3 {
            if round == 2 {
                break;
            }
            let mut out = [Record::default(); 4];
            let batch = consumer.copy_into(&mut out);
            for (seq, record) in (batch.first_seq..).zip(&out[..batch.slots]) {
                assert_eq!(*record, span(seq), "not torn");
                assert!(last.is_none_or(|last| last < seq));
                last = Some(seq);
            }
            consumer.commit(|_| {});
        }
        assert_eq!(pushed.join().unwrap().len(), 6);
    });
}

#[test]
fn a_published_span_is_not_open_any_more() {
    explore(3, || {
        let model = Model::new(2, &[2, 2], 2, false);
        let beginner = model.producer(0);
        let slot = beginner.begin(7, 8, 9);
        assert!(!slot.is_none());
        // It ends on another thread, into that thread's ring.
        let ended = thread::spawn(move || {
            let words = Record::new(17, 10, 8, 9, tag::SPAN_OK);
            model.producer(1).end(slot, words.0).unwrap();
        });
        let published = model.head(1) > 0;
        let open = model.open_spans(2);
        assert!(open.len() <= 1);
        assert!(!published || open.is_empty());
        for span in open {
            assert_eq!((span.start_ticks, span.trace, span.event), (7, 8, 9));
        }
        ended.join().unwrap();
        assert_eq!(model.open_spans(2), []);
    });
}

#[test]
fn a_slot_cleared_elsewhere_is_used_again_without_a_mix_up() {
    explore(3, || {
        let model = Model::new(2, &[4, 4], 2, false);
        let beginner = model.producer(0);
        let slots = [beginner.begin(1, 11, 21), beginner.begin(2, 12, 22)];
        let ended = thread::spawn(move || {
            let words = Record::new(3, 2, 11, 21, tag::SPAN_OK);
            model.producer(1).end(slots[0], words.0).unwrap();
        });
        // The block has two slots: the third span has one only if the first has ended.
        let third = beginner.begin(3, 13, 23);
        for span in model.open_spans(2) {
            let n = span.start_ticks;
            assert_eq!(
                (span.trace, u64::from(span.event)),
                (n + 10, n + 20),
                "one span's words"
            );
        }
        ended.join().unwrap();
        let open = model.open_spans(2);
        let starts: Vec<_> = open.iter().map(|span| span.start_ticks).collect();
        if third.is_none() {
            assert_eq!(starts, [2]);
        } else {
            assert_eq!(starts, [3, 2]);
        }
    });
}

#[test]
fn a_spare_is_taken_once() {
    explore(3, || {
        let model = Model::new(0, &[1, 1], 0, false);
        model.lay_out_segment(0);
        let take = move || model.take_segment();
        let one = thread::spawn(take);
        let other = thread::spawn(take);
        model.lay_out_segment(1);
        let mut taken: Vec<_> = [one.join().unwrap(), other.join().unwrap()]
            .into_iter()
            .flatten()
            .collect();
        taken.extend(std::iter::from_fn(take));
        taken.sort_unstable();
        assert_eq!(taken, [0, 1]);
    });
}

#[test]
fn a_spooled_frame_is_whole_when_it_is_seen() {
    explore(3, || {
        let (mut head, mut tail) = spool(2);
        let cells: Rc<[UnsafeCell<u64>; 2]> = Rc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let reader_cells = Rc::clone(&cells);
        let take = move |tail: &mut SpoolTail, read: &mut Vec<u64>| {
            let (at, ready) = tail.front();
            for step in 0..ready {
                // SAFETY: published; loom checks that the writer is not there.
                let value = reader_cells[((at + step) % 2) as usize].with(|cell| unsafe { *cell });
                read.push(value);
                tail.release(1);
            }
        };
        let reader = thread::spawn(move || {
            let mut read = Vec::new();
            take(&mut tail, &mut read);
            take(&mut tail, &mut read);
            (take, tail, read)
        });
        let mut written = Vec::new();
        for n in 1..=4 {
            if let Ok(at) = head.claim(1) {
                // SAFETY: claimed; loom checks that the reader is not there.
                cells[(at % 2) as usize].with_mut(|cell| unsafe { *cell = n });
                head.publish(1);
                written.push(n);
            }
        }
        let (take, mut tail, mut read) = reader.join().unwrap();
        take(&mut tail, &mut read);
        assert_eq!(read, written);
    });
}

#[test]
fn a_watcher_sees_whole_open_spans() {
    explore(3, || {
        let model = Model::new(1, &[4], 1, false);
        // The writer is the main thread: loom misses orders in which another thread reads a word that its writer has
        // read itself just before, unless the writer comes first in the order that it begins with.
        let watcher = thread::spawn(move || model.open_spans(1));
        let producer = model.producer(0);
        let slots = [producer.begin(1, 11, 21), producer.begin(2, 12, 22)];
        let words = Record::new(3, 2, 11, 21, tag::SPAN_OK);
        producer.end(slots[0], words.0).unwrap();
        for span in watcher.join().unwrap() {
            let n = span.start_ticks;
            assert_eq!(
                (span.trace, u64::from(span.event)),
                (n + 10, n + 20),
                "one span's words"
            );
        }
    });
}

#[test]
fn a_thread_that_leaves_has_published_everything() {
    explore(3, || {
        let model = Model::new(1, &[4], 0, false);
        let pushed = thread::spawn(move || {
            let producer = model.producer(0);
            let accepted = push_all(&producer, 2);
            producer.detach();
            assert_eq!(producer.push(span(9).0), Err(Rejected::Detached));
            accepted
        });
        let mut consumer = model.consumer(0);
        let got = RefCell::new(Vec::new());
        // The drainer's rule: closing first, then empty, means empty for good.
        let closing = consumer.is_closing();
        drain(&mut consumer, &mut got.borrow_mut(), |_| {});
        if closing {
            assert_eq!(consumer.available(), 0);
            assert_eq!(got.borrow().len(), 2);
        }
        assert_eq!(pushed.join().unwrap(), [0, 1]);
    });
}
