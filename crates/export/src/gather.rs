//! One part of the records as rows of the tables that are made of single records.

use std::mem::take;

use perf_analysis::records::{ChunkRows, Record};
use perf_format::{AnnotationValue, TagClass};

use crate::bins::Counter;
use crate::dictionary::Dictionaries;
use crate::frame::{Frame, Values};
use crate::table::Table;

/// Which of the tables are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) spans: bool,
    pub(crate) values: bool,
    pub(crate) annotations: bool,
}

/// Rows as they are gathered, part by part, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    wanted: Wanted,
    capture: usize,
    spans: Spans,
    values: Notes,
    notes: Annotations,
    pub(crate) counter: Option<Counter>,
    /// Observations above what the column holds.
    pub(crate) too_great: u64,
}

#[derive(Debug, Default)]
struct Spans {
    start: Vec<i64>,
    duration: Vec<i64>,
    event: Vec<u32>,
    outcome: Vec<u32>,
    trace: Vec<u64>,
    thread: Vec<u32>,
}

#[derive(Debug, Default)]
struct Notes {
    time: Vec<i64>,
    event: Vec<u32>,
    kind: Vec<u32>,
    value: Vec<i64>,
    trace: Vec<u64>,
    thread: Vec<u32>,
}

#[derive(Debug, Default)]
struct Annotations {
    time: Vec<i64>,
    trace: Vec<u64>,
    key: Vec<Option<String>>,
    kind: Vec<u32>,
    text: Vec<Option<String>>,
    int: Vec<Option<i64>>,
    float: Vec<Option<f64>>,
    thread: Vec<u32>,
}

impl Gathered {
    /// Begins a part of a capture.
    pub(crate) fn begin(&mut self, capture: usize, wanted: Wanted, counter: Option<Counter>) {
        self.capture = capture;
        self.wanted = wanted;
        self.counter = counter;
        self.too_great = 0;
    }

    /// Takes back the memory of rows that are done with.
    pub(crate) fn take_back(&mut self, frame: Frame) {
        if frame.table != Table::Spans {
            return;
        }
        let mut columns = frame.columns.into_iter();
        let mut next = || columns.next().unwrap_or(Values::Same(0, 0));
        let (start, duration) = (next().into_ints(), next().into_ints());
        let (event, outcome) = (next().into_names(), next().into_names());
        self.spans = Spans {
            start,
            duration,
            event,
            outcome,
            trace: next().into_ids(),
            thread: next().into_names(),
        };
    }

    /// Takes the rows of a chunk.
    pub(crate) fn add(&mut self, rows: &ChunkRows<'_>) {
        rows.for_each(|record| {
            let series = rows.series()[usize::from(record.series)];
            match series.class {
                TagClass::Span(outcome) => {
                    if let Some(counter) = &mut self.counter {
                        let key = (self.capture, series.event, outcome as u8);
                        counter.add(record.series.into(), key, record.end_unix_ns, record.value);
                    }
                    if self.wanted.spans {
                        self.spans.push(record, series.event, outcome as u32);
                    }
                }
                TagClass::Counter | TagClass::Gauge | TagClass::Observation => {
                    let kind = match series.class {
                        TagClass::Counter => 0,
                        TagClass::Gauge => 1,
                        _ => 2,
                    };
                    if self.wanted.values {
                        self.too_great += self.values.push(record, series.event, kind);
                    }
                }
                TagClass::Annotation if self.wanted.annotations => {
                    if let Some((key, value)) = rows.annotation(record) {
                        self.notes.push(record, key, value);
                    }
                }
                TagClass::Due if self.wanted.annotations => self.notes.push_due(record),
                TagClass::Annotation | TagClass::Due | TagClass::Unknown => {}
            }
        });
    }

    /// The rows, by table; tables without rows are left out.
    pub(crate) fn frames(&mut self, names: &Dictionaries) -> Vec<Frame> {
        let (capture, host) = (self.capture as u32, names.host_of[self.capture]);
        let mut frames = Vec::new();
        let same = Values::Same;
        let rows = self.spans.start.len();
        if rows > 0 {
            let spans = take(&mut self.spans);
            let columns = vec![
                Values::Int(spans.start),
                Values::Int(spans.duration),
                Values::Name(spans.event),
                Values::Name(spans.outcome),
                Values::Id(spans.trace),
                Values::Name(spans.thread),
                same(capture, rows),
                same(host, rows),
            ];
            frames.push(Frame::new(Table::Spans, columns));
        }
        let values = take(&mut self.values);
        let rows = values.time.len();
        if rows > 0 {
            let unit = |event: &u32| names.unit_of[*event as usize];
            let units = values.event.iter().map(unit).collect();
            let columns = vec![
                Values::Int(values.time),
                Values::Name(values.event),
                Values::Name(values.kind),
                Values::Int(values.value),
                Values::Name(units),
                Values::Id(values.trace),
                Values::Name(values.thread),
                same(capture, rows),
                same(host, rows),
            ];
            frames.push(Frame::new(Table::Values, columns));
        }
        let notes = take(&mut self.notes);
        let rows = notes.time.len();
        if rows > 0 {
            let columns = vec![
                Values::Int(notes.time),
                Values::Id(notes.trace),
                Values::Text(notes.key),
                Values::Name(notes.kind),
                Values::Text(notes.text),
                Values::OptInt(notes.int),
                Values::Float(notes.float),
                Values::Name(notes.thread),
                same(capture, rows),
            ];
            frames.push(Frame::new(Table::Annotations, columns));
        }
        frames
    }
}

impl Spans {
    #[inline]
    fn push(&mut self, record: &Record, event: u32, outcome: u32) {
        self.start.push(record.start_unix_ns);
        self.duration.push(record.value.min(i64::MAX as u64) as i64);
        self.event.push(event);
        self.outcome.push(outcome);
        self.trace.push(record.trace);
        self.thread.push(record.thread);
    }
}

impl Notes {
    /// 1 if the value is greater than the column holds.
    fn push(&mut self, record: &Record, event: u32, kind: u32) -> u64 {
        let is_observation = kind == 2;
        let value = match is_observation {
            true => record.value.min(i64::MAX as u64) as i64,
            false => record.value as i64,
        };
        self.time.push(record.end_unix_ns);
        self.event.push(event);
        self.kind.push(kind);
        self.value.push(value);
        self.trace.push(record.trace);
        self.thread.push(record.thread);
        u64::from(is_observation && record.value > i64::MAX as u64)
    }
}

impl Annotations {
    fn push(&mut self, record: &Record, key: &[u8], value: AnnotationValue<'_>) {
        let (kind, text, int, float) = match value {
            AnnotationValue::Str(text) => {
                (0, String::from_utf8_lossy(text).into_owned(), None, None)
            }
            AnnotationValue::Int(int) => (1, int.to_string(), Some(int), None),
            AnnotationValue::Float(float) => (2, float.to_string(), None, Some(float)),
        };
        self.row(record, String::from_utf8_lossy(key).into_owned(), kind);
        self.text.push(Some(text));
        self.int.push(int);
        self.float.push(float);
    }

    fn push_due(&mut self, record: &Record) {
        let due = record.value as i64;
        self.row(record, "due".to_owned(), 3);
        self.text.push(Some(due.to_string()));
        self.int.push(Some(due));
        self.float.push(None);
    }

    fn row(&mut self, record: &Record, key: String, kind: u32) {
        self.time.push(record.end_unix_ns);
        self.trace.push(record.trace);
        self.key.push(Some(key));
        self.kind.push(kind);
        self.thread.push(record.thread);
    }
}
