//! The percentiles of two builds, one over the other.

use super::canvas::{Canvas, Head, Picture, picture};
use super::data::{Ranked, Unit};
use super::frame::{Frame, nothing};
use super::labels::{self, EndLabel};
use super::scale::{Axis, Extent, Run};
use super::theme::{Ink, Theme};
use super::{SIZE, counted, in_title, place};

/// An event or a flow of two builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What its values count.
    pub unit: Unit,
    /// Values of the base.
    pub base_count: u64,
    /// Ranks and values of the base, both ascending.
    pub base: Vec<Ranked>,
    /// Values of the new build.
    pub new_count: u64,
    /// Ranks and values of the new build, both ascending.
    pub new: Vec<Ranked>,
    /// How much greater the new values are, along all percentiles.
    pub steps: Vec<Shift>,
    /// The same of the percentiles that were judged, with their intervals.
    pub marks: Vec<Shift>,
    /// A change within this, up or down, does not matter: 0.05 is 5 %.
    pub bound: f64,
}

/// How much greater a percentile is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The share of values above it.
    pub left: f64,
    /// By which part: 0.1 is 10 %.
    pub change: f64,
    /// The least and the most that it may be.
    pub between: Option<(f64, f64)>,
}

/// How the base and the new build are drawn, in this and every picture beside it.
pub(crate) const BASE: Ink = Ink::Series(0);
pub(crate) const NEW: Ink = Ink::Series(1);

/// The values of both builds, from the least to the slowest one of all.
pub fn curves(compared: &Compared, theme: Theme) -> Picture {
    picture(SIZE, theme, head(compared), |canvas| draw(canvas, compared))
}

fn head(compared: &Compared) -> Head {
    let name = in_title(&compared.name);
    let half = |curve: &[Ranked], count: u64| {
        let at = curve.iter().find(|at| at.rank * 2 >= count);
        at.map(|at| compared.unit.value(at.value as f64))
    };
    let base = half(&compared.base, compared.base_count);
    let new = half(&compared.new, compared.new_count);
    Head {
        title: match (base, new) {
            (Some(base), Some(new)) => format!("{name}: half took {base}, now take {new}"),
            _ => format!("{name}: nothing to compare"),
        },
        subtitle: format!(
            "Percentiles of {} of the base and {} of the new build, log scale",
            counted(compared.base_count, "value"),
            counted(compared.new_count, "value")
        ),
    }
}

fn draw(canvas: &mut Canvas<'_>, compared: &Compared) {
    if compared.base.is_empty() || compared.new.is_empty() {
        nothing(canvas, place(40.0), "one of the builds has no value");
        return;
    }
    let sides = [
        ("base", &compared.base, compared.base_count, BASE),
        ("new", &compared.new, compared.new_count, NEW),
    ];
    let greatest = |curve: &[Ranked]| curve.last().map_or(0.0, |at| at.value as f64);
    let texts: Vec<(String, String)> = sides
        .iter()
        .map(|(name, curve, ..)| ((*name).to_owned(), compared.unit.value(greatest(curve))))
        .collect();
    let plot = place(labels::room_for(&texts));
    let values = sides.iter().flat_map(|(_, curve, ..)| curve.iter());
    let extent = Extent::of(values.map(|at| at.value as f64));
    let x = Axis::percentiles(compared.base_count.max(compared.new_count));
    let y = Axis::values(extent, &compared.unit, Run::Up(plot.height()));
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    frame.y_axis(canvas, &compared.unit.name());
    frame.x_axis(canvas, "percentile");
    let mut ends = Vec::new();
    for ((name, value), (_, curve, count, ink)) in texts.into_iter().zip(sides) {
        let left = |rank: u64| (count.saturating_sub(rank) as f64 + 1.0) / count.max(1) as f64;
        let points: Vec<(f64, f64)> = curve
            .iter()
            .map(|at| frame.at(left(at.rank), at.value as f64))
            .collect();
        canvas.line(&points, ink, 2.0);
        if let Some(end) = points.last() {
            ends.push(EndLabel {
                name,
                value,
                ink,
                end: *end,
            });
        }
    }
    labels::draw(canvas, plot, &ends);
}
