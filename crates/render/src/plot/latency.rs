//! Latency over time.

use super::canvas::{Canvas, Head, Picture, Rect, picture};
use super::data::{LatencySlot, Lost, OverTime, TimeSpan, Unit};
use super::frame::{Frame, nothing};
use super::labels::{self, EndLabel};
use super::scale::{Axis, Extent, Run, instant};
use super::theme::{Ink, Theme};
use super::{MAX_SLOTS, SIZE, counted, heat, in_title, limits, place};
use crate::number;

/// A line over the heat map: what it is called, and its value in a slot.
type Line = (&'static str, fn(&LatencySlot) -> Option<u64>);

/// When values were high: a heat map of slots of time and steps of values, with lines for the percentiles over it;
/// what was lost and what broke a rule is marked in red along the upper edge.
pub fn latency_over_time(of: &OverTime, theme: Theme) -> Picture {
    let slots = &of.slots[..of.slots.len().min(MAX_SLOTS)];
    picture(SIZE, theme, head(of, slots), |canvas| {
        draw(canvas, of, slots);
    })
}

fn head(of: &OverTime, slots: &[LatencySlot]) -> Head {
    let name = in_title(&of.name);
    let worst = slots.iter().rev().max_by_key(|slot| slot.max);
    let title = match worst {
        None => format!("{name} over time: nothing to show"),
        Some(worst) => {
            let length = worst.to_unix_ns.saturating_sub(worst.from_unix_ns);
            let at = instant(&of.span, worst.from_unix_ns, length);
            let mut medians: Vec<u64> = slots.iter().map(|slot| slot.p50).collect();
            medians.sort_unstable();
            format!(
                "{name}: about {}, at worst {} at {at}",
                of.unit.value(medians[medians.len() / 2] as f64),
                of.unit.value(worst.max as f64)
            )
        }
    };
    let lost = lost_in(&of.lost, &of.span);
    let violations: u64 = slots.iter().map(|slot| slot.violations).sum();
    let length = slots
        .first()
        .map(|slot| slot.to_unix_ns.saturating_sub(slot.from_unix_ns));
    let mut subtitle = format!("{} over time", counted(of.count, "value"));
    if let Some(length) = length {
        subtitle += &format!(", in slots of {}", Unit::Ns.tick(length as f64));
    }
    subtitle += &limits::hidden(&of.limits);
    let mut marks = Vec::new();
    if lost > 0 {
        marks.push(format!("Red bars: {} lost", counted(lost, "record")));
    }
    if violations > 0 {
        let violations = number::count(violations);
        marks.push(format!("Triangles: {violations} over {}", limit(of)));
    }
    if !slots.is_empty() && broken(of).next().is_some() {
        marks.push("Shaded: a rule was broken".to_owned());
    }
    // There is not always room for both, and the day stands at the axis as well.
    if marks.is_empty() {
        subtitle += &format!("; {}", of.span.clock);
    } else {
        subtitle += &format!(". {}", marks.join(". "));
    }
    Head { title, subtitle }
}

/// What values are counted against.
fn limit(of: &OverTime) -> &'static str {
    match of.limits.len() {
        0 | 1 => "the limit",
        _ => "the lowest limit",
    }
}

/// Records lost in the time shown.
pub(crate) fn lost_in(lost: &[Lost], span: &TimeSpan) -> u64 {
    let within = lost.iter().filter(|lost| {
        lost.to_unix_ns >= span.from_unix_ns && lost.from_unix_ns <= span.to_unix_ns
    });
    within.fold(0, |sum, lost| sum.saturating_add(lost.count))
}

