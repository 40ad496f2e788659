//! Integers, none of which is absent: packed differences.

use parquet::basic::{Encoding, Type};
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::PAGE_ROWS;
use super::pack::put_deltas;
use super::pages::{ColumnChunk, Desk, Held, Pages};
use crate::frame::Order;

pub(super) fn encode(
    desk: &mut Desk,
    values: &[i64],
    order: &Order,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    let mut pages = Pages::new(Type::INT64);
    let mut all: Option<(i64, i64)> = None;
    let (mut rises, mut before) = (true, i64::MIN);
    let mut page = Vec::with_capacity(PAGE_ROWS.min(values.len()));
    for places in order.pages(values.len(), PAGE_ROWS) {
        page.clear();
        places.pick(values, &mut page);
        let least = page.iter().copied().min().unwrap_or(0);
        let most = page.iter().copied().max().unwrap_or(0);
        let (all_least, all_most) = all.unwrap_or((least, most));
        // As long as they rise, the greatest so far are those of the page before.
        rises &= least >= before && most >= all_most;
        before = least;
        all = Some((all_least.min(least), all_most.max(most)));
        desk.page.clear();
        put_deltas(&mut desk.page, &page);
        let held = Held {
            rows: page.len(),
            nulls: 0,
            encoding: Encoding::DELTA_BINARY_PACKED,
            extremes: Some((&least.to_le_bytes(), &most.to_le_bytes())),
        };
        pages.data(desk, &held)?;
    }
    if rises {
        pages.rise();
    }
    let (least, most) = all.map_or((None, None), |(least, most)| (Some(least), Some(most)));
    let statistics = ValueStatistics::new(least, most, None, Some(0), false);
    let encodings = vec![Encoding::RLE, Encoding::DELTA_BINARY_PACKED];
    pages.finish(column, encodings, Statistics::Int64(statistics), None)
}
