//! Bar charts: what a span costs, and how long an answer takes.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::raw::{Raw, Task};
use super::subject::OURS;
use super::table::measured;
use super::wins::PRODUCT;

/// One bar: its name, its length, what stands behind it, and whether it is ours.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) label: String,
    pub(crate) is_ours: bool,
}

const WIDTH: u32 = 960;
const NAMES: i32 = 250;
const HEAD: i32 = 70;
const STEP: i32 = 30;
const OURS_COLOUR: RGBColor = RGBColor(0, 114, 178);
const THEIR_COLOUR: RGBColor = RGBColor(150, 155, 160);
const TEXT: RGBColor = RGBColor(40, 40, 40);

/// What a span costs on one thread against two bare clock reads, by subject.
pub(crate) fn recording(raw: &Raw) -> Vec<Bar> {
    measured(raw)
        .filter_map(|(subject, figures)| {
            let value = figures.ratio(1)?;
            Some(Bar {
                name: subject.title.to_owned(),
                value,
                label: format!("{value:.2} ×"),
                is_ours: subject.name == OURS,
            })
        })
        .collect()
}

/// How long each answer took, of the largest capture of which all was asked, on the most threads.
pub(crate) fn analysis(raw: &Raw) -> Vec<Bar> {
    let of = |task: &Task| (task.spans, task.threads);
    let tasks = |at| raw.analysis.iter().filter(move |task| of(task) == at);
    // Of the largest captures not everything is asked.
    let most = raw
        .analysis
        .iter()
        .map(of)
        .max_by_key(|&at| (tasks(at).count(), at));
    raw.analysis
        .iter()
        .filter(|task| Some(of(task)) == most)
        .filter_map(|task| {
            let value = task.seconds()?;
            Some(Bar {
                name: format!("{}, {}", task.question, task.program),
                value,
                label: perf_render::number::nanos_inline(value * 1e9),
                is_ours: task.program == PRODUCT,
            })
        })
        .collect()
}

/// How long our answers take by the size of the capture: a line a question, both axes logarithmic.
pub(crate) fn scaling(raw: &Raw) -> Vec<(String, Vec<(f64, f64)>)> {
    let most = raw.analysis.iter().map(|task| task.threads).max();
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for task in raw
        .analysis
        .iter()
        .filter(|task| Some(task.threads) == most)
    {
        let Some(seconds) = task.seconds() else {
            continue;
        };
        let name = format!("{}, {}", task.question, task.program);
        let point = (task.spans as f64, seconds);
        match lines.iter_mut().find(|line| line.0 == name) {
            Some(line) => line.1.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    lines.retain(|line| line.1.len() > 1);
    lines
}

/// Bars on a logarithmic axis, as SVG.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn bars(title: &str, below: &str, bars: &[Bar]) -> Result<String> {
    let height = HEAD + STEP * bars.len() as i32 + 20;
    let mut svg = String::new();
    let least = bars
        .iter()
        .map(|bar| bar.value)
        .fold(f64::INFINITY, f64::min);
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    // From a power of ten below the least, so that the shortest bar can be seen.
    let from = 10_f64.powf((least * 0.6).log10().floor());
    let room = f64::from(WIDTH as i32 - NAMES - 100);
    let place = |value: f64| NAMES + ((value / from).ln() / (most / from).ln() * room) as i32;
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height as u32)).into_drawing_area();
        let failed = |error| anyhow!("cannot draw: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let style = |size: i32, anchor: HPos| {
            ("sans-serif", size)
                .into_font()
                .color(&TEXT)
                .pos(Pos::new(anchor, VPos::Center))
        };
        area.draw_text(title, &style(20, HPos::Left), (16, 22))
            .map_err(failed)?;
        area.draw_text(below, &style(13, HPos::Left), (16, 46))
            .map_err(failed)?;
        for (number, bar) in bars.iter().enumerate() {
            let top = HEAD + STEP * number as i32;
            let colour = if bar.is_ours {
                OURS_COLOUR
            } else {
                THEIR_COLOUR
            };
            let corners = [(NAMES, top), (place(bar.value), top + STEP - 8)];
            area.draw(&Rectangle::new(corners, colour.filled()))
                .map_err(failed)?;
            let middle = top + (STEP - 8) / 2;
            area.draw_text(&bar.name, &style(14, HPos::Right), (NAMES - 10, middle))
                .map_err(failed)?;
            let end = (place(bar.value) + 8, middle);
            area.draw_text(&bar.label, &style(14, HPos::Left), end)
                .map_err(failed)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

/// A label only where there is room for one: at a million, ten million and so on.
fn power_of_ten(value: f64) -> String {
    if (value.log10() - value.log10().round()).abs() < 1e-9 {
        format!("{} million", perf_render::number::number(value / 1e6))
    } else {
        String::new()
    }
}

/// Lines on two logarithmic axes, as SVG.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn lines(title: &str, lines: &[(String, Vec<(f64, f64)>)]) -> Result<String> {
    let mut svg = String::new();
    let points = || lines.iter().flat_map(|line| line.1.iter().copied());
    let spread = |values: Vec<f64>| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        least / 1.5..values.into_iter().fold(0.0, f64::max) * 1.5
    };
    let (x, y) = (
        spread(points().map(|point| point.0).collect()),
        spread(points().map(|point| point.1).collect()),
    );
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 600)).into_drawing_area();
        let failed = |error| anyhow!("cannot draw: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .margin_right(250)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x.log_scale(), y.log_scale())
            .map_err(|error| anyhow!("cannot draw: {error}"))?;
        chart
            .configure_mesh()
            .x_desc("spans in the capture")
            .y_desc("time, s")
            .light_line_style(TRANSPARENT)
            .x_labels(12)
            .x_label_formatter(&|value| power_of_ten(*value))
            .y_label_formatter(&|value| perf_render::number::number(*value))
            .draw()
            .map_err(|error| anyhow!("cannot draw: {error}"))?;
        // Labels stand where lines end, moved apart where they would cover each other.
        let mut ends: Vec<(i32, i32, &str, RGBColor)> = Vec::new();
        for (number, (name, points)) in lines.iter().enumerate() {
            let is_ours = name.ends_with(PRODUCT);
            let shade = (number * 37 % 90) as u8;
            let colour = if is_ours {
                RGBColor(0, 80 + shade, 150 + shade)
            } else {
                RGBColor(90 + shade / 2, 90 + shade / 2, 90 + shade / 2)
            };
            let line = PathElement::new(points.clone(), colour.stroke_width(2));
            chart
                .draw_series([line])
                .map_err(|error| anyhow!("cannot draw: {error}"))?;
            if let Some(&end) = points.last() {
                let (x, y) = chart.backend_coord(&end);
                ends.push((x, y, name, colour));
            }
        }
        ends.sort_by_key(|end| end.1);
        let mut free = 0;
        for (x, y, name, colour) in ends {
            let y = y.max(free);
            free = y + 15;
            let style = ("sans-serif", 12)
                .into_font()
                .color(&colour)
                .pos(Pos::new(HPos::Left, VPos::Center));
            let (width, height) = area.estimate_text_size(name, &style).map_err(failed)?;
            let (width, height) = (width as i32, height as i32);
            // Lines that go on further do not cross it.
            let behind = [
                (x + 8, y - height / 2),
                (x + 12 + width, y + height / 2 + 1),
            ];
            let behind = Rectangle::new(behind, WHITE.filled());
            area.draw(&behind).map_err(failed)?;
            area.draw_text(name, &style, (x + 10, y)).map_err(failed)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(svg)
}
