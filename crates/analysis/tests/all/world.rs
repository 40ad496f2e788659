//! Random captures, and what is in them as plain lists: the oracle knows the records and nothing of the format.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use perf_analysis::report::{EventKind, Outcome};
use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, FileHeader, Label, LossCause, LossEntry, Origin,
    RingId, Row, RunHead, SegmentId, Tables, Tag, ThreadDescriptor, ThreadId, TraceId,
};

/// A small generator of its own, so that a seed means the same for ever.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to `below` − 1.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What a report shows of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) unix_ns: i64,
    pub(crate) kind: EventKind,
    pub(crate) event: String,
    pub(crate) unit: String,
    pub(crate) outcome: Option<Outcome>,
    /// ns for spans.
    pub(crate) value: i128,
    /// Which clock segment.
    pub(crate) segment: u32,
    /// 0 is none.
    pub(crate) trace: u64,
    pub(crate) thread: usize,
}

/// What a trace was annotated with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Noted {
    pub(crate) unix_ns: i64,
    pub(crate) trace: u64,
    pub(crate) value: String,
}

/// Records lost between two instants, ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) count: u64,
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
}

/// A capture and its oracle.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    pub(crate) seen: Vec<Seen>,
    pub(crate) lost: Vec<Lost>,
    pub(crate) noted: Vec<Noted>,
    /// Rows of every kind, also those that a report does not show.
    pub(crate) rows: u64,
    pub(crate) unknown_rows: u64,
    pub(crate) open_spans: u64,
    /// How old these were at the end, in ns.
    pub(crate) open_age_ns: u64,
    pub(crate) label: Option<String>,
}

/// How to make a capture.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) records: usize,
    /// ns of a tick, for each clock segment.
    pub(crate) ns_per_tick: Vec<u64>,
    pub(crate) start_ns: i64,
    pub(crate) label: Option<String>,
    pub(crate) close: bool,
    /// Whether some records are of an event that no table names.
    pub(crate) unnamed: bool,
}

impl Recipe {
    pub(crate) fn new(seed: u64) -> Self {
        let start_ns = 1_790_000_000_123_456_789;
        Self {
            seed,
            records: 3000,
            ns_per_tick: vec![4],
            start_ns,
            label: None,
            close: true,
            unnamed: true,
        }
    }

    pub(crate) fn make(&self) -> World {
        Maker::new(self).make()
    }
}

pub(crate) const SPANS: [&str; 3] = ["alpha", "beta", "alphabet"];
pub(crate) const UNNAMED: u32 = 77;
const THREADS: u64 = 3;
/// Ticks of the last segment.
const OPEN_SINCE: u64 = 7;

/// The events of a world, by id.
fn tables() -> Tables {
    let event = |id: u32, kind, name: &str, unit: &str| EventDescriptor {
        id: EventId(id),
        kind,
        name: name.into(),
        unit: unit.into(),
    };
    use perf_format::EventKind as Kind;
    Tables {
        events: vec![
            event(0, Kind::SPAN, SPANS[0], "ns"),
            event(1, Kind::SPAN, SPANS[1], "ns"),
            event(2, Kind::SPAN, SPANS[2], "ns"),
            event(10, Kind::COUNTER, "orders", "orders"),
            event(11, Kind::GAUGE, "depth", "items"),
            event(12, Kind::OBSERVATION, "size", "bytes"),
        ],
        threads: (0..THREADS as u32)
            .map(|id| ThreadDescriptor {
                id: ThreadId(id),
                os_tid: 0,
                name: format!("worker-{id}"),
            })
            .collect(),
        ..Tables::default()
    }
}

/// A sink whose bytes can be had without closing the capture.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Maker<'a> {
    recipe: &'a Recipe,
    dice: Dice,
    writer: CaptureWriter<Shared>,
    sink: Shared,
    encoder: ChunkEncoder,
    world: World,
    seqs: [u64; THREADS as usize],
    /// Of the running segment.
    segment: SegmentId,
    ns_per_tick: u64,
    first_ticks: u64,
    first_ns: i64,
    now: [u64; THREADS as usize],
}

