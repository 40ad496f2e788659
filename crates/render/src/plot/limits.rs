//! What was promised, as lines across a plot.

use super::canvas::{Anchor, Canvas, Rect, SMALL};
use super::data::{Limit, Series};
use super::frame::Frame;
use super::in_hover;
use super::metrics::{fitted, width};
use super::theme::Ink;

/// Lines that are drawn, at most: of more nobody could tell which is which.
const MOST: usize = 12;
/// The height of a label.
pub(crate) const PITCH: f64 = 14.0;
/// Between a label and the edge of its ground.
const MARGIN: f64 = 2.0;
/// Of a label that has no more room than this nothing could be read.
const LEAST: f64 = 30.0;
/// Between an upright line and its label.
const GAP: f64 = 3.0;

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

/// A dashed line a limit, each with its label in it; labels that would lie on each other stand side by side.
pub(crate) fn across(canvas: &mut Canvas<'_>, frame: &Frame<'_>, limits: &[Limit]) {
    let plot = frame.plot;
    let mut tags: Vec<Tag> = Vec::new();
    for limit in shown(limits) {
        let y = frame.y(limit.value as f64);
        let beside = tags.iter().filter(|tag| (y - tag.y).abs() < PITCH);
        let left = beside.fold(plot.left + 4.0, |left, tag| left.max(tag.right() + 6.0));
        tags.push(Tag::new(&limit.label, (left, plot.right), y));
    }
    for tag in &tags {
        canvas.dashes((plot.left, tag.left), tag.y, Ink::Alarm, 1.5);
        canvas.dashes((tag.right(), plot.right), tag.y, Ink::Alarm, 1.5);
    }
    for tag in &tags {
        tag.draw(canvas);
    }
}

/// An upright line a limit, each with its label beside it, in rows of their own from `first` on, `pitch` pixels apart.
pub(crate) fn upright(
    canvas: &mut Canvas<'_>,
    frame: &Frame<'_>,
    limits: &[Limit],
    (first, pitch): (f64, f64),
) {
    let plot = frame.plot;
    let lines: Vec<(&Limit, f64)> = shown(limits)
        .map(|limit| (limit, frame.x(limit.value as f64)))
        .collect();
    for (_, x) in &lines {
        canvas.line(&[(*x, plot.top), (*x, plot.bottom)], Ink::Alarm, 2.0);
    }
    for (row, (limit, x)) in lines.iter().enumerate() {
        let room = width(&limit.label, SMALL) + 2.0 * MARGIN;
        let is_free = |from: f64, to: f64| {
            let crossed = lines.iter().any(|(_, other)| *other > from && *other < to);
            from >= plot.left && to <= plot.right && !crossed
        };
        // Right of its line, left of it where only that is free.
        let (before, behind) = (x - GAP - room, x + GAP);
        let is_better_before = !is_free(behind, behind + room) && is_free(before, before + room);
        let left = if is_better_before || behind + room > plot.right {
            before.max(plot.left)
        } else {
            behind
        };
        let y = first + pitch * row as f64;
        Tag::new(&limit.label, (left, plot.right), y).draw(canvas);
    }
}

/// What a subtitle says of the limits that are not drawn.
pub(crate) fn hidden(limits: &[Limit]) -> String {
    match distinct(limits).len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; the lowest {MOST} of {} limits", more + MOST),
    }
}

/// Those that are drawn, the least first, none twice.
fn shown(limits: &[Limit]) -> impl Iterator<Item = &Limit> {
    distinct(limits).into_iter().take(MOST)
}

fn distinct(limits: &[Limit]) -> Vec<&Limit> {
    let mut limits: Vec<&Limit> = limits.iter().collect();
    limits.sort_by(|a, b| (a.value, &a.label).cmp(&(b.value, &b.label)));
    limits.dedup();
    limits
}

/// A label on ground of its own.
struct Tag {
    /// Empty where nothing of it could be read.
    label: String,
    left: f64,
    /// Its middle.
    y: f64,
}

impl Tag {
    /// As much of `label` as there is room for.
    fn new(label: &str, (left, furthest): (f64, f64), y: f64) -> Tag {
        let room = furthest - left - 2.0 * MARGIN;
        let label = if room < LEAST.min(width(label, SMALL)) {
            String::new()
        } else {
            fitted(label, SMALL, room)
        };
        Tag { label, left, y }
    }

    fn right(&self) -> f64 {
        match self.label.is_empty() {
            true => self.left,
            false => self.left + width(&self.label, SMALL) + 2.0 * MARGIN,
        }
    }

    fn draw(&self, canvas: &mut Canvas<'_>) {
        if self.label.is_empty() {
            return;
        }
        let rect = Rect {
            left: self.left,
            right: self.right(),
            top: self.y - PITCH / 2.0,
            bottom: self.y + PITCH / 2.0,
        };
        canvas.rect(rect, Ink::Ground, 0.7);
        let at = (self.left + MARGIN, self.y);
        canvas.text(at, &self.label, SMALL, Ink::Alarm, Anchor::Left);
    }
}
