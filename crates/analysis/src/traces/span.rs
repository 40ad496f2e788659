//! One span of a trace, in 32 bytes: most of the memory and of the time goes into these.

use crate::report::Outcome;

/// A span as the analysis sees it. Times are in *units*: ticks where all captures share one rate, else ns (see
/// [`super::World`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// Where it was recorded: a later record of the same thread has a greater number.
    pub(crate) order: u64,
    event: u32,
    /// Thread and outcome.
    lane: u32,
}

const OUTCOMES: [Outcome; 4] = [
    Outcome::Ok,
    Outcome::Error,
    Outcome::Cancelled,
    Outcome::Panicked,
];

impl Span {
    /// `outcome` is the place in the order of [`Outcome`].
    #[inline]
    pub(crate) fn new(
        (start, end): (u64, u64),
        order: u64,
        event: u32,
        thread: u32,
        outcome: u8,
    ) -> Self {
        Self {
            start,
            end,
            order,
            event,
            lane: thread << 2 | u32::from(outcome & 3),
        }
    }

    /// Its event: a number of [`super::World::event_name`].
    #[inline]
    pub fn event(&self) -> u32 {
        self.event
    }

    /// Its thread: a number of [`super::World::thread_name`].
    #[inline]
    pub fn thread(&self) -> u32 {
        self.lane >> 2
    }

    /// Its row in the chunk that it is from.
    #[inline]
    pub(crate) fn row(&self) -> usize {
        usize::from(self.order as u16)
    }

    /// How it ended.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        OUTCOMES[(self.lane & 3) as usize]
    }

    /// A bit for its outcome.
    #[inline]
    pub(crate) fn outcome_bit(&self) -> u8 {
        1 << (self.lane & 3)
    }

    /// How long it took.
    #[inline]
    pub fn duration(&self) -> u64 {
        self.end - self.start
    }
}

const _: () = assert!(size_of::<Span>() == 32);
