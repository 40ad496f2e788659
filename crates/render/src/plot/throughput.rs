//! Throughput and loss over time.

use super::canvas::{Anchor, Canvas, Head, Picture, Rect, SMALL, picture};
use super::data::{Throughput, Unit};
use super::frame::{Frame, nothing};
use super::labels::{self, EndLabel};
use super::latency::{losses, lost_in};
use super::scale::{Axis, Run, instant};
use super::theme::{Ink, SERIES, Theme};
use super::{MAX_SLOTS, SIZE, counted, in_hover, place};
use crate::number;

/// What is drawn, from the bottom of the pile upward.
struct Layer {
    name: String,
    ink: Ink,
    per_second: Vec<f64>,
}

/// How many records a second each event gave, piled up; below it when records were lost. The first [`SERIES`] − 1
/// events have a layer each, all others share one.
pub fn throughput(of: &Throughput, theme: Theme) -> Picture {
    let slots = &of.slots[..of.slots.len().min(MAX_SLOTS)];
    let layers = layers(of, slots.len());
    let totals: Vec<f64> = (0..slots.len())
        .map(|slot| layers.iter().map(|layer| layer.per_second[slot]).sum())
        .collect();
    picture(SIZE, theme, head(of, slots, &totals), |canvas| {
        draw(canvas, of, slots, &layers, &totals);
    })
}

fn layers(of: &Throughput, slots: usize) -> Vec<Layer> {
    let rates = |rate: &super::Rate| -> Vec<f64> {
        let known = rate
            .per_second
            .iter()
            .map(|rate| rate.unwrap_or(0.0).max(0.0));
        known.chain(std::iter::repeat(0.0)).take(slots).collect()
    };
    let apart = if of.rates.len() > SERIES {
        SERIES - 1
    } else {
        SERIES
    };
    let mut layers: Vec<Layer> = (of.rates.iter().take(apart).enumerate())
        .map(|(number, rate)| Layer {
            name: rate.name.clone(),
            ink: Ink::Series(number),
            per_second: rates(rate),
        })
        .collect();
    let others = &of.rates[apart.min(of.rates.len())..];
    if !others.is_empty() {
        let mut together = vec![0.0; slots];
        for rate in others {
            for (sum, rate) in together.iter_mut().zip(rates(rate)) {
                *sum += rate;
            }
        }
        layers.push(Layer {
            name: counted(others.len() as u64, "other event"),
            ink: Ink::Series(SERIES - 1),
            per_second: together,
        });
    }
    layers
}

fn head(of: &Throughput, slots: &[(i64, i64)], totals: &[f64]) -> Head {
    let lost = lost_in(&of.lost, &of.span);
    let loss = match lost {
        0 => "nothing lost".to_owned(),
        lost => format!("{} lost", counted(lost, "record")),
    };
    let busiest = (0..totals.len()).max_by(|a, b| totals[*a].total_cmp(&totals[*b]).then(b.cmp(a)));
    let Some(busiest) = busiest.filter(|_| of.records > 0) else {
        return Head {
            title: format!("Throughput: nothing to show; {loss}"),
            subtitle: "nothing was recorded in what was selected".to_owned(),
        };
    };
    let (from, to) = slots[busiest];
    let length = to.saturating_sub(from);
    Head {
        title: format!(
            "{} records/s at the busiest, {}; {loss}",
            number::number(totals[busiest]),
            instant(&of.span, from, length)
        ),
        subtitle: format!(
            "Records a second by event, {} in all, in slots of {}; {}",
            counted(of.records, "record"),
            Unit::Ns.tick(length as f64),
            of.span.clock
        ),
    }
}

