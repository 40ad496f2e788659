//! What a terminal shows: colour, width, and nothing that a name in a capture could do to it.

use std::process::{Command, Stdio};

use super::captures::Capture;
use super::run::{CHANGES_OUTPUT, Folder, Ran, binary};

/// A name with everything in it that could harm a reader: terminal escapes, a forged row, reversed text, markup, a
/// spreadsheet formula, and more letters than anybody reads.
fn hostile_name() -> String {
    format!(
        "=\u{1b}[2J\u{9b}31m\nFORGED  1  1 ns\u{202e}\u{200b}\0<script>alert(1)</script>|`{}`\u{7f}",
        "long".repeat(1 << 18)
    )
}

/// What of `markdown` stands outside of code spans: each ends at a run of as many backticks as it began with.
fn outside_code(markdown: &str) -> String {
    let (mut outside, mut rest) = (String::new(), markdown);
    while let Some(c) = rest.chars().next() {
        let after = rest.trim_start_matches('`');
        let fence = &rest[..rest.len() - after.len()];
        let is_end =
            |at: usize| !after[..at].ends_with('`') && !after[at + fence.len()..].starts_with('`');
        let len = match c {
            '`' => {
                let mut runs = after.match_indices(fence).filter(|(at, _)| is_end(*at));
                let (end, _) = runs.next().expect("every code span ends");
                2 * fence.len() + end
            }
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        if c != '`' {
            outside.push_str(&rest[..len]);
        }
        rest = &rest[len..];
    }
    outside
}

/// Runs the binary on a real terminal, made by `script`, and gives what came out of it.
fn on_terminal(folder: &Folder, columns: usize, env: &[(&str, &str)], args: &str) -> String {
    let line = format!("stty cols {columns}; '{}' {args}", binary().display());
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder.path(""))
        .stdin(Stdio::null());
    for name in CHANGES_OUTPUT {
        command.env_remove(name);
    }
    command
        .env("TERM", "xterm-256color")
        .envs(env.iter().copied());
    let ran = Ran::from(
        command
            .output()
            .expect("`script` (bsdutils, on every Debian) starts"),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout.replace("\r\n", "\n")
}

#[test]
fn a_terminal_gets_colour_and_its_own_width() {
    let folder = Folder::trading();
    let page = on_terminal(&folder, 80, &[], "report trading.bin");
    assert!(
        page.contains("\u{1b}[31m"),
        "the rejected orders are red: {page:?}"
    );
    // 80 is also what a terminal is taken for that does not say.
    for columns in [100, 80] {
        let plain = on_terminal(&folder, columns, &[("NO_COLOR", "1")], "report trading.bin");
        assert_eq!(
            plain,
            folder.in_columns(columns, &["report", "trading.bin"])
        );
    }
    let unknown = on_terminal(&folder, 0, &[("NO_COLOR", "1")], "report trading.bin");
    assert_eq!(unknown, folder.in_columns(80, &["report", "trading.bin"]));
}

#[test]
fn no_colour_means_none_whatever_else_the_environment_says() {
    let folder = Folder::trading();
    let plain = folder.in_columns(80, &["report", "trading.bin"]);
    for no in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        for yes in [
            ("CI", "true"),
            ("CLICOLOR", "1"),
            ("CLICOLOR_FORCE", "1"),
            ("COLORTERM", "truecolor"),
        ] {
            let page = on_terminal(&folder, 80, &[no, yes], "report trading.bin");
            assert_eq!(page, plain, "{no:?} {yes:?}");
            // Help, an error of the command line, and one of the input.
            for args in ["--help", "report || true", "report none.bin || true"] {
                let said = on_terminal(&folder, 80, &[no, yes], args);
                assert!(
                    !said.is_empty() && !said.contains('\u{1b}'),
                    "{no:?} {yes:?} {args}: {said:?}"
                );
            }
        }
    }
    for colour in [("CI", "true"), ("NO_COLOR", "")] {
        for args in [
            "report trading.bin",
            "--help",
            "report || true",
            "report none.bin || true",
        ] {
            let said = on_terminal(&folder, 80, &[colour], args);
            assert!(said.contains('\u{1b}'), "{colour:?} {args}: {said:?}");
        }
    }
}

#[test]
fn a_file_gets_neither_colour_nor_a_width() {
    let folder = Folder::trading();
    on_terminal(&folder, 40, &[], "report trading.bin -o report.txt");
    assert_eq!(
        folder.read("report.txt"),
        folder.stdout(&["report", "trading.bin"])
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let folder = Folder::trading();
    for columns in [60, 80, 93, 120, 200] {
        let page = folder.in_columns(columns, &["report", "trading.bin"]);
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {page}");
    }
}

#[test]
fn hostile_names_are_harmless_in_every_form() {
    let hostile = Capture {
        candle: hostile_name(),
        version: Some("\u{1b}]0;x\u{7}"),
        ..Capture::default()
    };
    let folder = Folder::with("\u{1b}[31mx.bin", &hostile.bytes());
    for command in ["report", "info", "verify"] {
        for form in [
            &[][..],
            &["--wide"],
            &["--format", "json"],
            &["--format", "markdown"],
            &["--format", "csv"],
        ] {
            let ran = folder.run(&[&[command, "."], form].concat());
            assert_eq!(ran.code, Some(0), "{command} {form:?}");
            for text in [&ran.stdout, &ran.stderr] {
                let harmful =
                    |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
                assert!(!text.chars().any(harmful), "{command} {form:?}: {text:?}");
                assert!(
                    !text.lines().any(|line| line.starts_with("FORGED")),
                    "{command} {form:?}: {text}"
                );
                assert!(
                    text.len() < 60_000,
                    "{command} {form:?} takes {} bytes",
                    text.len()
                );
            }
        }
    }
    let markdown = folder.stdout(&["report", ".", "--format", "markdown"]);
    assert!(
        markdown.contains("<script>"),
        "the name is shown: {markdown}"
    );
    assert!(!outside_code(&markdown).contains("<script>"), "{markdown}");
    let sheet = folder.stdout(&["report", ".", "--format", "csv", "-q"]);
    assert!(!sheet.lines().any(|line| line.starts_with('=')), "{sheet}");
    // JSON keeps the name exactly, as far as the format holds it.
    let report = folder.json(&["report", "."]);
    let names = report["events"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["event"].as_str());
    assert!(
        names
            .into_iter()
            .any(|name| hostile_name().starts_with(name) && name.len() > 4000)
    );
}

#[test]
fn errors_about_hostile_paths_are_one_line() {
    let folder = Folder::new();
    let ran = folder.run(&["report", "a\u{1b}[2J\nb.bin"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(r"a\u{1b}[2J\nb.bin"), "{}", ran.stderr);
}
