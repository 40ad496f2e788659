//! Puts a capture together. Its clock counts ns, so that nothing is rounded.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, EventKind, Extra, FileHeader, Label, OpenSpan,
    Origin, Outcome, RingId, Row, RunHead, SegmentId, SpanId, Tables, Tag, ThreadDescriptor,
    ThreadId, TraceId,
};

use super::number::hash;
use super::{HIGH_HALF, Imported};

/// Rows of a chunk.
const CHUNK_ROWS: usize = 60_000;

/// A span that ended.
pub(super) struct Made<'a> {
    pub(super) thread: &'a str,
    pub(super) name: &'a str,
    /// Unix ns.
    pub(super) start: i64,
    pub(super) end: i64,
    /// High and low half.
    pub(super) trace: (u64, u64),
    pub(super) outcome: Outcome,
    /// What it is called within its trace, and what its parent is; [`SpanId::NONE`] where nothing says so.
    pub(super) id: SpanId,
    pub(super) parent: SpanId,
}

#[derive(Debug, Clone)]
enum What {
    /// A span (its duration), a gauge or a due time.
    Plain(Tag, u64, u32),
    Text(u32, String),
    Int(u32, i64),
    Float(u32, f64),
}

#[derive(Debug, Clone)]
struct Record {
    end: i64,
    thread: u32,
    trace: u64,
    what: What,
    /// Its own id and that of its parent.
    ids: (SpanId, SpanId),
}

/// What was read so far.
pub(super) struct Builder {
    pub(super) counts: Imported,
    from: String,
    events: Vec<(String, EventKind)>,
    event_of: HashMap<(String, u8), u32>,
    threads: Vec<String>,
    thread_of: HashMap<String, u32>,
    keys: Vec<String>,
    key_of: HashMap<String, u32>,
    /// By low half: the high half that came first.
    traces: HashMap<u64, u64>,
    collided: HashMap<(u64, u64), ()>,
    records: Vec<Record>,
    open: Vec<(u32, u32, i64, u64)>,
    first: i64,
    last: i64,
}

