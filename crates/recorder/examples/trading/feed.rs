//! The candle feed: open loop. Each candle is sent when it is due, however slow the rest of the pipeline is, and a
//! candle sent late keeps the time at which it ought to have come.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::blocks::{Meter, Response};
use crate::market::{SYMBOLS, Walk};
use crate::queue::Queue;

/// A line of the feed, when it was due, and who waits for what comes of it.
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) due_unix_ns: i64,
    pub(crate) response: Option<Arc<Response>>,
}

/// The market so far: a walk of each symbol.
pub(crate) struct Walks(Vec<Walk>);

impl Walks {
    pub(crate) fn new(seed: u64) -> Self {
        let walk = |(index, (_, start)): (u64, (&str, i64))| {
            Walk::new(seed ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03), start)
        };
        Self((0..).zip(SYMBOLS).map(walk).collect())
    }
}

/// Sends `candles` candles, then closes the queue.
pub(crate) fn run(queue: &Queue<Message>, seed: u64, rate: f64, candles: u64) {
    send(queue, &mut Walks::new(seed), rate, candles, None);
    queue.close();
}

/// Sends `candles` candles, `rate` a second over all symbols in turn.
pub(crate) fn send(
    queue: &Queue<Message>,
    walks: &mut Walks,
    rate: f64,
    candles: u64,
    meter: Option<&Arc<Meter>>,
) {
    let start = Instant::now();
    let start_unix_ns = unix_ns();
    for number in 0..candles {
        let due = Duration::from_secs_f64(number as f64 / rate);
        if let Some(wait) = due.checked_sub(start.elapsed()) {
            thread::sleep(wait);
        }
        let due_unix_ns = start_unix_ns + due.as_nanos() as i64;
        let which = (number % SYMBOLS.len() as u64) as usize;
        let line = walks.0[which]
            .next_candle(due_unix_ns)
            .to_line(SYMBOLS[which].0);
        queue.push(Message {
            line,
            due_unix_ns,
            response: meter.map(|meter| meter.begin(start + due)),
        });
    }
}

fn unix_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}
