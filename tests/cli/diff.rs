//! `diff` and `calibrate`: verdicts, exit codes, every form, and the gate of the README.

use std::process::Command;

use perf_format::{
    Anchor, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource, Close,
    CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Label, Origin, RingId, Row,
    RunHead, SegmentId, Tables, Tag, ThreadDescriptor, ThreadId, TraceId,
};
use serde_json::Value;

use super::run::{CHANGES_OUTPUT, Folder, binary};

const NOON: i64 = 1_777_636_800_000_000_000;
const FIRST_TICKS: u64 = 5_000_000_000;
const TRACES: u64 = 4000;
const EVERY: u64 = 2_500_000;
/// Parts of a thousand.
const USUAL: u64 = 1000;

/// A capture of requests, each with a query, in which everything known to differ is a number.
#[derive(Clone, Copy)]
struct Made {
    seed: u64,
    /// How long a query takes, in parts of a thousand of the usual.
    query: u64,
    /// One in so many fails.
    fails: u64,
    /// The name of the query's event.
    event: &'static str,
    host: &'static str,
}

impl Default for Made {
    fn default() -> Made {
        Made {
            seed: 1,
            query: USUAL,
            fails: 200,
            event: "QUERY",
            host: "build-7",
        }
    }
}

impl Made {
    fn bytes(self) -> Vec<u8> {
        let mut writer = CaptureWriter::new(Vec::new(), &self.header()).expect("a header");
        let event = |id, name: &str| EventDescriptor {
            id: EventId(id),
            kind: EventKind::SPAN,
            name: name.to_owned(),
            unit: "ns".to_owned(),
        };
        let thread = ThreadDescriptor {
            id: ThreadId(1),
            os_tid: 4711,
            name: "worker".to_owned(),
        };
        let tables = Tables {
            events: vec![event(1, "REQUEST"), event(2, self.event)],
            threads: vec![thread],
            ..Tables::default()
        };
        writer.tables(&tables).expect("tables");
        let length = TRACES * EVERY;
        writer
            .anchors(&[anchor(0), anchor(length)])
            .expect("anchors");
        let mut encoder = ChunkEncoder::new();
        for first in (0..TRACES).step_by(500) {
            let rows: Vec<Row> = (first..first + 500)
                .flat_map(|number| self.rows(number))
                .collect();
            let head = RunHead {
                ring: RingId(0),
                thread: ThreadId(1),
                first_seq: first * 2,
            };
            assert_eq!(encoder.push_run(head, rows.iter().copied()), rows.len());
            writer.events(&mut encoder).expect("a chunk");
        }
        let close = Close {
            reason: CloseReason::STOPPED,
            ticks: FIRST_TICKS + length,
            unix_ns: NOON + length as i64,
            ..Close::default()
        };
        writer.close(close).expect("a vector takes every byte")
    }

    fn header(self) -> FileHeader {
        FileHeader {
            capture_id: CaptureId([self.seed as u8; 16]),
            start_unix_ns: NOON,
            origin: Origin {
                host: self.host.to_owned(),
                pid: 1,
                boot_id: "0b007".to_owned(),
                command: "server".to_owned(),
                arena: String::new(),
            },
            clock: ClockDescriptor {
                source: ClockSource::SYNTHETIC,
                reason: "made for a test".to_owned(),
                ticks_per_second: 1e9,
            },
            labels: vec![Label {
                key: "version".to_owned(),
                value: self.query.to_string(),
            }],
            ..FileHeader::default()
        }
    }

    /// A query of about 400 µs in a request that takes 100 µs more.
    fn rows(self, number: u64) -> [Row; 2] {
        let bits = hash(self.seed << 32 | number);
        let query = (360_000 + bits % 80_000) * self.query / USUAL;
        let failed = (number + self.seed).is_multiple_of(self.fails);
        let start = FIRST_TICKS + number * EVERY;
        let trace = TraceId(hash(number + 1));
        let row = |end_ticks, value, event, tag| Row {
            end_ticks,
            value,
            trace,
            event: EventId(event),
            tag,
        };
        let tag = if failed {
            Tag::SPAN_ERROR
        } else {
            Tag::SPAN_OK
        };
        [
            row(start + 50_000 + query, query, 2, tag),
            row(start + 100_000 + query, 100_000 + query, 1, tag),
        ]
    }
}

