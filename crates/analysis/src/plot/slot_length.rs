//! How long the slots of a plot are.

/// Slots of a plot: each is some pixels wide.
pub const MAX_SLOTS: usize = 120;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Lengths from a second on that divide a minute, an hour or a day.
const LENGTHS: [i64; 17] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
];

/// The length of slots, in ns, of which no more than [`MAX_SLOTS`] hold `from..=to`: the shortest that is a multiple of
/// what was `asked`, or that people count in.
pub(super) fn slot_length(from: i64, to: i64, asked: Option<i64>) -> i64 {
    let fits = |length: i64| {
        let slots = i128::from(to.div_euclid(length)) - i128::from(from.div_euclid(length)) + 1;
        slots <= MAX_SLOTS as i128
    };
    if let Some(asked) = asked {
        return shortest_multiple(from, to, asked, fits);
    }
    let mut length = 1;
    while length < SECOND {
        for factor in [1, 2, 5] {
            if fits(length * factor) {
                return length * factor;
            }
        }
        length *= 10;
    }
    if let Some(length) = LENGTHS.into_iter().find(|length| fits(*length)) {
        return length;
    }
    let mut days = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            let length = (24 * HOUR).saturating_mul(days * factor);
            if fits(length) {
                return length;
            }
        }
        days *= 10;
    }
}

/// The shortest multiple of `asked` that `fits`, of which the ones near it do not.
fn shortest_multiple(from: i64, to: i64, asked: i64, fits: impl Fn(i64) -> bool) -> i64 {
    if fits(asked) {
        return asked;
    }
    // Slots of this many times the length are more than fit, and as few as fit even if the ends cut two of them.
    let span = i128::from(to) - i128::from(from);
    let times = |slots: i128| i64::try_from(span / slots / i128::from(asked)).unwrap_or(i64::MAX);
    let mut short = times(MAX_SLOTS as i128 + 1).max(1);
    let mut long = times(MAX_SLOTS as i128 - 2).saturating_add(1).max(2);
    while long - short > 1 {
        let middle = short + (long - short) / 2;
        match fits(asked.saturating_mul(middle)) {
            true => long = middle,
            false => short = middle,
        }
    }
    asked.saturating_mul(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_people_count_in() {
        assert_eq!(slot_length(0, 30 * SECOND, None), 500_000_000);
        assert_eq!(slot_length(0, HOUR, None), MINUTE);
        assert_eq!(slot_length(5, 5, None), 1);
        assert_eq!(slot_length(0, 30 * SECOND, Some(SECOND)), SECOND);
        assert_eq!(slot_length(0, HOUR, Some(7 * SECOND)), 35 * SECOND);
        assert!(slot_length(i64::MIN, i64::MAX, Some(1)) > 1);
        assert!(slot_length(i64::MIN, i64::MAX, None) > 1);
    }

    /// From a list of all lengths that there are.
    #[test]
    fn the_shortest_that_fits_is_taken() {
        let mut state = 88_172_645_463_325_252_u64;
        for round in 0..2000_u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (from, span) = (
                (state >> 4) as i64 - (1 << 59),
                (state >> (4 + round % 50)) as i64,
            );
            let to = from.saturating_add(span);
            for asked in [None, Some(1 + (state % 5000) as i64)] {
                let length = slot_length(from, to, asked);
                let slots = |length: i64| {
                    i128::from(to.div_euclid(length)) - i128::from(from.div_euclid(length)) + 1
                };
                assert!(
                    slots(length) <= MAX_SLOTS as i128,
                    "{from} {to} {asked:?}: {length}"
                );
                if let Some(asked) = asked {
                    assert_eq!(length % asked, 0);
                    let shorter = length - asked;
                    assert!(
                        shorter == 0 || slots(shorter) > MAX_SLOTS as i128,
                        "{length} {asked}"
                    );
                }
            }
        }
    }
}
