//! What a peer does better than we do, said in words under the tables.

use perf_render::number;

use super::raw::{Raw, Recording, Task};
use super::subject::{OURS, named};
use super::table::measured;

/// The name of our program in `analysis`.
pub(crate) const PRODUCT: &str = "perf-analyze";

/// A figure of recording of which less is better.
struct Figure {
    what: &'static str,
    of: fn(&Recording) -> Option<f64>,
    shown: fn(f64) -> String,
}

fn times(value: f64) -> String {
    format!("{} ×", number::number(value))
}

fn bytes(value: f64) -> String {
    number::bytes(value as u64)
}

const FIGURES: [Figure; 9] = [
    Figure {
        what: "a span on one thread, against two clock reads",
        of: |figures| figures.ratio(1),
        shown: times,
    },
    Figure {
        what: "a span on 2 threads",
        of: |figures| figures.ratio(2),
        shown: times,
    },
    Figure {
        what: "a span on 4 threads",
        of: |figures| figures.ratio(4),
        shown: times,
    },
    Figure {
        what: "a span while nobody listens",
        of: Recording::off_ns,
        shown: number::nanos_inline,
    },
    Figure {
        what: "p99.9 of batches",
        of: |figures| figures.cost("batch_p99_9_ns"),
        shown: number::nanos_inline,
    },
    Figure {
        what: "instructions",
        of: |figures| figures.instructions,
        shown: number::number,
    },
    Figure {
        what: "bytes a span",
        of: |figures| figures.bytes_per_span(1),
        shown: number::number,
    },
    Figure {
        what: "loss at full speed",
        of: |figures| figures.lost(1),
        shown: number::percent,
    },
    Figure {
        what: "peak memory at full speed",
        of: |figures| figures.peak_bytes(1),
        shown: bytes,
    },
];

/// A line for every figure in which a peer is better.
pub(crate) fn all(raw: &Raw) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(ours) = raw.recording.get(OURS) {
        for figure in &FIGURES {
            lines.extend(recording(raw, ours, figure));
        }
    }
    lines.extend(durability(raw));
    for tasks in [&raw.analysis, &raw.reading] {
        lines.extend(tasks.iter().filter_map(|task| faster(tasks, task)));
    }
    lines
}

/// A line if somebody else did a task faster.
fn faster(tasks: &[Task], task: &Task) -> Option<String> {
    let ours = counterpart(tasks, task)?.seconds()?;
    let theirs = task.seconds()?;
    (task.program != PRODUCT && theirs < ours).then(|| {
        format!(
            "{} is faster at {} of {} spans on {}: {} against {}",
            task.program,
            task.question,
            number::count(task.spans),
            threads(task.threads),
            number::nanos_inline(theirs * 1e9),
            number::nanos_inline(ours * 1e9)
        )
    })
}

fn threads(count: usize) -> String {
    match count {
        1 => "one thread".to_owned(),
        count => format!("{count} threads"),
    }
}

/// Who is better than `ours` at one figure, with what becomes of their spans: it may be nothing.
fn recording(raw: &Raw, ours: &Recording, figure: &Figure) -> Option<String> {
    let ours = (figure.of)(ours)?;
    let better: Vec<String> = measured(raw)
        .filter(|(subject, _)| subject.is_peer())
        .filter_map(|(subject, figures)| {
            let theirs = (figure.of)(figures).filter(|&theirs| theirs < ours)?;
            let shown = (figure.shown)(theirs);
            Some(format!(
                "{} {shown} (kept in: {})",
                subject.title, subject.keeps
            ))
        })
        .collect();
    (!better.is_empty()).then(|| {
        format!(
            "Better than our {} at {}: {}",
            (figure.shown)(ours),
            figure.what,
            better.join(", ")
        )
    })
}

fn durability(raw: &Raw) -> Option<String> {
    let lost = |name: &str| {
        let deaths = raw.deaths.get(name)?;
        Some(deaths.iter().map(|death| death.lost()).sum::<u64>())
    };
    let ours = lost(OURS)?;
    let better: Vec<&str> = raw
        .deaths
        .keys()
        .filter(|name| lost(name).is_some_and(|lost| lost < ours))
        .filter_map(|name| Some(named(name)?.title))
        .collect();
    (!better.is_empty())
        .then(|| format!("Lose less than our {ours} at a kill: {}", better.join(", ")))
}

/// Our own run of the same task.
pub(crate) fn counterpart<'a>(tasks: &'a [Task], task: &Task) -> Option<&'a Task> {
    tasks.iter().find(|ours| {
        ours.program == PRODUCT
            && (&ours.question, ours.spans, ours.threads)
                == (&task.question, task.spans, task.threads)
    })
}
