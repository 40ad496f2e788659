//! From given raw figures to tables; nothing is measured here.

use std::collections::BTreeMap;

use perf_render::{Block, Cell, Document, Table, TextStyle, markdown, text};

use super::raw::{Death, Figures, Raw, Recording, Run, Task};
use super::{Choice, chart, table, wins};

fn figures(values: &[(&str, f64)]) -> Figures {
    let owned = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    owned.collect()
}

/// A subject whose span costs `ratio` clock reads and of whose million spans `written` are in a file of 4 MB.
fn recording(ratio: f64, written: f64) -> Recording {
    let round = |ratio: f64| {
        figures(&[
            ("span_ns", 20.0 * ratio),
            ("reads_ns", 20.0),
            ("ratio", ratio),
            ("batch_p99_9_ns", 40.0 * ratio),
        ])
    };
    Recording {
        // The middle one counts, and not the mean.
        cost: BTreeMap::from([(
            1,
            vec![round(ratio), round(ratio * 9.0), round(ratio * 0.9)],
        )]),
        off: vec![figures(&[("span_ns", 0.5)])],
        instructions: Some(30.0 * ratio),
        speed: BTreeMap::from([(
            1,
            vec![figures(&[
                ("attempted", 1e6),
                ("written", written),
                ("bytes", 4e6),
                ("recording_s", 0.5),
                ("finished_s", 1.0),
                ("peak_kib", 1000.0 * ratio),
            ])],
        )]),
    }
}

fn task(program: &str, seconds: f64, agrees: Option<bool>) -> Task {
    Task {
        question: "traces".to_owned(),
        program: program.to_owned(),
        spans: 1_000_000,
        threads: 2,
        seconds: vec![seconds],
        anonymous_kib: 1,
        peak_kib: 2,
        read_bytes: 3,
        file_bytes: 4,
        agrees,
    }
}

fn raw() -> Raw {
    let death = |acknowledged, found| Death {
        acknowledged,
        found,
    };
    let run = Run {
        date: "2026-01-01".to_owned(),
        machine: "a machine".to_owned(),
        quick: false,
        skipped: vec!["LTTng-UST: no such package".to_owned()],
    };
    Raw {
        runs: BTreeMap::from([("recording".to_owned(), run)]),
        recording: BTreeMap::from([
            ("reads".to_owned(), recording(1.0, 0.0)),
            ("ours".to_owned(), recording(1.1, 1e6)),
            ("puffin".to_owned(), recording(8.0, 5e5)),
        ]),
        deaths: BTreeMap::from([
            ("ours".to_owned(), vec![death(100, 101), death(50, 50)]),
            ("puffin".to_owned(), vec![death(100, 90), death(100, 0)]),
        ]),
        analysis: vec![
            task(wins::PRODUCT, 2.0, None),
            task("DuckDB", 8.0, Some(true)),
            task("Polars", 1.0, Some(false)),
        ],
        reading: vec![
            task(wins::PRODUCT, 1.0, Some(true)),
            task("babeltrace2's counter", 5.0, Some(true)),
        ],
    }
}

fn tables(document: &Document) -> Vec<&Table> {
    document
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        })
        .collect()
}

/// The cells under `key` of the rows whose first cell is `name`.
fn cell(table: &Table, name: &str, key: &str) -> Cell {
    let column = table
        .columns
        .iter()
        .position(|column| column.key == key)
        .expect("the column");
    let row = table
        .rows
        .iter()
        .find(|row| row.cells[0] == Cell::Text(name.to_owned()));
    row.expect("the row").cells[column].clone()
}

