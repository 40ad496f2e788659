//! Control from outside, through real sockets: what can be asked, by whom, and what nobody can do to a recorder.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, record_histogram};
use perf_recorder::control::{self, ControlError, MAX_REQUEST_BYTES, Remote, SLOWEST_CLIENT};
use perf_recorder::{Builder, Flight, Recorder};

events! {
    NUMBER: observation("") = "number";
}

/// What a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn builder(dir: &Path, name: &str) -> Builder {
    Recorder::builder()
        .capture(dir.join(name))
        .arena_directory(dir.join("arena"))
        .patience(PATIENCE)
        .control(true)
}

fn start(dir: &Path) -> Recorder {
    builder(dir, "capture.bin")
        .scoped()
        .start()
        .expect("the recorder starts")
}

fn numbers(recorder: &Recorder, range: std::ops::Range<u64>) {
    recorder.scope(|| range.for_each(|number| record_histogram(NUMBER, number)));
}

fn sockets(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("arena")).expect("the arenas");
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("control-"))
        })
        .collect()
}

fn remotes(dir: &Path, pid: u32) -> Result<Vec<Remote>, ControlError> {
    control::of_process(Some(&dir.join("arena")), pid)
}

fn remote(dir: &Path) -> Remote {
    let mut all = remotes(dir, std::process::id()).expect("a recorder");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the children do, by role.
#[test]
fn child_main() {
    let Some(role) = child::role() else {
        return;
    };
    let dir = PathBuf::from(std::env::var("DIR").expect("a directory"));
    let flight = builder(&dir, "flight.bin").flight(Flight::last(PATIENCE));
    let recorder = match role.as_str() {
        "flight" => flight.start(),
        // The defaults: nobody asks for control, and only the environment refuses it.
        "refused" => Recorder::builder()
            .capture(dir.join("capture.bin"))
            .arena_directory(dir.join("arena"))
            .start(),
        _ => builder(&dir, "capture.bin").start(),
    };
    let recorder = recorder.expect("the recorder starts");
    record_histogram(NUMBER, 0);
    if role == "parent" {
        // SAFETY: the child only sleeps, and is killed.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            loop {
                thread::sleep(PATIENCE);
            }
        }
        std::fs::write(dir.join("forked"), forked.to_string()).expect("a note");
        child::die();
    }
    std::fs::write(dir.join("ready"), "").expect("a note");
    let begun = Instant::now();
    let mut number = 1;
    while !dir.join("stop").exists() && begun.elapsed() < PATIENCE {
        record_histogram(NUMBER, number);
        number += 1;
        thread::sleep(Duration::from_millis(1));
    }
    recorder.stop().expect("a clean end");
}

struct Process {
    dir: tempfile::TempDir,
    child: std::process::Child,
}

impl Process {
    fn start(role: &str, envs: &[(&str, String)]) -> Self {
        let dir = child::memory_dir();
        let mut envs = envs.to_vec();
        envs.push(("DIR", dir.path().display().to_string()));
        let child = child::spawn("child_main", role, &envs);
        until("the child is ready", || dir.path().join("ready").exists());
        Self { dir, child }
    }

    fn stop(mut self) -> tempfile::TempDir {
        std::fs::write(self.dir.path().join("stop"), "").expect("a note");
        assert!(self.child.wait().expect("it ends").success());
        self.dir
    }
}

#[test]
fn it_says_what_it_does_and_writes_when_asked() {
    let dir = child::memory_dir();
    let recorder = start(dir.path());
    numbers(&recorder, 0..1_000);
    recorder.flush().expect("a flush");
    let remote = remote(dir.path());
    let status = remote.status().expect("an answer");
    assert_eq!((status.records, status.lost, status.threads), (1_000, 0, 1));
    assert_eq!(status.capture.as_deref(), recorder.capture_path());
    assert_eq!((status.is_on, status.flight), (None, None));
    assert!(!status.program.is_empty());
    let error = remote.switch(false).expect_err("it has no switch");
    assert!(matches!(error, ControlError::Refused { .. }), "{error}");

    numbers(&recorder, 1_000..1_001);
    let status = remote.snapshot("now").expect("a snapshot");
    assert_eq!(status.snapshot.as_deref(), recorder.capture_path());
    let path = status.snapshot.expect("a path");
    assert_eq!(Capture::open(&path).values("number").len(), 1_001);
    recorder.stop().expect("a clean end");
    assert_eq!(sockets(dir.path()), Vec::<PathBuf>::new());
    let error = remote.status().expect_err("gone");
    assert!(matches!(error, ControlError::NoRecorder { .. }), "{error}");
}

