//! The reading half: the same questions to `perf-analyze`, of a capture, and to DuckDB and Polars, of its spans as Parquet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::ask::{Answer, Asked, agree, ask, our_answer};
use super::raw::{Raw, Task};
use super::wins::PRODUCT;
use xtask::{python, shell};

/// The rule of `sla`: its event and its bound, ns. Some 2 % of these spans are over it.
const RULE: (&str, u64) = ("STAGE_7_SLOW", 10_000);

/// Captures of more spans are not exported by the engines, nor compared with another: that shows nothing new and takes as long
/// as everything else. Nor are the engines asked what takes them memory for every span.
const LARGE: u64 = 100_000_000;

/// No further rounds of a question after so long, s.
const ENOUGH_S: f64 = 8.0;

/// What is asked.
struct Question {
    /// In the tables.
    title: &'static str,
    /// Its name in `analysis.py`.
    name: &'static str,
    /// The command line of `perf-analyze` before the capture.
    ours: &'static [&'static str],
    engines: &'static [&'static str],
    /// Whether the engines hold something of every span until they answer.
    holds_all: bool,
}

const QUESTIONS: [Question; 6] = [
    Question {
        title: "report",
        name: "report",
        ours: &["report"],
        engines: &[],
        holds_all: false,
    },
    Question {
        title: "percentiles, approximate",
        name: "bins",
        ours: &["report", "--scan", "--traces", "never"],
        engines: &["DuckDB"],
        holds_all: false,
    },
    Question {
        title: "percentiles, exact",
        name: "exact",
        ours: &["report", "--exact", "--traces", "never"],
        engines: &["DuckDB", "Polars"],
        holds_all: true,
    },
    Question {
        title: "traces, end to end",
        name: "traces",
        ours: &["traces", "--no-owners"],
        engines: &["DuckDB", "Polars"],
        holds_all: true,
    },
    // What no engine was asked: who owns the time of each.
    Question {
        title: "traces",
        name: "traces",
        ours: &["traces"],
        engines: &[],
        holds_all: false,
    },
    Question {
        title: "sla",
        name: "sla",
        ours: &["sla", "--sla", "STAGE_7_SLOW:p50<10us"],
        engines: &["DuckDB", "Polars"],
        holds_all: false,
    },
];

/// A capture, its copy of another seed, and its spans as Parquet.
struct Files {
    spans: u64,
    capture: PathBuf,
    other: PathBuf,
    tables: PathBuf,
}

