//! What a running recorder tells about itself.

use std::path::PathBuf;
use std::time::Duration;

use perf_format::{SelfCost, Warning};

use crate::flight::FlightStatus;
use crate::live::Engine;
use crate::loss::{self, Lost};
use crate::parts::Parts;

/// A recorder at one moment: whether it runs, how full each thread's ring is and how far it has got, what was lost, at
/// which rate it samples, and what it costs. Asking takes the drainer's lock for some microseconds, and no recording
/// thread waits for that.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// Whether it is running: not stopped, and not the recorder of a parent process.
    pub running: bool,
    /// Whether probes are on.
    pub enabled: bool,
    /// The capture's file, if it goes into one; of several parts the one that is being written.
    pub capture: Option<PathBuf>,
    /// How many parts the capture has so far, and what was deleted.
    pub parts: Parts,
    /// Records in the capture so far. Those of the last second or so are still in rings.
    pub records: u64,
    /// Records among those that came so far that [`Sampling`](crate::Sampling) left out of the capture.
    pub sampled_out: u64,
    /// Records that were lost so far, by cause.
    pub lost: Lost,
    /// Bytes of the capture that the storage has.
    pub bytes: u64,
    /// The threads that record, or have records in a ring.
    pub rings: Vec<RingUse>,
    /// Share of the traces that is kept at the present load, from 0 to 1.
    pub sampling_rate: f64,
    /// What recording cost in the last whole interval.
    pub self_cost: SelfCost,
    /// What one record costs the program in ns, as measured at the start; 0 if it could not be.
    pub ns_per_record: f64,
    /// Bytes of encoded chunks that wait for the storage.
    pub spool_used_bytes: u64,
    /// Bytes of shared memory that rings have, in use or ready for use.
    pub memory_bytes: u64,
    /// Why the storage cannot be written at the moment; `None` if it can.
    pub failing: Option<String>,
    /// The first warnings of this recorder; the capture has them all.
    pub warnings: Vec<Warning>,
    /// How long it has been recording.
    pub uptime: Duration,
    /// What a flight recorder holds and has written; `None` of any other.
    pub flight: Option<FlightStatus>,
}

/// One thread's ring at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingUse {
    /// The thread's number in the capture.
    pub thread: u32,
    /// The thread's name; empty until the drainer has met it.
    pub name: String,
    /// Slots (32 bytes) that the ring has; while it moves to another piece of memory, of both.
    pub capacity_slots: u64,
    /// Slots that are recorded and not yet drained.
    pub used_slots: u64,
    /// Number of the next slot: how many slots the thread has filled. A record is one, a text or a long key takes more, and
    /// so does a notice of what was lost before.
    pub write_index: u64,
    /// Records that the thread has lost.
    pub lost: u64,
}

impl Engine {
    pub(crate) fn rings(&self) -> Vec<RingUse> {
        let drainer = &self.drainer;
        let rings = drainer.owner.rings();
        rings
            .into_iter()
            .map(|ring| RingUse {
                thread: ring.thread,
                name: drainer
                    .threads
                    .get(&ring.thread)
                    .map(|thread| thread.name.clone())
                    .unwrap_or_default(),
                capacity_slots: ring.capacity_slots,
                used_slots: ring.used_slots,
                write_index: ring.write_index,
                lost: ring
                    .losses
                    .iter()
                    .filter(|loss| loss.cause.is_loss())
                    .map(|loss| loss.total)
                    .sum(),
            })
            .collect()
    }

    /// All losses so far, told of in the capture or not yet.
    pub(crate) fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        for cause in perf_arena::LossCause::ALL {
            if cause.is_loss() {
                lost.add(loss::cause_of(cause), self.drainer.owner.lost(cause));
            }
        }
        // Those that only the drainer knows of. It lets no thread overwrite: what is overwritten a stray write did.
        for cause in [perf_format::LossCause::SPOOL_FULL, loss::OVERWRITTEN] {
            lost.add(cause, self.drainer.lost.by(cause));
        }
        lost
    }
}
