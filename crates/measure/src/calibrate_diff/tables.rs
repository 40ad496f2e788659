//! The tables of the proof.

use perf_analysis::diff::random::Stream;
use perf_analysis::diff::summary::{SLICES, Slice, Summary};
use perf_analysis::diff::{Noise, calibrate};

use rayon::prelude::*;

use super::judge::{Alarms, Part, Rate, options, said, slower};
use super::nulls::{ALL, Null};
use super::store::Stored;

/// How much made-up runs differ from each other.
const BETWEEN: f64 = 0.03;
/// Runs that noise is learnt from.
const NOISE_RUNS: usize = 20;
/// Runs this far apart, in seconds, are of another time.
const APART_S: i64 = 1800;
/// Slices of a block when a real run is drawn again.
const AGAIN: usize = 8;

/// A table of Markdown, and whether the promise holds in it.
pub(crate) struct Table {
    pub(crate) title: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    pub(crate) broken: Vec<String>,
}

impl Table {
    fn new(title: &str, head: &[&'static str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.to_vec(),
            rows: Vec::new(),
            broken: Vec::new(),
        }
    }

    fn alarms(&mut self, name: &str, alarms: &Alarms) {
        let mut row = vec![name.to_owned()];
        row.extend(
            alarms
                .rates()
                .iter()
                .take(self.head.len() - 1)
                .map(Rate::to_string),
        );
        self.rows.push(row);
        if alarms.breaks_promise() {
            self.broken.push(format!("{}: {name}", self.title));
        }
    }

    /// Alarms that the command itself calls provisional: no promise is made of them.
    fn provisional(&mut self, name: &str, alarms: &Alarms) {
        self.alarms(&format!("{name} (provisional)"), alarms);
        self.broken
            .pop_if(|broken| broken.ends_with("(provisional)"));
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut out = format!("### {}\n\n", self.title);
        out.push_str(&line(self.head.clone()));
        out.push_str(&line(vec!["---"; self.head.len()]));
        for row in &self.rows {
            out.push_str(&line(row.iter().map(String::as_str).collect()));
        }
        out
    }
}

const ALARMS: [&str; 8] = [
    "captures",
    "alarms at no shift",
    "at a shift of the bound",
    "cannot tell, at no shift",
    "Mann–Whitney, no shift",
    "5 % threshold, no shift",
    "independent bootstrap, no shift",
    "the same at the bound",
];

/// One capture a side of made-up processes.
pub(crate) fn one_a_side(trials: usize) -> Table {
    let mut table = Table::new("One capture a side, made up, without noise", &ALARMS);
    for (number, null) in ALL.into_iter().enumerate() {
        let alarms = Alarms::of(trials, |trial| {
            let seed = number as u64 * 1_000_000 + trial as u64 * 2;
            let [base, new] = [seed, seed + 1].map(|seed| null.capture(seed, 1.0, 0.0));
            (vec![base], vec![new], None)
        });
        table.alarms(&null.name(), &alarms);
    }
    table
}

/// Several captures a side, or one with noise, that differ from run to run.
pub(crate) fn several_a_side(trials: usize) -> Table {
    let mut table = Table::new("Made-up runs that differ by 3 % each", &ALARMS[..4]);
    for (null, base, new, learnt) in [
        (Null::Independent, 1, 1, NOISE_RUNS),
        (Null::Remembers(0.9), 1, 1, NOISE_RUNS),
        (Null::Pareto, 1, 1, NOISE_RUNS),
        (Null::Independent, 3, 3, NOISE_RUNS),
        (Null::Independent, 10, 1, 0),
        (Null::Independent, 20, 1, 0),
        (Null::Pareto, 10, 1, 0),
        (Null::Independent, 5, 5, 0),
        (Null::Remembers(0.99), 5, 5, 0),
        (Null::Independent, 10, 10, 0),
        (Null::Pareto, 10, 10, 0),
    ] {
        let alarms = Alarms::of(trials, |trial| {
            let mut seed = (base * 100 + new * 10) as u64 * 1_000_000 + trial as u64 * 50;
            let mut runs = |count: usize| -> Vec<Summary> {
                (0..count)
                    .map(|_| {
                        seed += 1;
                        null.capture(seed, 1.0, BETWEEN)
                    })
                    .collect()
            };
            let (base, new, learnt) = (runs(base), runs(new), runs(learnt));
            let noise = (!learnt.is_empty()).then(|| calibrate(&learnt, &[]));
            (base, new, noise)
        });
        let with = if learnt > 0 {
            format!(", noise of {learnt}")
        } else {
            String::new()
        };
        table.alarms(
            &format!("{}, {base} against {new}{with}", null.name()),
            &alarms,
        );
    }
    table
}