fn hash(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    bits ^ (bits >> 29)
}

fn anchor(ns: u64) -> Anchor {
    Anchor {
        ticks: FIRST_TICKS + ns,
        monotonic_raw_ns: 77 + ns as i64,
        realtime_ns: NOON + ns as i64,
        uncertainty_ns: 250,
        segment: SegmentId(0),
    }
}

/// A folder with base and new captures of many runs: `base/`, `same/` and `slow/`, six of each; and ten more in `runs/`.
pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    for (name, query, first, count) in [
        ("base", USUAL, 10, 6),
        ("same", USUAL, 20, 6),
        ("slow", 1300, 30, 6),
        ("runs", USUAL, 40, 10),
    ] {
        std::fs::create_dir(folder.path(name)).expect("a folder");
        for number in 0..count {
            let made = Made {
                seed: first + number,
                query,
                ..Made::default()
            };
            folder.write(&format!("{name}/{number}.bin"), &made.bytes());
        }
    }
    folder
}

#[test]
fn many_a_side() {
    let folder = folder();
    let diff = |new: &str, fail_on: &str| {
        let args = [
            "diff",
            "--base",
            "base",
            "--new",
            new,
            "--fail-on",
            fail_on,
            "--format",
            "json",
        ];
        let ran = folder.run(&args);
        let json: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        (ran.code, json)
    };
    let (code, same) = diff("same", "regression,inconclusive");
    assert_eq!(
        (code, same["outcome"].as_str()),
        (Some(0), Some("same")),
        "{same:#}"
    );
    assert_eq!(same["schema"], "perf-analyze/diff/1");
    assert_eq!(same["method"]["kind"], "permutation");
    let (code, slow) = diff("slow", "regression");
    assert_eq!(
        (code, slow["outcome"].as_str()),
        (Some(1), Some("regression"))
    );
    // The flow takes 500 µs, of which 400 got 30 % slower.
    let row = &slow["rows"][0];
    assert_eq!(
        (row["kind"].as_str(), row["measure"].as_str()),
        (Some("flow"), Some("p50"))
    );
    let change = row["change"].as_f64().expect("a number");
    assert!((0.23..0.25).contains(&change), "{change}");
    let [low, high] = ["low", "high"].map(|end| row[end].as_f64().expect("a number"));
    assert!(low < change && change < high && low > 0.2, "{low} {high}");
    let owner = &slow["explanations"][0]["owners"][0];
    assert_eq!(owner["owner"], "QUERY");
    let moved = owner["new_ns"].as_f64().unwrap() - owner["base_ns"].as_f64().unwrap();
    assert!((110_000.0..130_000.0).contains(&moved), "{moved}");
}

#[test]
fn one_a_side_is_provisional_and_noise_makes_it_certain() {
    let folder = folder();
    let fail = ["--fail-on", "regression"];
    let diff = |base: &str, new: &str, more: &[&str]| {
        folder.run(&[&["diff", base, new][..], &fail, more].concat())
    };
    let blind = diff("base/0.bin", "slow/0.bin", &[]);
    assert_eq!(blind.code, Some(4));
    assert!(
        blind.stdout.starts_with("provisionally: slower: "),
        "{}",
        blind.stdout
    );
    assert_eq!(diff("base/0.bin", "same/0.bin", &[]).code, Some(0));
    let told = folder.stdout(&["calibrate", "runs", "-o", "noise.json"]);
    assert!(
        told.contains("QUERY") && told.contains("10 of 10.0 s"),
        "{told}"
    );
    let noise = ["--noise", "noise.json"];
    let slow = diff("base/0.bin", "slow/0.bin", &noise);
    assert_eq!(slow.code, Some(1), "{}", slow.stdout);
    assert!(slow.stdout.contains(" p99 "), "{}", slow.stdout);
    assert_eq!(diff("base/0.bin", "same/0.bin", &noise).code, Some(0));
    // Two a side without noise say nothing.
    let two = [
        "--base",
        "base/0.bin",
        "base/1.bin",
        "--new",
        "slow/0.bin",
        "slow/1.bin",
    ];
    let few = folder.run(&[&["diff"][..], &two, &["--fail-on", "inconclusive"]].concat());
    assert_eq!(few.code, Some(4), "{}", few.stdout);
    let few = folder.run(&[&["diff"][..], &two, &fail, &noise].concat());
    assert_eq!(few.code, Some(1), "{}", few.stdout);
    // Learnt elsewhere, the noise makes nothing certain.
    let elsewhere = Made {
        host: "laptop",
        ..Made::default()
    };
    folder.write("elsewhere.bin", &elsewhere.bytes());
    let slow = Made {
        host: "laptop",
        seed: 2,
        query: 1300,
        ..Made::default()
    };
    folder.write("slow.bin", &slow.bytes());
    assert_eq!(diff("elsewhere.bin", "slow.bin", &noise).code, Some(4));
}

