//! SIGKILL while a recorder samples: what the capture should keep is there once, and the histograms tell of every record.

mod common;

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::{Capture, child};
use perf_format::{Columns, EventsChunk, Tag, trace_hash};
use perf_probe::{TraceId, events, record_histogram, trace};
use perf_recorder::{Handoff, Recorder, Sampling, salvage};

events! {
    NUMBER: observation("") = "number";
}

const THREADS: u64 = 2;
const ONE_IN: u32 = 20;

/// The trace of a number.
fn trace_of(number: u64) -> u64 {
    number + 1
}

/// The child: records numbers, each in a trace of its own, acknowledges each, and dies.
#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let acknowledged = Acknowledged::open(directory, THREADS);
    let mut builder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .spool_bytes(1 << 20)
        .sampling(Sampling::new().rate(1.0 / f64::from(ONE_IN)));
    if std::env::var_os("KILL_AT").is_some() {
        builder = builder.on_handoff(die_at);
    }
    let recorder = builder.start().expect("the recorder starts");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let acknowledged = acknowledged.of(thread);
            scope.spawn(move || {
                for number in 0_u64.. {
                    let value = thread << 48 | number;
                    let _trace = trace::enter(TraceId::from_raw(trace_of(value)));
                    record_histogram(NUMBER, value);
                    acknowledged.store(number + 1, Ordering::Release);
                    if number % 64 == 0 {
                        thread::sleep(Duration::from_micros(50));
                    }
                }
            });
        }
        loop {
            // Cuts chunks, so that all hand-offs take place all the time.
            recorder.flush().expect("flushed");
            thread::sleep(Duration::from_micros(700));
        }
    });
}

/// Kills the process when it reaches the hand-off `KILL_AT` for the `KILL_AFTER`th time.
fn die_at(handoff: Handoff) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let wanted = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let place = Handoff::ALL.iter().position(|each| *each == handoff);
    if place == wanted("KILL_AT") {
        let seen = SEEN.fetch_add(1, Ordering::Relaxed);
        if Some(seen as usize) == wanted("KILL_AFTER") {
            child::die();
        }
    }
}

/// Lets a child die, saves what it left, and compares. Returns how many numbers the chunks have.
fn kill_and_compare(envs: &[(&str, String)], kill_after: Option<Duration>) -> u64 {
    let directory = child::memory_dir();
    let path = directory.path();
    child::private_dir(path, "arena");
    let acknowledged = Acknowledged::open(path, THREADS);
    let mut running = child::spawn("child_main", &path.display().to_string(), envs);
    if let Some(after) = kill_after {
        while acknowledged.of(0).load(Ordering::Acquire) == 0 {
            assert!(
                running.try_wait().expect("a child").is_none(),
                "the child ended by itself"
            );
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(after);
        running.kill().expect("killed");
    }
    let status = running.wait().expect("a child");
    assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}");

    let dead =
        salvage::salvage_dead(Some(&path.join("arena")), None).expect("the arenas are listed");
    let [dead] = dead.as_slice() else {
        panic!("one arena: {dead:?}")
    };
    let saved = dead.saved.as_ref().expect("saved");
    let (remainder, saved) = saved.as_ref().expect("there is something");
    assert_eq!(saved.damage, [] as [String; 0]);
    let captures = [Capture::open(&path.join("x.bin")), Capture::open(remainder)];
    check(&captures, &acknowledged)
}

fn check(captures: &[Capture], acknowledged: &Acknowledged) -> u64 {
    let lost: u64 = captures.iter().map(|capture| capture.lost).sum();
    // By number, the weight and whether it stands for itself only.
    let mut seen: HashMap<u64, (u32, bool)> = HashMap::new();
    for capture in captures {
        capture.assert_each_slot_once();
        for (value, weight, is_lone) in numbers(capture) {
            let twice = seen.insert(value, (weight, is_lone));
            assert_eq!(twice, None, "{value} was found twice");
        }
    }
    let limit = (1_u128 << 64) / u128::from(ONE_IN);
    let is_kept = |value| u128::from(trace_hash(perf_format::TraceId(trace_of(value)))) < limit;
    for (value, (weight, is_lone)) in &seen {
        let whole = (*weight, *is_lone) == (ONE_IN, false);
        assert!(
            (whole && is_kept(*value)) || (*weight, *is_lone) == (1, true),
            "{value}: weight {weight}, lone {is_lone}"
        );
    }
    let mut attempted = 0;
    let mut missing = 0;
    for thread in 0..THREADS {
        let count = acknowledged.of(thread).load(Ordering::Acquire);
        attempted += count;
        let of_thread = (0..count).map(|number| thread << 48 | number);
        missing += of_thread
            .filter(|value| is_kept(*value) && !seen.contains_key(value))
            .count() as u64;
    }
    assert!(missing <= lost, "{missing} are missing, {lost} lost");

    let counted: u64 = captures
        .iter()
        .flat_map(Capture::rollups)
        .flat_map(|rollup| rollup.series.into_iter())
        .filter(|(key, _)| key.tag == Tag::OBSERVATION)
        .map(|(_, aggregate)| aggregate.count())
        .sum();
    // Of each thread one more may be recorded and not acknowledged.
    assert!(
        (attempted..=attempted + THREADS).contains(&(counted + lost)),
        "{attempted} were recorded, the histograms have {counted}, {lost} were lost"
    );
    seen.len() as u64
}

/// The numbers in the chunks, each with its weight, and whether it is lone.
fn numbers(capture: &Capture) -> Vec<(u64, u32, bool)> {
    let mut found = Vec::new();
    let mut columns = Columns::default();
    for entry in capture.index.event_chunks() {
        let bytes = capture.index.chunk_bytes(&capture.bytes, entry);
        let chunk = EventsChunk::parse(bytes, entry.offset).expect("a chunk");
        columns.decode(&chunk).expect("its columns");
        for (at, row) in columns.rows().enumerate() {
            if row.tag == Tag::OBSERVATION {
                let weight = columns.weights.get(at).copied().unwrap_or(1);
                let is_lone = columns.lone.get(at).copied().unwrap_or(false);
                found.push((row.value, weight, is_lone));
            }
        }
    }
    found
}

#[test]
fn at_random_moments() {
    let mut seed = 0x51_7cc1_b727_u64;
    let mut kept = 0;
    for _ in 0..child::repeats(60) {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        kept += kill_and_compare(&[], Some(Duration::from_micros((seed >> 33) % 40_000)));
    }
    println!("{kept} records were compared");
    assert!(kept > 0);
}

#[test]
fn at_every_handoff() {
    for (place, handoff) in Handoff::ALL.iter().enumerate() {
        for after in [0, 1, 2, 5, 11, 30].iter().cycle().take(child::repeats(12)) {
            let envs = [
                ("KILL_AT", place.to_string()),
                ("KILL_AFTER", after.to_string()),
            ];
            println!("{handoff:?} for the {after}th time");
            kill_and_compare(&envs, None);
        }
    }
}
