//! Measured futures: cancelled, moved between threads, outliving their recorder.

#![cfg(not(feature = "off"))]

mod common;

use common::{Recording, block_on, poll_once, yield_once};
use perf_probe::{Outcome, TraceId, events, measured, measured_result, scope, trace};

events! {
    WORK: span = "WORK";
    PART: span = "PART";
}

#[test]
fn waiting_counts() {
    let (recording, clock) = Recording::with_clock(100);
    scope(recording.handle(), || {
        let mut work = Box::pin(measured(WORK, async {
            yield_once().await;
            3
        }));
        clock.advance(1_000);
        assert!(poll_once(work.as_mut()).is_pending());
        clock.advance(50);
        assert_eq!(recording.open_spans().len(), 1);
        assert_eq!(block_on(work), 3);
    });
    let spans = recording.spans();
    assert_eq!(
        (spans[0].start, spans[0].end, spans[0].outcome),
        (1_100, 1_150, Outcome::Ok)
    );
}

#[test]
fn a_result_says_how_it_ended() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let _ = block_on(measured_result(WORK, async { Err::<(), _>(1) }));
        let _ = block_on(measured_result(WORK, async { Ok::<_, u8>(1) }));
    });
    assert_eq!(recording.outcomes(), [Outcome::Error, Outcome::Ok]);
}

#[test]
fn a_future_ends_on_whatever_thread() {
    let recording = Recording::new();
    let handle = recording.handle();
    let mut work: Vec<_> = (0..200)
        .map(|_| {
            Box::pin(measured(WORK, async {
                yield_once().await;
                yield_once().await;
            }))
        })
        .collect();
    scope(handle, || {
        let _trace = trace::enter(TraceId::from_raw(5));
        for future in &mut work {
            assert!(poll_once(future.as_mut()).is_pending());
        }
    });
    // One thread in the scope, one that has nothing to do with the recorder: the span knows whose it is.
    std::thread::scope(|threads| {
        let (one, other) = work.split_at_mut(100);
        threads.spawn(|| {
            scope(handle, || {
                for future in one {
                    block_on(future.as_mut());
                }
            });
        });
        threads.spawn(|| {
            for future in other {
                block_on(future.as_mut());
            }
        });
    });
    let spans = recording.spans();
    assert_eq!(spans.len(), 200);
    assert!(
        spans
            .iter()
            .all(|span| span.outcome == Outcome::Ok && span.trace == 5 && span.end >= span.start)
    );
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn a_future_dropped_midway_is_cancelled() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let mut work = Box::pin(measured(WORK, async {
            let _part = measured(PART, std::future::pending::<()>()).await;
        }));
        assert!(poll_once(work.as_mut()).is_pending());
        drop(work);
        drop(measured(WORK, async {}));
    });
    assert_eq!(recording.outcomes(), [Outcome::Cancelled; 2]);
    let names: Vec<_> = recording
        .spans()
        .into_iter()
        .map(|span| span.event)
        .collect();
    assert_eq!(names, ["PART", "WORK"], "the inner span ends first");
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn a_future_dropped_by_another_thread_is_cancelled_there() {
    let recording = Recording::new();
    let handle = recording.handle();
    let mut work = Box::pin(measured(WORK, yield_once()));
    scope(handle, || assert!(poll_once(work.as_mut()).is_pending()));
    std::thread::scope(|threads| {
        threads.spawn(|| scope(handle, || drop(work)));
    });
    assert_eq!(recording.outcomes(), [Outcome::Cancelled]);
}

#[test]
fn a_panic_that_the_executor_catches_is_no_cancellation() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let mut work = Box::pin(measured(WORK, async {
            yield_once().await;
            panic!("as planned");
        }));
        assert!(poll_once(work.as_mut()).is_pending());
        let polled =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll_once(work.as_mut())));
        assert!(polled.is_err());
        drop(work);
    });
    assert_eq!(recording.outcomes(), [Outcome::Panicked]);
}

#[test]
fn a_finished_future_that_is_dropped_later_ended_once() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let mut work = Box::pin(measured(WORK, async {}));
        assert!(poll_once(work.as_mut()).is_ready());
        drop(work);
    });
    assert_eq!(recording.outcomes(), [Outcome::Ok]);
}

#[test]
fn a_future_may_outlive_its_recorder() {
    let before = perf_probe::losses().after_shutdown;
    let recording = Recording::new();
    let mut work = Box::pin(measured(WORK, yield_once()));
    scope(recording.handle(), || {
        assert!(poll_once(work.as_mut()).is_pending())
    });
    recording.handle().close();
    drop(recording);
    block_on(work);
    assert!(perf_probe::losses().after_shutdown > before);
}

#[test]
fn an_end_on_a_thread_without_a_ring_is_lost_once() {
    let recording = Recording::new();
    let mut work = Box::pin(measured(WORK, yield_once()));
    scope(recording.handle(), || {
        assert!(poll_once(work.as_mut()).is_pending())
    });
    recording.refuse_rings(true);
    let before = perf_probe::losses();
    std::thread::scope(|threads| {
        threads.spawn(|| block_on(work));
    });
    assert_eq!(recording.outcomes(), []);
    assert_eq!(recording.lost(), 1);
    assert_eq!(perf_probe::losses().nested, before.nested);
}

#[test]
fn an_unmeasured_beginning_stays_unmeasured() {
    let recording = Recording::new();
    let mut work = Box::pin(measured(WORK, yield_once()));
    assert!(poll_once(work.as_mut()).is_pending());
    scope(recording.handle(), || block_on(work));
    // Nobody recorded when it began, and a span that begins in the middle would lie.
    assert_eq!(recording.outcomes(), []);
}
