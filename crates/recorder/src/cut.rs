//! From staged records to the encoded chunks of a capture.

use perf_arena::tag;
use perf_format::{ChunkEncoder, ChunkStream, LossCause, LossEntry};

use crate::drainer::{Drainer, Piece, take_buffer};
use crate::handoff::Handoff;
use crate::rows::{self, Slots};
use crate::sampling::{Keeping, Sampler, push_kept};

/// Where chunks are made.
pub(crate) struct Chunks {
    encoder: ChunkEncoder,
    /// The rows that a sampled capture keeps, of those in `encoder`.
    kept: Option<Box<ChunkEncoder>>,
    max_piece_bytes: usize,
}

impl Chunks {
    pub(crate) fn new(max_piece_bytes: usize) -> Self {
        Self {
            encoder: ChunkEncoder::new(),
            kept: None,
            max_piece_bytes,
        }
    }
}

/// What a chunk goes through.
struct Cut<'d> {
    chunks: &'d mut Chunks,
    stream: &'d mut ChunkStream,
    spare: &'d mut Vec<Vec<u8>>,
    /// If some of the rows are left out.
    sampler: Option<&'d Sampler>,
    /// Each chunk takes its rollup with it: one that is sampled, or that may be dropped again while others are not.
    rolls: bool,
    pieces: Vec<Piece>,
    /// Records that no chunk took.
    refused: u64,
}

impl Drainer {
    /// Turns the staged records into chunks, behind the tables that they need.
    pub(crate) fn cut(&mut self) {
        // What is staged may be encoded already and only wait for the sink: a clock that breaks then cuts, too.
        let is_encoded = self.pieces.iter().any(|piece| piece.clears_staging);
        if is_encoded || self.owner.staging_slots().0 == 0 {
            return;
        }
        self.queue_tables();
        let now = self.now().since_start;
        let mut cut = Cut {
            chunks: &mut self.chunks,
            stream: &mut self.stream,
            spare: &mut self.spare,
            sampler: self.sampler.as_ref().filter(|it| it.is_thinning()),
            rolls: self
                .sampler
                .as_ref()
                .is_some_and(|it| it.is_thinning() || self.keeper.is_some()),
            pieces: Vec::new(),
            refused: 0,
        };
        // Ring by ring, each in its order: what follows what in a ring is one range of the chunk.
        let mut blocks: Vec<_> = self.owner.staged().collect();
        blocks.sort_by_key(|block| block.ring);
        self.processors
            .look(blocks.iter().map(|block| block.thread), now);
        let mut lost = std::mem::take(&mut self.lost);
        let mut count = |entry: &LossEntry| lost.add(entry.cause, entry.count);
        // Of the chunk in the making.
        let mut taken = Vec::new();
        for block in &blocks {
            let mut slots = Slots {
                ring: block.ring,
                thread: block.thread,
                first_seq: block.first_seq,
                cpu: self.processors.of(block.thread, now),
                records: block.records,
            };
            loop {
                let was_empty = cut.chunks.encoder.is_empty();
                let pushed = rows::push(&mut cut.chunks.encoder, &slots, &mut count);
                self.reversed += pushed.reversed;
                let records = slots.records;
                if cut.sampler.is_some() {
                    taken.push(Slots {
                        records: &records[..pushed.slots],
                        ..slots
                    });
                }
                if pushed.slots >= records.len() {
                    break;
                }
                let mut rest = pushed.slots;
                if was_empty && rest == 0 {
                    // An empty chunk takes any record; were it not so, this one would come again forever.
                    rest = 1;
                    cut.refused += 1;
                }
                slots.first_seq = slots.first_seq.wrapping_add(rest as u64);
                slots.records = &records[rest..];
                cut.encode(&mut taken);
            }
        }
        cut.encode(&mut taken);
        let (mut pieces, refused) = (cut.pieces, cut.refused);
        lost.add(LossCause::SPOOL_FULL, refused);
        self.lost = lost;
        self.told(Handoff::Encoded);
        match pieces.last_mut() {
            Some(last) => last.clears_staging = true,
            None => self.owner.clear_staged(),
        }
        self.pieces.extend(pieces);
    }
}

impl Cut<'_> {
    /// Encodes what the encoder holds, if anything. It came from `taken`, if it is sampled.
    fn encode(&mut self, taken: &mut Vec<Slots<'_>>) {
        let mut bytes = take_buffer(self.spare);
        let head = match self.sampler {
            None => self.stream.events(&mut self.chunks.encoder, &mut bytes),
            Some(sampler) => {
                let kept = self.chunks.kept.get_or_insert_default();
                let keeping = Keeping {
                    sampler,
                    bounds: bounds(taken),
                };
                for slots in taken.drain(..) {
                    if push_kept(kept, &slots, &keeping).is_err() {
                        debug_assert!(false, "a part has room where the whole has");
                    }
                }
                self.stream
                    .sampled_events(&mut self.chunks.encoder, kept, &mut bytes)
            }
        };
        let Some(head) = head else { return };
        let mut rollup = Vec::new();
        if self.rolls {
            self.stream.rollup(&mut rollup);
            // In one piece, so that neither comes into the file without the other.
            if bytes.len() + rollup.len() <= self.chunks.max_piece_bytes {
                bytes.append(&mut rollup);
            }
        }
        self.piece(bytes, head.record_count.into());
        if !rollup.is_empty() {
            self.piece(rollup, 0);
        }
    }

    fn piece(&mut self, bytes: Vec<u8>, rows: u64) {
        self.pieces.push(Piece {
            bytes,
            rows,
            clears_staging: false,
        });
    }
}

/// The records with the smallest and the largest end: ring and number of each.
fn bounds(taken: &[Slots<'_>]) -> [Option<(u32, u64)>; 2] {
    let (mut first, mut last) = (None, None);
    for slots in taken {
        let mut at = 0;
        while let Some(record) = slots.records.get(at) {
            let place = (slots.ring, slots.first_seq.wrapping_add(at as u64));
            at += 1 + record.payload_slots() as usize;
            if record.is_stray() || record.tag() >= tag::LOSS {
                continue;
            }
            let end = record.end_ticks();
            if first.is_none_or(|(smallest, _)| end < smallest) {
                first = Some((end, place));
            }
            if last.is_none_or(|(largest, _)| end > largest) {
                last = Some((end, place));
            }
        }
    }
    [first, last].map(|found| found.map(|(_, place)| place))
}
