//! A program that records all the time and writes only when something goes wrong.
//!
//! ```text
//! cargo run --release -p perf-recorder --example flight
//! ```
//!
//! One order in a thousand takes longer than it may, and with `kill -USR2` it also writes when it is told to. `perf-analyze
//! attach` finds it while it runs. Each file says what triggered it: `perf-analyze report flights/`.

use std::thread;
use std::time::{Duration, Instant};

use perf_probe::{events, measure};
use perf_recorder::{Flight, Recorder};

events! {
    ORDER_EXECUTION: span = "ORDER_EXECUTION";
    RISK_CHECK: span = "RISK_CHECK";
}

/// SIGUSR2 on Linux.
const SIGUSR2: i32 = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |it| it.parse())?;
    let flight = Flight::last(Duration::from_secs(30))
        .keep_above("ORDER_EXECUTION", Duration::from_millis(5))
        .quiet_for(Duration::from_secs(5))
        .on_signal(SIGUSR2);
    let recorder = Recorder::builder()
        .capture("flights/")
        .flight(flight)
        .start()?;
    println!("process {}", std::process::id());

    let begun = Instant::now();
    let mut orders = 0_u64;
    while begun.elapsed() < Duration::from_secs(seconds) {
        orders += 1;
        execute(orders.is_multiple_of(1_000));
    }

    let flight = recorder.status().flight.unwrap_or_default();
    println!(
        "{orders} orders; {} files, {} triggers in between, the last file: {}",
        flight.snapshots,
        flight.suppressed,
        flight
            .last_snapshot
            .map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
    );
    recorder.stop()?;
    Ok(())
}

fn execute(is_slow: bool) {
    let _order = measure!(ORDER_EXECUTION);
    {
        let _check = measure!(RISK_CHECK);
        work(Duration::from_micros(200));
    }
    work(Duration::from_micros(500));
    if is_slow {
        thread::sleep(Duration::from_millis(7));
    }
}

fn work(duration: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < duration {
        std::hint::spin_loop();
    }
}