/// Real runs of one build.
pub(crate) fn real(stored: &[Stored], runs: &[Summary]) -> Table {
    let mut table = Table::new("Real runs of one build", &ALARMS);
    let plain: Vec<usize> = (0..stored.len())
        .filter(|at| stored[*at].spin_us == 0)
        .collect();
    let apart = |a: usize, b: usize| stored[b].at_unix_s - stored[a].at_unix_s;
    let adjacent: Vec<(usize, usize)> = plain
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let mut distant = Vec::new();
    let mut taken = vec![false; stored.len()];
    for a in &plain {
        let partner = plain
            .iter()
            .find(|b| apart(*a, **b) >= APART_S && !taken[**b]);
        if let Some(b) = partner.filter(|_| !taken[*a]) {
            (taken[*a], taken[*b]) = (true, true);
            distant.push((*a, *b));
        }
    }
    let learn = |without: (usize, usize)| -> Noise {
        // Spread over the time of recording, and never of the pair itself.
        let others: Vec<usize> = (plain.iter().copied())
            .filter(|at| *at != without.0 && *at != without.1)
            .collect();
        let step = (others.len() / NOISE_RUNS).max(1);
        let chosen: Vec<Summary> = others
            .iter()
            .step_by(step)
            .take(NOISE_RUNS)
            .map(|at| runs[*at].clone())
            .collect();
        calibrate(&chosen, &[])
    };
    let of = |at: &[usize]| -> Vec<Summary> { at.iter().map(|at| runs[*at].clone()).collect() };
    for (name, pairs) in [("adjacent", &adjacent), ("half an hour apart", &distant)] {
        let pair = |at: usize| pairs[at];
        let blind = Alarms::of(pairs.len(), |at| {
            let (base, new) = pair(at);
            (of(&[base]), of(&[new]), None)
        });
        let learnt = Alarms::of(pairs.len(), |at| {
            let (base, new) = pair(at);
            (of(&[base]), of(&[new]), Some(learn((base, new))))
        });
        table.provisional(&format!("{name}, one a side"), &blind);
        table.alarms(
            &format!("{name}, one a side, noise of {NOISE_RUNS}"),
            &learnt,
        );
    }
    let again = Alarms::of(plain.len(), |at| {
        let [base, new] =
            [0, 1].map(|side| vec![drawn_again(&runs[plain[at]], at as u64 * 2 + side)]);
        (base, new, None)
    });
    table.alarms("blocks of one run drawn again", &again);
    for each in [5, 10] {
        let groups: Vec<&[usize]> = plain.chunks_exact(2 * each).collect();
        let blocks = Alarms::of(groups.len(), |at| {
            let (base, new) = groups[at].split_at(each);
            (of(base), of(new), None)
        });
        let turns = Alarms::of(groups.len(), |at| {
            let turn =
                |side| -> Vec<usize> { groups[at].iter().copied().skip(side).step_by(2).collect() };
            (of(&turn(0)), of(&turn(1)), None)
        });
        table.alarms(&format!("{each} a side, one side after the other"), &blocks);
        table.alarms(&format!("{each} a side, in turns"), &turns);
    }
    let windows: Vec<&[usize]> = plain.windows(16).step_by(5).collect();
    let history = Alarms::of(windows.len(), |at| {
        (of(&windows[at][..15]), of(&windows[at][15..]), None)
    });
    table.alarms("one against the 15 before", &history);
    let spread = Alarms::of(windows.len(), |at| {
        let new = windows[at][15];
        let others: Vec<usize> = plain
            .iter()
            .copied()
            .filter(|other| *other != new)
            .collect();
        let step = (others.len() / 15).max(1);
        let history: Vec<usize> = others
            .into_iter()
            .skip(at % step)
            .step_by(step)
            .take(15)
            .collect();
        (of(&history), of(&[new]), None)
    });
    table.alarms("one against 15 of the whole time", &spread);
    table
}

/// A run whose blocks of slices are drawn again.
fn drawn_again(run: &Summary, seed: u64) -> Summary {
    let mut stream = Stream::new(seed, 4711);
    let starts: Vec<usize> = (0..SLICES / AGAIN).map(|_| stream.below(SLICES)).collect();
    let mut run = run.clone();
    for series in &mut run.series {
        let drawn: Vec<Slice> = starts
            .iter()
            .flat_map(|start| (*start..start + AGAIN).map(|at| at % SLICES))
            .map(|at| series.slices[at].clone())
            .collect();
        series.slices = drawn;
    }
    run
}

