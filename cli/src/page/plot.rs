//! From the figures of the analysis to the files of `perf-analyze plot`.

use perf_analysis::UnixNs;
use perf_analysis::plot::{LevelSlots, LogBin, PlotData, PlotSeries, SeriesSlot, Slots};
use perf_analysis::report::Outcome;
use perf_analysis::sla::Sla;
use perf_analysis::traces::Traces;
use perf_render::plot::{
    self, Bin, Course, LatencySlot, Level, Levels, Lost, OverTime, Picture, Ranked, Rate, Series,
    Theme, Throughput, TimeSpan, Unit,
};

use crate::cmd::plot::Kind;
use crate::page::promised::Promised;
use crate::page::traced;
use crate::time::Zone;

mod files;

use files::Files;

/// Flows that get a picture of their stages.
const MAX_FLOWS: usize = 8;

/// A picture and the name of its file.
pub(crate) struct Drawn {
    pub(crate) file: String,
    pub(crate) picture: Picture,
}

/// All plots that are `wanted`, in the order of the documentation.
pub(crate) fn draw(
    data: &PlotData,
    promised: &[Promised],
    sla: Option<&Sla>,
    traces: Option<&Traces>,
    zone: &Zone,
    theme: Theme,
    wanted: impl Fn(Kind) -> bool,
) -> Vec<Drawn> {
    let figures = Figures::of(data, promised, zone);
    let mut files = Files::default();
    let mut drawn = Vec::new();
    for kind in [
        Kind::Percentiles,
        Kind::LatencyOverTime,
        Kind::Distribution,
        Kind::Cdf,
        Kind::Throughput,
        Kind::GaugesAndCounters,
        Kind::Flows,
        Kind::Stages,
        Kind::Waterfall,
    ] {
        if wanted(kind) {
            let mut add = |stem: &str, of: &str, picture| {
                let file = files.name(stem, of);
                drawn.push(Drawn { file, picture });
            };
            match traces {
                Some(traces) if kind == Kind::Flows => {
                    add("flows", "", traced::flows(&traces.flows, sla, theme));
                }
                Some(traces) if kind == Kind::Stages => stages(traces, theme, &mut add),
                Some(traces) if kind == Kind::Waterfall => waterfalls(traces, theme, &mut add),
                _ => figures.draw(kind, theme, &mut add),
            }
        }
    }
    drawn
}

/// The flows that have enough traces for a breakdown, the most frequent first.
fn stages(traces: &Traces, theme: Theme, add: &mut impl FnMut(&str, &str, Picture)) {
    let known = traces.flows.iter().filter(|flow| !flow.bands.is_empty());
    for flow in known.take(MAX_FLOWS) {
        add("stages", &flow.flow, traced::stages(flow, theme));
    }
}

/// The traces that were asked for, else the slowest of the flows that are shown.
fn waterfalls(traces: &Traces, theme: Theme, add: &mut impl FnMut(&str, &str, Picture)) {
    let is_asked = !traces.asked.is_empty();
    let kept = if is_asked {
        &traces.asked
    } else {
        &traces.slowest
    };
    let is_shown = |flow: &str| is_asked || traces.flows.iter().any(|shown| shown.flow == flow);
    for trace in kept.iter().filter(|trace| is_shown(&trace.flow)) {
        add(
            "waterfall",
            &trace.trace,
            traced::waterfall(trace, theme).picture,
        );
    }
}

/// What is drawn, in the shapes that plots take.
struct Figures {
    /// By unit, durations first.
    by_unit: Vec<Vec<Series>>,
    over_time: Vec<OverTime>,
    throughput: Throughput,
    levels: Levels,
}

