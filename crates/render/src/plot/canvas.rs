//! What plots are drawn on: `plotters` with its SVG backend, in pixels with one decimal, and in inks instead of colours.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

use super::data::TimeSpan;
use super::metrics::fitted;
use super::theme::{Ink, Theme, style_sheet};
use crate::escape::{bounded, visible};

/// The backend knows whole units only. Ten of them a pixel keep lines smooth.
const UNITS: f64 = 10.0;
/// Font sizes as they were asked for: the backend divides by this.
const FONT_FACTOR: f64 = 1.24;
const FONTS: &str = "system-ui,-apple-system,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif";

/// Slanted lines of one picture; areas beyond that are only pale.
const MAX_HATCHES: usize = 2500;

/// Sizes of text, in pixels.
pub(crate) const TITLE: f64 = 16.0;
pub(crate) const LABEL: f64 = 12.0;
pub(crate) const SMALL: f64 = 11.0;

/// The left edge of titles.
pub(crate) const EDGE: f64 = 16.0;
/// Where the plot itself may begin, below title and subtitle.
pub(crate) const HEAD: f64 = 68.0;

/// A rectangle in pixels, y downward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Rect {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// Which point of a text stands where it was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its left end, halfway up.
    Left,
    /// Its right end, halfway up.
    Right,
    /// Its middle, halfway up.
    Middle,
    /// The middle of its upper edge.
    Below,
}

/// A picture, finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What is seen, in one line that is safe to show.
    pub title: String,
    /// A whole SVG file that needs nothing else, and may stand in a page as it is.
    pub svg: String,
    /// Where time runs in it, if it does from left to right.
    pub time: Option<TimeFrame>,
}

/// The rectangle of a picture in which time runs from left to right. Its edges are shares of the picture's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeFrame {
    /// The time at the left edge, in ns since 1970 UTC.
    pub from_unix_ns: i64,
    /// The time at the right edge.
    pub to_unix_ns: i64,
    /// The left edge.
    pub left: f64,
    /// The right edge.
    pub right: f64,
    /// The upper edge.
    pub top: f64,
    /// The lower edge.
    pub bottom: f64,
}

/// What stands above a plot.
pub(crate) struct Head {
    /// What is seen.
    pub(crate) title: String,
    /// What it is.
    pub(crate) subtitle: String,
}

