//! What `perf-analyze` computes from a file.

use perf_analysis::{CaptureSet, ReportOptions, info, report as report_on, verify};

use super::opened;

/// Computes reports over the bytes as a capture file.
pub fn report(bytes: &[u8]) {
    opened(bytes, read);
}

fn read(set: &CaptureSet) {
    let one_thread = ReportOptions {
        threads: Some(1),
        ..ReportOptions::default()
    };
    let from_rollups = report_on(set, &one_thread);
    let scanned = report_on(
        set,
        &ReportOptions {
            scan: true,
            ..one_thread.clone()
        },
    );
    let exact = report_on(
        set,
        &ReportOptions {
            exact: true,
            ..one_thread.clone()
        },
    );
    assert_eq!(
        (from_rollups.is_ok(), scanned.is_ok()),
        (true, true),
        "damage is a warning, not an error"
    );
    assert!(exact.is_ok());
    let sliced = ReportOptions {
        every_ns: Some(1_000_000_000),
        skip_ns: 1,
        ..one_thread
    };
    let _ = report_on(set, &sliced);
    let _ = info(set);
    let _ = verify(set, Some(1));
}
