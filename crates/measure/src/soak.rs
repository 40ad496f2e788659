//! `cargo xtask soak`: a program that records for minutes, and bounds on what its recorder may take meanwhile.
//!
//! The program is the recorder's example `soak`. Its figures stay as they came in `soak.csv`, and with the judgement in
//! `soak.json`, below `target/soak`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use perf_analysis::capture::{CaptureSet, OpenOptions};
use perf_analysis::verify::verify;
use serde::Serialize;

use xtask::shell;

/// What the recorder takes besides its rings, and the program with it, at most.
const MOST_BESIDE_RINGS: u64 = 64 << 20;
/// By how much private memory may grow from the second quarter of the time to the last.
const MOST_GROWTH: u64 = 4 << 20;
/// The longest that a record may wait for the drainer: what is a second old is to be in a chunk.
const LONGEST_LAG_NS: u64 = 1_000_000_000;
/// Lines of the table.
const LINES: usize = 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Threads that record all the time; short ones come and go besides
    #[arg(long, default_value_t = 4)]
    threads: u64,
    /// Requests a second of each of them, of four records
    #[arg(long, default_value_t = 2_500.0)]
    rate: f64,
    /// Where the figures and the capture go
    #[arg(long, default_value = "target/soak")]
    scratch: PathBuf,
}

/// One line of the example's figures.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Sample {
    seconds: f64,
    attempted: u64,
    records: u64,
    lost: u64,
    file_bytes: u64,
    drain_lag_ns: u64,
    recorder_cpu_ns: u64,
    ring_bytes: u64,
    spool_bytes: u64,
    threads: u64,
    rss_bytes: u64,
    pss_bytes: u64,
    anonymous_bytes: u64,
    warnings: u64,
}

/// What the example says last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct End {
    attempted: u64,
    records: u64,
    lost: u64,
    capture: PathBuf,
}

/// A bound, and how the run stands to it.
#[derive(Debug, Serialize)]
struct Bound {
    what: &'static str,
    is_kept: bool,
    /// The figure and its limit, in words.
    figure: String,
}

/// All of it, as kept in the JSON.
#[derive(Serialize)]
struct Kept<'a> {
    threads: u64,
    rate: f64,
    samples: &'a [Sample],
    end: &'a End,
    bounds: &'a [Bound],
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let build = ["build", "--release", "--package", "perf-recorder"];
    shell::run(shell::cargo().args(build).args(["--example", "soak"]))?;
    let scratch = shell::root().join(&args.scratch);
    let captures = scratch.join("captures");
    if captures.exists() {
        fs::remove_dir_all(&captures)?;
    }
    fs::create_dir_all(&captures)?;
    let csv = measure(args, &captures)?;
    fs::write(scratch.join("soak.csv"), &csv)?;
    let (samples, end) = parse(&csv)?;
    print_table(&samples);
    let mut bounds = bounds(&samples, &end);
    bounds.push(verified(&end)?);
    println!();
    for bound in &bounds {
        let verdict = if bound.is_kept { "kept  " } else { "BROKEN" };
        println!("  {verdict}  {:<28} {}", bound.what, bound.figure);
    }
    let kept = Kept {
        threads: args.threads,
        rate: args.rate,
        samples: &samples,
        end: &end,
        bounds: &bounds,
    };
    let path = scratch.join("soak.json");
    fs::write(&path, serde_json::to_string_pretty(&kept)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    // Of minutes it has hundreds of megabytes.
    fs::remove_dir_all(&captures)?;
    println!("\n  raw figures: {}", path.display());
    let broken = bounds.iter().filter(|bound| !bound.is_kept).count();
    ensure!(broken == 0, "{broken} bounds are broken");
    Ok(())
}

