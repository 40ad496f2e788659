//! Where the marks of an axis stand.

/// A mark of an axis with a log scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    /// Whether it bears its value, or only helps the eye.
    pub(crate) labelled: bool,
}

/// Ranges of no more decades than this show the steps between the decades.
const MINOR_DECADES: f64 = 8.0;
/// How far a mark may lie outside of the range, by rounding.
const ROUNDING: f64 = 1e-9;

/// Marks at 1, 2 and 5 times the powers of ten, or at the powers alone, or at every second or third of these: as many
/// as there is `room` for, at least one. Where that would be fewer than three, at even steps.
///
/// `low` must be positive and below `high`, and both finite.
pub(crate) fn log_ticks(low: f64, high: f64, room: usize) -> Vec<Tick> {
    let room = room.max(1);
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let within =
        |value: &f64| *value >= low * (1.0 - ROUNDING) && *value <= high * (1.0 + ROUNDING);
    let labelled = |value| Tick {
        value,
        labelled: true,
    };
    let times = |factors: &[f64]| -> Vec<f64> {
        let decades = (first..=last).map(power_of_ten);
        let all = decades.flat_map(|decade| factors.iter().map(move |factor| decade * factor));
        all.filter(within).collect()
    };
    let fine = times(&[1.0, 2.0, 5.0]);
    if fine.len() <= room {
        let even = linear_ticks(low, high, room);
        let ticks = if fine.len() < 3 && even.len() > fine.len() {
            even
        } else {
            fine
        };
        return ticks.into_iter().map(labelled).collect();
    }
    let decades = times(&[1.0]);
    let mut step = 1;
    while decades.len().div_ceil(step) > room {
        step += 1;
    }
    let mut ticks: Vec<Tick> = decades
        .iter()
        .copied()
        .step_by(step)
        .map(labelled)
        .collect();
    if ticks.is_empty() {
        // Not one whole decade, and no room for finer steps.
        return vec![labelled(fine[fine.len() / 2])];
    }
    if step == 1 && high / low <= 10f64.powf(MINOR_DECADES) {
        let minor = times(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        ticks.extend(minor.into_iter().map(|value| Tick {
            value,
            labelled: false,
        }));
        ticks.sort_by(|a, b| a.value.total_cmp(&b.value));
    }
    ticks
}

fn power_of_ten(exponent: i32) -> f64 {
    10f64.powi(exponent)
}

/// Marks at multiples of 1, 2 or 5 times a power of ten: as many as there is `room` for, at least one if the range
/// holds any.
pub(crate) fn linear_ticks(low: f64, high: f64, room: usize) -> Vec<f64> {
    let span = high - low;
    // Where not even the last digit differs there are no steps.
    if span <= low.abs() * ROUNDING || !span.is_finite() || span < f64::MIN_POSITIVE {
        return vec![low];
    }
    let room = room.max(1) as f64;
    let mut exponent = (span / room).log10().floor() as i32 - 1;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            let step = factor * power_of_ten(exponent);
            let slack = span * ROUNDING;
            let first = ((low - slack) / step).ceil();
            let last = ((high + slack) / step).floor();
            if last - first + 1.0 <= room {
                let marks = (last - first + 1.0).max(0.0) as u32;
                // `+ 0.0` makes no zero negative.
                return (0..marks)
                    .map(|mark| (first + f64::from(mark)) * step + 0.0)
                    .collect();
            }
        }
        exponent += 1;
    }
}

const MS: i64 = 1_000_000;
const SECOND: i64 = 1000 * MS;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// One day, in ns.
pub(crate) const DAY: i64 = 24 * HOUR;

/// Steps of time from a second on that people count in.
const STEPS: [i64; 18] = [
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
    DAY,
];

/// The smallest step that people count in of which no more than `most` fit into `span` ns.
pub(crate) fn time_step(span: i64, most: i64) -> i64 {
    let fits = |step: i64| span / step <= most.max(1);
    let mut small = 1;
    while small < SECOND {
        for factor in [1, 2, 5] {
            if fits(small * factor) {
                return small * factor;
            }
        }
        small *= 10;
    }
    if let Some(step) = STEPS.into_iter().find(|step| fits(*step)) {
        return step;
    }
    let mut days = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            let step = DAY.saturating_mul(days * factor);
            if fits(step) || step == i64::MAX {
                return step;
            }
        }
        days *= 10;
    }
}

