//! The recorder of the whole process: installed once, turned off and on, shut down, and what comes too late.
//!
//! One test after the other: they share the process's one recorder.

#![cfg(not(feature = "off"))]

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Recording, block_on, poll_once, yield_once};
use perf_probe::{
    AlreadyInstalled, events, install, is_enabled, losses, measure, measured, record_counter,
    set_enabled,
};

events! {
    WORK: span = "WORK";
    DONE: counter = "DONE";
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_thread_records_for_the_installed_recorder() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    assert!(is_enabled());
    std::thread::scope(|threads| {
        for number in 0..8 {
            let builder =
                std::thread::Builder::new().name(format!("worker-with-a-long-name-{number}"));
            let work = || {
                for _ in 0..100 {
                    let _span = measure!(WORK);
                    record_counter(DONE, 1);
                }
            };
            builder
                .spawn_scoped(threads, work)
                .expect("a thread starts");
        }
    });
    assert_eq!(
        (recording.spans().len(), recording.values().len()),
        (800, 800)
    );
    let names: Vec<_> = (0..8)
        .map(|number| format!("worker-with-a-long-name-{number}"))
        .collect();
    assert_eq!(recording.thread_names(), names);
}

#[test]
fn a_second_install_is_refused_until_the_first_is_gone() {
    let _alone = alone();
    let (first, second) = (Recording::new(), Recording::new());
    let installed = install(first.handle().clone()).expect("the first");
    assert!(matches!(
        install(second.handle().clone()),
        Err(AlreadyInstalled)
    ));
    record_counter(DONE, 1);
    drop(installed);
    let _installed = install(second.handle().clone()).expect("the first is gone");
    record_counter(DONE, 2);
    assert_eq!(first.values().len(), 1);
    assert_eq!(second.values().len(), 1);
}

#[test]
fn probes_are_turned_off_and_on() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    record_counter(DONE, 1);
    let open = measure!(WORK);
    let mut waiting = Box::pin(measured(WORK, yield_once()));
    assert!(poll_once(waiting.as_mut()).is_pending());
    set_enabled(false);
    assert!(!is_enabled());
    record_counter(DONE, 2);
    drop(measure!(WORK));
    // What was begun while it was on is recorded, from whatever thread.
    drop(open);
    std::thread::scope(|threads| {
        threads.spawn(|| block_on(waiting));
    });
    set_enabled(true);
    record_counter(DONE, 3);
    let values: Vec<_> = recording.values().iter().map(|value| value.value).collect();
    assert_eq!(values, [1, 3]);
    assert_eq!(recording.spans().len(), 2);
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn a_scope_records_while_the_installed_recorder_is_off() {
    let _alone = alone();
    let (installed, scoped) = (Recording::new(), Recording::new());
    let _installed = install(installed.handle().clone()).expect("the first");
    set_enabled(false);
    perf_probe::scope(scoped.handle(), || {
        record_counter(DONE, 1);
        std::thread::scope(|threads| {
            threads.spawn(|| record_counter(DONE, 2));
        });
    });
    assert_eq!((installed.values().len(), scoped.values().len()), (0, 1));
}

#[test]
fn records_after_shutdown_are_counted() {
    let _alone = alone();
    let recording = Recording::new();
    let installed = install(recording.handle().clone()).expect("the first");
    let open = measure!(WORK);
    record_counter(DONE, 1);
    drop(installed);
    let before = losses().after_shutdown;
    drop(open);
    for _ in 0..10 {
        record_counter(DONE, 1);
    }
    std::thread::scope(|threads| {
        threads.spawn(|| drop(measure!(WORK)));
    });
    assert_eq!(losses().after_shutdown - before, 12);
    assert_eq!((recording.values().len(), recording.spans().len()), (1, 0));
}

/// Records when its thread's local storage is taken down.
struct RecordsLate;

impl Drop for RecordsLate {
    fn drop(&mut self) {
        record_counter(DONE, 1);
        let span = measure!(WORK);
        perf_probe::trace::annotate("late", 1_i64);
        drop(span);
    }
}

thread_local! {
    static BEFORE: RecordsLate = const { RecordsLate };
    static AFTER: RecordsLate = const { RecordsLate };
}

#[test]
fn destructors_of_a_thread_record_or_are_counted() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    let attempted = 5;
    std::thread::scope(|threads| {
        let thread = threads.spawn(|| {
            // Destructors run in the opposite order: this one after the probes' own …
            BEFORE.with(|_| {});
            record_counter(DONE, 1);
            // … and this one before.
            AFTER.with(|_| {});
        });
        // The end of the scope would not wait for the destructors.
        thread.join().expect("it ends");
    });
    let kept = recording.values().len() + recording.spans().len();
    assert_eq!(kept as u64 + recording.lost(), attempted);
    assert!(kept >= 3, "the thread's own record and one destructor's");
    assert!(recording.lost() >= 1, "one destructor is too late");
}

#[test]
fn a_thread_that_records_only_in_a_destructor() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    std::thread::scope(|threads| {
        threads
            .spawn(|| BEFORE.with(|_| {}))
            .join()
            .expect("it ends");
    });
    let kept = recording.values().len() + recording.spans().len();
    assert_eq!(kept as u64 + recording.lost(), 2);
}

#[test]
fn ten_thousand_short_threads() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    let mut kept = 0;
    for _ in 0..1_000 {
        std::thread::scope(|threads| {
            for _ in 0..10 {
                threads.spawn(|| record_counter(DONE, 1));
            }
        });
        kept += recording.take().1.len();
    }
    assert_eq!(kept as u64 + recording.lost(), 10_000);
    assert_eq!(recording.lost(), 0);
}

#[test]
fn threads_without_a_ring_are_counted_and_get_one_later() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    recording.refuse_rings(true);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..10 {
                record_counter(DONE, 1);
            }
            assert_eq!(recording.lost(), 10);
            recording.refuse_rings(false);
            for _ in 0..10_000 {
                record_counter(DONE, 1);
            }
        });
    });
    let kept = recording.values().len() as u64;
    assert!(kept > 0);
    assert_eq!(kept + recording.lost(), 10_010);
}
