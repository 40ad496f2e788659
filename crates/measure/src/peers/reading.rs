//! Each recorder's own tool on its own file: the same spans, recorded by each, read by `perf-analyze`, by what `summarize` of
//! measureme does, and by babeltrace2.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, mem};

use anyhow::{Context, Result, ensure};

use super::analysis::bytes_in;
use super::ask::{Asked, ask};
use super::raw::{Raw, Task};
use super::record::{Runner, spans_in};
use super::subject::{OURS, Subject};
use super::wins::PRODUCT;
use xtask::shell;

/// In the tables.
const QUESTION: &str = "its own file";

/// How a recorder's file is read.
struct Tool {
    /// In the tables.
    title: &'static str,
    /// The recorder, as `perf-bench` knows it.
    subject: &'static str,
    command: fn(&Runner<'_>, &Subject, &Path) -> Command,
    /// The spans that it has seen, from what it printed.
    seen: fn(&Asked) -> Result<u64>,
}

const TOOLS: [Tool; 3] = [
    Tool {
        title: PRODUCT,
        subject: OURS,
        command: |_, _, dir| {
            let mut command = Command::new(shell::root().join("target/release/perf-analyze"));
            command
                .args(["report", "--exact", "--traces", "never", "--threads", "1"])
                .args(["--format", "json"])
                .arg(dir.join("capture.bin"));
            command
        },
        seen: |asked| spans_in(&asked.json()?),
    },
    Tool {
        title: "measureme's summarize",
        subject: "measureme",
        command: |runner, subject, dir| runner.command("read", subject, dir),
        seen: |asked| number_in(&asked.printed, "read ", ""),
    },
    Tool {
        title: "babeltrace2's counter",
        subject: "lttng",
        command: |_, _, dir| {
            let mut command = Command::new("babeltrace2");
            command
                .arg(dir.join("trace"))
                .args(["--component", "sink.utils.counter"])
                .args(["--params", "step=+0,hide-zero=yes"]);
            command
        },
        // A begin and an end each.
        seen: |asked| Ok(number_in(&asked.printed, "", " Event messages")? / 2),
    },
];

/// Has each of `subjects` that has a tool record so many spans, and times the tools in turns, `rounds` times. A peer that fails
/// is left out, and the page says so.
///
/// # Errors
/// When we ourselves fail.
pub(crate) fn run(
    runner: &Runner<'_>,
    subjects: &[&'static Subject],
    sizes: &[u64],
    rounds: usize,
    raw: &mut Raw,
) -> Result<()> {
    for &spans in sizes {
        println!("── reading {spans} spans of each recorder");
        let mut files = Vec::new();
        for tool in &TOOLS {
            let Some(subject) = subjects.iter().find(|subject| subject.name == tool.subject) else {
                continue;
            };
            match Recorded::create(runner, tool, subject, spans) {
                Ok(recorded) => files.push(recorded),
                Err(error) => fail(tool, spans, error, raw)?,
            }
        }
        for _ in 0..rounds {
            for recorded in &mut files {
                recorded.ask(runner);
            }
        }
        for recorded in files {
            let tool = recorded.tool;
            match recorded.task(spans) {
                Ok(task) => raw.reading.push(task),
                Err(error) => fail(tool, spans, error, raw)?,
            }
        }
    }
    Ok(())
}

/// Notes that a peer failed. That we fail ends it all.
fn fail(tool: &Tool, spans: u64, error: anyhow::Error, raw: &mut Raw) -> Result<()> {
    if tool.subject == OURS {
        return Err(error.context(tool.title));
    }
    let title = tool.title;
    raw.skip("reading", format!("{title} of {spans} spans: {error:#}"));
    Ok(())
}

/// The files of a recorder, and what its tool said of them. They go with it.
struct Recorded {
    tool: &'static Tool,
    subject: &'static Subject,
    dir: PathBuf,
    asked: Vec<Result<Asked>>,
}

impl Recorded {
    fn create(
        runner: &Runner<'_>,
        tool: &'static Tool,
        subject: &'static Subject,
        spans: u64,
    ) -> Result<Self> {
        let recorded = Self {
            tool,
            subject,
            dir: runner.directory(&format!("spans-{}", subject.name))?,
            asked: Vec::new(),
        };
        let mut paced = runner.command("paced", subject, &recorded.dir);
        let printed = ask(paced.args(["--spans", &spans.to_string()]))?.printed;
        let count = number_in(&printed, "recorded ", "")?;
        ensure!(count == spans, "only {count} were recorded");
        Ok(recorded)
    }

    fn ask(&mut self, runner: &Runner<'_>) {
        let mut command = (self.tool.command)(runner, self.subject, &self.dir);
        self.asked.push(ask(&mut command));
    }

    fn task(mut self, spans: u64) -> Result<Task> {
        let asked = mem::take(&mut self.asked)
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let last = asked.last().context("nothing was asked")?;
        let seen = (self.tool.seen)(last)?;
        let names = (QUESTION, self.tool.title);
        let mut task = Task::of(&asked, names, spans, 1, bytes_in(&self.dir));
        task.agrees = Some(seen == spans);
        Ok(task)
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The number in the first line of `text` that is `before`, a number, `after`.
fn number_in(text: &str, before: &str, after: &str) -> Result<u64> {
    text.lines()
        .find_map(|line| {
            let number = line.trim().strip_prefix(before)?.strip_suffix(after)?;
            number.replace(',', "").parse().ok()
        })
        .with_context(|| format!("it printed no number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_what_tools_print() {
        let counted = "          2,000 Event messages\n              7 Stream beginning messages\n";
        let number = |text, before, after| number_in(text, before, after).ok();
        assert_eq!(number(counted, "", " Event messages"), Some(2000));
        assert_eq!(number("read 1000\n", "read ", ""), Some(1000));
        assert_eq!(number("nothing\n", "read ", ""), None);
    }
}
