//! The load by which speed and size are measured: generated, not hand-picked.
//!
//! 16 events over 4 threads; traces of 8 spans, each across 3 of the threads, with
//! random 64-bit ids; log-normal durations (σ = 0.6) around a median for each
//! event; a fixed seed makes it the same every time. And a tight loop: one event,
//! one thread, no traces, durations of a few tens of ticks.
//!
//! ```
//! let file = perf_format::load::write_capture(Vec::new(), 100_000, 1).unwrap();
//! assert!(file.len() < 8 * 100_000);
//! ```

mod noise;

use std::io::{self, Write};

use crate::{
    Anchor, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource, Close,
    CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Label, Origin, RingId, Row,
    RunHead, SegmentId, Tables, Tag, ThreadDescriptor, ThreadId, TraceId, limits,
};
use noise::LogNormal;
pub use noise::Noise;

/// Events of the load, numbered from 0.
pub const EVENTS: usize = 16;
/// Threads of the load; ring and thread ids are numbered from 0.
pub const THREADS: usize = 4;
/// Spans of a trace.
pub const SPANS_PER_TRACE: usize = 8;
/// Rate of the load's clock, in Hz.
pub const TICKS_PER_SECOND: u64 = 2_500_000_000;
/// Where the load's clock begins.
const FIRST_TICKS: u64 = 1_000_000_000_000;
/// 2026-01-01T00:00:00Z.
const START_UNIX_NS: i64 = 1_767_225_600_000_000_000;
/// Median durations in ns, by event.
const MEDIANS_NS: [u32; EVENTS] = [
    180, 240, 320, 400, 550, 700, 900, 1200, 150, 260, 1500, 2000, 350, 600, 800, 3000,
];
/// Spread of the logarithm of a duration.
const SIGMA: f64 = 0.6;
/// Ticks from one span's end to the next one's start: 20 to 51.
const GAP_TICKS: u64 = 20;

/// The load, trace by trace.
#[derive(Debug, Clone)]
pub struct Load {
    noise: Noise,
    durations: LogNormal,
    /// Where each thread's clock stands.
    now: [u64; THREADS],
    /// Slots that each thread's ring has taken.
    seqs: [u64; THREADS],
    rows: [Vec<Row>; THREADS],
}

impl Load {
    /// The load of `seed`.
    pub fn new(seed: u64) -> Self {
        Load {
            noise: Noise::new(seed),
            durations: LogNormal::new(SIGMA),
            now: [FIRST_TICKS; THREADS],
            seqs: [0; THREADS],
            rows: Default::default(),
        }
    }

    /// The latest end so far, in ticks.
    pub fn now(&self) -> u64 {
        self.now.iter().copied().max().unwrap_or(FIRST_TICKS)
    }

    /// The spans of the next `traces` traces, a list of rows for each thread, in recorded order.
    pub fn next_traces(&mut self, traces: usize) -> &[Vec<Row>; THREADS] {
        self.rows.iter_mut().for_each(Vec::clear);
        for _ in 0..traces {
            self.next_trace();
        }
        &self.rows
    }

    fn next_trace(&mut self) {
        let trace = TraceId(self.noise.next().max(1));
        let choice = self.noise.next();
        let left_out = choice as usize % THREADS;
        let coins = choice >> 32;
        let mut ready = 0;
        for stage in 0..SPANS_PER_TRACE {
            // Stages 0–2, 3–5 and 6–7 run on the first, second and third of the threads.
            let thread = (left_out + 1 + stage / 3) % THREADS;
            let event = 2 * stage + (coins >> stage & 1) as usize;
            let bits = self.noise.next();
            let median = u64::from(MEDIANS_NS[event]) * TICKS_PER_SECOND / 1_000_000_000;
            let value = (median as f64 * self.durations.factor(bits)) as u64;
            let start = (self.now[thread] + GAP_TICKS + (bits & 31)).max(ready);
            let end_ticks = start + value;
            self.now[thread] = end_ticks;
            ready = end_ticks;
            self.rows[thread].push(Row {
                end_ticks,
                value,
                trace,
                event: EventId(event as u32),
                tag: Tag::SPAN_OK,
            });
        }
    }

    /// Pushes the next traces into `encoder`, `rows` rows (rounded down to whole traces).
    pub fn fill(&mut self, encoder: &mut ChunkEncoder, rows: usize) {
        self.next_traces(rows / SPANS_PER_TRACE);
        for (thread, rows) in self.rows.iter().enumerate() {
            let (ring, id) = (RingId(thread as u32), ThreadId(thread as u32));
            let head = RunHead {
                ring,
                thread: id,
                first_seq: self.seqs[thread],
            };
            self.seqs[thread] += encoder.push_run(head, rows.iter().copied()) as u64;
        }
    }

    /// Descriptors of the events and threads.
    pub fn tables() -> Tables {
        let event = |id: usize| EventDescriptor {
            id: EventId(id as u32),
            kind: EventKind::SPAN,
            name: format!(
                "STAGE_{}_{}",
                id / 2,
                if id.is_multiple_of(2) { "FAST" } else { "SLOW" }
            ),
            unit: "ns".into(),
        };
        let thread = |id: usize| ThreadDescriptor {
            id: ThreadId(id as u32),
            os_tid: 1000 + id as u64,
            name: format!("worker-{id}"),
        };
        Tables {
            events: (0..EVENTS).map(event).collect(),
            threads: (0..THREADS).map(thread).collect(),
            skipped_records: 0,
        }
    }
}

