//! A real `fork`: the child neither writes the parent's rings nor waits for its threads.

#![cfg(not(feature = "off"))]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use common::{Recording, RecordingBackend};
use perf_probe::{
    AfterFork, Backend, Descriptor, Handle, LossCause, Producer, ThreadInfo, Ticks, TraceId,
    events, install, measure, record_counter,
};

events! {
    WORK: span = "WORK";
    DONE: counter = "DONE";
    CHILDS_OWN: counter = "CHILDS_OWN";
}

/// Runs `work` in a forked child and gives its exit code: 0 if all was well. Signals and hangs are failures.
fn in_child(work: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child runs `work` and leaves by `_exit`, without the test harness's own end.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // A child that waits for a lock for ever is ended by the alarm.
        // SAFETY: plain system calls.
        unsafe { libc::alarm(10) };
        let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        1_000 + libc::WTERMSIG(status)
    }
}

fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_child_leaves_the_parents_rings_alone() {
    let _alone = alone();
    let recording = Recording::new();
    let mut installed = Some(install(recording.handle().clone()).expect("the first"));
    record_counter(DONE, 1);
    let mut open = Some(measure!(WORK));
    let code = in_child(|| {
        for _ in 0..1_000 {
            record_counter(DONE, 100);
            drop(measure!(WORK));
            record_counter(CHILDS_OWN, 1);
        }
        // The parent's guards, dropped here: its slot and its ring stay as they are.
        drop(open.take());
        drop(installed.take());
        std::thread::spawn(|| record_counter(DONE, 100))
            .join()
            .is_ok()
            && !perf_probe::is_enabled()
    });
    assert_eq!(code, 0);
    record_counter(DONE, 1);
    let values: Vec<_> = recording.values().iter().map(|value| value.value).collect();
    assert_eq!(values, [1, 1]);
    assert_eq!(
        recording.open_spans().len(),
        1,
        "the child ended the parent's span"
    );
    assert!(!recording.names().contains(&"CHILDS_OWN".to_owned()));
    assert_eq!(recording.lost(), 0);
}

#[test]
fn a_child_may_install_a_recorder_of_its_own() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    record_counter(DONE, 1);
    let code = in_child(|| {
        let own = Recording::new();
        let _own = install(own.handle().clone()).expect("the parent's does not count");
        record_counter(DONE, 5);
        drop(measure!(WORK));
        own.values().len() == 1 && own.spans().len() == 1 && own.lost() == 0
    });
    assert_eq!(code, 0);
    assert_eq!(recording.values().len(), 1);
}

#[test]
fn ids_of_parent_and_child_differ() {
    let _alone = alone();
    let mine = TraceId::unique();
    let pipe = {
        let mut ends = [0; 2];
        // SAFETY: `ends` is valid for two descriptors.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        ends
    };
    let code = in_child(|| {
        let theirs = TraceId::unique().raw().to_ne_bytes();
        // SAFETY: the pointer and the length are those of `theirs`.
        unsafe { libc::write(pipe[1], theirs.as_ptr().cast(), 8) == 8 }
    });
    assert_eq!(code, 0);
    let mut theirs = [0; 8];
    // SAFETY: the pointer and the length are those of `theirs`.
    let read = unsafe { libc::read(pipe[0], theirs.as_mut_ptr().cast(), 8) };
    assert_eq!(read, 8);
    let theirs = u64::from_ne_bytes(theirs);
    assert!(theirs != mine.raw() && theirs != TraceId::unique().raw());
}

/// A recorder whose children get one of their own.
struct Followed {
    here: Arc<RecordingBackend>,
    followed: AtomicU32,
}

impl Backend for Followed {
    fn attach(&self, thread: &ThreadInfo, producer: &Producer) -> bool {
        self.here.attach(thread, producer)
    }

    fn describe(&self, event: &Descriptor) -> bool {
        self.here.describe(event)
    }

    fn lost(&self, cause: LossCause, count: u64, at: Ticks) {
        self.here.lost(cause, count, at);
    }

    fn after_fork(&self) -> AfterFork {
        AfterFork::Follow
    }

    fn follow(&self) -> Option<Handle> {
        assert_eq!(
            self.followed.fetch_add(1, Ordering::Relaxed),
            0,
            "once a child"
        );
        Some(common::kept().handle().clone())
    }
}

#[test]
fn a_child_that_follows_records_for_itself() {
    let _alone = alone();
    let recording = Recording::new();
    let backend = Followed {
        here: recording.backend(),
        followed: AtomicU32::new(0),
    };
    let _installed = install(Handle::new(backend)).expect("the first");
    record_counter(DONE, 1);
    let code = in_child(|| {
        record_counter(DONE, 2);
        record_counter(DONE, 3);
        std::thread::spawn(|| record_counter(DONE, 4))
            .join()
            .expect("it ends");
        common::kept().values().len() == 3
    });
    assert_eq!(code, 0);
    assert_eq!(recording.values().len(), 1);
}

/// Threads that intern events and attach, while the process forks: a child must never find the locks taken.
#[test]
fn forks_in_a_storm_of_first_records_do_not_hang() {
    let _alone = alone();
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for number in 0..2 {
            let stop = &stop;
            threads.spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    let name = format!("STORM-{number}-{}", round % 20_000);
                    let event = perf_probe::Event::register(&name, perf_probe::Kind::Counter, "");
                    std::thread::scope(|inner| {
                        inner.spawn(|| record_counter(event.expect("there is room"), 1));
                    });
                    round += 1;
                }
            });
        }
        for round in 0..100 {
            let code = in_child(|| {
                let name = format!("CHILD-{round}");
                let event = perf_probe::Event::register(&name, perf_probe::Kind::Counter, "");
                record_counter(event.expect("there is room"), 1);
                true
            });
            assert_eq!(code, 0);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

const ROLE: &str = "PERF_PROBE_FORK_ROLE";

/// A process's first look at the clock and at the fork hooks happens once, so each attempt has a process of its own.
#[test]
fn forks_in_the_midst_of_the_very_first_calls_do_not_hang() {
    for _ in 0..20 {
        let output =
            std::process::Command::new(std::env::current_exe().expect("the test knows itself"))
                .args(["--exact", "first_calls", "--nocapture"])
                .env(ROLE, "first calls")
                .output()
                .expect("a child starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The part of these processes: one thread makes the first calls while another forks.
#[test]
fn first_calls() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let begun = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            begun.store(true, Ordering::Release);
            perf_probe::clock::status();
            TraceId::unique();
        });
        while !begun.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        for _ in 0..5 {
            let code = in_child(|| {
                let status = perf_probe::clock::status();
                // The hooks are in place, whoever put them there, and once more for a child of the child.
                let unlike = TraceId::unique();
                let again = in_child(|| TraceId::unique() != unlike);
                again == 0 && *status == perf_probe::clock::recheck()
            });
            assert_eq!(code, 0);
        }
    });
}
