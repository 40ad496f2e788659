//! What a capture says of itself at its beginning.

use std::thread;
use std::time::Duration;

use perf_format::{
    Anchor, CaptureId, ClockDescriptor, ClockSource, FileHeader, Label, Origin, SAMPLING_LABEL,
};
use perf_probe::clock::{self, Source};

use crate::anchors::ticks_per_second;
use crate::builder::Settings;
use crate::error::StartError;
use crate::flight::Flight;
use crate::{labels, machine};

/// The shortest time over which the clock's rate is estimated. The anchors give a better one later.
const RATE_BASE: Duration = Duration::from_millis(1);
/// The label that names the systemd unit.
const UNIT_LABEL: &str = "unit";

/// The clock's rate in Hz, over whatever time has passed since `first`, at least [`RATE_BASE`].
pub(crate) fn measure_rate(read: fn() -> Anchor, first: &Anchor) -> f64 {
    let now = read();
    if let Some(rate) = ticks_per_second(first, &now) {
        return rate;
    }
    thread::sleep(RATE_BASE);
    // Without a rate a tick counts as a nanosecond, until there are anchors.
    ticks_per_second(first, &read()).unwrap_or(1e9)
}

/// The header of the capture, by what is known at its start.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn describe(settings: &Settings, rate: f64) -> Result<FileHeader, StartError> {
    let failed = |source| StartError::System {
        action: "read random bytes for the capture's id",
        source,
    };
    let capture_id = CaptureId(machine::random_id().map_err(failed)?);
    let status = clock::status();
    let source = match status.source {
        Source::Tsc | Source::Cntvct => ClockSource::TSC,
        _ => ClockSource::MONOTONIC,
    };
    let label = |(key, value): &(String, String)| Label {
        key: key.clone(),
        value: value.clone(),
    };
    let sampling = (!settings.sampling.keeps_all()).then(|| Label {
        key: SAMPLING_LABEL.to_owned(),
        value: settings.sampling.to_string(),
    });
    let cgroups = machine::control_groups();
    let is_named = settings.labels.iter().any(|(key, _)| key == UNIT_LABEL);
    let unit = labels::unit(&cgroups).filter(|_| !is_named);
    let unit = unit.map(|unit| Label {
        key: UNIT_LABEL.to_owned(),
        value: unit.to_owned(),
    });
    let own = settings.labels.iter().map(label);
    let flight = settings.flight.as_ref().map(Flight::label);
    Ok(FileHeader {
        capture_id,
        start_unix_ns: settings.time.map_or_else(machine::unix_ns, |read| read().1),
        origin: Origin {
            host: machine::host_name(),
            pid: std::process::id(),
            boot_id: machine::boot_id(),
            command: machine::command(),
            arena: String::new(),
        },
        clock: ClockDescriptor {
            source,
            reason: status.reason.to_string(),
            ticks_per_second: rate,
        },
        labels: own.chain(unit).chain(sampling).chain(flight).collect(),
        ..FileHeader::default()
    })
}
