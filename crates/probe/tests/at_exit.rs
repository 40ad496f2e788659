//! Records while the process exits: a child of its own, since it does.

#![cfg(not(feature = "off"))]

mod common;

use std::process::Command;

use common::Recording;
use perf_probe::{events, install, measure, record_counter};

events! {
    WORK: span = "WORK";
    DONE: counter = "DONE";
}

const ROLE: &str = "PERF_PROBE_TEST_ROLE";

extern "C" fn record_at_exit() {
    for _ in 0..3 {
        let _span = measure!(WORK);
        record_counter(DONE, 1);
    }
    let _trace = perf_probe::trace::enter(perf_probe::TraceId::unique());
    perf_probe::trace::annotate("at", "exit");
    perf_probe::scope(common::kept().handle(), || record_counter(DONE, 1));
}

#[test]
fn at_exit_nothing_panics() {
    for role in ["installed", "shut down", "never recorded", "other thread"] {
        let status = Command::new(std::env::current_exe().expect("the test knows itself"))
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .output()
            .expect("a child starts");
        let said = String::from_utf8_lossy(&status.stderr);
        assert_eq!(status.status.code(), Some(7), "{role}: {said}");
        assert!(!said.contains("panicked"), "{role}: {said}");
    }
}

/// The child's part; without a role it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let recording: &Recording = common::kept();
    let installed = install(recording.handle().clone()).expect("the first");
    // SAFETY: the function lives as long as the process and does not unwind.
    unsafe { libc::atexit(record_at_exit) };
    match role.as_str() {
        "installed" => record_counter(DONE, 1),
        "shut down" => {
            record_counter(DONE, 1);
            drop(installed);
            std::process::exit(7);
        }
        "other thread" => {
            std::thread::spawn(|| record_counter(DONE, 1))
                .join()
                .expect("it ends");
        }
        _ => {}
    }
    std::mem::forget(installed);
    std::process::exit(7);
}
