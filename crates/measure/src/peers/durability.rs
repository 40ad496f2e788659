//! What a kill costs: processes that record are killed at a random moment, and what is left of them is counted.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::raw::{Death, Raw};
use super::record::{Runner, spans_of};
use super::subject::{OURS, Subject};
use xtask::shell;

/// A process lives so long after its first span, at least and at most.
const LIVES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(1_500));
/// It records its first span within this.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Kills `kills` processes of each subject that writes a file, in turns. A peer that fails is left out from there on, and the
/// page says so.
///
/// # Errors
/// When that is our own.
pub(crate) fn run(
    runner: &Runner<'_>,
    subjects: &[&'static Subject],
    kills: usize,
    raw: &mut Raw,
) -> Result<()> {
    println!("── durability: {kills} processes of each are killed");
    let mut failed = Vec::new();
    for _ in 0..kills {
        for subject in subjects.iter().filter(|subject| subject.has_file) {
            if failed.contains(&subject.name) {
                continue;
            }
            match kill_one(runner, subject) {
                Ok(death) => raw
                    .deaths
                    .entry(subject.name.to_owned())
                    .or_default()
                    .push(death),
                Err(error) if subject.is_peer() => {
                    raw.skip(
                        "durability",
                        format!("kills of {}: {error:#}", subject.title),
                    );
                    failed.push(subject.name);
                }
                Err(error) => return Err(error.context(subject.title)),
            }
        }
    }
    runner.directory("spans")?;
    Ok(())
}

fn kill_one(runner: &Runner<'_>, subject: &Subject) -> Result<Death> {
    let dir = runner.directory("spans")?;
    let count = runner.scratch.join("acknowledged");
    let _ = fs::remove_file(&count);
    let mut child = runner
        .command("endless", subject, &dir)
        .arg("--acknowledged")
        .arg(&count)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start perf-bench")?;
    let start = Instant::now();
    while acknowledged(&count) == 0 {
        ensure!(child.try_wait()?.is_none(), "it ended by itself");
        if start.elapsed() > STARTS_WITHIN {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("it recorded nothing for {STARTS_WITHIN:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(random_life());
    child.kill()?;
    let pid = child.id();
    child.wait()?;
    let acknowledged = acknowledged(&count);
    let found = if subject.name == OURS {
        recover(&dir)?
    } else {
        if subject.name == "lttng" {
            end_session(pid)?;
        }
        runner.written(subject, &dir)?.unwrap_or(0)
    };
    Ok(Death {
        acknowledged,
        found,
    })
}

/// How many calls have returned, as the process counts them in a mapped file.
fn acknowledged(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn random_life() -> Duration {
    // The standard library's hashers are seeded at random; nothing else here needs a generator.
    let random = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    LIVES.0 + (LIVES.1 - LIVES.0).mul_f64(random)
}

/// Spans of the capture and of what the process left in shared memory.
fn recover(dir: &Path) -> Result<u64> {
    let whole = dir.join("recovered.bin");
    shell::run(
        Command::new(shell::root().join("target/release/perf-analyze"))
            .args(["recover", "--quiet"])
            .arg(dir.join("capture.bin"))
            .arg("-o")
            .arg(&whole)
            .stdout(Stdio::null()),
    )?;
    spans_of(&whole)
}

/// Has LTTng's daemon write what the process left in its buffers.
fn end_session(pid: u32) -> Result<()> {
    let session = format!("perf-bench-{pid}");
    for verb in ["stop", "destroy"] {
        shell::run(
            Command::new("lttng")
                .args([verb, &session])
                .stdout(Stdio::null()),
        )?;
    }
    Ok(())
}
