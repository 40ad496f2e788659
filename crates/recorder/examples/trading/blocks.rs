//! The same load in blocks, each on command: what `cargo xtask bench --overhead` compares with and without a recorder.
//!
//! A line on standard input is a number of candles; they are sent at the rate of the feed, and when the pipeline is done with
//! all of them a line on standard output tells how long it took to respond to each: `count p50_ns p99_ns wall_ns`.

use std::io::BufRead;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::feed::{self, Message, Walks};
use crate::queue::Queue;

/// Responses that are awaited, and those that came.
#[derive(Default)]
struct Tally {
    open: u64,
    took: Vec<Duration>,
}

/// The program's own stop-watch, which knows nothing of the recorder.
#[derive(Default)]
pub(crate) struct Meter {
    tally: Mutex<Tally>,
    done: Condvar,
}

impl Meter {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A candle is due, and the response to it begins.
    pub(crate) fn begin(self: &Arc<Self>, due: Instant) -> Arc<Response> {
        self.tally().open += 1;
        let meter = Arc::clone(self);
        Arc::new(Response { due, meter })
    }

    /// Waits until everything has been responded to, and gives the times, the shortest first.
    fn take(&self) -> Vec<Duration> {
        let mut tally = self.tally();
        while tally.open > 0 {
            let woken = self.done.wait(tally);
            tally = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let mut took = std::mem::take(&mut tally.took);
        took.sort_unstable();
        took
    }
}

/// What is done for one candle, by whoever holds it: when nobody does any more, it has been responded to.
pub(crate) struct Response {
    due: Instant,
    meter: Arc<Meter>,
}

impl Drop for Response {
    fn drop(&mut self) {
        let took = self.due.elapsed();
        let mut tally = self.meter.tally();
        tally.took.push(took);
        tally.open -= 1;
        if tally.open == 0 {
            self.meter.done.notify_all();
        }
    }
}

/// Runs a block for each line of standard input, then closes the queue.
pub(crate) fn run(queue: &Queue<Message>, seed: u64, rate: f64) {
    let meter = Arc::new(Meter::default());
    let mut walks = Walks::new(seed);
    for line in std::io::stdin().lock().lines() {
        let Ok(candles) = line.unwrap_or_default().trim().parse() else {
            break;
        };
        let start = Instant::now();
        feed::send(queue, &mut walks, rate, candles, Some(&meter));
        let took = meter.take();
        let at = |share: f64| {
            let rank = (took.len() as f64 * share) as usize;
            took.get(rank.min(took.len().saturating_sub(1)))
                .map_or(0, Duration::as_nanos)
        };
        let (p50, p99, wall) = (at(0.5), at(0.99), start.elapsed().as_nanos());
        println!("{} {p50} {p99} {wall}", took.len());
    }
    queue.close();
}
