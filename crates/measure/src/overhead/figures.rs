//! What blocks and rounds come to, and how two ways to run a program differ.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use perf_analysis::diff::student::student_quantile;
use serde::Serialize;

use super::subject::{Load, Subject};

/// How sure the intervals are.
const CONFIDENCE: f64 = 0.95;

/// One block of load.
#[derive(Clone, Serialize)]
pub(crate) struct Block {
    pub(crate) units: u64,
    pub(crate) wall_ns: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    /// Processor time of the whole program until its next block.
    pub(crate) cpu_ns: u64,
    /// What of it the recorder's threads took.
    pub(crate) recorder_cpu_ns: u64,
}

impl Block {
    /// From a line `count p50_ns p99_ns wall_ns`.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line
            .split(' ')
            .map(|word| word.parse().with_context(|| format!("not figures: {line}")))
            .collect::<Result<_>>()?;
        let [units, p50_ns, p99_ns, wall_ns] = numbers[..] else {
            anyhow::bail!("not four figures: {line}")
        };
        Ok(Self {
            units,
            wall_ns,
            p50_ns,
            p99_ns,
            cpu_ns: 0,
            recorder_cpu_ns: 0,
        })
    }

    /// From the times of its units, the shortest first.
    pub(crate) fn of_times(took: &[Duration], wall: Duration) -> Self {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let at = |share: f64| {
            let rank = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
            took.get(rank).copied().map_or(0, ns)
        };
        Self {
            units: took.len() as u64,
            wall_ns: ns(wall),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            cpu_ns: 0,
            recorder_cpu_ns: 0,
        }
    }
}

/// One process over a round.
#[derive(Serialize)]
pub(crate) struct Round {
    pub(crate) units_per_second: f64,
    pub(crate) cpu_ns_per_unit: f64,
    pub(crate) recorder_cpu_ns_per_unit: f64,
    /// Medians over the blocks.
    pub(crate) p50_ns: f64,
    pub(crate) p99_ns: f64,
    blocks: Vec<Block>,
}

impl Round {
    pub(crate) fn of(blocks: Vec<Block>) -> Result<Self> {
        let sum = |field: fn(&Block) -> u64| blocks.iter().map(field).sum::<u64>() as f64;
        let middle = |field: fn(&Block) -> u64| {
            median(blocks.iter().map(|block| field(block) as f64).collect())
        };
        let units = sum(|block| block.units);
        ensure!(units > 0.0, "nothing was done");
        Ok(Self {
            units_per_second: units * 1e9 / sum(|block| block.wall_ns),
            cpu_ns_per_unit: sum(|block| block.cpu_ns) / units,
            recorder_cpu_ns_per_unit: sum(|block| block.recorder_cpu_ns) / units,
            p50_ns: middle(|block| block.p50_ns),
            p99_ns: middle(|block| block.p99_ns),
            blocks,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How the captured program differs from another one in a figure: 0.01 is one hundredth more.
#[derive(Serialize)]
pub(crate) struct Comparison {
    /// The arm that it is compared with.
    pub(crate) with: &'static str,
    pub(crate) figure: &'static str,
    pub(crate) difference: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// What rounds are compared by.
struct Figure {
    name: &'static str,
    of: fn(&Round) -> f64,
}

const CPU: Figure = Figure {
    name: "processor time",
    of: |round| round.cpu_ns_per_unit,
};
const P50: Figure = Figure {
    name: "latency p50",
    of: |round| round.p50_ns,
};
const P99: Figure = Figure {
    name: "latency p99",
    of: |round| round.p99_ns,
};
const THROUGHPUT: Figure = Figure {
    name: "throughput",
    of: |round| round.units_per_second,
};

/// The figures that say something of a program: one that is given its work when it is due does all of it.
fn figures(subject: &Subject) -> &'static [Figure] {
    match subject.load {
        Load::Candles(_) => &[P50, P99, CPU],
        Load::Requests => &[THROUGHPUT, P50, P99, CPU],
    }
}

/// The last arm against each other one.
pub(crate) fn compare(subject: &Subject, rounds: &[Vec<Round>]) -> Vec<Comparison> {
    let last = subject.arms.len() - 1;
    let mut comparisons = Vec::new();
    for (number, arm) in subject.arms[..last].iter().enumerate() {
        for figure in figures(subject) {
            let logs: Vec<f64> = rounds
                .iter()
                .map(|arms| ((figure.of)(&arms[last]) / (figure.of)(&arms[number])).ln())
                .collect();
            let (mean, half) = interval(&logs);
            comparisons.push(Comparison {
                with: arm.name,
                figure: figure.name,
                difference: mean.exp_m1(),
                from: (mean - half).exp_m1(),
                to: (mean + half).exp_m1(),
            });
        }
    }
    comparisons
}

/// The mean, and half the width of its interval.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    (
        mean,
        error * student_quantile(1.0 - CONFIDENCE, count - 1.0),
    )
}

/// The table of a subject.
pub(crate) fn print(subject: &Subject, rounds: &[Vec<Round>], comparisons: &[Comparison]) {
    println!("\n  {} (medians over the rounds)", subject.name);
    println!(
        "    {:<16} {:>12} {:>12} {:>12} {:>16} {:>16}",
        "",
        format!("{}s/s", subject.unit),
        "p50 µs",
        "p99 µs",
        format!("CPU µs/{}", subject.unit),
        "of it recorder"
    );
    for (number, arm) in subject.arms.iter().enumerate() {
        let middle =
            |of: fn(&Round) -> f64| median(rounds.iter().map(|arms| of(&arms[number])).collect());
        println!(
            "    {:<16} {:>12.0} {:>12.1} {:>12.1} {:>16.2} {:>16.2}",
            arm.name,
            middle(|round| round.units_per_second),
            middle(|round| round.p50_ns) / 1e3,
            middle(|round| round.p99_ns) / 1e3,
            middle(|round| round.cpu_ns_per_unit) / 1e3,
            middle(|round| round.recorder_cpu_ns_per_unit) / 1e3,
        );
    }
    for comparison in comparisons {
        let Comparison {
            with,
            figure,
            difference,
            from,
            to,
        } = comparison;
        println!(
            "    {figure:<16} {:>+11.2} %   95 % interval {:>+7.2} % to {:>+6.2} %   against {with}",
            difference * 100.0,
            from * 100.0,
            to * 100.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Mean 3, standard deviation √2.5, five values: t of 4 degrees at 97.5 % is 2.776.
        let (mean, half) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(mean, 3.0);
        assert!(
            (half - 2.776 * (2.5_f64 / 5.0).sqrt()).abs() < 1e-3,
            "{half}"
        );
    }

    #[test]
    fn rounds_add_up_their_blocks_and_take_the_middle_of_their_percentiles() {
        let block = |line, cpu_ns| Block {
            cpu_ns,
            ..Block::parse(line).expect("a block")
        };
        let blocks = vec![
            block("10 5 50 1000", 100),
            block("10 7 90 1000", 300),
            block("20 6 70 2000", 400),
        ];
        let round = Round::of(blocks).expect("units");
        assert_eq!((round.p50_ns, round.p99_ns), (6.0, 70.0));
        assert_eq!((round.cpu_ns_per_unit, round.units_per_second), (20.0, 1e7));
        assert!(Block::parse("10 5 50").is_err() && Round::of(Vec::new()).is_err());
    }
}
