//! From a capture to its slices: one pass over its records by event, one by trace.

use std::collections::BTreeMap;

use perf_format::bins;

use super::summary::{Owner, SLICES, Series, SeriesBuilder, SeriesKind, Summary};
use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;
use crate::report::run::Run;
use crate::report::slots::each_slot;
use crate::report::{EventKind, Outcome};
use crate::threads::with_threads;
use crate::traces::hash::NumberMap;
use crate::traces::{Flow, FlowId, Trace, TraceOptions, TraceSink, Traces, traces_with};
use crate::value::Percentile;
use crate::warning::{Warning, WarningKind};

/// Flows that are told apart, at most.
const MAX_FLOWS: usize = 256;

/// The slices of each capture of `set`, in its order, and what a reader of them must know.
///
/// # Errors
/// As [`crate::report()`] and [`crate::traces()`].
pub fn summarise(
    set: CaptureSet,
    options: &ReportOptions,
) -> Result<(Vec<Summary>, Vec<Warning>), Error> {
    let mut summaries = Vec::new();
    let mut warnings = set.warnings().to_vec();
    for capture in set.singly() {
        let (summary, more) = one(&capture, options)?;
        summaries.push(summary);
        warnings.extend(more.into_iter().filter(concerns));
    }
    warnings.dedup();
    Ok((summaries, warnings))
}

/// Whether a warning of the report says something about a comparison.
fn concerns(warning: &Warning) -> bool {
    use crate::warning::WarningKind as Kind;
    warning.kind.is_damage()
        || matches!(
            warning.kind,
            Kind::Loss { .. }
                | Kind::NotClosed { .. }
                | Kind::Salvage { .. }
                | Kind::NothingSelected
                | Kind::SampledRecords
        )
}

fn one(set: &CaptureSet, options: &ReportOptions) -> Result<(Summary, Vec<Warning>), Error> {
    let options = ReportOptions {
        every_ns: None,
        events: Vec::new(),
        by: None,
        ..options.clone()
    };
    with_threads(options.threads, || {
        let run = Run::new(set, &options)?;
        let Some((from, to)) = run.stretches.bounds() else {
            return Ok((empty(set), Vec::new()));
        };
        let cut = Cut::new(from, to);
        let mut series = events(&run, cut)?;
        let seen = traces_with(set, &trace_options(&options), |_| Flows::new(cut))?;
        let numbers = 0..seen.sink.of.len() as u32;
        let names: Vec<Option<String>> = numbers
            .map(|number| seen.flow_name(FlowId(number)).map(str::to_owned))
            .collect();
        series.extend(flows(seen.sink, &seen.traces, names));
        series.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let traces = seen.traces;
        let mut summary = empty(set);
        (summary.start_unix_ns, summary.duration_ns) = (from, to.abs_diff(from));
        summary.series = series;
        if let Some(capture) = traces.captures.first() {
            summary.host.clone_from(&capture.host);
            summary.labels.clone_from(&capture.labels);
            summary.clock.clone_from(&capture.clock.source);
            let rate = capture.clock.ticks_per_second;
            summary.tick_ns = if rate > 0.0 { 1e9 / rate } else { 1.0 };
            (summary.records, summary.lost) = (capture.records, capture.lost);
        }
        let mut warnings = traces.warnings;
        if set.captures().iter().any(|capture| capture.is_sampled()) {
            warnings.push(Warning {
                capture: Some(summary.path.clone()),
                kind: WarningKind::SampledRecords,
            });
        }
        Ok((summary, warnings))
    })
}

fn empty(set: &CaptureSet) -> Summary {
    let path = set.captures().first().map_or("", |capture| capture.path());
    Summary {
        path: path.to_owned(),
        start_unix_ns: 0,
        host: String::new(),
        labels: BTreeMap::new(),
        clock: String::new(),
        tick_ns: 1.0,
        records: 0,
        lost: 0,
        duration_ns: 0,
        series: Vec::new(),
    }
}

fn trace_options(options: &ReportOptions) -> TraceOptions {
    TraceOptions {
        since: options.since,
        until: options.until,
        skip_ns: options.skip_ns,
        percentiles: vec![Percentile::DEFAULTS[2]],
        max_flows: MAX_FLOWS,
        slowest: 0,
        context: false,
        strict: options.strict,
        threads: options.threads,
        ..TraceOptions::default()
    }
}

/// How time is cut. Slots lie at multiples of their length, so that the first slice is a little shorter than the others
/// and the last one takes what is left.
#[derive(Debug, Clone, Copy)]
struct Cut {
    every: i64,
    first: i64,
}

impl Cut {
    fn new(from: i64, to: i64) -> Self {
        let length = to.saturating_sub(from).max(1);
        let every = (length + SLICES as i64 - 1) / SLICES as i64;
        Self {
            every,
            first: from.div_euclid(every),
        }
    }

    fn slice(self, unix_ns: i64) -> usize {
        let slot = unix_ns.div_euclid(self.every).saturating_sub(self.first);
        slot.clamp(0, SLICES as i64 - 1) as usize
    }
}

