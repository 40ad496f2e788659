//! Plots, waterfalls, and the episodes that are marked on the plot over time.

use maud::{Markup, PreEscaped, Render, html};

use super::page::{Episode, Episodes, Page};
use super::table;
use super::words::{Words, command};
use super::{MAX_EPISODES, MAX_PLOTS, MAX_WATERFALLS, budget};
use crate::number::count;
use crate::plot::{Picture, TimeFrame};
use crate::table::Column;

/// Marks are drawn in these units, whatever the size of the picture below them.
const UNITS: f64 = 10_000.0;
/// The least width of a mark in [`UNITS`], so that an instant shows too.
const LEAST_MARK: f64 = 15.0;

/// The pictures, as many as there is room for.
pub(super) fn plots(page: &Page) -> Markup {
    let episodes = &page.episodes.rows[..page.episodes.rows.len().min(MAX_EPISODES)];
    figures(&page.plots, episodes, &page.commands.plots)
}

/// Pictures, with marks on the first in which time runs from left to right. What has no room is said with the `whole` command.
pub(super) fn figures(plots: &[Picture], episodes: &[Episode], whole: &str) -> Markup {
    let mut marked = false;
    let mut out = String::new();
    let mut left_out = 0;
    for (number, plot) in plots.iter().enumerate() {
        let frame = plot.time.filter(|_| !marked && !episodes.is_empty());
        let markup = figure(plot, frame, episodes);
        if number >= MAX_PLOTS || out.len() + markup.0.len() > budget::PLOTS {
            left_out += 1;
            continue;
        }
        marked |= frame.is_some();
        markup.render_to(&mut out);
    }
    html! {
        div.plots { (PreEscaped(out)) }
        @if left_out > 0 {
            p.cut { (count(left_out)) " more plots have no room on this page. All of them: " (command(whole)) }
        }
    }
}

/// The rules of all pictures, each once: they bear the same ones, and may bear many.
pub(super) fn styles<'p>(pictures: impl Iterator<Item = &'p Picture>) -> String {
    let mut styles: Vec<&str> = Vec::new();
    for picture in pictures {
        let (_, style, _) = parted(&picture.svg);
        let size: usize = styles.iter().map(|style| style.len()).sum();
        if !styles.contains(&style) && size + style.len() <= budget::STYLES {
            styles.push(style);
        }
    }
    styles.concat()
}

/// A picture without its rules.
fn shapes(picture: &Picture) -> Markup {
    let (before, _, after) = parted(&picture.svg);
    html! { (PreEscaped(before)) (PreEscaped(after)) }
}

/// What stands before the first `<style>`, within it, and behind it.
fn parted(svg: &str) -> (&str, &str, &str) {
    let parts = svg.split_once("<style>").and_then(|(before, rest)| {
        let (style, after) = rest.split_once("</style>")?;
        Some((before, style, after))
    });
    parts.unwrap_or((svg, "", ""))
}

fn figure(plot: &Picture, frame: Option<TimeFrame>, episodes: &[Episode]) -> Markup {
    html! {
        figure {
            div.scroll {
                div.picture role="group" aria-label=(Words(&plot.title)) {
                    (shapes(plot))
                    @if let Some(frame) = frame { (marks(&frame, episodes)) }
                }
            }
        }
    }
}

