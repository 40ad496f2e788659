//! End to end: traces, the flows that they make, and who owns their time.
//!
//! The way of an answer: [`ahead`] finds which ids lie in several chunks; [`chunk`] groups the rows of a chunk by trace;
//! [`stitch`] puts together what lies in several; [`analyst`] closes a trace, [`anatomy`] takes it apart, [`flows`] sums it
//! up, all in each worker for itself; [`summary`] turns the sums into a [`Traces`]. Who asks only how long traces took has most
//! of them closed by their extents alone, in [`brief`].
//!
//! Memory is bounded whatever the captures hold: the table of repeated ids by 128 MiB, waiting records by 256 MiB, cells by
//! 256 MiB a worker, and each of the smaller tables by a constant beside it.

mod ahead;
mod analyst;
mod anatomy;
mod bands;
mod brief;
mod caveats;
mod cells;
mod chunk;
mod counts;
mod extent;
mod extras;
mod flow_key;
mod flows;
pub(crate) mod hash;
mod intervals;
mod kept;
mod levels;
mod met;
mod naming;
mod neighbours;
mod notes;
mod options;
mod owners;
mod pending;
mod repeats;
mod result;
mod run;
mod sample;
mod show;
mod span;
mod stitch;
mod summary;
mod table;
mod tail;
mod times;
mod trace;
mod world;

pub use anatomy::Gap;
pub use bands::MIN_TRACES as MIN_BAND_TRACES;
pub(crate) use counts::Counts;
pub use flows::MAX_BY_VALUES;
pub use kept::MAX_KEPT_SPANS;
pub use notes::{MAX_KEYS, MAX_VALUES};
pub use options::*;
pub use result::*;
pub use span::Span;
pub use trace::{FlowId, Note, Trace, TraceSink};
pub use world::World;

use std::path::Path;

use crate::capture::CaptureSet;
use crate::error::{Error, ErrorKind};
use crate::threads::with_threads;

/// Analyses the traces of `set` that `options` selects.
///
/// # Errors
/// A file cut short while it is read; with `strict`, any damage; a bad event pattern.
pub fn traces(set: &CaptureSet, options: &TraceOptions) -> Result<Traces, Error> {
    Ok(traces_with(set, options, |_| ())?.traces)
}

/// What [`traces_with`] gives.
#[derive(Debug)]
pub struct Seen<S> {
    /// The analysis.
    pub traces: Traces,
    /// The sink, with all that its instances saw.
    pub sink: S,
    names: run::FlowNames,
}

impl<S> Seen<S> {
    /// The name of a flow that the sink saw, also of one that is not shown; absent for [`FlowId::OTHER`].
    pub fn flow_name(&self, flow: FlowId) -> Option<&str> {
        run::name_of(&self.names, flow)
    }
}

/// The same, and shows every trace to sinks that `make` makes, one for each worker.
///
/// # Errors
/// As [`traces`].
pub fn traces_with<S: TraceSink>(
    set: &CaptureSet,
    options: &TraceOptions,
    make: impl Fn(&World) -> S + Sync,
) -> Result<Seen<S>, Error> {
    for pattern in &options.events {
        glob::Pattern::new(pattern).map_err(|error| {
            Error::new(Path::new(pattern), ErrorKind::BadPattern(error.to_string()))
        })?;
    }
    with_threads(options.threads, || {
        let (traces, sink, names) = run::Run::new(set, options)?.run(&make)?;
        Ok(Seen {
            traces,
            sink,
            names,
        })
    })
}
