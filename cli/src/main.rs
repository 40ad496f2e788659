//! `perf-analyze`: tells where the time went in a latency capture.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod args;
mod bar;
mod cmd;
mod colour;
mod command;
mod diagnostics;
mod file;
mod follow;
mod gate;
mod output;
mod page;
mod progress;
mod time;
mod verdict;

use args::{Cli, Command};
use verdict::Verdict;

fn main() -> ExitCode {
    colour::settle();
    let verdict = match Cli::parse().command {
        Command::Report(args) => cmd::report::run(&args),
        Command::Sla(args) => cmd::sla::run(&args),
        Command::Diff(args) => cmd::diff::run(&args),
        Command::Calibrate(args) => cmd::calibrate::run(&args),
        Command::Traces(args) => cmd::traces::run(&args),
        Command::Export(args) => cmd::export::run(&args),
        Command::Import(args) => cmd::import::run(&args),
        Command::Info(args) => cmd::info::run(&args),
        Command::Verify(args) => cmd::verify::run(&args),
        Command::Recover(args) => cmd::recover::run(&args),
        Command::Attach(args) => cmd::attach::run(&args),
        Command::Plot(args) => cmd::plot::run(&args),
        Command::Completions(args) => cmd::completions::run(&args),
        Command::Man(args) => cmd::man::run(&args),
    };
    match verdict {
        Ok(verdict) => verdict.into(),
        Err(error) => {
            diagnostics::error(&error);
            Verdict::Unreadable.into()
        }
    }
}