impl Builder {
    pub(super) fn new(from: &Path) -> Self {
        let from = from.file_name().unwrap_or_default();
        Self {
            counts: Imported::default(),
            from: from.to_string_lossy().into_owned(),
            events: Vec::new(),
            event_of: HashMap::new(),
            threads: Vec::new(),
            thread_of: HashMap::new(),
            keys: Vec::new(),
            key_of: HashMap::new(),
            traces: HashMap::new(),
            collided: HashMap::new(),
            records: Vec::new(),
            open: Vec::new(),
            first: i64::MAX,
            last: i64::MIN,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.open.is_empty()
    }

    /// Whether all times are within the 292 years that a capture can tell apart.
    pub(super) fn has_room(&self) -> bool {
        self.is_empty() || i64::try_from(self.last.abs_diff(self.first)).is_ok()
    }

    fn event(&mut self, name: &str, kind: EventKind) -> u32 {
        let key = (name.to_owned(), kind.0);
        *self.event_of.entry(key).or_insert_with(|| {
            self.events.push((name.to_owned(), kind));
            self.events.len() as u32 - 1
        })
    }

    fn thread(&mut self, name: &str) -> u32 {
        number(&mut self.threads, &mut self.thread_of, name)
    }

    /// The id here of a trace: its low half. The high half becomes an annotation, once.
    fn trace(&mut self, (high, low): (u64, u64), thread: u32, at: i64) -> u64 {
        if (high, low) == (0, 0) {
            return 0;
        }
        // Half an id of zeros would be no trace at all.
        let id = if low == 0 { high } else { low };
        match self.traces.get(&id) {
            Some(first) if *first == high => {}
            Some(_) => {
                if self.collided.insert((high, low), ()).is_none() {
                    self.counts.collisions += 1;
                }
            }
            None => {
                self.traces.insert(id, high);
                self.counts.traces += 1;
                if high != 0 {
                    let key = self.key(HIGH_HALF);
                    let what = What::Text(key, format!("{high:016x}"));
                    self.push(at, thread, id, what);
                }
            }
        }
        id
    }

    fn key(&mut self, name: &str) -> u32 {
        number(&mut self.keys, &mut self.key_of, name)
    }

    fn push(&mut self, end: i64, thread: u32, trace: u64, what: What) {
        self.first = self.first.min(end);
        self.last = self.last.max(end);
        self.records.push(Record {
            end,
            thread,
            trace,
            what,
            ids: (SpanId::NONE, SpanId::NONE),
        });
    }

    pub(super) fn span(&mut self, made: Made<'_>) {
        let thread = self.thread(made.thread);
        let event = self.event(made.name, EventKind::SPAN);
        let trace = self.trace(made.trace, thread, made.end);
        self.first = self.first.min(made.start);
        let duration = made.end.abs_diff(made.start);
        let what = What::Plain(made.outcome.tag(), duration, event);
        self.push(made.end, thread, trace, what);
        if let Some(record) = self.records.last_mut() {
            record.ids = (made.id, made.parent);
        }
        self.counts.spans += 1;
    }

    pub(super) fn open(&mut self, thread: &str, name: &str, start: i64, trace: (u64, u64)) {
        let thread = self.thread(thread);
        let event = self.event(name, EventKind::SPAN);
        let trace = self.trace(trace, thread, start);
        self.first = self.first.min(start);
        self.last = self.last.max(start);
        self.open.push((thread, event, start, trace));
        self.counts.open += 1;
    }

    pub(super) fn gauge(&mut self, thread: &str, name: &str, at: i64, value: i64) {
        let thread = self.thread(thread);
        let event = self.event(name, EventKind::GAUGE);
        self.push(at, thread, 0, What::Plain(Tag::GAUGE, value as u64, event));
        self.counts.values += 1;
    }

    pub(super) fn due(&mut self, thread: &str, trace: (u64, u64), at: i64, due: i64) {
        let thread = self.thread(thread);
        let trace = self.trace(trace, thread, at);
        self.push(at, thread, trace, What::Plain(Tag::DUE, due as u64, 0));
    }

    pub(super) fn text(&mut self, thread: &str, trace: (u64, u64), at: i64, key: &str, text: &str) {
        let key = self.key(key);
        self.note(thread, trace, at, What::Text(key, text.to_owned()));
    }

    pub(super) fn int(&mut self, thread: &str, trace: (u64, u64), at: i64, key: &str, value: i64) {
        let key = self.key(key);
        self.note(thread, trace, at, What::Int(key, value));
    }

    pub(super) fn float(
        &mut self,
        thread: &str,
        trace: (u64, u64),
        at: i64,
        key: &str,
        value: f64,
    ) {
        let key = self.key(key);
        self.note(thread, trace, at, What::Float(key, value));
    }

    fn note(&mut self, thread: &str, trace: (u64, u64), at: i64, what: What) {
        let thread = self.thread(thread);
        let trace = self.trace(trace, thread, at);
        self.push(at, thread, trace, what);
    }

    /// Writes all of it. The same file gives the same capture, id and all.
    pub(super) fn write<W: Write>(mut self, out: W) -> io::Result<(Imported, W)> {
        self.records.sort_by_key(|record| record.end);
        let header = self.header();
        let base = self.first;
        let ticks = |ns: i64| ns.abs_diff(base) + 1;
        let mut writer = CaptureWriter::new(out, &header)?;
        let anchor = |ns: i64| Anchor {
            ticks: ticks(ns),
            monotonic_raw_ns: ns.saturating_sub(base),
            realtime_ns: ns,
            uncertainty_ns: 0,
            segment: SegmentId(0),
        };
        writer.tables(&self.tables())?;
        writer.anchors(&[anchor(self.first), anchor(self.last.max(self.first))])?;
        let mut sequence: HashMap<u32, u64> = HashMap::new();
        let mut encoder = ChunkEncoder::new();
        for window in self.records.chunks_mut(CHUNK_ROWS) {
            window.sort_by_key(|record| (record.thread, record.end));
            for run in window.chunk_by(|a, b| a.thread == b.thread) {
                let first = sequence.entry(run[0].thread).or_default();
                for record in run {
                    while push(&mut encoder, record, *first, ticks(record.end), &self.keys).is_err()
                    {
                        writer.events(&mut encoder)?;
                        encoder.clear();
                    }
                    *first += 1;
                }
            }
            writer.events(&mut encoder)?;
            encoder.clear();
        }
        let open = { self.open.iter() }.map(|(thread, event, start, trace)| OpenSpan {
            thread: ThreadId(*thread),
            event: EventId(*event),
            start_ticks: ticks(*start),
            trace: TraceId(*trace),
        });
        writer.open_spans(&open.collect::<Vec<_>>())?;
        writer.rollup()?;
        let close = Close {
            reason: CloseReason::STOPPED,
            ticks: ticks(self.last.max(base)),
            unix_ns: self.last.max(base),
            ..Close::default()
        };
        Ok((self.counts, writer.close(close)?))
    }

    fn header(&self) -> FileHeader {
        let mut id = [0; 16];
        let mut content = self.from.clone().into_bytes();
        for record in &self.records {
            content.extend_from_slice(&record.end.to_le_bytes());
            content.extend_from_slice(&record.trace.to_le_bytes());
        }
        id[..8].copy_from_slice(&hash(&content).to_le_bytes());
        content.push(1);
        id[8..].copy_from_slice(&hash(&content).to_le_bytes());
        FileHeader {
            capture_id: CaptureId(id),
            start_unix_ns: self.first,
            origin: Origin {
                command: self.from.clone(),
                ..Origin::default()
            },
            clock: ClockDescriptor {
                source: ClockSource::SYNTHETIC,
                reason: "times come from an imported file".to_owned(),
                ticks_per_second: 1e9,
            },
            labels: vec![Label {
                key: "imported".to_owned(),
                value: self.from.clone(),
            }],
            ..FileHeader::default()
        }
    }

    fn tables(&self) -> Tables {
        let events = self
            .events
            .iter()
            .zip(0..)
            .map(|((name, kind), id)| EventDescriptor {
                id: EventId(id),
                kind: *kind,
                name: name.clone(),
                unit: if *kind == EventKind::SPAN { "ns" } else { "" }.to_owned(),
            });
        let threads = self
            .threads
            .iter()
            .zip(0..)
            .map(|(name, id)| ThreadDescriptor {
                id: ThreadId(id),
                os_tid: 0,
                name: name.clone(),
            });
        Tables {
            events: events.collect(),
            threads: threads.collect(),
            ..Tables::default()
        }
    }
}

fn number(names: &mut Vec<String>, known: &mut HashMap<String, u32>, name: &str) -> u32 {
    if let Some(number) = known.get(name) {
        return *number;
    }
    names.push(name.to_owned());
    known.insert(name.to_owned(), names.len() as u32 - 1);
    names.len() as u32 - 1
}

/// Adds one record as a run of its own; the encoder joins those that follow one another.
fn push(
    encoder: &mut ChunkEncoder,
    record: &Record,
    seq: u64,
    end_ticks: u64,
    keys: &[String],
) -> Result<(), perf_format::ChunkFull> {
    let head = RunHead {
        ring: RingId(record.thread),
        thread: ThreadId(record.thread),
        first_seq: seq,
    };
    encoder.begin_run(head)?;
    let trace = TraceId(record.trace);
    let mut note = |key: u32, value: AnnotationValue<'_>| {
        let key = keys[key as usize].as_bytes();
        encoder.push_annotation(end_ticks, trace, key, value)
    };
    let pushed = match &record.what {
        What::Text(key, text) => note(*key, AnnotationValue::Str(text.as_bytes())),
        What::Int(key, value) => note(*key, AnnotationValue::Int(*value)),
        What::Float(key, value) => note(*key, AnnotationValue::Float(*value)),
        What::Plain(tag, value, event) => encoder.push(&Row {
            end_ticks,
            value: *value,
            trace,
            event: EventId(*event),
            tag: *tag,
        }),
    };
    let (span_id, parent_id) = record.ids;
    if pushed.is_ok() && record.ids != (SpanId::NONE, SpanId::NONE) {
        let extra = Extra {
            span_id,
            parent_id,
            ..Extra::default()
        };
        encoder.set_extra(encoder.rows() - 1, extra);
    }
    encoder.end_run(u32::from(pushed.is_ok()));
    pushed
}
