//! What the pipeline measures. The names are the seed system's own.

perf_probe::events! {
    /// One candle, from its text to the buffer.
    pub CANDLE_PROCESSING: span = "CANDLE_PROCESSING";
    /// The candle joins its symbol's history.
    pub BUFFER_UPDATE: span = "BUFFER_UPDATE";
    /// Handing a candle to the strategies' queue.
    pub EVENT_BUS_PUBLISH: span = "EVENT_BUS_PUBLISH";
    /// A strategy's whole work on one candle.
    pub EVENT_BUS_HANDLE: span = "EVENT_BUS_HANDLE";
    /// Looking for fair-value gaps and order blocks.
    pub SIGNAL_GENERATION: span = "SIGNAL_GENERATION";
    /// One order, from preparation to its fill or rejection.
    pub ORDER_EXECUTION: span = "ORDER_EXECUTION";
    /// Sizing and pricing the order.
    pub ORDER_PREP: span = "ORDER_PREP";
    /// Sending the order, until the exchange accepts or rejects it.
    pub ORDER_SUBMIT: span = "ORDER_SUBMIT";
    /// Waiting for the fills.
    pub ORDER_FILL: span = "ORDER_FILL";
    /// The risk report, which holds the position book.
    pub RISK_REPORT: span = "RISK_REPORT";
    /// Candles that wait for a strategy.
    pub QUEUE_BACKLOG: gauge("candles") = "QUEUE_BACKLOG";
    /// Orders sent to the exchange.
    pub ORDERS_SUBMITTED: counter("orders") = "ORDERS_SUBMITTED";
    /// Pauses in which nothing else may touch the shared heap.
    pub GC_PAUSE: observation("ns") = "GC_PAUSE";
}