/// Asks everything of captures of these sizes on these numbers of threads.
///
/// # Errors
/// When `perf-analyze` fails, or the disk is full.
pub(crate) fn run(sizes: &[u64], threads: &[usize], scratch: &Path, raw: &mut Raw) -> Result<()> {
    python::ensure();
    let has_engines = python::python(&["-c", "import duckdb, polars"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_engines {
        raw.skip(
            "analysis",
            "DuckDB and Polars: target/venv has them not".to_owned(),
        );
    }
    let most = sizes.iter().max().unwrap_or(&LARGE);
    for spans in sizes {
        // Large ones are only asked on the most threads.
        let threads = if spans >= most.min(&LARGE) && threads.len() > 1 {
            &threads[threads.len() - 1..]
        } else {
            threads
        };
        let &spans = spans;
        println!("── analysis of {spans} spans");
        let files = Files {
            spans,
            capture: scratch.join(format!("synth-{spans}.bin")),
            other: scratch.join("synth-other.bin"),
            tables: scratch.join("tables"),
        };
        let outcome = one_size(&files, threads, has_engines, raw);
        for left in [&files.tables, &files.other] {
            let _ = fs::remove_dir_all(left).or_else(|_| fs::remove_file(left));
        }
        outcome?;
    }
    Ok(())
}

fn one_size(files: &Files, threads: &[usize], has_engines: bool, raw: &mut Raw) -> Result<()> {
    let many = files.spans > 10_000_000;
    generate(files.spans, 1, &files.capture)?;
    let is_large = files.spans > LARGE;
    for &threads in threads {
        // The tables that the engines read; they stay until all was asked.
        let export = || {
            let _ = fs::remove_dir_all(&files.tables);
            let mut command = analyze(&["export", "--table", "spans"], threads);
            command.arg(&files.capture).arg("-o").arg(&files.tables);
            command
        };
        let (task, _) = ours(
            files,
            ("export", ""),
            threads,
            if many { 1 } else { 3 },
            export,
        )?;
        raw.analysis.push(task);
        let engines: &[&str] = if has_engines {
            &["DuckDB", "Polars"]
        } else {
            &[]
        };
        let out = files.tables.join("engine.parquet").display().to_string();
        for engine in engines.iter().filter(|_| !is_large) {
            theirs(
                files,
                engine,
                ("export", "export"),
                threads,
                &[&out],
                None,
                raw,
            );
        }
        let _ = fs::remove_file(&out);
        for question in &QUESTIONS {
            let names = (question.title, question.name);
            let (task, answer) = ours(files, names, threads, if many { 3 } else { 5 }, || {
                let mut command = analyze(question.ours, threads);
                command.args(["--format", "json"]).arg(&files.capture);
                command
            })?;
            raw.analysis.push(task);
            let asks_engines = has_engines && !(is_large && question.holds_all);
            for engine in question.engines.iter().filter(|_| asks_engines) {
                let bound = RULE.1.to_string();
                theirs(
                    files,
                    engine,
                    names,
                    threads,
                    &[RULE.0, &bound],
                    Some(&answer),
                    raw,
                );
            }
        }
        if !is_large {
            generate(files.spans, 2, &files.other)?;
            let (task, _) = ours(files, ("diff with another", ""), threads, 3, || {
                let mut command = analyze(&["diff", "--format", "json"], threads);
                command.arg(&files.capture).arg(&files.other);
                command
            })?;
            raw.analysis.push(task);
        }
    }
    Ok(())
}

/// Writes a capture of the generated load unless it is there.
fn generate(spans: u64, seed: u64, path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut synth = Command::new(shell::root().join("target/release/examples/synth"));
    shell::run(synth.arg(spans.to_string()).arg(path).arg(seed.to_string()))
}

fn analyze(arguments: &[&str], threads: usize) -> Command {
    let mut command = Command::new(shell::root().join("target/release/perf-analyze"));
    command
        .args(arguments)
        .args(["--threads", &threads.to_string()]);
    command
}

/// Our own answer to a question of a title and a name, and how it was come by.
fn ours(
    files: &Files,
    (title, name): (&str, &str),
    threads: usize,
    rounds: usize,
    command: impl Fn() -> Command,
) -> Result<(Task, Answer)> {
    let mut asked: Vec<Asked> = Vec::new();
    // What takes long is asked once: it wavers less.
    let mut spent = 0.0;
    while asked.len() < rounds && spent < ENOUGH_S {
        asked.push(ask(&mut command()).with_context(|| format!("perf-analyze, {title}"))?);
        spent = asked.iter().map(|asked| asked.seconds).sum();
    }
    let bytes = fs::metadata(&files.capture)?.len();
    let task = Task::of(&asked, (title, PRODUCT), files.spans, threads, bytes);
    let answer = match asked.last() {
        Some(asked) => our_answer(name, &asked.json()?),
        None => Answer::new(),
    };
    Ok((task, answer))
}

/// An engine's answer, held against ours if there is one. That it has none is no failure of the run.
fn theirs(
    files: &Files,
    engine: &str,
    (title, name): (&str, &str),
    threads: usize,
    rest: &[&str],
    ours: Option<&Answer>,
    raw: &mut Raw,
) {
    let spans = files.tables.join("spans/*.parquet").display().to_string();
    let count = threads.to_string();
    let script = ["crates/bench/analysis.py", engine, name, &spans, &count];
    let asked = ask(&mut python::python(&[&script[..], rest].concat()));
    let (printed, asked) = match asked.and_then(|asked| Ok((asked.json()?, asked))) {
        Ok(both) => both,
        Err(error) => {
            let spans = files.spans;
            raw.skip(
                "analysis",
                format!("{engine}, {title} of {spans} spans: {error:#}"),
            );
            return;
        }
    };
    let answer: Answer = serde_json::from_value(printed["answer"].clone()).unwrap_or_default();
    let bytes = bytes_in(&files.tables.join("spans"));
    let mut task = Task::of(&[asked], (title, engine), files.spans, threads, bytes);
    // Of the query alone.
    task.seconds = printed["seconds"].as_f64().into_iter().collect();
    let peak_kib = printed["peak_kib"].as_u64();
    task.peak_kib = task.peak_kib.max(peak_kib.unwrap_or(0));
    task.agrees = ours.map(|ours| agree(ours, &answer));
    raw.analysis.push(task);
}

/// The size of the files below a directory.
pub(crate) fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        metadata => metadata.map_or(0, |metadata| metadata.len()),
    });
    bytes.sum()
}