/// A mark for each episode: a strip below the plot that leads to its row, and a band that shows when it is led to.
fn marks(frame: &TimeFrame, episodes: &[Episode]) -> Markup {
    let span = (frame.to_unix_ns as f64 - frame.from_unix_ns as f64).max(1.0);
    let x = |ns: i64| {
        let along = (ns as f64 - frame.from_unix_ns as f64) / span;
        (frame.left + along.clamp(0.0, 1.0) * (frame.right - frame.left)) * UNITS
    };
    let (top, height) = (frame.top * UNITS, (frame.bottom - frame.top) * UNITS);
    let strip = height / 60.0;
    // The long ones first, so that the short ones can be pointed at.
    let mut numbered: Vec<(usize, &Episode)> = episodes.iter().enumerate().collect();
    numbered.sort_by_key(|(_, episode)| {
        std::cmp::Reverse(episode.to_unix_ns.saturating_sub(episode.from_unix_ns))
    });
    html! {
        svg.marks viewBox={ "0 0 " (UNITS) " " (UNITS) } preserveAspectRatio="none" {
            @for (number, episode) in numbered {
                @let left = x(episode.from_unix_ns);
                @let width = format!("{:.0}", (x(episode.to_unix_ns) - left).max(LEAST_MARK));
                @let left = format!("{left:.0}");
                // Not for the tabulator key: the table of episodes has the same links.
                a id={ "mark-" (number + 1) } href={ "#episode-" (number + 1) } tabindex="-1" {
                    title { "episode " (number + 1) }
                    rect.band x=(left) y=(format!("{top:.0}")) width=(width) height=(format!("{height:.0}")) {}
                    rect.strip x=(left) y=(format!("{:.0}", top + height)) width=(width) height=(format!("{strip:.0}")) {}
                }
            }
        }
    }
}

/// The table of episodes; their numbers lead to their marks if there is a plot over time.
pub(super) fn episodes(page: &Page) -> Markup {
    let Episodes {
        columns,
        rows,
        left_out,
    } = &page.episodes;
    let linked = page.plots.iter().any(|plot| plot.time.is_some());
    let numeric: Vec<bool> = std::iter::once(true)
        .chain((0..columns.len()).map(|index| {
            rows.iter()
                .any(|row| row.cells.get(index).is_some_and(|cell| cell.is_numeric()))
        }))
        .collect();
    let mut out = String::new();
    let mut shown = 0;
    for row in rows.iter().take(MAX_EPISODES) {
        let before = out.len();
        episode(row, shown + 1, linked, &numeric).render_to(&mut out);
        if out.len() > budget::EPISODES {
            out.truncate(before);
            break;
        }
        shown += 1;
    }
    let more = (rows.len() - shown) as u64 + left_out;
    let head: Vec<Column> = std::iter::once(Column::new("episode", "episode"))
        .chain(columns.iter().cloned())
        .collect();
    html! {
        (table::framed(&head, &numeric, &out, shown))
        @if more > 0 {
            p.cut { (count(more)) " more episodes are left out. All of them: " (command(&page.commands.sla)) }
        }
    }
}

fn episode(of: &Episode, number: usize, linked: bool, numeric: &[bool]) -> Markup {
    html! {
        tr id={ "episode-" (number) } {
            th.n scope="row" data-v=(number) {
                @if linked { a href={ "#mark-" (number) } { (number) } } @else { (number) }
            }
            @for (index, numeric) in numeric.iter().skip(1).enumerate() {
                (table::cell(of.cells.get(index).unwrap_or(&crate::table::Cell::Absent), false, *numeric))
            }
        }
    }
}

/// Traces, folded, the slowest first.
pub(super) fn waterfalls(page: &Page) -> Markup {
    let mut shown = 0;
    let mut out = String::new();
    for waterfall in page.waterfalls.iter().take(MAX_WATERFALLS) {
        let markup = html! {
            details.fold.waterfall {
                summary { (Words(&waterfall.title)) }
                div.scroll { div.picture role="group" aria-label=(Words(&waterfall.title)) { (shapes(&waterfall.picture)) } }
            }
        };
        if out.len() + markup.0.len() > budget::WATERFALLS {
            break;
        }
        shown += 1;
        markup.render_to(&mut out);
    }
    let left_out = (page.waterfalls.len() - shown) as u64;
    html! {
        (PreEscaped(out))
        p.cut {
            @if left_out > 0 { (count(left_out)) " more have no room on this page. " }
            "All of them: " (command(&page.commands.traces))
        }
    }
}