/// How often changes are found.
pub(crate) fn power(trials: usize) -> Table {
    let head = [
        "slower by",
        "1 a side",
        "1, noise of 20",
        "5 a side",
        "10 a side",
        "1 against 20",
    ];
    let mut table = Table::new(
        "Power: made-up runs that differ by 3 %, called worse",
        &head,
    );
    for part in [Part::All, Part::Tail, Part::Stage] {
        for shift in [0.02, 0.05, 0.1, 0.2, 0.5] {
            let judge = |trial: usize| {
                let mut rates = [Rate::default(); 5];
                let mut seed = 7_000_000_000 + trial as u64 * 200;
                let mut runs = |count: usize, between: f64| -> Vec<Summary> {
                    seed += count as u64;
                    let seeds = seed..seed + count as u64;
                    seeds
                        .map(|seed| Null::Independent.capture(seed, 1.0, between))
                        .collect()
                };
                let (one, many, more) = (runs(2, 0.0), runs(20, BETWEEN), runs(21, BETWEEN));
                let noise = calibrate(&more[..20], &[]);
                let slow = |runs: &[Summary]| -> Vec<Summary> {
                    runs.iter().map(|run| slower(run, shift, part)).collect()
                };
                for (rate, (base, new, noise)) in rates.iter_mut().zip([
                    (&one[..1], &one[1..], None),
                    (&many[..1], &many[1..2], Some(&noise)),
                    (&many[..5], &many[5..10], None),
                    (&many[..10], &many[10..], None),
                    (&more[..20], &more[20..], None),
                ]) {
                    rate.add(said(base, &slow(new), &options(noise)).regression);
                }
                rates
            };
            let merge = |mut one: [Rate; 5], other: [Rate; 5]| {
                one.iter_mut()
                    .zip(other)
                    .for_each(|(mine, theirs)| mine.merge(theirs));
                one
            };
            let trials = (0..trials).into_par_iter().map(judge);
            let rates = trials.reduce(|| [Rate::default(); 5], merge);
            let what = match part {
                Part::All => "all",
                Part::Tail => "the slowest tenth",
                Part::Stage => "a stage of a fifth",
            };
            let mut row = vec![format!("{} %, {what}", shift * 100.0)];
            row.extend(rates.iter().map(Rate::to_string));
            table.rows.push(row);
        }
    }
    table
}

/// How often real builds with a busy wait are found slower.
pub(crate) fn real_power(stored: &[Stored], runs: &[Summary]) -> Table {
    let head = [
        "each signal waits",
        "1 a side (provisional)",
        "1 a side, noise of 20",
        "3 a side, noise of 20",
        "5 a side, in turns",
        "1 against 20 of the whole time",
    ];
    let mut table = Table::new("Power: real builds with a busy wait, called worse", &head);
    let with_wait = |wait: u32| -> Vec<usize> {
        (0..stored.len())
            .filter(|at| stored[*at].spin_us == wait)
            .collect()
    };
    let plain = with_wait(0);
    let of = |at: &[usize]| -> Vec<Summary> { at.iter().map(|at| runs[*at].clone()).collect() };
    // The plain runs that were recorded right before.
    let before = |at: usize, count: usize| {
        let end = plain.partition_point(|plain| *plain < at);
        plain.get(end.checked_sub(count)?..end)
    };
    let mut waits: Vec<u32> = stored
        .iter()
        .map(|run| run.spin_us)
        .filter(|wait| *wait > 0)
        .collect();
    waits.sort_unstable();
    waits.dedup();
    for wait in waits {
        let slow = with_wait(wait);
        let mut rates = [Rate::default(); 5];
        for (number, at) in slow.iter().enumerate() {
            let Some(three) = before(*at, 3) else {
                continue;
            };
            let others: Vec<usize> = plain
                .iter()
                .copied()
                .filter(|at| !three.contains(at))
                .collect();
            let step = (others.len() / NOISE_RUNS).max(1);
            let history: Vec<usize> = others.into_iter().step_by(step).take(NOISE_RUNS).collect();
            let noise = calibrate(&of(&history), &[]);
            let new = of(&[*at]);
            let mut judge =
                |rate: usize, base: &[Summary], new: &[Summary], noise: Option<&Noise>| {
                    rates[rate].add(said(base, new, &options(noise)).regression);
                };
            judge(0, &of(&three[2..]), &new, None);
            judge(1, &of(&three[2..]), &new, Some(&noise));
            if let Some(slow) = slow.get(number..number + 3) {
                judge(2, &of(three), &of(slow), Some(&noise));
            }
            if let Some(slow) = slow.get(number..number + 5) {
                let turns: Option<Vec<usize>> =
                    slow.iter().map(|at| Some(before(*at, 1)?[0])).collect();
                if let Some(turns) = turns {
                    judge(3, &of(&turns), &of(slow), None);
                }
            }
            judge(4, &of(&history), &new, None);
        }
        let mut row = vec![format!("{wait} µs")];
        row.extend(rates.iter().map(Rate::to_string));
        table.rows.push(row);
    }
    table
}
