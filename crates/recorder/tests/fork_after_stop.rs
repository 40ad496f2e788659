//! A fork after the recorder has stopped, while somebody still holds its handle: the child keeps all of its descriptors.
//!
//! The only test of its process, so that the descriptor that the arena had is given to one of the files here.

mod common;

use std::fs::File;
use std::os::fd::AsRawFd;

use common::child;
use perf_probe::{events, record_histogram};
use perf_recorder::Recorder;

events! {
    NUMBER: observation("") = "number";
}

#[test]
fn a_child_keeps_the_files_that_were_opened_since() {
    let directory = child::memory_dir();
    let recorder = Recorder::builder()
        .capture(directory.path().join("x.bin"))
        .arena_directory(child::private_dir(directory.path(), "arena"));
    let recorder = recorder.start().expect("the recorder starts");
    record_histogram(NUMBER, 1);
    let handle = recorder.handle().clone();
    recorder.stop().expect("a clean end");

    let open = |number| File::create(directory.path().join(format!("{number}"))).expect("a file");
    let files: Vec<File> = (0..64).map(open).collect();
    // SAFETY: the child only asks about its descriptors, and leaves.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: the question has no precondition.
        let is_open = |file: &File| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) } != -1;
        let closed = files.iter().filter(|file| !is_open(file)).count();
        // SAFETY: no precondition. The test's harness must not go on in the child.
        unsafe { libc::_exit(closed as i32) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(
        libc::WEXITSTATUS(status),
        0,
        "files that the fork closed in the child"
    );
    assert!(libc::WIFEXITED(status));
    drop(handle);
}
