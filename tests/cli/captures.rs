//! Captures made by hand, in which every figure is known.

use perf_format::{
    Anchor, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource, Close,
    CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Label, LossCause, LossEntry,
    Notes, OpenSpan, Origin, RingId, Row, RunHead, SegmentId, SelfCost, Tables, Tag,
    ThreadDescriptor, ThreadId, TraceId,
};

/// 2026-05-01T12:00:00Z, when every capture here starts.
pub(crate) const NOON: i64 = 1_777_636_800_000_000_000;
/// The tick counter at that time. One tick is one nanosecond.
const FIRST_TICKS: u64 = 5_000_000_000;
const SECOND: u64 = 1_000_000_000;

const CANDLE: EventId = EventId(1);
const ORDER: EventId = EventId(2);
const SUBMITTED: EventId = EventId(3);
const BACKLOG: EventId = EventId(4);
const PAUSE: EventId = EventId(5);
const BATCH: EventId = EventId(6);

/// What is to be different about a capture.
pub(crate) struct Capture {
    pub(crate) id: u8,
    pub(crate) version: Option<&'static str>,
    /// The name of the first event.
    pub(crate) candle: String,
    /// Candles, one every 10 ms. There is an order for every tenth, and every tenth of these is rejected.
    pub(crate) candles: u64,
    pub(crate) lost: u64,
    pub(crate) open: u64,
    pub(crate) closed: bool,
    /// The clock anchors once more at the end, as a recovered file has them.
    pub(crate) anchors_repeated: bool,
}

impl Default for Capture {
    fn default() -> Capture {
        Capture {
            id: 1,
            version: Some("1.2.3"),
            candle: "CANDLE_PROCESSING".to_owned(),
            candles: 6000,
            lost: 0,
            open: 0,
            closed: true,
            anchors_repeated: false,
        }
    }
}

/// The duration of candle `number` in ns: 10 000, 10 010 … 19 990, and again.
pub(crate) fn candle_ns(number: u64) -> u64 {
    10_000 + number % 1000 * 10
}

/// How many candles share a chunk.
const CANDLES_A_CHUNK: u64 = 1000;

