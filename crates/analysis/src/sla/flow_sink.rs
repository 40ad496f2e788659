//! What rules measure of traces, added up as these end.

use std::collections::BTreeMap;

use perf_format::bins;

use super::ledger::{Account, Keeping, Kept, Ledger, Tally};
use super::rule::{Rule, Stat, Target};
use super::run::Run;
use super::watch::is_beyond;
use crate::traces::{Counts, FlowId, Trace, TraceSink, World};

/// What of a trace a rule measures.
#[derive(Debug, Clone, Copy)]
enum What {
    EndToEnd,
    Response,
    /// Numbers of events; `None`: no capture has it.
    Gap(Option<u32>, Option<u32>),
}

#[derive(Debug, Clone, Copy)]
struct FlowRule<'a> {
    number: u32,
    rule: &'a Rule,
    what: What,
    every: Option<i64>,
}

/// Adds up what rules measure of traces.
pub(super) struct FlowSink<'a> {
    rules: Vec<FlowRule<'a>>,
    keeping: Keeping,
    pub(super) ledger: Ledger,
    /// By number of a rule that asks for a percentile of a gap: their lengths in ns.
    pub(super) gaps: BTreeMap<u32, Counts>,
}

impl<'a> FlowSink<'a> {
    pub(super) fn new(run: &'a Run<'_>, world: &World, keeping: Keeping) -> Self {
        let rules = run.options.rules.iter().enumerate();
        let rules = rules.filter_map(|(number, rule)| {
            let what = match &rule.target {
                Target::Event { .. } => return None,
                Target::EndToEnd(_) => What::EndToEnd,
                Target::Response(_) => What::Response,
                Target::Gap { from, to } => {
                    What::Gap(world.event_of_name(from), world.event_of_name(to))
                }
            };
            Some(FlowRule {
                number: number as u32,
                rule,
                what,
                every: run.faces[run.face_of[number]],
            })
        });
        Self {
            rules: rules.collect(),
            keeping,
            ledger: Ledger::default(),
            gaps: BTreeMap::new(),
        }
    }

    /// The percentile of a rule about a gap, from bins, in ns.
    pub(super) fn gap_percentile(&self, number: usize, rule: &Rule) -> Option<u64> {
        let Stat::Percentile(percentile) = rule.stat else {
            return None;
        };
        let lengths = self.gaps.get(&(number as u32))?.histogram();
        let rank = percentile.rank(lengths.count());
        let (bin, _) = lengths.bin_of_rank(rank)?;
        Some(bins::high(bin).clamp(lengths.min()?, lengths.max()?))
    }
}

impl TraceSink for FlowSink<'_> {
    fn trace(&mut self, trace: &Trace<'_>, flow: FlowId) {
        let ns = |units| trace.world().ns(units);
        for rule in &self.rules {
            let account = (rule.number, flow.0);
            let mut add = |account, place, value, end| {
                rule.add(
                    &mut self.ledger,
                    self.keeping,
                    account,
                    (trace, place),
                    (value, end),
                );
            };
            match rule.what {
                What::EndToEnd => add(account, 0, ns(trace.end_to_end()), trace.end()),
                What::Response => {
                    if let Some(response) = trace.response_ns() {
                        add(account, 0, response, trace.end());
                    }
                }
                What::Gap(Some(from), Some(to)) => {
                    let gaps = trace.gaps().iter().enumerate();
                    for (place, gap) in gaps.filter(|(_, gap)| (gap.from, gap.to) == (from, to)) {
                        let length = ns(gap.end - gap.start);
                        add((rule.number, 0), place as u32, length, gap.end);
                        if matches!(rule.rule.stat, Stat::Percentile(_)) {
                            self.gaps.entry(rule.number).or_default().record(length);
                        }
                    }
                }
                What::Gap(..) => {}
            }
        }
    }

    fn merge(&mut self, other: Self, flows: &[FlowId]) {
        let gaps: Vec<u32> = (self.rules.iter())
            .filter(|rule| matches!(rule.what, What::Gap(..)))
            .map(|rule| rule.number)
            .collect();
        let renamed = other.ledger.renamed(self.keeping, |(rule, flow)| {
            let known = flows.get(flow as usize).filter(|_| !gaps.contains(&rule));
            (rule, known.map_or(flow, |flow| flow.0))
        });
        let mine = std::mem::take(&mut self.ledger);
        self.ledger = mine.merge(renamed, self.keeping);
        for (number, mut lengths) in other.gaps {
            lengths.settle();
            self.gaps.entry(number).or_default().merge(&lengths);
        }
    }
}

impl FlowRule<'_> {
    /// Adds a sample that ended at `end`, in units.
    fn add(
        &self,
        ledger: &mut Ledger,
        keeping: Keeping,
        account: Account,
        (trace, place): (&Trace<'_>, u32),
        (value, end): (u64, u64),
    ) {
        let rule = self.rule;
        let beyond = match rule.stat {
            Stat::Max | Stat::Percentile(_) => is_beyond(rule, value),
            Stat::ErrorRate => trace.has_failed(),
            Stat::Mean | Stat::Rate => false,
        };
        let end = trace.unix_ns(end).0;
        let slot = self.every.map_or(0, |every| end.div_euclid(every));
        let weight = u64::from(trace.weight());
        let tally = Tally {
            samples: weight,
            beyond: u64::from(beyond),
            sum: match rule.stat {
                Stat::Mean => u128::from(value) * u128::from(weight),
                _ => 0,
            },
            worst: value,
            unseen: i64::from(trace.weight()) - 1,
            ..Tally::default()
        };
        ledger.tally(account, slot, &tally);
        if beyond && rule.op.is_upper() {
            let kept = Kept {
                value,
                end,
                start: end.saturating_sub_unsigned(value),
                slot,
                capture: trace
                    .domain
                    .streams
                    .first()
                    .map_or(0, |(capture, _)| *capture as u32),
                place: (0, 0, place),
                trace: trace.id().0,
                thread: None,
                outcome: None,
                open: false,
            };
            ledger.violation(account, kept, keeping);
        }
    }
}