#[test]
fn several_recorders_of_a_process_are_told_apart() {
    let dir = child::memory_dir();
    let recorders = ["a.bin", "b.bin"].map(|name| {
        let recorder = builder(dir.path(), name).scoped().start();
        recorder.expect("the recorder starts")
    });
    let remotes = remotes(dir.path(), std::process::id()).expect("recorders");
    let mut captures: Vec<_> = remotes
        .iter()
        .map(|remote| remote.status().expect("an answer").capture.expect("a path"))
        .collect();
    captures.sort();
    assert_eq!(
        captures,
        ["a.bin", "b.bin"].map(|name| dir.path().join(name))
    );
    let listed = control::list(Some(&dir.path().join("arena"))).expect("a list");
    assert_eq!(listed.len(), 2);
    recorders
        .into_iter()
        .for_each(|recorder| drop(recorder.stop()));
    assert!(
        control::list(Some(&dir.path().join("arena")))
            .expect("a list")
            .is_empty()
    );
}

#[test]
fn a_process_is_switched_off_and_on_and_its_capture_says_so() {
    let process = Process::start("plain", &[]);
    let dir = process.dir.path();
    let mut found = remotes(dir, process.child.id()).expect("a recorder");
    let remote = found.remove(0);
    assert_eq!(remote.status().expect("an answer").is_on, Some(true));
    assert_eq!(remote.switch(false).expect("an answer").is_on, Some(false));
    // Again: that changes nothing, and is not noted.
    assert_eq!(remote.switch(false).expect("an answer").is_on, Some(false));
    let before = remote.snapshot("").expect("a flush").records;
    thread::sleep(Duration::from_millis(50));
    let still = remote.snapshot("").expect("a flush").records;
    assert!(still <= before + 1, "{before} {still}");
    assert_eq!(remote.switch(true).expect("an answer").is_on, Some(true));
    until("it records again", || {
        remote.snapshot("").expect("a flush").records > still + 1
    });
    let dir = process.stop();
    let capture = Capture::open(&dir.path().join("capture.bin"));
    let notes = capture.index.notes.warnings.iter();
    let notes: Vec<_> = notes
        .filter(|warning| warning.code == WarningCode::SWITCHED)
        .collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    let by = format!("by process {}", std::process::id());
    assert!(
        notes[0].message.contains("off") && notes[0].message.contains(&by),
        "{notes:?}"
    );
    assert!(
        notes[1].message.contains("on again") && notes[1].message.contains(&by),
        "{notes:?}"
    );
    assert!(notes[0].ticks < notes[1].ticks);
}

#[test]
fn a_flight_recorder_writes_a_part_when_asked() {
    let process = Process::start("flight", &[]);
    let remote = remotes(process.dir.path(), process.child.id())
        .expect("one")
        .remove(0);
    let status = remote.snapshot("from outside").expect("a snapshot");
    let part = status.snapshot.expect("a path");
    assert_eq!(part, process.dir.path().join("flight.00000.bin"));
    let flight = status.flight.expect("a flight recorder");
    assert_eq!((flight.last, flight.snapshots), (PATIENCE, 1));
    assert_eq!(flight.last_snapshot.as_ref(), Some(&part));
    let header = Capture::open(&part).index.header.expect("a header");
    let trigger = header
        .labels
        .iter()
        .find(|label| label.key == "perf.trigger");
    assert_eq!(
        trigger.map(|label| label.value.as_str()),
        Some("attach from outside")
    );
    process.stop();
}

#[test]
fn the_environment_refuses_control() {
    let process = Process::start("refused", &[("PERF_CONTROL", "0".to_owned())]);
    let error = remotes(process.dir.path(), process.child.id()).expect_err("no socket");
    assert!(matches!(error, ControlError::NoRecorder { .. }), "{error}");
    process.stop();
    let process = Process::start("refused", &[]);
    assert_eq!(
        remotes(process.dir.path(), process.child.id())
            .expect("one")
            .len(),
        1
    );
    process.stop();
}

