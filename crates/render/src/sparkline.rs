//! A distribution's outline in one line of text.

/// Bars from one eighth to eight eighths of a line.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar a count. Nothing is a blank; the least something is the lowest bar, so that a thin tail still shows.
pub(crate) fn sparkline(counts: &[u64]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0);
    counts
        .iter()
        .map(|&count| match count {
            0 => ' ',
            _ => {
                let eighths =
                    (u128::from(count) * BARS.len() as u128).div_ceil(u128::from(highest));
                BARS[eighths as usize - 1]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn a_thin_tail_shows_and_nothing_does_not() {
        assert_eq!(sparkline(&[1, 0, 4, 8, 1_000_000]), "▁ ▁▁█");
        assert_eq!(sparkline(&[1, 2, 3, 4, 5, 6, 7, 8]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[u64::MAX, u64::MAX]), "██");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[]), "");
    }
}
