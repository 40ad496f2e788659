//! What was not recorded, and why: counted exactly, in the ring and in the stream.

use crate::record::{Record, tag, word3};
use crate::sync::{AtomicU64, Ordering};

/// Counters that a ring and the arena keep, one per cause code.
pub const LOSS_CAUSES: usize = 8;

/// Why a record is missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum LossCause {
    /// The ring was full and no bigger segment was at hand.
    RingFull = 1,
    /// The thread could not get a ring.
    NoRing = 2,
    /// The record came after the recorder had stopped, or from a thread whose ring was already closed.
    AfterShutdown = 3,
    /// A signal handler recorded while it interrupted a recording of the same thread.
    NestedSignal = 4,
    /// A newer record overwrote it before it was drained (flight-recorder mode only).
    Overwritten = 5,
    /// An annotation with more bytes than its ring has room for.
    TooLarge = 6,
    /// Not a lost record: a span that was open without a slot, so that a crash would have forgotten that it was open.
    Untracked = 7,
}

impl LossCause {
    /// All causes, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::RingFull,
        Self::NoRing,
        Self::AfterShutdown,
        Self::NestedSignal,
        Self::Overwritten,
        Self::TooLarge,
        Self::Untracked,
    ];

    /// The code in loss records and counters.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The cause of a code; `None` for a code that this version does not know.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1..=7 => Some(Self::ALL[code as usize - 1]),
            _ => None,
        }
    }

    /// Whether records are missing because of it. [`Untracked`](Self::Untracked) spans are recorded when they end.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        !matches!(self, Self::Untracked)
    }
}

/// How many records one cause has cost, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Why.
    pub cause: LossCause,
    /// All of them since the ring was opened.
    pub total: u64,
    /// Those of `total` that a loss record in the stream already tells of.
    pub reported: u64,
    /// Ticks of the first record of the latest gap; 0 if not known.
    pub from_ticks: u64,
    /// Ticks of the last record of the latest gap; 0 if not known.
    pub to_ticks: u64,
}

impl Loss {
    /// Records that are lost and that nothing in the stream tells of yet.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.total.wrapping_sub(self.reported)
    }

    /// The record that tells of what is pending.
    pub(crate) const fn record(&self) -> Record {
        let word = word3(self.cause.code() as u32, tag::LOSS, 0);
        Record([self.to_ticks, self.pending(), self.from_ticks, word])
    }
}

/// The causes that the stream itself tells of, by a loss record. The others are only counted: an overwritten stretch has no
/// place in the stream, and an untracked span is not lost.
pub(crate) const IN_BAND: [LossCause; 3] = [
    LossCause::RingFull,
    LossCause::NestedSignal,
    LossCause::TooLarge,
];

/// In a cell's total: the arena is closed, and what is added to the cell from here on reaches nobody.
const SEALED: u64 = 1 << 63;

/// The count in a cell's total, whether it is sealed or not.
pub(crate) const fn count_of(total: u64) -> u64 {
    total & !SEALED
}

/// One cause's counters in shared memory, 32 bytes: total, reported, from ticks, to ticks. The highest bit of the total
/// says that the arena was being closed.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct LossCell {
    total: AtomicU64,
    reported: AtomicU64,
    from_ticks: AtomicU64,
    to_ticks: AtomicU64,
}

impl LossCell {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            total: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            from_ticks: AtomicU64::new(0),
            to_ticks: AtomicU64::new(0),
        }
    }

    /// Counts `count` lost records that would have carried the time `ticks`. False if the cell is sealed: whoever sealed
    /// it does not know of them.
    ///
    /// The counters are added to atomically since a signal handler may do so in the midst of it.
    #[must_use]
    pub(crate) fn add(&self, count: u64, ticks: u64) -> bool {
        let before = self.total.fetch_add(count, Ordering::Relaxed);
        if before != count_of(before) {
            return false;
        }
        if before == self.reported.load(Ordering::Relaxed) {
            self.from_ticks.store(ticks, Ordering::Relaxed);
        }
        self.to_ticks.store(ticks, Ordering::Relaxed);
        true
    }

    /// Closes the cell and returns all that was counted before: each [`add`](Self::add) is either in this count, or was
    /// told that it is not. 0 the second time.
    pub(crate) fn seal(&self) -> u64 {
        let before = self.total.fetch_or(SEALED, Ordering::Relaxed);
        if before == count_of(before) {
            before
        } else {
            0
        }
    }

    pub(crate) fn report(&self, count: u64) {
        self.reported.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, cause: LossCause) -> Loss {
        Loss {
            cause,
            total: count_of(self.total.load(Ordering::Relaxed)),
            reported: self.reported.load(Ordering::Relaxed),
            from_ticks: self.from_ticks.load(Ordering::Relaxed),
            to_ticks: self.to_ticks.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn clear(&self) {
        for word in [
            &self.total,
            &self.reported,
            &self.from_ticks,
            &self.to_ticks,
        ] {
            word.store(0, Ordering::Relaxed);
        }
    }
}

/// The counters of every cause; the index is the code, 0 is unused.
pub(crate) type LossCells = [LossCell; LOSS_CAUSES];

/// The losses among `cells` that are not zero.
pub(crate) fn read_all(cells: &LossCells) -> Vec<Loss> {
    LossCause::ALL
        .iter()
        .map(|&cause| cells[usize::from(cause.code())].read(cause))
        .filter(|loss| loss.total > 0)
        .collect()
}

/// Losses of this process that no arena was there to count. Plain atomics even under loom: nothing is ordered by them.
static PROCESS_LOSS: [core::sync::atomic::AtomicU64; LOSS_CAUSES] =
    [const { core::sync::atomic::AtomicU64::new(0) }; LOSS_CAUSES];

/// Counts records that were lost while no arena could count them: before one was there, or after it was closed.
pub fn count_process_loss(cause: LossCause, count: u64) {
    PROCESS_LOSS[usize::from(cause.code())].fetch_add(count, core::sync::atomic::Ordering::Relaxed);
}

/// How many records of this process were lost for `cause` while no arena could count them.
#[must_use]
pub fn process_loss(cause: LossCause) -> u64 {
    PROCESS_LOSS[usize::from(cause.code())].load(core::sync::atomic::Ordering::Relaxed)
}
