//! The page of `calibrate`: how much each figure differs from run to run.

use perf_analysis::diff::{FigureNoise, Noise};
use perf_render::number::nanos_inline;
use perf_render::{Cell, Column, Document, Fact, Name, Row, Table};

/// What was learnt.
pub(crate) fn noise(noise: &Noise) -> Document {
    let mut document = Document::new();
    let hosts: Vec<&str> = noise.hosts.iter().map(String::as_str).collect();
    document.facts(vec![
        Fact::new(
            "runs",
            format!(
                "{} of {}",
                noise.runs,
                nanos_inline(noise.duration_ns as f64)
            ),
        ),
        Fact::new("host", hosts.join(", ")),
    ]);
    let mut before: Option<&str> = None;
    let rows = noise.figures.iter().map(|figure| {
        let name = Name {
            text: figure.name.clone(),
            mark: None,
            repeated: before == Some(figure.name.as_str()),
        };
        before = Some(&figure.name);
        Row::new(vec![
            Cell::Name(name),
            Cell::Text(figure.measure.clone()),
            Cell::Count(figure.runs),
            Cell::Share(figure.deviation),
            Cell::Share(of_length(figure)),
        ])
    });
    document.table(Table {
        rows: rows.collect(),
        columns: vec![
            Column::new("noise", "name"),
            Column::new("figure", "figure"),
            Column::new("runs", "runs"),
            Column::new("from run to run", "deviation"),
            Column::new("of it by length", "within"),
        ],
    });
    document
}

/// The deviation that the length of a run alone explains.
fn of_length(figure: &FigureNoise) -> f64 {
    figure.within_variance.sqrt().min(figure.deviation)
}
