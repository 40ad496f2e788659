//! Captures made up for tests.

use super::random::Stream;
use super::summary::{SLICES, Series, SeriesBuilder, SeriesKind, Summary};

/// A flow of `each` log-normal values a slice around a millisecond, of which so many more fail.
pub(super) fn flow(name: &str, seed: u64, each: usize, failed: u64) -> Series {
    scaled(name, seed, each, failed, 1.0)
}

/// The same, slower by a factor.
pub(super) fn scaled(name: &str, seed: u64, each: usize, failed: u64, factor: f64) -> Series {
    let mut stream = Stream::new(seed, 123);
    let mut builder = SeriesBuilder::default();
    for slice in 0..SLICES {
        for _ in 0..each {
            let value = 1e6 * factor * (0.08 * stream.normal()).exp();
            let bin = perf_format::bins::index(value as u64);
            builder.ok(slice, perf_format::bins::high(bin), 1);
        }
        builder.failed(slice, failed);
    }
    builder.build(SeriesKind::Flow, name, "ns")
}

/// A capture with these.
pub(super) fn summary(series: Vec<Series>) -> Summary {
    Summary {
        path: "made.bin".to_owned(),
        start_unix_ns: 0,
        host: "build-7".to_owned(),
        labels: [("version".to_owned(), "1".to_owned())].into(),
        clock: "tsc".to_owned(),
        tick_ns: 0.4,
        records: series.iter().map(Series::total).sum(),
        lost: 0,
        duration_ns: 10_000_000_000,
        series,
    }
}
