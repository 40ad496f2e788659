//! From the rings to the encoded pieces of a capture, one round at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use perf_arena::{Owner, RECORD_BYTES};
use perf_format::{
    Anchor, ChunkStream, EventDescriptor, LossCause, ThreadDescriptor, WarningCode, limits,
};

use crate::anchors::{Schedule, Segments};
use crate::books::{Books, Totals};
use crate::builder::TimeSource;
use crate::cut::Chunks;
use crate::flight::Keeper;
use crate::handoff::{Handoff, Hook};
use crate::loss::Lost;
use crate::machine;
use crate::outlet::{Outlet, SinkOutlet, SinkRef};
use crate::parts::Rotation;
use crate::processors::Processors;
use crate::progress::Progress;
use crate::sampling::Sampler;
use crate::sink::Sink;
use crate::warning::Warnings;

/// Bytes of a chunk that one slot can need at most: a row with a trace, a series and a range of its own.
const MAX_BYTES_A_SLOT: usize = 128;
/// How many full staging areas one round turns into chunks before it lets others have a look.
const CHUNKS_A_ROUND: usize = 16;
/// Buffers of pieces that are kept for the next ones.
const SPARE_BUFFERS: usize = 4;

/// Empties the rings of one arena: into the staging area, from there into chunks and the live histograms, and these to a
/// sink. A recorder's own thread does nothing but call it.
///
/// It never waits. A piece that the sink refuses is offered again in the next round; meanwhile records wait in the rings.
pub struct Drainer {
    pub(crate) owner: Owner,
    pub(crate) chunks: Chunks,
    pub(crate) stream: ChunkStream,
    /// What leaves records out, if anything does.
    pub(crate) sampler: Option<Sampler>,
    /// Of a flight recorder.
    pub(crate) keeper: Option<Box<Keeper>>,
    /// Events that the arena told of and the stream does not describe yet.
    pub(crate) new_events: Vec<EventDescriptor>,
    /// Encoded, and not yet accepted.
    pub(crate) pieces: VecDeque<Piece>,
    pub(crate) spare: Vec<Vec<u8>>,
    max_slots: usize,
    max_piece_bytes: usize,
    pub(crate) start: Instant,
    time: Option<TimeSource>,
    second: i64,
    /// Slots that the sampler does not know of yet.
    uncounted: u64,
    pub(crate) threads: HashMap<u32, ThreadDescriptor>,
    pub(crate) processors: Processors,
    /// Losses that the stream tells of.
    pub(crate) lost: Lost,
    /// Losses of threads without a ring, by cause, as far as the stream tells of them.
    pub(crate) told_without_ring: Lost,
    /// Spans with a negative duration that no warning tells of yet.
    pub(crate) reversed: u64,
    pub(crate) warnings: Warnings,
    pub(crate) books: Books,
    pub(crate) schedule: Schedule,
    pub(crate) segments: Segments,
    pub(crate) read_anchor: fn() -> Anchor,
    pub(crate) clock_distrusted: bool,
    pub(crate) progress: Arc<Progress>,
    pub(crate) is_closed: bool,
    /// Spans that were open at the end.
    pub(crate) open_spans: u64,
    /// Bytes of the capture that were accepted, without the header at its beginning.
    pub(crate) put_bytes: u64,
    /// What its own thread's nice value shall be.
    pub(crate) nice: Option<i32>,
    /// What ends the parts of the capture, if it has several.
    pub(crate) rotation: Option<Rotation>,
    hook: Option<Hook>,
}

/// Something for the sink to take whole.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// Rows of events in it.
    pub(crate) rows: u64,
    /// With it, all that the staging area holds is in the sink.
    pub(crate) clears_staging: bool,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Round {
    /// Slots (32 bytes) that were taken out of the rings.
    pub slots: u64,
    /// Rings that threads have got since the round before.
    pub new_rings: u64,
    /// How full the fullest ring was, from 0 to 1.
    pub fullest: f64,
    /// The sink refused a piece.
    pub is_blocked: bool,
    /// The rings hold more: call again at once.
    pub has_more: bool,
}

/// One instant of the drainer's own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) since_start: Duration,
    pub(crate) unix_ns: i64,
}

