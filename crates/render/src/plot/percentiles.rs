//! The percentile curve.

use super::canvas::{Canvas, Head, Picture, Rect, picture};
use super::data::{Limit, Series, Unit};
use super::frame::{Frame, nothing};
use super::labels::{self, EndLabel};
use super::scale::{Axis, Extent, Run};
use super::theme::{Ink, SERIES, Theme};
use super::{SIZE, counted, in_hover, in_title, limits, place};

/// Columns in which the pointer finds the values of all lines.
const COLUMNS: usize = 60;

/// The values of each series, from the least to the slowest one of all, over percentiles whose every further nine is
/// as wide as the one before. All series must have one unit; the first [`SERIES`] are drawn, the first is what the
/// title is about.
pub fn percentiles(series: &[Series], theme: Theme) -> Picture {
    let series = shown(series);
    let limits = limits::of_all(&series);
    picture(SIZE, theme, head(&series, &limits), |canvas| {
        draw(canvas, &series, &limits)
    })
}

/// The same of flows: the times of their traces from end to end, and from when they were due. What was promised of several
/// is one line, so each limit says what it is about.
pub fn flows(series: &[Series], theme: Theme) -> Picture {
    let series = shown(series);
    let limits = series.iter().flat_map(|series| series.limits.clone());
    let limits: Vec<Limit> = limits.collect();
    picture(SIZE, theme, head_of_flows(&series, &limits), |canvas| {
        draw(canvas, &series, &limits)
    })
}

fn shown(series: &[Series]) -> Vec<&Series> {
    let some = series.iter().filter(|series| series.count > 0);
    some.take(SERIES).collect()
}

fn head_of_flows(series: &[&Series], limits: &[Limit]) -> Head {
    let Some(first) = series.first() else {
        return Head {
            title: "Flows end to end: nothing to show".to_owned(),
            subtitle: "no whole trace was recorded in what was selected".to_owned(),
        };
    };
    let value = |share| first.unit.value(first.quantile(share).unwrap_or(0.0));
    let name = in_title(&first.name);
    let title = match first.count {
        1 => format!("{name}: its only trace takes {}", value(0.5)),
        2..100 => format!(
            "{name}: half take {}, the slowest {}",
            value(0.5),
            value(1.0)
        ),
        _ => format!(
            "{name}: half take {}, one in a hundred {} or more",
            value(0.5),
            value(0.99)
        ),
    };
    let hidden = limits::hidden(limits);
    Head {
        title,
        subtitle: format!(
            "Traces end to end, percentiles by flow, log scale; each line ends at its slowest trace{hidden}"
        ),
    }
}

fn head(series: &[&Series], limits: &[Limit]) -> Head {
    let Some(first) = series.first() else {
        return Head {
            title: "Percentiles: nothing to show".to_owned(),
            subtitle: "no event with durations was recorded in what was selected".to_owned(),
        };
    };
    let hidden = limits::hidden(limits);
    let value = |share| first.unit.value(first.quantile(share).unwrap_or(0.0));
    let name = in_title(&first.name);
    let title = match first.count {
        1 => format!("{name}: its only value is {}", value(0.5)),
        2..100 => format!(
            "{name}: half are {} or less, the greatest {}",
            value(0.5),
            value(1.0)
        ),
        _ if first.unit != Unit::Ns => format!(
            "{name}: half are {} or less, one in a hundred {} or more",
            value(0.5),
            value(0.99)
        ),
        _ => format!(
            "{name}: half take {}, one in a hundred {} or more",
            value(0.5),
            value(0.99)
        ),
    };
    Head {
        title,
        subtitle: format!(
            "Percentiles of {}, log scale; each line ends at the greatest value of its event{hidden}",
            counted(series.len() as u64, "event")
        ),
    }
}

fn draw(canvas: &mut Canvas<'_>, series: &[&Series], limits: &[Limit]) {
    let Some(first) = series.first() else {
        nothing(canvas, place(40.0), "nothing was recorded");
        return;
    };
    let texts: Vec<(String, String)> = series
        .iter()
        .map(|series| {
            let max = series.unit.value(series.max().unwrap_or(0.0));
            (series.name.clone(), max)
        })
        .collect();
    let plot = place(labels::room_for(&texts));
    let values = series.iter().flat_map(|series| &series.curve);
    let extent = Extent::of(
        values
            .map(|at| at.value)
            .chain(limits.iter().map(|limit| limit.value))
            .map(|value| value as f64),
    );
    let most = series.iter().map(|series| series.count).max().unwrap_or(1);
    let (x, y) = (
        Axis::percentiles(most),
        Axis::values(extent, &first.unit, Run::Up(plot.height())),
    );
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    frame.y_axis(canvas, &first.unit.name());
    frame.x_axis(canvas, "percentile");
    let mut ends = Vec::new();
    // The first is drawn last, above the others.
    for (number, series) in series.iter().enumerate().rev() {
        let ink = Ink::Series(number);
        let points: Vec<(f64, f64)> = (series.curve.iter())
            .map(|at| frame.at(rest(series.count, at.rank), at.value as f64))
            .collect();
        canvas.line(&points, ink, if number == 0 { 2.5 } else { 1.75 });
        if let Some(end) = points.last() {
            let (name, value) = texts[number].clone();
            ends.push(EndLabel {
                name,
                value,
                ink,
                end: *end,
            });
        }
    }
    limits::across(canvas, &frame, limits);
    labels::draw(canvas, plot, &ends);
    hovers(canvas, &frame, series, most);
}

/// The share of values that are no less than that of `rank`: 1 for the least, one in `count` for the greatest.
fn rest(count: u64, rank: u64) -> f64 {
    (count.saturating_sub(rank) as f64 + 1.0) / count.max(1) as f64
}

fn hovers(canvas: &mut Canvas<'_>, frame: &Frame<'_>, series: &[&Series], most: u64) {
    let step = frame.plot.width() / COLUMNS as f64;
    for column in 0..COLUMNS {
        let left = frame.plot.left + column as f64 * step;
        let place = (column as f64 + 0.5) / COLUMNS as f64;
        let share = 1.0 - (most.max(10) as f64).powf(-place);
        let shown = format!("{:.4}", share * 100.0);
        let shown = shown.trim_end_matches('0').trim_end_matches('.');
        let mut text = format!("{shown} % are no more than");
        for series in series {
            // What one in so many would be, of which there are fewer.
            let known = (1.0 - share) * series.count as f64 >= 1.0 || column == 0;
            if let Some(value) = series.quantile(share).filter(|_| known) {
                text.push_str(&format!(
                    "\n{}: {}",
                    in_hover(&series.name),
                    series.unit.value(value)
                ));
            }
        }
        let rect = Rect {
            left,
            right: left + step,
            ..frame.plot
        };
        canvas.hover(rect, text);
    }
}
