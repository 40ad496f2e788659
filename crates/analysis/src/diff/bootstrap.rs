//! One capture a side: how far its figures would move, had the same weather come in another order.
//!
//! Blocks of slices are drawn with replacement, the same blocks for all figures of a side, so that what moves together does
//! so here as well. Each replicate is measured by its own deviation, and the greatest of all figures decides: the interval of
//! each figure then holds for all of them at once.
//!
//! Source: Hall, On symmetric bootstrap confidence intervals, JRSS B 50 (1988), for the symmetric studentized interval;
//! Götze and Künsch, Annals of Statistics 24 (1996), for studentizing with blocks.

use rayon::prelude::*;

use super::counts::{Blocks, Counts};
use super::measure::Measure;
use super::random::Stream;
use super::student::student_quantile;
use super::summary::SLICES;
use super::within::Within;

/// A replicate's own deviation is at least this part of the whole capture's: by chance all its blocks may be alike.
const LEAST_OWN: f64 = 0.2;

/// A figure of one side.
#[derive(Debug, Clone, Copy)]
pub struct Figure<'a> {
    /// What it is of.
    pub counts: &'a Counts,
    /// Which figure.
    pub measure: Measure,
    /// What the capture knows of it.
    pub within: Within,
}

/// How often to draw, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Replicates.
    pub replicates: usize,
    /// The seed.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// By figure: the variance of each side's, base and new.
    pub variances: Vec<[f64; 2]>,
    /// So many deviations to both sides hold for all figures at once.
    pub multiplier: f64,
    /// Slices a block.
    pub length: usize,
}

/// Replicates of a figure of one side: how far each is from the figure, and its own deviation relative to the whole's.
struct Moved {
    variance: f64,
    moves: Vec<(f64, f64)>,
}

