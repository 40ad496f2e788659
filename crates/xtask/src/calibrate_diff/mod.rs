//! `cargo xtask calibrate-diff`: how often `perf-analyze diff` is right. Its tables are in crates/analysis/DIFF.md.

mod judge;
mod nulls;
mod record;
mod rivals;
mod store;
mod tables;

use std::path::PathBuf;

use anyhow::{Result, bail};
use rayon::prelude::*;

use crate::shell;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Args {
    /// Record runs of the trading example, going on where the last time ended
    #[arg(long, group = "what")]
    record: bool,
    /// Reduce the recorded runs to what is judged
    #[arg(long, group = "what")]
    reduce: bool,
    /// Judge made-up captures and stored runs, and print the tables
    #[arg(long, group = "what")]
    judge: bool,
    /// Runs to record
    #[arg(long, default_value_t = 600)]
    runs: u32,
    /// Seconds of each
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Of the recorded runs, keep only those up to this number
    #[arg(long, default_value_t = u32::MAX)]
    first: u32,
    /// ... and of the others only those from this number on
    #[arg(long, default_value_t = 0)]
    last: u32,
    /// Where recorded runs lie
    #[arg(long, default_value = "target/diff-runs")]
    folder: PathBuf,
    /// Where reduced runs lie
    #[arg(long, default_value = "captures/diff/runs.jsonl")]
    store: PathBuf,
    /// Made-up comparisons of each kind
    #[arg(long, default_value_t = 200)]
    trials: usize,
    /// Only the tables whose titles begin so
    #[arg(long, default_value = "")]
    only: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (folder, store) = (
        shell::root().join(&args.folder),
        shell::root().join(&args.store),
    );
    if args.record {
        record::record(&folder, args.runs, args.seconds)?;
    }
    if args.reduce {
        record::reduce(&folder, &store, |run| {
            run <= args.first || (args.last > 0 && run >= args.last)
        })?;
    }
    if args.judge {
        judge(&store, args)?;
    }
    Ok(())
}

fn judge(store: &std::path::Path, args: &Args) -> Result<()> {
    let stored = store::read(store)?;
    let runs = stored
        .par_iter()
        .map(store::Stored::summary)
        .collect::<Result<Vec<_>>>()?;
    let trials = args.trials;
    let all: [(&str, &dyn Fn() -> tables::Table); 5] = [
        ("one", &|| tables::one_a_side(trials)),
        ("several", &|| tables::several_a_side(trials)),
        ("real", &|| tables::real(&stored, &runs)),
        ("power", &|| tables::power(trials.div_ceil(2))),
        ("waits", &|| tables::real_power(&stored, &runs)),
    ];
    let mut broken = Vec::new();
    for (name, make) in all {
        if name.starts_with(&args.only) {
            let table = make();
            println!("{}", table.markdown());
            broken.extend(table.broken);
        }
    }
    if !broken.is_empty() {
        bail!("more than 1 % of alarms: {}", broken.join("; "));
    }
    Ok(())
}
