//! The page of `attach`: what running recorders say of themselves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use perf_recorder::FlightStatus;
use perf_recorder::control::{ControlError, RemoteStatus};
use perf_render::escape::bounded;
use perf_render::number::{bytes, count, nanos_inline};
use perf_render::{Cell, Column, Document, Fact, Keep, Note, Row, Table, Tone};
use serde::Serialize;

use crate::command::quoted;
use crate::page::counted;

/// The schema of [`Attached`].
const SCHEMA: &str = "perf-analyze/attach/1";

/// Recorders, as JSON shows them.
#[derive(Debug, Serialize)]
pub(crate) struct Attached {
    schema: &'static str,
    recorders: Vec<One>,
    /// They are all that there are, and not those of one process that was asked for.
    #[serde(skip)]
    is_list: bool,
}

/// One recorder.
#[derive(Debug, Default, Serialize)]
pub(crate) struct One {
    pid: u32,
    /// The program's name; empty if it says nothing.
    program: String,
    /// Where the capture goes; of a flight recorder, what its parts are named after.
    capture: Option<String>,
    /// `on`, `off`, or `scopes`: it records only these, and has no switch.
    recording: &'static str,
    uptime_ns: u64,
    records: u64,
    sampled_out: u64,
    lost: u64,
    bytes: u64,
    memory_bytes: u64,
    threads: u64,
    /// Why it cannot write at present.
    failing: Option<String>,
    flight: Option<Flight>,
    /// The file that a snapshot is in, if one was asked for.
    snapshot: Option<String>,
    /// Why it says nothing; then all else is empty.
    error: Option<String>,
}

/// Of a flight recorder.
#[derive(Debug, Serialize)]
struct Flight {
    last_ns: u64,
    window_ns: u64,
    window_bytes: u64,
    window_records: u64,
    snapshots: u64,
    last_snapshot: Option<String>,
    suppressed: u64,
}

impl Attached {
    pub(crate) fn to_process(recorders: Vec<One>) -> Attached {
        Attached {
            schema: SCHEMA,
            recorders,
            is_list: false,
        }
    }

    pub(crate) fn list(recorders: Vec<One>) -> Attached {
        Attached {
            is_list: true,
            ..Attached::to_process(recorders)
        }
    }
}

impl One {
    pub(crate) fn new(pid: u32, status: Result<RemoteStatus, ControlError>) -> One {
        let shown = |path: PathBuf| path.display().to_string();
        let status = match status {
            Ok(status) => status,
            Err(error) => {
                return One {
                    pid,
                    recording: "unknown",
                    error: Some(error.to_string()),
                    ..One::default()
                };
            }
        };
        One {
            pid,
            recording: match status.is_on {
                Some(true) => "on",
                Some(false) => "off",
                None => "scopes",
            },
            uptime_ns: ns(status.uptime),
            records: status.records,
            sampled_out: status.sampled_out,
            lost: status.lost,
            bytes: status.bytes,
            memory_bytes: status.memory_bytes,
            threads: status.threads,
            failing: status.failing,
            flight: status.flight.map(Flight::new),
            snapshot: status.snapshot.map(shown),
            capture: status.capture.map(shown),
            program: status.program,
            error: None,
        }
    }
}

