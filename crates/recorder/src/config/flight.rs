//! The keys of a flight recorder.

use std::collections::BTreeMap;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};

use super::apply::{SWITCH, bytes, milliseconds};
use super::keys::FlightKeys;
use super::value::{Wrong, number, one_of};
use crate::flight::Flight;

/// Window of a flight recorder whose file does not say it.
const WINDOW: Duration = Duration::from_secs(30);

const SIGNALS: [(&str, i32); 3] = [
    ("SIGUSR1", SIGUSR1),
    ("SIGUSR2", SIGUSR2),
    ("SIGHUP", SIGHUP),
];
const DAY_MS: u64 = 86_400_000;

/// The flight recorder that the keys ask for; spans above `limits` trigger it.
pub(super) fn of_keys(
    keys: &FlightKeys,
    limits: &BTreeMap<String, Duration>,
) -> Result<Flight, Wrong> {
    let window = keys.window_ms.as_ref();
    let window = window.map_or(Ok(WINDOW), |text| milliseconds("window_ms", text))?;
    let mut flight = Flight::last(window);
    // These two may be nothing at all.
    let maybe = |name, text| {
        number(name, text, 0..=DAY_MS, "a whole number of ms").map(Duration::from_millis)
    };
    if let Some(text) = &keys.after_ms {
        flight = flight.after(maybe("after_ms", text)?);
    }
    if let Some(text) = &keys.quiet_ms {
        flight = flight.quiet_for(maybe("quiet_ms", text)?);
    }
    if let Some(text) = &keys.on_panic {
        flight = flight.on_panic(one_of("on_panic", text, &SWITCH)?);
    }
    if let Some(text) = &keys.on_signal {
        flight = flight.on_signal(one_of("on_signal", text, &SIGNALS)?);
    }
    if let Some(text) = &keys.max_bytes {
        flight = flight.max_bytes(bytes("max_bytes", text)?);
    }
    for (event, limit) in limits {
        flight = flight.keep_above(event, *limit);
    }
    Ok(flight)
}