impl Moment {
    fn second(&self) -> i64 {
        self.unix_ns.div_euclid(1_000_000_000)
    }
}

/// What a drainer is made of.
pub(crate) struct Parts {
    pub(crate) owner: Owner,
    pub(crate) max_piece_bytes: usize,
    pub(crate) first_anchor: Anchor,
    pub(crate) read_anchor: fn() -> Anchor,
    pub(crate) time: Option<TimeSource>,
    pub(crate) interval: Duration,
    pub(crate) ring_bytes: u64,
    pub(crate) progress: Arc<Progress>,
    pub(crate) hook: Option<Hook>,
    pub(crate) sampler: Option<Sampler>,
    pub(crate) keeper: Option<Keeper>,
}

impl Drainer {
    pub(crate) fn new(parts: Parts) -> Self {
        let (_, staging_slots) = parts.owner.staging_slots();
        let slots_a_piece = parts.max_piece_bytes / MAX_BYTES_A_SLOT;
        Self {
            owner: parts.owner,
            chunks: Chunks::new(parts.max_piece_bytes),
            stream: match parts.keeper.is_some() && parts.sampler.is_none() {
                true => ChunkStream::new().without_rollups(),
                false => ChunkStream::new(),
            },
            sampler: parts.sampler,
            keeper: parts.keeper.map(Box::new),
            new_events: Vec::new(),
            pieces: VecDeque::new(),
            spare: Vec::new(),
            max_slots: limits::MAX_CHUNK_ROWS.min(staging_slots).min(slots_a_piece),
            max_piece_bytes: parts.max_piece_bytes,
            start: Instant::now(),
            time: parts.time,
            second: 0,
            uncounted: 0,
            threads: HashMap::new(),
            processors: Processors::default(),
            lost: Lost::default(),
            told_without_ring: Lost::default(),
            reversed: 0,
            warnings: Warnings::default(),
            books: Books::new(parts.interval, parts.ring_bytes / RECORD_BYTES as u64),
            schedule: Schedule::default(),
            segments: Segments::new(parts.first_anchor),
            read_anchor: parts.read_anchor,
            clock_distrusted: false,
            progress: parts.progress,
            is_closed: false,
            open_spans: 0,
            put_bytes: 0,
            nice: None,
            rotation: None,
            hook: parts.hook,
        }
    }

    /// One round: takes what the rings have, cuts chunks that are full or a second old, writes anchors and notes that are
    /// due, and gives `sink` what it takes.
    pub fn drain_once(&mut self, sink: &mut impl Sink) -> Round {
        self.drain_at(
            self.now(),
            &mut SinkOutlet {
                sink: SinkRef(sink),
                bytes: 0,
            },
        )
    }

    /// Drains what is left, and writes what only the end can tell: open spans, the last rollup, the clean close. True
    /// when `sink` has it all; until then to be called again.
    pub fn finish(&mut self, sink: &mut impl Sink) -> bool {
        let now = self.now();
        self.finish_at(
            now,
            &mut SinkOutlet {
                sink: SinkRef(sink),
                bytes: 0,
            },
        )
    }

    pub(crate) fn now(&self) -> Moment {
        let machines = || (self.start.elapsed(), machine::unix_ns());
        let (since_start, unix_ns) = self.time.map_or_else(machines, |read| read());
        Moment {
            since_start,
            unix_ns,
        }
    }

    pub(crate) fn drain_at(&mut self, now: Moment, outlet: &mut dyn Outlet) -> Round {
        self.books.round(now.since_start);
        let mut round = self.take_out(now, outlet);
        if !round.is_blocked {
            self.keep_up(now, outlet.bytes());
            self.housekeeping(now);
            round.is_blocked = !self.offer(outlet);
        }
        round
    }

