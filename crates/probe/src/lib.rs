//! What applications and libraries call: events, spans, counters, gauges, traces.
