//! What the files of a capture have already, so that nothing is saved twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use perf_format::{
    Anchor, ChunkHead, ChunkKind, CloseReason, EventsChunk, FileHeader, Frame, Index, LossEntry,
    ReadAt, Result, SegmentId, Tables,
};

/// Slots of one ring, as stretches of sequence numbers that do not touch: first and last of each. One that lies across the
/// wrap of the numbers is two.
#[derive(Debug, Default)]
struct Stretches(BTreeMap<u64, u64>);

impl Stretches {
    /// Adds `slots` slots from `first` on. On average it takes the time of a look-up: what it joins is gone for good.
    fn add(&mut self, first: u64, slots: u64) {
        for (from, to) in unwrapped(first, slots) {
            self.join(from, to);
        }
    }

    fn join(&mut self, mut from: u64, mut to: u64) {
        if let Some((&start, &end)) = self.0.range(..=from).next_back()
            && end >= from.saturating_sub(1)
        {
            from = start;
        }
        while let Some((&start, &end)) = self.0.range(from..=to.saturating_add(1)).next() {
            to = to.max(end);
            self.0.remove(&start);
        }
        self.0.insert(from, to);
    }

    /// The parts of `first..first + slots` that are not in it: offsets from `first`, with lengths. It takes a look-up, and
    /// one step for each stretch in there.
    fn missing(&self, first: u64, slots: u64) -> Vec<(u64, u64)> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        for (from, to) in unwrapped(first, slots) {
            let before = self.0.range(..from).next_back().map(|(_, &end)| end);
            // The first slot that is not known to be there; `None` behind the last number of all.
            let mut at = match before {
                Some(end) if end >= from => end.checked_add(1),
                _ => Some(from),
            };
            let within = self
                .0
                .range(from..=to)
                .map(|(&start, &end)| (start, Some(end)));
            for (start, end) in within.chain([(to.wrapping_add(1), None)]) {
                let Some(gap) = at.filter(|at| *at <= to) else {
                    break;
                };
                let length = start.wrapping_sub(gap);
                let offset = gap.wrapping_sub(first);
                match gaps.last_mut() {
                    Some((last, so_far)) if *last + *so_far == offset => *so_far += length,
                    _ if length > 0 => gaps.push((offset, length)),
                    _ => {}
                }
                at = end.and_then(|end| end.checked_add(1));
            }
        }
        gaps
    }
}

/// `slots` numbers from `first` on as one or two stretches that do not lie across the wrap: first and last of each.
fn unwrapped(first: u64, slots: u64) -> impl Iterator<Item = (u64, u64)> {
    let last = first.wrapping_add(slots.wrapping_sub(1));
    let (one, other) = match slots {
        0 => (None, None),
        _ if last >= first => (Some((first, last)), None),
        _ => (Some((first, u64::MAX)), Some((0, last))),
    };
    one.into_iter().chain(other)
}

/// What is known of a capture.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) header: Option<FileHeader>,
    pub(super) tables: Tables,
    pub(super) anchors: Vec<Anchor>,
    pub(super) has_open_spans: bool,
    pub(super) is_closed: bool,
    /// Parts of the capture are not there, or were not read: losses that only they tell of are not known.
    pub(super) is_partial: bool,
    /// The highest clock segment so far.
    pub(super) segment: SegmentId,
    /// Above every chunk number so far.
    pub(super) next_seq: u64,
    pub(super) rows: u64,
    pub(super) event_chunks: u64,
    /// By number and sum of the head. The number alone does not do: what was saved while the capture was not to be found
    /// has numbers from the beginning again.
    chunks: HashSet<(u64, u32)>,
    rings: HashMap<u32, Stretches>,
    /// Records that are known to be lost, by ring and cause.
    told: HashMap<(u32, u32), u64>,
}

