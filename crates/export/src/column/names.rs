//! Names, none of which is absent: a dictionary of those that occur, sorted, and numbers.

use arrow_array::{Array, StringArray};
use parquet::basic::{Encoding, Type};
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::PAGE_ROWS;
use super::pack::{put_groups, put_run};
use super::pages::{ColumnChunk, Desk, Held, Pages};
use crate::frame::Order;

/// The names that occur, by their new numbers.
struct Used<'a> {
    texts: Vec<&'a [u8]>,
    /// Bits of a number.
    width: u8,
}

impl<'a> Used<'a> {
    /// Renumbers: by old number the new one, in the order of the texts.
    fn of(is_used: &[bool], names: &'a StringArray) -> (Self, Vec<u32>) {
        let text = |at: usize| names.value(at).as_bytes();
        let mut used: Vec<usize> = (0..names.len()).filter(|at| is_used[*at]).collect();
        used.sort_by_key(|at| text(*at));
        let mut number_of = vec![0; names.len()];
        for (number, at) in (0..).zip(&used) {
            number_of[*at] = number;
        }
        let texts: Vec<_> = used.into_iter().map(text).collect();
        let width = (32 - (texts.len().max(2) as u32 - 1).leading_zeros()) as u8;
        (Self { texts, width }, number_of)
    }

    fn begin(&self, desk: &mut Desk) -> Result<Pages> {
        desk.page.clear();
        for text in &self.texts {
            desk.page
                .extend_from_slice(&(text.len() as u32).to_le_bytes());
            desk.page.extend_from_slice(text);
        }
        let mut pages = Pages::new(Type::BYTE_ARRAY);
        pages.dictionary(desk, self.texts.len())?;
        Ok(pages)
    }

    /// A page of `rows` numbers, which `put` adds to what there is, with `least` and `most` among them.
    fn page(
        &self,
        desk: &mut Desk,
        pages: &mut Pages,
        column: &ColumnDescPtr,
        rows: usize,
        numbers: &[u32],
    ) -> Result<()> {
        let least = numbers.iter().copied().min().unwrap_or(0);
        let most = numbers.iter().copied().max().unwrap_or(0);
        desk.page.clear();
        put_levels(&mut desk.page, rows, column.max_def_level());
        desk.page.push(self.width);
        match least == most {
            true => put_run(
                &mut desk.page,
                rows,
                least,
                usize::from(self.width).div_ceil(8),
            ),
            false => put_groups(&mut desk.page, numbers.iter().copied(), self.width),
        }
        let held = Held {
            rows,
            nulls: 0,
            encoding: Encoding::RLE_DICTIONARY,
            extremes: Some((self.texts[least as usize], self.texts[most as usize])),
        };
        pages.data(desk, &held)
    }

    fn end(&self, pages: Pages, column: &ColumnDescPtr) -> Result<ColumnChunk> {
        let extreme = |text: Option<&&[u8]>| text.map(|text| ByteArray::from(text.to_vec()));
        let (least, most) = (extreme(self.texts.first()), extreme(self.texts.last()));
        let statistics = ValueStatistics::new(least, most, None, Some(0), false);
        let encodings = vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
        pages.finish(column, encodings, Statistics::ByteArray(statistics), None)
    }
}

pub(super) fn encode(
    desk: &mut Desk,
    keys: &[u32],
    order: &Order,
    names: &StringArray,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    let mut is_used = vec![false; names.len()];
    for key in keys {
        is_used[*key as usize] = true;
    }
    let (used, number_of) = Used::of(&is_used, names);
    let mut pages = used.begin(desk)?;
    let mut numbers = std::mem::take(&mut desk.numbers);
    for places in order.pages(keys.len(), PAGE_ROWS) {
        numbers.clear();
        places.pick_with(keys, |key| number_of[key as usize], &mut numbers);
        used.page(desk, &mut pages, column, numbers.len(), &numbers)?;
    }
    desk.numbers = numbers;
    used.end(pages, column)
}

/// One name in every row.
pub(super) fn encode_same(
    desk: &mut Desk,
    key: u32,
    rows: usize,
    names: &StringArray,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    let mut is_used = vec![false; names.len()];
    is_used[key as usize] = true;
    let (used, _) = Used::of(&is_used, names);
    let mut pages = used.begin(desk)?;
    for first in (0..rows).step_by(PAGE_ROWS) {
        let rows = PAGE_ROWS.min(rows - first);
        used.page(desk, &mut pages, column, rows, &[0])?;
    }
    used.end(pages, column)
}

/// Definition levels of a page in which nothing is absent: one run of the greatest level.
pub(super) fn put_levels(out: &mut Vec<u8>, rows: usize, max_level: i16) {
    if max_level > 0 {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        put_run(out, rows, max_level as u32, 1);
        let bytes = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
    }
}
