//! Where answers go: files, pipes, and what must not be overwritten.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Stdio;

use super::run::Folder;

fn trading() -> Folder {
    Folder::trading()
}

#[test]
fn a_file_appears_whole_and_alone() {
    let folder = trading();
    let page = folder.stdout(&["report", "trading.bin"]);
    assert_eq!(
        folder.stdout(&["report", "trading.bin", "-o", "report.txt"]),
        ""
    );
    assert_eq!(folder.read("report.txt"), page);
    assert_eq!(folder.names(), ["report.txt", "trading.bin"]);
    // Anybody may read it whom the user's mask does not keep out.
    let mode = std::fs::metadata(folder.path("report.txt"))
        .expect("the file is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o600, 0o600);
    assert_ne!(
        mode & 0o777,
        0o600,
        "the mask of the tests lets others read"
    );

    // An older report is replaced; a link to it stays a link.
    std::os::unix::fs::symlink("report.txt", folder.path("latest.txt"))
        .expect("a link can be made");
    folder.stdout(&[
        "report",
        "trading.bin",
        "-o",
        "latest.txt",
        "--format",
        "json",
    ]);
    assert!(folder.read("report.txt").starts_with('{'));
    assert!(
        std::fs::symlink_metadata(folder.path("latest.txt"))
            .expect("the link is there")
            .is_symlink()
    );
    assert_eq!(folder.stdout(&["report", "trading.bin", "-o", "-"]), page);
}

#[test]
fn a_failed_run_leaves_the_old_file_alone() {
    let folder = trading();
    folder.write("report.txt", b"old");
    assert_eq!(
        folder
            .run(&["report", "missing.bin", "-o", "report.txt"])
            .code,
        Some(3)
    );
    assert_eq!(folder.read("report.txt"), "old");
    assert_eq!(folder.names(), ["report.txt", "trading.bin"]);
}

#[test]
fn a_capture_is_never_overwritten() {
    let folder = trading();
    let before = std::fs::read(folder.path("trading.bin")).expect("the capture is there");
    let ran = folder.run(&["report", "trading.bin", "-o", "trading.bin"]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr
            .contains("is a capture and is left alone; write to another file"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        std::fs::read(folder.path("trading.bin")).expect("the capture is there"),
        before
    );
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let folder = trading();
    folder
        .run(&["report", "trading.bin", "-o", "no/such/folder/report.txt"])
        .fails(
            3,
            "cannot write no/such/folder/report.txt: No such file or directory (os error 2)",
        );
    let ran = folder.run(&["report", "trading.bin", "-o", "."]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.contains("it is a directory; name a file in it"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let folder = trading();
    folder.stdout(&["report", "trading.bin", "-o", "/dev/null"]);
    let kind = std::fs::metadata("/dev/null")
        .expect("every system has one")
        .file_type();
    assert!(kind.is_char_device());
}

#[test]
fn a_full_device_is_an_error() {
    let folder = trading();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("every Linux has one");
    let mut command = folder.command(&["report", "trading.bin"]);
    let output = command.stdout(full).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        stderr,
        "error: cannot write to standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn a_broken_pipe_is_quiet() {
    let folder = trading();
    // More than a pipe holds, so that the write does meet the broken end.
    let mut command = folder.command(&[
        "report",
        "trading.bin",
        "--every",
        "10ms",
        "--format",
        "json",
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut first = [0; 1];
    child
        .stdout
        .take()
        .expect("it is piped")
        .read_exact(&mut first)
        .expect("there is output");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            folder
                .stdout(&["completions", shell])
                .contains("perf-analyze"),
            "{shell}"
        );
    }
    assert!(folder.stdout(&["man"]).starts_with(".ie"));
    let page = folder.stdout(&["man", "report"]);
    assert!(
        page.contains("perf\\-analyze\\-report") && page.contains("skip 10s"),
        "{page}"
    );
}

#[test]
fn every_command_has_examples_in_its_long_help() {
    let folder = Folder::new();
    for command in [
        "report",
        "info",
        "verify",
        "recover",
        "plot",
        "completions",
        "man",
    ] {
        let help = folder.stdout(&[command, "--help"]);
        assert!(help.contains("\nExamples:\n  perf-analyze"), "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    let help = folder.stdout(&["--help"]);
    assert!(
        help.contains("Exit codes:") && help.contains("NO_COLOR"),
        "{help}"
    );
}
