//! Which rows of a chunk are looked at, where nobody can foretell it.

/// The rows for which `is_chosen` says so into `rows` (cleared first), ascending. Without a branch a row.
pub(crate) fn chosen_rows(is_chosen: impl ExactSizeIterator<Item = bool>, rows: &mut Vec<u32>) {
    rows.clear();
    // One more: what is not chosen is written in vain.
    rows.resize(is_chosen.len() + 1, 0);
    let mut count = 0;
    for (row, is_chosen) in is_chosen.enumerate() {
        rows[count] = row as u32;
        count += usize::from(is_chosen);
    }
    rows.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_are_chosen() {
        let mut rows = vec![7];
        for (chosen, expected) in [
            (vec![], vec![]),
            (vec![true], vec![0]),
            (vec![false, true, true, false, true], vec![1, 2, 4]),
            (vec![false; 3], vec![]),
        ] {
            chosen_rows(chosen.into_iter(), &mut rows);
            assert_eq!(rows, expected);
        }
    }
}
