//! The command that is being run, as one that a reader can type again.

use std::ffi::OsString;

/// Options that say where the answer goes and in which form, each with a value: another run has its own.
const OF_THE_OUTPUT: [&str; 4] = ["--html", "--output", "-o", "--format"];

/// The arguments of a run behind the subcommand, without those of its output, quoted for a shell.
pub(crate) struct Arguments(String);

/// The arguments of this run.
pub(crate) fn of_this_run() -> Arguments {
    Arguments::of(std::env::args_os().skip(2))
}

impl Arguments {
    fn of(arguments: impl Iterator<Item = OsString>) -> Arguments {
        let mut kept: Vec<String> = Vec::new();
        let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        while let Some(argument) = arguments.next() {
            if OF_THE_OUTPUT.contains(&argument.as_str()) {
                arguments.next();
            } else if argument == "--" {
                kept.extend(
                    std::iter::once("--".to_owned())
                        .chain(arguments.by_ref().map(|each| quoted(&each))),
                );
            } else if !of_the_output(&argument) {
                kept.push(quoted(&argument));
            }
        }
        Arguments(kept.join(" "))
    }

    /// `perf-analyze SUBCOMMAND` with these arguments.
    pub(crate) fn with(&self, subcommand: &str) -> String {
        format!("perf-analyze {subcommand} {}", self.0)
    }
}

/// Whether `argument` is an option of the output with its value attached: `--html=FILE`, `-oFILE`.
fn of_the_output(argument: &str) -> bool {
    let name = argument.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| OF_THE_OUTPUT.contains(&name))
        || (argument.starts_with("-o") && !argument.starts_with("--"))
}

/// `argument` as a shell takes it for one word.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./,:=+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(of: &[&str]) -> String {
        Arguments::of(of.iter().map(|each| each.into())).with("report")
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
            "--format=json",
            "--output=y",
            "b.bin",
        ];
        assert_eq!(
            arguments(&run),
            "perf-analyze report a.bin --every=1m b.bin"
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
            arguments(&run),
            r"perf-analyze report 'my capture.bin' --event 'ORDER_*' 'it'\''s' -- --html ''"
        );
    }
}