/// Draws one picture of `width` by `height` pixels.
pub(crate) fn picture(
    (width, height): (f64, f64),
    theme: Theme,
    head: Head,
    body: impl FnOnce(&mut Canvas<'_>),
) -> Picture {
    let mut svg = String::new();
    let size = ((width * UNITS) as u32, (height * UNITS) as u32);
    let mut canvas = Canvas {
        area: SVGBackend::with_string(&mut svg, size).into_drawing_area(),
        theme,
        hovers: Vec::new(),
        hatches: MAX_HATCHES,
        size: (width, height),
        time: None,
    };
    let all = Rect {
        left: 0.0,
        top: 0.0,
        right: width,
        bottom: height,
    };
    canvas.rect(all, Ink::Ground, 1.0);
    let room = width - 2.0 * EDGE;
    // Bold letters are wider.
    let title = fitted(&head.title, TITLE * 1.1, room);
    canvas.bold((EDGE, 24.0), &title, TITLE, Ink::Text);
    let subtitle = fitted(&head.subtitle, LABEL, room);
    canvas.text((EDGE, 46.0), &subtitle, LABEL, Ink::Muted, Anchor::Left);
    body(&mut canvas);
    let hovers = std::mem::take(&mut canvas.hovers);
    let time = canvas.time;
    // Writing into a string cannot fail.
    let _ = canvas.area.present();
    drop(canvas);
    Picture {
        svg: finish(&svg, (width, height), theme, &head.title, &hovers),
        title: visible(&head.title).into_owned(),
        time,
    }
}

/// Gives the backend's SVG its real size, a name, its rules, and what it says under the pointer.
fn finish(
    svg: &str,
    (width, height): (f64, f64),
    theme: Theme,
    title: &str,
    hovers: &[(Rect, String)],
) -> String {
    let body = svg.split_once('>').map_or("", |(_, rest)| rest);
    let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body);
    let auto = if theme == Theme::Auto {
        " perf-auto"
    } else {
        ""
    };
    let (units_x, units_y) = (width * UNITS, height * UNITS);
    let (title, rules) = (xml(&visible(title)), style_sheet(theme));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"perf-plot{auto}\" role=\"img\" aria-label=\"{title}\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {units_x} {units_y}\">\n<style>{rules}</style>{body}"
    );
    for (rect, text) in hovers {
        let [x, y] = [rect.left, rect.top].map(units);
        let [w, h] = [rect.width(), rect.height()].map(units);
        let lines: Vec<String> = text.split('\n').map(|line| xml(&bounded(line))).collect();
        out.push_str(&format!(
            "<rect class=\"at\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"#808080\" fill-opacity=\"0\">\
             <title>{}</title></rect>\n",
            lines.join("\n")
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn units(pixels: f64) -> i32 {
    // Saturating: a figure that is not finite becomes an edge or zero.
    (pixels * UNITS).round() as i32
}

/// A picture being drawn. Coordinates are pixels from the upper left corner.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    theme: Theme,
    hovers: Vec<(Rect, String)>,
    hatches: usize,
    size: (f64, f64),
    time: Option<TimeFrame>,
}

// Drawing into a string cannot fail, so results of `draw` are let go.
impl Canvas<'_> {
    fn style(&self, ink: Ink, opacity: f64, stroke: f64) -> ShapeStyle {
        let (red, green, blue) = ink.rgb(self.theme);
        ShapeStyle {
            color: RGBColor(red, green, blue).mix(opacity),
            filled: stroke == 0.0,
            stroke_width: (stroke * UNITS) as u32,
        }
    }

    /// A filled rectangle.
    pub(crate) fn rect(&mut self, rect: Rect, ink: Ink, opacity: f64) {
        let corners = [
            (units(rect.left), units(rect.top)),
            (units(rect.right), units(rect.bottom)),
        ];
        let _ = self
            .area
            .draw(&Rectangle::new(corners, self.style(ink, opacity, 0.0)));
    }

    /// A line through `points`, `stroke` pixels wide.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], ink: Ink, stroke: f64) {
        let mut path: Vec<(i32, i32)> =
            points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        path.dedup();
        if path.len() < 2 {
            // A stretch too short to be seen is still a mark.
            path.extend(path.first().map(|(x, y)| (x + 1, *y)));
        }
        let style = self.style(ink, 1.0, stroke);
        let _ = self.area.draw(&PathElement::new(path, style));
    }

    /// A line with a rim of the ground's colour, which stands out from whatever lies under it.
    pub(crate) fn rimmed_line(&mut self, points: &[(f64, f64)], ink: Ink, stroke: f64) {
        self.line(points, Ink::Ground, stroke + 2.0);
        self.line(points, ink, stroke);
    }

    /// A horizontal line of dashes.
    pub(crate) fn dashes(&mut self, (from, to): (f64, f64), y: f64, ink: Ink, stroke: f64) {
        const DASH: f64 = 6.0;
        let mut x = from;
        while x < to {
            self.line(&[(x, y), ((x + DASH).min(to), y)], ink, stroke);
            x += DASH * 1.7;
        }
    }

    /// A filled polygon.
    pub(crate) fn polygon(&mut self, points: &[(f64, f64)], ink: Ink, opacity: f64) {
        let path: Vec<(i32, i32)> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        let style = self.style(ink, opacity, 0.0);
        let _ = self.area.draw(&Polygon::new(path, style));
    }

    /// A filled circle.
    pub(crate) fn dot(&mut self, (x, y): (f64, f64), radius: f64, ink: Ink) {
        let style = self.style(ink, 1.0, 0.0);
        let dot = Circle::new((units(x), units(y)), units(radius), style);
        let _ = self.area.draw(&dot);
    }

    /// A pale rectangle with slanted lines.
    pub(crate) fn hatched(&mut self, rect: Rect, ink: Ink) {
        const STEP: f64 = 6.0;
        self.rect(rect, ink, 0.25);
        let (width, height) = (rect.width(), rect.height());
        let mut reach = STEP;
        while reach < width + height && self.hatches > 0 {
            self.hatches -= 1;
            // From the left or lower edge up to the upper or right one.
            let from = (
                rect.left + (reach - height).max(0.0),
                rect.top + reach.min(height),
            );
            let to = (
                rect.left + reach.min(width),
                rect.top + (reach - width).max(0.0),
            );
            self.line(&[from, to], ink, 1.0);
            reach += STEP;
        }
    }

    /// One line of text. Whatever would not show as itself is shown as its escape.
    pub(crate) fn text(&mut self, at: (f64, f64), text: &str, size: f64, ink: Ink, anchor: Anchor) {
        let (h, v) = match anchor {
            Anchor::Left => (HPos::Left, VPos::Center),
            Anchor::Right => (HPos::Right, VPos::Center),
            Anchor::Middle => (HPos::Center, VPos::Center),
            Anchor::Below => (HPos::Center, VPos::Top),
        };
        self.write(at, text, size, ink, Pos::new(h, v), FontStyle::Normal);
    }

    /// Bold text from its left end.
    pub(crate) fn bold(&mut self, at: (f64, f64), text: &str, size: f64, ink: Ink) {
        let anchor = Pos::new(HPos::Left, VPos::Center);
        self.write(at, text, size, ink, anchor, FontStyle::Bold);
    }

    fn write(
        &mut self,
        (x, y): (f64, f64),
        text: &str,
        size: f64,
        ink: Ink,
        pos: Pos,
        style: FontStyle,
    ) {
        let (red, green, blue) = ink.rgb(self.theme);
        let font = FontDesc::new(FontFamily::Name(FONTS), size * UNITS * FONT_FACTOR, style);
        let colour = RGBColor(red, green, blue);
        let style = TextStyle::from(font).color(&colour).pos(pos);
        let _ = self
            .area
            .draw_text(&visible(text), &style, (units(x), units(y)));
    }

    /// Notes that `span` runs along `plot`, for whoever marks more in the picture.
    pub(crate) fn time_along(&mut self, plot: Rect, span: &TimeSpan) {
        let (width, height) = self.size;
        self.time = Some(TimeFrame {
            from_unix_ns: span.from_unix_ns,
            to_unix_ns: span.to_unix_ns,
            left: plot.left / width,
            right: plot.right / width,
            top: plot.top / height,
            bottom: plot.bottom / height,
        });
    }

    /// What is said when the pointer rests on `rect`; lines are parted by `\n`.
    pub(crate) fn hover(&mut self, rect: Rect, text: String) {
        self.hovers.push((rect, text));
    }
}
