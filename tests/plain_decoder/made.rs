//! Captures of everything that the format has, by chance.

use std::num::NonZeroU32;

use perf_format::load::Noise;
use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, EventKind, Extra, FileHeader, Label, LossCause,
    LossEntry, Notes, OpenSpan, Origin, RingId, Row, RunHead, SegmentId, SelfCost, SpanId, Tables,
    Tag, ThreadDescriptor, ThreadId, TraceId, Warning, WarningCode,
};

/// Every tag that a row without text has, and two that nobody knows.
const TAGS: [u8; 10] = [1, 2, 3, 4, 8, 9, 10, 20, 77, 255];

/// Random numbers, some of them extreme.
pub(super) struct Chance(Noise);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(Noise::new(seed))
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0.next() % limit
    }

    /// Of any size; one in eight is at an end of the range.
    pub(super) fn number(&mut self) -> u64 {
        let bits = self.0.next();
        match bits % 16 {
            0 => u64::MAX,
            1 => 1 << 63,
            2 => (1 << 63) - 1,
            3 => 0,
            _ => self.0.next() >> (bits >> 8 & 63),
        }
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 8] = [
            "EURUSD",
            "naïve",
            "",
            "<script>",
            "\u{1b}[31m",
            "\0",
            "a\nb",
            "🙂",
        ];
        (0..self.below(4))
            .map(|_| PIECES[self.below(8) as usize])
            .collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.below(20);
        (0..len).map(|_| self.0.next() as u8).collect()
    }
}

/// A capture of `seed`: a few chunks of every kind.
pub(super) fn capture(seed: u64) -> Vec<u8> {
    write(seed).expect("a vector takes every byte")
}

fn write(seed: u64) -> std::io::Result<Vec<u8>> {
    let mut chance = Chance::new(seed);
    let mut writer = CaptureWriter::new(Vec::new(), &header(&mut chance))?;
    let mut encoder = ChunkEncoder::new();
    let mut seqs = [0, u64::from(u32::MAX) - 50, u64::MAX - 80, 7];
    let mut now = 1 << chance.below(50);
    for _ in 0..chance.below(14) {
        match chance.below(12) {
            0 => writer.tables(&tables(&mut chance))?,
            1 | 2 => {
                let segment = writer.stream().segment();
                let count = chance.below(4);
                let anchors: Vec<Anchor> = (0..count)
                    .map(|_| anchor(&mut chance, &mut now, segment))
                    .collect();
                writer.anchors(&anchors)?;
            }
            3 => writer.notes(&notes(&mut chance))?,
            4 => writer.open_spans(&open_spans(&mut chance))?,
            5 => {
                writer.rollup()?;
            }
            6 => {
                writer.begin_segment()?;
            }
            _ => {
                fill(&mut chance, &mut encoder, &mut seqs, &mut now);
                writer.events(&mut encoder)?;
            }
        }
    }
    if chance.below(4) > 0 {
        let reason = CloseReason(chance.below(6) as u16);
        let (ticks, unix_ns, lost) = (chance.number(), chance.number() as i64, chance.number());
        return writer.close(Close {
            reason,
            ticks,
            unix_ns,
            lost,
            ..Close::default()
        });
    }
    let written = writer.written() as usize;
    let mut bytes = writer.close(Close::default())?;
    bytes.truncate(written);
    Ok(bytes)
}

fn header(chance: &mut Chance) -> FileHeader {
    let mut id = [0; 16];
    id.fill_with(|| chance.below(256) as u8);
    let rates = [1e9, 2.6e9, 1.0, 0.5, f64::INFINITY, f64::NEG_INFINITY];
    let labels = (0..chance.below(4)).map(|_| Label {
        key: chance.text(),
        value: chance.text(),
    });
    FileHeader {
        labels: labels.collect(),
        capture_id: CaptureId(id),
        start_unix_ns: chance.number() as i64,
        part: chance.below(3) as u32,
        origin: Origin {
            host: chance.text(),
            pid: chance.number() as u32,
            boot_id: chance.text(),
            command: chance.text(),
            arena: chance.text(),
        },
        clock: ClockDescriptor {
            source: ClockSource(chance.below(5) as u16),
            reason: chance.text(),
            ticks_per_second: rates[chance.below(6) as usize],
        },
        ..FileHeader::default()
    }
}

fn tables(chance: &mut Chance) -> Tables {
    let events = (0..chance.below(6)).map(|_| EventDescriptor {
        id: EventId(chance.below(8) as u32),
        kind: EventKind(chance.below(6) as u8),
        name: chance.text(),
        unit: chance.text(),
    });
    let events = events.collect();
    let threads = (0..chance.below(4)).map(|_| ThreadDescriptor {
        id: ThreadId(chance.below(8) as u32),
        os_tid: chance.number(),
        name: chance.text(),
    });
    Tables {
        events,
        threads: threads.collect(),
        ..Tables::default()
    }
}

