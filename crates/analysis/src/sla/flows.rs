//! Rules about traces: every finished trace is a sample of its flow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use perf_format::bins;

use super::ledger::{Account, Keeping, Kept, Ledger, Tally, Unknown};
use super::rule::{Rule, Stat, Target};
use super::run::Run;
use super::watch::is_beyond;
use crate::error::{Error, ErrorKind};
use crate::traces::{
    Counts, Flow, FlowId, IncompleteCounts, Trace, TraceOptions, TraceSink, World, traces_with,
};
use crate::value::Percentile;

/// Flows that are told apart, at most.
const MAX_FLOWS: usize = 4096;
/// Violations that are kept of each flow are this part of what a rule may list: a rule about each flow has many accounts.
const FLOWS_A_RULE: usize = 8;
/// Names of flows that an error offers.
const OFFERED: usize = 5;
/// The bits of outcomes that are failures: error and panicked.
const FAILURES: u8 = 0b1010;

/// What is judged as one: a rule, or a rule in one flow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    pub(super) account: Account,
    /// Of a rule about each flow: which.
    pub(super) flow: Option<String>,
    /// The percentile of the rule, from bins.
    pub(super) percentile: Option<u64>,
}

impl Judgement {
    fn of_rule(number: usize) -> Self {
        Self {
            account: (number as u32, 0),
            flow: None,
            percentile: None,
        }
    }
}

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
    ledger: Ledger,
    /// By number of a rule that asks for a percentile of a gap: their lengths in ns.
    gaps: BTreeMap<u32, Counts>,
}

