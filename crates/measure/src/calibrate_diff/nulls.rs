//! Captures made up of processes whose every property is known.

use perf_analysis::diff::random::Stream;
use perf_analysis::diff::summary::{SLICES, SeriesBuilder, SeriesKind, Summary};

/// Flows of a made-up capture.
pub(crate) const FLOWS: usize = 4;
/// Traces of a flow in a slice.
const EACH: usize = 100;

/// How what follows upon each other is alike, and how values are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Null {
    /// Independent, log-normal.
    Independent,
    /// Log-normal, and what comes next remembers this part of what was before.
    Remembers(f64),
    /// A third slower for a while, now and then: a while is about 20 slices.
    Regimes,
    /// A tail so heavy that there is no variance.
    Pareto,
    /// Two lumps, one three times the other: the median lies between them.
    Bimodal,
    /// A clock that ticks ten times in a usual value.
    Coarse,
    /// A fifth slower at the end than at the beginning.
    Drift,
}

pub(crate) const ALL: [Null; 10] = [
    Null::Independent,
    Null::Remembers(0.5),
    Null::Remembers(0.9),
    Null::Remembers(0.99),
    Null::Remembers(0.999),
    Null::Regimes,
    Null::Pareto,
    Null::Bimodal,
    Null::Coarse,
    Null::Drift,
];

impl Null {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Independent => "independent log-normal".to_owned(),
            Self::Remembers(part) => format!("autoregressive {part}"),
            Self::Regimes => "regime switching".to_owned(),
            Self::Pareto => "Pareto 1.5".to_owned(),
            Self::Bimodal => "bimodal".to_owned(),
            Self::Coarse => "coarse ticks".to_owned(),
            Self::Drift => "drift".to_owned(),
        }
    }

    /// A capture, slower by `factor`. Each run is slower or faster than others by its own normal part of `between`.
    pub(crate) fn capture(self, seed: u64, factor: f64, between: f64) -> Summary {
        let own = (between * Stream::new(seed, u64::MAX).normal()).exp();
        let series = (0..FLOWS)
            .map(|flow| {
                let mut stream = Stream::new(seed, flow as u64);
                let mut builder = SeriesBuilder::default();
                let mut state = State::new(&mut stream);
                for slice in 0..SLICES {
                    let mut values = [0_u64; EACH];
                    for value in &mut values {
                        let drawn = self.value(&mut state, &mut stream, slice);
                        *value = self.told(drawn * factor * own);
                    }
                    values.sort_unstable();
                    for equal in values.chunk_by(|a, b| a == b) {
                        builder.ok(slice, equal[0], equal.len() as u64);
                    }
                }
                builder.build(SeriesKind::Flow, &format!("flow {}", flow + 1), "ns")
            })
            .collect();
        Summary {
            path: format!("{} {seed}", self.name()),
            start_unix_ns: 0,
            host: "made up".to_owned(),
            labels: Default::default(),
            clock: "tsc".to_owned(),
            tick_ns: if self == Self::Coarse { 100.0 } else { 0.4 },
            records: (FLOWS * SLICES * EACH) as u64,
            lost: 0,
            duration_ns: 10_000_000_000,
            series,
        }
    }

    /// About one, in no unit.
    fn value(self, state: &mut State, stream: &mut Stream, slice: usize) -> f64 {
        match self {
            Self::Independent | Self::Coarse => (0.25 * stream.normal()).exp(),
            Self::Remembers(part) => {
                state.level = part * state.level + (1.0 - part * part).sqrt() * stream.normal();
                (0.25 * state.level).exp()
            }
            Self::Regimes => {
                if stream.unit() < 1.0 / (20.0 * EACH as f64) {
                    state.slow = !state.slow;
                }
                let slow = if state.slow { 4.0 / 3.0 } else { 1.0 };
                slow * (0.15 * stream.normal()).exp()
            }
            Self::Pareto => stream.unit().powf(-1.0 / 1.5),
            Self::Bimodal => {
                let lump = if stream.bits() >> 63 == 0 { 1.0 } else { 3.0 };
                lump * (0.1 * stream.normal()).exp()
            }
            Self::Drift => {
                let so_far = slice as f64 / SLICES as f64;
                (1.0 + 0.2 * so_far) * (0.15 * stream.normal()).exp()
            }
        }
    }

    /// As the clock tells it, in ns, and in the bins of a capture.
    fn told(self, value: f64) -> u64 {
        if self == Self::Coarse {
            return ((value * 10.0).round() * 100.0) as u64;
        }
        let bin = perf_format::bins::index((value * 1e6) as u64);
        perf_format::bins::high(bin)
    }
}

struct State {
    level: f64,
    slow: bool,
}

impl State {
    fn new(stream: &mut Stream) -> Self {
        Self {
            level: stream.normal(),
            slow: stream.bits() >> 63 == 0,
        }
    }
}
