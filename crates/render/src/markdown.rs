//! A document as GitHub-flavoured Markdown, for pull requests and wikis.

use crate::document::{Block, Document, Tone};
use crate::escape::{bounded, visible};
use crate::table::{Cell, Keep, Name, Table};

/// `document` as Markdown, with every column of every table if `wide`. Names stand in code spans, in which no markup
/// of theirs takes effect.
pub fn markdown(document: &Document, wide: bool) -> String {
    let mut out = String::new();
    let mut before: Option<&Block> = None;
    for block in &document.blocks {
        let in_list = matches!((before, block), (Some(Block::Note(_)), Block::Note(_)));
        if before.is_some() && !in_list {
            out.push('\n');
        }
        match block {
            Block::Heading(title) => out.push_str(&format!("## {}\n", plain(title))),
            Block::Paragraph(words) => out.push_str(&format!("{}\n", plain(words))),
            Block::Facts(facts) => {
                for fact in facts {
                    let (label, value) = (plain(&fact.label), plain(&fact.value));
                    out.push_str(&format!("- **{label}:** {value}\n"));
                }
            }
            Block::Table(table) => push_table(&mut out, table, wide),
            Block::Note(note) => {
                let kind = match note.tone {
                    Tone::Bad => "Error",
                    Tone::Caution => "Warning",
                    _ => "Note",
                };
                out.push_str(&format!("- **{kind}:** {}", plain(&note.message)));
                if let Some(remedy) = &note.remedy {
                    out.push_str(&format!(" *{}*", plain(remedy)));
                }
                out.push('\n');
            }
        }
        before = Some(block);
    }
    out
}

fn push_table(out: &mut String, table: &Table, wide: bool) {
    let shown: Vec<usize> = (0..table.columns.len())
        .filter(|index| wide || table.columns[*index].keep != Keep::IfWide)
        .collect();
    let rule = |index: usize| match table.rows.iter().any(|row| row.cell(index).is_numeric()) {
        true => "--:".to_owned(),
        false => "---".to_owned(),
    };
    let mut line = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = shown.iter().map(|index| cell(*index)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    };
    line(&|index| plain(&table.columns[index].title));
    line(&rule);
    for row in &table.rows {
        line(&|index| cell(row.cell(index)));
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Name(Name { text, mark, .. }) => match mark {
            Some(mark) => format!("{} **{}**", code(text), plain(mark)),
            None => code(text),
        },
        Cell::Sparkline(_) => cell.shown().trim_end().to_owned(),
        _ => plain(cell.shown().trim_end()),
    }
}

/// `name` as a code span that also holds within a table.
fn code(name: &str) -> String {
    let name = bounded(name).replace('|', r"\|");
    let longest_run = name.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest_run + 1);
    let name = name.trim();
    match longest_run {
        _ if name.is_empty() => "` `".to_owned(),
        0 => format!("{fence}{name}{fence}"),
        _ => format!("{fence} {name} {fence}"),
    }
}

/// `words` with everything that Markdown or HTML would act on made literal.
fn plain(words: &str) -> String {
    let words = visible(words);
    let mut out = String::with_capacity(words.len() + 8);
    for (place, c) in words.char_indices() {
        let acts_at_start = place == 0 && matches!(c, '-' | '+' | '=' | ':');
        if acts_at_start
            || matches!(
                c,
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!'
            )
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Fact, Note};
    use crate::table::{Column, Row};

    #[test]
    fn blocks_become_markdown() {
        let mut document = Document::new();
        document.heading("trading.bin");
        document.facts(vec![Fact::new("lost", "nothing")]);
        document.table(Table {
            columns: vec![
                Column::new("spans", "event"),
                Column::new("count", "count"),
                Column::new("p50", "p50_ns"),
            ],
            rows: vec![
                Row::new(vec![
                    Cell::name("ORDER"),
                    Cell::Count(1234),
                    Cell::Nanos(1.5e9),
                ]),
                Row::new(vec![
                    Cell::Name(Name {
                        text: "ORDER".into(),
                        mark: Some("error".into()),
                        repeated: true,
                    }),
                    Cell::Count(1),
                ]),
            ],
        });
        document.note(Note {
            tone: Tone::Caution,
            message: "3 records lost".into(),
            remedy: Some("Give the rings more room.".into()),
        });
        assert_eq!(
            markdown(&document, false),
            "## trading.bin\n\
             \n\
             - **lost:** nothing\n\
             \n\
             | spans | count | p50 |\n\
             | --- | --: | --: |\n\
             | `ORDER` | 1,234 | 1.50 s |\n\
             | `ORDER` **error** | 1 | n/a |\n\
             \n\
             - **Warning:** 3 records lost *Give the rings more room.*\n"
        );
    }

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(
            code("<script>alert(1)</script>"),
            "`<script>alert(1)</script>`"
        );
        assert_eq!(code("a|b"), r"`a\|b`");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("x\n| forged | row |"), r"`x\n\| forged \| row \|`");
        assert_eq!(code(""), "` `");
        assert_eq!(
            plain("<img src=x> **b** [l](u)"),
            r"\<img src=x\> \*\*b\*\* \[l\](u)"
        );
        assert_eq!(plain("- item\n# title"), r"\- item\\n\# title");
    }
}
