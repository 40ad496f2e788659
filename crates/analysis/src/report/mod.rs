//! How long things took: the integrity of each capture first, then a row for every event and outcome.
//!
//! The way of an answer: [`survey`] reads the heads of all chunks; [`plan`] decides which rollups and which chunks
//! to read; [`pass`] reads them on all cores into [`cells`]; [`stats`] turns cells into rows.

mod bins;
mod caveats;
pub(crate) mod cells;
mod exact;
pub(crate) mod integrity;
mod pass;
pub(crate) mod plan;
pub(crate) mod quantiles;
mod result;
pub(crate) mod rows;
pub(crate) mod run;
mod scan;
mod select;
pub(crate) mod slots;
pub(crate) mod spread;
mod stats;
pub(crate) mod survey;
mod switched;
mod table;
pub(crate) mod timeline;
pub(crate) mod window;
mod worker;

pub use result::*;

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;
use crate::threads::with_threads;

/// Reports on the records of `set` that `options` selects.
///
/// # Errors
/// A file cut short while it is read; with `strict`, any damage; a bad event pattern; too many slots.
pub fn report(set: &CaptureSet, options: &ReportOptions) -> Result<Report, Error> {
    with_threads(options.threads, || run::Run::new(set, options)?.report())
}