/// Runs the example, and gives its output.
fn measure(args: &Args, captures: &Path) -> Result<String> {
    let program = shell::root().join("target/release/examples/soak");
    let seconds = args.minutes * 60.0;
    println!(
        "\nSoak of {} minutes: {} threads of {} records/s, bursts, and ten short threads a second",
        args.minutes,
        args.threads,
        args.rate * 4.0
    );
    let output = std::process::Command::new(&program)
        .args(["--seconds", &seconds.to_string()])
        .args(["--threads", &args.threads.to_string()])
        .args(["--rate", &args.rate.to_string()])
        .arg("--out")
        .arg(captures)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The samples and the end, out of the example's lines.
fn parse(csv: &str) -> Result<(Vec<Sample>, End)> {
    let mut samples = Vec::new();
    // The first line has the names.
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| -> Result<u64> {
            let field = fields.get(at).context("a line is short")?;
            field.parse().with_context(|| format!("no number: {line}"))
        };
        if fields[0] == "end" {
            let end = End {
                attempted: number(1)?,
                records: number(2)?,
                lost: number(3)?,
                capture: fields.get(4).context("a path")?.into(),
            };
            return Ok((samples, end));
        }
        samples.push(Sample {
            seconds: fields[0].parse()?,
            attempted: number(1)?,
            records: number(2)?,
            lost: number(3)?,
            file_bytes: number(4)?,
            drain_lag_ns: number(5)?,
            recorder_cpu_ns: number(6)?,
            ring_bytes: number(7)?,
            spool_bytes: number(8)?,
            threads: number(9)?,
            rss_bytes: number(10)?,
            pss_bytes: number(11)?,
            anonymous_bytes: number(12)?,
            warnings: number(13)?,
        });
    }
    bail!("the program did not come to its end")
}

fn bounds(samples: &[Sample], end: &End) -> Vec<Bound> {
    let most = |of: fn(&Sample) -> u64| samples.iter().map(of).max().unwrap_or(0);
    let beside = most(|sample| sample.rss_bytes.saturating_sub(sample.ring_bytes));
    let lag = most(|sample| sample.drain_lag_ns);
    let quarter = samples.len() / 4;
    let early = median(&samples[quarter..2 * quarter]);
    let late = median(&samples[3 * quarter..]);
    let is_enough = quarter >= 2;
    vec![
        Bound {
            what: "nothing lost",
            is_kept: end.lost == 0,
            figure: format!("{} of {}", end.lost, end.attempted),
        },
        Bound {
            what: "recorded + lost = attempted",
            is_kept: end.records + end.lost == end.attempted,
            figure: format!("{} + {} and {}", end.records, end.lost, end.attempted),
        },
        Bound {
            what: "drain lag",
            is_kept: lag <= LONGEST_LAG_NS,
            figure: format!("{:.1} ms of at most 1 s", lag as f64 / 1e6),
        },
        Bound {
            what: "memory beside the rings",
            is_kept: beside <= MOST_BESIDE_RINGS,
            figure: format!("{:.1} MiB of at most 64", mib(beside)),
        },
        Bound {
            what: "private memory stays",
            is_kept: !is_enough || late <= early + MOST_GROWTH,
            figure: match is_enough {
                true => format!("{:.1} MiB, then {:.1}", mib(early), mib(late)),
                false => "too short to tell".to_owned(),
            },
        },
    ]
}

/// The private memory in the middle of these samples.
fn median(samples: &[Sample]) -> u64 {
    let mut bytes: Vec<u64> = samples.iter().map(|it| it.anonymous_bytes).collect();
    bytes.sort_unstable();
    bytes.get(bytes.len() / 2).copied().unwrap_or(0)
}

