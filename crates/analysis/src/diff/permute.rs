//! Several captures a side: if both builds were alike, every way to share the captures out would have been as likely.
//!
//! Each sharing-out is measured by Student's t of every figure, and the greatest decides: what a figure shows must stand out
//! among the greatest of all. A shift that is not refused so belongs to the interval of the figure; the others are held at
//! the shifts that they show. Ranks would not do: among a dozen figures, five captures a side have too few orders.
//!
//! Source: Westfall and Young, Resampling-Based Multiple Testing (1993), single-step maxT.

use super::random::Stream;

/// Up to so many sharings-out, all are looked at; of more, so many are drawn.
const MAX_SHARINGS: usize = 9_999;
/// Deviations that an interval reaches, at most: further out nothing would be refused.
const FARTHEST: f64 = 1e4;
/// Halvings of the search for an end of an interval.
const HALVINGS: usize = 50;
/// Statistics this close are one: sums in another order differ in their last bits.
const TIED: f64 = 1e-9;

/// How captures belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// Each side on its own: so many of the base, the others new.
    Apart {
        /// Captures of the base.
        base: usize,
    },
    /// Each base with the new one recorded beside it. The values are differences.
    Paired,
}

/// An interval of a shift; without an end where nothing is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// As it was seen.
    pub seen: f64,
    /// The least that is not refused.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// The deviation of what was seen.
    pub deviation: f64,
}

/// All sharings-out, as signed weights: 1 for new, else 0; of pairs, 1 where it is turned round.
struct Sharings {
    /// The first is that of the captures themselves.
    all: Vec<Vec<bool>>,
}

impl Sharings {
    fn of(design: Design, captures: usize, seed: u64) -> Self {
        let start: Vec<bool> = match design {
            Design::Apart { base } => (0..captures).map(|at| at >= base).collect(),
            Design::Paired => vec![false; captures],
        };
        let new = start.iter().filter(|new| **new).count();
        let ways = match design {
            Design::Apart { .. } => choose(captures, new),
            Design::Paired => 2_f64.powi(captures as i32),
        };
        let mut all = vec![start.clone()];
        if ways <= MAX_SHARINGS as f64 {
            let masks = (0..1_u64 << captures).map(|mask| {
                let bits: Vec<bool> = (0..captures).map(|at| mask >> at & 1 == 1).collect();
                bits
            });
            let fits = |bits: &Vec<bool>| match design {
                Design::Apart { .. } => bits.iter().filter(|bit| **bit).count() == new,
                Design::Paired => true,
            };
            all.extend(masks.filter(|bits| fits(bits) && *bits != start));
        } else {
            for number in 0..MAX_SHARINGS as u64 {
                let mut stream = Stream::new(seed, number);
                let mut bits = start.clone();
                match design {
                    Design::Apart { .. } => stream.shuffle(&mut bits),
                    Design::Paired => bits
                        .iter_mut()
                        .for_each(|bit| *bit = stream.bits() >> 63 == 1),
                }
                all.push(bits);
            }
        }
        Self { all }
    }
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product()
}

/// The values of one figure, made ready for any shift.
struct Figure {
    design: Design,
    values: Vec<f64>,
    seen: f64,
    deviation: f64,
    /// By sharing-out: the sum of the new values (of pairs, of all with their signs), and what a shift of 1 takes from it.
    sums: Vec<(f64, f64)>,
}

impl Figure {
    fn new(design: Design, values: &[f64], sharings: &Sharings) -> Self {
        let sums = sharings.all.iter().map(|sharing| {
            let mut sum = (0.0, 0.0);
            for ((at, value), bit) in values.iter().enumerate().zip(sharing) {
                match design {
                    Design::Apart { base } if *bit => {
                        sum.0 += value;
                        sum.1 += f64::from(u8::from(at >= base));
                    }
                    Design::Apart { .. } => {}
                    Design::Paired => {
                        let sign = if *bit { -1.0 } else { 1.0 };
                        sum.0 += sign * value;
                        sum.1 += sign;
                    }
                }
            }
            sum
        });
        let mut figure = Self {
            design,
            values: values.to_vec(),
            seen: 0.0,
            deviation: 0.0,
            sums: sums.collect(),
        };
        (figure.seen, figure.deviation) = figure.first();
        // What remains of sums of equal values is no spread.
        let size = values
            .iter()
            .fold(0.0_f64, |size, value| size.max(value.abs()));
        if figure.deviation <= size * TIED {
            figure.deviation = 0.0;
        }
        figure
    }

