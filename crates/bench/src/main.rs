//! One span, recorded by this project and by everything else a user could pick. Each call measures one thing of one peer, in
//! a process of its own, and prints it as `name value` lines; `cargo xtask bench --peers` runs them in turns and makes the table.
//!
//! ```text
//! cargo run --release --manifest-path crates/bench/Cargo.toml -- cost fastrace --dir /tmp/fastrace/
//! ```

mod acknowledged;
mod clock;
mod cost;
mod endless;
mod instructions;
mod paced;
mod peer;
mod peers;
mod speed;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use peer::Peer;

/// Measures one thing of one peer
#[derive(Parser)]
struct Args {
    measure: Measure,
    peer: Name,
    /// A directory of its own for the peer's files
    #[arg(long)]
    dir: PathBuf,
    /// Threads that record at once
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Nobody listens
    #[arg(long)]
    off: bool,
    /// Rounds of `cost`
    #[arg(long, default_value_t = 150)]
    rounds: usize,
    /// The most spans that a thread of `speed` records; the spans of `paced`
    #[arg(long, default_value_t = 10_000_000)]
    spans: u64,
    /// How long `speed` records, s
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Where `endless` counts the spans that were recorded
    #[arg(long)]
    acknowledged: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Measure {
    /// What a span costs its thread, against two bare clock reads
    Cost,
    /// How many instructions a span takes; to be run under callgrind
    Instructions,
    /// As fast as it goes: what is lost, what is written, how much memory it takes
    Speed,
    /// Records until it is killed
    Endless,
    /// Records so many spans, at a pace at which none is lost
    Paced,
    /// Counts the spans in the files of an earlier run
    Written,
    /// Reads these files as the peer's own tool does, and sums its spans up
    Read,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Two bare clock reads: what the machine itself adds
    Reads,
    /// perf-probe and perf-recorder, into a file
    Ours,
    Micromegas,
    Fastrace,
    Puffin,
    Measureme,
    /// `tracing` with the formatting layer of tracing-subscriber, through tracing-appender into a file
    TracingFile,
    /// `tracing` with the registry of tracing-subscriber alone: nothing is kept
    TracingRegistry,
    Metrics,
    #[cfg(feature = "tracy")]
    Tracy,
    Lttng,
}

fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    match args.peer {
        Name::Reads => measure::<peers::reads::Reads>(&args),
        Name::Ours => measure::<peers::ours::Ours>(&args),
        Name::Micromegas => measure::<peers::micromegas::Micromegas>(&args),
        Name::Fastrace => measure::<peers::fastrace::Fastrace>(&args),
        Name::Puffin => measure::<peers::puffin::Puffin>(&args),
        Name::Measureme => measure::<peers::measureme::Measureme>(&args),
        Name::TracingFile => measure::<peers::tracing::File>(&args),
        Name::TracingRegistry => measure::<peers::tracing::Registry>(&args),
        Name::Metrics => measure::<peers::metrics::Metrics>(&args),
        #[cfg(feature = "tracy")]
        Name::Tracy => measure::<peers::tracy::Tracy>(&args),
        Name::Lttng => measure::<peers::lttng::Lttng>(&args),
    }
}

fn measure<P: Peer>(args: &Args) -> Result<()> {
    match args.measure {
        Measure::Cost => cost::run::<P>(&args.dir, !args.off, args.threads, args.rounds),
        Measure::Instructions => instructions::run::<P>(&args.dir),
        Measure::Speed => speed::run::<P>(&args.dir, args.threads, args.spans, args.seconds),
        Measure::Endless => endless::run::<P>(&args.dir, args.acknowledged.as_deref()),
        Measure::Paced => paced::run::<P>(&args.dir, args.spans),
        Measure::Written => count("written", P::written(&args.dir)?),
        Measure::Read => count("read", P::read(&args.dir)?),
    }
}

fn count(name: &str, spans: Option<u64>) -> Result<()> {
    if let Some(spans) = spans {
        figure(name, spans as f64);
    }
    Ok(())
}

/// Prints one figure.
fn figure(name: &str, value: f64) {
    println!("{name} {value}");
}