/// Every byte of the capture, and as many records as were recorded.
fn verified(end: &End) -> Result<Bound> {
    let set = CaptureSet::open(std::slice::from_ref(&end.capture), &OpenOptions::default())?;
    let verification = verify(&set, None)?;
    let records: u64 = verification.files.iter().map(|file| file.records).sum();
    let closed = verification.files.iter().all(|file| file.closed_cleanly);
    Ok(Bound {
        what: "the capture is whole",
        is_kept: verification.intact && closed && records == end.records,
        figure: format!("{records} records"),
    })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn print_table(samples: &[Sample]) {
    println!(
        "\n  {:>7} {:>10} {:>6} {:>8} {:>7} {:>6} {:>10} {:>8} {:>12}",
        "seconds",
        "records/s",
        "lost",
        "file MB",
        "lag ms",
        "CPU %",
        "rings MiB",
        "RSS MiB",
        "private MiB"
    );
    let a_line = samples.len().div_ceil(LINES).max(1);
    let mut before = Sample::default();
    for group in samples.chunks(a_line) {
        let last = group[group.len() - 1];
        let seconds = last.seconds - before.seconds;
        let lag = group.iter().map(|sample| sample.drain_lag_ns).max();
        println!(
            "  {:>7.0} {:>10.0} {:>6} {:>8.1} {:>7.1} {:>6.2} {:>10.1} {:>8.1} {:>12.1}",
            last.seconds,
            (last.attempted - before.attempted) as f64 / seconds,
            last.lost,
            last.file_bytes as f64 / 1e6,
            lag.unwrap_or(0) as f64 / 1e6,
            (last.recorder_cpu_ns - before.recorder_cpu_ns) as f64 / 1e7 / seconds,
            mib(last.ring_bytes),
            mib(last.rss_bytes),
            mib(last.anonymous_bytes),
        );
        before = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "names\n";

    fn broken(samples: &[Sample], end: &End) -> Vec<&'static str> {
        let all = bounds(samples, end).into_iter();
        let broken = all.filter(|bound| !bound.is_kept);
        broken.map(|bound| bound.what).collect()
    }

    #[test]
    fn lines_become_samples_and_an_end() {
        let csv = "5.0,100,90,0,1000,7,8,9,10,11,12,13,14,15\nend,100,99,1,a/b.bin\n";
        let (samples, end) = parse(&format!("{NAMES}{csv}")).expect("figures");
        let [sample] = samples[..] else {
            panic!("one sample: {samples:?}")
        };
        let ends = (sample.attempted, sample.ring_bytes, sample.warnings);
        assert_eq!((sample.seconds, ends), (5.0, (100, 9, 15)));
        assert_eq!((end.lost, end.capture), (1, "a/b.bin".into()));
        assert!(parse(NAMES).is_err() && parse("names\n5.0,1\n").is_err());
    }

    #[test]
    fn each_bound_is_told_when_it_is_broken() {
        let good = Sample {
            rss_bytes: 40 << 20,
            ring_bytes: 2 << 20,
            anonymous_bytes: 5 << 20,
            ..Sample::default()
        };
        let end = End {
            attempted: 10,
            records: 10,
            ..End::default()
        };
        let with = |at: usize, change: fn(&mut Sample)| {
            let mut samples = vec![good; 16];
            samples[at..].iter_mut().for_each(change);
            samples
        };
        assert_eq!(broken(&with(15, |_| {}), &end), [""; 0]);
        let lossy = End {
            lost: 1,
            ..end.clone()
        };
        let said = broken(&[good; 16], &lossy);
        assert_eq!(said, ["nothing lost", "recorded + lost = attempted"]);
        let late = with(15, |it| it.drain_lag_ns = 2 * LONGEST_LAG_NS);
        assert_eq!(broken(&late, &end), ["drain lag"]);
        let large = with(7, |it| it.rss_bytes = 70 << 20);
        assert_eq!(broken(&large, &end), ["memory beside the rings"]);
        let grown = with(12, |it| it.anonymous_bytes += 5 << 20);
        assert_eq!(broken(&grown, &end), ["private memory stays"]);
        // What it takes from the start on is no growth.
        let more = with(2, |it| it.anonymous_bytes += 5 << 20);
        assert_eq!(broken(&more, &end), [""; 0]);
    }
}
