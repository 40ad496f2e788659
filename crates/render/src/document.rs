//! What a report is made of, whatever form it takes in the end.

use crate::table::Table;

/// A report: blocks from top to bottom.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The blocks, in reading order.
    pub blocks: Vec<Block>,
}

/// One block of a [`Document`].
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A title of what follows.
    Heading(String),
    /// Running text, wrapped to the width of the page.
    Paragraph(String),
    /// Labels with their values.
    Facts(Vec<Fact>),
    /// Rows of typed cells.
    Table(Table),
    /// Something that the reader must know, and what to do about it.
    Note(Note),
}

/// A label with its value, such as `lost` and `nothing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What the value is, in a word or two.
    pub label: String,
    /// The value, as a reader would say it.
    pub value: String,
    /// How much it should draw the eye.
    pub tone: Tone,
}

/// A warning or an error within a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// [`Tone::Caution`] for a warning, [`Tone::Bad`] for an error, [`Tone::Dim`] for an aside.
    pub tone: Tone,
    /// What is the matter, in one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How much something should draw the eye. A terminal shows it as colour; no meaning hangs on it alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    #[default]
    Plain,
    /// Titles.
    Strong,
    /// Labels and asides.
    Dim,
    /// All is well.
    Good,
    /// Worth a look.
    Caution,
    /// Wrong.
    Bad,
}

impl Document {
    /// An empty document.
    pub fn new() -> Document {
        Document::default()
    }

    /// Adds a title.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    /// Adds running text.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Adds labels with their values.
    pub fn facts(&mut self, facts: Vec<Fact>) {
        self.blocks.push(Block::Facts(facts));
    }

    /// Adds a table, unless it has no rows.
    pub fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
    }

    /// Adds a note.
    pub fn note(&mut self, note: Note) {
        self.blocks.push(Block::Note(note));
    }
}

impl Fact {
    /// A fact in ordinary text.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact {
            label: label.into(),
            value: value.into(),
            tone: Tone::Plain,
        }
    }

    /// The same fact in another tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Fact {
        self.tone = tone;
        self
    }
}