fn draw(canvas: &mut Canvas<'_>, of: &OverTime, slots: &[LatencySlot]) {
    // `p99.9` and a value at the end of each line.
    let plot = place(128.0);
    if slots.is_empty() {
        nothing(canvas, plot, "nothing was recorded");
        return;
    }
    let x = Axis::time(&of.span, plot.width());
    canvas.time_along(plot, &of.span);
    let values = slots.iter().flat_map(|slot| {
        let bins = slot.bins.iter().flat_map(|bin| [bin.low, bin.high]);
        let zero = (slot.zeros > 0).then_some(0);
        bins.chain(zero).chain([slot.max])
    });
    let extent = Extent::of(
        values
            .chain(of.limits.iter().map(|limit| limit.value))
            .map(|value| value as f64),
    );
    let y = Axis::values(extent, &of.unit, Run::Up(plot.height()));
    let frame = Frame { plot, x: &x, y: &y };
    frame.grid(canvas);
    let from = of.span.from_unix_ns;
    shade(canvas, &frame, of);
    heat::cells(canvas, &frame, slots, from);
    let ends = lines(canvas, &frame, of, slots);
    limits::across(canvas, &frame, &of.limits);
    frame.y_axis(canvas, &of.unit.name());
    frame.x_axis(canvas, &of.span.clock);
    heat::key(canvas, (plot.right, plot.top - 10.0), slots);
    labels::draw(canvas, plot, &ends);
    hovers(canvas, &frame, of, slots);
    marks(canvas, &frame, of, slots);
}

/// The percentile lines. Where slots hold too few values for p99.9, the greatest of each stands in for it.
fn lines(
    canvas: &mut Canvas<'_>,
    frame: &Frame<'_>,
    of: &OverTime,
    slots: &[LatencySlot],
) -> Vec<EndLabel> {
    // Between a few values there is nothing to draw a line through.
    const ENOUGH: u64 = 5;
    let length = |slot: &LatencySlot| slot.to_unix_ns.saturating_sub(slot.from_unix_ns).max(1);
    let whole = of.span.to_unix_ns.saturating_sub(of.span.from_unix_ns);
    let all = slots.first().map_or(0, |slot| whole / length(slot));
    let enough = slots.iter().filter(|slot| slot.count >= ENOUGH).count();
    if (enough as i64).saturating_mul(2) < all {
        return Vec::new();
    }
    let many = |known: fn(&LatencySlot) -> Option<u64>| {
        slots.iter().filter_map(known).count() * 2 > slots.len()
    };
    let mut shown: Vec<Line> = vec![("p50", |slot| Some(slot.p50))];
    if many(|slot| slot.p99) {
        shown.push(("p99", |slot| slot.p99));
    }
    if many(|slot| slot.p999) {
        shown.push(("p99.9", |slot| slot.p999));
    } else {
        shown.push(("max", |slot| Some(slot.max)));
    }
    let from = of.span.from_unix_ns;
    let mut ends = Vec::new();
    for (number, (name, value)) in shown.iter().enumerate().rev() {
        let ink = Ink::Over(if *name == "max" { 2 } else { number });
        let mut last = None;
        // A slot without a value parts the line.
        let parted = |a: &LatencySlot, b: &LatencySlot| {
            value(a).is_some() && value(b).is_some() && a.to_unix_ns == b.from_unix_ns
        };
        for run in slots.chunk_by(parted) {
            let points: Vec<(f64, f64)> = (run.iter())
                .filter_map(|slot| {
                    let middle = (slot.from_unix_ns.saturating_sub(from) as f64
                        + slot.to_unix_ns.saturating_sub(from) as f64)
                        / 2.0;
                    Some(frame.at(middle, value(slot)? as f64))
                })
                .collect();
            if !points.is_empty() {
                canvas.rimmed_line(&points, ink, 1.75);
            }
            last = points.last().copied().or(last);
        }
        let latest = slots.iter().rev().find_map(value);
        if let (Some(end), Some(latest)) = (last, latest) {
            let value = of.unit.value(latest as f64);
            ends.push(EndLabel {
                name: (*name).to_owned(),
                value,
                ink,
                end,
            });
        }
    }
    ends
}

/// The episodes in the time shown.
fn broken(of: &OverTime) -> impl Iterator<Item = &(i64, i64)> {
    let (first, last) = (of.span.from_unix_ns, of.span.to_unix_ns);
    let is_within = move |(from, to): &&(i64, i64)| *to >= first && *from <= last;
    of.episodes.iter().filter(is_within)
}

