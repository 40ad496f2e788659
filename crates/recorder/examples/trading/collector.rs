//! DataCollector and EventBus: the feed's lines become candles, and each candle goes to the strategy of its symbol.

use std::sync::Arc;

use perf_probe::{TraceId, measure, record_gauge, trace};

use crate::blocks::Response;
use crate::events::{BUFFER_UPDATE, CANDLE_PROCESSING, EVENT_BUS_PUBLISH, QUEUE_BACKLOG};
use crate::feed::Message;
use crate::market::{Candle, Points, SYMBOLS};
use crate::queue::Queue;
use crate::stalls::Shared;

/// A candle on its way to a strategy, with the trace it belongs to.
pub(crate) struct CandleClosed {
    pub(crate) trace: TraceId,
    pub(crate) symbol: usize,
    pub(crate) candle: Candle,
    pub(crate) response: Option<Arc<Response>>,
}

/// One queue a strategy thread; a symbol always goes to the same one, so that its candles stay in order.
pub(crate) struct EventBus {
    queues: Vec<Arc<Queue<CandleClosed>>>,
}

impl EventBus {
    pub(crate) fn new(strategies: usize) -> Self {
        Self {
            queues: (0..strategies).map(|_| Arc::new(Queue::new())).collect(),
        }
    }

    pub(crate) fn queue(&self, strategy: usize) -> Arc<Queue<CandleClosed>> {
        Arc::clone(&self.queues[strategy])
    }

    fn publish(&self, event: CandleClosed) {
        let _span = measure!(EVENT_BUS_PUBLISH);
        let waiting = self.queues[event.symbol % self.queues.len()].push(event);
        record_gauge(QUEUE_BACKLOG, waiting as i64);
    }

    fn close(&self) {
        for queue in &self.queues {
            queue.close();
        }
    }
}

/// A symbol's volume-weighted mean price over a sliding window.
#[derive(Default)]
struct Buffer {
    recent: std::collections::VecDeque<(Points, u64)>,
    value: i128,
    volume: u128,
}

const BUFFER_CANDLES: usize = 120;

impl Buffer {
    fn update(&mut self, candle: Candle) {
        if self.recent.len() == BUFFER_CANDLES
            && let Some((price, volume)) = self.recent.pop_front()
        {
            self.value -= i128::from(price) * i128::from(volume);
            self.volume -= u128::from(volume);
        }
        let price = (candle.high + candle.low + candle.close) / 3;
        self.recent.push_back((price, candle.volume));
        self.value += i128::from(price) * i128::from(candle.volume);
        self.volume += u128::from(candle.volume);
    }
}

/// Takes the feed's lines until it closes, then closes the bus.
pub(crate) fn run(feed: &Queue<Message>, bus: &EventBus, shared: &Shared) {
    let mut buffers: Vec<Buffer> = SYMBOLS.iter().map(|_| Buffer::default()).collect();
    while let Some((message, _)) = feed.pop() {
        // The trace is named by what the line says; a malformed line belongs to no trace.
        let parsed = Candle::parse(&message.line);
        let Some((symbol, candle)) =
            parsed.and_then(|(name, candle)| Some((position(name)?, candle)))
        else {
            measure!(CANDLE_PROCESSING).fail();
            continue;
        };
        let id = TraceId::from_key(SYMBOLS[symbol].0, candle.close_unix_ns);
        let _trace = trace::enter(id);
        trace::due(message.due_unix_ns);
        trace::annotate("symbol", SYMBOLS[symbol].0);
        trace::annotate("candle_unix_ns", candle.close_unix_ns);
        {
            let _span = measure!(CANDLE_PROCESSING);
            let _heap = shared.mutate();
            let _update = measure!(BUFFER_UPDATE);
            buffers[symbol].update(candle);
        }
        bus.publish(CandleClosed {
            trace: id,
            symbol,
            candle,
            response: message.response,
        });
    }
    bus.close();
}

fn position(name: &str) -> Option<usize> {
    SYMBOLS.iter().position(|(symbol, _)| *symbol == name)
}