impl Known {
    /// Takes in a file of the capture. Bodies of event chunks are not read.
    ///
    /// # Errors
    /// Nothing of it can be read.
    pub(super) fn add_file(&mut self, source: &impl ReadAt) -> Result<()> {
        let index = Index::read(source)?;
        let (mut piece, mut chunk) = (Vec::new(), Vec::new());
        for entry in &index.chunks {
            if entry.head.kind != ChunkKind::EVENTS || !entry.head.is_known() {
                self.add_head(&entry.head);
                continue;
            }
            let head_len = entry.head.head_len as usize;
            let Ok(head) = source.bytes_at(entry.offset, head_len, &mut piece) else {
                continue;
            };
            // The tables are in the head; the body only has to have its length.
            chunk.resize(entry.head.chunk_len() as usize, 0);
            chunk[..head.len()].copy_from_slice(head);
            // Left out of what is known, it is saved again if the arena has it.
            if let Ok(events) = EventsChunk::parse(&chunk, entry.offset) {
                self.add_events(&events);
            }
        }
        self.add_metadata(index);
        Ok(())
    }

    /// Takes in what the metadata of a file says.
    pub(super) fn add_metadata(&mut self, index: Index) {
        index
            .notes
            .losses
            .iter()
            .for_each(|loss| self.add_loss(loss));
        self.tables.events.extend(index.tables.events);
        self.tables.threads.extend(index.tables.threads);
        self.add_anchors(index.anchors.anchors);
        // Parts of which the capture goes on say nothing of its end.
        let reason = index.close.as_ref().map(|close| close.reason);
        self.is_closed |= reason.is_some_and(|reason| {
            reason != CloseReason::SNAPSHOT && reason != CloseReason::ROTATED
        });
        // Those of a flight recorder have what was open then.
        self.has_open_spans |=
            !index.open_spans.is_empty() && reason != Some(CloseReason::SNAPSHOT);
        self.header = self.header.take().or(index.header);
    }

    /// Each event and thread once, as the last one says who describes it.
    pub(super) fn tidy_tables(&mut self) {
        let Tables {
            events, threads, ..
        } = &mut self.tables;
        let mut last: HashMap<_, _> = events.drain(..).map(|event| (event.id, event)).collect();
        events.extend(last.drain().map(|(_, event)| event));
        events.sort_by_key(|event| event.id);
        let mut last: HashMap<_, _> = threads.drain(..).map(|it| (it.id, it)).collect();
        threads.extend(last.drain().map(|(_, thread)| thread));
        threads.sort_by_key(|thread| thread.id);
    }

    pub(super) fn add_anchors(&mut self, anchors: Vec<Anchor>) {
        for anchor in &anchors {
            self.segment = self.segment.max(anchor.segment);
        }
        self.anchors.extend(anchors);
    }

    /// Takes in any chunk by its head; false if it was known.
    fn add_head(&mut self, head: &ChunkHead) -> bool {
        self.next_seq = self.next_seq.max(head.chunk_seq.saturating_add(1));
        self.segment = self.segment.max(head.segment);
        self.chunks.insert(name_of(head))
    }

    fn add_events(&mut self, events: &EventsChunk<'_>) {
        if !self.add_head(events.head()) {
            return;
        }
        self.rows += events.rows() as u64;
        self.event_chunks += 1;
        for range in events.ranges() {
            self.add_slots(range.ring.0, range.first_seq, range.slots.into());
        }
        events.losses().iter().for_each(|loss| self.add_loss(loss));
    }

    /// Takes in a whole chunk, whose sums must be right. False if it was known.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn add_chunk(&mut self, chunk: &[u8], offset: u64) -> Result<bool> {
        let frame = Frame::parse(chunk, offset)?;
        frame.check_body(chunk)?;
        if self.chunks.contains(&name_of(&frame.head)) {
            return Ok(false);
        }
        if frame.head.kind == ChunkKind::EVENTS && frame.head.is_known() {
            self.add_events(&EventsChunk::parse(chunk, offset)?);
        } else {
            self.add_head(&frame.head);
        }
        Ok(true)
    }

    pub(super) fn add_slots(&mut self, ring: u32, first_seq: u64, slots: u64) {
        self.rings.entry(ring).or_default().add(first_seq, slots);
    }

    pub(super) fn add_loss(&mut self, loss: &LossEntry) {
        let told = self.told.entry((loss.ring.0, loss.cause.0)).or_default();
        *told = told.saturating_add(loss.count);
    }

    /// Records of this ring and cause that are known to be lost.
    pub(super) fn told(&self, ring: u32, cause: u32) -> u64 {
        self.told.get(&(ring, cause)).copied().unwrap_or(0)
    }

    /// All records that are known to be lost.
    pub(super) fn lost(&self) -> u64 {
        self.told
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The parts of a run of slots that nothing has yet: offsets from its first, with lengths.
    pub(super) fn missing(&self, ring: u32, first_seq: u64, slots: u64) -> Vec<(u64, u64)> {
        match self.rings.get(&ring) {
            Some(stretches) => stretches.missing(first_seq, slots),
            None if slots > 0 => vec![(0, slots)],
            None => Vec::new(),
        }
    }
}

