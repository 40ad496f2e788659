//! The axes around a plot.

use super::canvas::{Anchor, Canvas, Rect, SMALL};
use super::metrics::width;
use super::scale::Axis;
use super::theme::Ink;

/// Between the labels of a horizontal axis, at least.
const BETWEEN: f64 = 10.0;

/// A plot's rectangle with its two axes: from values to pixels.
pub(crate) struct Frame<'a> {
    pub(crate) plot: Rect,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
}

impl Frame<'_> {
    pub(crate) fn x(&self, value: f64) -> f64 {
        self.plot.left + self.x.place(value) * self.plot.width()
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        self.plot.bottom - self.y.place(value) * self.plot.height()
    }

    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x(x), self.y(y))
    }

    /// The grid, to be drawn under everything else.
    pub(crate) fn grid(&self, canvas: &mut Canvas<'_>) {
        let plot = self.plot;
        for mark in self.y.marks.iter().filter(|mark| mark.label.is_some()) {
            let y = plot.bottom - mark.place * plot.height();
            canvas.line(&[(plot.left, y), (plot.right, y)], Ink::Grid, 1.0);
        }
        for mark in self.x.marks.iter().filter(|mark| mark.label.is_some()) {
            let x = plot.left + mark.place * plot.width();
            canvas.line(&[(x, plot.top), (x, plot.bottom)], Ink::Grid, 1.0);
        }
    }

    /// The vertical axis with its labels; `name` stands above it.
    pub(crate) fn y_axis(&self, canvas: &mut Canvas<'_>, name: &str) {
        let plot = self.plot;
        for mark in &self.y.marks {
            let y = plot.bottom - mark.place * plot.height();
            let length = if mark.label.is_some() { 5.0 } else { 2.5 };
            canvas.line(&[(plot.left - length, y), (plot.left, y)], Ink::Axis, 1.0);
            if let Some(label) = &mark.label {
                canvas.text(
                    (plot.left - 9.0, y),
                    label,
                    SMALL,
                    Ink::Muted,
                    Anchor::Right,
                );
            }
        }
        canvas.line(
            &[(plot.left, plot.top), (plot.left, plot.bottom)],
            Ink::Axis,
            1.0,
        );
        let at = (plot.left, plot.top - 10.0);
        canvas.text(at, name, SMALL, Ink::Muted, Anchor::Left);
    }

    /// The horizontal axis with its labels; `name` stands below it. Labels that would touch are left out.
    pub(crate) fn x_axis(&self, canvas: &mut Canvas<'_>, name: &str) {
        let plot = self.plot;
        let mut taken = f64::NEG_INFINITY;
        let mut lines = 1.0_f64;
        for mark in &self.x.marks {
            let x = plot.left + mark.place * plot.width();
            let length = if mark.label.is_some() { 5.0 } else { 2.5 };
            canvas.line(
                &[(x, plot.bottom), (x, plot.bottom + length)],
                Ink::Axis,
                1.0,
            );
            let Some(label) = &mark.label else {
                continue;
            };
            let below = mark.below.as_deref().unwrap_or_default();
            let half = width(label, SMALL).max(width(below, SMALL)) / 2.0;
            if x - half < taken + BETWEEN {
                continue;
            }
            taken = x + half;
            canvas.text(
                (x, plot.bottom + 9.0),
                label,
                SMALL,
                Ink::Muted,
                Anchor::Below,
            );
            if !below.is_empty() {
                lines = 2.0;
                canvas.text(
                    (x, plot.bottom + 24.0),
                    below,
                    SMALL,
                    Ink::Muted,
                    Anchor::Below,
                );
            }
        }
        let floor = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
        canvas.line(&floor, Ink::Axis, 1.0);
        let at = (plot.right, plot.bottom + 17.0 + 16.0 * lines);
        canvas.text(at, name, SMALL, Ink::Muted, Anchor::Right);
    }
}

/// Says in the middle of a plot why nothing is drawn there.
pub(crate) fn nothing(canvas: &mut Canvas<'_>, plot: Rect, why: &str) {
    let middle = (
        (plot.left + plot.right) / 2.0,
        (plot.top + plot.bottom) / 2.0,
    );
    canvas.text(middle, why, 14.0, Ink::Muted, Anchor::Middle);
}