fn draw(
    canvas: &mut Canvas<'_>,
    of: &Throughput,
    slots: &[(i64, i64)],
    layers: &[Layer],
    totals: &[f64],
) {
    let texts: Vec<(String, String)> = layers
        .iter()
        .map(|layer| {
            let mean = layer.per_second.iter().sum::<f64>() / slots.len().max(1) as f64;
            (layer.name.clone(), format!("{}/s", number::number(mean)))
        })
        .collect();
    let whole = place(labels::room_for(&texts));
    let lost = losses(&of.lost, &of.span);
    let plot = Rect {
        bottom: whole.bottom - if lost.is_empty() { 0.0 } else { 90.0 },
        ..whole
    };
    let x = Axis::time(&of.span, plot.width());
    let most = totals.iter().copied().fold(0.0, f64::max);
    let tick = |value| Unit::Count.tick(value);
    let y = Axis::linear(0.0, most, Run::Up(plot.height()), tick);
    let frame = Frame { plot, x: &x, y: &y };
    if slots.is_empty() || most <= 0.0 {
        nothing(canvas, plot, "nothing was recorded");
    } else {
        frame.grid(canvas);
        let ends = pile(canvas, &frame, of, slots, layers, &texts);
        frame.y_axis(canvas, "records/s");
        labels::draw(canvas, plot, &ends);
        hovers(canvas, &frame, of, slots, layers);
    }
    let below = Rect {
        top: whole.bottom - 46.0,
        ..whole
    };
    if lost.is_empty() {
        frame.x_axis(canvas, &of.span.clock);
        return;
    }
    let counts = lost.iter().map(|lost| lost.count).max().unwrap_or(0);
    let y = Axis::counts(counts as f64, Run::Up(below.height() * 2.0));
    let frame = Frame {
        plot: below,
        x: &x,
        y: &y,
    };
    frame.grid(canvas);
    for lost in &lost {
        let at = |unix_ns: i64| frame.x(unix_ns.saturating_sub(of.span.from_unix_ns) as f64);
        let (left, right) = (at(lost.from_unix_ns), at(lost.to_unix_ns));
        let rect = Rect {
            left,
            right: right.max(left + 3.0),
            top: frame.y(lost.count as f64).min(below.bottom - 2.0),
            bottom: below.bottom,
        };
        canvas.rect(rect, Ink::Alarm, 1.0);
        canvas.hover(rect, format!("{} lost", counted(lost.count, "record")));
    }
    frame.y_axis(canvas, "records lost");
    frame.x_axis(canvas, &of.span.clock);
    let text = format!("{} lost", counted(lost_in(&of.lost, &of.span), "record"));
    let at = (below.right + 22.0, (below.top + below.bottom) / 2.0);
    canvas.text(at, &text, SMALL, Ink::Alarm, Anchor::Left);
}

/// Draws the layers one on another, in steps, and says where each ends.
fn pile(
    canvas: &mut Canvas<'_>,
    frame: &Frame<'_>,
    of: &Throughput,
    slots: &[(i64, i64)],
    layers: &[Layer],
    texts: &[(String, String)],
) -> Vec<EndLabel> {
    let x = |at: i64| frame.x(at.saturating_sub(of.span.from_unix_ns) as f64);
    let mut floor = vec![0.0; slots.len()];
    let mut ends = Vec::new();
    for (layer, (name, value)) in layers.iter().zip(texts) {
        let ceiling: Vec<f64> = floor
            .iter()
            .zip(&layer.per_second)
            .map(|(floor, rate)| floor + rate)
            .collect();
        let edge = |heights: &[f64]| -> Vec<(f64, f64)> {
            let steps = slots.iter().zip(heights);
            steps
                .flat_map(|((from, to), height)| {
                    let y = frame.y(*height);
                    [(x(*from), y), (x(*to), y)]
                })
                .collect()
        };
        let upper = edge(&ceiling);
        let mut outline = upper.clone();
        outline.extend(edge(&floor).into_iter().rev());
        canvas.polygon(&outline, layer.ink, 0.85);
        canvas.line(&upper, Ink::Ground, 0.7);
        if let Some(last) = slots.len().checked_sub(1) {
            let middle = frame.y((floor[last] + ceiling[last]) / 2.0);
            ends.push(EndLabel {
                name: name.clone(),
                value: value.clone(),
                ink: layer.ink,
                end: (x(slots[last].1), middle),
            });
        }
        floor = ceiling;
    }
    ends
}

fn hovers(
    canvas: &mut Canvas<'_>,
    frame: &Frame<'_>,
    of: &Throughput,
    slots: &[(i64, i64)],
    layers: &[Layer],
) {
    let x = |at: i64| frame.x(at.saturating_sub(of.span.from_unix_ns) as f64);
    for (slot, (from, to)) in slots.iter().enumerate() {
        let mut text = instant(&of.span, *from, to.saturating_sub(*from));
        for layer in layers.iter().rev() {
            let rate = number::per_second(layer.per_second[slot]);
            text.push_str(&format!("\n{}: {rate}", in_hover(&layer.name)));
        }
        let rect = Rect {
            left: x(*from),
            right: x(*to),
            ..frame.plot
        };
        canvas.hover(rect, text);
    }
}
