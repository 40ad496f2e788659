//! The window: encoded chunks in the spool, of which the oldest go when they are too old or room is needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use perf_arena::{Owner, SpoolReader};
use perf_format::{ChunkKind, EventsChunk, Frame, Index};

use crate::outlet::Outlet;
use crate::sink::Refused;

/// What the window knows of one frame of the spool.
#[derive(Clone, Copy, Debug)]
struct Framed {
    /// When it came in; what it holds is older.
    at: Instant,
    /// Bytes of its payload.
    bytes: u64,
    weight: Weight,
    /// It begins with a rollup, which nobody needs without the chunk before it.
    is_rollup: bool,
}

/// What is in some chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) event_chunks: u64,
    pub(super) rows: u64,
    pub(super) lost: u64,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.event_chunks += other.event_chunks;
        self.rows += other.rows;
        self.lost += other.lost;
    }
}

/// The chunks of a part in the making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) weight: Weight,
    /// From here on nothing is missing.
    pub(super) since: Instant,
    /// When it was taken.
    pub(super) at: Instant,
}

/// The state of the window.
pub(super) struct Window {
    reader: SpoolReader,
    frames: VecDeque<Framed>,
    bytes: u64,
    /// So many of the oldest are a part in the making and must stay.
    held: usize,
    /// Frames stay so long.
    keep: Duration,
    /// Nothing is missing from here on.
    since: Instant,
    most_bytes: u64,
}

/// What of a spool of so many bytes is the window's. The rest takes what comes while a part is being written.
pub(super) fn share_of(spool_bytes: u64) -> u64 {
    spool_bytes / 4 * 3
}

impl Window {
    pub(super) fn new(reader: SpoolReader, keep: Duration) -> Self {
        let most_bytes = share_of(reader.size_bytes());
        Self {
            reader,
            frames: VecDeque::new(),
            bytes: 0,
            held: 0,
            keep,
            since: Instant::now(),
            most_bytes,
        }
    }

    /// Bytes of chunks, and records in them.
    pub(super) fn contents(&self) -> (u64, u64) {
        let rows = self.frames.iter().map(|frame| frame.weight.rows).sum();
        (self.bytes, rows)
    }

    /// How far back it reaches.
    pub(super) fn reach(&self) -> Duration {
        self.since.elapsed().min(self.keep)
    }

    /// Drops the oldest frame. False if there is none, or it must stay.
    fn drop_oldest(&mut self) -> bool {
        if self.held > 0 {
            return false;
        }
        let Some(frame) = self.frames.pop_front() else {
            return false;
        };
        self.reader.pop();
        self.bytes -= frame.bytes;
        self.since = self.since.max(frame.at);
        if self.frames.front().is_some_and(|next| next.is_rollup) {
            self.drop_oldest();
        }
        true
    }

    /// Drops what is older than `since`, unless it must stay.
    fn drop_before(&mut self, since: Instant) {
        while self.frames.front().is_some_and(|frame| frame.at < since) && self.drop_oldest() {}
    }

    /// All that reaches beyond `since` is a part in the making from now on; what is older goes.
    pub(super) fn hold(&mut self, since: Option<Instant>) -> Held {
        if let Some(since) = since {
            self.drop_before(since);
            self.since = self.since.max(since);
        }
        self.held = self.frames.len();
        let mut weight = Weight::default();
        self.frames
            .iter()
            .for_each(|frame| weight.add(frame.weight));
        Held {
            weight,
            since: self.since,
            at: Instant::now(),
        }
    }

    /// Copies the held frame that begins `after` bytes behind the first; returns where the next begins. `None` behind the last.
    pub(super) fn copy(&self, number: usize, after: u64, out: &mut Vec<u8>) -> Option<u64> {
        if number >= self.held {
            return None;
        }
        let (frame, next) = self.reader.peek(after)?;
        frame
            .parts
            .iter()
            .for_each(|part| out.extend_from_slice(part));
        Some(next)
    }

    /// The part is safe: its room is free again.
    pub(super) fn release(&mut self, held: &Held) {
        for _ in 0..std::mem::take(&mut self.held) {
            if let Some(frame) = self.frames.pop_front() {
                self.bytes -= frame.bytes;
                self.reader.pop();
            }
        }
        self.since = self.since.max(held.at);
    }

    /// There is no part: its chunks are the window's again.
    pub(super) fn let_go(&mut self) {
        self.held = 0;
    }
}

/// The window, as several threads share it. Nobody holds it for longer than the copy of one frame.
#[derive(Clone)]
pub(crate) struct SharedWindow(Arc<Mutex<Window>>);

impl SharedWindow {
    pub(super) fn new(window: Window) -> Self {
        Self(Arc::new(Mutex::new(window)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the drainer's pieces into the window. It refuses one only while the room is taken by a part that a slow disk takes
/// long to take.
pub(crate) struct WindowOutlet {
    pub(super) window: SharedWindow,
    /// Bytes that were put so far.
    pub(super) bytes: u64,
}

impl Outlet for WindowOutlet {
    fn put(&mut self, owner: &mut Owner, piece: &[u8]) -> Result<(), Refused> {
        let now = Instant::now();
        let mut window = self.window.lock();
        if let Some(oldest) = now.checked_sub(window.keep) {
            window.drop_before(oldest);
        }
        loop {
            let fits = window.held > 0
                || owner.spool().used_bytes() + piece.len() as u64 <= window.most_bytes;
            if fits && owner.spool().push(self.bytes, piece).is_ok() {
                break;
            }
            if !window.drop_oldest() {
                return Err(Refused);
            }
        }
        let bytes = piece.len() as u64;
        let (weight, is_rollup) = weigh(piece);
        window.frames.push_back(Framed {
            at: now,
            bytes,
            weight,
            is_rollup,
        });
        window.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }

    fn end_offset(&self) -> Option<u64> {
        None
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What is in a piece, and whether it begins with a rollup.
fn weigh(piece: &[u8]) -> (Weight, bool) {
    let mut weight = Weight::default();
    let mut is_rollup = false;
    let mut at = 0;
    while let Ok(frame) = Frame::parse(&piece[at..], 0) {
        let end = piece
            .len()
            .min(at + usize::try_from(frame.head.chunk_len()).unwrap_or(usize::MAX - at));
        let chunk = &piece[at..end];
        match frame.head.kind {
            ChunkKind::EVENTS => {
                weight.event_chunks += 1;
                weight.rows += u64::from(frame.head.record_count);
                let losses = EventsChunk::parse(chunk, 0).map_or(0, |events| {
                    events.losses().iter().map(|loss| loss.count).sum()
                });
                weight.lost += losses;
            }
            ChunkKind::NOTES => {
                let noted = Index::build(chunk).map_or(0, |index| {
                    index.notes.losses.iter().map(|loss| loss.count).sum()
                });
                weight.lost += noted;
            }
            ChunkKind::ROLLUP => is_rollup |= at == 0,
            _ => {}
        }
        at = end;
    }
    (weight, is_rollup)
}
