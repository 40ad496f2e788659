//! The shared structures in ordinary memory, for loom: the same producer, consumer, slots, spares and spool positions, with
//! segments of a few slots.

use crate::consumer::Consumer;
use crate::open::{OpenSpan, open_spans};
use crate::producer::Producer;
use crate::ring::{MODE_DROP_NEWEST, MODE_OVERWRITE, Opening};
use crate::slot::BLOCK_OWNED;
use crate::space::Space;
use crate::spool::{HeadEnd, Positions, SpoolFull, TailEnd};
use crate::sync::{AtomicU64, Ordering};

/// An arena without a file.
#[derive(Clone, Copy)]
pub struct Model {
    space: &'static Space,
    max_slots: u32,
}

impl Model {
    /// `rings` rings, each on the segment and the block with its own index; the other segments and blocks are nobody's.
    #[must_use]
    pub fn new(rings: u32, segment_slots: &[u32], blocks: u32, overwrites: bool) -> Self {
        let space: &'static Space = Box::leak(Box::new(Space::new(rings, segment_slots, blocks)));
        for index in 0..rings {
            let block = (index < blocks).then_some(index);
            if let Some(info) = block.and_then(|it| space.block_info(it)) {
                info.state.store(BLOCK_OWNED, Ordering::Relaxed);
            }
            let ring = space.ring(index).expect("the ring is there");
            ring.open(&Opening {
                id: index + 1,
                thread: index + 1,
                os_thread: 0,
                segment: index,
                block,
                first_seq: 0,
                mode: if overwrites {
                    MODE_OVERWRITE
                } else {
                    MODE_DROP_NEWEST
                },
                name: "",
            });
        }
        let max_slots = segment_slots.iter().copied().max().unwrap_or(0);
        Self { space, max_slots }
    }

    /// The producer of a ring.
    #[must_use]
    pub fn producer(&self, ring: u32) -> Producer {
        let producer = Producer::detached();
        assert!(producer.adopt(self.space, ring, self.max_slots));
        producer
    }

    /// The consumer of a ring.
    #[must_use]
    pub fn consumer(&self, ring: u32) -> Consumer {
        Consumer::new(self.space, ring).expect("the ring is there")
    }

    /// What the drainer does with a segment that is done with, or new.
    pub fn lay_out_segment(&self, index: u32) {
        let info = self.space.segment(index).expect("the segment is there");
        info.ring.store(0, Ordering::Relaxed);
        info.next.store(0, Ordering::Relaxed);
        assert!(self.space.spares().segments.put(index));
    }

    /// Takes any spare segment.
    #[must_use]
    pub fn take_segment(&self) -> Option<u32> {
        self.space.spares().segments.take(|_| true)
    }

    /// The ring's head, as a salvager or another thread sees it.
    #[must_use]
    pub fn head(&self, ring: u32) -> u64 {
        let ring = self.space.ring(ring).expect("the ring is there");
        ring.head.load(Ordering::Acquire)
    }

    /// Spans that are open.
    #[must_use]
    pub fn open_spans(&self, blocks: u32) -> Vec<OpenSpan> {
        open_spans(self.space, blocks)
    }
}

/// A spool's writer.
pub struct SpoolHead(HeadEnd);

/// A spool's reader.
pub struct SpoolTail(TailEnd);

/// Both ends of an empty spool of `size` bytes.
#[must_use]
pub fn spool(size: u64) -> (SpoolHead, SpoolTail) {
    let zero = || &*Box::leak(Box::new(AtomicU64::new(0)));
    let positions = Positions {
        head: zero(),
        tail: zero(),
        size,
    };
    (
        SpoolHead(HeadEnd::new(positions)),
        SpoolTail(TailEnd::new(positions)),
    )
}

impl SpoolHead {
    /// Where a frame of `bytes` bytes can go.
    ///
    /// # Errors
    /// There is no room for it now.
    pub fn claim(&self, bytes: u64) -> Result<u64, SpoolFull> {
        self.0.claim(bytes)
    }

    /// The frame at the claimed place is complete.
    pub fn publish(&mut self, bytes: u64) {
        self.0.publish(bytes);
    }
}

impl SpoolTail {
    /// Where the oldest frame is, and how many published bytes there are.
    #[must_use]
    pub fn front(&self) -> (u64, u64) {
        self.0.front()
    }

    /// Done with so many bytes.
    pub fn release(&mut self, bytes: u64) {
        self.0.release(bytes);
    }
}