    /// Rings → staging area → chunks, until the rings are empty, the sink is, or others want a turn.
    fn take_out(&mut self, now: Moment, outlet: &mut dyn Outlet) -> Round {
        let mut round = Round::default();
        if let Some(sampler) = &mut self.sampler {
            sampler.count(std::mem::take(&mut self.uncounted), now.since_start);
        }
        if now.second() != self.second && self.pieces.is_empty() {
            // Chunks end with the second, so that rollups can.
            self.second = now.second();
            self.cut();
            self.rollup_if_due(now);
        }
        if self.pieces.is_empty() {
            self.rotate_if_due(now);
        }
        for _ in 0..CHUNKS_A_ROUND {
            round.is_blocked = !self.offer(outlet);
            // Each time: rings that fill up want bigger segments while the drainer is busiest.
            self.owner.maintain();
            if round.is_blocked {
                return round;
            }
            let hook = self.hook;
            let looked = self.before_look();
            let drained = self.owner.drain_hooked(self.max_slots, |step| {
                if let Some(hook) = hook {
                    hook(step.into());
                }
            });
            if let Some(from) = looked.filter(|_| drained.slots > 0) {
                self.look(from);
            }
            self.books.drained(&drained);
            round.slots += drained.slots as u64;
            self.uncounted += drained.slots as u64;
            round.new_rings += drained.new_rings as u64;
            round.fullest = round
                .fullest
                .max(f64::from(drained.high_water_permille) / 1e3);
            round.has_more = drained.is_full;
            if !drained.is_full && self.owner.staging_slots().0 < self.max_slots {
                break;
            }
            self.cut();
            self.rotate_if_due(now);
        }
        round
    }

    fn rollup_if_due(&mut self, now: Moment) {
        let mut bytes = self.buffer();
        if self.stream.rollup_if_due(now.unix_ns, &mut bytes) && bytes.len() <= self.max_piece_bytes
        {
            self.queue(bytes);
        }
    }

    /// Gives the outlet all pieces that wait. False if it refuses one.
    pub(crate) fn offer(&mut self, outlet: &mut dyn Outlet) -> bool {
        while let Some(piece) = self.pieces.front() {
            let fits = piece.bytes.len() <= self.max_piece_bytes;
            if fits && outlet.put(&mut self.owner, &piece.bytes).is_err() {
                return false;
            }
            let Some(piece) = self.pieces.pop_front() else {
                break;
            };
            if !fits {
                self.lost.add(LossCause::SPOOL_FULL, piece.rows);
            }
            if fits {
                self.put_bytes += piece.bytes.len() as u64;
            }
            let used = self.owner.spool().used_bytes();
            self.books.spooled(used);
            if piece.clears_staging {
                self.told(Handoff::Spooled);
                self.owner.clear_staged();
                self.told(Handoff::StagingCleared);
            }
            if self.spare.len() < SPARE_BUFFERS {
                self.spare.push(piece.bytes);
            }
        }
        true
    }

    /// An empty buffer for a piece.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        take_buffer(&mut self.spare)
    }

    /// Puts a piece without rows in the queue; an empty one is dropped.
    pub(crate) fn queue(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.pieces.push_back(Piece {
                bytes,
                rows: 0,
                clears_staging: false,
            });
        }
    }

    /// Whether the end of the capture was accepted.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_closed && self.pieces.is_empty()
    }

    /// Bytes that are encoded and not accepted.
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.pieces
            .iter()
            .map(|piece| piece.bytes.len() as u64)
            .sum()
    }

    /// Largest piece that the sink takes.
    pub(crate) fn max_piece_bytes(&self) -> usize {
        self.max_piece_bytes
    }

    /// Gives the calling thread, which is the drainer's own, the nice value that was asked for.
    pub(crate) fn take_priority(&mut self) {
        if let Some(nice) = self.nice
            && let Err(error) = machine::renice_thread(nice)
        {
            let message = format!("the drainer could not be given nice value {nice}: {error}");
            self.warnings.add(WarningCode::PRIORITY, 0, message);
        }
    }

    pub(crate) fn totals(&self, ticks: u64) -> Totals {
        Totals {
            ticks,
            rows: self.stream.rows() + self.stream.sampled_out(),
            file_bytes: self.progress.written(),
            drainer_cpu_ns: machine::thread_cpu_ns(),
            writer_cpu_ns: self.progress.writer_cpu_ns(),
        }
    }

    pub(crate) fn told(&self, handoff: Handoff) {
        if let Some(hook) = self.hook {
            hook(handoff);
        }
    }
}

pub(crate) fn take_buffer(spare: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let mut bytes = spare.pop().unwrap_or_default();
    bytes.clear();
    bytes
}
