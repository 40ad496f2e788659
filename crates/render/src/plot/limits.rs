//! What was promised, as dashed lines across a plot.

use super::canvas::{Anchor, Canvas, SMALL};
use super::data::{Limit, Series};
use super::frame::Frame;
use super::in_hover;
use super::labels;
use super::theme::Ink;

/// Lines that are drawn, at most: of more nobody could tell which is which.
const MOST: usize = 12;
/// Between the middles of two labels.
const PITCH: f64 = 14.0;

/// The limits of several series, named after these where there is more than one.
pub(crate) fn of_all(series: &[&Series]) -> Vec<Limit> {
    let one = |of: &&Series, limit: &Limit| match series.len() {
        1 => limit.clone(),
        _ => Limit {
            value: limit.value,
            label: format!("{} {}", in_hover(&of.name), limit.label),
        },
    };
    let all = series
        .iter()
        .flat_map(|of| of.limits.iter().map(move |limit| one(of, limit)));
    all.collect()
}

/// A dashed line a limit, each with its label above its left end; labels that would lie on each other are moved apart.
pub(crate) fn draw(canvas: &mut Canvas<'_>, frame: &Frame<'_>, limits: &[Limit], ink: Ink) {
    let plot = frame.plot;
    let limits = &limits[..limits.len().min(MOST)];
    let mut lowest_last: Vec<&Limit> = limits.iter().collect();
    lowest_last.sort_by_key(|limit| std::cmp::Reverse(limit.value));
    let lines: Vec<f64> = (lowest_last.iter())
        .map(|limit| frame.y(limit.value as f64))
        .collect();
    let wanted: Vec<f64> = lines.iter().map(|y| y - 8.0).collect();
    let places = labels::spread(&wanted, PITCH, (plot.top + 8.0, plot.bottom - 8.0));
    for ((limit, line), label) in lowest_last.iter().zip(&lines).zip(places) {
        canvas.dashes((plot.left, plot.right), *line, ink, 1.5);
        let at = (plot.left + 6.0, label);
        canvas.text(at, &limit.label, SMALL, ink, Anchor::Left);
    }
}
