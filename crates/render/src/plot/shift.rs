//! How much slower or faster a build is, at every percentile.

use super::canvas::{Anchor, Canvas, Head, Picture, Rect, SMALL, picture};
use super::compared::{Compared, NEW, Shift};
use super::frame::{Frame, nothing};
use super::scale::{Axis, Run};
use super::theme::{Ink, Theme};
use super::{SIZE, in_title, place};

/// A change beyond this is drawn at the edge: one wild percentile must not flatten all others.
const WILDEST: f64 = 4.0;
/// The least half of the axis, as so many bounds.
const LEAST_BOUNDS: f64 = 2.0;

/// The new values less those of the base, as a part of these; with the bound, and the intervals of what was judged.
pub fn shift(compared: &Compared, theme: Theme) -> Picture {
    picture(SIZE, theme, head(compared), |canvas| draw(canvas, compared))
}

fn head(compared: &Compared) -> Head {
    let name = in_title(&compared.name);
    let at = |left: f64| {
        let found = compared.steps.iter().min_by(|a, b| {
            (a.left.ln() - left.ln())
                .abs()
                .total_cmp(&(b.left.ln() - left.ln()).abs())
        });
        found.map(|step| signed(step.change))
    };
    Head {
        title: match (at(0.5), at(0.01)) {
            (Some(half), Some(slow)) => {
                format!("{name}: {half} at the middle, {slow} at one in a hundred")
            }
            _ => format!("{name}: nothing to compare"),
        },
        subtitle: "Change by percentile, above zero is slower; the band is the bound, bars are intervals of what was judged"
            .to_owned(),
    }
}

fn signed(part: f64) -> String {
    let sign = if part < 0.0 { "-" } else { "+" };
    format!("{sign}{}", crate::number::percent(part.abs()))
}

fn draw(canvas: &mut Canvas<'_>, compared: &Compared) {
    let plot = place(40.0);
    if compared.steps.is_empty() {
        nothing(canvas, plot, "one of the builds has no value");
        return;
    }
    let tame = |part: f64| part.clamp(-1.0, WILDEST);
    let ends = compared.marks.iter().filter_map(|mark| mark.between);
    let all = compared.steps.iter().map(|step| step.change);
    let all = all
        .chain(ends.flat_map(|(low, high)| [low, high]))
        .map(tame);
    let least = LEAST_BOUNDS * compared.bound;
    let (low, high) = all.fold((-least, least), |(low, high), part| {
        (low.min(part), high.max(part))
    });
    let margin = (high - low) * 0.05;
    let x = Axis::percentiles(compared.base_count.max(compared.new_count));
    let y = Axis::linear(
        (low - margin).max(-1.0),
        high + margin,
        Run::Up(plot.height()),
        signed,
    );
    let frame = Frame { plot, x: &x, y: &y };
    let band = Rect {
        top: frame.y(compared.bound),
        bottom: frame.y(-compared.bound),
        ..plot
    };
    canvas.rect(band, Ink::Grid, 0.6);
    frame.grid(canvas);
    frame.y_axis(canvas, "change");
    frame.x_axis(canvas, "percentile");
    canvas.line(
        &[(plot.left, frame.y(0.0)), (plot.right, frame.y(0.0))],
        Ink::Axis,
        1.5,
    );
    let points: Vec<(f64, f64)> = compared
        .steps
        .iter()
        .map(|step| frame.at(step.left, tame(step.change)))
        .collect();
    canvas.line(&points, NEW, 2.0);
    for mark in &compared.marks {
        draw_mark(canvas, &frame, mark, tame);
    }
    let label = format!("bound {}", signed(compared.bound));
    let at = (plot.right - 4.0, frame.y(compared.bound) - 8.0);
    canvas.text(at, &label, SMALL, Ink::Muted, Anchor::Right);
}

fn draw_mark(canvas: &mut Canvas<'_>, frame: &Frame<'_>, mark: &Shift, tame: impl Fn(f64) -> f64) {
    let (x, y) = frame.at(mark.left, tame(mark.change));
    let mut said = signed(mark.change);
    if let Some((low, high)) = mark.between {
        let [low_y, high_y] = [low, high].map(|part| frame.y(tame(part)));
        canvas.rimmed_line(&[(x, low_y), (x, high_y)], Ink::Text, 1.5);
        for end in [low_y, high_y] {
            canvas.rimmed_line(&[(x - 5.0, end), (x + 5.0, end)], Ink::Text, 1.5);
        }
        said.push_str(&format!(", between {} and {}", signed(low), signed(high)));
    }
    canvas.dot((x, y), 4.0, Ink::Text);
    let hover = Rect {
        left: x - 10.0,
        right: x + 10.0,
        top: frame.plot.top,
        bottom: frame.plot.bottom,
    };
    canvas.hover(hover, said);
}