fn events(run: &Run<'_>, cut: Cut) -> Result<Vec<Series>, Error> {
    let mut builders: BTreeMap<(SeriesKind, String, String), SeriesBuilder> = BTreeMap::new();
    each_slot(run, cut.every, |from, _, cells| {
        let slice = cut.slice(from);
        for cell in cells {
            let kind = match cell.row.kind {
                EventKind::Span => SeriesKind::Span,
                EventKind::Observation => SeriesKind::Observation,
                EventKind::Counter | EventKind::Gauge => continue,
            };
            let key = (kind, cell.row.event.clone(), cell.row.unit.clone());
            let builder = builders.entry(key).or_default();
            let body = cell.lock();
            match cell.row.outcome {
                None | Some(Outcome::Ok) => {
                    for (value, count) in body.total.values() {
                        builder.ok(slice, value, count);
                    }
                }
                Some(Outcome::Error | Outcome::Panicked) => {
                    builder.failed(slice, body.total.count);
                }
                Some(Outcome::Cancelled) => builder.cancelled(slice, body.total.count),
            }
        }
    })?;
    let built = builders
        .into_iter()
        .map(|((kind, name, unit), builder)| builder.build(kind, &name, &unit));
    Ok(built.collect())
}

/// The end-to-end times of one flow.
#[derive(Debug, Default)]
struct Times {
    /// By slice and bin.
    counts: NumberMap<u32, u64>,
    /// What is not counted yet. Traces come by time, so that many of them are alike, and each kind is looked up once.
    recent: Vec<u32>,
    /// By slice: failed, cancelled.
    others: BTreeMap<u8, (u64, u64)>,
}

/// So many traces of a flow are counted at once.
const BATCH: usize = 1024;

impl Times {
    fn count(&mut self, key: u32) {
        self.recent.push(key);
        if self.recent.len() >= BATCH {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.recent.sort_unstable();
        for same in self.recent.chunk_by(|a, b| a == b) {
            *self.counts.entry(same[0]).or_default() += same.len() as u64;
        }
        self.recent.clear();
    }
}

/// Cuts the traces of each flow into slices.
struct Flows {
    cut: Cut,
    of: Vec<Times>,
}

/// Room for the number of a bin beside that of a slice.
const BIN_BITS: u32 = 24;

impl Flows {
    fn new(cut: Cut) -> Self {
        Self {
            cut,
            of: Vec::new(),
        }
    }

    fn times(&mut self, flow: FlowId) -> Option<&mut Times> {
        let number = flow.0 as usize;
        if flow == FlowId::OTHER {
            return None;
        }
        if self.of.len() <= number {
            self.of.resize_with(number + 1, Times::default);
        }
        self.of.get_mut(number)
    }
}

impl TraceSink for Flows {
    fn trace(&mut self, trace: &Trace<'_>, flow: FlowId) {
        let slice = self.cut.slice(trace.unix_ns(trace.end()).0);
        let bin = bins::index(trace.world().ns(trace.end_to_end())) as u32;
        let (failed, cancelled) = (trace.has_failed(), trace.was_cancelled());
        let Some(times) = self.times(flow) else {
            return;
        };
        if failed || cancelled {
            let sums = times.others.entry(slice as u8).or_default();
            sums.0 += u64::from(failed);
            sums.1 += u64::from(!failed);
            return;
        }
        let key = (slice as u32) << BIN_BITS | bin;
        times.count(key);
    }

    fn merge(&mut self, other: Self, flows: &[FlowId]) {
        for (number, mut theirs) in other.of.into_iter().enumerate() {
            theirs.settle();
            let flow = flows.get(number).copied().unwrap_or(FlowId::OTHER);
            let Some(mine) = self.times(flow) else {
                continue;
            };
            for (key, count) in theirs.counts {
                *mine.counts.entry(key).or_default() += count;
            }
            for (slice, (failed, cancelled)) in theirs.others {
                let sums = mine.others.entry(slice).or_default();
                sums.0 += failed;
                sums.1 += cancelled;
            }
        }
    }
}

/// The flows that the analysis shows one by one.
fn flows(sink: Flows, traces: &Traces, names: Vec<Option<String>>) -> Vec<Series> {
    let shown: BTreeMap<&str, &Flow> = (traces.flows.iter())
        .map(|flow| (flow.flow.as_str(), flow))
        .collect();
    let mut series = Vec::new();
    for (name, mut times) in names.into_iter().zip(sink.of) {
        times.settle();
        let Some(name) = name else {
            continue;
        };
        let Some(flow) = shown.get(name.as_str()) else {
            continue;
        };
        let mut builder = SeriesBuilder::default();
        for (key, count) in times.counts {
            let (slice, bin) = (key >> BIN_BITS, key & ((1 << BIN_BITS) - 1));
            builder.ok(slice as usize, bins::high(bin as usize), count);
        }
        for (slice, (failed, cancelled)) in times.others {
            builder.failed(slice.into(), failed);
            builder.cancelled(slice.into(), cancelled);
        }
        let mut built = builder.build(SeriesKind::Flow, &name, "ns");
        built.owners = owners(flow);
        series.push(built);
    }
    series
}

fn owners(flow: &Flow) -> Vec<Owner> {
    let tail = flow.bands.iter().find(|band| band.percentile.is_some());
    let owner = |(number, owner): (usize, &crate::traces::OwnerStats)| Owner {
        owner: owner.owner.clone(),
        mean_ns: owner.own_mean_ns,
        tail_ns: tail.and_then(|band| Some(band.owners.get(number)?.mean_ns)),
    };
    flow.owners.iter().enumerate().map(owner).collect()
}

const _: () = assert!(bins::COUNT < 1 << BIN_BITS && SLICES <= 1 << (32 - BIN_BITS));
