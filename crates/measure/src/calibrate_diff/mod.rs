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

use xtask::shell;

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
    /// Made-up comparisons of each kind; half as many where a side has several captures, an eighth for power
    #[arg(long, default_value_t = 200)]
    trials: usize,
    /// Put the tables into this document, between its two marks
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "crates/analysis/DIFF.md")]
    write: Option<PathBuf>,
    /// Only these tables: one, several, real, power or waits
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
        ("several", &|| tables::several_a_side(trials.div_ceil(2))),
        ("real", &|| tables::real(&stored, &runs)),
        ("power", &|| tables::power(trials.div_ceil(8))),
        ("waits", &|| tables::real_power(&stored, &runs)),
    ];
    let mut broken = Vec::new();
    let mut text = String::new();
    for (name, make) in all {
        if name.starts_with(&args.only) {
            let table = make();
            println!("{}", table.markdown());
            text.push_str(&format!("\n{}", table.markdown()));
            broken.extend(table.broken);
        }
    }
    if let Some(document) = &args.write {
        put(&shell::root().join(document), &text)?;
    }
    if !broken.is_empty() {
        bail!("more than 1 % of alarms: {}", broken.join("; "));
    }
    Ok(())
}

/// What stands before and after the tables in a document.
const MARKS: [&str; 2] = [
    "<!-- tables of cargo xtask calibrate-diff --judge --write -->\n",
    "<!-- end of the tables -->",
];

fn put(document: &std::path::Path, tables: &str) -> Result<()> {
    let text = std::fs::read_to_string(document)?;
    let (Some(begin), Some(end)) = (text.find(MARKS[0]), text.find(MARKS[1])) else {
        bail!("{} has no marks for the tables", document.display());
    };
    let begin = begin + MARKS[0].len();
    let end = end.max(begin);
    std::fs::write(
        document,
        format!("{}{tables}\n{}", &text[..begin], &text[end..]),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was recorded is judged again, and must give what the document says, to the letter.
    #[test]
    fn the_document_has_the_tables_of_the_stored_runs() {
        let stored = store::read(&shell::root().join("captures/diff/runs.jsonl")).unwrap();
        let runs: Vec<_> = stored
            .par_iter()
            .map(|run| run.summary().unwrap())
            .collect();
        let document =
            std::fs::read_to_string(shell::root().join("crates/analysis/DIFF.md")).unwrap();
        for table in [
            tables::real(&stored, &runs),
            tables::real_power(&stored, &runs),
        ] {
            assert!(document.contains(&table.markdown()), "{}", table.markdown());
            assert_eq!(table.broken, [""; 0]);
        }
    }

    /// One capture a side of each made-up process; a tenth of what the document has.
    #[test]
    fn made_up_processes_raise_no_more_alarms_than_promised() {
        let table = tables::one_a_side(20);
        assert_eq!(table.broken, [""; 0], "{}", table.markdown());
    }
}
