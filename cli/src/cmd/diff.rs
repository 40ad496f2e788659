//! `perf-analyze diff`: whether one build is slower than another.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{CommandFactory, ValueEnum};
use perf_analysis::diff::{
    BoundFor, Diff, DiffOptions, Gate, Noise, Outcome, Summary, Verdict as Row, compare,
    parse_bound, summarise, with_threads,
};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, Warning};
use perf_render::plot::Theme;

use crate::args::{Cli, Workers, parse_html};
use crate::diagnostics;
use crate::file::write_whole;
use crate::gate::nearest;
use crate::output::{as_text, put};
use crate::page;
use crate::progress::Progress;
use crate::time::{Moment, Span, Zone};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze diff base.bin new.bin
      what got slower, faster, or stayed the same; provisional, since one capture a side does not tell how runs differ
  perf-analyze calibrate runs/*.bin -o noise.json
  perf-analyze diff base.bin new.bin --noise noise.json --fail-on regression
      the same with what ten or more captures of one build tell about that; exit code 1 if something got slower
  perf-analyze diff --base 'base/*.bin' --new 'new/*.bin' --fail-on regression --format markdown -o diff.md
      five or more captures a side speak for themselves; so does one against ten or more; --html diff.html for a page
  perf-analyze diff base.bin new.bin --gate ORDER_SUBMIT:p99.9 --bound-for ORDER_SUBMIT=10%
      one more figure that counts, with a bound of its own

Exit codes with --fail-on regression:
  0  no regression: all the same, better, or not certain (4 with --fail-on regression,inconclusive)
  1  a gated figure is worse by more than its bound
  3  the sides are not comparable, or a gate names an unknown event
  4  what looks like a regression is provisional";

const ABOUT: &str = "\
Compares captures of two builds. A figure is a regression only if the whole of its interval lies above the bound, the same \
only if it lies within; the intervals of all gated figures hold together but for 1 in 100. Gated are p50 and p99 of each \
flow with 1,000 traces (without traces: of each event), with the share of errors, and what --gate names.

How sure that is depends on how many captures there are: five or more a side are shared out in every other way; one against \
ten or more is held against what these predict; fewer take --noise. One a side without it is judged by its own slices of \
time, p99 only with --noise, and every verdict is provisional.";

/// Say whether one build is slower than another
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The base and the new capture; with several a side, use --base and --new
    #[arg(value_name = "CAPTURE", num_args = 0..=2)]
    captures: Vec<PathBuf>,

    #[command(flatten)]
    sides: Sides,

    #[command(flatten)]
    workers: Workers,

    #[command(flatten)]
    judging: Judging,

    #[command(flatten)]
    output: Output,
}

/// Which captures, and what of them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sides")]
struct Sides {
    /// Captures of the base: files, directories, quoted globs
    #[arg(long, value_name = "CAPTURE", num_args = 1.., conflicts_with = "captures", requires = "new")]
    base: Vec<PathBuf>,

    /// Captures of the new build
    #[arg(long, value_name = "CAPTURE", num_args = 1.., requires = "base")]
    new: Vec<PathBuf>,

    /// Captures were recorded in turns: the first of the base with the first of the new
    #[arg(long)]
    paired: bool,

    /// Only what ended at this time or later: RFC 3339, +10s from the start, -30s from the end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<Moment>,

    /// Only what ended before this time, written like --since
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<Moment>,

    /// Leave out the start of every capture, such as 10s of warm-up
    #[arg(long, value_name = "SPAN")]
    skip: Option<Span>,

    /// Fail with exit code 3 on any damage, in place of a warning and the intact part
    #[arg(long)]
    strict: bool,
}

/// What counts, and by how much.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
struct Judging {
    /// How runs of one build differ, as `perf-analyze calibrate` wrote it
    #[arg(long, value_name = "FILE")]
    noise: Option<PathBuf>,

    /// The change that matters
    #[arg(long, value_name = "PART", default_value = "5%", value_parser = parse_bound)]
    bound: f64,

    /// Another bound for an event or a flow; may be given more than once
    #[arg(long, value_name = "EVENT=PART")]
    bound_for: Vec<BoundFor>,

    /// One more figure that counts, such as ORDER:p99.9 or ORDER:errors; may be given more than once
    #[arg(long, value_name = "EVENT:FIGURE")]
    gate: Vec<Gate>,

    /// Where random numbers begin; the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Exit with code 1 if this is found, 3 if the sides are not comparable
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Output {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,

    /// Write to a file, which appears whole or not at all; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also write all of it, with curves and shifts of what is gated, as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE", value_parser = parse_html)]
    html: Option<PathBuf>,

    /// Also draw curves and shifts of what is gated, as SVG, into this directory
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,

    /// Show every column and every row
    #[arg(long)]
    wide: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short)]
    quiet: bool,
}

/// What a comparison may be made to fail on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A gated figure that is worse by more than its bound
    Regression,
    /// A gated figure of which nothing is certain: exit code 4
    Inconclusive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people, fitted to the terminal
    Text,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
    /// For what shows tests
    Junit,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let (base, new) = match args.captures.as_slice() {
        [] if !args.sides.base.is_empty() => (args.sides.base.clone(), args.sides.new.clone()),
        [base, new] => (vec![base.clone()], vec![new.clone()]),
        _ => refuse_sides(),
    };
    let noise = args.judging.noise.as_deref().map(Noise::read).transpose()?;
    let options = DiffOptions {
        bound: args.judging.bound,
        bounds_for: args.judging.bound_for.clone(),
        gates: args.judging.gate.clone(),
        paired: args.sides.paired,
        noise,
        seed: args.judging.seed,
        ..DiffOptions::default()
    };
    let progress = Progress::start("comparing", args.output.quiet);
    let reading = args.reading()?;
    let (base, mut warnings) = args.read(&base, &reading)?;
    let (new, more) = args.read(&new, &reading)?;
    warnings.extend(more);
    let judged = with_threads(reading.threads, || Ok(compare(&base, &new, &options)))?;
    let mut diff = match judged {
        Ok(diff) => diff,
        Err(unknown) => {
            let near = nearest(&unknown.name, &unknown.known).join(" or ");
            let advice = if near.is_empty() {
                String::new()
            } else {
                format!("; did you mean {near}?")
            };
            bail!("{unknown}{advice}");
        }
    };
    diff.warnings = warnings;
    let drawn = args.output.plots.is_some() || args.output.html.is_some();
    let pictures = match drawn {
        true => page::diff::pictures(&diff, [&base, &new], Theme::Auto),
        false => Vec::new(),
    };
    if let Some(directory) = &args.output.plots {
        std::fs::create_dir_all(directory)?;
        for (name, picture) in &pictures {
            write_whole(&directory.join(name), picture.svg.as_bytes())?;
        }
    }
    if let Some(path) = &args.output.html {
        let plots = pictures.into_iter().map(|(_, picture)| picture).collect();
        let again = crate::command::whole();
        let mut whole = again.clone();
        for (given, option) in [
            (args.output.wide, " --wide"),
            (args.output.plots.is_some(), " --plots plots"),
        ] {
            if !given {
                whole.push_str(option);
            }
        }
        let page = page::diff::comparison(&diff, plots, (again, whole));
        write_whole(path, perf_render::html::comparison(&page).as_bytes())?;
    }
    drop(progress);
    args.give(&diff)?;
    args.judge(&diff)
}

fn refuse_sides() -> ! {
    let message = "two captures are compared: give BASE and NEW, or several with --base and --new";
    let kind = clap::error::ErrorKind::MissingRequiredArgument;
    Cli::command().error(kind, message).exit();
}

impl Args {
    fn reading(&self) -> Result<ReportOptions> {
        let zone: Zone = "UTC".parse().map_err(anyhow::Error::msg)?;
        let bound = |moment: &Option<Moment>| moment.as_ref().map(|m| m.bound(&zone)).transpose();
        Ok(ReportOptions {
            since: bound(&self.sides.since)?,
            until: bound(&self.sides.until)?,
            skip_ns: self.sides.skip.map_or(0, Span::ns),
            strict: self.sides.strict,
            threads: self.workers.threads(),
            ..ReportOptions::default()
        })
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReportOptions,
    ) -> Result<(Vec<Summary>, Vec<Warning>)> {
        let strict = self.sides.strict;
        let set = CaptureSet::open(paths, &OpenOptions { strict })?;
        Ok(summarise(set, options)?)
    }

    fn give(&self, diff: &Diff) -> Result<()> {
        let Output {
            format,
            output,
            wide,
            quiet,
            ..
        } = &self.output;
        let file = output.as_deref().filter(|path| *path != Path::new("-"));
        let content = match format {
            Form::Text => as_text(&page::diff::document(diff, *wide), *wide, file),
            Form::Json => perf_render::json::json(diff)?,
            Form::Markdown => page::diff::markdown(diff, &crate::command::whole()),
            Form::Junit => perf_render::junit::junit(&page::diff::suite(diff)),
        };
        if matches!(format, Form::Junit) && !quiet {
            // XML has no place for them.
            for warning in &diff.warnings {
                diagnostics::warning(&page::warning_line(warning));
            }
        }
        put(content.as_bytes(), file)
    }

    fn judge(&self, diff: &Diff) -> Result<Verdict> {
        let asked = |what| self.judging.fail_on.contains(&what);
        if self.judging.fail_on.is_empty() {
            return Ok(Verdict::Fine);
        }
        if let Some(reason) = diff.not_comparable.first() {
            bail!("not comparable: {reason}");
        }
        let gated = || diff.rows.iter().filter(|row| row.gated);
        let worse = gated().any(|row| row.verdict == Row::Regression);
        let unsure = diff.outcome == Outcome::Inconclusive
            || gated().any(|row| row.verdict == Row::Inconclusive)
            || !diff.provisional.is_empty();
        Ok(match () {
            () if worse && asked(FailOn::Regression) && diff.provisional.is_empty() => {
                Verdict::Breached
            }
            () if worse && asked(FailOn::Regression) => Verdict::Inconclusive,
            () if unsure && asked(FailOn::Inconclusive) => Verdict::Inconclusive,
            () => Verdict::Fine,
        })
    }
}