impl Flight {
    fn new(flight: FlightStatus) -> Flight {
        let last = flight.last_snapshot;
        Flight {
            last_ns: ns(flight.last),
            window_ns: ns(flight.window),
            window_bytes: flight.window_bytes,
            window_records: flight.window_records,
            snapshots: flight.snapshots,
            last_snapshot: last.map(|path| path.display().to_string()),
            suppressed: flight.suppressed,
        }
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn document(attached: &Attached) -> Document {
    let mut document = Document::new();
    if attached.is_list {
        list(&mut document, &attached.recorders);
        return document;
    }
    for one in &attached.recorders {
        document.heading(format!("{}, pid {}", bounded(&one.program), one.pid));
        document.facts(facts(one));
        if let Some(path) = &one.snapshot {
            document.note(Note {
                tone: Tone::Dim,
                message: match one.flight {
                    Some(_) => "what the window held is in that file, safe on the disk".to_owned(),
                    None => "all that was recorded is in the capture, safe on the disk".to_owned(),
                },
                remedy: Some(format!("perf-analyze report {}", quoted(path))),
            });
        }
    }
    document
}

fn facts(one: &One) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(
        one.snapshot
            .as_ref()
            .map(|path| Fact::new("snapshot", path)),
    );
    facts.push(match one.recording {
        "on" => Fact::new("recording", "on").tone(Tone::Good),
        "off" => Fact::new("recording", "off; --on switches it on").tone(Tone::Caution),
        _ => Fact::new("recording", "what runs in its scopes"),
    });
    if let Some(capture) = &one.capture {
        facts.push(match one.flight {
            Some(_) => Fact::new("parts", format!("named after {capture}")),
            None => Fact::new("capture", capture),
        });
    }
    let mut records = count(one.records);
    if one.sampled_out > 0 {
        records.push_str(&format!(", sampled out {}", count(one.sampled_out)));
    }
    facts.push(Fact::new(
        "records",
        format!(
            "{records}, of {} in {}",
            counted(one.threads, "thread", "threads"),
            nanos_inline(one.uptime_ns as f64)
        ),
    ));
    facts.push(match one.lost {
        0 => Fact::new("lost", "nothing").tone(Tone::Good),
        lost => Fact::new("lost", counted(lost, "record", "records")).tone(Tone::Bad),
    });
    match &one.flight {
        Some(flight) => facts.extend(flight_facts(flight)),
        None => facts.push(Fact::new("written", bytes(one.bytes))),
    }
    facts.push(Fact::new("rings", bytes(one.memory_bytes)));
    if let Some(failing) = &one.failing {
        facts.push(Fact::new("failing", bounded(failing)).tone(Tone::Bad));
    }
    facts
}

fn flight_facts(flight: &Flight) -> [Fact; 2] {
    let window = format!(
        "{} of {}: {} in {}",
        nanos_inline(flight.window_ns as f64),
        nanos_inline(flight.last_ns as f64),
        counted(flight.window_records, "record", "records"),
        bytes(flight.window_bytes)
    );
    let mut written = match &flight.last_snapshot {
        Some(last) => format!("{}, the last {last}", count(flight.snapshots)),
        None => "none".to_owned(),
    };
    if flight.suppressed > 0 {
        written.push_str(&format!(
            "; {} without one of their own",
            counted(flight.suppressed, "trigger", "triggers")
        ));
    }
    [Fact::new("window", window), Fact::new("snapshots", written)]
}

fn list(document: &mut Document, recorders: &[One]) {
    if recorders.is_empty() {
        document.paragraph("No recorder of this user can be asked here.");
        return;
    }
    let columns = vec![
        Column::new("pid", "pid"),
        Column::new("program", "program"),
        Column::new("recording", "recording"),
        Column::new("records", "records").keep(Keep::IfRoom(3)),
        Column::new("lost", "lost").keep(Keep::IfRoom(2)),
        Column::new("for", "uptime_ns").keep(Keep::IfRoom(4)),
        Column::new("capture", "capture").keep(Keep::IfRoom(1)),
    ];
    let rows = recorders.iter().map(|one| {
        let cells = match &one.error {
            Some(_) => vec![
                Cell::Text(one.pid.to_string()),
                Cell::Absent,
                Cell::Text("no answer".to_owned()),
                Cell::Absent,
                Cell::Absent,
                Cell::Absent,
                Cell::Absent,
            ],
            None => vec![
                Cell::Text(one.pid.to_string()),
                Cell::name(&one.program),
                Cell::Text(one.recording.to_owned()),
                Cell::Count(one.records),
                Cell::Count(one.lost),
                Cell::Nanos(one.uptime_ns as f64),
                Cell::or_absent(one.capture.as_deref(), |path| Cell::name(file_name(path))),
            ],
        };
        let is_well = one.error.is_none() && one.lost == 0 && one.failing.is_none();
        Row::new(cells).tone(if is_well { Tone::Plain } else { Tone::Caution })
    });
    document.table(Table {
        rows: rows.collect(),
        columns,
    });
}

/// A list has no room for whole paths.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// A row for each recorder.
pub(crate) fn sheet(attached: &Attached) -> Table {
    let keys = [
        "pid",
        "program",
        "capture",
        "recording",
        "uptime_ns",
        "records",
        "sampled_out",
        "lost",
        "bytes",
        "memory_bytes",
        "threads",
        "snapshot",
        "error",
    ];
    let text = |text: &Option<String>| Cell::or_absent(text.clone(), Cell::Text);
    let row = |one: &One| {
        Row::new(vec![
            Cell::Count(one.pid.into()),
            Cell::name(&one.program),
            text(&one.capture),
            Cell::Text(one.recording.to_owned()),
            Cell::Nanos(one.uptime_ns as f64),
            Cell::Count(one.records),
            Cell::Count(one.sampled_out),
            Cell::Count(one.lost),
            Cell::Count(one.bytes),
            Cell::Count(one.memory_bytes),
            Cell::Count(one.threads),
            text(&one.snapshot),
            text(&one.error),
        ])
    };
    Table {
        columns: keys.iter().map(|key| Column::new(*key, *key)).collect(),
        rows: attached.recorders.iter().map(row).collect(),
    }
}
