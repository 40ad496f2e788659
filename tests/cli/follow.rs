//! A report that is written again while its capture grows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::captures::Capture;
use super::run::{Folder, warnings};

/// What a loaded machine may need.
const DEADLINE: Duration = Duration::from_secs(60);

/// A folder with the first half of a capture, and the second half.
fn begun() -> (Folder, Vec<u8>) {
    let whole = Capture::default().bytes();
    let (first, second) = whole.split_at(whole.len() / 2);
    (Folder::with("growing.bin", first), second.to_vec())
}

fn follow(folder: &Folder) -> Child {
    let args = [
        "report",
        "growing.bin",
        "--follow=50ms",
        "--format",
        "json",
        "--traces",
        "never",
    ];
    let mut command = folder.command(&args);
    command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

fn growing(folder: &Folder) -> File {
    let file = OpenOptions::new()
        .append(true)
        .open(folder.path("growing.bin"));
    file.expect("the capture is there")
}

fn ended(mut child: Child) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            return status.code();
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().expect("it can be ended");
    panic!("it goes on");
}

#[test]
fn each_answer_has_what_came_since_and_the_last_has_all() {
    let (folder, rest) = begun();
    let mut child = follow(&folder);
    let stdout = child.stdout.take().expect("it is piped");
    let mut answers = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>();
    let mut next = || answers.next().map(|answer| answer.expect("it is JSON"));
    let records = |answer: &Value| answer["captures"][0]["records"].as_u64().expect("a number");

    let first = next().expect("a first answer");
    assert!(warnings(&first).contains(&"not_closed"));
    growing(&folder)
        .write_all(&rest)
        .expect("it can be written");
    let mut last = first.clone();
    while let Some(answer) = next() {
        assert!(records(&answer) >= records(&last));
        last = answer;
    }
    assert_eq!(ended(child), Some(0));
    assert!(records(&last) > records(&first));
    assert_eq!(last["captures"][0]["state"], "closed");
    assert_eq!(
        last,
        folder.json(&["report", "growing.bin", "--traces", "never"])
    );
}

#[test]
fn a_reader_that_has_gone_ends_it() {
    let (folder, _) = begun();
    let mut child = follow(&folder);
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 100]).expect("an answer");
    drop(stdout);
    let mut file = growing(&folder);
    // As long as it grows, nothing else ends it.
    let started = Instant::now();
    while child.try_wait().expect("a child can be asked").is_none() {
        assert!(started.elapsed() < DEADLINE, "it goes on");
        file.write_all(&[0]).expect("it can be written");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(ended(child), Some(0));
}

#[test]
fn what_has_ended_is_told_once() {
    let folder = Folder::trading();
    let once = folder.stdout(&["report", "trading.bin"]);
    assert_eq!(folder.stdout(&["report", "trading.bin", "--follow"]), once);
    let ran = folder.run(&["report", "missing.bin", "--follow"]);
    ran.fails(3, "missing.bin: no such file; check the path");
}
