//! When a part of the capture ends, and what stands at its end and at the beginning of the next one.
//!
//! ```text
//!   … events │ anchor · rollup · close (rotated) ║ header · tables · anchor │ events …
//! ```
//!
//! The drainer decides. To whoever takes its pieces a new part is a piece that is a file header; all pieces one after
//! another are the capture.

use std::time::Duration;

use perf_format::{Close, CloseReason, EventDescriptor, FileHeader, Notes, ThreadDescriptor};
use perf_probe::clock;

use super::PartSettings;
use crate::drainer::{Drainer, Moment};

const DAY_NS: i64 = 86_400_000_000_000;

/// The part that is being written, for a drainer.
pub(crate) struct Rotation {
    bytes: u64,
    every_ns: Option<i64>,
    /// The header of the part.
    header: FileHeader,
    /// Where in the capture it begins; the first, behind its header.
    from: u64,
    /// When it began, and when it shall end.
    began_unix_ns: i64,
    ends_unix_ns: i64,
    /// Losses that the parts before tell of.
    lost_before: u64,
    /// All events so far.
    pub(crate) events: Vec<EventDescriptor>,
}

impl Rotation {
    /// For a capture with this header. `None` if it shall have one part only.
    pub(crate) fn of(settings: &PartSettings, header: FileHeader) -> Option<Self> {
        settings.is_rotating().then(|| {
            let every_ns = settings.rotate_every.map(nanoseconds);
            let began_unix_ns = header.start_unix_ns;
            Self {
                bytes: settings.rotate_bytes.unwrap_or(u64::MAX),
                every_ns,
                header,
                from: 0,
                began_unix_ns,
                ends_unix_ns: end_of(began_unix_ns, every_ns),
                lost_before: 0,
                events: Vec::new(),
            }
        })
    }

    /// Bytes of the header of a part.
    pub(crate) fn header_bytes(&self) -> usize {
        let mut bytes = Vec::new();
        self.header.encode(&mut bytes);
        bytes.len()
    }

    fn is_due(&self, end: u64, unix_ns: i64) -> bool {
        // A clock that was set back must not make a part of a year.
        let is_set_back = self
            .every_ns
            .is_some_and(|every| unix_ns < self.began_unix_ns.saturating_sub(every));
        end.saturating_sub(self.from) >= self.bytes || unix_ns >= self.ends_unix_ns || is_set_back
    }

