//! The cumulative distribution.

use super::canvas::{Canvas, Head, Picture, Rect, picture};
use super::data::Series;
use super::frame::{Frame, nothing};
use super::labels;
use super::scale::{Axis, Extent, Run};
use super::theme::{Ink, SERIES, Theme};
use super::{SIZE, counted, in_title, limits, place};

/// What stands before each name beside the plot: its line.
const KEY: f64 = 12.0;

/// The share of values at or below each value: a line a series. All series must have one unit; the first [`SERIES`]
/// are drawn, the first is what the title is about.
pub fn cumulative(series: &[Series], theme: Theme) -> Picture {
    let series: Vec<&Series> = series
        .iter()
        .filter(|series| series.count > 0)
        .take(SERIES)
        .collect();
    picture(SIZE, theme, head(&series), |canvas| draw(canvas, &series))
}

fn head(series: &[&Series]) -> Head {
    let Some(first) = series.first() else {
        return Head {
            title: "Shares below a value: nothing to show".to_owned(),
            subtitle: "no event with durations was recorded in what was selected".to_owned(),
        };
    };
    let name = in_title(&first.name);
    let value = |share| first.unit.value(first.quantile(share).unwrap_or(0.0));
    let title = match first.count {
        1 => format!("{name}: its only value is {}", value(0.5)),
        _ => format!("{name}: nine in ten are {} or less", value(0.9)),
    };
    Head {
        title,
        subtitle: format!(
            "Share of values at or below each value, of {}, log scale; lines are labelled with their median{}",
            counted(series.len() as u64, "event"),
            limits::hidden(&limits::of_all(series))
        ),
    }
}

fn draw(canvas: &mut Canvas<'_>, series: &[&Series]) {
    let Some(first) = series.first() else {
        nothing(canvas, place(40.0), "nothing was recorded");
        return;
    };
    let texts: Vec<(String, String)> = (series.iter())
        .map(|series| {
            let half = series.unit.value(series.quantile(0.5).unwrap_or(0.0));
            (series.name.clone(), half)
        })
        .collect();
    let plot = place(labels::room_for(&texts) + KEY);
    let values = series.iter().flat_map(|series| &series.curve);
    let values = values.map(|at| at.value);
    let promised = series.iter().flat_map(|series| &series.limits);
    let promised = promised.map(|limit| limit.value);
    let extent = Extent::of(values.chain(promised).map(|value| value as f64));
    let x = Axis::values(extent, &first.unit, Run::Along(plot.width()));
    let y = Axis::shares(Run::Up(plot.height()));
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    frame.y_axis(canvas, "share of values");
    frame.x_axis(canvas, &first.unit.name());
    for (number, series) in series.iter().enumerate().rev() {
        let ink = Ink::Series(number);
        let points = steps(&frame, series);
        canvas.line(&points, ink, if number == 0 { 2.5 } else { 1.75 });
        hover(canvas, &frame, series);
    }
    // Upwards from where lines seldom are: few values are low, few limits are on the left.
    let rows = (plot.bottom - 10.0, -limits::PITCH);
    limits::upright(canvas, &frame, &limits::of_all(series), rows);
    key(canvas, &frame, series, &texts);
}

/// From rank to rank the share rises; each line starts on the floor.
fn steps(frame: &Frame<'_>, series: &Series) -> Vec<(f64, f64)> {
    let share = |rank: u64| rank as f64 / series.count as f64;
    let mut points = Vec::with_capacity(series.curve.len() + 1);
    let mut before = 0;
    for at in &series.curve {
        let value = at.value as f64;
        if points.is_empty() || series.curve.len() < 150 {
            points.push(frame.at(value, share(before)));
        }
        points.push(frame.at(value, share(at.rank)));
        before = at.rank;
    }
    points
}

/// All lines end at 100 %, so they are labelled beside the plot, in the order of their medians, from the middle of each.
fn key(canvas: &mut Canvas<'_>, frame: &Frame<'_>, series: &[&Series], texts: &[(String, String)]) {
    let plot = frame.plot;
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by_key(|number| {
        let half = series[*number].quantile(0.5).unwrap_or(0.0);
        (half as u64, *number)
    });
    for (line, number) in order.into_iter().enumerate() {
        let y = plot.top + 10.0 + 20.0 * line as f64;
        let (x, ink) = (plot.right + 14.0, Ink::Series(number));
        canvas.line(&[(x, y), (x + 12.0, y)], ink, 3.0);
        let (name, value) = &texts[number];
        labels::write(canvas, (x + 18.0, SIZE.0 - 10.0), y, (name, value));
        if let Some(half) = series[number].quantile(0.5) {
            canvas.dot(frame.at(half, 0.5), 3.0, ink);
        }
    }
}

fn hover(canvas: &mut Canvas<'_>, frame: &Frame<'_>, series: &Series) {
    for share in [0.1, 0.25, 0.5, 0.75, 0.9, 0.99] {
        let Some(value) = series.quantile(share) else {
            continue;
        };
        let (x, y) = frame.at(value, share);
        let rect = Rect {
            left: x - 6.0,
            top: y - 6.0,
            right: x + 6.0,
            bottom: y + 6.0,
        };
        let text = format!(
            "{}: {} % are no more than {}",
            series.name,
            share * 100.0,
            series.unit.value(value)
        );
        canvas.hover(rect, text);
    }
}
