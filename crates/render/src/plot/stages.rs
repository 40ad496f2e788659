//! The stages of a flow.

use super::canvas::{
    Anchor, Canvas, EDGE, HEAD, Head, LABEL, Picture, Rect, SMALL, TITLE, picture,
};
use super::data::{Band, Breakdown, Part, Unit};
use super::frame::{Frame, nothing};
use super::metrics::{fitted, width};
use super::scale::{Axis, Run};
use super::theme::{Ink, SERIES, Theme};
use super::{SIZE, counted};
use crate::number;

/// Bands of one picture, and owners with a row of their own, at most.
const MAX_BANDS: usize = 6;
const MAX_OWNERS: usize = 12;
const BAR: f64 = 34.0;
const BAR_PITCH: f64 = 54.0;
const ROW: f64 = 22.0;
/// Left of the bars: their names. Right of them: their totals.
const LEFT: f64 = 170.0;
const RIGHT: f64 = 96.0;
/// A column of the table.
const COLUMN: f64 = 126.0;
/// A name in the title, of which it holds two.
const IN_TITLE: f64 = 190.0;
/// A part of a bar this wide bears its name.
const NAMED: f64 = 72.0;

/// An owner over all bands.
struct Owner {
    name: String,
    gap: bool,
    ink: Ink,
    /// By band, in ns.
    ns: Vec<u64>,
}

/// What each stage and each queue contributes to a flow, typically and in the tail: a bar a band, gaps hatched, and a
/// table of the same figures.
pub fn stages(of: &Breakdown, theme: Theme) -> Picture {
    let bands: Vec<&Band> = of
        .bands
        .iter()
        .filter(|band| total(band) > 0)
        .take(MAX_BANDS)
        .collect();
    let owners = owners(&bands);
    let bars = HEAD + 10.0 + bands.len().max(2) as f64 * BAR_PITCH;
    let height = bars + 96.0 + owners.len() as f64 * ROW;
    picture(
        (SIZE.0, height),
        theme,
        head(of, &bands, &owners),
        |canvas| {
            let plot = Rect {
                left: LEFT,
                top: HEAD + 4.0,
                right: SIZE.0 - RIGHT,
                bottom: bars,
            };
            if bands.is_empty() {
                nothing(canvas, plot, "no whole trace of this flow took any time");
                return;
            }
            draw_bars(canvas, plot, &bands, &owners);
            draw_table(canvas, bars + 62.0, &bands, &owners);
        },
    )
}

fn total(band: &Band) -> u64 {
    band.parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.ns))
}

/// The owners in the order of the flow; the least of too many together, at the end.
fn owners(bands: &[&Band]) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    for (number, band) in bands.iter().enumerate() {
        for part in &band.parts {
            let known = owners
                .iter_mut()
                .find(|owner| owner.name == part.owner && owner.gap == part.gap);
            let add =
                |owner: &mut Owner| owner.ns[number] = owner.ns[number].saturating_add(part.ns);
            match known {
                Some(owner) => add(owner),
                None => {
                    let mut owner = new_owner(part, bands.len());
                    add(&mut owner);
                    owners.push(owner);
                }
            }
        }
    }
    owners.retain(|owner| owner.ns.iter().any(|ns| *ns > 0));
    if owners.len() > MAX_OWNERS {
        let mut greatest: Vec<u64> = owners.iter().map(greatest_of).collect();
        greatest.sort_unstable_by(|a, b| b.cmp(a));
        let least = greatest[MAX_OWNERS - 2];
        let mut kept = 0;
        let (shown, others): (Vec<Owner>, Vec<Owner>) = owners.into_iter().partition(|owner| {
            let keep = greatest_of(owner) >= least && kept < MAX_OWNERS - 1;
            kept += usize::from(keep);
            keep
        });
        let mut together = Owner {
            name: counted(others.len() as u64, "other"),
            gap: false,
            ink: Ink::Series(SERIES - 1),
            ns: vec![0; bands.len()],
        };
        for other in &others {
            for (sum, ns) in together.ns.iter_mut().zip(&other.ns) {
                *sum = sum.saturating_add(*ns);
            }
        }
        owners = shown;
        owners.push(together);
    }
    let stages = owners.iter_mut().filter(|owner| !owner.gap);
    for (colour, owner) in stages.enumerate() {
        owner.ink = Ink::Series(colour);
    }
    owners
}

fn new_owner(part: &Part, bands: usize) -> Owner {
    Owner {
        name: part.owner.clone(),
        gap: part.gap,
        ink: Ink::Muted,
        ns: vec![0; bands],
    }
}

fn greatest_of(owner: &Owner) -> u64 {
    owner.ns.iter().copied().max().unwrap_or(0)
}

fn head(of: &Breakdown, bands: &[&Band], owners: &[Owner]) -> Head {
    let flow = fitted(&of.flow, TITLE, IN_TITLE);
    let (Some(typical), Some(tail)) = (bands.first(), bands.last()) else {
        return Head {
            title: format!("{flow}: nothing to show"),
            subtitle: "no whole trace of this flow was recorded in what was selected".to_owned(),
        };
    };
    let ns = |ns: u64| number::nanos_inline(ns as f64);
    let last = bands.len() - 1;
    let grown = |owner: &&Owner| i128::from(owner.ns[last]) - i128::from(owner.ns[0]);
    let title = match owners.iter().rev().max_by_key(grown) {
        Some(cause) if last > 0 && grown(&cause) > 0 => {
            let name = fitted(&cause.name, TITLE, IN_TITLE);
            format!(
                "{flow}: {} in the tail, {} of it {name}; typically {}",
                ns(total(tail)),
                ns(cause.ns[last]),
                ns(total(typical)),
            )
        }
        _ => format!("{flow}: {} typically", ns(total(typical))),
    };
    let traces: Vec<String> = bands
        .iter()
        .map(|band| format!("{}: {}", band.name, counted(band.traces, "trace")))
        .collect();
    Head {
        title,
        subtitle: format!(
            "Mean time by stage; hatched: waiting between stages. {}",
            traces.join(", ")
        ),
    }
}

