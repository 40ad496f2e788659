//! Ids of traces, 0 for none: a dictionary where many rows share one, else the ids as they are; with a bloom filter.

use parquet::basic::{Encoding, Type};
use parquet::bloom_filter::Sbbf;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::PAGE_ROWS;
use super::names::put_levels;
use super::pack::put_groups;
use super::pages::{ColumnChunk, Desk, Held, Pages};
use crate::frame::Order;

/// Of so many ids that are not there, one seems to be.
const BLOOM_ONE_IN: f64 = 100.0;
/// A dictionary is worth while if an id stands in so many rows on average: 8 bytes there, and 2 or so in each row.
const ROWS_AN_ID: usize = 2;

/// Numbers of ids, in the order in which these were met. Kept from column to column.
#[derive(Debug, Default)]
pub(super) struct IdTable {
    /// By hash: 1 + the number of an id; 0 is free. At least half of it is.
    slots: Vec<u32>,
    ids: Vec<u64>,
}

impl IdTable {
    fn begin(&mut self) {
        self.ids.clear();
        self.slots.clear();
        self.slots.resize(1 << 12, 0);
    }

    /// Where the search for an id begins. Fibonacci hashing: ids may be random, or numbers that were counted up.
    #[inline]
    fn place(&self, id: u64) -> usize {
        let bits = self.slots.len().trailing_zeros();
        (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as usize
    }

    /// The number of an id.
    #[inline]
    fn number(&mut self, id: u64) -> u32 {
        let mut at = self.place(id);
        loop {
            match self.slots[at] {
                0 => break,
                number if self.ids[number as usize - 1] == id => return number - 1,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
        self.ids.push(id);
        self.slots[at] = self.ids.len() as u32;
        if self.ids.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.ids.len() as u32 - 1
    }

    #[cold]
    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(slots, 0);
        for number in 0..self.ids.len() {
            let mut at = self.place(self.ids[number]);
            while self.slots[at] != 0 {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = number as u32 + 1;
        }
    }
}

pub(super) fn encode(
    desk: &mut Desk,
    ids: &[u64],
    order: &Order,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    let (mut numbers, mut table) = (
        std::mem::take(&mut desk.numbers),
        std::mem::take(&mut desk.ids),
    );
    let is_shared = numbered(ids, &mut table, &mut numbers);
    let chunk = match is_shared {
        true => shared(desk, ids, (&table.ids, &numbers), order, column),
        false => single(desk, ids, order, column),
    };
    (desk.numbers, desk.ids) = (numbers, table);
    chunk
}

/// Numbers the ids of all rows. False if too few rows share one; then the numbers are of no use.
fn numbered(ids: &[u64], table: &mut IdTable, numbers: &mut Vec<u32>) -> bool {
    let most = ids.len() / ROWS_AN_ID;
    table.begin();
    numbers.clear();
    // Rows of one trace often follow one another.
    let mut last = (0, 0);
    for id in ids {
        if *id != last.0 {
            last = (*id, if *id == 0 { 0 } else { table.number(*id) });
            if table.ids.len() > most {
                return false;
            }
        }
        numbers.push(last.1);
    }
    true
}

/// What is known of a column so far.
#[derive(Default)]
struct Seen {
    extremes: Option<(u64, u64)>,
    nulls: usize,
}

impl Seen {
    fn add(&mut self, other: &Seen) {
        self.nulls += other.nulls;
        if let Some((least, most)) = other.extremes {
            let (a, b) = self.extremes.unwrap_or((least, most));
            self.extremes = Some((a.min(least), b.max(most)));
        }
    }

    fn of(page: &[u64]) -> Seen {
        let (mut least, mut most, mut nulls) = (u64::MAX, 0, 0);
        for id in page {
            // 0 is no id; as the greatest it is not the least.
            least = least.min(id.wrapping_sub(1));
            most = most.max(*id);
            nulls += usize::from(*id == 0);
        }
        Seen {
            extremes: (most > 0).then_some((least.wrapping_add(1), most)),
            nulls,
        }
    }

    fn end(
        &self,
        pages: Pages,
        column: &ColumnDescPtr,
        encodings: Vec<Encoding>,
        bloom: Sbbf,
    ) -> Result<ColumnChunk> {
        let extreme = |id: u64| Some(id as i64);
        let (least, most) = self.extremes.map_or((None, None), |(least, most)| {
            (extreme(least), extreme(most))
        });
        let statistics = ValueStatistics::new(least, most, None, Some(self.nulls as u64), false);
        let statistics = Statistics::Int64(statistics);
        pages.finish(column, encodings, statistics, Some(bloom))
    }
}

fn filter(ids: impl Iterator<Item = u64>, count: usize) -> Result<Sbbf> {
    let mut bloom = Sbbf::new_with_ndv_fpp(count.max(1) as u64, 1.0 / BLOOM_ONE_IN)?;
    ids.for_each(|id| bloom.insert(&(id as i64)));
    Ok(bloom)
}

fn shared(
    desk: &mut Desk,
    ids: &[u64],
    (known, numbers): (&[u64], &[u32]),
    order: &Order,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    desk.page.clear();
    known
        .iter()
        .for_each(|id| desk.page.extend_from_slice(&id.to_le_bytes()));
    let mut pages = Pages::new(Type::INT64);
    pages.dictionary(desk, known.len())?;
    let width = (32 - (known.len().max(2) as u32 - 1).leading_zeros()) as u8;
    let mut seen = Seen::default();
    let (mut page, mut of_page) = (Vec::new(), Vec::new());
    for places in order.pages(ids.len(), PAGE_ROWS) {
        page.clear();
        places.pick(ids, &mut page);
        of_page.clear();
        places.pick(numbers, &mut of_page);
        write(desk, &mut pages, &mut seen, column, &page, |out| {
            out.push(width);
            if page.contains(&0) {
                let mut ids = page.iter();
                of_page.retain(|_| ids.next() != Some(&0));
            }
            put_groups(out, of_page.iter().copied(), width);
            Encoding::RLE_DICTIONARY
        })?;
    }
    let bloom = filter(known.iter().copied(), known.len())?;
    let encodings = vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
    seen.end(pages, column, encodings, bloom)
}

fn single(
    desk: &mut Desk,
    ids: &[u64],
    order: &Order,
    column: &ColumnDescPtr,
) -> Result<ColumnChunk> {
    let mut pages = Pages::new(Type::INT64);
    let mut seen = Seen::default();
    let mut page = Vec::new();
    for places in order.pages(ids.len(), PAGE_ROWS) {
        page.clear();
        places.pick(ids, &mut page);
        write(desk, &mut pages, &mut seen, column, &page, |out| {
            let there = page.iter().filter(|id| **id != 0);
            there.for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
            Encoding::PLAIN
        })?;
    }
    let there = ids.iter().copied().filter(|id| *id != 0);
    let bloom = filter(there, ids.len() - seen.nulls)?;
    seen.end(pages, column, vec![Encoding::PLAIN, Encoding::RLE], bloom)
}

/// Writes a page: levels, and what `put` makes of the ids that are there.
fn write(
    desk: &mut Desk,
    pages: &mut Pages,
    seen: &mut Seen,
    column: &ColumnDescPtr,
    page: &[u64],
    put: impl FnOnce(&mut Vec<u8>) -> Encoding,
) -> Result<()> {
    let here = Seen::of(page);
    desk.page.clear();
    match here.nulls {
        0 => put_levels(&mut desk.page, page.len(), column.max_def_level()),
        _ => {
            desk.page.extend_from_slice(&[0; 4]);
            put_groups(&mut desk.page, page.iter().map(|id| u32::from(*id != 0)), 1);
            let bytes = (desk.page.len() - 4) as u32;
            desk.page[..4].copy_from_slice(&bytes.to_le_bytes());
        }
    }
    let encoding = put(&mut desk.page);
    let extremes = here
        .extremes
        .map(|(least, most)| (least.to_le_bytes(), most.to_le_bytes()));
    let held = Held {
        rows: page.len(),
        nulls: here.nulls,
        encoding,
        extremes: extremes
            .as_ref()
            .map(|(least, most)| (&least[..], &most[..])),
    };
    pages.data(desk, &held)?;
    seen.add(&here);
    Ok(())
}