/// A tight loop around one span: the rows of one thread, without end.
#[derive(Debug, Clone)]
pub struct TightLoop {
    noise: Noise,
    now: u64,
}

impl TightLoop {
    /// The loop of `seed`.
    pub fn new(seed: u64) -> Self {
        TightLoop {
            noise: Noise::new(seed),
            now: FIRST_TICKS,
        }
    }
}

impl Iterator for TightLoop {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let bits = self.noise.next();
        // An interrupt in one of 65 536 spans.
        let interrupt = if bits >> 48 == 0 {
            5000 + (bits & 8191)
        } else {
            0
        };
        let value = 22 + (bits >> 8 & 7) + interrupt;
        self.now += value + 20 + (bits >> 16 & 7);
        Some(Row {
            end_ticks: self.now,
            value,
            trace: TraceId::NONE,
            event: EventId(0),
            tag: Tag::SPAN_OK,
        })
    }
}

/// The header of a generated capture.
pub fn header(seed: u64) -> FileHeader {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&seed.to_le_bytes());
    id[8..].copy_from_slice(b"perfload");
    FileHeader {
        capture_id: CaptureId(id),
        start_unix_ns: START_UNIX_NS,
        origin: Origin {
            host: "generated".into(),
            pid: 1,
            command: "load".into(),
            ..Origin::default()
        },
        clock: ClockDescriptor {
            source: ClockSource::SYNTHETIC,
            reason: "a generated load has no clock".into(),
            ticks_per_second: TICKS_PER_SECOND as f64,
        },
        labels: vec![Label {
            key: "seed".into(),
            value: seed.to_string(),
        }],
        ..FileHeader::default()
    }
}

/// The wall-clock time of `ticks`, in ns since 1970-01-01 UTC.
pub fn unix_ns(ticks: u64) -> i64 {
    START_UNIX_NS + ((ticks - FIRST_TICKS) as f64 * (1e9 / TICKS_PER_SECOND as f64)) as i64
}

fn anchor(ticks: u64) -> Anchor {
    let realtime_ns = unix_ns(ticks);
    let monotonic_raw_ns = realtime_ns - START_UNIX_NS;
    Anchor {
        ticks,
        monotonic_raw_ns,
        realtime_ns,
        uncertainty_ns: 50,
        segment: SegmentId(0),
    }
}

/// Writes a whole capture of the load with `spans` spans (rounded up to whole
/// traces): tables, an anchor a second, full chunks, rollups, the clean end.
/// Gives the sink back.
///
/// # Errors
/// What the sink says.
pub fn write_capture<W: Write>(sink: W, spans: u64, seed: u64) -> io::Result<W> {
    let mut load = Load::new(seed);
    let mut writer = CaptureWriter::new(sink, &header(seed))?;
    writer.tables(&Load::tables())?;
    writer.anchors(&[anchor(FIRST_TICKS)])?;
    let mut encoder = ChunkEncoder::new();
    let mut left = spans.next_multiple_of(SPANS_PER_TRACE as u64);
    let mut next_anchor = FIRST_TICKS + TICKS_PER_SECOND;
    while left > 0 {
        let rows = left.min(limits::MAX_CHUNK_ROWS as u64);
        load.fill(&mut encoder, rows as usize);
        writer.events(&mut encoder)?;
        if load.now() >= next_anchor {
            writer.anchors(&[anchor(load.now())])?;
            next_anchor = load.now() + TICKS_PER_SECOND;
        }
        writer.rollup_if_due(unix_ns(load.now()))?;
        left -= rows;
    }
    let end = load.now();
    writer.anchors(&[anchor(end)])?;
    writer.close(Close {
        reason: CloseReason::CONVERTED,
        ticks: end,
        unix_ns: unix_ns(end),
        ..Close::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;

    #[test]
    fn a_trace_is_eight_spans_over_three_threads() {
        let mut load = Load::new(1);
        let rows = load.next_traces(1).clone();
        assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), SPANS_PER_TRACE);
        assert_eq!(rows.iter().filter(|rows| !rows.is_empty()).count(), 3);
        let trace = rows.iter().flatten().next().unwrap().trace;
        assert!(
            rows.iter()
                .flatten()
                .all(|row| row.trace == trace && row.value > 0)
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let bytes = write_capture(Vec::new(), 10_000, 7).unwrap();
        assert_eq!(bytes, write_capture(Vec::new(), 10_000, 7).unwrap());
        assert_ne!(bytes, write_capture(Vec::new(), 10_000, 8).unwrap());
        let index = Index::build(&bytes).unwrap();
        assert!(index.closed_cleanly() && index.damage.is_empty());
        assert_eq!(index.close.as_ref().unwrap().rows, 10_000);
    }

    #[test]
    fn durations_are_log_normal() {
        let mut load = Load::new(3);
        let mut logs = Vec::new();
        for row in load
            .next_traces(100_000)
            .iter()
            .flatten()
            .filter(|row| row.event == EventId(14))
        {
            logs.push((row.value as f64 / (800.0 * 2.5)).ln());
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let spread =
            (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        assert!(
            logs.len() > 45_000 && mean.abs() < 0.01 && (spread - SIGMA).abs() < 0.01,
            "{mean} {spread}"
        );
    }
}
