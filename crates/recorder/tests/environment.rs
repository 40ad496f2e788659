//! A program that is turned on from outside: real processes, with real environments and files.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Capture, child};
use perf_probe::{events, measure};
use perf_recorder::Recorder;

events! {
    WORK: span = "WORK";
}

/// The program: records three spans if its environment asks for it, and says what became of it.
#[test]
fn child_main() {
    let Some(said) = child::role() else {
        return;
    };
    let text = match Recorder::from_env() {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(recorder)) => {
            for _ in 0..3 {
                drop(measure!(WORK));
            }
            let stopped = recorder.stop().expect("a clean end");
            format!("{}", stopped.records)
        }
        Err(error) => format!("error: {error}"),
    };
    fs::write(said, text).expect("told");
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the program says with this environment.
    fn run(&self, environment: impl FnOnce(&mut Command)) -> String {
        let said = self.path("said");
        let mut command = child::command("child_main", &said.display().to_string());
        command
            .env_remove("PERF_CAPTURE")
            .env_remove("PERF_CONFIG")
            .env_remove("PERF_LABELS")
            .stderr(std::process::Stdio::null())
            .current_dir(self.directory.path());
        environment(&mut command);
        let status = command.status().expect("the program runs");
        assert!(status.success(), "{status}");
        fs::read_to_string(said).expect("what it said")
    }
}

fn only_capture(directory: &Path) -> Capture {
    let found: Vec<_> = fs::read_dir(directory)
        .expect("the directory of captures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [capture] = found.as_slice() else {
        panic!("one capture: {found:?}")
    };
    Capture::open(capture)
}

#[test]
fn nothing_is_recorded_unasked() {
    let place = Place::new();
    assert_eq!(place.run(|_| {}), "nothing");
    assert_eq!(
        place.run(|it| {
            it.env("PERF_CAPTURE", "");
        }),
        "nothing"
    );
}

#[test]
fn a_directory_in_the_environment_is_enough() {
    let place = Place::new();
    let said = place.run(|it| {
        it.env("PERF_CAPTURE", "captures/");
    });
    assert_eq!(said, "3");
    let capture = only_capture(&place.path("captures"));
    assert_eq!(capture.values("WORK").len(), 3);
}

#[test]
fn a_file_has_all_settings_and_the_environment_its_variables() {
    let place = Place::new();
    let config = place.path("perf.yaml");
    let text = "\
metrics:
  buffer: {size: 4096, overflow_strategy: overwrite}
  sla_thresholds: {WORK: 5000000}
  recorder:
    capture: ${WHERE:-elsewhere}/
    labels:
      version: ${VERSION:-unknown}
";
    fs::write(&config, text).expect("a file");
    let said = place.run(|it| {
        it.env("PERF_CONFIG", &config).env("VERSION", "1.4.2");
    });
    assert_eq!(said, "3");
    let capture = only_capture(&place.path("elsewhere"));
    let header = capture.index.header.as_ref().expect("a header");
    let label = header.labels.first().expect("a label");
    assert_eq!(
        (label.key.as_str(), label.value.as_str()),
        ("version", "1.4.2")
    );
    let warnings = &capture.index.notes.warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.message.contains("overflow_strategy is `overwrite`")),
        "{warnings:?}"
    );

    // The environment's path goes before the file's.
    let said = place.run(|it| {
        it.env("PERF_CONFIG", &config).env("PERF_CAPTURE", "here/");
    });
    assert_eq!(said, "3");
    assert_eq!(only_capture(&place.path("here")).values("WORK").len(), 3);
}

#[test]
fn labels_come_from_the_environment_too() {
    let place = Place::new();
    let labels = |directory: &str| -> Vec<(String, String)> {
        let capture = only_capture(&place.path(directory));
        let header = capture.index.header.expect("a header");
        let labels = header.labels.into_iter();
        let of_system = |key: &str| key == "unit";
        labels
            .map(|label| (label.key, label.value))
            .filter(|(key, _)| !of_system(key))
            .collect()
    };
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let said = place.run(|it| {
        it.env("PERF_CAPTURE", "bare/")
            .env("PERF_LABELS", "version=1.4.2, env=prod");
    });
    assert_eq!(said, "3");
    assert_eq!(
        labels("bare"),
        [label("version", "1.4.2"), label("env", "prod")]
    );

    // They go before the file's.
    let config = place.path("perf.yaml");
    let text = "\
metrics:
  recorder: {capture: filed/, labels: {version: from the file, host: a}}
";
    fs::write(&config, text).expect("a file");
    let said = place.run(|it| {
        it.env("PERF_CONFIG", &config)
            .env("PERF_LABELS", "version=1.4.3");
    });
    assert_eq!(said, "3");
    assert_eq!(
        labels("filed"),
        [label("host", "a"), label("version", "1.4.3")]
    );

    // Alone they turn nothing on, and what is wrong with them is said only where they would be used.
    let wrong = "version 1.4.2";
    let said = place.run(|it| {
        it.env("PERF_LABELS", wrong);
    });
    assert_eq!(said, "nothing");
    let said = place.run(|it| {
        it.env("PERF_LABELS", wrong).env("PERF_CAPTURE", "wrong/");
    });
    let expected = "error: PERF_LABELS: \"version 1.4.2\" has no `=`";
    assert!(said.starts_with(expected), "{said}");
    assert!(!place.path("wrong").exists());
}

#[test]
fn off_is_off_and_what_is_wrong_is_said() {
    let place = Place::new();
    let config = place.path("perf.yaml");
    let run = |text: &str| {
        fs::write(&config, text).expect("a file");
        place.run(|it| {
            it.env("PERF_CONFIG", &config).env("PERF_CAPTURE", "off/");
        })
    };
    assert_eq!(run("metrics: {enabled: false}\n"), "nothing");
    assert!(!place.path("off").exists());
    let said = run("metrics:\n  buffer: {sise: 3}\n");
    let place_of_it = format!("error: {}: line 2, column 12: ", config.display());
    assert!(
        said.starts_with(&place_of_it) && said.contains("sise"),
        "{said}"
    );
    let said = place.run(|it| {
        it.env("PERF_CONFIG", place.path("missing.yaml"));
    });
    assert!(
        said.starts_with("error: cannot read the configuration"),
        "{said}"
    );
}