impl Figures {
    fn of(data: &PlotData, promised: &[Promised], zone: &Zone) -> Figures {
        let none = Slots {
            every_ns: 1,
            start_unix_ns: Vec::new(),
            covered_ns: Vec::new(),
            series: Vec::new(),
            levels: Vec::new(),
            rates: Vec::new(),
        };
        let slots = data.slots.as_ref().unwrap_or(&none);
        let span = span(slots, zone);
        let bounds: Vec<(i64, i64)> = (slots.start_unix_ns.iter())
            .map(|start| (start.0, end(*start, slots)))
            .collect();
        let lost: Vec<Lost> = (data.lost.iter())
            .map(|lost| Lost {
                from_unix_ns: lost.from_unix_ns.0,
                to_unix_ns: lost.to_unix_ns.0,
                count: lost.count,
            })
            .collect();
        let numbered: Vec<(usize, &PlotSeries)> = data.series.iter().enumerate().collect();
        let by_unit = numbered.chunk_by(|(_, a), (_, b)| a.unit == b.unit);
        let one = |(place, of): &(usize, &PlotSeries)| series(of, promised.get(*place));
        let by_unit = by_unit.map(|same| same.iter().map(one).collect());
        Figures {
            by_unit: by_unit.collect(),
            over_time: over_time(data, promised, slots, &span, &lost),
            throughput: throughput(slots, &span, &bounds, lost),
            levels: levels(data, slots, span, bounds),
        }
    }

    fn draw(&self, kind: Kind, theme: Theme, add: &mut impl FnMut(&str, &str, Picture)) {
        let lines = |stem: &str,
                     plot: fn(&[Series], Theme) -> Picture,
                     add: &mut dyn FnMut(&str, &str, Picture)| {
            for series in &self.by_unit {
                let unit = match series.first().map(|series| &series.unit) {
                    Some(Unit::Named(unit)) => unit,
                    _ => "",
                };
                add(stem, unit, plot(series, theme));
            }
            if self.by_unit.is_empty() {
                add(stem, "", plot(&[], theme));
            }
        };
        match kind {
            Kind::Percentiles => lines("percentiles", plot::percentiles, add),
            Kind::Cdf => lines("cdf", plot::cumulative, add),
            Kind::LatencyOverTime if self.over_time.is_empty() => {
                let none = OverTime {
                    name: "Latency".to_owned(),
                    unit: Unit::Ns,
                    count: 0,
                    span: self.levels.span.clone(),
                    slots: Vec::new(),
                    lost: self.throughput.lost.clone(),
                    limits: Vec::new(),
                    episodes: Vec::new(),
                };
                let picture = plot::latency_over_time(&none, theme);
                add("latency-over-time", "", picture);
            }
            Kind::LatencyOverTime => {
                for of in &self.over_time {
                    add(
                        "latency-over-time",
                        &of.name,
                        plot::latency_over_time(of, theme),
                    );
                }
            }
            Kind::Distribution if self.by_unit.is_empty() => {
                add("distribution", "", plot::distribution(&nothing(), theme));
            }
            Kind::Distribution => {
                for of in self.by_unit.iter().flatten() {
                    add("distribution", &of.name, plot::distribution(of, theme));
                }
            }
            Kind::Throughput => add("throughput", "", plot::throughput(&self.throughput, theme)),
            Kind::GaugesAndCounters => {
                add("gauges-and-counters", "", plot::levels(&self.levels, theme));
            }
            // Their figures are those of traces.
            Kind::Flows | Kind::Stages | Kind::Waterfall => {}
        }
    }
}

/// What stands for the events of a capture that has none.
fn nothing() -> Series {
    Series {
        name: "Distribution".to_owned(),
        unit: Unit::Ns,
        count: 0,
        curve: Vec::new(),
        bins: Vec::new(),
        zeros: 0,
        limits: Vec::new(),
    }
}

fn end(start: UnixNs, slots: &Slots) -> i64 {
    start.0.saturating_add_unsigned(slots.every_ns)
}

fn span(slots: &Slots, zone: &Zone) -> TimeSpan {
    let first = slots.start_unix_ns.first().copied().unwrap_or(UnixNs(0));
    let last = slots.start_unix_ns.last().copied().unwrap_or(UnixNs(0));
    TimeSpan {
        from_unix_ns: first.0,
        to_unix_ns: end(last, slots),
        offset_ns: zone.offset_ns(first),
        clock: zone.day(first),
    }
}

/// The event, and how it ended unless well.
fn name(series: &PlotSeries) -> String {
    match series.outcome.and_then(Outcome::unusual) {
        None => series.event.clone(),
        Some(outcome) => format!("{} {outcome}", series.event),
    }
}

