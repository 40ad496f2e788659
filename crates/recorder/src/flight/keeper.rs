//! What the drainer of a flight recorder does besides: it remembers what parts need that chunks of the window do not say,
//! says it again before it leaves the window, and looks for triggers.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use perf_format::{Anchor, EventDescriptor, FileHeader, Tables, ThreadDescriptor};

use super::watch::Watch;
use super::{Desk, Flight, Kind};
use crate::drainer::{Drainer, Moment};

/// Anchors that are remembered, at most.
const MAX_ANCHORS: usize = 1_024;

/// See the module's own words.
pub(crate) struct Keeper {
    pub(super) desk: Arc<Desk>,
    watch: Watch,
    /// What parts say first; the labels of the trigger are still to come.
    pub(super) header: FileHeader,
    pub(super) part: u32,
    /// What it says of a signal.
    signal: String,
    events: Vec<EventDescriptor>,
    /// Living threads, and those that ended so lately that the window may speak of them.
    threads: BTreeMap<u32, Met>,
    /// Those of the window, and the last before it.
    anchors: VecDeque<(Duration, Anchor)>,
    kept: Duration,
    most_bytes: u64,
    /// When, and after how many bytes, what the window needs is said again.
    again: (Duration, u64),
}

struct Met {
    thread: ThreadDescriptor,
    ended: Option<Duration>,
}

impl Keeper {
    pub(crate) fn new(
        flight: &Flight,
        desk: Arc<Desk>,
        header: FileHeader,
        most_bytes: u64,
    ) -> Self {
        let kept = flight.kept();
        Self {
            desk,
            watch: Watch::new(flight.limits.clone(), header.clock.ticks_per_second),
            header,
            part: 0,
            signal: flight.on_signal.map_or_else(String::new, signal_name),
            events: Vec::new(),
            threads: BTreeMap::new(),
            anchors: VecDeque::new(),
            kept,
            most_bytes,
            again: (kept / 2, most_bytes / 2),
        }
    }

    /// These are about to be described in the window.
    pub(crate) fn meet_threads(&mut self, threads: &[ThreadDescriptor]) {
        let met = threads.iter().map(|thread| {
            let thread = thread.clone();
            (
                thread.id.0,
                Met {
                    thread,
                    ended: None,
                },
            )
        });
        self.threads.extend(met);
    }

    pub(crate) fn meet_events(&mut self, events: &[EventDescriptor]) {
        events.iter().for_each(|event| self.watch.meet(event));
        self.events.extend_from_slice(events);
    }

    /// An anchor goes into the window.
    pub(crate) fn anchored(&mut self, now: Duration, anchor: &Anchor) {
        let oldest = now.saturating_sub(self.kept);
        while self.anchors.len() >= MAX_ANCHORS
            || self.anchors.get(1).is_some_and(|(at, _)| *at <= oldest)
        {
            self.anchors.pop_front();
        }
        self.anchors.push_back((now, anchor.clone()));
    }

    /// Of the threads, `living` still are. Those that ended too long ago for the window are forgotten.
    pub(crate) fn forget_threads(&mut self, now: Duration, living: &HashSet<u32>) {
        let kept = self.kept;
        self.threads.retain(|id, met| {
            if living.contains(id) {
                met.ended = None;
                return true;
            }
            let ended = *met.ended.get_or_insert(now);
            now.saturating_sub(ended) <= kept
        });
    }

    /// All events and threads that the window may speak of.
    pub(super) fn tables(&self) -> Tables {
        Tables {
            events: self.events.clone(),
            threads: self
                .threads
                .values()
                .map(|met| met.thread.clone())
                .collect(),
            ..Tables::default()
        }
    }

    /// The anchors of the window that reaches back to `since`, and the last before it.
    pub(super) fn anchors_since(&self, since: Duration) -> Vec<Anchor> {
        let before = self.anchors.partition_point(|(at, _)| *at <= since);
        let from = before.saturating_sub(1);
        self.anchors
            .range(from..)
            .map(|(_, anchor)| anchor.clone())
            .collect()
    }

    fn is_due_again(&self, now: Duration, bytes: u64) -> bool {
        now >= self.again.0 || bytes >= self.again.1
    }
}

impl Drainer {
    /// Slots of the staging area in use, if anybody wants to look at what comes into it next.
    pub(crate) fn before_look(&self) -> Option<usize> {
        let keeper = self.keeper.as_ref()?;
        (!keeper.watch.is_idle()).then(|| self.owner.staging_slots().0)
    }

    /// Looks at what came into the staging area since `from`.
    pub(crate) fn look(&mut self, from: usize) {
        self.meet_events();
        let Some(keeper) = &self.keeper else { return };
        let slow = keeper.watch.look(self.owner.staged_since(from));
        if slow.count == 0 {
            return;
        }
        keeper.desk.offer(Kind::Sla, slow.count, || {
            let event = keeper.events.iter().find(|event| event.id.0 == slow.event);
            let name = event.map_or("", |event| &event.name);
            format!(
                "{name} took {}, more than {}",
                shown(keeper.watch.duration(slow.ticks)),
                shown(keeper.watch.limit(name))
            )
        });
    }

    /// Takes a signal, and says again what the window needs, before what said it first is dropped: the events are in the
    /// arena in any case, and so are the threads that live.
    pub(crate) fn keep_up(&mut self, now: Moment, bytes: u64) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        if keeper.desk.take_signal() {
            keeper.desk.offer(Kind::Signal, 1, || keeper.signal.clone());
        }
        if !keeper.is_due_again(now.since_start, bytes) {
            return;
        }
        keeper.again = (
            now.since_start.saturating_add(keeper.kept / 2),
            bytes.saturating_add(keeper.most_bytes / 2),
        );
        let ended = keeper.threads.values().filter(|met| met.ended.is_some());
        let threads: Vec<_> = ended.map(|met| met.thread.clone()).collect();
        let last = keeper.anchors.back().map(|(_, anchor)| anchor.clone());
        self.queue_descriptors(&threads, &[]);
        let mut bytes = self.buffer();
        self.stream.anchors(last.as_slice(), &mut bytes);
        self.queue(bytes);
        self.anchor();
    }
}

/// `SIGUSR2`, or `SIG 40`.
fn signal_name(signal: i32) -> String {
    use signal_hook::consts;
    let known = [
        (consts::SIGHUP, "SIGHUP"),
        (consts::SIGINT, "SIGINT"),
        (consts::SIGQUIT, "SIGQUIT"),
        (consts::SIGUSR1, "SIGUSR1"),
        (consts::SIGUSR2, "SIGUSR2"),
        (consts::SIGTERM, "SIGTERM"),
    ];
    let known = known.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("SIG {signal}"), |(_, name)| (*name).to_owned())
}

/// A time to two digits behind the point: `7.25 ms`, `5 ms`.
fn shown(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (scale, unit) = match ns {
        ns if ns < 1e3 => (1.0, "ns"),
        ns if ns < 1e6 => (1e3, "µs"),
        ns if ns < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let number = format!("{:.2}", ns / scale);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} {unit}")
}
