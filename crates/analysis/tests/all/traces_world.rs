//! Random captures full of traces, and their records as plain lists.

use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, EventKind, Extra, FileHeader, LossCause,
    LossEntry, OpenSpan, Origin, RingId, Row, RunHead, SegmentId, Tables, Tag, ThreadDescriptor,
    ThreadId, TraceId,
};

use crate::world::Dice;

pub(crate) const START_NS: i64 = 1_790_000_000_000_000_000;
/// Where the clock begins, so that no span begins before.
pub(crate) const FIRST: u64 = 1_000_000;
pub(crate) const EVENTS: [&str; 8] = ["A", "B", "C", "D", "PAUSE", "REPORT", "HITS", "BACKLOG"];
const THREADS: u32 = 4;

/// One record, as it was made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    pub(crate) thread: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) trace: u64,
    pub(crate) what: What,
    pub(crate) extra: Extra,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// Event and outcome, 0 to 3.
    Span(u32, u8),
    /// An observation of so many ns.
    Pause(u64),
    Note(&'static str, String),
    Due(i64),
    Count,
    Gauge(i64),
}

/// A capture and what is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Market {
    pub(crate) bytes: Vec<u8>,
    /// By thread in recorded order.
    pub(crate) made: Vec<Made>,
    /// Trace, event, start.
    pub(crate) open: Vec<(u64, u32, u64)>,
    /// First and last tick.
    pub(crate) lost: Vec<(u64, u64)>,
    pub(crate) ns_per_tick: u64,
    pub(crate) chunks: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) traces: u64,
    /// Ticks between the starts of traces.
    pub(crate) apart: u64,
    /// How long a step within a trace may be.
    pub(crate) step: u64,
    /// Ticks a chunk covers, about.
    pub(crate) window: u64,
    /// Ids are used again once in so many.
    pub(crate) reuse: u64,
    pub(crate) open: u64,
    pub(crate) losses: u64,
    pub(crate) ns_per_tick: u64,
    pub(crate) boot: &'static str,
}

