//! One trace, span by span.

use super::canvas::{Anchor, Canvas, EDGE, HEAD, Head, LABEL, Picture, Rect, SMALL, picture};
use super::data::{TraceSpan, Unit, Waterfall};
use super::frame::{Frame, nothing};
use super::metrics::{fitted, width};
use super::scale::{Axis, Run};
use super::theme::{Ink, Theme};
use super::{BELOW, SIZE, counted};
use crate::number;

/// Rows of one picture, and gaps marked in it, at most.
const MAX_ROWS: usize = 60;
const MAX_GAPS: usize = 200;
const ROW: f64 = 22.0;
const BAR: f64 = 15.0;
/// Above each thread's rows: its name.
const THREAD: f64 = 24.0;
/// The strip above the threads that shows what waited.
const WAITING: f64 = 14.0;
/// Right of the bars, for the labels of the last ones.
const RIGHT: f64 = 120.0;
/// Annotations in the title, at most.
const MAX_ANNOTATIONS: usize = 6;

/// The spans of a trace from its first start, a row each, by thread, coloured by event; what waited is hatched.
pub fn waterfall(of: &Waterfall, theme: Theme) -> Picture {
    let rows = Rows::of(of);
    let height = HEAD + WAITING + rows.height() + BELOW + 8.0;
    picture((SIZE.0, height), theme, head(of, &rows), |canvas| {
        let plot = Rect {
            left: EDGE + 4.0,
            top: HEAD + WAITING,
            right: SIZE.0 - RIGHT,
            bottom: HEAD + WAITING + rows.height(),
        };
        if rows.threads.is_empty() {
            nothing(canvas, plot, "this trace has no span");
            return;
        }
        draw(canvas, plot, of, &rows);
    })
}

/// What is drawn, in order.
struct Rows<'a> {
    /// Threads by their first start, each with its spans by start.
    threads: Vec<(&'a str, Vec<&'a TraceSpan>)>,
    /// Events, in the order of their first start: their places are their colours.
    events: Vec<&'a str>,
    start: i64,
    end: i64,
    left_out: usize,
}

