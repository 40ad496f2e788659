//! A comparison as one page.

use maud::html;

use super::blocks::{self, Fold};
use super::words::{Words, class, command};
use super::{Part, Sheet, budget, pictures};
use crate::document::{Document, Note, Tone};
use crate::plot::Picture;

/// A comparison as one page. Parts that are empty are not shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The verdict in one line.
    pub verdict: String,
    /// The same in a word or two.
    pub word: String,
    /// Whether that is good or bad news.
    pub tone: Tone,
    /// What made the page, such as `perf-analyze 0.1.0`.
    pub maker: String,
    /// What was compared, and how.
    pub sides: Document,
    /// What the reader must know.
    pub notes: Vec<Note>,
    /// Figures that count.
    pub gated: Document,
    /// Which stages, queues and outcomes moved.
    pub moved: Document,
    /// Pictures, the most telling first; [`MAX_PLOTS`](super::MAX_PLOTS) are shown.
    pub plots: Vec<Picture>,
    /// All other figures.
    pub others: Document,
    /// The command that gives the same again.
    pub again: String,
    /// The command that shows all rows and draws all pictures.
    pub whole: String,
}

/// `of` as a whole HTML file.
pub fn comparison(of: &Comparison) -> String {
    let part = |id, title, document: &Document, bytes| {
        let body = blocks::document(document, bytes, Fold::Open, &of.whole);
        (!document.blocks.is_empty()).then_some(Part {
            id,
            title,
            filtered: true,
            body,
        })
    };
    let plots = (!of.plots.is_empty()).then(|| Part {
        id: "plots",
        title: "Curves and shifts",
        filtered: false,
        body: pictures::figures(&of.plots, &[], &of.whole),
    });
    let parts = [
        part("gated", "What counts", &of.gated, budget::EVENTS),
        part("moved", "What moved", &of.moved, budget::FLOWS),
        plots,
        part("others", "All other figures", &of.others, budget::OVER_TIME),
    ];
    Sheet {
        title: &of.verdict,
        kind: "latency comparison",
        maker: &of.maker,
        styles: pictures::styles(of.plots.iter()),
        top: html! {
            div.top {
                section #sides.card {
                    h2 { "What was compared " span.badge.(class(of.tone).unwrap_or("dim")) { (Words(&of.word)) } }
                    (blocks::document(&of.sides, budget::INTEGRITY, Fold::Open, &of.whole))
                    p { "The same again: " (command(&of.again)) }
                }
            }
        },
        notes: &of.notes,
        parts: parts.into_iter().flatten().collect(),
    }
    .html()
}
