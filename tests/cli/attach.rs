//! `attach` on a real process, and what `report` and `info` say of the snapshots that it writes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Flight, Recorder};
use serde_json::json;

use super::run::{Folder, row, warnings};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

/// Says to [`child_main`] which directory is its own, and what to do.
const DIRECTORY: &str = "PERF_ATTACH_CHILD";
const ROLE: &str = "PERF_ATTACH_ROLE";
/// What a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the child does; nothing in the test process itself.
#[test]
fn child_main() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let builder = Recorder::builder()
        .capture(directory.join("capture.bin"))
        .arena_directory(directory.join("arena"))
        .patience(PATIENCE);
    let builder = match std::env::var(ROLE).expect("a role").as_str() {
        "flight" => builder.flight(
            Flight::last(Duration::from_secs(30))
                .keep_above("work", Duration::from_millis(300))
                .after(Duration::ZERO),
        ),
        _ => builder,
    };
    let recorder = builder.start().expect("the recorder starts");
    std::fs::write(directory.join("ready"), "").expect("a note");
    let begun = Instant::now();
    let mut number = 0;
    while !directory.join("stop").exists() && begun.elapsed() < PATIENCE {
        record_histogram(NUMBER, number);
        number += 1;
        let work = measure!(WORK);
        if directory.join("be slow").exists() {
            std::fs::remove_file(directory.join("be slow")).expect("a note");
            thread::sleep(Duration::from_millis(400));
        }
        drop(work);
        thread::sleep(Duration::from_millis(1));
    }
    recorder.stop().expect("a clean end");
}

struct Process {
    folder: Folder,
    child: Child,
}

impl Process {
    fn start(role: &str) -> Process {
        let folder = Folder::in_memory();
        let child = Command::new(std::env::current_exe().expect("the test's own binary"))
            .args(["--exact", "cli::attach::child_main"])
            .args(["--nocapture", "--test-threads=1"])
            .env(DIRECTORY, folder.path(""))
            .env(ROLE, role)
            .env_remove("PERF_CONTROL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the test binary starts again");
        let process = Process { folder, child };
        process.until("it is ready", || process.folder.path("ready").exists());
        process
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// `attach` with these arguments, in the directory of this process.
    fn args<'a>(&self, pid: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["attach", pid, "--arena-directory", "arena"], more].concat()
    }

    fn json(&self, more: &[&str]) -> serde_json::Value {
        let pid = self.child.id().to_string();
        let answer = self.folder.json(&self.args(&pid, more));
        assert_eq!(answer["schema"], "perf-analyze/attach/1");
        answer["recorders"][0].clone()
    }

    fn text(&self, more: &[&str]) -> String {
        let pid = self.child.id().to_string();
        self.folder.in_columns(100, &self.args(&pid, more))
    }

    fn stop(mut self) -> Folder {
        self.folder.write("stop", b"");
        assert!(self.child.wait().expect("it ends").success());
        self.folder
    }
}

fn shown(path: &Path) -> serde_json::Value {
    json!(path.display().to_string())
}