#[test]
fn what_is_wrong_is_said() {
    let folder = folder();
    let run = |args: &[&str]| folder.run(&[&["diff", "base/0.bin"][..], args].concat());
    assert_eq!(run(&[]).code, Some(2));
    assert_eq!(run(&["same/0.bin", "--bound", "0"]).code, Some(2));
    assert_eq!(run(&["same/0.bin", "--gate", "QUERY"]).code, Some(2));
    run(&["same/0.bin", "--gate", "QUERRY:p99"]).fails(
        3,
        "no event or flow is called `QUERRY`, so nothing can be said about it; did you mean QUERY?",
    );
    assert_eq!(run(&["none.bin"]).code, Some(3));
    run(&["same/0.bin", "--noise", "base/0.bin"]).fails(
        3,
        "base/0.bin: cannot be read: stream did not contain valid UTF-8",
    );
    folder.write("no.json", b"{\"schema\": \"x\"}");
    let ran = run(&["same/0.bin", "--noise", "no.json"]);
    assert!(
        ran.stderr.starts_with("error: no.json: is no noise file: "),
        "{}",
        ran.stderr
    );
    folder.run(&["calibrate", "base"]).fails(
        3,
        "6 captures are too few: how runs differ takes 10 or more",
    );
    // Another event is another program.
    let other = Made {
        event: "LOOKUP",
        seed: 3,
        ..Made::default()
    };
    folder.write("other.bin", &other.bytes());
    let ran = run(&["other.bin", "--fail-on", "regression"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stdout.starts_with("not comparable"), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("error: not comparable: "),
        "{}",
        ran.stderr
    );
    assert_eq!(run(&["other.bin"]).code, Some(0));
}

#[test]
fn failing_more_is_a_regression() {
    let folder = folder();
    for number in 0..6 {
        let made = Made {
            seed: 60 + number,
            query: 700,
            fails: 20,
            ..Made::default()
        };
        folder.write(&format!("fail{number}.bin"), &made.bytes());
    }
    let args = [
        "diff",
        "--base",
        "base",
        "--new",
        "fail*.bin",
        "--fail-on",
        "regression",
    ];
    let ran = folder.run(&args);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("errors +4"), "{}", ran.stdout);
    assert!(ran.stdout.contains("faster"), "{}", ran.stdout);
}

