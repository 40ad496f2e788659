//! The column directory of a chunk.

use super::{ChunkHead, ColumnId};
use crate::bytes::Cursor;
use crate::error::{FormatError, Result, within};
use crate::limits;

/// One entry of the column directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Which column.
    pub id: ColumnId,
    /// How its bytes are laid out.
    pub encoding: u16,
    /// Where it begins in the body.
    pub offset: u32,
    /// Its bytes.
    pub len: u32,
    /// CRC-32C of its bytes.
    pub crc: u32,
}

impl Column {
    /// Where it ends in the body.
    fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.len)
    }
}

/// Reads and checks the directory of the chunk with `head`, which lies at `offset` in the file.
pub(super) fn read_directory(
    cursor: &mut Cursor<'_>,
    head: &ChunkHead,
    offset: u64,
) -> Result<Vec<Column>> {
    let count = within(
        offset,
        "the number of columns",
        cursor.u16()?.into(),
        limits::MAX_COLUMNS,
    )?;
    cursor.take(6)?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let column = Column {
            id: ColumnId(cursor.u16()?),
            encoding: cursor.u16()?,
            offset: cursor.u32()?,
            len: cursor.u32()?,
            crc: cursor.u32()?,
        };
        if column.end() > head.body_len {
            let expected = format!("at most the body's {}", head.body_len);
            return Err(FormatError::malformed(
                offset,
                "the end of a column",
                expected,
                column.end(),
            ));
        }
        columns.push(column);
    }
    refuse_overlaps(&columns, offset)?;
    Ok(columns)
}

/// Columns that share bytes would let a short body cost the sums of a long one, once
/// for each column. The order of the directory need not be that of the body.
fn refuse_overlaps(columns: &[Column], offset: u64) -> Result<()> {
    let in_order = |before: &Column, after: &Column| before.end() <= after.offset.into();
    if columns.is_sorted_by(in_order) {
        return Ok(());
    }
    let mut sorted: Vec<Column> = columns.to_vec();
    // A column without bytes shares none, wherever it is.
    sorted.retain(|column| column.len > 0);
    sorted.sort_unstable_by_key(|column| column.offset);
    match sorted.windows(2).find(|pair| !in_order(&pair[0], &pair[1])) {
        None => Ok(()),
        Some(pair) => Err(FormatError::malformed(
            offset,
            "the beginning of a column",
            format!("at least {}, where another one ends", pair[0].end()),
            pair[1].offset,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(places: &[(u32, u32)]) -> Result<()> {
        let column = |&(offset, len)| Column {
            id: ColumnId::VALUE,
            encoding: 0,
            offset,
            len,
            crc: 0,
        };
        let columns: Vec<Column> = places.iter().map(column).collect();
        refuse_overlaps(&columns, 0)
    }

    #[test]
    fn columns_may_come_in_any_order_and_touch() {
        check(&[]).unwrap();
        check(&[(0, 5), (5, 5), (10, 0), (10, 3)]).unwrap();
        check(&[(5, 5), (0, 5), (20, 1)]).unwrap();
        check(&[(u32::MAX, u32::MAX), (0, u32::MAX)]).unwrap();
        // Nothing is in these.
        check(&[(0, 5), (3, 0), (0, 0), (5, 1)]).unwrap();
    }

    #[test]
    fn a_shared_byte_is_refused() {
        for places in [
            [(0, 5), (4, 5)],
            [(4, 5), (0, 5)],
            [(3, 2), (3, 2)],
            [(0, 9), (3, 1)],
            [(3, 1), (0, u32::MAX)],
        ] {
            assert!(check(&places).is_err(), "{places:?}");
        }
        assert!(check(&[(0, 5), (9, 1), (4, 0), (2, 1)]).is_err());
    }
}