impl Recipe {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            traces: 400,
            apart: 40_000,
            step: 3000,
            window: 900_000,
            reuse: 9,
            open: 3,
            losses: 2,
            ns_per_tick: 2,
            boot: "",
        }
    }

    pub(crate) fn make(&self) -> Market {
        let mut dice = Dice::new(self.seed);
        let mut market = Market {
            ns_per_tick: self.ns_per_tick,
            ..Market::default()
        };
        let mut ids: Vec<u64> = Vec::new();
        for number in 0..self.traces {
            let id = match ids.len() {
                0 => dice.next() | 1,
                known if dice.once_in(self.reuse) => ids[dice.below(known as u64) as usize],
                _ if dice.once_in(40) => number + 1,
                _ => dice.next() | 1,
            };
            ids.push(id);
            let base = FIRST + 200_000 + number * self.apart;
            self.trace(&mut dice, &mut market, id, base);
            if dice.once_in(12) {
                self.background(&mut dice, &mut market, base);
            }
        }
        let last = market.made.iter().map(|made| made.end).max().unwrap();
        for _ in 0..self.open {
            let id = match dice.once_in(3) {
                true => dice.next() | 1,
                false => ids[dice.below(ids.len() as u64) as usize],
            };
            let start = FIRST + 200_000 + dice.below(last - FIRST - 200_000);
            market.open.push((id, dice.below(4) as u32, start));
        }
        for _ in 0..self.losses {
            let from = FIRST + dice.below(last - FIRST);
            market.lost.push((from, from + dice.below(self.apart)));
        }
        // In the order of ends, as recorders write; what has the same end stays as it was made.
        market.made.sort_by_key(|made| (made.thread, made.end));
        self.write(&mut dice, &mut market, last);
        market
    }

    /// Shapes of all kinds: nested, side by side, overlapping, the same again, without length, back to back.
    fn trace(&self, dice: &mut Dice, market: &mut Market, id: u64, base: u64) {
        let few = 1 + dice.below(9);
        let spans = if dice.once_in(60) { 150 } else { few };
        let threads = 1 + dice.below(3);
        let tick = |dice: &mut Dice| dice.below(12) * self.step / 12;
        let mut before = (base, base + tick(dice));
        for _ in 0..spans {
            let (start, end) = match dice.below(8) {
                0 => before,
                1 => (before.1, before.1 + tick(dice)),
                2 => (before.1, before.1),
                3 => (before.0, before.1 + tick(dice)),
                4 => (before.0 + (before.1 - before.0) / 2, before.1 + tick(dice)),
                5 => (before.1 + tick(dice), before.1 + 2 * self.step),
                6 => {
                    let third = (before.1 - before.0) / 3;
                    (before.0 + third, before.1 - third)
                }
                _ => {
                    let start = base + tick(dice);
                    (start, start + tick(dice))
                }
            };
            // Now and then one goes back to the beginning, so that traces do not only grow.
            before = match dice.once_in(4) {
                true => (base, base + tick(dice)),
                false => (start, end),
            };
            let outcome = if dice.once_in(30) {
                1 + dice.below(3) as u8
            } else {
                0
            };
            let thread = ((id + dice.below(threads)) % u64::from(THREADS)) as u32;
            let event = if dice.once_in(6) {
                dice.below(4)
            } else {
                id % 3
            };
            market.made.push(Made {
                thread,
                start,
                end,
                trace: id,
                what: What::Span(event as u32, outcome),
                extra: Extra::default(),
            });
        }
        let thread = (id % u64::from(THREADS)) as u32;
        let note = |what, at| Made {
            thread,
            start: at,
            end: at,
            trace: id,
            what,
            extra: Extra::default(),
        };
        let length = market
            .made
            .iter()
            .rev()
            .take(spans as usize)
            .map(|made| made.end)
            .max()
            .unwrap()
            - base;
        if !dice.once_in(3) {
            let symbol = ["EUR", "USD", "JPY"][dice.below(3) as usize];
            let slow = length > 4 * self.step && !dice.once_in(4);
            let symbol = if slow { "SLOW" } else { symbol };
            market
                .made
                .push(note(What::Note("symbol", symbol.into()), base));
        }
        if dice.once_in(2) {
            let due = self.unix_ns(base) - dice.below(4000) as i64 + 500;
            market.made.push(note(What::Due(due), base));
        }
        if dice.once_in(10) {
            market.made.push(note(What::Count, base));
        }
        if dice.once_in(3) {
            let value = dice.below(20) as i64 - 5;
            let mut gauge = note(What::Gauge(value), base + dice.below(self.apart));
            gauge.trace *= dice.below(2);
            market.made.push(gauge);
        }
    }

    fn background(&self, dice: &mut Dice, market: &mut Market, base: u64) {
        let thread = dice.below(u64::from(THREADS)) as u32;
        let end = base + dice.below(self.apart);
        let ticks = dice.below(self.apart / 2);
        let what = match dice.once_in(2) {
            true => What::Pause(ticks * self.ns_per_tick),
            false => What::Span(5, 0),
        };
        let start = match what {
            What::Span(..) => end - ticks,
            _ => end,
        };
        market.made.push(Made {
            thread,
            start,
            end,
            trace: 0,
            what,
            extra: Extra::default(),
        });
    }

    pub(crate) fn unix_ns(&self, ticks: u64) -> i64 {
        START_NS + ((ticks - FIRST) * self.ns_per_tick) as i64
    }

    /// Writes records that were made elsewhere.
    pub(crate) fn write_again(&self, market: &mut Market) {
        let last = market.made.iter().map(|made| made.end).max().unwrap();
        self.write(&mut Dice::new(self.seed), market, last);
    }

    fn write(&self, dice: &mut Dice, market: &mut Market, last: u64) {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&self.seed.to_le_bytes());
        let source = match self.boot {
            "" => ClockSource::SYNTHETIC,
            _ => ClockSource::TSC,
        };
        let header = FileHeader {
            capture_id: CaptureId(id),
            start_unix_ns: START_NS,
            origin: Origin {
                boot_id: self.boot.into(),
                pid: 1,
                ..Origin::default()
            },
            clock: ClockDescriptor {
                source,
                reason: "made up".into(),
                ticks_per_second: 1e9 / self.ns_per_tick as f64,
            },
            ..FileHeader::default()
        };
        let mut writer = CaptureWriter::new(Vec::new(), &header).unwrap();
        writer.tables(&tables()).unwrap();
        let anchor = |ticks| Anchor {
            ticks,
            monotonic_raw_ns: ((ticks - FIRST) * self.ns_per_tick) as i64,
            realtime_ns: self.unix_ns(ticks),
            uncertainty_ns: 40,
            segment: SegmentId(0),
        };
        writer.anchors(&[anchor(FIRST)]).unwrap();
        let mut encoder = ChunkEncoder::new();
        let mut seqs = [0_u64; THREADS as usize];
        let mut from = 0;
        while from <= last {
            let to = from + 1 + dice.below(2 * self.window);
            for thread in 0..THREADS {
                let mine =
                    |made: &&Made| made.thread == thread && made.end >= from && made.end < to;
                let head = RunHead {
                    ring: RingId(thread),
                    thread: ThreadId(thread),
                    first_seq: seqs[thread as usize],
                };
                encoder.begin_run(head).unwrap();
                let rows = market
                    .made
                    .iter()
                    .filter(mine)
                    .map(|made| push(&mut encoder, made))
                    .count();
                encoder.end_run(rows as u32);
                seqs[thread as usize] += rows as u64;
            }
            if from == 0 {
                for (from_ticks, to_ticks) in &market.lost {
                    let loss = LossEntry {
                        cause: LossCause::RING_FULL,
                        count: 3,
                        from_ticks: *from_ticks,
                        to_ticks: *to_ticks,
                        ..LossEntry::default()
                    };
                    encoder.push_loss(loss).unwrap();
                }
            }
            if !encoder.is_empty() {
                writer.events(&mut encoder).unwrap();
                market.chunks += 1;
            }
            encoder.clear();
            from = to;
        }
        let open: Vec<OpenSpan> = (market.open.iter())
            .map(|(trace, event, start)| OpenSpan {
                thread: ThreadId(0),
                event: EventId(*event),
                start_ticks: *start,
                trace: TraceId(*trace),
            })
            .collect();
        writer.open_spans(&open).unwrap();
        writer.anchors(&[anchor(last + 2_000_000)]).unwrap();
        let close = Close {
            reason: CloseReason::STOPPED,
            ..Close::default()
        };
        market.bytes = writer.close(close).unwrap();
    }
}

