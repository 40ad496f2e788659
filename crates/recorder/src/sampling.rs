//! Which records the capture keeps. All of them are recorded, and counted in the histograms; what is saved is disk.

mod keep;
mod load;
mod sampler;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub(crate) use keep::{Keeping, push_kept};
pub(crate) use sampler::{Row, Sampler, lone};

/// How much of what is recorded the capture keeps. The default is everything.
///
/// The choice is the drainer's, behind the histograms: percentiles, counts and sums of reports stay those of all records, and
/// recording costs what it does anyway. What goes by single records (traces, `--scan`, `--exact`) sees the kept ones only.
///
/// Traces are kept or not as a whole, by a hash of their id, and those of a low rate are among those of a higher one; records
/// without a trace by a hash of their ring and number. Each kept record carries its weight. While a rate changes,
/// traces that the old and the new rate disagree about are kept as single records for 12 s, so that no half of one is
/// taken for a whole.
///
/// A rate is one in a whole number: 0.3 is one in 3, 0.7 everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    pub(crate) rate: OneIn,
    /// From a load on, in records a second, a rate; by rising load.
    pub(crate) levels: Vec<(f64, OneIn)>,
    pub(crate) events: BTreeMap<String, EventSampling>,
}

/// What holds for one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventSampling {
    pub(crate) rate: Option<OneIn>,
    pub(crate) keep_above: Option<Duration>,
}

/// One of so many is kept; none if it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OneIn(pub(crate) u32);

impl Default for OneIn {
    fn default() -> Self {
        Self(1)
    }
}

impl OneIn {
    /// The nearest to a share; what is no share counts as the nearest one.
    fn of_share(share: f64) -> Self {
        if share >= 1.0 {
            Self(1)
        } else if share > 0.0 {
            // Saturates: less than one in 2³² is one in 2³² − 1.
            Self((1.0 / share).round() as u32)
        } else {
            Self(0)
        }
    }

    /// Hashes below this are kept.
    pub(crate) fn limit(self) -> u128 {
        match self.0 {
            0 => 0,
            number => (1 << 64) / u128::from(number),
        }
    }

    /// The share that is kept.
    pub(crate) fn share(self) -> f64 {
        match self.0 {
            0 => 0.0,
            number => 1.0 / f64::from(number),
        }
    }
}

impl fmt::Display for OneIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("none"),
            1 => f.write_str("all"),
            number => write!(f, "1 in {number}"),
        }
    }
}

impl Sampling {
    /// Keeps everything, until more is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of the traces that is kept, and of the records without a trace: from 0 to 1.
    #[must_use]
    pub fn rate(mut self, share: f64) -> Self {
        self.rate = OneIn::of_share(share);
        self
    }

    /// From `above` records a second on, over a second, this share is kept. It takes ten seconds below four fifths of it to go
    /// back. Several may be given.
    #[must_use]
    pub fn high_load(mut self, above: f64, share: f64) -> Self {
        self.levels.push((above.max(0.0), OneIn::of_share(share)));
        self.levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        self
    }

    /// The share that is kept of one event, whatever the load. Above the rate of the traces it adds single records of
    /// traces that are not kept; below it, traces lack some of the event.
    #[must_use]
    pub fn event_rate(mut self, event: impl Into<String>, share: f64) -> Self {
        self.events.entry(event.into()).or_default().rate = Some(OneIn::of_share(share));
        self
    }

    /// Keeps every span of an event that takes longer than `limit`, whatever becomes of its trace.
    #[must_use]
    pub fn keep_above(mut self, event: impl Into<String>, limit: Duration) -> Self {
        self.events.entry(event.into()).or_default().keep_above = Some(limit);
        self
    }

    /// Whether everything is kept whatever happens.
    pub(crate) fn keeps_all(&self) -> bool {
        let all = |rate: OneIn| rate.0 == 1;
        all(self.rate)
            && self.levels.iter().all(|(_, rate)| all(*rate))
            && self.events.values().all(|event| event.rate.is_none_or(all))
    }

    /// Rates of event names.
    pub(crate) fn of_event(&self, name: &str) -> EventSampling {
        self.events.get(name).copied().unwrap_or_default()
    }
}

/// What the header says: `1 in 100, 1 in 1000 from 100000/s on, NAME all`.
impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rate)?;
        for (above, rate) in &self.levels {
            write!(f, ", {rate} from {above}/s on")?;
        }
        for (name, event) in &self.events {
            if let Some(rate) = event.rate {
                write!(f, ", {name} {rate}")?;
            }
        }
        Ok(())
    }
}