fn draw_bars(canvas: &mut Canvas<'_>, plot: Rect, bands: &[&Band], owners: &[Owner]) {
    let most = bands.iter().map(|band| total(band)).max().unwrap_or(1);
    let x = Axis::linear(0.0, most as f64, Run::Along(plot.width()), |value| {
        Unit::Ns.tick(value)
    });
    // Nothing is read from it: bars stand one below another.
    let y = Axis::linear(0.0, 1.0, Run::Up(0.0), |_| String::new());
    let frame = Frame { plot, x: &x, y: &y };
    for mark in &x.marks {
        let x = plot.left + mark.place * plot.width();
        canvas.line(&[(x, plot.top), (x, plot.bottom)], Ink::Grid, 1.0);
    }
    for (number, band) in bands.iter().enumerate() {
        let top = plot.top + 10.0 + number as f64 * BAR_PITCH;
        let middle = top + BAR / 2.0;
        let name = fitted(&band.name, LABEL, LEFT - EDGE - 12.0);
        canvas.text(
            (plot.left - 12.0, middle),
            &name,
            LABEL,
            Ink::Text,
            Anchor::Right,
        );
        let mut before = 0_u64;
        for owner in owners {
            let after = before.saturating_add(owner.ns[number]);
            let rect = Rect {
                left: frame.x(before as f64),
                right: frame.x(after as f64),
                top,
                bottom: top + BAR,
            };
            before = after;
            if owner.ns[number] == 0 {
                continue;
            }
            part(canvas, rect, owner);
            name_part(canvas, rect, owner);
            let ns = number::nanos_inline(owner.ns[number] as f64);
            let share = number::percent(owner.ns[number] as f64 / total(band) as f64);
            canvas.hover(
                rect,
                format!("{}: {ns}, {share} of {}", owner.name, band.name),
            );
        }
        let all = number::nanos_inline(total(band) as f64);
        canvas.text(
            (frame.x(before as f64) + 8.0, middle),
            &all,
            LABEL,
            Ink::Text,
            Anchor::Left,
        );
    }
    frame.x_axis(canvas, "mean end to end");
}

fn part(canvas: &mut Canvas<'_>, rect: Rect, owner: &Owner) {
    if owner.gap {
        canvas.hatched(rect, Ink::Gap);
    } else {
        canvas.rect(rect, owner.ink, 1.0);
    }
    // A hair of ground between neighbours, whatever their colours.
    let edge = [(rect.right, rect.top), (rect.right, rect.bottom)];
    canvas.line(&edge, Ink::Ground, 1.0);
}

/// Writes the owner's name into a part that is wide enough.
fn name_part(canvas: &mut Canvas<'_>, rect: Rect, owner: &Owner) {
    if rect.width() < NAMED {
        return;
    }
    let name = fitted(&owner.name, SMALL, rect.width() - 14.0);
    let (middle, y) = (
        (rect.left + rect.right) / 2.0,
        (rect.top + rect.bottom) / 2.0,
    );
    if owner.gap {
        let half = width(&name, SMALL) / 2.0 + 4.0;
        let under = Rect {
            left: middle - half,
            right: middle + half,
            top: y - 9.0,
            bottom: y + 9.0,
        };
        canvas.rect(under, Ink::Ground, 0.85);
        canvas.text((middle, y), &name, SMALL, Ink::Text, Anchor::Middle);
    } else {
        canvas.text((middle, y), &name, SMALL, Ink::Ground, Anchor::Middle);
    }
}

fn draw_table(canvas: &mut Canvas<'_>, top: f64, bands: &[&Band], owners: &[Owner]) {
    let columns = bands.len() as f64;
    let right = |number: usize| SIZE.0 - EDGE - COLUMN * (columns - 1.0 - number as f64);
    for (number, band) in bands.iter().enumerate() {
        let name = fitted(&band.name, SMALL, COLUMN);
        canvas.text(
            (right(number), top),
            &name,
            SMALL,
            Ink::Muted,
            Anchor::Right,
        );
    }
    canvas.text(
        (EDGE, top),
        "stage or wait",
        SMALL,
        Ink::Muted,
        Anchor::Left,
    );
    let line = top + 11.0;
    canvas.line(&[(EDGE, line), (SIZE.0 - EDGE, line)], Ink::Axis, 1.0);
    for (row, owner) in owners.iter().enumerate() {
        let y = top + ROW * (row as f64 + 1.0) + 2.0;
        let swatch = Rect {
            left: EDGE,
            right: EDGE + 16.0,
            top: y - 6.0,
            bottom: y + 6.0,
        };
        part(canvas, swatch, owner);
        let room = right(0) - COLUMN - EDGE - 24.0;
        let name = fitted(&owner.name, LABEL, room);
        canvas.text((EDGE + 24.0, y), &name, LABEL, Ink::Text, Anchor::Left);
        if owner.gap && width(&owner.name, LABEL) + 60.0 < room {
            let x = EDGE + 32.0 + width(&name, LABEL);
            canvas.text((x, y), "waiting", SMALL, Ink::Muted, Anchor::Left);
        }
        for (number, ns) in owner.ns.iter().enumerate() {
            let text = if *ns == 0 {
                "–".to_owned()
            } else {
                number::nanos_inline(*ns as f64)
            };
            canvas.text((right(number), y), &text, LABEL, Ink::Text, Anchor::Right);
        }
    }
}
