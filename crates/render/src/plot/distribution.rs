//! The histogram of one event.

use super::canvas::{Anchor, Canvas, Head, Picture, Rect, SMALL, picture};
use super::data::{Bin, Series, Unit};
use super::frame::{Frame, nothing};
use super::metrics::width;
use super::scale::{Axis, Extent, Run};
use super::theme::{Ink, Theme};
use super::{SIZE, counted, in_title, limits, place};

/// What the vertical axis counts.
const AXIS: &str = "values";
/// More bars than pixels would show nothing more.
const MAX_BARS: usize = 800;

/// How the values of `series` are spread: bars of equal width on a log axis, zeros apart, percentiles marked.
pub fn distribution(series: &Series, theme: Theme) -> Picture {
    picture(SIZE, theme, head(series), |canvas| draw(canvas, series))
}

fn head(series: &Series) -> Head {
    let name = in_title(&series.name);
    let value = |share| series.unit.value(series.quantile(share).unwrap_or(0.0));
    let (low, high) = (value(0.05), value(0.95));
    let title = match series.count {
        0 => format!("{name}: nothing to show"),
        1 => format!("{name}: its only value is {low}"),
        _ if series.zeros == series.count => format!("{name}: all values are zero"),
        _ if value(0.0) == value(1.0) => format!("{name}: all values are {low}"),
        _ if low == high => format!("{name}: nine in ten are about {low}"),
        _ => format!("{name}: nine in ten are from {low} to {high}"),
    };
    let zeros = match series.zeros {
        0 => String::new(),
        zeros => format!(", of which {} zero", crate::number::count(zeros)),
    };
    Head {
        title,
        subtitle: format!(
            "Distribution of {}{zeros}; bars of equal width on a log scale{}",
            counted(series.count, "value"),
            limits::hidden(&series.limits)
        ),
    }
}

fn draw(canvas: &mut Canvas<'_>, series: &Series) {
    let plot = place(32.0);
    let plot = Rect {
        top: plot.top + 24.0,
        ..plot
    };
    if series.count == 0 {
        nothing(canvas, plot, "nothing was recorded");
        return;
    }
    let bins = &series.bins[..series.bins.len().min(MAX_BARS)];
    let values = series.curve.iter().map(|at| at.value);
    let limits = series.limits.iter().map(|limit| limit.value);
    let mut extent = Extent::of(values.chain(limits).map(|value| value as f64));
    if series.zeros > 0 {
        extent.add(0.0);
    }
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0);
    let x = Axis::values(extent, &series.unit, Run::Along(plot.width()));
    let y = Axis::counts(most.max(series.zeros) as f64, Run::Up(plot.height()));
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    if series.zeros > 0 {
        let middle = frame.x(0.0);
        let rect = Rect {
            left: middle - 6.0,
            right: middle + 6.0,
            top: tall(&frame, series.zeros),
            bottom: plot.bottom,
        };
        canvas.rect(rect, Ink::Series(0), 1.0);
        canvas.hover(rect, format!("zero: {}", counted(series.zeros, "value")));
    }
    for bin in bins {
        bar(canvas, &frame, &series.unit, bin);
    }
    frame.y_axis(canvas, AXIS);
    frame.x_axis(canvas, &series.unit.name());
    marks(canvas, &frame, series);
}

/// The upper edge of a bar: however few it holds, it can be seen.
fn tall(frame: &Frame<'_>, count: u64) -> f64 {
    frame.y(count as f64).min(frame.plot.bottom - 1.0)
}

fn bar(canvas: &mut Canvas<'_>, frame: &Frame<'_>, unit: &Unit, bin: &Bin) {
    let (left, right) = (frame.x(bin.low as f64), frame.x(bin.high as f64 + 1.0));
    // A hair of ground between bars that are wide enough for it.
    let gap = if right - left > 5.0 { 1.0 } else { 0.0 };
    let rect = Rect {
        left,
        right: (right - gap).max(left + 1.0),
        top: tall(frame, bin.count),
        bottom: frame.plot.bottom,
    };
    if bin.count > 0 {
        canvas.rect(rect, Ink::Series(0), 1.0);
        let values = counted(bin.count, "value");
        let (low, high) = (unit.value(bin.low as f64), unit.value(bin.high as f64));
        let text = if low == high {
            format!("{low}: {values}")
        } else {
            format!("{low} to {high}: {values}")
        };
        let column = Rect {
            top: frame.plot.top,
            ..rect
        };
        canvas.hover(column, text);
    }
}

/// Lines at percentiles with labels above the plot, as far as these fit beside each other.
fn marks(canvas: &mut Canvas<'_>, frame: &Frame<'_>, series: &Series) {
    let plot = frame.plot;
    let wanted = [
        ("max", 1.0, 1),
        ("p50", 0.5, 2),
        ("p99.9", 0.999, 1000),
        ("p99", 0.99, 100),
    ];
    // Two rows of labels.
    // Beside the lower one stands the name of the axis.
    let named = (plot.left, plot.left + width(AXIS, SMALL) + 8.0);
    let mut taken = [vec![named], Vec::new()];
    for (name, share, needed) in wanted {
        let Some(value) = series.quantile(share).filter(|_| series.count >= needed) else {
            continue;
        };
        let x = frame.x(value);
        let text = format!("{name} {}", series.unit.value(value));
        let half = width(&text, SMALL) / 2.0;
        let furthest = (plot.right + 24.0 - half).max(plot.left + half);
        let middle = x.clamp(plot.left + half, furthest);
        let mine = (middle - half - 6.0, middle + half + 6.0);
        let free = |row: &Vec<(f64, f64)>| {
            row.iter()
                .all(|(from, to)| mine.0 >= *to || mine.1 <= *from)
        };
        let Some(row) = taken.iter().position(free) else {
            continue;
        };
        taken[row].push(mine);
        let top = plot.top - 12.0 - 15.0 * row as f64;
        let line = [(x, top + 8.0), (x, plot.bottom)];
        canvas.line(&line, Ink::Series(1), 1.25);
        canvas.text((middle, top), &text, SMALL, Ink::Text, Anchor::Middle);
    }
    limits::upright(
        canvas,
        frame,
        &series.limits,
        (plot.top + 10.0, limits::PITCH),
    );
}
