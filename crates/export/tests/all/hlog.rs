//! An interval log as the hdrhistogram crate reads it, against the spans that it was made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use perf_analysis::{CaptureSet, OpenOptions};
use perf_export::table::Table;
use perf_export::{Form, Options, Output, Single, SingleOptions, export, export_single};

const TRADING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../captures/trading.bin");
const SLOT_S: i64 = 5;
const SLOT_NS: i64 = SLOT_S * 1_000_000_000;

/// By tag and second at which a slot begins.
type Log = BTreeMap<(String, i64), Histogram<u64>>;

fn set() -> CaptureSet {
    CaptureSet::open(&[TRADING.into()], &OpenOptions::default()).expect("the capture is there")
}

fn logged(path: &Path) -> Log {
    let options = SingleOptions {
        select: Default::default(),
        form: Single::Hlog,
        path: Some(path.to_owned()),
        slot_ns: SLOT_NS,
    };
    let exported = export_single(&set(), &options, &|_, _| ()).expect("it is exported");
    let text = fs::read(path).expect("the log is there");
    let mut log = Log::new();
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.expect("a line of a log") else {
            panic!("times are absolute: there is neither a start nor a base");
        };
        let bytes = STANDARD
            .decode(interval.encoded_histogram())
            .expect("base 64");
        let read = Deserializer::new().deserialize(&mut bytes.as_slice());
        let histogram: Histogram<u64> = read.expect("a histogram");
        assert_eq!(interval.duration().as_secs(), SLOT_S as u64);
        let max_ms = histogram.max() as f64 / 1e6;
        assert!(
            (interval.max() - max_ms).abs() <= 0.001,
            "{} {max_ms}",
            interval.max()
        );
        let tag = interval
            .tag()
            .expect("every interval has a tag")
            .to_string();
        let key = (tag, interval.start_timestamp().as_secs() as i64);
        assert!(
            log.insert(key, histogram).is_none(),
            "an interval is there once"
        );
    }
    assert_eq!(log.len() as u64, exported.written);
    log
}

/// The same of the table of spans.
fn of_spans(folder: &Path) -> Log {
    let mut options = Options::new(Output::Directory(folder.to_owned()));
    options.form = Form::Csv;
    options.tables = vec![Table::Spans];
    options.columns = ["start_ns", "duration_ns", "event", "outcome"]
        .map(str::to_owned)
        .into();
    export(&set(), &options, &|_, _| ()).expect("it is exported");
    let file = fs::read_dir(folder.join("spans")).expect("a folder").next();
    let path = file.expect("one file").expect("an entry").path();
    let text = fs::read_to_string(path).expect("the table is there");
    let mut log = Log::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let int = |at: usize| fields[at].parse::<i64>().expect("an integer");
        let (start, duration) = (int(0), int(1));
        let tag = match fields[3] {
            "ok" => fields[2].to_owned(),
            outcome => format!("{}:{outcome}", fields[2]),
        };
        let slot = (start + duration).div_euclid(SLOT_NS) * SLOT_S;
        let histogram = log
            .entry((tag, slot))
            .or_insert_with(|| Histogram::new(3).expect("three digits"));
        histogram.record(duration as u64).expect("it grows");
    }
    log
}

#[test]
fn counts_and_values_agree_with_the_spans() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = logged(&folder.path().join("trading.hlog"));
    let spans = of_spans(folder.path());
    assert!(log.len() > 50, "{} intervals", log.len());
    assert_eq!(
        log.keys().collect::<Vec<_>>(),
        spans.keys().collect::<Vec<_>>()
    );
    for (key, own) in &spans {
        let read = &log[key];
        assert_eq!(read.len(), own.len(), "{key:?}");
        // Every value with its count, in the resolution of the histogram.
        let recorded = |histogram: &Histogram<u64>| {
            let values = histogram.iter_recorded();
            let bin = |value: u64| histogram.lowest_equivalent(value);
            let values =
                values.map(|value| (bin(value.value_iterated_to()), value.count_at_value()));
            values.collect::<Vec<_>>()
        };
        assert_eq!(recorded(read), recorded(own), "{key:?}");
        for quantile in [0.5, 0.99, 0.999, 1.0] {
            let (read, own) = (
                read.value_at_quantile(quantile),
                own.value_at_quantile(quantile),
            );
            assert_eq!(read, own, "{key:?} {quantile}");
        }
    }
}
