//! Gauges and counters over time.

use super::canvas::{Anchor, Canvas, HEAD, Head, LABEL, Picture, Rect, SMALL, picture};
use super::data::{Course, Level, Levels, Unit};
use super::frame::{Frame, nothing};
use super::metrics::fitted;
use super::scale::{Axis, Run, instant};
use super::theme::{Ink, Theme};
use super::{BELOW, LEFT, MAX_SLOTS, SIZE, counted, in_title};
use crate::number;

/// Panels of one picture, at most.
const MAX_PANELS: usize = 12;
/// The height of a panel, and of the space above it.
const PANEL: f64 = 104.0;
const ABOVE: f64 = 38.0;
/// Right of a panel: what was seen last.
const RIGHT: f64 = 150.0;

/// A panel a gauge or counter: the mean level within the least and the greatest, or the change per second.
pub fn levels(of: &Levels, theme: Theme) -> Picture {
    let levels = &of.levels[..of.levels.len().min(MAX_PANELS)];
    let slots = &of.slots[..of.slots.len().min(MAX_SLOTS)];
    let panels = levels.len().max(1) as f64;
    let height = HEAD + panels * (PANEL + ABOVE) + BELOW - 16.0;
    picture((SIZE.0, height), theme, head(of, levels), |canvas| {
        if levels.is_empty() || slots.is_empty() {
            let whole = Rect {
                left: LEFT,
                top: HEAD,
                right: SIZE.0 - 40.0,
                bottom: height - BELOW,
            };
            nothing(canvas, whole, "no gauge and no counter was recorded");
            return;
        }
        for (number, level) in levels.iter().enumerate() {
            let top = HEAD + ABOVE - 10.0 + number as f64 * (PANEL + ABOVE);
            let plot = Rect {
                left: LEFT,
                top,
                right: SIZE.0 - RIGHT,
                bottom: top + PANEL,
            };
            let last = number + 1 == levels.len();
            panel(canvas, plot, of, level, slots, (Ink::Series(number), last));
        }
    })
}

fn head(of: &Levels, levels: &[Level]) -> Head {
    let Some(first) = levels.first() else {
        return Head {
            title: "Gauges and counters: nothing to show".to_owned(),
            subtitle: "no gauge and no counter was recorded in what was selected".to_owned(),
        };
    };
    let name = in_title(&first.name);
    let title = match range(&first.course) {
        None => format!("{name}: nothing to show"),
        Some((low, high)) => {
            let figures = |value| match first.course {
                Course::Gauge(_) => first.unit.value(value),
                Course::Counter(_) => rate(&first.unit, value),
            };
            if low == high {
                format!("{name}: {} throughout", figures(low))
            } else {
                format!("{name}: from {} to {}", figures(low), figures(high))
            }
        }
    };
    let more = match of.left_out + of.levels.len() - levels.len() {
        0 => String::new(),
        more => format!("; {more} more are not shown, choose with --event"),
    };
    Head {
        title,
        subtitle: format!(
            "{} over time: gauges as mean within least and greatest, counters as change per second{more}",
            counted(levels.len() as u64, "level")
        ),
    }
}

fn rate(unit: &Unit, value: f64) -> String {
    format!("{}/s", unit.value(value))
}

/// The least and the greatest of all slots.
fn range(course: &Course) -> Option<(f64, f64)> {
    let values: Vec<(f64, f64)> = match course {
        Course::Gauge(slots) => slots
            .iter()
            .flatten()
            .map(|(low, _, high)| (*low, *high))
            .collect(),
        Course::Counter(slots) => slots.iter().flatten().map(|rate| (*rate, *rate)).collect(),
    };
    values
        .into_iter()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn panel(
    canvas: &mut Canvas<'_>,
    plot: Rect,
    of: &Levels,
    level: &Level,
    slots: &[(i64, i64)],
    (ink, last): (Ink, bool),
) {
    let name = fitted(&level.name, LABEL * 1.1, plot.width() * 0.6);
    canvas.bold((plot.left, plot.top - 12.0), &name, LABEL, Ink::Text);
    let what = match level.course {
        Course::Gauge(_) => level.unit.name(),
        Course::Counter(_) => format!("{}/s", level.unit.name()),
    };
    let what = fitted(&what, SMALL, plot.width() * 0.3);
    canvas.text(
        (plot.right, plot.top - 12.0),
        &what,
        SMALL,
        Ink::Muted,
        Anchor::Right,
    );
    let Some((low, high)) = range(&level.course) else {
        nothing(canvas, plot, "nothing was recorded");
        return;
    };
    let x = Axis::time(&of.span, plot.width());
    // Levels count from zero, so that a small change does not look large.
    let tick = |value| level.unit.tick(value);
    let y = Axis::linear(
        low.min(0.0),
        high.max(0.0),
        Run::Up(plot.height() * 1.6),
        tick,
    );
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    course(canvas, &frame, of, level, slots, ink);
    frame.y_axis(canvas, "");
    if last {
        frame.x_axis(canvas, &of.span.clock);
    } else {
        let floor = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
        canvas.line(&floor, Ink::Axis, 1.0);
    }
}

fn course(
    canvas: &mut Canvas<'_>,
    frame: &Frame<'_>,
    of: &Levels,
    level: &Level,
    slots: &[(i64, i64)],
    ink: Ink,
) {
    let x = |at: i64| frame.x(at.saturating_sub(of.span.from_unix_ns) as f64);
    let bands: Vec<Option<(f64, f64, f64)>> = match &level.course {
        Course::Gauge(bands) => bands.clone(),
        Course::Counter(rates) => rates.iter().map(|rate| rate.map(|r| (r, r, r))).collect(),
    };
    let mut end = None;
    let mut line: Vec<(f64, f64)> = Vec::new();
    for ((from, to), band) in slots.iter().zip(&bands) {
        let Some((low, middle, high)) = band else {
            // Where nothing is known there is no line.
            if !line.is_empty() {
                canvas.line(&std::mem::take(&mut line), ink, 1.75);
            }
            continue;
        };
        let rect = Rect {
            left: x(*from),
            right: x(*to),
            top: frame.y(*high),
            bottom: frame.y(*low),
        };
        if low != high {
            canvas.rect(rect, ink, 0.25);
        }
        let y = frame.y(*middle);
        line.extend([(rect.left, y), (rect.right, y)]);
        end = Some((rect.right, y, *middle));
        let text = match level.course {
            Course::Gauge(_) => format!(
                "mean {}\nfrom {} to {}",
                level.unit.value(*middle),
                level.unit.value(*low),
                level.unit.value(*high)
            ),
            Course::Counter(_) => rate(&level.unit, *middle),
        };
        let when = instant(&of.span, *from, to.saturating_sub(*from));
        let column = Rect {
            left: rect.left,
            right: rect.right,
            ..frame.plot
        };
        canvas.hover(column, format!("{when}\n{text}"));
    }
    canvas.line(&line, ink, 1.75);
    if let Some((x, y, value)) = end {
        canvas.dot((x, y), 2.5, ink);
        let text = match level.course {
            Course::Gauge(_) => format!("{} at last", number::number(value)),
            Course::Counter(_) => format!("{}/s at last", number::number(value)),
        };
        let text = match (&level.unit, &level.course) {
            (Unit::Ns, Course::Gauge(_)) => format!("{} at last", level.unit.value(value)),
            _ => text,
        };
        let text = fitted(&text, LABEL, RIGHT - 20.0);
        canvas.text(
            (frame.plot.right + 12.0, y),
            &text,
            LABEL,
            Ink::Text,
            Anchor::Left,
        );
    }
}
