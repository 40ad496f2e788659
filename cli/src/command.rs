//! The command that is being run, as one that a reader can type again.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

/// The heading of options that say where the answer goes and in which form: another run has its own.
const OUTPUT: &str = "Output";
/// The heading of options that every analysis of captures has.
const SELECTION: &str = "Selection";
/// The heading of options that say what was promised.
const RULES: &str = "Rules";

/// The arguments of a run of `report`, quoted for a shell.
pub(crate) struct Arguments {
    /// All but those of the output.
    report: String,
    /// The captures, and what of them is looked at.
    selection: String,
    /// The same, and what was promised.
    rules: String,
}

/// The arguments of this run.
pub(crate) fn of_this_run() -> Arguments {
    Arguments::of(std::env::args_os().skip(2))
}

impl Arguments {
    fn of(arguments: impl Iterator<Item = OsString>) -> Arguments {
        let mut program = Cli::command();
        program.build();
        let report = program.find_subcommand("report");
        let report = report.expect("the program has this subcommand");
        let given: Vec<String> = arguments
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let kept = |keep: &dyn Fn(&Arg) -> bool| kept(report, &given, keep).join(" ");
        Arguments {
            report: kept(&|option| option.get_help_heading() != Some(OUTPUT)),
            selection: kept(&|option| option.get_help_heading() == Some(SELECTION)),
            rules: kept(&|option| {
                [Some(SELECTION), Some(RULES)].contains(&option.get_help_heading())
            }),
        }
    }

    /// `perf-analyze report` with these arguments.
    pub(crate) fn report(&self) -> String {
        format!("perf-analyze report {}", self.report)
    }

    /// `perf-analyze sla` by the same rules.
    pub(crate) fn sla(&self) -> String {
        format!("perf-analyze sla {}", self.rules)
    }

    /// Another subcommand, on the same captures and the same part of them.
    pub(crate) fn other(&self, subcommand: &str) -> String {
        format!("perf-analyze {subcommand} {}", self.selection)
    }
}

/// The captures among `given`, and the options of `command` that are to be kept with their values.
fn kept(command: &Command, given: &[String], keep: &dyn Fn(&Arg) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut given = given.iter();
    while let Some(argument) = given.next() {
        if argument == "--" {
            kept.push(argument.clone());
            kept.extend(given.by_ref().map(|each| quoted(each)));
        } else if let Some((option, attached)) = option(command, argument) {
            let value = match option.get_action().takes_values() && !attached {
                true => given.next(),
                false => None,
            };
            if keep(option) {
                kept.push(quoted(argument));
                kept.extend(value.map(|value| quoted(value)));
            }
        } else {
            kept.push(quoted(argument));
        }
    }
    kept
}

/// The option that `argument` names, and whether its value is attached: `--every=1m`, `-oFILE`.
fn option<'a>(command: &'a Command, argument: &str) -> Option<(&'a Arg, bool)> {
    let mut options = command.get_arguments();
    if let Some(long) = argument.strip_prefix("--") {
        let name = long.split_once('=').map_or(long, |(name, _)| name);
        let option = options.find(|option| option.get_long() == Some(name));
        return option.map(|option| (option, name.len() < long.len()));
    }
    let short = argument
        .strip_prefix('-')
        .filter(|short| !short.is_empty())?;
    // Flags may stand together before the one that takes a value.
    let mut named = short.char_indices().filter_map(|(at, letter)| {
        let option = command
            .get_arguments()
            .find(|option| option.get_short() == Some(letter));
        option.map(|option| (option, at + letter.len_utf8() < short.len()))
    });
    let first = named.next()?;
    match first.0.get_action().takes_values() {
        true => Some(first),
        false => Some(
            named
                .find(|(option, _)| option.get_action().takes_values())
                .unwrap_or(first),
        ),
    }
}

/// The whole of this run, as a shell takes it.
pub(crate) fn whole() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| quoted(&argument.to_string_lossy()));
    let words: Vec<String> = words.collect();
    format!("perf-analyze {}", words.join(" "))
}

/// `argument` as a shell takes it for one word.
pub(crate) fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./,:=+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(of: &[&str]) -> Arguments {
        Arguments::of(of.iter().map(|each| each.into()))
    }

    #[test]
    fn what_concerns_the_output_is_left_out() {
        let run = [
            "a.bin",
            "--html",
            "p.html",
            "--every=1m",
            "-o",
            "x",
            "-ox",
            "-q",
            "--format=json",
            "--output=y",
            "--wide",
            "--since",
            "-30s",
            "--sla",
            "A:p99<5ms",
            "b.bin",
        ];
        let arguments = arguments(&run);
        assert_eq!(
            arguments.report(),
            "perf-analyze report a.bin --every=1m -q --since -30s --sla 'A:p99<5ms' b.bin"
        );
        assert_eq!(
            arguments.other("traces"),
            "perf-analyze traces a.bin --since -30s b.bin"
        );
        assert_eq!(
            arguments.sla(),
            "perf-analyze sla a.bin --since -30s --sla 'A:p99<5ms' b.bin"
        );
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_part_them() {
        let run = [
            "my capture.bin",
            "--event",
            "ORDER_*",
            "it's",
            "--",
            "--html",
            "",
        ];
        assert_eq!(
            arguments(&run).other("plot"),
            r"perf-analyze plot 'my capture.bin' --event 'ORDER_*' 'it'\''s' -- --html ''"
        );
    }
}