impl<'a> Rows<'a> {
    fn of(of: &'a Waterfall) -> Rows<'a> {
        let mut spans: Vec<&TraceSpan> = of.spans.iter().collect();
        // The longest tell most; of equal ones the first.
        spans.sort_by_key(|span| (-length(span), span.start_ns));
        let left_out = spans.len().saturating_sub(MAX_ROWS);
        spans.truncate(MAX_ROWS);
        spans.sort_by(|a, b| {
            let key =
                |span: &'a TraceSpan| (span.start_ns, -length(span), &span.event, &span.thread);
            key(a).cmp(&key(b))
        });
        let mut threads: Vec<(&str, Vec<&TraceSpan>)> = Vec::new();
        let mut events: Vec<&str> = Vec::new();
        for span in spans {
            match threads.iter_mut().find(|(name, _)| *name == span.thread) {
                Some((_, rows)) => rows.push(span),
                None => threads.push((&span.thread, vec![span])),
            }
            if !events.contains(&span.event.as_str()) {
                events.push(&span.event);
            }
        }
        let start = of.spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
        let end = of
            .spans
            .iter()
            .map(|span| span.end_ns)
            .max()
            .unwrap_or(start);
        Rows {
            threads,
            events,
            start,
            end: end.max(start),
            left_out,
        }
    }

    fn height(&self) -> f64 {
        let rows: usize = self.threads.iter().map(|(_, rows)| rows.len()).sum();
        (rows as f64 * ROW + self.threads.len() as f64 * THREAD).max(80.0)
    }

    fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

fn length(span: &TraceSpan) -> i64 {
    span.end_ns.saturating_sub(span.start_ns).max(0)
}

fn head(of: &Waterfall, rows: &Rows<'_>) -> Head {
    let mut title = format!("Trace {}", fitted(&of.trace, 16.0, 200.0));
    if !of.spans.is_empty() {
        title += &format!(": {}", number::nanos_inline(rows.duration() as f64));
    }
    for (key, value) in of.annotations.iter().take(MAX_ANNOTATIONS) {
        title += &format!(
            "  {}={}",
            fitted(key, 16.0, 160.0),
            fitted(value, 16.0, 160.0)
        );
    }
    let threads: Vec<&str> = rows.threads.iter().map(|(name, _)| *name).collect();
    let mut subtitle = format!(
        "{} on {}",
        counted(of.spans.len() as u64, "span"),
        counted(threads.len() as u64, "thread")
    );
    if !of.gaps.is_empty() {
        let waited = of
            .gaps
            .iter()
            .map(|gap| gap.end_ns.saturating_sub(gap.start_ns).max(0));
        let waited: i64 = waited.fold(0, i64::saturating_add);
        subtitle += &format!(
            "; hatched: {} of waiting",
            number::nanos_inline(waited as f64)
        );
    }
    if rows.left_out > 0 {
        subtitle += &format!(
            "; the shortest {} are left out",
            counted(rows.left_out as u64, "span")
        );
    }
    if of.annotations.len() > MAX_ANNOTATIONS {
        let more = of.annotations.len() - MAX_ANNOTATIONS;
        subtitle += &format!("; {more} more annotations");
    }
    Head { title, subtitle }
}

fn draw(canvas: &mut Canvas<'_>, plot: Rect, of: &Waterfall, rows: &Rows<'_>) {
    let x = Axis::linear(
        0.0,
        rows.duration().max(1) as f64,
        Run::Along(plot.width()),
        |value| Unit::Ns.tick(value),
    );
    let y = Axis::linear(0.0, 1.0, Run::Up(0.0), |_| String::new());
    let frame = Frame { plot, x: &x, y: &y };
    let at = |ns: i64| frame.x(ns.saturating_sub(rows.start) as f64);
    for mark in &x.marks {
        let x = plot.left + mark.place * plot.width();
        canvas.line(&[(x, plot.top), (x, plot.bottom)], Ink::Grid, 1.0);
    }
    for gap in of.gaps.iter().take(MAX_GAPS) {
        let (left, right) = (at(gap.start_ns), at(gap.end_ns));
        let rect = Rect {
            left,
            right: right.max(left + 1.0),
            top: plot.top - WAITING,
            bottom: plot.bottom,
        };
        canvas.rect(rect, Ink::Gap, 0.25);
        let strip = Rect {
            bottom: plot.top,
            ..rect
        };
        canvas.hatched(strip, Ink::Gap);
        let ns = number::nanos_inline(gap.end_ns.saturating_sub(gap.start_ns) as f64);
        canvas.hover(rect, format!("{}: {ns} of waiting", gap.name));
    }
    let mut top = plot.top;
    for (thread, spans) in &rows.threads {
        let name = fitted(thread, SMALL, 300.0);
        canvas.bold(
            (plot.left + 2.0, top + THREAD / 2.0 + 1.0),
            &name,
            SMALL,
            Ink::Muted,
        );
        top += THREAD;
        for span in spans {
            let number = rows.events.iter().position(|event| *event == span.event);
            let rect = Rect {
                left: at(span.start_ns),
                right: at(span.end_ns.max(span.start_ns)).max(at(span.start_ns) + 2.0),
                top: top + (ROW - BAR) / 2.0,
                bottom: top + (ROW + BAR) / 2.0,
            };
            bar(canvas, plot, rect, span, Ink::Series(number.unwrap_or(0)));
            top += ROW;
        }
    }
    frame.x_axis(canvas, "since the start of the trace");
}

/// A span's bar, and what it is: right of it, or left where there is more room.
fn bar(canvas: &mut Canvas<'_>, plot: Rect, rect: Rect, span: &TraceSpan, ink: Ink) {
    let failed = span.ended.is_some();
    canvas.rect(rect, ink, 1.0);
    let ns = number::nanos_inline(length(span) as f64);
    let ended = span
        .ended
        .as_deref()
        .map(|how| format!(", {how}"))
        .unwrap_or_default();
    canvas.hover(
        rect,
        format!("{}: {ns}{ended}\non {}", span.event, span.thread),
    );
    if failed {
        let mark = Rect {
            left: rect.right - 3.0_f64.min(rect.width()),
            ..rect
        };
        canvas.rect(mark, Ink::Alarm, 1.0);
    }
    let middle = (rect.top + rect.bottom) / 2.0;
    let edge = SIZE.0 - 8.0;
    let (before, behind) = (rect.left - plot.left - 6.0, edge - rect.right - 6.0);
    let ended = fitted(&ended, LABEL, 80.0);
    let wanted = format!("{}  {ns}{ended}", fitted(&span.event, LABEL, 240.0));
    let text_width = width(&wanted, LABEL);
    let (left, right, anchor) = if text_width <= behind || behind >= before {
        let text_width = text_width.min(behind);
        (
            rect.right + 6.0,
            rect.right + 6.0 + text_width,
            Anchor::Left,
        )
    } else {
        let text_width = text_width.min(before);
        (rect.left - 6.0 - text_width, rect.left - 6.0, Anchor::Right)
    };
    let text = fitted(&wanted, LABEL, right - left);
    let x = if anchor == Anchor::Left { left } else { right };
    let ink = if failed { Ink::Alarm } else { Ink::Text };
    canvas.text((x, middle), &text, LABEL, ink, anchor);
}
