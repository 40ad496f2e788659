//! Whether what was promised was kept: rules on events, judged sample by sample.
//!
//! The way of an answer: [`rule`] says what is asked; [`watch`] finds the series that rules look at; [`scan`] adds up, by
//! heads of chunks where these tell enough; [`flows`] adds up traces; [`unknown`] says what is missing; [`judge`] decides; [`episodes`] puts
//! violations together in time, and [`details`] reads what else happened then. [`over_time`] counts what plots mark.

pub mod config;
mod details;
mod episodes;
mod flow_sink;
mod flows;
mod judge;
mod ledger;
mod measure;
mod options;
mod over_time;
mod parse;
pub mod quantity;
mod report;
mod result;
pub mod rule;
mod run;
mod scan;
mod series;
mod unknown;
mod watch;

pub use details::{MAX_ANNOTATIONS, NEAR_NS};
pub use options::{
    GAP_NS, MAX_EPISODES, MAX_RULES, MAX_TOLD, MAX_VIOLATIONS, MAX_WINDOWS, SlaOptions,
};
pub use over_time::{Beyond, beyond_over_time};
pub use result::*;
pub use rule::{Bound, Op, Rule, RuleError, Stat, Target};

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::threads::with_threads;

/// Judges rules on the records of `set` that `options` select.
///
/// A rule on an event that no capture has is without data, and [`crate::WarningKind::NoEventMatches`] names the event: a
/// gate must not pass on it.
///
/// # Errors
/// A rule that does not fit its event; too many windows; a file cut short while it is read; with `strict`, any damage.
pub fn sla(set: &CaptureSet, options: &SlaOptions) -> Result<Sla, Error> {
    let options = options.only_events()?;
    with_threads(options.threads, || run::Run::new(set, &options)?.report())
}
