//! What becomes of a record, at the rates of the moment.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use perf_format::{EventId, Extra, Tag, TraceId, trace_hash};

use super::load::Load;
use super::{EventSampling, OneIn, Sampling};

/// After so long without a record a trace is over, for the analysis; and what was recorded may be drained a second or two
/// later. So long a rate that is no longer in force is remembered.
const SETTLING: Duration = Duration::from_secs(12);
/// A span is kept from this share of its limit on: the clock's rate is known to a fraction of that.
const MARGIN: f64 = 0.99;
/// Events with numbers from here on have no rules of their own. An arena has room for far fewer.
const MAX_EVENTS: usize = 1 << 20;

/// Decides, record by record.
pub(crate) struct Sampler {
    policy: Sampling,
    load: Load,
    /// Rates that are no longer in force, with when they ended.
    before: VecDeque<(Duration, OneIn)>,
    rule: Rule,
    ticks_per_ns: f64,
    /// By event.
    events: Vec<EventRule>,
    /// Some event is not kept as a whole.
    thins_events: bool,
}

/// What holds for traces at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    /// The lowest of the rates that were in force lately: at that one, traces are whole.
    whole: OneIn,
    /// Hashes below this are kept at some of these rates. What no other rule keeps is kept as single records.
    some_limit: u128,
}

#[derive(Clone, Copy, Debug)]
struct EventRule {
    rate: Option<OneIn>,
    /// Spans that took longer are kept.
    keep_above_ticks: u64,
}

const NO_RULE: EventRule = EventRule {
    rate: None,
    keep_above_ticks: u64::MAX,
};

/// What the choice goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) ring: u32,
    pub(crate) seq: u64,
    pub(crate) trace: u64,
    pub(crate) event: u32,
    pub(crate) tag: Tag,
    pub(crate) value: u64,
}

impl Sampler {
    pub(crate) fn new(policy: Sampling, ticks_per_second: f64) -> Self {
        let load = Load::new(policy.rate, policy.levels.clone());
        let rule = Rule {
            whole: policy.rate,
            some_limit: policy.rate.limit(),
        };
        Self {
            load,
            before: VecDeque::new(),
            rule,
            ticks_per_ns: ticks_per_second / 1e9,
            events: Vec::new(),
            thins_events: false,
            policy,
        }
    }

    /// An event has this number from now on.
    pub(crate) fn meet(&mut self, event: EventId, name: &str) {
        let EventSampling { rate, keep_above } = self.policy.of_event(name);
        let index = event.0 as usize;
        if (rate.is_none() && keep_above.is_none()) || index >= MAX_EVENTS {
            return;
        }
        if self.events.len() <= index {
            self.events.resize(index + 1, NO_RULE);
        }
        let ticks = |limit: Duration| (limit.as_nanos() as f64 * self.ticks_per_ns * MARGIN) as u64;
        self.events[index] = EventRule {
            rate,
            keep_above_ticks: keep_above.map_or(u64::MAX, ticks),
        };
        self.thins_events |= rate.is_some_and(|rate| rate.0 != 1);
    }

    /// So many records came since the call before; the rates follow.
    pub(crate) fn count(&mut self, records: u64, now: Duration) {
        let old = self.load.rate();
        self.load.count(records, now);
        if self.load.rate() != old {
            self.before.push_back((now, old));
        }
        while let Some((ended, _)) = self.before.front()
            && now.saturating_sub(*ended) > SETTLING
        {
            self.before.pop_front();
        }
        let lately = self.before.iter().map(|(_, rate)| *rate);
        let by_limit = |rate: &OneIn| rate.limit();
        let current = self.load.rate();
        let all = lately.chain([current]);
        self.rule = Rule {
            whole: all.clone().min_by_key(by_limit).unwrap_or(current),
            some_limit: all.map(|rate| rate.limit()).max().unwrap_or(0),
        };
    }

    /// The share of the traces that is kept at the moment.
    pub(crate) fn share(&self) -> f64 {
        self.load.rate().share()
    }

    /// Whether anything is left out at the moment.
    pub(crate) fn is_thinning(&self) -> bool {
        self.rule.whole.0 != 1 || self.thins_events
    }

    /// What the capture says of a row; `None` if it does not keep it.
    pub(crate) fn choose(&self, row: &Row) -> Option<Extra> {
        let hash = u128::from(match row.trace {
            0 => trace_hash(TraceId(
                row.seq ^ trace_hash(TraceId(u64::from(row.ring) + 1)),
            )),
            trace => trace_hash(TraceId(trace)),
        });
        let named = row.tag.is_span()
            || row.tag == Tag::COUNTER
            || row.tag == Tag::GAUGE
            || row.tag == Tag::OBSERVATION;
        let rule = match self.events.get(row.event as usize) {
            Some(rule) if named => rule,
            _ => &NO_RULE,
        };
        let whole = self.rule.whole;
        if row.trace == 0 {
            let rate = rule.rate.unwrap_or(whole);
            if hash < rate.limit() {
                return Some(weighing(rate));
            }
        } else if hash < whole.limit() {
            // A higher rate of the event adds nothing to a trace that is there: each of its rows stands for as many.
            let lower = rule.rate.filter(|rate| rate.limit() < whole.limit());
            let rate = lower.unwrap_or(whole);
            if hash < rate.limit() {
                return Some(weighing(rate));
            }
        } else if hash < rule.rate.map_or(self.rule.some_limit, OneIn::limit) {
            return Some(lone());
        }
        let is_slow = row.tag.is_span() && row.value > rule.keep_above_ticks;
        is_slow.then(lone)
    }
}

fn weighing(rate: OneIn) -> Extra {
    Extra {
        weight: NonZeroU32::new(rate.0).unwrap_or(NonZeroU32::MIN),
        ..Extra::default()
    }
}

/// Kept for itself.
pub(crate) fn lone() -> Extra {
    Extra {
        is_lone: true,
        ..Extra::default()
    }
}
