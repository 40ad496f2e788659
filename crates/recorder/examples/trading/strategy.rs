//! The strategy: fair-value gaps and order blocks, on each symbol's recent candles.
//!
//! A *fair-value gap* is three candles of which the first and the third do not overlap: the middle one moved so fast
//! that a band of prices was hardly traded. An *order block* is the last candle against the move before it. When
//! the price comes back into a gap whose order block lies next to it, the strategy trades in the direction of the move.

use std::collections::VecDeque;

use crate::market::{Candle, Points};

/// Candles kept of each symbol.
pub(crate) const HISTORY: usize = 256;
/// Candles of which the average true range is taken.
const RANGE_WINDOW: usize = 14;
/// A gap older than this many candles is stale.
const GAP_LIFE: u64 = 64;
const GAPS_KEPT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal {
    pub(crate) side: Side,
    pub(crate) entry: Points,
    pub(crate) stop: Points,
    /// How many orders the position is split over: the stronger the signal, the more.
    pub(crate) orders: u32,
}

/// A band of prices that a fast move left behind, with the order block before it.
#[derive(Clone, Copy, Debug)]
struct Gap {
    side: Side,
    low: Points,
    high: Points,
    block_low: Points,
    block_high: Points,
    born: u64,
}

/// One symbol's recent candles and the gaps that are still open.
#[derive(Default)]
pub(crate) struct History {
    candles: VecDeque<Candle>,
    gaps: VecDeque<Gap>,
    seen: u64,
}

impl History {
    /// Looks at one more candle; returns a signal if the price came back into a gap.
    pub(crate) fn on_candle(&mut self, candle: Candle) -> Option<Signal> {
        if self.candles.len() == HISTORY {
            self.candles.pop_front();
        }
        self.candles.push_back(candle);
        self.seen += 1;
        let seen = self.seen;
        self.gaps.retain(|gap| seen - gap.born <= GAP_LIFE);

        let range = self.average_true_range()?;
        let signal = self.revisited(candle, range);
        if let Some(gap) = self.new_gap(range) {
            if self.gaps.len() == GAPS_KEPT {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
        signal
    }

    /// Wilder's average true range, over the last [`RANGE_WINDOW`] candles. `None` until there are that many.
    fn average_true_range(&self) -> Option<Points> {
        let first = self.candles.len().checked_sub(RANGE_WINDOW + 1)?;
        let sum: Points = self
            .candles
            .iter()
            .skip(first)
            .zip(self.candles.iter().skip(first + 1))
            .map(|(before, now)| now.high.max(before.close) - now.low.min(before.close))
            .sum();
        Some((sum / RANGE_WINDOW as Points).max(1))
    }

    /// A gap that the newest three candles opened.
    fn new_gap(&self, range: Points) -> Option<Gap> {
        let at = |back: usize| self.candles.get(self.candles.len().checked_sub(back)?);
        let (first, middle, last) = (at(3)?, at(2)?, at(1)?);
        if middle.body() * 4 < range * 3 {
            return None;
        }
        let (side, low, high) = if last.low > first.high && middle.is_bullish() {
            (Side::Buy, first.high, last.low)
        } else if last.high < first.low && !middle.is_bullish() {
            (Side::Sell, last.high, first.low)
        } else {
            return None;
        };
        let block = self.order_block(side)?;
        Some(Gap {
            side,
            low,
            high,
            block_low: block.low,
            block_high: block.high,
            born: self.seen,
        })
    }

    /// The last candle against a move to `side`, at most ten candles before the gap.
    fn order_block(&self, side: Side) -> Option<&Candle> {
        self.candles
            .iter()
            .rev()
            .skip(2)
            .take(10)
            .find(|candle| candle.is_bullish() != (side == Side::Buy))
    }

    /// Takes the newest gap that `candle` came back into, and makes a signal of it.
    fn revisited(&mut self, candle: Candle, range: Points) -> Option<Signal> {
        let index = self.gaps.iter().rposition(|gap| match gap.side {
            Side::Buy => candle.low <= gap.high && candle.close > gap.block_low,
            Side::Sell => candle.high >= gap.low && candle.close < gap.block_high,
        })?;
        let gap = self.gaps.remove(index)?;
        let entry = (gap.low + gap.high) / 2;
        let stop = match gap.side {
            Side::Buy => gap.block_low - range / 4,
            Side::Sell => gap.block_high + range / 4,
        };
        let width = gap.high - gap.low;
        // Half an average range wide is one order; each half more is another, up to four.
        let orders = (1 + width * 2 / range).clamp(1, 4) as u32;
        Some(Signal {
            side: gap.side,
            entry,
            stop,
            orders,
        })
    }
}
