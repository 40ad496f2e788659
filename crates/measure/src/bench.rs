//! `cargo xtask bench`: what recording and reading cost, each figure with its ratio in the same run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use xtask::shell;

use crate::{overhead, peers};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds of each sustained recording
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Spans of the capture that is read
    #[arg(long, default_value_t = 100_000_000)]
    spans: u64,
    /// Where captures of several gigabytes may lie for a while
    #[arg(long, default_value = "target/bench")]
    scratch: PathBuf,
    /// Only this: `record` or `read`; with --peers also names of peers and parts, separated by commas
    #[arg(long)]
    only: Option<String>,
    /// Measure what capture costs whole programs instead, with and without it in turns
    #[arg(long)]
    overhead: bool,
    /// Rounds of each program for `--overhead`, of some 15 s
    #[arg(long, default_value_t = 24)]
    rounds: usize,
    #[command(flatten)]
    peers: peers::Args,
}

/// Figures by name, as the measured programs print them.
type Figures = BTreeMap<String, f64>;

pub(crate) fn run(args: &Args) -> Result<()> {
    let scratch = shell::root().join(&args.scratch);
    std::fs::create_dir_all(&scratch)?;
    let only = args.only.as_deref();
    if args.peers.peers {
        return peers::run(&args.peers, only, &scratch, machine());
    }
    let is_part = matches!(only, None | Some("record" | "read"));
    ensure!(is_part, "--only takes `record` or `read`");
    if args.overhead {
        println!("{}", machine());
        ensure!(args.rounds >= 2, "an interval takes two rounds at least");
        return overhead::run(args.rounds, &scratch);
    }
    shell::run(shell::cargo().args(["build", "--release", "--package", "perf-analyze"]))?;
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "perf-recorder",
        "--example",
        "figures",
    ]))?;
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "perf-format",
        "--example",
        "synth",
    ]))?;
    println!("{}", machine());
    if only != Some("read") {
        record(args, &scratch)?;
    }
    if only != Some("record") {
        read(args, &scratch)?;
    }
    Ok(())
}

/// The recording half: the `figures` example, one measure a process.
fn record(args: &Args, scratch: &Path) -> Result<()> {
    println!(
        "\nRecording (a span: median of 300 interleaved rounds; ratio: to two bare clock reads in the same round)"
    );
    let captures = scratch.join("figures");
    for (arguments, bound, name) in [
        (
            &["--ring", "262144"][..],
            "≤ 1.15",
            "ring of 256 KiB: the default, within the second-level cache",
        ),
        (
            &["--ring", "16777216"],
            "≤ 1.3",
            "ring of 16 MiB: the largest that one grows to",
        ),
        (
            &["--ring", "262144", "--armed"],
            "≤ 1.15",
            "ring of 256 KiB, and an armed flight recorder behind it",
        ),
    ] {
        let span = figures(&captures, &[&["span"], arguments].concat())?;
        println!("  {name}");
        for kind in [
            "two_clock_reads",
            "guarded_span",
            "bare_span",
            "lap",
            "async_span",
            "disabled_span",
        ] {
            let bound = match kind {
                "guarded_span" => bound,
                "disabled_span" => "≤ 1 ns",
                _ => "",
            };
            row(
                kind,
                span[kind],
                "ns",
                Some(span[&format!("{kind}_ratio")]),
                bound,
            );
        }
    }
    let calls = figures(&captures, &["calls"])?;
    println!("  single calls (ratio: to the same with nothing between two clock reads)");
    for what in ["p50", "p99_9", "p99_99", "max"] {
        let (span, empty) = (
            calls[&format!("single_span_{what}")],
            calls[&format!("single_empty_{what}")],
        );
        row(what, span, "ns", Some(span / empty), "");
    }

    let seconds = args.seconds.to_string();
    println!(
        "\nSustained, {seconds} s: 16 events over 4 threads, traces of 8 spans across 3 of them, random 64-bit trace ids"
    );
    for (kind, bound) in [
        ("paced", "lost 0"),
        ("unpaced", "recorded + lost = attempted"),
        ("tight", "≤ 3 bytes"),
    ] {
        let run = figures(&captures, &[kind, "--seconds", &seconds])?;
        println!("  {kind}: {bound}");
        for (name, value) in &run {
            let name = name.trim_start_matches(kind).trim_start_matches('_');
            let share = name
                .ends_with("lost")
                .then(|| value / run[&format!("{kind}_attempted")]);
            row(
                name,
                *value,
                "",
                share,
                if name == "drainer_per_span" {
                    "≤ 20 ns"
                } else {
                    ""
                },
            );
        }
    }
    let idle = figures(&captures, &["idle"])?;
    row(
        "idle drainer",
        idle["idle_drainer"],
        "% of a core",
        None,
        "≤ 0.1 %",
    );
    thousand_threads(&captures)
}

