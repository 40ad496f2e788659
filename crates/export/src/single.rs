//! Forms that are one file: what trace viewers and histogram tools read.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use perf_analysis::records::{Buffers, ChunkRows, Records};
use perf_analysis::{CaptureSet, ReportOptions, Warning};

use crate::error::{Error, NO_SLOT};
use crate::file::temporary_beside;
use crate::{hlog, otlp, perfetto};

/// The most spans that a form holds which is put together in memory, below 400 MiB.
pub(crate) const MAX_SPANS: u64 = 4_000_000;

/// A form that is one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// An HdrHistogram interval log: a histogram a slot of time, event and outcome.
    Hlog,
    /// A Perfetto trace.
    Perfetto,
    /// Spans in the JSON form of the OpenTelemetry protocol.
    OtlpJson,
}

/// What [`export_single`] is asked for.
#[derive(Debug, Clone)]
pub struct SingleOptions {
    /// Events, bounds in time, `strict` and `threads`; the rest does not count.
    pub select: ReportOptions,
    /// Which form.
    pub form: Single,
    /// The file; `None` is standard output.
    pub path: Option<PathBuf>,
    /// Length of a slot of an interval log, in ns, above 0.
    pub slot_ns: i64,
}

/// What [`export_single`] did.
#[derive(Debug)]
pub struct SingleExported {
    /// Histograms of an interval log, else spans.
    pub written: u64,
    /// Spans that the form has no place for: without a trace, in OTLP.
    pub left_out: u64,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// Writes captures as one file. `progress` is told how many rows of how many were read.
///
/// # Errors
/// A capture that cannot be read; a file that cannot be written; more spans than the form holds.
pub fn export_single(
    set: &CaptureSet,
    options: &SingleOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<SingleExported, Error> {
    if options.slot_ns <= 0 {
        return Err(Error::Usage(NO_SLOT.to_owned()));
    }
    let records = Records::open(set, &options.select)?;
    let output = match &options.path {
        None => Path::new("standard output"),
        Some(path) => path,
    };
    let write = |out: &mut dyn Write| match options.form {
        Single::Hlog => hlog::write(&records, options.slot_ns, out, progress),
        Single::Perfetto => perfetto::write(&records, out, progress),
        Single::OtlpJson => otlp::write(set, &records, &options.select, out),
    };
    let write = |out: &mut dyn Write| write(out).map_err(|error| named(error, output));
    let mut exported = match &options.path {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let exported = write(&mut out)?;
            out.flush().map_err(Error::io(output))?;
            exported
        }
        Some(path) => {
            let (file, temporary) = temporary_beside(path)?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            let exported = write(&mut out)?;
            let file = out.into_inner().map_err(io::IntoInnerError::into_error);
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(Error::io(path))?;
            let placed = temporary.persist(path).map_err(|error| error.error);
            placed.map_err(Error::io(path))?;
            exported
        }
    };
    let mut warnings = records.warnings();
    warnings.append(&mut exported.warnings);
    Ok(SingleExported {
        warnings,
        ..exported
    })
}

/// Shows every chunk to `each`, in the order of the file.
pub(crate) fn read_all(
    records: &Records<'_>,
    progress: &(dyn Fn(u64, u64) + Sync),
    mut each: impl FnMut(usize, &ChunkRows<'_>) -> Result<(), Error>,
) -> Result<Vec<Warning>, Error> {
    let parts = records.parts(1 << 16);
    let total: u64 = parts.iter().map(|part| part.rows).sum();
    let mut buffers = Buffers::default();
    let mut warnings = Vec::new();
    let mut done = 0;
    for part in &parts {
        let mut result = Ok(());
        warnings.extend(records.read(part, &mut buffers, |rows| {
            if result.is_ok() {
                result = each(part.capture, rows);
            }
        })?);
        result?;
        done += part.rows;
        progress(done, total);
    }
    Ok(warnings)
}

/// A failure to write, to what [`export_single`] knows the name of.
pub(crate) fn not_written(error: io::Error) -> Error {
    Error::io(Path::new(""))(error)
}

pub(crate) fn written(result: io::Result<()>) -> Result<(), Error> {
    result.map_err(not_written)
}

fn named(error: Error, output: &Path) -> Error {
    match error {
        Error::Io { path, source } if path.as_os_str().is_empty() => Error::io(output)(source),
        other => other,
    }
}
