//! A report, or a comparison, as one HTML page that needs nothing else: no network, no other file.
//!
//! The page's own policy allows inline styles and the one script of this crate, by its hash; everything else, were it ever
//! smuggled in, is refused by the browser. The page is plain markup that can be read, printed and searched without the
//! script; the script adds sorting, filtering, values of plots and a switch of the theme.
//!
//! Each part has its share of bytes, so that the page stays below [`MAX_PAGE_BYTES`] whatever the capture. What is cut off
//! is said, with the command that shows all of it.

mod blocks;
mod comparison;
mod page;
mod pictures;
mod summary;
mod table;
mod words;

use maud::{DOCTYPE, Markup, html};

pub use comparison::{Comparison, comparison};
pub use page::{
    Commands, Episode, Episodes, Page, RuleVerdict, SlowestFlow, TailOwner, Verdict, Waterfall,
};

use crate::document::Note;
use blocks::Fold;
use words::{Words, raw};

/// No page is larger.
pub const MAX_PAGE_BYTES: usize = 5_000_000;
/// Waterfalls on one page, at most.
pub const MAX_WATERFALLS: usize = 20;
/// Plots on one page, at most.
pub const MAX_PLOTS: usize = 16;
/// Episodes on one page, at most.
pub const MAX_EPISODES: usize = 200;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The SHA-256 of [`SCRIPT`] in Base64, by which the page's policy knows it. A test says what it must be.
const SCRIPT_HASH: &str = "AjKvi+aIM+zZ84N2V9JEdmkS+fC+jbLeXRTAm7lI6NQ=";

/// Bytes of the parts of a page.
mod budget {
    pub(super) const INTEGRITY: usize = 200_000;
    pub(super) const SUMMARY: usize = 300_000;
    pub(super) const NOTES: usize = 150_000;
    pub(super) const EVENTS: usize = 600_000;
    pub(super) const OVER_TIME: usize = 600_000;
    pub(super) const FLOWS: usize = 300_000;
    pub(super) const EPISODES: usize = 300_000;
    pub(super) const WATERFALLS: usize = 600_000;
    pub(super) const PLOTS: usize = 1_500_000;
    pub(super) const STYLES: usize = 20_000;
    /// Head, styles, script, marks on a plot, and what is said of what was cut off.
    const FRAME: usize = 350_000;
    const _: () = assert!(
        INTEGRITY
            + SUMMARY
            + NOTES
            + EVENTS
            + OVER_TIME
            + FLOWS
            + EPISODES
            + WATERFALLS
            + PLOTS
            + STYLES
            + FRAME
            <= super::MAX_PAGE_BYTES
    );
}

/// `page` as a whole HTML file.
pub fn html(page: &Page) -> String {
    let of_waterfalls = page.waterfalls.iter().map(|waterfall| &waterfall.picture);
    let pictures = page.plots.iter().chain(of_waterfalls);
    Sheet {
        title: &page.title,
        kind: "latency report",
        maker: &page.maker,
        styles: pictures::styles(pictures),
        top: html! {
            div class=(if page.rules.is_empty() && page.slowest.is_none() { "top" } else { "top two" }) {
                (summary::summary(page))
                section #integrity.card {
                    h2 { "How far to trust it" }
                    (blocks::document(&page.integrity, budget::INTEGRITY, Fold::Open, &page.commands.events))
                }
            }
        },
        notes: &page.notes,
        parts: parts(page),
    }
    .html()
}

/// A page in the making.
struct Sheet<'a> {
    title: &'a str,
    kind: &'a str,
    maker: &'a str,
    /// The rules of its pictures.
    styles: String,
    top: Markup,
    notes: &'a [Note],
    parts: Vec<Part>,
}

impl Sheet<'_> {
    fn html(&self) -> String {
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{SCRIPT_HASH}'; style-src 'unsafe-inline'; img-src data:; \
             base-uri 'none'; form-action 'none'"
        );
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    title { (Words(self.title)) " – " (self.kind) }
                    style { (raw(STYLE)) (raw(&self.styles)) }
                }
                body {
                    header {
                        nav aria-label="Parts of the report" {
                            a href="#top" { "Summary" }
                            @for part in &self.parts { a href={ "#" (part.id) } { (part.title) } }
                        }
                    }
                    main #top {
                        h1 { (Words(self.title)) }
                        p.maker { (Words(self.maker)) }
                        (self.top)
                        @if !self.notes.is_empty() {
                            section #notes aria-label="Warnings" { (blocks::notes(self.notes, budget::NOTES)) }
                        }
                        @for part in &self.parts {
                            section id=(part.id) class=[part.filtered.then_some("filtered")] { h2 { (part.title) } (part.body) }
                        }
                    }
                    footer { p { (Words(self.maker)) } }
                    script { (raw(SCRIPT)) }
                }
            }
        };
        markup.into_string()
    }
}

/// A part of the page below its summary.
struct Part {
    id: &'static str,
    title: &'static str,
    /// Whether its rows can be filtered.
    filtered: bool,
    body: Markup,
}

/// The parts that have something to show, in reading order.
fn parts(page: &Page) -> Vec<Part> {
    let commands = &page.commands;
    let mut parts = Vec::new();
    let mut add = |shown: bool, id, title, filtered, body: &dyn Fn() -> Markup| {
        if shown {
            parts.push(Part {
                id,
                title,
                filtered,
                body: body(),
            });
        }
    };
    add(
        !page.events.blocks.is_empty(),
        "events",
        "Events",
        true,
        &|| blocks::document(&page.events, budget::EVENTS, Fold::Open, &commands.events),
    );
    add(
        !page.flows.blocks.is_empty(),
        "flows",
        "Flows",
        true,
        &|| blocks::document(&page.flows, budget::FLOWS, Fold::Open, &commands.traces),
    );
    add(
        !page.waterfalls.is_empty(),
        "waterfalls",
        "Slowest traces",
        false,
        &|| pictures::waterfalls(page),
    );
    add(!page.plots.is_empty(), "plots", "Plots", false, &|| {
        pictures::plots(page)
    });
    add(
        !page.episodes.rows.is_empty(),
        "episodes",
        "Episodes",
        true,
        &|| pictures::episodes(page),
    );
    add(
        !page.over_time.blocks.is_empty(),
        "over-time",
        "Over time",
        true,
        &|| {
            blocks::document(
                &page.over_time,
                budget::OVER_TIME,
                Fold::Folded,
                &commands.events,
            )
        },
    );
    parts
}

#[cfg(test)]
mod tests;
