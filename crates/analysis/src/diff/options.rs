//! What a comparison is asked for.

use std::str::FromStr;

use super::measure::Measure;
use super::noise::Noise;

/// A change that matters, unless asked otherwise: 5 %.
pub const BOUND: f64 = 0.05;
/// The chance that any gated interval misses.
pub const FAMILY_ERROR: f64 = 0.01;
/// Replicates, unless asked otherwise.
pub const REPLICATES: usize = 1999;
/// Where random numbers begin, unless asked otherwise.
pub const SEED: u64 = 1;
/// Values that an event or flow must have on each side to be gated without being asked for.
pub const MIN_VALUES: u64 = 1000;
/// A share of errors that is no more than this much greater is no change: half a point.
pub const MIN_FAILING: f64 = 0.005;

/// A figure that must not get worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The event, or the flow.
    pub name: String,
    /// Which figure.
    pub measure: Measure,
}

/// A bound of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundFor {
    /// The event, or the flow.
    pub name: String,
    /// As a part: 0.1.
    pub bound: f64,
}

/// What [`super::compare`] is asked for.
#[derive(Debug, Clone)]
pub struct DiffOptions {
    /// The change that matters, as a part.
    pub bound: f64,
    /// Others, of some events or flows.
    pub bounds_for: Vec<BoundFor>,
    /// Figures that count, besides those that always do.
    pub gates: Vec<Gate>,
    /// Captures of both sides were recorded in turns: the first with the first.
    pub paired: bool,
    /// How captures of one build differ.
    pub noise: Option<Noise>,
    /// The chance that any gated interval misses.
    pub family_error: f64,
    /// Replicates of one capture a side.
    pub replicates: usize,
    /// Where random numbers begin.
    pub seed: u64,
    /// Also judge what is not gated.
    pub everything: bool,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self {
            bound: BOUND,
            bounds_for: Vec::new(),
            gates: Vec::new(),
            paired: false,
            noise: None,
            family_error: FAMILY_ERROR,
            replicates: REPLICATES,
            seed: SEED,
            everything: true,
        }
    }
}

impl DiffOptions {
    /// The bound of an event or a flow.
    pub fn bound_of(&self, name: &str) -> f64 {
        let own = self
            .bounds_for
            .iter()
            .rev()
            .find(|bound| bound.name == name);
        own.map_or(self.bound, |bound| bound.bound)
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no gate: expected EVENT:p99 or EVENT:errors");
        let (name, measure) = text.rsplit_once(':').ok_or_else(expected)?;
        let measure = match measure {
            "errors" => Measure::Failing,
            p => Measure::Quantile(p.parse().map_err(|_| expected())?),
        };
        match name.is_empty() {
            true => Err(expected()),
            false => Ok(Self {
                name: name.to_owned(),
                measure,
            }),
        }
    }
}

/// A part, such as `5%` or `0.05`.
///
/// # Errors
/// When it is none, or not above 0, or beyond 1 000 %.
pub fn parse_bound(text: &str) -> Result<f64, String> {
    let expected = || format!("`{text}` is no bound: expected a part such as 5% or 0.05");
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    let bound = number.trim().parse::<f64>().map_err(|_| expected())? * scale;
    match bound > 0.0 && bound <= 10.0 {
        true => Ok(bound),
        false => Err(expected()),
    }
}

impl FromStr for BoundFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no bound of an event: expected EVENT=10%");
        let (name, bound) = text.rsplit_once('=').ok_or_else(expected)?;
        match name.is_empty() {
            true => Err(expected()),
            false => Ok(Self {
                name: name.to_owned(),
                bound: parse_bound(bound)?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_and_bounds_are_read() {
        let gate: Gate = "A:B:p99.9".parse().unwrap();
        assert_eq!(
            (gate.name.as_str(), gate.measure.to_string()),
            ("A:B", "p99.9".to_owned())
        );
        assert_eq!(
            "A:errors".parse::<Gate>().unwrap().measure,
            Measure::Failing
        );
        for text in ["A", ":p99", "A:p101", "A:max", ""] {
            assert!(text.parse::<Gate>().is_err(), "{text}");
        }
        assert_eq!(parse_bound("10%"), Ok(0.1));
        assert_eq!(parse_bound("0.25"), Ok(0.25));
        for text in ["", "0", "-5%", "x", "nan", "2000%", "inf"] {
            assert!(parse_bound(text).is_err(), "{text}");
        }
        let bound: BoundFor = "A=B=2%".parse().unwrap();
        assert_eq!((bound.name.as_str(), bound.bound), ("A=B", 0.02));
    }
}
