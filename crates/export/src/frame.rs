//! Rows of a table in columns, before they become arrays.

use std::mem;
use std::ops::Range;

use crate::table::Table;

/// No name.
pub(crate) const NO_NAME: u32 = u32::MAX;

/// An owner of a trace's time: the number of its name, and ns.
pub(crate) type Owner = (u32, i64);

/// The values of one column.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Int(Vec<i64>),
    OptInt(Vec<Option<i64>>),
    /// 0 is none.
    Id(Vec<u64>),
    Float(Vec<Option<f64>>),
    /// Numbers in a dictionary, or [`NO_NAME`].
    Name(Vec<u32>),
    /// One number in a dictionary in so many rows.
    Same(u32, usize),
    Text(Vec<Option<String>>),
    Owners(Vec<Vec<Owner>>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Int(values) => values.len(),
            Values::OptInt(values) => values.len(),
            Values::Id(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Name(values) => values.len(),
            Values::Same(_, rows) => *rows,
            Values::Text(values) => values.len(),
            Values::Owners(values) => values.len(),
        }
    }

    /// The values at `places`, in their order.
    pub(crate) fn picked(&mut self, places: &[u32]) -> Values {
        fn pick<T: Copy>(values: &[T], places: &[u32]) -> Vec<T> {
            places.iter().map(|at| values[*at as usize]).collect()
        }
        fn take<T: Default>(values: &mut [T], places: &[u32]) -> Vec<T> {
            places
                .iter()
                .map(|at| mem::take(&mut values[*at as usize]))
                .collect()
        }
        match self {
            Values::Int(values) => Values::Int(pick(values, places)),
            Values::OptInt(values) => Values::OptInt(pick(values, places)),
            Values::Id(values) => Values::Id(pick(values, places)),
            Values::Float(values) => Values::Float(pick(values, places)),
            Values::Name(values) => Values::Name(pick(values, places)),
            Values::Same(number, _) => Values::Same(*number, places.len()),
            Values::Text(values) => Values::Text(take(values, places)),
            Values::Owners(values) => Values::Owners(take(values, places)),
        }
    }

    /// The memory of integers, empty; likewise below.
    pub(crate) fn into_ints(self) -> Vec<i64> {
        match self {
            Values::Int(values) => emptied(values),
            _ => Vec::new(),
        }
    }

    pub(crate) fn into_ids(self) -> Vec<u64> {
        match self {
            Values::Id(values) => emptied(values),
            _ => Vec::new(),
        }
    }

    pub(crate) fn into_names(self) -> Vec<u32> {
        match self {
            Values::Name(values) => emptied(values),
            _ => Vec::new(),
        }
    }

    fn append(&mut self, other: Values) {
        match (self, other) {
            (Values::Int(mine), Values::Int(other)) => mine.extend(other),
            (Values::OptInt(mine), Values::OptInt(other)) => mine.extend(other),
            (Values::Id(mine), Values::Id(other)) => mine.extend(other),
            (Values::Float(mine), Values::Float(other)) => mine.extend(other),
            (Values::Name(mine), Values::Name(other)) => mine.extend(other),
            (Values::Same(mine, rows), Values::Same(other, more)) if *mine == other => {
                *rows += more
            }
            (Values::Text(mine), Values::Text(other)) => mine.extend(other),
            (Values::Owners(mine), Values::Owners(other)) => mine.extend(other),
            _ => unreachable!("frames of one table have the same columns"),
        }
    }
}

fn emptied<T>(mut values: Vec<T>) -> Vec<T> {
    values.clear();
    values
}

/// Rows of one table: all of its columns, of one length.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) table: Table,
    pub(crate) columns: Vec<Values>,
}

impl Frame {
    pub(crate) fn new(table: Table, columns: Vec<Values>) -> Self {
        debug_assert_eq!(columns.len(), table.columns().len());
        debug_assert!(columns.iter().all(|each| each.len() == columns[0].len()));
        Self { table, columns }
    }

