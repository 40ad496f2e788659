//! The tables, from raw figures.

use perf_render::{Cell, Column, Document, Keep, Note, Row, Table, Tone, number};

use super::raw::{Death, Raw, Recording, Task};
use super::subject::{READS, SUBJECTS, Subject};
use super::wins;

/// All tables of a run, with what a peer does better.
pub(crate) fn document(raw: &Raw) -> Document {
    let mut document = Document::new();
    document.heading("Against its peers");
    for (part, run) in &raw.runs {
        let extent = if run.quick {
            ", a quick run: figures waver"
        } else {
            ""
        };
        let (date, machine) = (&run.date, &run.machine);
        document.paragraph(format!("{part}: {date}, {machine}{extent}."));
    }
    if !raw.recording.is_empty() {
        document.paragraph(
            "One span, recorded and kept. A ratio is to two bare clock reads of the same moment in the same process, the \
             median over all bursts and processes; off is a span while nobody listens.",
        );
        document.table(cost(raw));
        document.paragraph(
            "Batches of 64 spans on one thread, time a span; instructions of the recording thread alone.",
        );
        document.table(batches(raw));
        document.paragraph(
            "As fast as it goes on one thread: what was attempted, what of it is in no file afterwards, how large the files are.",
        );
        document.table(speed(raw));
    }
    if !raw.deaths.is_empty() {
        document.paragraph(
            "SIGKILL at a random moment, some 50 000 spans a second: spans whose recording call had returned and that are in no \
             file afterwards; ours after perf-analyze recover.",
        );
        document.table(deaths(raw));
    }
    if !raw.reading.is_empty() {
        document.paragraph(
            "The same spans, recorded by each in turn, and summed up by each one's own tool from its own file: whole processes, warm \
             cache. The answer is the number of spans, which each was given.",
        );
        document.table(tasks(&raw.reading));
    }
    if !raw.analysis.is_empty() {
        document.paragraph(
            "Whole processes, warm cache. A ratio is to perf-analyze with the same question, size and threads.",
        );
        document.table(tasks(&raw.analysis));
    }
    let better = wins::all(raw);
    for win in &better {
        document.note(note(Tone::Caution, win.clone()));
    }
    if better.is_empty() {
        document.note(note(
            Tone::Good,
            "No peer does better in anything measured.".to_owned(),
        ));
    }
    for skipped in raw.runs.values().flat_map(|run| &run.skipped) {
        document.note(note(Tone::Plain, format!("Not measured: {skipped}")));
    }
    document
}

fn note(tone: Tone, message: String) -> Note {
    Note {
        tone,
        message,
        remedy: None,
    }
}

/// The subjects that were measured, in order.
pub(crate) fn measured(raw: &Raw) -> impl Iterator<Item = (&'static Subject, &Recording)> {
    SUBJECTS
        .iter()
        .filter_map(|subject| Some((subject, raw.recording.get(subject.name)?)))
}

fn number(value: Option<f64>) -> Cell {
    Cell::or_absent(value, Cell::Number)
}

fn nanos(value: Option<f64>) -> Cell {
    Cell::or_absent(value, Cell::Nanos)
}