/// A thousand threads on a tmpfs of 64 MB, where this user may mount one.
fn thousand_threads(captures: &Path) -> Result<()> {
    let small = captures.join("64mb");
    std::fs::create_dir_all(&small)?;
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"])
        .arg(&small)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("  1 000 threads in 64 MB: not measured, this user may not mount a tmpfs");
        return Ok(());
    }
    let run = figures(
        captures,
        &["threads", "--shared-memory", &small.display().to_string()],
    );
    shell::run(Command::new("umount").arg(&small))?;
    let run = run?;
    println!("  1 000 threads in a tmpfs of 64 MB: no crash, loss exact");
    for (name, value) in &run {
        row(name, *value, "", None, "");
    }
    Ok(())
}

/// The reading half: `perf-analyze` on a generated capture.
fn read(args: &Args, scratch: &Path) -> Result<()> {
    let capture = scratch.join(format!("synth-{}.bin", args.spans));
    if !capture.exists() {
        let mut synth = Command::new(shell::root().join("target/release/examples/synth"));
        shell::run(synth.arg(args.spans.to_string()).arg(&capture))?;
    }
    let bytes = std::fs::metadata(&capture)?.len();
    println!(
        "\nReading {} spans (whole process, warm cache, median of 7; ratio: to `cat` of the file)",
        args.spans
    );
    row(
        "file",
        bytes as f64 / args.spans as f64,
        "bytes a span",
        None,
        "≤ 8",
    );
    let analyze = shell::root().join("target/release/perf-analyze");
    let capture = capture.display().to_string();
    let cat = measure(Path::new("cat"), &[&capture], 7)?;
    for (name, flags, bound) in [
        ("report", &[][..], "≤ 0.03 s"),
        (
            "report --scan",
            &["--scan"][..],
            "≥ 300 M spans/s, ≤ 256 MiB",
        ),
        (
            "report --exact",
            &["--exact"][..],
            "≥ 120 M spans/s, ≤ 256 MiB",
        ),
    ] {
        let arguments: Vec<&str> = ["report", &capture]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        let run = measure(&analyze, &arguments, 7)?;
        row(
            name,
            run.seconds,
            "s",
            Some(run.seconds / cat.seconds),
            bound,
        );
        row(
            "",
            args.spans as f64 / run.seconds / 1e6,
            "M spans/s",
            None,
            "",
        );
        row("", run.anonymous_mib, "MiB anonymous", None, "");
    }
    let traces = measure(&analyze, &["traces", &capture], 3)?;
    row(
        "traces",
        traces.seconds,
        "s",
        Some(traces.seconds / cat.seconds),
        "≥ 100 M spans/s, ≤ 1 GiB",
    );
    row(
        "",
        args.spans as f64 / traces.seconds / 1e6,
        "M spans/s",
        None,
        "",
    );
    row("", traces.anonymous_mib, "MiB anonymous", None, "");
    Ok(())
}

/// How a whole process went.
struct Measured {
    seconds: f64,
    anonymous_mib: f64,
}

/// Runs a program several times: the median of its wall-clock time, the largest of its peaks of anonymous memory.
fn measure(program: &Path, arguments: &[&str], rounds: usize) -> Result<Measured> {
    let mut times = Vec::new();
    let mut peak_kib: u64 = 0;
    for round in 0..=rounds {
        // The first run warms the cache and has its memory watched, which costs time; the others are timed.
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        if round == 0 {
            let status = format!("/proc/{}/status", child.id());
            while child.try_wait()?.is_none() {
                peak_kib = peak_kib.max(anonymous_kib(&status));
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "{} {} ended with {status}",
            program.display(),
            arguments.join(" ")
        );
        if round > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Measured {
        seconds: times[times.len() / 2],
        anonymous_mib: peak_kib as f64 / 1024.0,
    })
}

/// Resident anonymous memory of a process now, in KiB; 0 once it is gone.
fn anonymous_kib(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Runs one measure of the `figures` example and reads the `name value unit` lines that it prints.
fn figures(captures: &Path, arguments: &[&str]) -> Result<Figures> {
    let mut program = Command::new(shell::root().join("target/release/examples/figures"));
    // A slash at the end: each recording gets a file name of its own.
    program
        .arg("--captures")
        .arg(format!("{}/", captures.display()))
        .args(arguments);
    let output = program
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the figures example")?;
    ensure!(
        output.status.success(),
        "figures {} ended with {}",
        arguments.join(" "),
        output.status
    );
    // Gigabytes that nobody will read.
    for entry in std::fs::read_dir(captures)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            std::fs::remove_file(path)?;
        }
    }
    let mut figures = Figures::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(value)) = (words.next(), words.next()) {
            figures.insert(
                name.to_owned(),
                value
                    .parse()
                    .with_context(|| format!("not a figure: {line}"))?,
            );
        }
    }
    Ok(figures)
}

fn row(name: &str, value: f64, unit: &str, ratio: Option<f64>, bound: &str) {
    let value = if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.4}")
    };
    let ratio = ratio
        .map(|ratio| format!("{ratio:.3} ×"))
        .unwrap_or_default();
    println!("    {name:<22} {value:>14} {unit:<14} {ratio:>11}   {bound}");
}

/// Which machine this is, in a line.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("\t: unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim()
    )
}