    /// What is seen, and its deviation.
    fn first(&self) -> (f64, f64) {
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let squares = |of: &[f64]| {
            let mean = mean(of);
            of.iter()
                .map(|value| (value - mean) * (value - mean))
                .sum::<f64>()
        };
        match self.design {
            Design::Apart { base } => {
                let (base, new) = self.values.split_at(base);
                let freedom = (self.values.len().max(3) - 2) as f64;
                let pooled = (squares(base) + squares(new)) / freedom;
                let share = 1.0 / base.len() as f64 + 1.0 / new.len() as f64;
                (mean(new) - mean(base), (pooled * share).sqrt())
            }
            Design::Paired => {
                let n = self.values.len() as f64;
                let variance = squares(&self.values) / (n - 1.0).max(1.0);
                (mean(&self.values), (variance / n).sqrt())
            }
        }
    }

    /// |t| of every sharing-out if the new values are taken back by `shift`.
    fn statistics<'a>(&'a self, shift: f64) -> impl Iterator<Item = f64> + 'a {
        let n = self.values.len() as f64;
        let moved = |at: usize| match self.design {
            Design::Apart { base } if at < base => self.values[at],
            _ => self.values[at] - shift,
        };
        let (center, parts, freedom) = match self.design {
            Design::Apart { base } => {
                let new = n - base as f64;
                let mean = (0..self.values.len()).map(moved).sum::<f64>() / n;
                (mean * new, 1.0 / base as f64 + 1.0 / new, n - 2.0)
            }
            Design::Paired => (0.0, 1.0 / n, n - 1.0),
        };
        let mean = match self.design {
            Design::Apart { .. } => (0..self.values.len()).map(moved).sum::<f64>() / n,
            Design::Paired => 0.0,
        };
        let total: f64 = (0..self.values.len())
            .map(|at| (moved(at) - mean).powi(2))
            .sum();
        self.sums.iter().map(move |(sum, taken)| {
            let between = (sum - shift * taken - center).powi(2) * parts;
            let left = (total - between).max(total * 1e-14);
            if total > 0.0 {
                (between * freedom / left).sqrt()
            } else {
                0.0
            }
        })
    }
}

/// The shifts of all figures, each with its interval; the chance that any of these misses is at most `error`. Figures of
/// which `counted` is false have intervals as well, and do not widen those of the others.
pub fn shifts(
    design: Design,
    figures: &[Vec<f64>],
    counted: &[bool],
    (error, seed): (f64, u64),
) -> Vec<Shift> {
    let captures = figures.first().map_or(0, Vec::len);
    let sharings = Sharings::of(design, captures, seed);
    let figures: Vec<Figure> = figures
        .iter()
        .map(|values| Figure::new(design, values, &sharings))
        .collect();
    // By sharing-out: the greatest statistic, whose it is, and the next.
    let mut greatest = vec![(0.0_f64, usize::MAX, 0.0_f64); sharings.all.len()];
    let takes_part = |number: usize| counted[number] && figures[number].deviation > 0.0;
    for (number, figure) in figures.iter().enumerate().filter(|(at, _)| takes_part(*at)) {
        for (top, statistic) in greatest.iter_mut().zip(figure.statistics(figure.seen)) {
            if statistic > top.0 {
                *top = (statistic, number, top.0);
            } else {
                top.2 = top.2.max(statistic);
            }
        }
    }
    let refused = |number: usize, shift: f64| {
        let mut statistics = figures[number].statistics(shift);
        let own = statistics.next().unwrap_or(0.0) * (1.0 - TIED);
        let others = |top: &(f64, usize, f64)| if top.1 == number { top.2 } else { top.0 };
        // The captures as they are count as well.
        let as_great = statistics
            .zip(&greatest[1..])
            .filter(|(statistic, top)| statistic.max(others(top)) >= own)
            .count();
        (as_great + 1) as f64 <= error * sharings.all.len() as f64
    };
    let each = |(number, figure): (usize, &Figure)| Shift {
        seen: figure.seen,
        low: end(figure, -1.0, |shift| refused(number, shift)),
        high: end(figure, 1.0, |shift| refused(number, shift)),
        deviation: figure.deviation,
    };
    figures.iter().enumerate().map(each).collect()
}

