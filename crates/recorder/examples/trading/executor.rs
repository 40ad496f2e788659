//! OrderExecutor: a few workers, each with a connection of its own to the exchange.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, PoisonError};

use perf_probe::{TraceId, measure, record_counter, trace};

use crate::blocks::Response;
use crate::events::{ORDER_EXECUTION, ORDER_FILL, ORDER_PREP, ORDER_SUBMIT, ORDERS_SUBMITTED};
use crate::market::{Points, SYMBOLS};
use crate::queue::Queue;
use crate::stalls::Shared;
use crate::strategy::{Side, Signal};

/// What a position may lose if its stop is hit, in points times contracts.
const RISK: Points = 12_000;

/// One of the orders of a signal. The orders of one signal run on several workers at once.
pub(crate) struct Job {
    pub(crate) trace: TraceId,
    pub(crate) symbol: usize,
    pub(crate) signal: Signal,
    pub(crate) mark: Points,
    pub(crate) number: u32,
    /// Whoever waits for the candle waits for its orders.
    pub(crate) _response: Option<Arc<Response>>,
}

struct Order {
    quantity: i64,
    price: Points,
}

/// A worker's connection, and the number of its next order.
struct Session {
    reader: BufReader<TcpStream>,
    next_id: u64,
    line: String,
}

/// Executes orders until the queue is closed and empty.
pub(crate) fn run(jobs: &Queue<Job>, exchange: SocketAddr, shared: &Shared) -> io::Result<()> {
    let stream = TcpStream::connect(exchange)?;
    stream.set_nodelay(true)?;
    let mut session = Session {
        reader: BufReader::new(stream),
        next_id: 1,
        line: String::new(),
    };
    while let Some((job, _)) = jobs.pop() {
        let _trace = trace::enter(job.trace);
        let execution = measure!(ORDER_EXECUTION);
        match session.execute(&job, shared)? {
            Some(filled) => book(shared, &job, filled),
            None => execution.fail(),
        }
    }
    Ok(())
}

impl Session {
    /// The contracts that were filled; `None` if the exchange rejected the order.
    fn execute(&mut self, job: &Job, shared: &Shared) -> io::Result<Option<i64>> {
        let order = {
            let _span = measure!(ORDER_PREP);
            let _heap = shared.mutate();
            prepare(job)
        };
        let id = self.next_id;
        self.next_id += 1;
        {
            let submit = measure!(ORDER_SUBMIT);
            let line = format!("NEW {id} {} {} {}\n", order.quantity, order.price, job.mark);
            self.reader.get_mut().write_all(line.as_bytes())?;
            record_counter(ORDERS_SUBMITTED, 1);
            if !self.answer()?.starts_with("ACK") {
                submit.fail();
                return Ok(None);
            }
        }
        let _span = measure!(ORDER_FILL);
        let mut filled = 0;
        while filled < order.quantity {
            let part = self
                .answer()?
                .split(' ')
                .nth(2)
                .and_then(|part| part.trim().parse::<i64>().ok());
            filled += part.ok_or_else(|| io::Error::other("the exchange sent no fill"))?;
        }
        Ok(Some(filled))
    }

    fn answer(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(&self.line)
    }
}

/// Sizes the order by what its stop would cost, and steps the price of each further order away from the entry.
fn prepare(job: &Job) -> Order {
    let distance = (job.signal.entry - job.signal.stop).abs().max(1);
    let quantity = (RISK / distance / Points::from(job.signal.orders)).max(1);
    let step = Points::from(job.number) * distance / 8;
    let price = match job.signal.side {
        Side::Buy => job.signal.entry - step,
        Side::Sell => job.signal.entry + step,
    };
    Order { quantity, price }
}

fn book(shared: &Shared, job: &Job, filled: i64) {
    let signed = if job.signal.side == Side::Buy {
        filled
    } else {
        -filled
    };
    let mut positions = shared
        .positions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let position = positions.entry(SYMBOLS[job.symbol].0).or_default();
    position.quantity += signed;
    position.cost += signed * job.signal.entry;
}