impl<'a> Maker<'a> {
    fn new(recipe: &'a Recipe) -> Self {
        let mut dice = Dice::new(recipe.seed);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&dice.next().to_le_bytes());
        let label = |value: &String| Label {
            key: "build".into(),
            value: value.clone(),
        };
        let header = FileHeader {
            capture_id: CaptureId(id),
            start_unix_ns: recipe.start_ns,
            origin: Origin {
                host: "here".into(),
                pid: 42,
                command: "world".into(),
                ..Origin::default()
            },
            clock: ClockDescriptor {
                source: ClockSource::SYNTHETIC,
                reason: "made up".into(),
                ticks_per_second: 1e9 / recipe.ns_per_tick[0] as f64,
            },
            labels: recipe.label.iter().map(label).collect(),
            ..FileHeader::default()
        };
        let sink = Shared::default();
        let mut writer = CaptureWriter::new(sink.clone(), &header).unwrap();
        writer.tables(&tables()).unwrap();
        let world = World {
            start_ns: recipe.start_ns,
            label: recipe.label.clone(),
            ..World::default()
        };
        Self {
            recipe,
            dice,
            writer,
            sink,
            encoder: ChunkEncoder::new(),
            world,
            seqs: [0; THREADS as usize],
            segment: SegmentId(0),
            ns_per_tick: recipe.ns_per_tick[0],
            first_ticks: 1_000_000_000,
            first_ns: recipe.start_ns,
            now: [1_000_000_000; THREADS as usize],
        }
    }

    fn make(mut self) -> World {
        let segments = self.recipe.ns_per_tick.len();
        for number in 0..segments {
            if number > 0 {
                self.segment = self.writer.begin_segment().unwrap();
                self.ns_per_tick = self.recipe.ns_per_tick[number];
                self.first_ns = self.world.end_ns + 1_000_000;
                self.first_ticks = 5_000 * number as u64;
                self.now = [self.first_ticks; THREADS as usize];
            }
            self.anchor(self.first_ticks);
            let until = self.recipe.records * (number + 1) / segments;
            while (self.world.rows as usize) < until {
                self.chunk();
            }
            // More than a millisecond on, so that the anchors give the rate.
            let last = self.now.iter().max().unwrap() + 2_000_000;
            self.anchor(last);
            self.world.end_ns = self.unix_ns(last);
            self.world.open_age_ns = (last - OPEN_SINCE) * self.ns_per_tick;
        }
        let open = self.dice.below(4);
        let open_span = perf_format::OpenSpan {
            event: EventId(1),
            start_ticks: OPEN_SINCE,
            ..Default::default()
        };
        self.writer
            .open_spans(&vec![open_span; open as usize])
            .unwrap();
        self.world.open_spans = open;
        let close = Close {
            reason: CloseReason::STOPPED,
            unix_ns: self.world.end_ns,
            ..Close::default()
        };
        if self.recipe.close {
            self.writer.close(close).unwrap();
        }
        self.world.bytes = self.sink.0.take();
        self.world
    }

    fn unix_ns(&self, ticks: u64) -> i64 {
        self.first_ns + ((ticks - self.first_ticks) * self.ns_per_tick) as i64
    }

    fn anchor(&mut self, ticks: u64) {
        let realtime_ns = self.unix_ns(ticks);
        let anchor = Anchor {
            ticks,
            monotonic_raw_ns: ((ticks - self.first_ticks) * self.ns_per_tick) as i64,
            realtime_ns,
            uncertainty_ns: 30 + self.dice.below(100),
            segment: self.segment,
        };
        self.writer.anchors(&[anchor]).unwrap();
    }

    /// A chunk of runs of all threads. Threads run on at their own pace, so chunks overlap in time.
    fn chunk(&mut self) {
        for thread in 0..THREADS as usize {
            let rows = self.dice.below(60) as usize;
            let head = RunHead {
                ring: RingId(thread as u32),
                thread: ThreadId(thread as u32),
                first_seq: self.seqs[thread],
            };
            self.encoder.begin_run(head).unwrap();
            for _ in 0..rows {
                let step = 1 + self.dice.below(400_000);
                self.now[thread] += if self.dice.once_in(5) { 0 } else { step };
                self.row(thread);
                self.seqs[thread] += 1;
                self.world.rows += 1;
            }
            self.encoder.end_run(rows as u32);
            if self.dice.once_in(20) {
                self.loss(thread);
            }
        }
        self.writer.events(&mut self.encoder).unwrap();
        if self.dice.once_in(6) {
            self.writer.rollup().unwrap();
        }
    }

    fn loss(&mut self, thread: usize) {
        let count = 1 + self.dice.below(1000);
        let to_ticks = self.now[thread];
        let from_ticks = to_ticks - self.dice.below(1000).min(to_ticks - self.first_ticks);
        let cause =
            [LossCause::RING_FULL, LossCause::NESTED, LossCause(99)][self.dice.below(3) as usize];
        let (ring, thread) = (RingId(thread as u32), ThreadId(thread as u32));
        self.encoder
            .push_loss(LossEntry {
                ring,
                thread,
                cause,
                count,
                from_ticks,
                to_ticks,
            })
            .unwrap();
        let (from_ns, to_ns) = (self.unix_ns(from_ticks), self.unix_ns(to_ticks));
        self.world.lost.push(Lost {
            count,
            from_ns,
            to_ns,
        });
    }

    fn row(&mut self, thread: usize) {
        let end_ticks = self.now[thread];
        let trace = TraceId(self.dice.below(5));
        let choice = self.dice.below(100);
        if choice < 4 {
            let value = [AnnotationValue::Str(b"EURUSD"), AnnotationValue::Int(-3)]
                [self.dice.below(2) as usize];
            let text = match value {
                AnnotationValue::Int(value) => value.to_string(),
                _ => "EURUSD".to_owned(),
            };
            self.world.noted.push(Noted {
                unix_ns: self.unix_ns(end_ticks),
                trace: trace.0,
                value: text,
            });
            return self
                .encoder
                .push_annotation(end_ticks, trace, b"symbol", value)
                .unwrap();
        }
        let mut value = self.value();
        let (event, tag) = match choice {
            4..6 => (0, Tag::DUE),
            6..8 => (3, Tag(200)),
            8..15 => (10, Tag::COUNTER),
            // One thread only: the order of two threads at one instant is nobody's.
            15..22 if thread == 0 => (11, Tag::GAUGE),
            22..30 => (12, Tag::OBSERVATION),
            30..33 if self.recipe.unnamed => (UNNAMED, Tag::SPAN_OK),
            _ => (
                self.dice.below(3) as u32,
                [1, 1, 1, 1, 2, 3, 4].map(Tag)[self.dice.below(7) as usize],
            ),
        };
        if [Tag::COUNTER, Tag::GAUGE].contains(&tag) && self.dice.once_in(3) {
            value = value.wrapping_neg();
        }
        self.encoder
            .push(&Row {
                end_ticks,
                value,
                trace,
                event: EventId(event),
                tag,
            })
            .unwrap();
        let noted = self.world.seen.len();
        self.note(end_ticks, event, tag, value);
        for seen in &mut self.world.seen[noted..] {
            (seen.trace, seen.thread) = (trace.0, thread);
        }
    }

    /// Of any size up to 2^40, small and large as often; sometimes the same again.
    fn value(&mut self) -> u64 {
        match self.dice.below(10) {
            0 => 0,
            1 => 5000,
            _ => {
                let shift = 24 + self.dice.below(40);
                self.dice.next() >> shift
            }
        }
    }

    fn note(&mut self, end_ticks: u64, event: u32, tag: Tag, value: u64) {
        let unix_ns = self.unix_ns(end_ticks);
        let outcome = match tag.0 {
            1 => Some(Outcome::Ok),
            2 => Some(Outcome::Error),
            3 => Some(Outcome::Cancelled),
            4 => Some(Outcome::Panicked),
            _ => None,
        };
        let (kind, unit, value) = match tag.0 {
            1..=4 => (
                EventKind::Span,
                "ns",
                i128::from(value) * i128::from(self.ns_per_tick),
            ),
            8 => (EventKind::Counter, "orders", i128::from(value as i64)),
            9 => (EventKind::Gauge, "items", i128::from(value as i64)),
            10 => (EventKind::Observation, "bytes", i128::from(value)),
            200 => {
                self.world.unknown_rows += 1;
                return;
            }
            _ => return,
        };
        let event = match event {
            0..3 => SPANS[event as usize].to_owned(),
            10 => "orders".to_owned(),
            11 => "depth".to_owned(),
            12 => "size".to_owned(),
            unnamed => format!("event#{unnamed}"),
        };
        self.world.seen.push(Seen {
            unix_ns,
            kind,
            event,
            unit: unit.to_owned(),
            outcome,
            value,
            segment: self.segment.0,
            trace: 0,
            thread: 0,
        });
    }
}

impl World {
    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, &self.bytes).unwrap();
    }
}
