//! Running the binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::captures::Capture;

/// What in the environment may change how output looks.
pub(crate) const CHANGES_OUTPUT: [&str; 8] = [
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "TERM",
    "TZ",
];

/// A folder with captures, in which the binary runs, so that paths in its output do not depend on the machine.
pub(crate) struct Folder(tempfile::TempDir);

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// A folder in memory, where arenas can be.
    pub(crate) fn in_memory() -> Folder {
        Folder(tempfile::tempdir_in("/dev/shm").expect("a folder in /dev/shm"))
    }

    /// A folder with one file.
    pub(crate) fn with(name: &str, content: &[u8]) -> Folder {
        let folder = Folder::new();
        folder.write(name, content);
        folder
    }

    /// A folder with the usual capture, `trading.bin`.
    pub(crate) fn trading() -> Folder {
        Folder::with("trading.bin", &Capture::default().bytes())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file is there and UTF-8")
    }

    /// The names of all files in the folder, hidden ones too, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder can be listed");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// The command, in this folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command_in(self.0.path(), args)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().expect("the binary starts"))
    }

    /// A run that must end well and say nothing on standard error: its standard output.
    pub(crate) fn stdout(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        ran.stdout
    }

    /// The same on a terminal of so many columns.
    pub(crate) fn in_columns(&self, columns: usize, args: &[&str]) -> String {
        let mut command = self.command(args);
        let ran = Ran::from(
            command
                .env("COLUMNS", columns.to_string())
                .output()
                .expect("the binary starts"),
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        ran.stdout
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let stdout = self.stdout(&[args, &["--format", "json"]].concat());
        serde_json::from_str(&stdout).expect("it is JSON")
    }
}

/// The command in `folder`, in an environment in which nothing changes its output.
pub(crate) fn command_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for name in CHANGES_OUTPUT {
        command.env_remove(name);
    }
    command
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Asserts that the run failed with `code` and one line of `error`, and gave nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, error: &str) {
        assert_eq!(self.stderr, format!("error: {error}\n"));
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""));
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_perf-analyze"))
}

/// The row of `event` and `outcome` in a report as JSON.
#[track_caller]
pub(crate) fn row<'a>(report: &'a Value, event: &str, outcome: Option<&str>) -> &'a Value {
    let rows = report["events"].as_array().expect("a list of events");
    let found = rows
        .iter()
        .find(|row| row["event"] == event && row["outcome"].as_str() == outcome);
    found.unwrap_or_else(|| panic!("no row {event} {outcome:?} in {rows:#?}"))
}

/// The kinds of the warnings in a result as JSON, in order.
pub(crate) fn warnings(result: &Value) -> Vec<&str> {
    let warnings = result["warnings"].as_array().expect("a list of warnings");
    warnings
        .iter()
        .filter_map(|warning| warning["kind"].as_str())
        .collect()
}

/// `page` without the sizes in it, which change with every improvement of the encoding: their digits are `#`.
pub(crate) fn sizes_hidden(page: &str) -> String {
    let mut hidden = String::new();
    for line in page.lines() {
        let is_size = |word: &str| matches!(word, "B" | "kB" | "MB" | "B/span)");
        let words: Vec<&str> = line.split(' ').collect();
        for (place, word) in words.iter().enumerate() {
            let next = words.get(place + 1).map(|next| next.trim_end_matches(','));
            let size = next.is_some_and(is_size);
            hidden.push_str(if place > 0 { " " } else { "" });
            hidden.push_str(&word.replace(|c: char| size && c.is_ascii_digit(), "#"));
        }
        hidden.push('\n');
    }
    hidden
}
