//! Columns as Parquet column chunks, written here: what an export has most of.
//!
//! The writer of Arrow's crate takes any column of any type, and looks at each value many times over. The columns of spans
//! are of three kinds only: names, which come as numbers into a dictionary; ids, of which few differ; and integers without
//! gaps. So each is written in one pass over its pages, straight from the rows as they were gathered, in the order in which
//! they are to stand. The layout is that of the Parquet format, version 1 of the data page.

mod ids;
mod ints;
mod names;
mod pack;
mod pages;

pub(crate) use pages::{ColumnChunk, Desk};

use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use crate::frame::{NO_NAME, Order, Values};
use arrow_array::StringArray;

/// Rows of a page.
const PAGE_ROWS: usize = 20_000;

/// Writes a column, if it is of a kind that is written here. `names` are those that its numbers stand for.
pub(crate) fn encode(
    desk: &mut Desk,
    values: &Values,
    order: &Order,
    column: &ColumnDescPtr,
    names: impl FnOnce() -> Option<StringArray>,
) -> Option<Result<ColumnChunk>> {
    Some(match values {
        Values::Int(values) => ints::encode(desk, values, order, column),
        Values::Id(values) => ids::encode(desk, values, order, column),
        Values::Same(number, rows) => names::encode_same(desk, *number, *rows, &names()?, column),
        Values::Name(values) if !values.contains(&NO_NAME) => {
            names::encode(desk, values, order, &names()?, column)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