#[test]
fn tables_follow_from_the_raw_figures() {
    let raw = raw();
    let document = table::document(&raw);
    let [cost, batches, speed, deaths, reading, analysis] = tables(&document)[..] else {
        panic!("six tables");
    };
    assert_eq!(cell(cost, "puffin", "ratio_1"), Cell::Number(8.0));
    assert_eq!(cell(cost, "puffin", "span_ns"), Cell::Nanos(160.0));
    assert_eq!(cell(cost, "puffin", "ratio_2"), Cell::Absent);
    assert_eq!(cell(batches, "puffin", "instructions"), Cell::Number(240.0));
    assert_eq!(cell(speed, "puffin", "lost_1"), Cell::Share(0.5));
    assert_eq!(cell(speed, "puffin", "bytes_per_span"), Cell::Number(8.0));
    assert_eq!(
        cell(speed, "puffin", "attempted_per_second"),
        Cell::PerSecond(2e6)
    );
    assert_eq!(cell(speed, "perf-probe", "lost_1"), Cell::Share(0.0));
    // One more was found than was acknowledged: it had been published, and its call not yet returned.
    assert_eq!(cell(deaths, "perf-probe", "lost"), Cell::Count(0));
    assert_eq!(cell(deaths, "puffin", "lost"), Cell::Count(110));
    assert_eq!(cell(deaths, "puffin", "worst"), Cell::Count(100));
    let column = |table: &Table, key: &str| {
        let at = table.columns.iter().position(|column| column.key == key);
        let at = at.expect("the column");
        table
            .rows
            .iter()
            .map(|row| row.cells[at].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        column(analysis, "ratio"),
        [Cell::Absent, Cell::Number(4.0), Cell::Number(0.5)]
    );
    assert_eq!(
        column(analysis, "agrees")[1..],
        [Cell::Text("same".into()), Cell::Text("differs".into())]
    );
    // The same program and question as in the other table, and never mixed up with it.
    assert_eq!(column(reading, "ratio"), [Cell::Absent, Cell::Number(5.0)]);
}

#[test]
fn where_a_peer_wins_the_page_says_so() {
    let mut raw = raw();
    let lines = wins::all(&raw);
    assert!(
        matches!(&lines[..], [line] if line.starts_with("Polars is faster at traces")),
        "{lines:?}"
    );
    raw.analysis.clear();
    raw.recording
        .insert("metrics".to_owned(), recording(1.05, 0.0));
    let page = markdown(&table::document(&raw), true);
    assert!(page.contains("Better than our 1.10 ×"), "{page}");
    assert!(
        page.contains("metrics 1.05 × (kept in: values, no spans)"),
        "{page}"
    );
    raw.recording.remove("metrics");
    let page = text(&table::document(&raw), TextStyle::default());
    assert!(page.contains("No peer does better"), "{page}");
    assert!(
        page.contains("Not measured: LTTng-UST: no such package"),
        "{page}"
    );
}

#[test]
fn only_names_parts_and_peers() {
    let names = |only| -> (Vec<&str>, Vec<&str>) {
        let choice = Choice::of(only).expect("a choice");
        let subjects = choice.subjects.iter().map(|subject| subject.name).collect();
        (choice.parts, subjects)
    };
    assert_eq!(
        names(None).0,
        ["recording", "durability", "reading", "analysis"]
    );
    assert_eq!(
        names(Some("puffin")),
        (
            vec!["recording", "durability"],
            vec!["reads", "ours", "puffin"]
        )
    );
    assert_eq!(names(Some("durability,puffin")).0, ["durability"]);
    assert_eq!(names(Some("analysis")).0, ["analysis"]);
    assert!(Choice::of(Some("pufin")).is_err());
}

#[test]
fn raw_figures_survive_being_kept() {
    let kept = serde_json::to_string(&raw()).expect("figures");
    let read: Raw = serde_json::from_str(&kept).expect("what was just written");
    let page = |raw: &Raw| markdown(&table::document(raw), true);
    assert_eq!(page(&read), page(&raw()));
}

#[test]
fn charts_have_a_bar_for_every_figure() {
    let raw = raw();
    let bars = chart::recording(&raw);
    assert_eq!(
        bars.iter().map(|bar| bar.value).collect::<Vec<_>>(),
        [1.0, 1.1, 8.0]
    );
    let svg = chart::bars("A title", "and more", &bars).expect("a chart");
    assert!(
        ["A title", "puffin", "8.00 ×"]
            .iter()
            .all(|words| svg.contains(words)),
        "{svg}"
    );
    assert_eq!(chart::analysis(&raw).len(), 3);
    assert!(chart::scaling(&raw).is_empty(), "one size is no line");
}
