//! What recording costs. Each subcommand measures one thing and prints it as `name value unit` lines; `cargo xtask bench`
//! runs them all and makes the table.
//!
//! ```text
//! cargo run --release -p perf-recorder --example figures -- span
//! ```

mod calls;
mod idle;
mod load;
mod rounds;
mod sustained;
mod threads;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures what recording costs
#[derive(Parser)]
struct Args {
    /// A directory for the captures, on the disk that is to be measured
    #[arg(long, default_value = "target/figures/")]
    captures: PathBuf,
    #[command(subcommand)]
    figure: Figure,
}

#[derive(Subcommand)]
enum Figure {
    /// One span against two bare clock reads: guarded, asynchronous, disabled
    Span {
        /// Bytes of the thread's ring
        #[arg(long, default_value_t = 256 << 10)]
        ring: usize,
        /// With an armed flight recorder in place of a capture
        #[arg(long)]
        armed: bool,
    },
    /// The slowest of single calls
    Calls,
    /// Four threads on schedule into a file
    Paced {
        /// Spans a second, all threads together
        #[arg(long, default_value_t = 25.0e6)]
        rate: f64,
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
    },
    /// Four threads as fast as they can
    Unpaced {
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
    },
    /// One thread, one event, nothing between the spans
    Tight {
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// A recorder with nothing to do
    Idle {
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
    /// Many threads that record at once in little shared memory
    Threads {
        #[arg(long, default_value_t = 1_000)]
        threads: usize,
        /// Where the arena lies: a small tmpfs
        #[arg(long)]
        shared_memory: Option<PathBuf>,
    },
}

fn main() -> Result<()> {
    let args = Args::parse();
    match args.figure {
        Figure::Span { ring, armed } => rounds::run(&args.captures, ring, armed),
        Figure::Calls => calls::run(&args.captures),
        Figure::Paced { rate, seconds } => sustained::paced(&args.captures, rate, seconds),
        Figure::Unpaced { seconds } => sustained::unpaced(&args.captures, seconds),
        Figure::Tight { seconds } => sustained::tight(&args.captures, seconds),
        Figure::Idle { seconds } => idle::run(&args.captures, seconds),
        Figure::Threads {
            threads,
            shared_memory,
        } => threads::run(&args.captures, threads, shared_memory),
    }
}

/// Prints one figure.
fn figure(name: &str, value: f64, unit: &str) {
    println!("{name} {value} {unit}");
}