impl Capture {
    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.write().expect("a vector takes every byte")
    }

    fn write(&self) -> std::io::Result<Vec<u8>> {
        let mut writer = CaptureWriter::new(Vec::new(), &self.header())?;
        let length_ns = self.candles * 10_000_000;
        let end_ticks = FIRST_TICKS + length_ns;
        writer.tables(&self.tables())?;
        writer.anchors(&[anchor(0), anchor(length_ns)])?;
        let mut encoder = ChunkEncoder::new();
        let mut next_seq = [0, 0];
        for first in (0..self.candles).step_by(CANDLES_A_CHUNK as usize) {
            let numbers = first..(first + CANDLES_A_CHUNK).min(self.candles);
            for (place, rows) in [self.feed_rows(numbers.clone()), self.executor_rows(numbers)]
                .into_iter()
                .enumerate()
            {
                let head = RunHead {
                    ring: RingId(place as u32),
                    thread: ThreadId(place as u32 + 1),
                    first_seq: next_seq[place],
                };
                next_seq[place] += rows.len() as u64;
                let pushed = encoder.push_run(head, rows.iter().copied());
                assert_eq!(pushed, rows.len(), "the chunk holds every row");
            }
            if first == 0 && self.lost > 0 {
                let loss = LossEntry {
                    ring: RingId(0),
                    thread: ThreadId(1),
                    cause: LossCause::RING_FULL,
                    count: self.lost,
                    from_ticks: FIRST_TICKS + SECOND,
                    to_ticks: FIRST_TICKS + 2 * SECOND,
                };
                encoder.push_loss(loss).expect("the chunk has room");
            }
            writer.events(&mut encoder)?;
        }
        if self.anchors_repeated {
            writer.anchors(&[anchor(0), anchor(length_ns)])?;
        }
        writer.notes(&notes(length_ns, self.candles))?;
        let open = OpenSpan {
            thread: ThreadId(2),
            event: ORDER,
            start_ticks: end_ticks,
            trace: TraceId::NONE,
        };
        writer.open_spans(&vec![open; self.open as usize])?;
        match self.closed {
            false => {
                writer.rollup()?;
                unclosed(writer)
            }
            true => writer.close(Close {
                reason: CloseReason::STOPPED,
                ticks: end_ticks,
                unix_ns: NOON + length_ns as i64,
                lost: self.lost,
                ..Close::default()
            }),
        }
    }

    fn header(&self) -> FileHeader {
        let label = |value: &str| Label {
            key: "version".to_owned(),
            value: value.to_owned(),
        };
        FileHeader {
            capture_id: CaptureId([self.id; 16]),
            start_unix_ns: NOON,
            origin: Origin {
                host: "build-7".to_owned(),
                pid: 4711,
                boot_id: "0b007".to_owned(),
                command: "trading".to_owned(),
                arena: String::new(),
            },
            clock: ClockDescriptor {
                source: ClockSource::SYNTHETIC,
                reason: "made for a test".to_owned(),
                ticks_per_second: 1e9,
            },
            labels: self.version.map(label).into_iter().collect(),
            ..FileHeader::default()
        }
    }

    fn tables(&self) -> Tables {
        let event = |id, kind, name: &str, unit: &str| EventDescriptor {
            id,
            kind,
            name: name.to_owned(),
            unit: unit.to_owned(),
        };
        let thread = |id, name: &str| ThreadDescriptor {
            id: ThreadId(id),
            os_tid: 4711 + u64::from(id),
            name: name.to_owned(),
        };
        Tables {
            events: vec![
                event(CANDLE, EventKind::SPAN, &self.candle, "ns"),
                event(ORDER, EventKind::SPAN, "ORDER_SUBMIT", "ns"),
                event(SUBMITTED, EventKind::COUNTER, "ORDERS_SUBMITTED", "orders"),
                event(BACKLOG, EventKind::GAUGE, "QUEUE_BACKLOG", "candles"),
                event(PAUSE, EventKind::OBSERVATION, "GC_PAUSE", "ns"),
                event(BATCH, EventKind::OBSERVATION, "BATCH_SIZE", "orders"),
            ],
            threads: vec![thread(1, "feed"), thread(2, "executor")],
            ..Tables::default()
        }
    }

    /// Candles, and the backlog behind each.
    fn feed_rows(&self, numbers: std::ops::Range<u64>) -> Vec<Row> {
        let rows = numbers.flat_map(|number| {
            let (end, trace) = (end_ticks(number), TraceId(0x9E37_79B9_7F4A_7C15 ^ number));
            let span = row(end, candle_ns(number), trace, CANDLE, Tag::SPAN_OK);
            [span, row(end, number % 50, trace, BACKLOG, Tag::GAUGE)]
        });
        rows.collect()
    }

    /// For every tenth candle an order, each tenth of these rejected, and what else the executor notes.
    fn executor_rows(&self, numbers: std::ops::Range<u64>) -> Vec<Row> {
        let rows = numbers
            .filter(|number| number.is_multiple_of(10))
            .flat_map(|number| {
                let (end, trace) = (
                    end_ticks(number) + 2_000_000,
                    TraceId(0x9E37_79B9_7F4A_7C15 ^ number),
                );
                let rejected = number % 100 == 90;
                let order = match rejected {
                    true => row(end, 300_000, trace, ORDER, Tag::SPAN_ERROR),
                    false => row(end, 1_000_000 + number, trace, ORDER, Tag::SPAN_OK),
                };
                [
                    order,
                    row(end, 2, trace, SUBMITTED, Tag::COUNTER),
                    row(
                        end,
                        50_000 * (1 + number % 7),
                        TraceId::NONE,
                        PAUSE,
                        Tag::OBSERVATION,
                    ),
                    row(
                        end,
                        1 + number / 10 % 8,
                        TraceId::NONE,
                        BATCH,
                        Tag::OBSERVATION,
                    ),
                ]
            });
        rows.collect()
    }
}

/// When candle `number` ends.
fn end_ticks(number: u64) -> u64 {
    FIRST_TICKS + number * 10_000_000 + 5_000_000
}

fn row(end_ticks: u64, value: u64, trace: TraceId, event: EventId, tag: Tag) -> Row {
    Row {
        end_ticks,
        value,
        trace,
        event,
        tag,
    }
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

fn notes(length_ns: u64, records: u64) -> Notes {
    Notes {
        self_costs: vec![SelfCost {
            from_ticks: FIRST_TICKS,
            to_ticks: FIRST_TICKS + length_ns,
            records,
            drainer_cpu_ns: length_ns / 1000,
            drain_lag_max_ns: 3_200_000,
            ring_high_water_slots: 1000,
            ring_slots: 8192,
            ns_per_record: 14.25,
            ..SelfCost::default()
        }],
        ..Notes::default()
    }
}

/// The bytes so far, as a killed process leaves them.
fn unclosed(writer: CaptureWriter<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let written = usize::try_from(writer.written()).expect("a small file");
    let mut bytes = writer.close(Close::default())?;
    bytes.truncate(written);
    Ok(bytes)
}
