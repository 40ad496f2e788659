//! Tests that need a process of their own: the test binary runs itself again, with one test and an environment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Says to the test that is its main function that it is the child, and what to do.
const ROLE: &str = "PERF_TEST_CHILD";

/// The child's part in `test`; `None` in the test process itself, where the child's main function does nothing.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A command that runs the test `test` of this binary as a child with this role.
pub(crate) fn command(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's own binary"));
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

pub(crate) fn spawn(test: &str, role: &str, envs: &[(&str, String)]) -> Child {
    command(test, role)
        .envs(envs.iter().map(|(name, value)| (name, value)))
        .spawn()
        .expect("the test binary starts again")
}

/// Ends the process as the kernel would.
pub(crate) fn die() -> ! {
    // SAFETY: no precondition.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}

/// Arenas in a directory that are ready. Files of recorders that were killed while they made theirs are gone after a
/// minute.
pub(crate) fn arenas_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the arenas");
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "arena")
        })
        .collect()
}

/// A directory in memory: arenas need one, and captures are quick there.
pub(crate) fn memory_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm")
}

/// How often a test repeats: `usual` times, and twenty times as often with `PERF_LONG=1`.
pub(crate) fn repeats(usual: usize) -> usize {
    if std::env::var_os("PERF_LONG").is_some() {
        usual * 20
    } else {
        usual
    }
}

/// Bytes of all files in a directory.
pub(crate) fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// The captures in a directory, oldest name first.
pub(crate) fn captures_in(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the directory of captures")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    found.sort();
    found
}

/// A command that runs the test `test` as a child in a mount namespace of its own, in which `at` is an empty tmpfs of
/// `kib` KiB. `None`, told loudly, where the system does not allow that.
pub(crate) fn command_on_tmpfs(at: &Path, kib: u64, test: &str, role: &str) -> Option<Command> {
    let at = at.display();
    let mount = format!("mount -t tmpfs -o size={kib}k,mode=700 none '{at}'");
    command_in_namespaces("-rm", &mount, test, role)
}

/// A command that runs the test `test` as a child in the namespaces that `flags` of `unshare` name, the mounts' among them,
/// after `setup`, which is given to a shell. `None`, told loudly, where the system does not allow that.
pub(crate) fn command_in_namespaces(
    flags: &str,
    setup: &str,
    test: &str,
    role: &str,
) -> Option<Command> {
    let allowed = Command::new("unshare")
        .args([flags, "sh", "-c", "mount -t tmpfs none /tmp"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: {test} ({role}) needs `unshare {flags}` and a tmpfs, which this system does not allow"
        );
        return None;
    }
    let inner = command(test, role);
    let mut command = Command::new("unshare");
    let script = format!("{{ {setup}; }} && exec \"$0\" \"$@\"");
    command.args([flags, "sh", "-c", &script]);
    command
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Some(command)
}

/// A directory below `parent` that nobody else may enter, as arenas want it.
pub(crate) fn private_dir(parent: &Path, name: &str) -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let path = parent.join(name);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&path)
        .expect("a new directory");
    path
}