/// What tells a chunk from all others of its capture.
fn name_of(head: &ChunkHead) -> (u64, u32) {
    (head.chunk_seq, head.head_crc)
}

#[cfg(test)]
mod tests {
    use perf_format::{ChunkEncoder, RingId, Row, RunHead};

    use super::*;

    #[test]
    fn two_chunks_of_one_number_are_two() {
        let chunk = |ring| {
            let mut encoder = ChunkEncoder::new();
            let head = RunHead {
                ring: RingId(ring),
                ..RunHead::default()
            };
            encoder.push_run(head, [Row::default()]);
            let mut bytes = Vec::new();
            encoder.encode(0, SegmentId(0), &mut bytes);
            bytes
        };
        let mut known = Known::default();
        for is_new in [true, false] {
            for ring in [1, 2] {
                assert_eq!(known.add_chunk(&chunk(ring), 0), Ok(is_new), "ring {ring}");
            }
        }
        assert_eq!(known.rows, 2);
        assert_eq!(known.missing(2, 0, 2), [(1, 1)]);
    }

    #[test]
    fn gaps_between_stretches_are_found() {
        let mut known = Known::default();
        assert_eq!(known.missing(1, 5, 10), [(0, 10)]);
        known.add_slots(1, 10, 5);
        known.add_slots(1, 15, 5);
        known.add_slots(1, 30, 2);
        known.add_slots(1, 22, 3);
        assert_eq!(
            known.missing(1, 0, 40),
            [(0, 10), (20, 2), (25, 5), (32, 8)]
        );
        assert_eq!(known.missing(1, 12, 6), []);
        assert_eq!(known.missing(1, 19, 4), [(1, 2)]);
        assert_eq!(known.missing(2, 12, 6), [(0, 6)]);
        assert_eq!(known.missing(2, 12, 0), []);
    }

    #[test]
    fn numbers_wrap() {
        let mut known = Known::default();
        known.add_slots(1, u64::MAX - 4, 10);
        assert_eq!(known.missing(1, u64::MAX - 9, 20), [(0, 5), (15, 5)]);
        assert_eq!(known.missing(1, 2, 10), [(3, 7)]);
    }

    #[test]
    fn stretches_agree_with_a_set_of_their_numbers() {
        // Around the wrap, so that every sum and difference crosses it.
        const BASE: u64 = u64::MAX - 31;
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        for round in 0..500 {
            let mut known = Known::default();
            let mut there = [false; 64];
            for _ in 0..next(12) {
                let first = next(64);
                let slots = next(65 - first);
                known.add_slots(1, BASE.wrapping_add(first), slots);
                there[first as usize..(first + slots) as usize].fill(true);
            }
            let first = next(64);
            let slots = next(65 - first);
            let mut gaps: Vec<(u64, u64)> = Vec::new();
            for offset in (0..slots).filter(|offset| !there[(first + offset) as usize]) {
                match gaps.last_mut() {
                    Some((from, length)) if *from + *length == offset => *length += 1,
                    _ => gaps.push((offset, 1)),
                }
            }
            assert_eq!(
                known.missing(1, BASE.wrapping_add(first), slots),
                gaps,
                "round {round}"
            );
        }
    }

    #[test]
    fn many_stretches_are_no_burden() {
        // Every other slot, as forged runs may have it. One look at all of them for each would take minutes.
        const RUNS: u64 = 300_000;
        let mut known = Known::default();
        for run in 0..RUNS {
            assert_eq!(known.missing(1, 2 * run, 1), [(0, 1)]);
            known.add_slots(1, 2 * run, 1);
        }
        assert_eq!(known.missing(1, 0, 2 * RUNS).len() as u64, RUNS);
    }
}
