//! A rule: what is measured, by which statistic, against which bound.
//!
//! ```text
//! TARGET:STAT OP VALUE [over WINDOW]
//!
//! TARGET  EVENT, EVENT/OUTCOME, A→B (or A->B), e2e[FLOW], response[FLOW], e2e, response
//! STAT    max, p50 … p99.99, mean, rate, error_rate
//! OP      < <= > >=
//! VALUE   5ms (ns, us, ms, s), 100/s for a rate, 0.1% for an error rate, 8 for an observation in another unit
//! WINDOW  1m (us, ms, s, m, h, d)
//! ```
//!
//! A name that would read as something else stands in double quotes, with `\"` and `\\` in it: `"e2e":max<1ms`. What
//! separates the target from the rest is the last colon, so that `db::read:p99<5ms` needs none.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::parse;
use super::quantity::{Decimal, ShownDuration, ShownWindow};
use crate::report::Outcome;
use crate::value::Percentile;

/// One rule. Prints as text that parses back to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What is measured.
    pub target: Target,
    /// By which statistic.
    pub stat: Stat,
    /// How it has to stand to the bound.
    pub op: Op,
    /// The bound.
    pub bound: Bound,
    /// The length in ns of the windows that are judged one by one, aligned on UTC; absent: all that is selected at once.
    pub over_ns: Option<u64>,
}

/// What a rule measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Spans or observations of an event, those of one outcome or all.
    Event {
        /// Its name.
        name: String,
        /// How the spans ended.
        outcome: Option<Outcome>,
    },
    /// The time between two events of a trace in which nothing of it ran.
    Gap {
        /// What ended before.
        from: String,
        /// What began after.
        to: String,
    },
    /// From a trace's first start to its last end.
    EndToEnd(
        /// The flow; absent: each one.
        Option<String>,
    ),
    /// From a trace's due time to its last end.
    Response(
        /// The flow; absent: each one.
        Option<String>,
    ),
}

/// How samples become one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stat {
    /// The greatest.
    Max,
    /// The value of rank ⌈p·count⌉.
    Percentile(Percentile),
    /// The mean.
    Mean,
    /// How many a second.
    Rate,
    /// The share of spans that ended by an error or a panic.
    ErrorRate,
}

/// How the statistic has to stand to the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Below it.
    Less,
    /// Not above it.
    AtMost,
    /// Above it.
    More,
    /// Not below it.
    AtLeast,
}

/// What the statistic is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// A duration in ns.
    Ns(u64),
    /// A number in the unit of the observation.
    Number(Decimal),
    /// Per cent.
    Percent(Decimal),
    /// So many a second.
    PerSecond(Decimal),
}

/// Why a text is no rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct RuleError {
    /// The character that it is about, from 1; one beyond the end when something is missing.
    pub column: usize,
    /// What was expected, and what came.
    pub message: String,
}

impl Rule {
    /// What the seed system's `sla_thresholds` say: the event is violated by every span above so many ns.
    pub fn threshold(event: &str, ns: u64) -> Self {
        Self {
            target: Target::Event {
                name: event.to_owned(),
                outcome: None,
            },
            stat: Stat::Max,
            op: Op::AtMost,
            bound: Bound::Ns(ns),
            over_ns: None,
        }
    }

    /// Whether it is about traces.
    pub fn needs_traces(&self) -> bool {
        !matches!(self.target, Target::Event { .. })
    }
}

impl Op {
    /// Whether the statistic has to stay below.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Less | Self::AtMost)
    }

    /// Whether `statistic` stands to `bound` as it should.
    pub(crate) fn holds<T: PartialOrd>(self, statistic: T, bound: T) -> bool {
        match self {
            Self::Less => statistic < bound,
            Self::AtMost => statistic <= bound,
            Self::More => statistic > bound,
            Self::AtLeast => statistic >= bound,
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        parse::rule(text)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            stat,
            op,
            bound,
            over_ns,
        } = self;
        write!(f, "{target}:{stat}{op}{bound}")?;
        match over_ns {
            Some(ns) => write!(f, " over {}", ShownWindow(*ns)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event {
                name,
                outcome: None,
            } => Name(name).fmt(f),
            Self::Event {
                name,
                outcome: Some(outcome),
            } => write!(f, "{}/{}", Name(name), parse::outcome_name(*outcome)),
            Self::Gap { from, to } => write!(f, "{}→{}", Name(from), Name(to)),
            Self::EndToEnd(flow) => write_flow(f, "e2e", flow.as_deref()),
            Self::Response(flow) => write_flow(f, "response", flow.as_deref()),
        }
    }
}

fn write_flow(f: &mut fmt::Formatter<'_>, what: &str, flow: Option<&str>) -> fmt::Result {
    match flow {
        None => f.write_str(what),
        Some(flow) if flow.is_empty() || flow != flow.trim() || flow.starts_with('"') => {
            write!(f, "{what}[{}]", Quoted(flow))
        }
        Some(flow) => write!(f, "{what}[{flow}]"),
    }
}

/// A name, quoted where it would read as something else.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match parse::is_plain(self.0) {
            true => f.write_str(self.0),
            false => Quoted(self.0).fmt(f),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "\"{escaped}\"")
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Percentile(percentile) => write!(f, "p{percentile}"),
            Self::Mean => f.write_str("mean"),
            Self::Rate => f.write_str("rate"),
            Self::ErrorRate => f.write_str("error_rate"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ns(ns) => ShownDuration(*ns).fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

#[cfg(test)]
mod tests;
