//! A child that is killed while it records, at random moments and at every hand-off, and what was saved of it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use perf_recorder::{Builder, Handoff, Recorder, salvage};

use super::acknowledged::Acknowledged;
use super::{Capture, child, series};

/// What is left of a child.
pub(crate) struct Killed {
    /// Its file or its parts, and what was saved out of its arena.
    pub(crate) captures: Vec<Capture>,
    pub(crate) acknowledged: Acknowledged,
}

/// Starts the child's recorder in `directory`, which may be the end of it: see [`at_every_handoff`].
pub(crate) fn recorder(builder: Builder, directory: &Path) -> Recorder {
    let mut builder = builder
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .spool_bytes(1 << 20);
    if std::env::var_os("KILL_AT").is_some() {
        builder = builder.on_handoff(die_at);
    }
    builder.start().expect("the recorder starts")
}

/// All hand-offs, by their numbers in `KILL_AT`.
fn handoffs() -> impl Iterator<Item = Handoff> {
    let of_parts = Handoff::OF_PARTS.into_iter().chain(Handoff::OF_COMPRESSED);
    Handoff::ALL.into_iter().chain(of_parts)
}

/// Kills the process when it reaches the hand-off `KILL_AT` for the `KILL_AFTER`th time.
fn die_at(handoff: Handoff) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let wanted = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let place = handoffs().position(|each| each == handoff);
    if place == wanted("KILL_AT") {
        let seen = SEEN.fetch_add(1, Ordering::Relaxed);
        if Some(seen as usize) == wanted("KILL_AFTER") {
            child::die();
        }
    }
}

/// Cuts chunks, so that all hand-offs take place all the time, until the process is killed.
pub(crate) fn flush_forever(recorder: &Recorder) -> ! {
    loop {
        recorder.flush().expect("flushed");
        thread::sleep(Duration::from_micros(700));
    }
}

/// Lets a child die, whose main function is the test `child_main`, and gives what was saved to `check`.
fn kill(
    threads: u64,
    envs: &[(&str, String)],
    kill_after: Option<Duration>,
    check: &mut impl FnMut(Killed),
) {
    let directory = child::memory_dir();
    let path = directory.path();
    child::private_dir(path, "arena");
    let acknowledged = Acknowledged::open(path, threads);
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
    assert_eq!(child::bytes_in(&path.join("arena")), 0, "the arena is gone");
    let mut captures: Vec<_> = match series::parts_of(path, "x").as_slice() {
        [] => vec![Capture::open(&path.join("x.bin"))],
        parts => parts.iter().map(|part| series::open(part)).collect(),
    };
    captures.push(Capture::open(remainder));
    check(Killed {
        captures,
        acknowledged,
    });
}

/// Kills children of so many threads within their first 40 ms.
pub(crate) fn at_random_moments(
    threads: u64,
    times: usize,
    mut seed: u64,
    mut check: impl FnMut(Killed),
) {
    for _ in 0..child::repeats(times) {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let after = Duration::from_micros((seed >> 33) % 40_000);
        kill(threads, &[], Some(after), &mut check);
    }
}

/// Kills so many children at each hand-off of a capture of one part.
pub(crate) fn at_every_handoff(threads: u64, times: usize, check: impl FnMut(Killed)) {
    at_each(&Handoff::ALL, &[], threads, times, check);
}

/// Kills so many children, with these variables, at each of these hand-offs.
pub(crate) fn at_each(
    wanted: &[Handoff],
    more: &[(&str, String)],
    threads: u64,
    times: usize,
    mut check: impl FnMut(Killed),
) {
    for (place, handoff) in handoffs().enumerate() {
        if !wanted.contains(&handoff) {
            continue;
        }
        let counts = [0, 1, 2, 5, 11, 30].iter().cycle();
        for after in counts.take(child::repeats(times)) {
            let mut envs = vec![
                ("KILL_AT", place.to_string()),
                ("KILL_AFTER", after.to_string()),
            ];
            envs.extend_from_slice(more);
            println!("{handoff:?} for the {after}th time");
            kill(threads, &envs, None, &mut check);
        }
    }
}
