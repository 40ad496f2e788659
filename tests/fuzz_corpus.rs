//! Every input that the fuzzer kept is read again: what it once found stays mended, without libFuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../crates/fuzz/src/targets/mod.rs"]
#[expect(
    unreachable_pub,
    reason = "the fuzz crate, whose module it is, gives it to its binaries"
)]
mod targets;

fn corpus() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/fuzz/corpus"
    ))
}

/// Names of a folder's entries, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the corpus is part of the checkout");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("a name in ASCII"))
        .collect();
    names.sort();
    names
}

fn replay(target: &str) {
    replay_from(target, target);
}

/// Replays what is kept for one target in another that reads the same.
fn replay_from(folder: &str, target: &str) {
    let (_, body) = targets::ALL
        .into_iter()
        .find(|(name, _)| *name == target)
        .expect("a target of this name");
    let folder = corpus().join(folder);
    let names = names(&folder);
    assert!(!names.is_empty(), "{} is empty", folder.display());
    let failed: Vec<&String> = names
        .iter()
        .filter(|name| {
            let bytes = fs::read(folder.join(name)).expect("a file of the corpus");
            catch_unwind(|| body(&bytes)).is_err()
        })
        .collect();
    assert!(
        failed.is_empty(),
        "of {} inputs in {} these fail: {failed:#?}",
        names.len(),
        folder.display()
    );
}

#[test]
fn the_corpus_has_a_folder_for_each_target() {
    let targets = targets::ALL.map(|(name, _)| name.to_owned());
    assert_eq!(names(corpus()), targets);
}

#[test]
fn arenas() {
    replay("arena");
}

#[test]
fn captures() {
    replay("capture");
}

#[test]
fn chunks() {
    replay("chunk");
}

#[test]
fn metadata() {
    replay("metadata");
}

#[test]
fn reports() {
    replay("report");
}

#[test]
fn round_trips() {
    replay("round_trip");
}

#[test]
fn traces_and_rules() {
    replay("traces");
}

#[test]
fn traces_and_rules_of_other_captures() {
    replay_from("report", "traces");
    replay_from("capture", "traces");
}
