//! Where threads run: what chunks say of it, against threads that may run on one processor only.

mod common;

use std::collections::HashMap;
use std::thread;

use common::Capture;
use perf_format::EventsChunk;
use perf_probe::{events, record_histogram};
use perf_recorder::Recorder;

events! {
    NUMBER: observation("") = "number";
}

/// The processors that this process may use.
fn allowed() -> Vec<usize> {
    // SAFETY: all zeros is a value of the set, and the calls only write into and read from it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&set);
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut set), 0);
        let possible = 0..libc::CPU_SETSIZE as usize;
        possible.filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect()
    }
}

/// Keeps the calling thread on this processor.
fn stay_on(cpu: usize) {
    // SAFETY: as above.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        let size = std::mem::size_of_val(&set);
        assert_eq!(libc::sched_setaffinity(0, size, &raw const set), 0);
    }
}

#[test]
fn chunks_say_where_their_threads_ran() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder().capture(&path).scoped();
    let recorder = recorder.start().expect("the recorder starts");
    let allowed = allowed();
    let places = [allowed[0], allowed[allowed.len() - 1]];
    for cpu in places {
        let recorder = &recorder;
        let work = move || {
            stay_on(cpu);
            recorder.scope(|| record_histogram(NUMBER, cpu as u64));
            // While it lives.
            recorder.flush().expect("flushed");
        };
        thread::scope(|scope| {
            let named = thread::Builder::new().name(format!("on {cpu}) R 1"));
            let thread = named.spawn_scoped(scope, work).expect("a thread");
            thread.join().expect("it ends");
        });
    }
    recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);
    let mut seen = HashMap::new();
    for entry in capture.index.event_chunks() {
        let bytes = capture.index.chunk_bytes(&capture.bytes, entry);
        let chunk = EventsChunk::parse(bytes, entry.offset).expect("a chunk");
        let mut cpus = Vec::new();
        chunk.cpus(&mut cpus).expect("a column");
        for (range, cpu) in chunk.ranges().iter().zip(cpus) {
            seen.insert(range.thread, cpu);
        }
    }
    let recorded = capture
        .rows
        .iter()
        .map(|(thread, row)| (*thread, row.value));
    let told: Vec<_> = recorded
        .map(|(thread, cpu)| (seen.get(&thread).copied().flatten(), cpu))
        .collect();
    let expected = places.map(|cpu| (Some(cpu as u32), cpu as u64));
    assert_eq!(told, expected);
}