    pub(crate) fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// The order by time, where the table has one; rows of the same instant stay in their order.
    /// `scratch` is memory that is used again.
    pub(crate) fn order(&self, scratch: &mut Vec<u64>) -> Order {
        let times = { self.table.sort_column() }.map(|by| &self.columns[by]);
        let Some(Values::Int(times)) = times else {
            return Order(None);
        };
        if times.is_sorted() {
            return Order(None);
        }
        let least = times.iter().copied().min().unwrap_or(0);
        let most = times.iter().copied().max().unwrap_or(0);
        let bits = usize::BITS - times.len().leading_zeros();
        // Stable, and quick where there are runs, as there are: the rows of each thread. Quicker still if time and place
        // fit a word, as the rows of 19 hours do.
        let places = match most.abs_diff(least) >> (u64::BITS - bits) {
            0 => {
                let word = |(time, at): (&i64, u64)| time.abs_diff(least) << bits | at;
                scratch.clear();
                scratch.extend(times.iter().zip(0..).map(word));
                scratch.sort();
                let place = |word: &u64| (word & ((1 << bits) - 1)) as u32;
                scratch.iter().map(place).collect()
            }
            _ => {
                let mut places: Vec<u32> = (0..times.len() as u32).collect();
                places.sort_by_key(|at| times[*at as usize]);
                places
            }
        };
        Order(Some(places))
    }

    /// Sorts the rows by time, where the table has one.
    pub(crate) fn sort(&mut self) {
        if let Order(Some(places)) = self.order(&mut Vec::new()) {
            *self = self.picked(&places);
        }
    }

    /// The rows at `places`, in their order; each at most once.
    pub(crate) fn picked(&mut self, places: &[u32]) -> Frame {
        let columns = self.columns.iter_mut();
        Frame {
            table: self.table,
            columns: columns.map(|column| column.picked(places)).collect(),
        }
    }

    /// Adds the rows of another frame of the same table.
    pub(crate) fn append(&mut self, other: Frame) {
        for (mine, other) in self.columns.iter_mut().zip(other.columns) {
            mine.append(other);
        }
    }
}

/// The order in which rows are to stand: their places, or as they are.
#[derive(Debug)]
pub(crate) struct Order(pub(crate) Option<Vec<u32>>);

/// Places of rows that follow one another in an order.
#[derive(Debug)]
pub(crate) enum Places<'a> {
    Run(Range<usize>),
    Listed(&'a [u32]),
}

impl Order {
    /// All `rows`, `page` at a time.
    pub(crate) fn pages(&self, rows: usize, page: usize) -> impl Iterator<Item = Places<'_>> {
        (0..rows).step_by(page).map(move |first| {
            let run = first..rows.min(first + page);
            match &self.0 {
                None => Places::Run(run),
                Some(places) => Places::Listed(&places[run]),
            }
        })
    }
}

impl Places<'_> {
    /// Appends the values at these places.
    pub(crate) fn pick<T: Copy>(&self, values: &[T], out: &mut Vec<T>) {
        match self {
            Places::Run(run) => out.extend_from_slice(&values[run.clone()]),
            Places::Listed(places) => out.extend(places.iter().map(|at| values[*at as usize])),
        }
    }

    /// The same of what `of` makes of each.
    pub(crate) fn pick_with<T: Copy, U>(
        &self,
        values: &[T],
        of: impl Fn(T) -> U,
        out: &mut Vec<U>,
    ) {
        match self {
            Places::Run(run) => out.extend(values[run.clone()].iter().map(|value| of(*value))),
            Places::Listed(places) => out.extend(places.iter().map(|at| of(values[*at as usize]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(times: &[i64]) -> Frame {
        let columns = Table::Bins.columns().iter().enumerate();
        let columns = columns.map(|(at, column)| match column.kind {
            crate::table::Kind::Name => Values::Name((0..times.len() as u32).collect()),
            _ if at == 0 => Values::Int(times.to_vec()),
            _ => Values::Int(times.iter().map(|time| -time).collect()),
        });
        Frame::new(Table::Bins, columns.collect())
    }

    #[test]
    fn sorting_moves_whole_rows_and_keeps_the_order_of_equals() {
        let mut frame = bins(&[5, 1, 5, 3]);
        frame.sort();
        let Values::Int(times) = &frame.columns[0] else {
            panic!("a time")
        };
        let Values::Name(names) = &frame.columns[1] else {
            panic!("a name")
        };
        let Values::Int(more) = &frame.columns[5] else {
            panic!("a number")
        };
        assert_eq!(times, &[1, 3, 5, 5]);
        assert_eq!(names, &[1, 3, 0, 2]);
        assert_eq!(more, &[-1, -3, -5, -5]);
    }

    #[test]
    fn times_that_are_centuries_apart_are_sorted_alike() {
        for far in [1_i64 << 40, i64::MAX] {
            let frame = bins(&[far, -far, 3, -far, 0, far]);
            let Order(places) = frame.order(&mut Vec::new());
            assert_eq!(places, Some(vec![1, 3, 4, 2, 0, 5]));
        }
    }
}