#[test]
fn sockets_of_the_dead_are_not_taken_for_recorders_and_go() {
    let mut process = Process::start("plain", &[]);
    process.child.kill().expect("a kill");
    process.child.wait().expect("it ends");
    let dir = process.dir.path();
    assert_eq!(sockets(dir).len(), 1);
    assert!(
        control::list(Some(&dir.join("arena")))
            .expect("a list")
            .is_empty()
    );
    let error = remotes(dir, process.child.id()).expect_err("dead");
    assert!(matches!(error, ControlError::NoProcess { .. }), "{error}");
    let recorder = builder(dir, "next.bin").scoped().start().expect("a start");
    assert_eq!(sockets(dir).len(), 1, "the new one's");
    recorder.stop().expect("a clean end");
    let error = remotes(dir, std::process::id()).expect_err("no recorder");
    assert!(matches!(error, ControlError::NoRecorder { .. }), "{error}");
    let error = remotes(dir, 1).expect_err("not ours, or without a recorder");
    let expected = matches!(
        error,
        ControlError::OtherUser { .. } | ControlError::NoRecorder { .. }
    );
    assert!(expected, "{error}");
}

#[test]
fn the_child_of_a_fork_does_not_keep_its_parents_socket() {
    let dir = child::memory_dir();
    let envs = [("DIR", dir.path().display().to_string())];
    let mut parent = child::spawn("child_main", "parent", &envs);
    parent.wait().expect("it dies");
    let forked = std::fs::read_to_string(dir.path().join("forked")).expect("a note");
    let forked: libc::pid_t = forked.parse().expect("a process id");
    let sockets = sockets(dir.path());
    let refused = UnixStream::connect(&sockets[0]);
    // SAFETY: no precondition; the process is ours.
    unsafe { libc::kill(forked, libc::SIGKILL) };
    let refused = refused.expect_err("nobody is there");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn no_bytes_and_no_silence_keep_a_recorder_from_answering_or_ending() {
    let dir = child::memory_dir();
    let recorder = start(dir.path());
    let socket = sockets(dir.path()).remove(0);
    let mut random = 1_u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        random >> 33
    };
    for round in 0..300 {
        let mut stream = UnixStream::connect(&socket).expect("a connection");
        let length = next() % (2 * MAX_REQUEST_BYTES as u64);
        let bytes: Vec<u8> = (0..length)
            .map(|_| match round % 3 {
                0 => next() as u8,
                1 => b"snapshot onf\\\0 \n"[next() as usize % 16],
                _ => b'a',
            })
            .collect();
        // It may hang up before it has read everything.
        let _ = stream.write_all(&bytes);
        if round % 2 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(
                answer.starts_with(b"perf-control 1 "),
                "{:?}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    // One that says nothing delays others, but not for ever.
    let silent = UnixStream::connect(&socket).expect("a connection");
    let begun = Instant::now();
    let status = remote(dir.path()).status().expect("an answer");
    assert_eq!(status.records, 0);
    assert!(begun.elapsed() < SLOWEST_CLIENT + PATIENCE);
    drop(silent);
    // And none keeps it from ending.
    let silent = UnixStream::connect(&socket).expect("a connection");
    recorder.stop().expect("a clean end");
    drop(silent);
}

#[test]
fn without_a_place_for_the_socket_it_records_all_the_same_and_says_so() {
    let dir = child::memory_dir();
    // A name that no address of a socket has room for.
    let deep = child::private_dir(dir.path(), &"d".repeat(120));
    let recorder = Recorder::builder()
        .capture(dir.path().join("capture.bin"))
        .arena_directory(&deep)
        .control(true)
        .scoped()
        .start()
        .expect("the recorder starts");
    numbers(&recorder, 0..10);
    recorder.stop().expect("a clean end");
    let capture = Capture::open(&dir.path().join("capture.bin"));
    assert_eq!(capture.values("number").len(), 10);
    let told = capture.index.notes.warnings.iter();
    let told: Vec<_> = told
        .filter(|warning| warning.code == WarningCode::CONTROL)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
}
