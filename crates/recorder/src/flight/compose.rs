//! What a part says besides the window's chunks.

use std::time::{Duration, Instant};

use perf_format::{
    Anchor, Close, CloseReason, FLIGHT_LABEL, FileHeader, Label, Notes, TRIGGER_AT_LABEL,
    TRIGGER_LABEL, TRIGGERS_MORE_LABEL, Warning, WarningCode,
};
use perf_probe::clock;

use super::desk::Order;
use super::window::Held;
use crate::drainer::Drainer;
use crate::loss;
use crate::machine;

/// A part but for the window's chunks, which come in between.
pub(super) struct Frame {
    pub(super) before: Vec<u8>,
    pub(super) behind: Vec<u8>,
    pub(super) part: u32,
}

fn label(key: &str, value: String) -> Label {
    let key = key.to_owned();
    Label { key, value }
}

/// What the header of every part says.
pub(crate) fn label_of(window: Duration) -> Label {
    label(FLIGHT_LABEL, window.as_nanos().to_string())
}

/// What is said of a window whose process was killed; `None` if these labels are not a flight recorder's.
pub(crate) fn label_of_kill(labels: &[Label]) -> Option<Label> {
    let is_flight = labels.iter().any(|label| label.key == FLIGHT_LABEL);
    is_flight.then(|| label(TRIGGER_LABEL, "killed the process died".to_owned()))
}

impl Drainer {
    /// What a part of the chunks in `held` needs; `None` if nothing is kept for parts.
    pub(super) fn frame(&mut self, order: &Order, held: &Held) -> Option<Frame> {
        let now = Instant::now();
        let ago = |instant: Instant| now.saturating_duration_since(instant);
        let since_start = self.start.elapsed();
        let read = (self.read_anchor)();
        let keeper = self.keeper.as_ref()?;
        let mut anchors = keeper.anchors_since(since_start.saturating_sub(ago(held.since)));
        // One more, so that the window lies between two. A clock that broke since is found by the drainer's own next one.
        let fresh = Anchor {
            segment: self.segments.current(),
            ..read
        };
        let follows = anchors.last().is_some_and(|last| last.ticks < fresh.ticks);
        anchors.extend(follows.then(|| fresh.clone()));

        let mut header = keeper.header.clone();
        header.part = keeper.part;
        let since_ns = i64::try_from(ago(held.since).as_nanos()).unwrap_or(i64::MAX);
        header.start_unix_ns = machine::unix_ns().saturating_sub(since_ns);
        if let Some(rate) = self.segments.rate() {
            header.clock.ticks_per_second = rate;
        }
        describe(&mut header, order);
        let (part, tables) = (keeper.part, keeper.tables());

        let mut before = Vec::new();
        header.encode(&mut before);
        self.stream.tables(&tables, &mut before);
        self.stream.anchors(&anchors, &mut before);

        let mut behind = Vec::new();
        let open: Vec<_> = self.owner.open_spans();
        let open: Vec<_> = open
            .into_iter()
            .map(crate::housekeeping::open_span)
            .collect();
        self.stream.open_spans(&open, &mut behind);
        self.tell_pending(&mut behind);
        let close = Close {
            reason: CloseReason::SNAPSHOT,
            ticks: clock::now().0,
            unix_ns: machine::unix_ns(),
            event_chunks: held.weight.event_chunks,
            rows: held.weight.rows,
            lost: held.weight.lost,
        };
        self.stream.close_snapshot(close, &mut behind);
        Some(Frame {
            before,
            behind,
            part,
        })
    }

    /// Losses that threads have not told of yet: they will, and then the next part counts them. Here it is a warning.
    fn tell_pending(&mut self, behind: &mut Vec<u8>) {
        let rings = self.owner.rings();
        let pending = rings.iter().flat_map(|ring| {
            let entry = |loss| loss::pending_entry(ring.ring, ring.thread, loss);
            ring.losses.iter().filter_map(entry)
        });
        let count: u64 = pending.map(|entry| entry.count).sum();
        if count == 0 {
            return;
        }
        let warning = Warning {
            code: WarningCode::SMALL_MEMORY,
            ticks: clock::now().0,
            message: format!(
                "{count} records were just lost to full rings: the next part counts them"
            ),
        };
        let notes = Notes {
            warnings: vec![warning],
            ..Notes::default()
        };
        self.stream.notes(&notes, behind);
    }

    /// A part is safe under this number: the next one gets another.
    pub(super) fn count_part(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.part += 1;
        }
    }
}

fn describe(header: &mut FileHeader, order: &Order) {
    let trigger = &order.trigger;
    header.labels.push(label(TRIGGER_LABEL, trigger.told()));
    header
        .labels
        .push(label(TRIGGER_AT_LABEL, trigger.unix_ns.to_string()));
    if order.more.count > 0 {
        let more = format!("{} {}", order.more.count, order.more.last);
        header.labels.push(label(TRIGGERS_MORE_LABEL, more));
    }
}
