//! Traces that lie in several chunks, put together in the order of time.
//!
//! A trace is closed once no chunk to come can hold a record that would still join it. Until then its records wait here,
//! within a bound; when there are too many, those that have waited longest are closed early, and counted.

use std::collections::HashSet;

use perf_format::{AnnotationValue, Extra};
use rayon::prelude::*;

use super::hash::{NumberMap, spread};
use super::span::Span;
use super::trace::{Note, What};

/// Parts of the waiting room, each with a task of its own.
const ROOMS: usize = 16;
/// Records that wait, at most: 256 MiB of spans.
const MAX_WAITING: usize = if cfg!(test) { 1000 } else { 8 << 20 };
/// Closed ids that a room remembers, to tell when one is used again.
const MAX_REMEMBERED: usize = 1 << 18;

/// A note that outlives its chunk.
#[derive(Debug, Clone)]
pub(crate) struct OwnedNote {
    at: u64,
    what: OwnedWhat,
}

#[derive(Debug, Clone)]
enum OwnedWhat {
    Due(i64),
    Text(Box<[u8]>, Box<[u8]>),
    Int(Box<[u8]>, i64),
    Float(Box<[u8]>, f64),
}

impl OwnedNote {
    pub(crate) fn of(note: &Note<'_>) -> Self {
        let what = match note.what {
            What::Due(due) => OwnedWhat::Due(due),
            What::Pair(key, AnnotationValue::Str(text)) => OwnedWhat::Text(key.into(), text.into()),
            What::Pair(key, AnnotationValue::Int(value)) => OwnedWhat::Int(key.into(), value),
            What::Pair(key, AnnotationValue::Float(value)) => OwnedWhat::Float(key.into(), value),
        };
        Self { at: note.at, what }
    }

    pub(crate) fn note(&self) -> Note<'_> {
        let what = match &self.what {
            OwnedWhat::Due(due) => What::Due(*due),
            OwnedWhat::Text(key, text) => What::Pair(key, AnnotationValue::Str(text)),
            OwnedWhat::Int(key, value) => What::Pair(key, AnnotationValue::Int(*value)),
            OwnedWhat::Float(key, value) => What::Pair(key, AnnotationValue::Float(*value)),
        };
        Note { at: self.at, what }
    }
}

/// What one chunk holds of traces that may lie in others as well.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    pub(crate) domain: usize,
    /// Ids with their numbers of spans and notes.
    pub(crate) ids: Vec<(u64, u32, u32)>,
    pub(crate) spans: Vec<Span>,
    pub(crate) notes: Vec<OwnedNote>,
    /// What is said of spans, by their order, in the order of `spans`.
    pub(crate) extras: Vec<(u64, Extra)>,
}

/// A trace that may get more records.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) spans: Vec<Span>,
    pub(crate) notes: Vec<OwnedNote>,
    /// What is said of spans, by their order.
    pub(crate) extras: Vec<(u64, Extra)>,
    /// The last end.
    last: u64,
}

impl Waiting {
    fn records(&self) -> usize {
        self.spans.len() + self.notes.len() + self.extras.len()
    }
}

#[derive(Debug, Default)]
struct Room {
    waiting: NumberMap<(u32, u64), Waiting>,
    closed: HashSet<(u32, u64)>,
    reused: u64,
}

/// A trace that leaves, by domain and id.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) domain: usize,
    pub(crate) id: u64,
    pub(crate) trace: Waiting,
    pub(crate) early: bool,
}

/// The waiting room.
#[derive(Debug)]
pub(crate) struct Stitcher {
    rooms: Vec<Room>,
    /// Traces closed for lack of memory.
    pub(crate) early: u64,
}

impl Stitcher {
    pub(crate) fn new() -> Self {
        Self {
            rooms: (0..ROOMS).map(|_| Room::default()).collect(),
            early: 0,
        }
    }

    /// Takes what chunks hold, in their order.
    pub(crate) fn take(&mut self, chunks: &[Fragments]) {
        self.rooms
            .par_iter_mut()
            .enumerate()
            .for_each(|(number, room)| {
                for chunk in chunks {
                    room.take(number, chunk);
                }
            });
    }

    /// Hands the traces to `close` that are `over`, by their domain, id and last end: nothing can join them any more.
    pub(crate) fn close(
        &mut self,
        over: impl Fn(usize, u64, u64) -> bool + Sync,
        close: impl Fn(&mut Vec<Leaving>) + Sync,
    ) {
        self.rooms.par_iter_mut().for_each(|room| {
            let mut leaving = room.leave(&over);
            close(&mut leaving);
        });
        let waiting: usize = self.rooms.iter().map(Room::records).sum();
        if waiting > MAX_WAITING {
            self.make_room(waiting, &close);
        }
    }