fn bins(bins: &[LogBin]) -> Vec<Bin> {
    let bin = |bin: &LogBin| Bin {
        low: bin.low,
        high: bin.high,
        count: bin.count,
    };
    bins.iter().map(bin).collect()
}

fn series(of: &PlotSeries, promised: Option<&Promised>) -> Series {
    let ranked = of.curve.iter().map(|at| Ranked {
        rank: at.rank,
        value: at.value,
    });
    Series {
        name: name(of),
        unit: Unit::of(&of.unit),
        count: of.count,
        curve: ranked.collect(),
        bins: bins(&of.bins),
        zeros: of.zeros,
        limits: promised.map_or_else(Vec::new, |promised| promised.limits.clone()),
    }
}

fn over_time(
    data: &PlotData,
    promised: &[Promised],
    slots: &Slots,
    span: &TimeSpan,
    lost: &[Lost],
) -> Vec<OverTime> {
    let slot = |slot: &SeriesSlot, promised: &Promised| {
        let start = slots.start_unix_ns.get(slot.slot as usize)?;
        Some(LatencySlot {
            from_unix_ns: start.0,
            to_unix_ns: end(*start, slots),
            count: slot.count,
            p50: slot.p50,
            p99: slot.p99,
            p999: slot.p999,
            max: slot.max,
            bins: bins(&slot.bins),
            zeros: slot.zeros,
            violations: promised.beyond.get(&start.0).copied().unwrap_or(0),
        })
    };
    let nothing = Promised::default();
    let one = |(place, (of, own)): (usize, (&PlotSeries, &Vec<SeriesSlot>))| {
        let promised = promised.get(place).unwrap_or(&nothing);
        OverTime {
            name: name(of),
            unit: Unit::of(&of.unit),
            count: of.count,
            span: span.clone(),
            slots: own.iter().filter_map(|own| slot(own, promised)).collect(),
            lost: lost.to_vec(),
            limits: promised.limits.clone(),
            episodes: promised.episodes.clone(),
        }
    };
    let all = data.series.iter().zip(&slots.series).enumerate();
    all.map(one).collect()
}

fn throughput(
    slots: &Slots,
    span: &TimeSpan,
    bounds: &[(i64, i64)],
    lost: Vec<Lost>,
) -> Throughput {
    let per_second = |(count, covered): (&u64, &u64)| {
        (*covered > 0).then(|| *count as f64 / (*covered as f64 / 1e9))
    };
    let rates = slots.rates.iter().map(|rate| Rate {
        name: match &rate.event {
            Some(event) => event.clone(),
            None => format!("{} other events", rate.events),
        },
        per_second: rate
            .counts
            .iter()
            .zip(&slots.covered_ns)
            .map(per_second)
            .collect(),
    });
    let counts = slots.rates.iter().flat_map(|rate| &rate.counts);
    Throughput {
        span: span.clone(),
        slots: bounds.to_vec(),
        rates: rates.collect(),
        lost,
        records: counts.fold(0, |sum, count| sum.saturating_add(*count)),
    }
}

fn levels(data: &PlotData, slots: &Slots, span: TimeSpan, bounds: Vec<(i64, i64)>) -> Levels {
    let course = |slots: &LevelSlots| match slots {
        LevelSlots::Gauge(slots) => Course::Gauge(
            (slots.iter())
                .map(|slot| slot.map(|slot| (slot.min as f64, slot.mean, slot.max as f64)))
                .collect(),
        ),
        LevelSlots::Counter(slots) => Course::Counter(
            slots
                .iter()
                .map(|slot| slot.map(|slot| slot.per_s))
                .collect(),
        ),
    };
    let levels = data
        .levels
        .iter()
        .zip(&slots.levels)
        .map(|(level, own)| Level {
            name: level.event.clone(),
            unit: Unit::of(&level.unit),
            course: course(own),
        });
    Levels {
        span,
        slots: bounds,
        levels: levels.collect(),
        left_out: data.levels_left_out as usize,
    }
}