impl<'a> FlowSink<'a> {
    fn new(run: &'a Run<'_>, world: &World, keeping: Keeping) -> Self {
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
    fn gap_percentile(&self, number: usize, rule: &Rule) -> Option<u64> {
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
            Stat::ErrorRate => trace.outcomes & FAILURES != 0,
            Stat::Mean | Stat::Rate => false,
        };
        let end = trace.unix_ns(end).0;
        let slot = self.every.map_or(0, |every| end.div_euclid(every));
        let tally = Tally {
            samples: 1,
            beyond: u64::from(beyond),
            sum: if rule.stat == Stat::Mean {
                value.into()
            } else {
                0
            },
            worst: value,
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

impl Run<'_> {
    /// Reads traces into `ledger` where rules are about them; what is to be judged, in the order of rules.
    pub(super) fn judgements(&self, ledger: &mut Ledger) -> Result<Vec<Judgement>, Error> {
        let rules = &self.options.rules;
        if !rules.iter().any(Rule::needs_traces) {
            return Ok((0..rules.len()).map(Judgement::of_rule).collect());
        }
        let percentiles = rules.iter().filter(|rule| rule.needs_traces());
        let percentiles = percentiles.filter_map(|rule| match rule.stat {
            Stat::Percentile(percentile) => Some(percentile),
            _ => None,
        });
        let mut percentiles: Vec<Percentile> = percentiles.collect();
        percentiles.sort_unstable();
        percentiles.dedup();
        let options = TraceOptions {
            since: self.options.since,
            until: self.options.until,
            skip_ns: self.options.skip_ns,
            percentiles,
            max_flows: MAX_FLOWS,
            slowest: 0,
            strict: self.options.strict,
            threads: self.options.threads,
            ..TraceOptions::default()
        };
        let keeping = Keeping {
            keep: self.keeping.keep.div_ceil(FLOWS_A_RULE),
            ..self.keeping
        };
        let mut seen = traces_with(self.set, &options, |world| {
            FlowSink::new(self, world, keeping)
        })?;
        seen.sink.gaps.values_mut().for_each(Counts::settle);
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (_, flow) in seen.sink.ledger.tallies.keys().map(|(account, _)| account) {
            if let Some(name) = seen.flow_name(FlowId(*flow)) {
                ids.insert(name.to_owned(), *flow);
            }
        }
        // What is of no flow by now, since there were too many, is of the others.
        let tallied = std::mem::take(&mut seen.sink.ledger);
        let about_gaps = |rule: u32| matches!(rules[rule as usize].target, Target::Gap { .. });
        let tallied = tallied.renamed(self.keeping, |(rule, flow)| {
            match about_gaps(rule) || seen.flow_name(FlowId(flow)).is_some() {
                true => (rule, flow),
                false => (rule, FlowId::OTHER.0),
            }
        });
        let others = (tallied.tallies.keys())
            .filter(|((_, flow), _)| *flow == FlowId::OTHER.0)
            .map(|((rule, _), _)| *rule)
            .collect::<BTreeSet<u32>>();
        let flows = &seen.traces.flows;
        let mut judgements = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let (wanted, response) = match &rule.target {
                Target::EndToEnd(flow) => (flow, false),
                Target::Response(flow) => (flow, true),
                Target::Event { .. } | Target::Gap { .. } => {
                    judgements.push(Judgement {
                        percentile: seen.sink.gap_percentile(number, rule),
                        ..Judgement::of_rule(number)
                    });
                    continue;
                }
            };
            let mine: Vec<&Flow> = flows
                .iter()
                .filter(|flow| wanted.as_ref().is_none_or(|wanted| flow.flow == *wanted))
                // Of a flow without due times there is no response time.
                .filter(|flow| wanted.is_some() || !response || flow.response.is_some())
                .collect();
            if mine.is_empty() {
                match wanted {
                    Some(wanted) => return Err(unknown_flow(rule, wanted, flows)),
                    None => judgements.push(Judgement::of_rule(number)),
                }
            }
            for flow in mine {
                let times = if response {
                    &flow.response
                } else {
                    &flow.end_to_end
                };
                let percentile = match (rule.stat, times) {
                    (Stat::Percentile(percentile), Some(times)) => {
                        times.percentiles.get(percentile)
                    }
                    _ => None,
                };
                judgements.push(Judgement {
                    account: (
                        number as u32,
                        ids.get(&flow.flow).copied().unwrap_or(u32::MAX - 1),
                    ),
                    flow: Some(flow.flow.clone()),
                    percentile: percentile.and_then(|value| u64::try_from(value).ok()),
                });
                self.add_incomplete(ledger, judgements.last(), &flow.incomplete);
            }
            // A gate must not pass because a slow trace is of one flow too many.
            let other = seen.traces.other.as_ref().filter(|_| wanted.is_none());
            if let Some(other) = other.filter(|_| !response || others.contains(&(number as u32))) {
                let percentile = match (rule.stat, &other.end_to_end) {
                    (Stat::Percentile(percentile), Some(times)) if !response => {
                        times.percentiles.get(percentile)
                    }
                    _ => None,
                };
                judgements.push(Judgement {
                    account: (number as u32, FlowId::OTHER.0),
                    flow: Some("other".into()),
                    percentile: percentile.and_then(|value| u64::try_from(value).ok()),
                });
                self.add_incomplete(ledger, judgements.last(), &other.incomplete);
            }
        }
        let mine = std::mem::take(ledger);
        *ledger = mine.merge(tallied, self.keeping);
        Ok(judgements)
    }

    /// Adds the traces of a flow that could not be measured. Those that had not ended did so after the last window, those
    /// that had begun before belong to the first.
    fn add_incomplete(
        &self,
        ledger: &mut Ledger,
        judgement: Option<&Judgement>,
        incomplete: &IncompleteCounts,
    ) {
        let Some(judgement) = judgement else {
            return;
        };
        let slots = &self.slots[self.face_of[judgement.account.0 as usize]];
        for (count, slot) in [
            (incomplete.open, slots.last()),
            (incomplete.cut, slots.first()),
        ] {
            if count > 0 {
                ledger.unknown(judgement.account, slot.copied(), Unknown::Count(count));
            }
        }
        if incomplete.memory > 0 {
            let unknown = Unknown::Count(incomplete.memory);
            ledger.unknown(judgement.account, slots.iter().copied(), unknown);
        }
    }
}

fn unknown_flow(rule: &Rule, wanted: &str, flows: &[Flow]) -> Error {
    let names: Vec<String> = (flows.iter().take(OFFERED))
        .map(|flow| format!("`{}`", flow.flow))
        .collect();
    let message = match names.is_empty() {
        true => format!("no flow is called `{wanted}`: there is no whole trace"),
        false => format!(
            "no flow is called `{wanted}`; there are {}",
            names.join(", ")
        ),
    };
    Error::new(
        std::path::Path::new(&rule.to_string()),
        ErrorKind::Rule(message),
    )
}