    /// Closes what has waited longest, until half of the room is free.
    fn make_room(&mut self, mut waiting: usize, close: &(impl Fn(&mut Vec<Leaving>) + Sync)) {
        let all = self.rooms.iter().flat_map(|room| &room.waiting);
        let mut oldest: Vec<(u64, (u32, u64), usize)> = all
            .map(|(key, trace)| (trace.last, *key, trace.records()))
            .collect();
        oldest.sort_unstable();
        let mut chosen = HashSet::new();
        for (_, key, records) in oldest {
            if waiting <= MAX_WAITING / 2 {
                break;
            }
            waiting -= records;
            chosen.insert(key);
        }
        self.early += chosen.len() as u64;
        self.rooms.par_iter_mut().for_each(|room| {
            let mut leaving = Vec::new();
            for key in chosen.iter() {
                if let Some(trace) = room.waiting.remove(key) {
                    leaving.push(Leaving {
                        domain: key.0 as usize,
                        id: key.1,
                        trace,
                        early: true,
                    });
                }
            }
            leaving.sort_unstable_by_key(|each| (each.domain, each.id));
            close(&mut leaving);
        });
    }

    /// How often an id came again after its trace was closed.
    pub(crate) fn reused(&self) -> u64 {
        self.rooms.iter().map(|room| room.reused).sum()
    }
}

impl Room {
    fn records(&self) -> usize {
        self.waiting.values().map(Waiting::records).sum()
    }

    fn take(&mut self, number: usize, chunk: &Fragments) {
        let (mut span, mut note) = (0, 0);
        let mut extras = chunk.extras.as_slice();
        for (id, spans, notes) in &chunk.ids {
            let (first_span, first_note) = (span, note);
            span += *spans as usize;
            note += *notes as usize;
            let spans = &chunk.spans[first_span..span];
            let said = match extras {
                [] => &[],
                _ => split_said(&mut extras, spans),
            };
            if spread(*id) as usize % ROOMS != number {
                continue;
            }
            let mine = self.waiting.entry((chunk.domain as u32, *id)).or_default();
            mine.extras.extend_from_slice(said);
            for span in spans {
                mine.last = mine.last.max(span.end);
                mine.spans.push(*span);
            }
            for note in &chunk.notes[first_note..note] {
                mine.last = mine.last.max(note.at);
                mine.notes.push(note.clone());
            }
        }
    }

    fn leave(&mut self, over: impl Fn(usize, u64, u64) -> bool) -> Vec<Leaving> {
        let gone: Vec<(u32, u64)> = self
            .waiting
            .iter()
            .filter(|(key, trace)| over(key.0 as usize, key.1, trace.last))
            .map(|(key, _)| *key)
            .collect();
        let mut leaving = Vec::with_capacity(gone.len());
        for key in gone {
            let Some(trace) = self.waiting.remove(&key) else {
                continue;
            };
            if self.closed.len() < MAX_REMEMBERED {
                self.reused += u64::from(!self.closed.insert(key));
            } else {
                self.reused += u64::from(self.closed.contains(&key));
            }
            leaving.push(Leaving {
                domain: key.0 as usize,
                id: key.1,
                trace,
                early: false,
            });
        }
        leaving
    }
}

/// The first of `extras`, which are of `spans`; the others are left.
fn split_said<'a>(extras: &mut &'a [(u64, Extra)], spans: &[Span]) -> &'a [(u64, Extra)] {
    let mut said = 0;
    for span in spans {
        said += usize::from(
            extras
                .get(said)
                .is_some_and(|(order, _)| *order == span.order),
        );
    }
    let (mine, rest) = extras.split_at(said);
    *extras = rest;
    mine
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A trace without end, and a short one in every chunk: the one that waits longest goes first, and none is lost.
    #[test]
    fn too_many_records_make_room() {
        let mut stitcher = Stitcher::new();
        let left: Mutex<Vec<(u64, usize, bool)>> = Mutex::new(Vec::new());
        let close = |leaving: &mut Vec<Leaving>| {
            let mine = leaving
                .iter()
                .map(|each| (each.id, each.trace.spans.len(), each.early));
            left.lock().unwrap().extend(mine);
        };
        for chunk in 0..20 {
            let span = |at: u64| Span::new((at, at + 1), at, 0, 0, 0);
            let at = chunk * 1000;
            stitcher.take(&[Fragments {
                domain: 0,
                ids: vec![(1, 100, 0), (1000 + chunk, 50, 0)],
                spans: (0..150).map(|n| span(at + n % 100 * 9)).collect(),
                ..Fragments::default()
            }]);
            stitcher.close(|_, _, _| false, close);
            let waiting: usize = stitcher.rooms.iter().map(Room::records).sum();
            assert!(waiting <= MAX_WAITING, "{waiting} records wait");
        }
        assert!(stitcher.early > 0);
        stitcher.close(|_, _, _| true, close);
        let left = left.into_inner().unwrap();
        assert_eq!(
            left.iter().map(|(_, spans, _)| spans).sum::<usize>(),
            20 * 150
        );
        let early = left.iter().filter(|(.., early)| *early).count();
        assert_eq!(early as u64, stitcher.early);
    }
}