fn push(encoder: &mut ChunkEncoder, made: &Made) {
    let (event, tag, value) = match &made.what {
        What::Span(event, outcome) => (*event, Tag(1 + outcome), made.end - made.start),
        What::Pause(ns) => (4, Tag::OBSERVATION, *ns),
        What::Due(at) => (0, Tag::DUE, *at as u64),
        What::Count => (6, Tag::COUNTER, 1),
        What::Gauge(value) => (7, Tag::GAUGE, *value as u64),
        What::Note(key, value) => {
            let value = AnnotationValue::Str(value.as_bytes());
            return encoder
                .push_annotation(made.end, TraceId(made.trace), key.as_bytes(), value)
                .unwrap();
        }
    };
    encoder
        .push(&Row {
            end_ticks: made.end,
            value,
            trace: TraceId(made.trace),
            event: EventId(event),
            tag,
        })
        .unwrap();
    if made.extra != Extra::default() {
        encoder.set_extra(encoder.rows() - 1, made.extra);
    }
}

fn tables() -> Tables {
    let kind = |id: usize| match id {
        4 => (EventKind::OBSERVATION, "ns"),
        6 => (EventKind::COUNTER, "hits"),
        7 => (EventKind::GAUGE, "orders"),
        _ => (EventKind::SPAN, "ns"),
    };
    let event = |(id, name): (usize, &&str)| EventDescriptor {
        id: EventId(id as u32),
        kind: kind(id).0,
        name: (*name).into(),
        unit: kind(id).1.into(),
    };
    Tables {
        events: EVENTS.iter().enumerate().map(event).collect(),
        threads: (0..THREADS)
            .map(|id| ThreadDescriptor {
                id: ThreadId(id),
                os_tid: 0,
                name: format!("worker-{id}"),
            })
            .collect(),
        ..Tables::default()
    }
}