/// When rules were broken: the ground behind all, and it alone where slots are empty.
fn shade(canvas: &mut Canvas<'_>, frame: &Frame<'_>, of: &OverTime) {
    // Each shows, however short.
    const LEAST: f64 = 2.0;
    let plot = frame.plot;
    let x = |at: i64| {
        let at = at.clamp(of.span.from_unix_ns, of.span.to_unix_ns);
        frame.x(at.saturating_sub(of.span.from_unix_ns) as f64)
    };
    let mut bands: Vec<(f64, f64)> = broken(of)
        .map(|(from, to)| (x(*from), x(*to).max(x(*from) + LEAST)))
        .collect();
    bands.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Those that touch are one, so that overlapping ones are not darker, and there are no more than pixels.
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (left, right) in bands {
        match joined.last_mut() {
            Some(before) if left <= before.1 + 1.0 => before.1 = before.1.max(right),
            _ => joined.push((left, right)),
        }
    }
    for (left, right) in joined {
        let rect = Rect {
            left: left.min(plot.right - LEAST),
            right: right.min(plot.right),
            ..plot
        };
        canvas.rect(rect, Ink::Alarm, 0.14);
    }
}

/// Loss as bars along the upper edge, violations as triangles below these.
fn marks(canvas: &mut Canvas<'_>, frame: &Frame<'_>, of: &OverTime, slots: &[LatencySlot]) {
    let plot = frame.plot;
    let x = |at: i64| frame.x(at.saturating_sub(of.span.from_unix_ns) as f64);
    for lost in losses(&of.lost, &of.span) {
        let (left, right) = (x(lost.from_unix_ns), x(lost.to_unix_ns));
        let rect = Rect {
            left,
            right: right.max(left + 3.0),
            top: plot.top,
            bottom: plot.top + 6.0,
        };
        canvas.rect(rect, Ink::Alarm, 1.0);
        canvas.hover(rect, format!("{} lost", counted(lost.count, "record")));
    }
    for slot in slots.iter().filter(|slot| slot.violations > 0) {
        let middle = (x(slot.from_unix_ns) + x(slot.to_unix_ns)) / 2.0;
        let top = plot.top + 9.0;
        let corners = [
            (middle - 4.0, top),
            (middle + 4.0, top),
            (middle, top + 7.0),
        ];
        canvas.polygon(&corners, Ink::Alarm, 1.0);
    }
}

/// What was lost in the time shown; where that is too much to be drawn one by one, as one.
pub(crate) fn losses(lost: &[Lost], span: &TimeSpan) -> Vec<Lost> {
    const MOST: usize = 400;
    let within = lost.iter().filter(|lost| {
        lost.to_unix_ns >= span.from_unix_ns && lost.from_unix_ns <= span.to_unix_ns
    });
    let mut within: Vec<Lost> = within.copied().collect();
    within.sort_by_key(|lost| (lost.from_unix_ns, lost.to_unix_ns));
    let together = within.len().div_ceil(MOST).max(1);
    let joined = within.chunks(together).filter_map(|some| {
        Some(Lost {
            from_unix_ns: some.first()?.from_unix_ns,
            to_unix_ns: some.iter().map(|lost| lost.to_unix_ns).max()?,
            count: some
                .iter()
                .fold(0, |sum, lost| sum.saturating_add(lost.count)),
        })
    });
    joined.collect()
}

fn hovers(canvas: &mut Canvas<'_>, frame: &Frame<'_>, of: &OverTime, slots: &[LatencySlot]) {
    let x = |at: i64| frame.x(at.saturating_sub(of.span.from_unix_ns) as f64);
    for slot in slots {
        let value = |value: u64| of.unit.value(value as f64);
        let mut text = format!(
            "{}\n{}\np50 {}",
            instant(
                &of.span,
                slot.from_unix_ns,
                slot.to_unix_ns.saturating_sub(slot.from_unix_ns)
            ),
            counted(slot.count, "value"),
            value(slot.p50)
        );
        for (name, known) in [("p99", slot.p99), ("p99.9", slot.p999)] {
            if let Some(known) = known {
                text += &format!("\n{name} {}", value(known));
            }
        }
        text += &format!("\nmax {}", value(slot.max));
        if slot.violations > 0 {
            text += &format!("\n{} over {}", number::count(slot.violations), limit(of));
        }
        let left = x(slot.from_unix_ns);
        let rect = Rect {
            left,
            right: x(slot.to_unix_ns).max(left + 1.0),
            ..frame.plot
        };
        canvas.hover(rect, text);
    }
}
