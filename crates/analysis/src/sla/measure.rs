//! The percentiles that rules are about, for people: verdicts do not rest on them.

use super::result::RuleResult;
use super::rule::{Bound, Stat, Target};
use super::run::Run;
use super::watch::unit_ns;
use crate::error::Error;
use crate::report::EventKind;
use crate::report::quantiles::{Wanted, quantiles};
use crate::value::Number;

impl Run<'_> {
    /// Percentiles of all that is selected, from bins.
    pub(super) fn measure(&self, rules: &mut [RuleResult]) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for (number, result) in rules.iter().enumerate() {
            let (Stat::Percentile(percentile), Target::Event { name, outcome }) =
                (result.rule.stat, &result.rule.target)
            else {
                continue;
            };
            wanted.push((
                number,
                Wanted {
                    event: name.clone(),
                    outcome: *outcome,
                    percentile,
                },
            ));
        }
        let asked: Vec<Wanted> = wanted.iter().map(|(_, wanted)| wanted.clone()).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let found = quantiles(self.set, &self.options.selection(), &asked)?;
        for ((number, _), found) in wanted.iter().zip(found) {
            let rule = &rules[*number].rule;
            let value = found.map(|found| match (found.kind, rule.bound) {
                (EventKind::Observation, Bound::Ns(_)) => {
                    let times = unit_ns(&found.unit).unwrap_or(1);
                    found.value.saturating_mul(times)
                }
                _ => found.value,
            });
            rules[*number].total.measured = value.map(|value| Number::Int(value.into()));
        }
        Ok(())
    }
}
