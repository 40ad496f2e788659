//! HdrHistogram interval logs: a histogram of three significant digits a slot of time, event and outcome.
//!
//! Values are ns. The tag of a histogram is the event; of spans that did not end well `EVENT:outcome`.

use std::io::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use perf_analysis::records::Records;
use perf_format::{Outcome, TagClass};

use crate::bins::Bins;
use crate::error::Error;
use crate::options::Digits;
use crate::single::{SingleExported, not_written, read_all};

/// Maxima in the log are in ms, as its tools expect.
const NS_A_MS: f64 = 1e6;

pub(crate) fn write(
    records: &Records<'_>,
    slot_ns: i64,
    out: &mut dyn Write,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<SingleExported, Error> {
    let mut bins = Bins::new(Digits::Three, slot_ns);
    let warnings = read_all(records, progress, |_, rows| {
        let mut counter = bins.counter();
        rows.for_each(|record| {
            let series = rows.series()[usize::from(record.series)];
            if let TagClass::Span(outcome) = series.class {
                // All captures count as one: the log knows of events only.
                let key = (0, series.event, outcome as u8);
                counter.add(record.series.into(), key, record.end_unix_ns, record.value);
            }
        });
        bins.add(counter.finish());
        Ok(())
    })?;
    let failed = |error: String| Error::encode("hlog")(error);
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Durations in ns, recorded by perf-recorder, written by perf-analyze]")
        .with_max_value_divisor(NS_A_MS);
    let mut out = out;
    let mut log = builder
        .begin_log_with(&mut out, &mut serializer)
        .map_err(not_written)?;
    let mut histograms = 0;
    let layout = bins.layout();
    while let Some(cells) = bins.take() {
        for ((_, slot, event, outcome), counts) in cells {
            let mut histogram =
                Histogram::<u64>::new(3).map_err(|error| failed(error.to_string()))?;
            for (bin, count) in counts {
                let recorded = histogram.record_n(layout.bounds(bin).0, count);
                recorded.map_err(|error| failed(error.to_string()))?;
            }
            let tag = tag(&records.names().events()[event as usize].name, outcome);
            let ns = |ns: i64| Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
            let start = ns(slot.saturating_mul(slot_ns));
            let put = log.write_histogram(&histogram, start, ns(slot_ns), Tag::new(&tag));
            put.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => not_written(error),
                other => failed(format!("{other:?}")),
            })?;
            histograms += 1;
        }
    }
    Ok(SingleExported {
        written: histograms,
        left_out: 0,
        warnings,
    })
}

/// What the format cannot hold in a tag becomes `_`.
fn tag(event: &str, outcome: u8) -> String {
    let plain = |c: char| match c {
        ',' | ' ' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    let event: String = event.chars().map(plain).collect();
    match Outcome::ALL[usize::from(outcome & 3)] {
        Outcome::Ok => event,
        outcome => format!("{event}:{}", outcome.name()),
    }
}
