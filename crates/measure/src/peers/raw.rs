//! The raw figures of a run, as they are kept in `peers.json`, and what follows from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ask::Asked;

/// Figures by name, as the measured programs print them.
pub(crate) type Figures = BTreeMap<String, f64>;

/// All that was measured: the newest run of each part.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Raw {
    /// When and how each part was measured, by its name.
    pub(crate) runs: BTreeMap<String, Run>,
    /// By the subject's name.
    pub(crate) recording: BTreeMap<String, Recording>,
    /// By the subject's name: a process that was killed each.
    pub(crate) deaths: BTreeMap<String, Vec<Death>>,
    pub(crate) analysis: Vec<Task>,
    /// Each recorder's own tool on its own file.
    #[serde(default)]
    pub(crate) reading: Vec<Task>,
}

/// When and how a part was measured.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it began, UTC.
    pub(crate) date: String,
    pub(crate) machine: String,
    /// Whether it was a short run, of which little is to be concluded.
    pub(crate) quick: bool,
    /// What could not be measured, and why.
    pub(crate) skipped: Vec<String>,
}

impl Raw {
    /// Notes that something of a part could not be measured.
    pub(crate) fn skip(&mut self, part: &str, why: String) {
        self.runs
            .entry(part.to_owned())
            .or_default()
            .skipped
            .push(why);
    }
}

/// What was measured of a subject's recording.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// By the number of threads: the figures of each round.
    pub(crate) cost: BTreeMap<usize, Vec<Figures>>,
    /// The same on one thread while nobody listens.
    pub(crate) off: Vec<Figures>,
    /// Instructions of a span.
    pub(crate) instructions: Option<f64>,
    /// At full speed, by the number of threads.
    pub(crate) speed: BTreeMap<usize, Vec<Figures>>,
}

/// A process that was killed while it recorded.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Death {
    /// Spans whose recording call had returned.
    pub(crate) acknowledged: u64,
    /// Spans that were found afterwards.
    pub(crate) found: u64,
}

/// One thing that was done with a capture, by one program.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// What was asked.
    pub(crate) question: String,
    /// Who answered.
    pub(crate) program: String,
    pub(crate) spans: u64,
    pub(crate) threads: usize,
    /// Wall-clock time of the whole process, s, of each round.
    pub(crate) seconds: Vec<f64>,
    /// The most memory that it had resident, KiB: anonymous, and in all.
    pub(crate) anonymous_kib: u64,
    pub(crate) peak_kib: u64,
    /// Bytes that it asked the kernel for; what it maps is not among them.
    pub(crate) read_bytes: u64,
    /// Size of the file that it reads.
    pub(crate) file_bytes: u64,
    /// Whether its answer is the same as ours, within 0.1 %; absent for our own.
    pub(crate) agrees: Option<bool>,
}

impl Task {
    /// A question, asked of a program in several rounds.
    pub(crate) fn of(
        asked: &[Asked],
        (question, program): (&str, &str),
        spans: u64,
        threads: usize,
        file_bytes: u64,
    ) -> Self {
        let most = |of: fn(&Asked) -> u64| asked.iter().map(of).max().unwrap_or(0);
        Self {
            question: question.to_owned(),
            program: program.to_owned(),
            spans,
            threads,
            seconds: asked.iter().map(|asked| asked.seconds).collect(),
            anonymous_kib: most(|asked| asked.anonymous_kib),
            peak_kib: most(|asked| asked.peak_kib),
            read_bytes: most(|asked| asked.read_bytes),
            file_bytes,
            agrees: None,
        }
    }

    /// The median of its rounds, s.
    pub(crate) fn seconds(&self) -> Option<f64> {
        median(self.seconds.iter().copied())
    }
}

/// The median, if there is any value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The median of one figure over the rounds.
pub(crate) fn middle(rounds: &[Figures], name: &str) -> Option<f64> {
    median(
        rounds
            .iter()
            .filter_map(|figures| figures.get(name).copied()),
    )
}

impl Recording {
    /// What a span costs its thread against two bare clock reads of the same moment, on so many threads.
    pub(crate) fn ratio(&self, threads: usize) -> Option<f64> {
        middle(self.cost.get(&threads)?, "ratio")
    }

    /// A figure of `cost` on one thread.
    pub(crate) fn cost(&self, name: &str) -> Option<f64> {
        middle(self.cost.get(&1)?, name)
    }

    /// What a span costs while nobody listens, ns.
    pub(crate) fn off_ns(&self) -> Option<f64> {
        middle(&self.off, "span_ns")
    }

    /// A figure of the run at full speed that is computed from others.
    fn at_speed(&self, threads: usize, of: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        median(self.speed.get(&threads)?.iter().filter_map(of))
    }

    /// Bytes in the files a span that is in them.
    pub(crate) fn bytes_per_span(&self, threads: usize) -> Option<f64> {
        self.at_speed(threads, |run| {
            let written = *run.get("written")?;
            (written > 0.0).then_some(run.get("bytes")? / written)
        })
    }

    /// The share of the spans attempted that is not in the files afterwards.
    pub(crate) fn lost(&self, threads: usize) -> Option<f64> {
        self.at_speed(threads, |run| {
            let attempted = *run.get("attempted")?;
            Some((attempted - run.get("written")?).max(0.0) / attempted)
        })
    }

    /// Spans attempted a second at full speed, all threads together.
    pub(crate) fn attempted_per_second(&self, threads: usize) -> Option<f64> {
        self.at_speed(threads, |run| {
            Some(run.get("attempted")? / run.get("recording_s")?)
        })
    }

    /// Spans kept a second, from the first call until everything is in the file.
    pub(crate) fn kept_per_second(&self, threads: usize) -> Option<f64> {
        self.at_speed(threads, |run| {
            Some(run.get("written")? / run.get("finished_s")?)
        })
    }

    /// The most memory resident, bytes.
    pub(crate) fn peak_bytes(&self, threads: usize) -> Option<f64> {
        self.at_speed(threads, |run| Some(run.get("peak_kib")? * 1024.0))
    }
}

impl Death {
    /// Acknowledged, and in no file.
    pub(crate) fn lost(self) -> u64 {
        self.acknowledged.saturating_sub(self.found)
    }
}
