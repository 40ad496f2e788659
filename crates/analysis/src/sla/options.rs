//! What a judgement of rules is asked for.

use std::borrow::Cow;
use std::path::Path;

use glob::{Pattern, PatternError};

use super::rule::{Rule, Target};
use crate::error::{Error, ErrorKind};
use crate::options::{ReportOptions, TimeBound};

/// Violations of one episode are no further apart than this, unless asked otherwise: 1 s in ns.
pub const GAP_NS: u64 = 1_000_000_000;
/// The most violations that are listed, over all rules.
pub const MAX_VIOLATIONS: usize = 100_000;
/// The most rules.
pub const MAX_RULES: usize = 1000;
/// The most windows of all rules together.
pub const MAX_WINDOWS: u64 = 1_000_000;
/// The most episodes that are listed of one rule.
pub const MAX_EPISODES: usize = 1000;
/// Of so many episodes, those with most violations, it is told what else happened.
pub const MAX_TOLD: usize = 200;

/// What [`crate::sla()`] is asked for. The default is no rule on everything.
#[derive(Debug, Clone)]
pub struct SlaOptions {
    /// The rules, in the order in which they are reported.
    pub rules: Vec<Rule>,
    /// Globs over names of events: only rules on events that match any are judged. Empty: all.
    pub events: Vec<String>,
    /// Select ends at or after this.
    pub since: Option<TimeBound>,
    /// Select ends before this.
    pub until: Option<TimeBound>,
    /// Leave out this many ns after each capture's start (warm-up).
    pub skip_ns: u64,
    /// Two violations whose ends are no further apart than this are of one episode.
    pub gap_ns: u64,
    /// How many violations are listed, over all rules; at most [`MAX_VIOLATIONS`].
    pub violations: usize,
    /// Whether to read what else happened in each episode, and the annotations of the listed traces.
    pub details: bool,
    /// Fail on the first damage, in place of a warning.
    pub strict: bool,
    /// Worker threads; `None`: one a core. The result does not depend on it.
    pub threads: Option<usize>,
}

impl Default for SlaOptions {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            events: Vec::new(),
            since: None,
            until: None,
            skip_ns: 0,
            gap_ns: GAP_NS,
            violations: MAX_VIOLATIONS,
            details: true,
            strict: false,
            threads: None,
        }
    }
}

impl SlaOptions {
    /// The same without the rules on events that are not wanted.
    pub(super) fn only_events(&self) -> Result<Cow<'_, Self>, Error> {
        if self.events.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut patterns = Vec::new();
        for pattern in &self.events {
            let bad = |error: PatternError| ErrorKind::BadPattern(error.to_string());
            let parsed = Pattern::new(pattern);
            patterns.push(parsed.map_err(|error| Error::new(Path::new(pattern), bad(error)))?);
        }
        let mut options = self.clone();
        options.rules.retain(|rule| {
            let names: &[&String] = match &rule.target {
                Target::Event { name, .. } => &[name],
                Target::Gap { from, to } => &[from, to],
                Target::EndToEnd(_) | Target::Response(_) => &[],
            };
            let wanted = |name: &&String| patterns.iter().any(|pattern| pattern.matches(name));
            names.iter().any(wanted)
        });
        Ok(Cow::Owned(options))
    }

    /// The selection, in the words of a report.
    pub(super) fn selection(&self) -> ReportOptions {
        ReportOptions {
            since: self.since,
            until: self.until,
            skip_ns: self.skip_ns,
            ..ReportOptions::default()
        }
    }
}
