//! A small trading system that records itself: feed → DataCollector → EventBus → strategies → OrderExecutor → exchange.
//!
//! Every candle is a trace. The threads, queues and sockets are real, the market is a seeded random walk, so two runs
//! with one seed make the same candles, signals and orders; only the times differ.
//!
//! ```text
//! cargo run --release -p perf-recorder --example trading -- --seconds 60 --out captures/trading.bin
//! ```

mod blocks;
mod collector;
mod events;
mod exchange;
mod executor;
mod feed;
mod market;
mod queue;
mod stalls;
mod strategy;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use perf_probe::{measure, record_gauge, trace};
use perf_recorder::Builder;

use collector::{CandleClosed, EventBus};
use events::{EVENT_BUS_HANDLE, QUEUE_BACKLOG, SIGNAL_GENERATION};
use executor::Job;
use market::SYMBOLS;
use queue::Queue;
use stalls::Shared;
use strategy::History;

const STRATEGIES: usize = 2;
const EXECUTORS: usize = 4;
/// Every so many candles, a strategy copies its histories, all at once.
const CANDLES_PER_BURST: u64 = 4_000;

/// Records a small trading system at work
#[derive(Parser)]
struct Args {
    /// How long the feed runs
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Candles a second, over all symbols
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Seed of the market
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Microseconds that every signal takes longer, as a slower build would: a busy wait
    #[arg(long, default_value_t = 0)]
    spin_us: u64,
    /// The capture: a file that does not exist yet, or a directory, with a slash at its end
    #[arg(long, default_value = "captures/")]
    out: PathBuf,
    /// Record nothing, to be compared with
    #[arg(long)]
    no_capture: bool,
    /// Take numbers of candles from standard input, a block each, and tell how long the responses took
    #[arg(long)]
    blocks: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.no_capture {
        return run(&args);
    }
    // The environment may say more, by `PERF_CONFIG`: how much is kept, for example.
    let recorder = Builder::from_env()?
        .unwrap_or_default()
        .capture(&args.out)
        .label("program", "trading")
        .label("seed", args.seed.to_string())
        .label("rate", args.rate.to_string())
        .start()
        .context("the recorder did not start")?;
    let capture = recorder
        .capture_path()
        .map(|path| path.display().to_string());
    run(&args)?;
    let stopped = recorder.stop().context("the capture was not completed")?;
    println!(
        "{}: {} records, {} lost, {} bytes",
        capture.unwrap_or_default(),
        stopped.records,
        stopped.lost.total(),
        stopped.bytes
    );
    Ok(())
}

/// Runs the pipeline until the feed ends and every order is done.
fn run(args: &Args) -> Result<()> {
    let candles = (args.seconds * args.rate) as u64;
    let (address, exchange) = exchange::start(EXECUTORS, args.seed)?;
    let shared = Arc::new(Shared::default());
    let lines = Arc::new(Queue::new());
    let bus = Arc::new(EventBus::new(STRATEGIES));
    let jobs = Arc::new(Queue::new());

    let (seed, rate, by_blocks) = (args.seed, args.rate, args.blocks);
    let feed = {
        let lines = Arc::clone(&lines);
        spawn("feed", move || match by_blocks {
            true => blocks::run(&lines, seed, rate),
            false => feed::run(&lines, seed, rate, candles),
        })?
    };
    let collector = {
        let (bus, shared) = (Arc::clone(&bus), Arc::clone(&shared));
        spawn("collector", move || collector::run(&lines, &bus, &shared))?
    };
    let mut strategies = Vec::new();
    for number in 0..STRATEGIES {
        let (events, jobs, shared) = (bus.queue(number), Arc::clone(&jobs), Arc::clone(&shared));
        let spin = Duration::from_micros(args.spin_us);
        strategies.push(spawn(&format!("strategy-{number}"), move || {
            strategy_thread(&events, &jobs, &shared, spin)
        })?);
    }
    let mut executors = Vec::new();
    for number in 0..EXECUTORS {
        let (jobs, shared) = (Arc::clone(&jobs), Arc::clone(&shared));
        executors.push(spawn(&format!("executor-{number}"), move || {
            executor::run(&jobs, address, &shared)
        })?);
    }
    let background = [
        spawn("collection", {
            let shared = Arc::clone(&shared);
            move || shared.collect_garbage(seed)
        })?,
        spawn("risk", {
            let shared = Arc::clone(&shared);
            move || shared.report_risk(seed)
        })?,
    ];

    join(feed)?;
    join(collector)?;
    for strategy in strategies {
        join(strategy)?;
    }
    jobs.close();
    for executor in executors {
        join(executor)??;
    }
    shared.stop();
    for thread in background {
        join(thread)?;
    }
    join(exchange)
}

/// Handles the candles of a strategy's symbols; the orders of a signal are given to all executors at once.
fn strategy_thread(
    events: &Queue<CandleClosed>,
    jobs: &Queue<Job>,
    shared: &Shared,
    spin: Duration,
) {
    let mut histories: Vec<History> = SYMBOLS.iter().map(|_| History::default()).collect();
    let mut handled = 0;
    while let Some((event, waiting)) = events.pop() {
        let _trace = trace::enter(event.trace);
        let _handle = measure!(EVENT_BUS_HANDLE);
        record_gauge(QUEUE_BACKLOG, waiting as i64);
        let signal = {
            let _span = measure!(SIGNAL_GENERATION);
            let _heap = shared.mutate();
            busy_wait(spin);
            histories[event.symbol].on_candle(event.candle)
        };
        handled += 1;
        if handled % CANDLES_PER_BURST == 0 {
            stalls::allocation_burst();
        }
        let Some(signal) = signal else {
            continue;
        };
        for number in 0..signal.orders {
            let (trace, symbol, mark) = (event.trace, event.symbol, event.candle.close);
            jobs.push(Job {
                trace,
                symbol,
                signal,
                mark,
                number,
                _response: event.response.clone(),
            });
        }
    }
}

/// Takes processor time, and no less than `length`.
fn busy_wait(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .context("no thread could be started")
}

fn join<T>(thread: thread::JoinHandle<T>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("a thread of the pipeline panicked"))
}
