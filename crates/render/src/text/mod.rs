//! A document as text, for a terminal or a pipe.

use unicode_width::UnicodeWidthStr;

use crate::document::{Block, Document, Fact, Note, Tone};
use crate::escape::visible;
use crate::table::Table;

mod columns;

/// Running text is no wider than this, however wide the terminal: longer lines are hard to read.
const MAX_PROSE_COLUMNS: usize = 100;
/// Below this, lines break where they must rather than where words end.
const MIN_PROSE_COLUMNS: usize = 20;
/// What a figure is not parted from at the end of a line.
const UNITS: [&str; 11] = [
    "ns", "µs", "ms", "s", "B", "kB", "MB", "GB", "TB", "%", "UTC",
];
/// Stands for a blank that no line ends at, until lines are made.
const GLUE: char = '\u{a0}';

/// How text is to be set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// The width to fit, in columns. Without one (a pipe, a file) tables are as wide as they need to be.
    pub width: Option<usize>,
    /// Whether to colour with ANSI escapes.
    pub colour: bool,
    /// Every column of every table, whether or not it fits.
    pub wide: bool,
}

/// `document` as text. Every line ends in a newline and none in a blank.
///
/// Tables fit the width: names are shortened in the middle first, then columns are left out in the order that
/// they name. A table crate would only do the padding that remains after this, so there is none.
pub fn text(document: &Document, style: TextStyle) -> String {
    let mut page = Page {
        out: String::new(),
        style,
        left_out: Vec::new(),
    };
    let mut before: Option<&Block> = None;
    for block in &document.blocks {
        if !matches!(block, Block::Table(_)) {
            page.left_out();
        }
        page.space_between(before, block);
        match block {
            Block::Heading(title) => {
                page.paint(Tone::Strong, &visible(title));
                page.end_line();
            }
            Block::Paragraph(words) => page.wrapped("", "", words, Tone::Plain),
            Block::Facts(facts) => page.facts(facts),
            Block::Table(table) => page.table(table),
            Block::Note(note) => page.note(note),
        }
        before = Some(block);
    }
    page.left_out();
    page.out
}

/// The text so far.
struct Page {
    out: String,
    style: TextStyle,
    /// Titles of columns that the tables since the last other block had no room for.
    left_out: Vec<String>,
}

impl Page {
    fn prose_columns(&self) -> usize {
        let width = self.style.width.unwrap_or(MAX_PROSE_COLUMNS);
        width.clamp(MIN_PROSE_COLUMNS, MAX_PROSE_COLUMNS)
    }

    /// One blank line between blocks, but none within a heading's block or a list of notes.
    fn space_between(&mut self, before: Option<&Block>, block: &Block) {
        let joined = match (before, block) {
            (None, _) | (Some(Block::Note(_)), Block::Note(_)) => true,
            (Some(Block::Heading(_)), next) => !matches!(next, Block::Heading(_)),
            _ => false,
        };
        if !joined {
            self.out.push('\n');
        }
    }

    fn paint(&mut self, tone: Tone, text: &str) {
        let style = ansi(tone);
        if self.style.colour && tone != Tone::Plain && !text.trim().is_empty() {
            self.out.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.out.push_str(text);
        }
    }

    fn end_line(&mut self) {
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    /// `words` broken into lines, the first behind `first`, the others behind `rest`.
    fn wrapped(&mut self, first: &str, rest: &str, words: &str, tone: Tone) {
        let columns = self.prose_columns().saturating_sub(rest.width()).max(1);
        // Paths and ids hold hyphens: they are not places to break them.
        let options =
            textwrap::Options::new(columns).word_splitter(textwrap::WordSplitter::NoHyphenation);
        let words = glued(&visible(words));
        for (number, line) in textwrap::wrap(&words, options).iter().enumerate() {
            self.out.push_str(if number == 0 { first } else { rest });
            self.paint(tone, &line.replace(GLUE, " "));
            self.end_line();
        }
    }

    fn facts(&mut self, facts: &[Fact]) {
        let labels = facts.iter().map(|fact| visible(&fact.label).width()).max();
        let labels = labels.unwrap_or(0);
        let rest = " ".repeat(2 + labels + 2);
        for fact in facts {
            let label = visible(&fact.label);
            self.out.push_str("  ");
            self.paint(Tone::Dim, &label);
            let gap = " ".repeat(labels - label.width() + 2);
            self.wrapped(&gap, &rest, &fact.value, fact.tone);
        }
    }

    fn note(&mut self, note: &Note) {
        self.paint(note.tone, "!");
        self.wrapped(" ", "  ", &note.message, Tone::Plain);
        if let Some(remedy) = &note.remedy {
            self.paint(Tone::Dim, "  →");
            self.wrapped(" ", "    ", remedy, Tone::Dim);
        }
    }

    fn table(&mut self, table: &Table) {
        let width = self.style.width.filter(|_| !self.style.wide);
        let laid_out = columns::lay_out(table, width, self.style.wide);
        for line in laid_out.lines {
            for (number, cell) in line.cells.iter().enumerate() {
                if number > 0 {
                    self.out.push_str(columns::GAP);
                }
                self.paint(cell.tone, &cell.text);
            }
            self.end_line();
        }
        for title in laid_out.left_out {
            if !self.left_out.contains(&title) {
                self.left_out.push(title);
            }
        }
    }

    /// Says once, behind tables that stand together, which columns some of them lack.
    fn left_out(&mut self) {
        let titles = std::mem::take(&mut self.left_out);
        if !titles.is_empty() {
            let words = format!("no room for {}: --wide shows all", titles.join(", "));
            self.out.push('\n');
            self.wrapped("", "", &words, Tone::Dim);
        }
    }
}

/// `words` with every figure glued to its unit.
pub(crate) fn glued(words: &str) -> String {
    let mut out = String::with_capacity(words.len() + 8);
    for word in words.split(' ') {
        let is_unit = |unit: &str| {
            let rest = word.strip_prefix(unit);
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        let after_figure = out.ends_with(|c: char| c.is_ascii_digit());
        if after_figure && UNITS.iter().any(|unit| is_unit(unit)) {
            out.push(GLUE);
        } else if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn ansi(tone: Tone) -> anstyle::Style {
    use anstyle::AnsiColor::{Green, Red, Yellow};
    let plain = anstyle::Style::new();
    match tone {
        Tone::Plain => plain,
        Tone::Strong => plain.bold(),
        Tone::Dim => plain.dimmed(),
        Tone::Good => plain.fg_color(Some(Green.into())),
        Tone::Caution => plain.fg_color(Some(Yellow.into())),
        Tone::Bad => plain.fg_color(Some(Red.into())),
    }
}

#[cfg(test)]
mod tests;
