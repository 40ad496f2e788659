//! What `perf-analyze` computes from a file.

use std::io::Write;

use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, info, report as report_on, verify};

use super::repair;

/// Computes reports over the bytes as a capture file.
pub fn report(bytes: &[u8]) {
    read(bytes);
    let mut mended = bytes.to_vec();
    repair::file(&mut mended);
    read(&mended);
}

fn read(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file takes bytes");
    let open = OpenOptions { strict: false };
    let Ok(set) = CaptureSet::open(&[file.path().to_owned()], &open) else {
        return;
    };
    let one_thread = ReportOptions {
        threads: Some(1),
        ..ReportOptions::default()
    };
    let from_rollups = report_on(&set, &one_thread);
    let scanned = report_on(
        &set,
        &ReportOptions {
            scan: true,
            ..one_thread.clone()
        },
    );
    let exact = report_on(
        &set,
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
    let _ = report_on(&set, &sliced);
    let _ = info(&set);
    let _ = verify(&set, Some(1));
}