/// The end of the interval on one side.
fn end(figure: &Figure, side: f64, refused: impl Fn(f64) -> bool) -> f64 {
    if figure.deviation <= 0.0 {
        // No spread at all: nothing is known of how much there might be.
        return side * f64::INFINITY;
    }
    let at = |deviations: f64| figure.seen + side * deviations * figure.deviation;
    let mut far = 1.0;
    while !refused(at(far)) {
        far *= 2.0;
        if far > FARTHEST {
            return side * f64::INFINITY;
        }
    }
    let (mut near, mut far) = (0.0, far);
    for _ in 0..HALVINGS {
        let middle = (near + far) / 2.0;
        match refused(at(middle)) {
            true => far = middle,
            false => near = middle,
        }
    }
    at(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(seed: u64, count: usize) -> Vec<f64> {
        let mut stream = Stream::new(seed, 77);
        (0..count).map(|_| stream.normal()).collect()
    }

    /// One figure of three a side, by hand: every sharing-out of {0, 1, 2 | 10, 11, 12} but itself and its mirror has a
    /// smaller t.
    #[test]
    fn all_sharings_out_are_looked_at() {
        let values = vec![vec![0.0, 1.0, 2.0, 10.0, 11.0, 12.0]];
        let design = Design::Apart { base: 3 };
        let shift = shifts(design, &values, &[true], (0.1, 1))[0];
        assert_eq!(
            (shift.seen, shift.deviation),
            (10.0, (2.0_f64 / 3.0).sqrt())
        );
        assert!(shift.low > 0.0 && shift.high < 20.0, "{shift:?}");
        // Two of twenty is the least that there is.
        let never = shifts(design, &values, &[true], (0.09, 1))[0];
        assert_eq!((never.low, never.high), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn intervals_are_near_students_where_values_are_normal() {
        let design = Design::Apart { base: 10 };
        let mut ratio = 0.0;
        for seed in 0..10 {
            let shift = shifts(design, &[normals(seed, 20)], &[true], (0.05, seed))[0];
            let student = super::super::student::student_quantile(0.05, 18.0) * shift.deviation;
            ratio += (shift.high - shift.low) / 2.0 / student / 10.0;
        }
        assert!((0.9..1.15).contains(&ratio), "{ratio}");
    }

    #[test]
    fn more_figures_make_wider_intervals_and_informational_ones_do_not() {
        let figures: Vec<Vec<f64>> = (0..12).map(|seed| normals(seed, 20)).collect();
        let design = Design::Apart { base: 10 };
        let width = |counted: &[bool]| {
            let shift = shifts(design, &figures, counted, (0.05, 1))[0];
            shift.high - shift.low
        };
        let mut alone = [false; 12];
        alone[0] = true;
        assert!(width(&[true; 12]) > 1.2 * width(&alone));
        let single = shifts(design, &figures[..1], &[true], (0.05, 1))[0];
        assert!((width(&alone) - (single.high - single.low)).abs() < 1e-12);
    }

    /// Nothing that is alike in all captures may keep others from being told apart.
    #[test]
    fn a_figure_without_spread_does_not_count() {
        let varied = vec![0.0, 0.1, 0.2, 0.1, 0.0, 1.0, 1.1, 1.2, 1.1, 1.0];
        let equal = vec![0.005; 10];
        let design = Design::Apart { base: 5 };
        let both = shifts(design, &[varied.clone(), equal], &[true; 2], (0.01, 1));
        let alone = shifts(design, &[varied], &[true], (0.01, 1));
        assert_eq!(both[0], alone[0]);
        assert!(alone[0].low > 0.5, "{:?}", alone[0]);
        assert_eq!(both[1].deviation, 0.0);
    }

    #[test]
    fn pairs_are_turned_round() {
        let differences: Vec<f64> = (0..8).map(|at| 5.0 + f64::from(at) / 10.0).collect();
        let shift = shifts(Design::Paired, &[differences], &[true], (0.01, 1))[0];
        assert!(shift.low > 4.5 && shift.high < 6.2, "{shift:?}");
        let five = shifts(
            Design::Paired,
            &[vec![5.0, 5.1, 5.2, 5.3, 5.4]],
            &[true],
            (0.01, 1),
        )[0];
        assert_eq!(five.low, f64::NEG_INFINITY);
    }

    /// A true shift is missed by any of six figures no more often than promised.
    #[test]
    fn the_promise_holds_at_a_true_shift() {
        let mut missed = 0;
        for seed in 0..300 {
            let mut figures: Vec<Vec<f64>> = (0..6).map(|at| normals(seed * 6 + at, 12)).collect();
            figures
                .iter_mut()
                .for_each(|values| values[6..].iter_mut().for_each(|value| *value += 3.0));
            let shifts = shifts(
                Design::Apart { base: 6 },
                &figures,
                &[true; 6],
                (0.05, seed),
            );
            missed += u32::from(
                shifts
                    .iter()
                    .any(|shift| shift.low > 3.0 || shift.high < 3.0),
            );
        }
        // 15 are promised at most; the deviation is 3.8.
        assert!(missed <= 27, "{missed} of 300");
    }
}