/// Multiples of a step on the clock that is `offset` ns ahead of UTC, within `from..=to` unix ns; and the step.
pub(crate) fn time_ticks(from: i64, to: i64, offset: i64, room: usize) -> (Vec<i64>, i64) {
    let room = i64::try_from(room).unwrap_or(i64::MAX).max(1);
    let step = time_step(to.saturating_sub(from), room);
    let local = from.saturating_add(offset);
    let over = local.rem_euclid(step);
    let first = match over {
        0 => from,
        _ => from.saturating_add(step - over),
    };
    let ticks = std::iter::successors(Some(first), |tick| tick.checked_add(step));
    (ticks.take_while(|tick| *tick <= to).collect(), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(low: f64, high: f64, room: usize) -> Vec<f64> {
        let ticks = log_ticks(low, high, room).into_iter();
        ticks
            .filter(|tick| tick.labelled)
            .map(|tick| tick.value)
            .collect()
    }

    #[test]
    fn log_axes_show_what_fits() {
        assert_eq!(
            labelled(80.0, 6000.0, 8),
            [100.0, 200.0, 500.0, 1e3, 2e3, 5e3]
        );
        assert_eq!(labelled(80.0, 6000.0, 5), [100.0, 1e3]);
        assert_eq!(
            labelled(1.0, 1e6, 10),
            [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]
        );
        assert_eq!(
            labelled(1.0, 1e18, 7),
            [1.0, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18]
        );
        assert_eq!(labelled(11e3, 19e3, 6), [12e3, 14e3, 16e3, 18e3]);
        assert_eq!(labelled(3.0, 4.0, 1).len(), 1);
    }

    #[test]
    fn decades_have_steps_between_them() {
        let ticks = log_ticks(1.0, 1000.0, 4);
        assert_eq!(ticks.len(), 4 + 3 * 8);
        assert!(ticks.is_sorted_by(|a, b| a.value < b.value));
    }

    #[test]
    fn linear_axes_count_in_ones_twos_and_fives() {
        assert_eq!(linear_ticks(0.0, 10.0, 6), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear_ticks(-7.0, 13.0, 5), [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(
            linear_ticks(0.0, 0.7, 4),
            [0.0, 0.2, 0.4, 0.6000000000000001]
        );
        assert_eq!(linear_ticks(5.0, 5.0, 4), [5.0]);
    }

    /// The obvious way: try every step from the finest, and count its multiples one by one.
    fn slow_linear(low: i64, high: i64, room: usize) -> Vec<i64> {
        let mut power = 1;
        loop {
            for step in [power, 2 * power, 5 * power] {
                let marks: Vec<i64> = (low..=high).filter(|mark| mark % step == 0).collect();
                if marks.len() <= room {
                    return marks;
                }
            }
            power *= 10;
        }
    }

    proptest::proptest! {
        #[test]
        fn log_ticks_are_few_ascending_and_within(low in 0.0f64..14.0, span in 0.01f64..12.0, room in 1usize..14) {
            let (low, high) = (10f64.powf(low), 10f64.powf(low + span));
            let all = log_ticks(low, high, room);
            proptest::prop_assert!(all.is_sorted_by(|a, b| a.value < b.value), "{all:?}");
            proptest::prop_assert!(all.iter().all(|tick| (low * 0.999..=high * 1.001).contains(&tick.value)));
            let shown = labelled(low, high, room);
            proptest::prop_assert!(shown.len() <= room, "{shown:?}");
            // With room for some, even the narrowest axis has two, from which its scale can be read.
            proptest::prop_assert!(room < 6 || shown.len() >= 2, "{low} to {high}: {shown:?}");
        }

        #[test]
        fn linear_ticks_are_the_finest_that_fit(low in -500i64..500, span in 40i64..900, room in 2usize..12) {
            let expected = slow_linear(low, low + span, room);
            // Steps below one are not in the slow way's reach.
            proptest::prop_assume!(expected.len() < span as usize);
            let ticks: Vec<i64> = linear_ticks(low as f64, (low + span) as f64, room)
                .into_iter()
                .map(|tick| tick.round() as i64)
                .collect();
            proptest::prop_assert_eq!(ticks, expected);
        }

        #[test]
        fn time_ticks_fit_and_are_whole_on_the_local_clock(
            from: i64,
            span in 1i64..i64::MAX,
            offset in -50_400i64..50_400,
            room in 1usize..12,
        ) {
            let (to, offset) = (from.saturating_add(span), offset * SECOND);
            let (ticks, step) = time_ticks(from, to, offset, room);
            proptest::prop_assert!(ticks.len() <= room + 1, "{}", ticks.len());
            for tick in ticks {
                proptest::prop_assert!(tick >= from && tick <= to);
                let local = i128::from(tick) + i128::from(offset);
                let near_the_edge = from.checked_add(offset).is_none();
                proptest::prop_assert!(near_the_edge || local % i128::from(step) == 0);
            }
        }
    }

    #[test]
    fn time_steps_are_those_of_a_clock() {
        assert_eq!(time_step(30 * SECOND, 10), 5 * SECOND);
        assert_eq!(time_step(MINUTE, 6), 10 * SECOND);
        assert_eq!(time_step(50 * MS, 10), 5 * MS);
        assert_eq!(time_step(DAY, 10), 3 * HOUR);
        assert_eq!(time_step(90 * DAY, 10), 10 * DAY);
        assert_eq!(time_step(0, 10), 1);
    }
}