#[test]
fn every_form_at_any_number_of_threads() {
    let folder = folder();
    let run = |threads: &str, form: &str| {
        let args = [
            "diff",
            "base/0.bin",
            "slow/0.bin",
            "--gate",
            "QUERY:p90",
            "--plots",
            "plots",
        ];
        folder.stdout(&[&args[..], &["--threads", threads, "--format", form]].concat())
    };
    for form in ["text", "json", "markdown", "junit"] {
        let one = run("1", form).replace("--threads 1 ", "");
        let picture = folder.read("plots/diff-1-shift.svg");
        let three = run("3", form).replace("--threads 3 ", "");
        assert_eq!(one, three);
        assert_eq!(picture, folder.read("plots/diff-1-shift.svg"));
    }
    for name in folder_names(&folder, "plots") {
        let svg = folder.read(&format!("plots/{name}"));
        roxmltree::Document::parse(&svg).expect("an SVG is XML");
        assert!(svg.len() < 200_000);
    }
    let xml = run("2", "junit");
    let parsed = roxmltree::Document::parse(&xml).expect("XML");
    let cases = parsed
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    // p50 and errors of the flow, and the gate with errors of its event.
    assert_eq!(cases.count(), 4);
    let comment = run("2", "markdown");
    assert!(
        comment.starts_with("## provisionally: slower: "),
        "{comment}"
    );
    assert_eq!(
        comment.matches("<details>").count(),
        comment.matches("</details>").count()
    );
    assert!(
        comment.contains("```sh\nperf-analyze diff base/0.bin slow/0.bin "),
        "{comment}"
    );
    for columns in [80, 100] {
        let page = folder.in_columns(columns, &["diff", "base/0.bin", "slow/0.bin"]);
        assert!(
            page.lines().all(|line| line.chars().count() <= columns),
            "{page}"
        );
    }
}

#[test]
fn a_page_holds_all_of_it() {
    let folder = folder();
    let sides = ["--base", "base", "--new", "slow"];
    let args = [&["diff"], &sides[..], &["--html", "diff.html"]].concat();
    let shown = folder.stdout(&args);
    assert_eq!(shown, folder.stdout(&[&["diff"], &sides[..]].concat()));
    let page = folder.read("diff.html");
    for part in [
        "<h1>slower: REQUEST",
        "<span class=\"badge bad\">REGRESSION</span>",
        "Content-Security-Policy",
        "<section id=\"gated\" class=\"filtered\">",
        "<section id=\"moved\" class=\"filtered\">",
        "<section id=\"plots\">",
        "what moved in",
        "perf-analyze diff --base base --new slow",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Curves and a shift of the flow.
    assert_eq!(page.matches("<figure>").count(), 2);
    assert!(page.len() < 500_000, "{}", page.len());
    let refused = folder.run(&[&["diff"], &sides[..], &["--html", "-"]].concat());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}

fn folder_names(folder: &Folder, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path(name)).expect("a folder");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn hostile_names_are_shown_as_text() {
    let folder = Folder::new();
    for (name, seed) in [("a.bin", 1), ("b.bin", 2)] {
        let made = Made {
            seed,
            event: "<script>\u{1b}[2J`\n\u{202e}x",
            ..Made::default()
        };
        folder.write(name, &made.bytes());
    }
    for form in ["text", "json", "markdown", "junit"] {
        let page = folder.stdout(&["diff", "a.bin", "b.bin", "--format", form, "--wide"]);
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{form}: {page}");
    }
    folder.stdout(&["diff", "a.bin", "b.bin", "--html", "diff.html"]);
    let page = folder.read("diff.html");
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
}

/// The shell example of the README, on the captures that it speaks of.
#[test]
fn the_gate_of_the_readme_runs() {
    let readme = include_str!("../../README.md");
    let start = readme
        .find("```sh\n# gate.sh")
        .expect("the README has the example");
    let script = &readme[start + "```sh\n".len()..];
    let script = &script[..script.find("```").expect("the example ends")];
    let folder = folder();
    let run = |new: &str| {
        let _ = std::fs::remove_dir_all(folder.path("new"));
        std::fs::create_dir(folder.path("new")).expect("a folder");
        for name in folder_names(&folder, new) {
            std::fs::copy(
                folder.path(&format!("{new}/{name}")),
                folder.path(&format!("new/{name}")),
            )
            .expect("a copy");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = binary().parent().expect("a folder").display();
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder.path("."));
        command.env("PATH", format!("{bin}:{path}"));
        for name in CHANGES_OUTPUT {
            command.env_remove(name);
        }
        let output = command.output().expect("a shell");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, said) = run("same");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run("slow");
    assert_eq!(code, Some(1), "{said}");
    assert!(folder.read("diff.md").starts_with("## slower: "));
}