#[test]
fn a_running_capture_is_asked_switched_and_brought_to_the_disk() {
    let process = Process::start("capture");
    let pid = process.child.id();
    let capture = shown(&process.folder.path("capture.bin"));
    let status = process.json(&[]);
    assert_eq!(
        (&status["pid"], &status["recording"]),
        (&json!(pid), &json!("on"))
    );
    assert_eq!((&status["capture"], &status["lost"]), (&capture, &json!(0)));
    assert_eq!(
        (&status["flight"], &status["snapshot"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(process.json(&["--off"])["recording"], "off");
    assert!(
        process
            .text(&["--status"])
            .contains("off; --on switches it on")
    );
    assert_eq!(process.json(&["--on"])["recording"], "on");
    assert_eq!(process.json(&["--snapshot"])["snapshot"], capture);
    let page = process.text(&["--snapshot"]);
    let told = format!(
        "perf-analyze report {}",
        process.folder.path("capture.bin").display()
    );
    assert!(page.contains(&told), "{page}");
    // What was flushed can be read while it goes on.
    let report = process.folder.json(&["report", "capture.bin"]);
    assert!(row(&report, "number", None)["count"].as_u64() > Some(0));
    assert_eq!(report["captures"][0]["state"], "live");

    let list = process
        .folder
        .in_columns(80, &["attach", "--arena-directory", "arena"]);
    let line = list.lines().nth(1).expect("a row");
    assert!(
        line.contains(&pid.to_string()) && line.contains("capture.bin"),
        "{list}"
    );
    let folder = process.stop();
    let list = folder.json(&["attach", "--arena-directory", "arena"]);
    assert_eq!(list["recorders"], json!([]));
    let report = folder.json(&["report", "capture.bin"]);
    let off = report["warnings"].as_array().into_iter().flatten();
    let off: Vec<_> = off.filter(|it| it["kind"] == "switched_off").collect();
    assert_eq!(off.len(), 1, "{:?}", warnings(&report));
    let message = off[0]["message"].as_str().expect("words");
    assert!(
        message.starts_with("recording was off from about 20")
            && message.contains(" until about 20"),
        "{message}"
    );
    let list = folder.stdout(&["attach", "--arena-directory", "arena"]);
    assert_eq!(list, "No recorder of this user can be asked here.\n");
}

#[test]
fn a_flight_recorder_says_why_it_wrote_what_it_wrote() {
    let process = Process::start("flight");
    let status = process.json(&["--snapshot", "--why", "slow since noon"]);
    assert_eq!(
        status["snapshot"],
        shown(&process.folder.path("capture.00000.bin"))
    );
    let flight = &status["flight"];
    assert_eq!(flight["last_ns"], 30_000_000_000_u64);
    assert_eq!(
        (&flight["snapshots"], &flight["suppressed"]),
        (&json!(1), &json!(0))
    );
    process.folder.write("be slow", b"");
    process.until("the slow span is seen", || {
        process.json(&[])["flight"]["snapshots"] == 2
    });
    let page = process.text(&[]);
    assert!(page.contains("  snapshots  2, the last "), "{page}");
    assert!(page.contains(" of 30.0 s: "), "{page}");
    let folder = process.stop();

    let page = folder.in_columns(100, &["report", "capture.00000.bin"]);
    assert!(
        page.contains("  snapshot  attach: slow since noon, "),
        "{page}"
    );
    let report = folder.json(&["report", "capture.00001.bin"]);
    assert!(row(&report, "work", Some("ok"))["max"].as_u64() >= Some(400_000_000));
    let info = folder.in_columns(100, &["info", "capture.00001.bin"]);
    assert!(info.contains("  snapshot  sla: work took "), "{info}");
    assert!(info.contains(", more than 300 ms, "), "{info}");
    for part in ["capture.00000.bin", "capture.00001.bin"] {
        assert_eq!(folder.run(&["verify", "--strict", part]).code, Some(0));
    }
}

#[test]
fn what_cannot_be_attached_to_is_said_in_one_line() {
    let process = Process::start("capture");
    let folder = &process.folder;
    let run = |pid: &str, more: &[&str]| folder.run(&process.args(pid, more));
    // The test itself has no recorder, nor can a process have this number.
    let own = std::process::id().to_string();
    run(&own, &["--status"]).fails(
        3,
        &format!("process {own} has no recorder with a control socket in arena"),
    );
    run("4294967295", &[]).fails(3, "there is no process 4294967295");
    let nowhere = folder.run(&["attach", "1", "--arena-directory", "nowhere"]);
    assert_eq!(
        (nowhere.code, nowhere.stderr.lines().count()),
        (Some(3), 1),
        "{nowhere:?}"
    );
    for usage in [
        &["attach", "--on"][..],
        &["attach", "1", "--on", "--off"],
        &["attach", "1", "--why", "x"],
        &["attach", "one"],
    ] {
        assert_eq!(folder.run(usage).code, Some(2), "{usage:?}");
    }
    // One that is stopped is there, and says nothing.
    let pid = process.child.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.expect("kill runs").success());
    };
    signal("-STOP");
    let begun = Instant::now();
    let ran = run(&pid, &[]);
    signal("-CONT");
    ran.fails(
        3,
        &format!("the recorder of process {pid} did not answer within 5 s"),
    );
    assert!(begun.elapsed() >= Duration::from_secs(5));
    process.stop();
}
