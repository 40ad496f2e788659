//! House rules that a machine can hold: file length, no dead files, no left-overs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a source file, its documentation with it and its tests without. Past this it is two ideas.
const CEILING_LINES: usize = 400;
/// Half of the files are no longer than this.
const MEDIAN_LINES: usize = 150;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The files that git tracks, as paths relative to the root.
fn tracked() -> Vec<PathBuf> {
    let listing = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git lists the files of the checkout");
    String::from_utf8(listing.stdout)
        .expect("file names are UTF-8")
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| root().join(path).exists())
        .collect()
}

fn rust_sources() -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for path in tracked() {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(root().join(&path)).expect("a source is UTF-8");
            sources.push((path, text));
        }
    }
    assert!(
        sources.len() > 50,
        "only {} sources were found",
        sources.len()
    );
    sources
}

/// Lines before the unit tests, which stand at the end of a file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests = |at: usize| {
        let mut rest = lines[at + 1..].iter();
        lines[at] == "#[cfg(test)]"
            && rest
                .find(|line| !line.starts_with("#["))
                .is_some_and(|line| line.starts_with("mod "))
    };
    (0..lines.len())
        .find(|at| begins_tests(*at))
        .unwrap_or(lines.len())
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn files_hold_one_idea() {
    let mut lengths: Vec<usize> = Vec::new();
    let mut too_long = Vec::new();
    for (path, text) in rust_sources() {
        let lines = lines_without_tests(&text);
        if !is_test(&path) {
            lengths.push(lines);
            if lines > CEILING_LINES {
                too_long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(too_long.is_empty(), "split these: {too_long:#?}");
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= MEDIAN_LINES, "the median file has {median} lines");
}

#[test]
fn every_source_is_part_of_a_crate() {
    let sources = rust_sources();
    let everything: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    for (path, _) in &sources {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let root_file = matches!(stem, "main" | "lib" | "mod" | "build");
        // Targets that cargo finds by their place.
        let found_by_place = path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|folder| {
                ["tests", "examples", "benches", "fuzz_targets"]
                    .iter()
                    .any(|name| folder == *name)
            })
            && !path.starts_with("tests");
        let named = [format!("mod {stem};"), format!("/{stem}.rs\"")];
        assert!(
            root_file || found_by_place || named.iter().any(|name| everything.contains(name)),
            "{} is in no crate",
            path.display()
        );
    }
}

#[test]
fn nothing_is_left_half_done() {
    let left_overs = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let ignored = format!("#[{}", "ignore");
    for (path, text) in rust_sources() {
        for (number, line) in text.lines().enumerate() {
            assert!(
                !line.contains(&ignored) && !left_overs.iter().any(|name| line.contains(name)),
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn crates_without_need_forbid_unsafe_code() {
    let root_file = |name: &str| {
        let folder = root().join("crates").join(name).join("src");
        ["lib.rs", "main.rs"]
            .iter()
            .find_map(|file| std::fs::read_to_string(folder.join(file)).ok())
            .expect("a crate has a root file")
    };
    for name in [
        "analysis",
        "export",
        "measure",
        "metrics",
        "probe-macros",
        "render",
        "tracing",
        "xtask",
    ] {
        assert!(
            root_file(name).contains("#![forbid(unsafe_code)]"),
            "perf-{name} does not forbid unsafe code"
        );
    }
    // One call of a function that is compiled for wide vectors.
    assert!(root_file("format").contains("#![deny(unsafe_code)]"));
    let allowed: Vec<_> = rust_sources()
        .into_iter()
        .filter(|(path, text)| {
            path.starts_with("crates/format") && text.contains("allow(unsafe_code)")
        })
        .collect();
    assert_eq!(allowed.len(), 1, "{allowed:?}");
    assert!(allowed[0].0.ends_with("wide.rs") && allowed[0].1.matches("unsafe {").count() == 1);
}