fn anchor(chance: &mut Chance, now: &mut u64, segment: SegmentId) -> Anchor {
    // Mostly a clock of about 2.5 ticks a ns; at times one that steps, or is wild.
    *now = now.wrapping_add(chance.below(1 << 33));
    let ns = (*now as f64 / 2.5) as i64;
    let step = [0, 0, 3, 900_000, 2_000_000, -5_000_000_000][chance.below(6) as usize];
    if chance.below(12) == 0 {
        let (ticks, raw) = (chance.number(), chance.number() as i64);
        return Anchor {
            ticks,
            monotonic_raw_ns: raw,
            realtime_ns: chance.number() as i64,
            uncertainty_ns: chance.number(),
            segment: SegmentId(chance.below(4) as u32),
        };
    }
    Anchor {
        ticks: *now,
        monotonic_raw_ns: ns,
        realtime_ns: 1_790_000_000_000_000_000 + ns + step,
        uncertainty_ns: chance.below(1000),
        segment,
    }
}

fn notes(chance: &mut Chance) -> Notes {
    let self_costs = (0..chance.below(3)).map(|_| SelfCost {
        from_ticks: chance.number(),
        to_ticks: chance.number(),
        records: chance.number(),
        file_bytes: chance.number(),
        drainer_cpu_ns: chance.number(),
        writer_cpu_ns: chance.number(),
        drain_lag_max_ns: chance.number(),
        ring_high_water_slots: chance.number(),
        ring_slots: chance.number(),
        spool_high_water_bytes: chance.number(),
        ns_per_record: chance.number() as f64,
    });
    let self_costs = self_costs.collect();
    let warnings = (0..chance.below(3)).map(|_| Warning {
        code: WarningCode(chance.below(12) as u16),
        ticks: chance.number(),
        message: chance.text(),
    });
    let warnings = warnings.collect();
    let losses = (0..chance.below(3)).map(|_| loss(chance)).collect();
    Notes {
        self_costs,
        warnings,
        losses,
        ..Notes::default()
    }
}

fn loss(chance: &mut Chance) -> LossEntry {
    LossEntry {
        ring: RingId(chance.number() as u32),
        thread: ThreadId(chance.number() as u32),
        cause: LossCause(chance.below(12) as u32),
        count: chance.number(),
        from_ticks: chance.number(),
        to_ticks: chance.number(),
    }
}

fn open_spans(chance: &mut Chance) -> Vec<OpenSpan> {
    let spans = (0..chance.below(5)).map(|_| OpenSpan {
        thread: ThreadId(chance.below(8) as u32),
        event: EventId(chance.number() as u32),
        start_ticks: chance.number(),
        trace: TraceId(chance.number()),
    });
    spans.collect()
}

fn fill(chance: &mut Chance, encoder: &mut ChunkEncoder, seqs: &mut [u64; 4], now: &mut u64) {
    for _ in 0..chance.below(3) {
        encoder.push_loss(loss(chance)).expect("there is room");
    }
    // Of one kind of values a chunk, of all, or of something between.
    let (tags, events) = (1 + chance.below(TAGS.len() as u64), 1 + chance.below(6));
    let is_wild = chance.below(3) == 0;
    // Of most chunks, rows say no more than they must.
    let says_more = chance.below(4) == 0;
    for _ in 0..chance.below(8) {
        let ring = chance.below(4) as usize;
        let head = RunHead {
            ring: RingId(ring as u32),
            thread: ThreadId(ring as u32 % 3),
            first_seq: seqs[ring],
        };
        encoder.begin_run(head).expect("there is room");
        if says_more && chance.below(3) > 0 {
            encoder.set_cpu([chance.below(64) as u32, u32::MAX][usize::from(is_wild)]);
        }
        let mut slots = chance.below(3);
        let most = [3, 40, 130, 700][chance.below(4) as usize];
        let count = chance.below(most);
        for _ in 0..count {
            slots += 1;
            *now = if is_wild {
                chance.number()
            } else {
                now.wrapping_add(chance.below(5000))
            };
            let trace = TraceId([0, 5, chance.below(9), chance.number()][chance.below(4) as usize]);
            if chance.below(20) == 0 {
                slots += 2;
                annotate(chance, encoder, *now, trace);
                continue;
            }
            let value = if is_wild {
                chance.number()
            } else {
                chance.below(1 << 12)
            };
            let tag = Tag(TAGS[chance.below(tags) as usize]);
            let event = EventId(chance.below(events) as u32);
            encoder
                .push(&Row {
                    end_ticks: *now,
                    value,
                    trace,
                    event,
                    tag,
                })
                .expect("there is room");
            if says_more && chance.below(3) == 0 {
                encoder.set_extra(encoder.rows() - 1, extra(chance));
            }
        }
        encoder.end_run(slots as u32);
        seqs[ring] = seqs[ring].wrapping_add(slots);
    }
}

fn extra(chance: &mut Chance) -> Extra {
    let weight = NonZeroU32::new(chance.number() as u32);
    Extra {
        weight: weight.unwrap_or(NonZeroU32::MIN),
        span_id: SpanId(chance.number()),
        parent_id: SpanId(chance.below(50)),
        is_lone: chance.below(9) == 0,
    }
}

fn annotate(chance: &mut Chance, encoder: &mut ChunkEncoder, now: u64, trace: TraceId) {
    let (key, text) = (chance.text(), chance.bytes());
    let value = match chance.below(3) {
        0 => AnnotationValue::Str(&text),
        1 => AnnotationValue::Int(chance.number() as i64),
        _ => AnnotationValue::Float(f64::from_bits(chance.number())),
    };
    encoder
        .push_annotation(now, trace, key.as_bytes(), value)
        .expect("there is room");
}