/// Draws both sides of all figures. `error` is the chance that any of the intervals misses; only figures for which `counted`
/// holds take part in that.
pub fn draw(figures: &[[Figure<'_>; 2]], counted: &[bool], draws: Draws, error: f64) -> Drawn {
    let lengths = figures.iter().flatten().map(|figure| figure.within.length);
    let length = lengths.max().unwrap_or(1);
    let sides: Vec<(usize, usize)> = (0..figures.len())
        .flat_map(|figure| [(figure, 0), (figure, 1)])
        .collect();
    let moved: Vec<Moved> = sides
        .par_iter()
        .map(|(figure, side)| moves(&figures[*figure][*side], length, *side, draws))
        .collect();
    let pairs: Vec<&[Moved]> = moved.chunks(2).collect();
    let greatest = |replicate: usize| -> f64 {
        let counted = pairs.iter().zip(counted).filter(|(_, counted)| **counted);
        let each = counted.map(|(pair, _)| {
            let [(base, own_base), (new, own_new)] = [&pair[0], &pair[1]].map(|side| {
                let (moved, own) = side.moves[replicate];
                (moved, side.variance * own * own)
            });
            let deviation = (own_base + own_new).sqrt();
            if deviation > 0.0 {
                (new - base).abs() / deviation
            } else {
                0.0
            }
        });
        each.fold(0.0, f64::max)
    };
    let mut greatest: Vec<f64> = (0..draws.replicates).map(greatest).collect();
    greatest.sort_unstable_by(f64::total_cmp);
    let rank = ((1.0 - error) * (draws.replicates as f64 + 1.0)).ceil() as usize;
    let drawn = greatest.get(rank.clamp(1, draws.replicates.max(1)) - 1);
    // Never less than what one figure alone would take.
    let blocks = (SLICES / length) as f64;
    let alone = student_quantile(error, blocks - 1.0);
    Drawn {
        variances: pairs
            .iter()
            .map(|pair| [pair[0].variance, pair[1].variance])
            .collect(),
        multiplier: drawn.copied().unwrap_or(f64::INFINITY).max(alone),
        length,
    }
}

fn moves(figure: &Figure<'_>, length: usize, side: usize, draws: Draws) -> Moved {
    let Figure {
        counts,
        measure,
        within,
    } = *figure;
    let number = SLICES / length;
    let mut blocks = Blocks::new(vec![0; number], length);
    let whole = spread(
        counts,
        measure,
        &every_block(length),
        (within.value, within.place),
    );
    let weight = |blocks: &Blocks| measure.weight(counts, blocks);
    let whole = whole / weight(&Blocks::all()).max(1.0);
    // A figure is never known better than its neighbours can be told apart.
    let rounding = within.resolution * within.resolution / 12.0;
    if whole == 0.0 {
        // All slices are alike, and so is every choice of them.
        return Moved {
            variance: rounding,
            moves: vec![(0.0, 1.0); draws.replicates],
        };
    }
    let mut moves = Vec::with_capacity(draws.replicates);
    for replicate in 0..draws.replicates as u64 {
        let mut stream = Stream::new(draws.seed, replicate * 2 + side as u64);
        blocks.replace(|| stream.below(SLICES));
        let Some(at) = measure.value(counts, &blocks, within.place) else {
            moves.push((0.0, 1.0));
            continue;
        };
        let own = spread(counts, measure, &blocks, at) / weight(&blocks).max(1.0);
        moves.push((at.0 - within.value, (own / whole).max(LEAST_OWN)));
    }
    let mean = moves.iter().map(|(moved, _)| moved).sum::<f64>() / moves.len().max(1) as f64;
    let squares: f64 = moves.iter().map(|(moved, _)| (moved - mean).powi(2)).sum();
    let drawn = squares / (moves.len().max(2) - 1) as f64;
    Moved {
        variance: drawn * within.stretch + rounding,
        moves,
    }
}

fn every_block(length: usize) -> Blocks {
    Blocks::new((0..SLICES).collect(), length)
}

/// The deviation of the sum of excesses over as many blocks as make a capture.
fn spread(counts: &Counts, measure: Measure, blocks: &Blocks, at: (f64, usize)) -> f64 {
    let (mut sum, mut squares, mut number) = (0.0, 0.0, 0.0);
    measure.excess(counts, blocks, at, |_, excess| {
        sum += excess;
        squares += excess * excess;
        number += 1.0;
    });
    let variance = (squares - sum * sum / number).max(0.0) / (number - 1.0_f64).max(1.0);
    (variance * SLICES as f64 / blocks.length() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::summary::{SeriesBuilder, SeriesKind};
    use crate::value::Percentile;

    fn exponential(seed: u64, each: usize) -> Counts {
        let mut stream = Stream::new(seed, 9);
        let mut builder = SeriesBuilder::default();
        for slice in 0..SLICES {
            for _ in 0..each {
                builder.ok(slice, (-1e6 * stream.unit().ln()) as u64, 1);
            }
        }
        Counts::of(&builder.build(SeriesKind::Span, "A", "ns"))
    }

    /// The logarithm of the quantile p of exponential values has a variance of p / ((1 − p) n ln²(1 − p)).
    #[test]
    fn the_variance_is_that_of_theory() {
        for (measure, p) in [(0, 0.5), (2, 0.99_f64)] {
            let measure = Measure::Quantile(Percentile::DEFAULTS[measure]);
            let each = 100;
            let theory = p / ((1.0 - p) * (SLICES * each) as f64 * (1.0 - p).ln().powi(2));
            let mut mean = 0.0;
            for seed in 0..12 {
                let counts = exponential(seed, each);
                let within = Within::of(&counts, measure).unwrap();
                let figure = Figure {
                    counts: &counts,
                    measure,
                    within,
                };
                let draws = Draws {
                    replicates: 300,
                    seed,
                };
                let drawn = draw(&[[figure, figure]], &[true], draws, 0.01);
                mean += drawn.variances[0][0] / 12.0;
                assert!(
                    (2.5..6.0).contains(&drawn.multiplier),
                    "{}",
                    drawn.multiplier
                );
            }
            assert!(
                (0.7..1.6).contains(&(mean / theory)),
                "p{p}: {}",
                mean / theory
            );
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_at_any_number_of_threads() {
        let counts = exponential(3, 40);
        let measure = Measure::Quantile(Percentile::DEFAULTS[2]);
        let within = Within::of(&counts, measure).unwrap();
        let figure = Figure {
            counts: &counts,
            measure,
            within,
        };
        let draws = Draws {
            replicates: 99,
            seed: 5,
        };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| draw(&[[figure; 2]; 7], &[true; 7], draws, 0.05))
        };
        assert_eq!(run(1), run(3));
    }
}
