//! The cells of a heat map: how many values of which size in which slot.

use super::MAX_BINS;
use super::canvas::{Anchor, Canvas, Rect, SMALL};
use super::data::LatencySlot;
use super::frame::Frame;
use super::metrics::width;
use super::theme::{HEAT_STEPS, Ink};
use crate::number;

/// Draws the cells of `slots`, whose instants count from `from`.
pub(crate) fn cells(canvas: &mut Canvas<'_>, frame: &Frame<'_>, slots: &[LatencySlot], from: i64) {
    let most = most(slots);
    for slot in slots {
        let left = frame.x(slot.from_unix_ns.saturating_sub(from) as f64);
        let right = frame.x(slot.to_unix_ns.saturating_sub(from) as f64);
        let column = Column {
            left,
            right: right.max(left + 1.0),
        };
        if slot.zeros > 0 {
            let y = frame.y(0.0);
            column.cell(canvas, (y - 4.0, y + 4.0), step(slot.zeros, most));
        }
        // Neighbours of one colour are one rectangle.
        let mut run: Option<(f64, f64, usize)> = None;
        for bin in slot.bins.iter().filter(|bin| bin.count > 0).take(MAX_BINS) {
            let bottom = frame.y(bin.low as f64);
            // Between values that stand at the very edge of the axis there may be no pixel left.
            let top = frame.y(bin.high as f64 + 1.0).min(bottom - 1.0);
            let colour = step(bin.count, most);
            run = match run {
                Some((start, end, same)) if same == colour && (end - bottom).abs() < 0.05 => {
                    Some((start, top, same))
                }
                before => {
                    if let Some((start, end, colour)) = before {
                        column.cell(canvas, (end, start), colour);
                    }
                    Some((bottom, top, colour))
                }
            };
        }
        if let Some((start, end, colour)) = run {
            column.cell(canvas, (end, start), colour);
        }
    }
}

struct Column {
    left: f64,
    right: f64,
}

impl Column {
    fn cell(&self, canvas: &mut Canvas<'_>, (top, bottom): (f64, f64), step: usize) {
        let rect = Rect {
            left: self.left,
            right: self.right,
            top,
            bottom,
        };
        canvas.rect(rect, Ink::Heat(step), 1.0);
    }
}

/// The most that a cell holds.
fn most(slots: &[LatencySlot]) -> u64 {
    let cells = slots
        .iter()
        .flat_map(|slot| slot.bins.iter().map(|bin| bin.count).chain([slot.zeros]));
    cells.max().unwrap_or(0)
}

/// The step of a count: steps are even on a log scale, since the tail holds few of many.
fn step(count: u64, most: u64) -> usize {
    if most < 2 {
        return HEAT_STEPS / 2;
    }
    let place = (count.max(1) as f64).ln() / (most as f64).ln();
    ((place * HEAT_STEPS as f64) as usize).min(HEAT_STEPS - 1)
}

/// What colours mean, with its right end at `at`.
pub(crate) fn key(canvas: &mut Canvas<'_>, (right, y): (f64, f64), slots: &[LatencySlot]) {
    const BOX: f64 = 14.0;
    let most = most(slots);
    if most < 2 {
        return;
    }
    let last = format!("{} values a cell", number::count(most));
    canvas.text((right, y), &last, SMALL, Ink::Muted, Anchor::Right);
    let end = right - width(&last, SMALL) - 2.0;
    for step in 0..HEAT_STEPS {
        let left = end - BOX * (HEAT_STEPS - step) as f64;
        let rect = Rect {
            left,
            right: left + BOX,
            top: y - 5.0,
            bottom: y + 5.0,
        };
        canvas.rect(rect, Ink::Heat(step), 1.0);
    }
    let start = end - BOX * HEAT_STEPS as f64 - 6.0;
    canvas.text((start, y), "1", SMALL, Ink::Muted, Anchor::Right);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_palest_and_the_most_is_deepest() {
        assert_eq!((step(1, 1000), step(1000, 1000)), (0, HEAT_STEPS - 1));
        assert!(step(30, 1000) > step(5, 1000));
        assert_eq!(step(1, 1), HEAT_STEPS / 2);
        assert_eq!(step(u64::MAX, u64::MAX), HEAT_STEPS - 1);
    }
}