    /// The next part begins: takes its header.
    fn begin(&mut self, from: u64, unix_ns: i64, lost: u64) -> Vec<u8> {
        self.from = from;
        self.began_unix_ns = unix_ns;
        self.ends_unix_ns = end_of(unix_ns, self.every_ns);
        self.lost_before = lost;
        self.header.part = self.header.part.saturating_add(1);
        self.header.start_unix_ns = unix_ns;
        let mut bytes = Vec::new();
        self.header.encode(&mut bytes);
        bytes
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// When a part ends that began at this time: at a multiple of `every` since midnight UTC where a day has a whole number of
/// them, else that long after its beginning.
fn end_of(unix_ns: i64, every: Option<i64>) -> i64 {
    match every {
        None => i64::MAX,
        Some(every) if DAY_NS % every == 0 => unix_ns
            .div_euclid(every)
            .saturating_add(1)
            .saturating_mul(every),
        Some(every) => unix_ns.saturating_add(every),
    }
}

impl Drainer {
    /// Ends the part, if it is long enough, and begins the next one.
    pub(crate) fn rotate_if_due(&mut self, now: Moment) {
        let Some(rotation) = &self.rotation else {
            return;
        };
        let end = self.put_bytes + self.queued_bytes();
        if !rotation.is_due(end, now.unix_ns) && !self.progress.is_part_wanted() {
            return;
        }
        self.progress.part_begins();
        self.cut();
        let anchor = self.anchor();
        self.tell_deleted();
        let warnings = self.warnings.take_fresh();
        self.queue_notes(&Notes {
            warnings,
            ..Notes::default()
        });
        self.queue_end_of_part(now, self.lost_in_part(), CloseReason::ROTATED);
        let (end, lost) = (self.put_bytes + self.queued_bytes(), self.lost.total());
        let Some(rotation) = &mut self.rotation else {
            return;
        };
        let header = rotation.begin(end, now.unix_ns, lost);
        let events = rotation.events.clone();
        self.queue(header);
        let threads: Vec<ThreadDescriptor> = self.threads.values().cloned().collect();
        self.queue_descriptors(&threads, &events);
        self.queue_anchor(&anchor);
    }

    /// The last rollup of a part, and its end.
    pub(crate) fn queue_end_of_part(&mut self, now: Moment, lost: u64, reason: CloseReason) {
        let close = Close {
            reason,
            ticks: clock::now().0,
            unix_ns: now.unix_ns,
            lost,
            ..Close::default()
        };
        let mut bytes = self.buffer();
        self.stream.rollup(&mut bytes);
        if bytes.len() <= self.max_piece_bytes() {
            self.queue(bytes);
        }
        let mut bytes = self.buffer();
        self.stream.close(close, &mut bytes);
        self.queue(bytes);
    }

    /// What was deleted meanwhile: told once a part.
    pub(crate) fn tell_deleted(&mut self) {
        if let Some(deleted) = self.progress.take_deleted() {
            self.warnings.add_deleted(&deleted, clock::now().0);
        }
    }

    /// Losses that this part tells of.
    pub(crate) fn lost_in_part(&self) -> u64 {
        let before = self.rotation.as_ref().map_or(0, |it| it.lost_before);
        self.lost.total().saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;
    /// 2026-11-24 14:22:33 UTC.
    const NOW: i64 = 1_795_530_153_000_000_000;

    fn rotation(settings: &PartSettings) -> Rotation {
        let header = FileHeader {
            start_unix_ns: NOW,
            ..FileHeader::default()
        };
        Rotation::of(settings, header).expect("it rotates")
    }

    #[test]
    fn hours_end_on_the_hour_and_other_times_count_from_the_beginning() {
        let every = |seconds| Some(nanoseconds(Duration::from_secs(seconds)));
        let end = end_of(NOW, every(3_600));
        assert!(end % HOUR_NS == 0 && end > NOW && end - NOW <= HOUR_NS);
        assert_eq!(end_of(end, every(3_600)), end + HOUR_NS);
        assert_eq!(end_of(end - 1, every(3_600)), end);
        assert_eq!(end_of(NOW, every(86_400)) % DAY_NS, 0);
        assert_eq!(end_of(NOW, every(25_000)), NOW + 25_000_000_000_000);
        assert_eq!(end_of(NOW, None), i64::MAX);
    }

    #[test]
    fn size_time_and_a_clock_that_is_set_back_end_a_part() {
        let settings = PartSettings {
            rotate_bytes: Some(1_000),
            rotate_every: Some(Duration::from_secs(3_600)),
            ..PartSettings::default()
        };
        let mut rotation = rotation(&settings);
        assert!(!rotation.is_due(999, NOW) && rotation.is_due(1_000, NOW));
        let header = FileHeader::parse(&rotation.begin(1_100, NOW + 5, 7));
        let (header, length) = header.expect("a header");
        assert_eq!((header.part, header.start_unix_ns), (1, NOW + 5));
        assert_eq!(length, rotation.header_bytes());
        assert!(!rotation.is_due(2_099, NOW) && rotation.is_due(2_100, NOW));
        assert!(rotation.is_due(1_100, NOW + HOUR_NS));
        assert!(!rotation.is_due(1_100, NOW - HOUR_NS / 2));
        assert!(rotation.is_due(1_100, NOW - 2 * HOUR_NS));
    }

    #[test]
    fn without_a_limit_there_is_one_part() {
        assert!(Rotation::of(&PartSettings::default(), FileHeader::default()).is_none());
    }
}
