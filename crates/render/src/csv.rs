//! A table as CSV, for spreadsheets and scripts.

use crate::escape::visible;
use crate::table::{Cell, Table};

/// `table` as CSV (RFC 4180, lines ended by a newline): the columns' keys, then bare numbers, absent ones empty.
///
/// Names are whole but visible: control characters come out as escapes. A text that a spreadsheet would take for
/// a formula is led by an apostrophe.
pub fn csv(table: &Table) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let keys = table.columns.iter().map(|column| column.key.clone());
    let rows = (table.rows.iter()).map(|row| {
        let cells = (0..table.columns.len()).map(|index| field(row.cell(index)));
        cells.collect::<Vec<String>>()
    });
    for record in std::iter::once(keys.collect()).chain(rows) {
        (writer.write_record(record))
            .expect("every record has one field a column, and a vector takes them all");
    }
    let bytes = writer.into_inner().expect("a vector takes every byte");
    String::from_utf8(bytes).expect("fields are UTF-8 and so is what quotes them")
}

fn field(cell: &Cell) -> String {
    let raw = cell.raw();
    match cell {
        Cell::Text(_) | Cell::Name(_) => {
            let shown = visible(&raw);
            if shown.starts_with(['=', '+', '-', '@']) {
                format!("'{shown}")
            } else {
                shown.into_owned()
            }
        }
        _ => raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Row};

    #[test]
    fn cells_are_bare_and_hostile_text_is_tame() {
        let table = Table {
            columns: ["event", "count", "p50_ns", "sum"]
                .map(|key| Column::new("title", key))
                .into(),
            rows: vec![
                Row::new(vec![
                    Cell::name("a,\"b\"\nc\u{1b}"),
                    Cell::Count(1_000_000),
                    Cell::Nanos(1234.0),
                    Cell::Integer(-5),
                ]),
                Row::new(vec![Cell::name("=cmd|'/C calc'!A0"), Cell::Count(1)]),
            ],
        };
        assert_eq!(
            csv(&table),
            "event,count,p50_ns,sum\n\
             \"a,\"\"b\"\"\\nc\\u{1b}\",1000000,1234,-5\n\
             '=cmd|'/C calc'!A0,1,,\n"
        );
    }
}
