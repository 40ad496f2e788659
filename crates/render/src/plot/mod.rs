//! Plots as SVG: one function a plot, from plain figures to a self-contained picture.
//!
//! | plot | shows |
//! |---|---|
//! | [`percentiles`] | how long the slowest of a thousand take, beside the usual: a line an event |
//! | [`flows`] | the same of traces end to end: a line a flow |
//! | [`latency_over_time`] | when it was slow: a heat map with percentile lines, loss and violations |
//! | [`distribution`] | how values are spread: a histogram on a log axis |
//! | [`cumulative`] | which share stays below a value: a line an event |
//! | [`throughput`] | how much happened when, and what was lost |
//! | [`levels`] | gauges and counters over time |
//! | [`stages`] | which stage or queue the time of a flow goes to, typically and in the tail |
//! | [`waterfall`] | one trace, span by span |
//! | [`curves`] | the percentiles of two builds, one over the other |
//! | [`shift`] | how much slower or faster the new one is, at every percentile |
//!
//! Every one takes whatever figures there are: none, one, all equal, all zero. The bytes depend on nothing but the
//! figures, and no picture is larger than [`MAX_BYTES`]: callers bin to pixels ([`MAX_SLOTS`], [`MAX_BINS`]), and what
//! is more than that is left out and said so. Names come out as in the rest of this crate, never as markup.

mod canvas;
mod compared;
mod cumulative;
mod data;
mod distribution;
mod frame;
mod heat;
mod labels;
mod latency;
mod levels;
mod limits;
mod metrics;
mod percentiles;
mod scale;
mod shift;
mod stages;
mod theme;
mod throughput;
mod ticks;
mod waterfall;

pub use canvas::{Picture, TimeFrame};
pub use compared::{Compared, Shift, curves};
pub use cumulative::cumulative;
pub use data::{
    Band, Bin, Breakdown, Course, LatencySlot, Level, Levels, Limit, Lost, OverTime, Part, Ranked,
    Rate, Series, Throughput, TimeSpan, TraceGap, TraceSpan, Unit, Waterfall,
};
pub use distribution::distribution;
pub use latency::latency_over_time;
pub use levels::levels;
pub use percentiles::{flows, percentiles};
pub use shift::shift;
pub use stages::stages;
pub use theme::{SERIES, Theme};
pub use throughput::throughput;
pub use waterfall::waterfall;

use canvas::Rect;

/// No picture is larger, in bytes.
pub const MAX_BYTES: usize = 1_000_000;
/// Slots of time that a plot is wide, at most; further ones are not drawn.
pub const MAX_SLOTS: usize = 120;
/// Bins that a slot of a heat map holds, at most; further ones are not drawn.
pub const MAX_BINS: usize = 64;

/// The usual size of a picture, in pixels.
const SIZE: (f64, f64) = (960.0, 540.0);
/// What labels of values take left of a plot.
const LEFT: f64 = 78.0;
/// What labels of a horizontal axis take below a plot.
const BELOW: f64 = 62.0;

/// The plot's place in a picture of the usual size, with `right` pixels beside it.
fn place(right: f64) -> Rect {
    Rect {
        left: LEFT,
        top: canvas::HEAD + 16.0,
        right: SIZE.0 - right,
        bottom: SIZE.1 - BELOW,
    }
}

/// `1 value`, `2 values`.
fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", crate::number::count(count))
}

/// A name as it stands in a title: whatever its length, there is room for what is said of it.
fn in_title(name: &str) -> String {
    metrics::fitted(name, canvas::TITLE, 330.0)
}

/// A name under the pointer: short enough to stand there a thousand times.
fn in_hover(name: &str) -> String {
    crate::escape::elide(&crate::escape::bounded(name), 48)
}

#[cfg(test)]
mod tests;