fn table(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Table {
    Table {
        columns,
        rows: rows.into_iter().map(Row::new).collect(),
    }
}

fn cost(raw: &Raw) -> Table {
    let row = |(subject, figures): (&Subject, &Recording)| {
        vec![
            Cell::Text(subject.title.to_owned()),
            nanos(figures.cost("span_ns")),
            number(figures.ratio(1)),
            number(figures.ratio(2)),
            number(figures.ratio(4)),
            nanos(figures.off_ns()),
            Cell::Text(subject.keeps.to_owned()),
        ]
    };
    table(
        vec![
            Column::new("one span", "subject"),
            Column::new("a span", "span_ns"),
            Column::new("ratio", "ratio_1"),
            Column::new("2 threads", "ratio_2"),
            Column::new("4 threads", "ratio_4"),
            Column::new("off", "off_ns"),
            Column::new("kept in", "keeps").keep(Keep::IfRoom(1)),
        ],
        measured(raw).map(row).collect(),
    )
}

fn batches(raw: &Raw) -> Table {
    let row = |(subject, figures): (&Subject, &Recording)| {
        vec![
            Cell::Text(subject.title.to_owned()),
            nanos(figures.cost("batch_p50_ns")),
            nanos(figures.cost("batch_p99_ns")),
            nanos(figures.cost("batch_p99_9_ns")),
            nanos(figures.cost("batch_max_ns")),
            number(figures.instructions),
        ]
    };
    table(
        vec![
            Column::new("batches", "subject"),
            Column::new("p50", "p50_ns"),
            Column::new("p99", "p99_ns"),
            Column::new("p99.9", "p99_9_ns"),
            Column::new("max", "max_ns"),
            Column::new("instructions", "instructions"),
        ],
        measured(raw).map(row).collect(),
    )
}

fn speed(raw: &Raw) -> Table {
    let row = |(subject, figures): (&Subject, &Recording)| {
        vec![
            Cell::Text(subject.title.to_owned()),
            Cell::or_absent(figures.attempted_per_second(1), Cell::PerSecond),
            Cell::or_absent(figures.lost(1), Cell::Share),
            Cell::or_absent(figures.lost(2), Cell::Share),
            Cell::or_absent(figures.kept_per_second(1), Cell::PerSecond),
            number(figures.bytes_per_span(1)),
            Cell::or_absent(figures.peak_bytes(1), |bytes| {
                Cell::Text(number::bytes(bytes as u64))
            }),
        ]
    };
    table(
        vec![
            Column::new("full speed", "subject"),
            Column::new("attempted", "attempted_per_second"),
            Column::new("lost", "lost_1"),
            Column::new("lost, 2 threads", "lost_2"),
            Column::new("into the file", "kept_per_second"),
            Column::new("bytes a span", "bytes_per_span"),
            Column::new("peak memory", "peak_bytes"),
        ],
        measured(raw)
            .filter(|(subject, _)| subject.name != READS)
            .map(row)
            .collect(),
    )
}

fn deaths(raw: &Raw) -> Table {
    let row = |subject: &Subject| {
        let deaths = raw.deaths.get(subject.name)?;
        let lost: u64 = deaths.iter().map(|death| death.lost()).sum();
        let acknowledged: u64 = deaths.iter().map(|death| death.acknowledged).sum();
        let worst = deaths.iter().map(|death: &Death| death.lost()).max();
        Some(vec![
            Cell::Text(subject.title.to_owned()),
            Cell::Count(deaths.len() as u64),
            Cell::Count(acknowledged),
            Cell::Count(lost),
            Cell::Share(lost as f64 / acknowledged.max(1) as f64),
            Cell::or_absent(worst, Cell::Count),
        ])
    };
    table(
        vec![
            Column::new("killed", "subject"),
            Column::new("kills", "kills"),
            Column::new("recorded", "acknowledged"),
            Column::new("lost", "lost"),
            Column::new("of all", "lost_share"),
            Column::new("at worst", "worst"),
        ],
        SUBJECTS.iter().filter_map(row).collect(),
    )
}

fn tasks(tasks: &[Task]) -> Table {
    let row = |task: &Task| {
        let ratio = wins::counterpart(tasks, task)
            .and_then(|ours| Some(task.seconds()? / ours.seconds()?))
            .filter(|_| task.program != wins::PRODUCT);
        vec![
            Cell::Text(task.question.clone()),
            Cell::Text(task.program.clone()),
            Cell::Count(task.spans),
            Cell::Count(task.threads as u64),
            Cell::or_absent(task.seconds(), |seconds| Cell::Nanos(seconds * 1e9)),
            number(ratio),
            Cell::or_absent(task.seconds(), |seconds| {
                Cell::PerSecond(task.spans as f64 / seconds)
            }),
            Cell::Text(number::bytes(task.anonymous_kib * 1024)),
            Cell::Text(number::bytes(task.peak_kib * 1024)),
            Cell::Text(number::bytes(task.read_bytes.max(task.file_bytes))),
            Cell::Text(match task.agrees {
                None => String::new(),
                Some(true) => "same".to_owned(),
                Some(false) => "differs".to_owned(),
            }),
        ]
    };
    let rows = tasks.iter().map(row).collect();
    table(
        vec![
            Column::new("question", "question"),
            Column::new("by", "program"),
            Column::new("spans", "spans"),
            Column::new("threads", "threads"),
            Column::new("time", "time_ns"),
            Column::new("ratio", "ratio"),
            Column::new("spans/s", "spans_per_second").keep(Keep::IfRoom(3)),
            Column::new("memory", "anonymous_bytes"),
            Column::new("with mapped", "peak_bytes").keep(Keep::IfRoom(2)),
            Column::new("file", "file_bytes").keep(Keep::IfRoom(4)),
            Column::new("answer", "agrees").keep(Keep::IfRoom(1)),
        ],
        rows,
    )
}
