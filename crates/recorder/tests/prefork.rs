//! A pre-fork server: a master forks workers that each serve, one of them dies, another one takes its place. Real sockets,
//! real processes; every request that was answered is in exactly one of the captures, if the workers follow.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{Capture, child};
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{ForkPolicy, Recorder};

events! {
    NUMBER: observation("") = "number";
    REQUEST: span = "request";
    MASTER: span = "master";
}

const WORKERS: usize = 4;
const CLIENTS: u64 = 4;
/// Requests that end a worker, well or badly.
const QUIT: u64 = u64::MAX;
const DIE: u64 = u64::MAX - 1;

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    let policy = match role.as_str() {
        "follow" => ForkPolicy::Follow,
        "off" => ForkPolicy::Off,
        other => panic!("no such role: {other}"),
    };
    let recorder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .fork_policy(policy)
        .start()
        .expect("the recorder starts");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let master = measure!(MASTER);
    let mut recorder = Some(recorder);
    for _ in 0..WORKERS {
        fork_worker(&listener, &mut recorder);
    }
    std::fs::write(directory.join("port.new"), port.to_string()).expect("told");
    std::fs::rename(directory.join("port.new"), directory.join("port")).expect("told");
    let mut quit = 0;
    while quit < WORKERS {
        let mut status = 0;
        // SAFETY: `status` is valid for writing.
        assert!(unsafe { libc::waitpid(-1, &raw mut status, 0) } > 0);
        if status == 0 {
            quit += 1;
        } else {
            assert_eq!(libc::WTERMSIG(status), libc::SIGKILL, "{status}");
            fork_worker(&listener, &mut recorder);
        }
    }
    drop(master);
    let recorder = recorder.expect("the master's own");
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (1, 0));
}

/// Forks a worker, which serves until it is told to quit.
fn fork_worker(listener: &TcpListener, recorder: &mut Option<Recorder>) {
    // SAFETY: the child calls functions that need other threads' locks (it allocates): glibc makes that work.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        serve(listener);
        // Ends the worker's own recorder, too.
        drop(recorder.take());
        // SAFETY: no precondition. The test's harness must not go on in the child.
        unsafe { libc::_exit(0) };
    }
}

fn serve(listener: &TcpListener) {
    loop {
        let (mut client, _) = listener.accept().expect("a client");
        let mut bytes = [0; 8];
        client.read_exact(&mut bytes).expect("a request");
        match u64::from_le_bytes(bytes) {
            QUIT => return,
            DIE => child::die(),
            number => {
                let _span = measure!(REQUEST);
                record_histogram(NUMBER, number);
            }
        }
        client.write_all(&[1]).expect("an answer");
    }
}

/// Whether it was answered.
fn request(port: u16, number: u64) -> bool {
    let mut server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    server
        .write_all(&number.to_le_bytes())
        .expect("a request goes out");
    server.read_exact(&mut [0]).is_ok()
}

fn requests(port: u16, numbers: std::ops::Range<u64>) {
    let length = (numbers.end - numbers.start) / CLIENTS;
    thread::scope(|threads| {
        for client in 0..CLIENTS {
            let first = numbers.start + client * length;
            threads.spawn(move || {
                for number in first..first + length {
                    assert!(request(port, number), "request {number}");
                }
            });
        }
    });
}

/// Serves requests 0 to 600, with a death after 400; gives the directory with all captures.
fn run(role: &str) -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    let path = directory.path().display().to_string();
    let mut master = child::spawn("child_main", role, &[("DIRECTORY", path)]);
    let port = directory.path().join("port");
    while !port.exists() {
        assert!(master.try_wait().expect("a child").is_none(), "it ended");
        thread::sleep(Duration::from_millis(2));
    }
    let port = std::fs::read_to_string(port).expect("a port");
    let port = port.parse().expect("a port");
    requests(port, 0..400);
    assert!(!request(port, DIE), "the dead do not answer");
    requests(port, 400..600);
    for _ in 0..WORKERS {
        request(port, QUIT);
    }
    let status = master.wait().expect("a child");
    assert!(status.success(), "{role}: {status}");
    directory
}

#[test]
fn workers_that_follow_have_captures_of_their_own() {
    let directory = run("follow");
    // Saved by the worker that came after; or, if no request was left for that one, by us.
    perf_recorder::salvage::salvage_dead(Some(&directory.path().join("arena")), None)
        .expect("the arenas are listed");
    let mut numbers = Vec::new();
    let mut spans = 0;
    for path in child::captures_in(directory.path()) {
        let capture = Capture::open(&path);
        let of_capture = capture.values("number");
        if path.ends_with("x.bin") {
            assert_eq!(of_capture, [], "the master serves nobody");
            assert_eq!(capture.values("master").len(), 1);
            assert!(capture.index.closed_cleanly());
        } else {
            assert_eq!(capture.values("master").len(), 0);
        }
        spans += capture.values("request").len();
        numbers.extend(of_capture);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..600).collect::<Vec<u64>>());
    assert_eq!(spans, 600);
    assert_eq!(
        child::arenas_in(&directory.path().join("arena")).len(),
        0,
        "nothing stays in shared memory"
    );
}

#[test]
fn workers_that_do_not_follow_serve_as_well_and_record_nothing() {
    let directory = run("off");
    let captures = child::captures_in(directory.path());
    let [master] = captures.as_slice() else {
        panic!("one capture: {captures:?}")
    };
    let capture = Capture::open(master);
    assert_eq!(capture.values("number"), []);
    assert!(capture.index.closed_cleanly());
}
