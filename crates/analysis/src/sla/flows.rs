//! Rules about traces: every finished trace is a sample of its flow.

use std::collections::{BTreeSet, HashMap};

use super::flow_sink::FlowSink;
use super::ledger::{Account, Keeping, Ledger, Unknown};
use super::rule::{Rule, Stat, Target};
use super::run::Run;
use crate::error::{Error, ErrorKind};
use crate::traces::{
    Counts, Flow, FlowId, IncompleteCounts, Seen, Times, TraceOptions, traces_with,
};
use crate::value::Percentile;

/// Flows that are told apart, at most.
const MAX_FLOWS: usize = 4096;
/// Violations that are kept of each flow are this part of what a rule may list: a rule about each flow has many accounts.
const FLOWS_A_RULE: usize = 8;
/// Names of flows that an error offers.
const OFFERED: usize = 5;

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

impl Run<'_> {
    /// Reads traces into `ledger` where rules are about them; what is to be judged, in the order of rules.
    pub(super) fn judgements(&self, ledger: &mut Ledger) -> Result<Vec<Judgement>, Error> {
        let rules = &self.options.rules;
        if !rules.iter().any(Rule::needs_traces) {
            return Ok((0..rules.len()).map(Judgement::of_rule).collect());
        }
        let keeping = Keeping {
            keep: self.keeping.keep.div_ceil(FLOWS_A_RULE),
            ..self.keeping
        };
        let mut seen = traces_with(self.set, &self.trace_options(), |world| {
            FlowSink::new(self, world, keeping)
        })?;
        seen.sink.gaps.values_mut().for_each(Counts::settle);
        let tallied = self.by_flow(&mut seen);
        let accounts: BTreeSet<Account> = tallied.tallies.keys().map(|key| key.0).collect();
        let mut judgements = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let (wanted, response) = match &rule.target {
                Target::EndToEnd(flow) => (flow.as_deref(), false),
                Target::Response(flow) => (flow.as_deref(), true),
                Target::Event { .. } | Target::Gap { .. } => {
                    let judgement = Judgement {
                        percentile: seen.sink.gap_percentile(number, rule),
                        ..Judgement::of_rule(number)
                    };
                    if rule.needs_traces() {
                        // Any of them may have had the gap.
                        self.add_incomplete(ledger, &judgement, &seen.traces.incomplete);
                    }
                    judgements.push(judgement);
                    continue;
                }
            };
            let asked = Asked {
                number,
                rule,
                wanted,
                response,
            };
            let mine = asked.judgements(&seen, &accounts)?;
            for (judgement, incomplete) in &mine {
                self.add_incomplete(ledger, judgement, incomplete);
            }
            judgements.extend(mine.into_iter().map(|(judgement, _)| judgement));
        }
        let mine = std::mem::take(ledger);
        *ledger = mine.merge(tallied, self.keeping);
        Ok(judgements)
    }

    fn trace_options(&self) -> TraceOptions {
        let rules = self.options.rules.iter().filter(|rule| rule.needs_traces());
        let percentiles = rules.filter_map(|rule| match rule.stat {
            Stat::Percentile(percentile) => Some(percentile),
            _ => None,
        });
        let percentiles: BTreeSet<Percentile> = percentiles.collect();
        TraceOptions {
            since: self.options.since,
            until: self.options.until,
            skip_ns: self.options.skip_ns,
            percentiles: percentiles.into_iter().collect(),
            max_flows: MAX_FLOWS,
            slowest: 0,
            dissect: self
                .options
                .rules
                .iter()
                .any(|rule| matches!(rule.target, Target::Gap { .. })),
            context: false,
            strict: self.options.strict,
            threads: self.options.threads,
            ..TraceOptions::default()
        }
    }

    /// What was added up, with that of the others for what is of no flow by now, since there were too many.
    fn by_flow(&self, seen: &mut Seen<FlowSink<'_>>) -> Ledger {
        let tallied = std::mem::take(&mut seen.sink.ledger);
        let about_gaps =
            |rule: u32| matches!(self.options.rules[rule as usize].target, Target::Gap { .. });
        tallied.renamed(self.keeping, |(rule, flow)| {
            match about_gaps(rule) || seen.flow_name(FlowId(flow)).is_some() {
                true => (rule, flow),
                false => (rule, FlowId::OTHER.0),
            }
        })
    }

    /// Adds the traces of a flow that could not be measured. Those that had not ended did so after the last window, those
    /// that had begun before belong to the first, and nobody knows where those belong of which only fragments were kept.
    fn add_incomplete(
        &self,
        ledger: &mut Ledger,
        judgement: &Judgement,
        incomplete: &IncompleteCounts,
    ) {
        let slots = &self.slots[self.face_of[judgement.account.0 as usize]];
        for (count, slot) in [
            (incomplete.open, slots.last()),
            (incomplete.cut, slots.first()),
        ] {
            if count > 0 {
                ledger.unknown(judgement.account, slot.copied(), Unknown::Count(count));
            }
        }
        let anywhere = incomplete.memory.saturating_add(incomplete.sampled);
        if anywhere > 0 {
            let unknown = Unknown::Count(anywhere);
            ledger.unknown(judgement.account, slots.iter().copied(), unknown);
        }
    }
}

/// A rule about flows.
struct Asked<'a> {
    number: usize,
    rule: &'a Rule,
    /// `None`: each flow.
    wanted: Option<&'a str>,
    response: bool,
}

impl Asked<'_> {
    /// What is to be judged, and which traces of it could not be measured.
    fn judgements(
        &self,
        seen: &Seen<FlowSink<'_>>,
        accounts: &BTreeSet<Account>,
    ) -> Result<Vec<(Judgement, IncompleteCounts)>, Error> {
        let mine: Vec<&Flow> = (seen.traces.flows.iter())
            .filter(|flow| self.wanted.is_none_or(|wanted| flow.flow == wanted))
            // Of a flow without due times there is no response time.
            .filter(|flow| self.wanted.is_some() || !self.response || flow.response.is_some())
            .collect();
        let account = |flow: u32| (self.number as u32, flow);
        let fragments = |incomplete: IncompleteCounts| IncompleteCounts {
            sampled: seen.traces.incomplete.sampled,
            ..incomplete
        };
        let mut judgements = Vec::new();
        if mine.is_empty() {
            match self.wanted {
                Some(wanted) => return Err(unknown_flow(self.rule, wanted, &seen.traces.flows)),
                None => {
                    let judgement = Judgement::of_rule(self.number);
                    judgements.push((judgement, fragments(IncompleteCounts::default())));
                }
            }
        }
        let ids: HashMap<&str, u32> = (accounts.iter())
            .filter_map(|(_, flow)| Some((seen.flow_name(FlowId(*flow))?, *flow)))
            .collect();
        judgements.extend(mine.into_iter().map(|flow| {
            let times = match self.response {
                true => &flow.response,
                false => &flow.end_to_end,
            };
            // One of which nothing was measured has no account.
            let id = ids.get(flow.flow.as_str()).copied();
            let judgement = Judgement {
                account: account(id.unwrap_or(u32::MAX - 1)),
                flow: Some(flow.flow.clone()),
                percentile: self.percentile(times.as_ref()),
            };
            (judgement, fragments(flow.incomplete))
        }));
        // A gate must not pass because a slow trace is of one flow too many.
        let other = seen.traces.other.as_ref().filter(|_| self.wanted.is_none());
        let is_judged = !self.response || accounts.contains(&account(FlowId::OTHER.0));
        if let Some(other) = other.filter(|_| is_judged) {
            let times = other.end_to_end.as_ref().filter(|_| !self.response);
            let judgement = Judgement {
                account: account(FlowId::OTHER.0),
                flow: Some("other".into()),
                percentile: self.percentile(times),
            };
            judgements.push((judgement, fragments(other.incomplete)));
        }
        Ok(judgements)
    }

    /// The percentile of the rule, from bins.
    fn percentile(&self, times: Option<&Times>) -> Option<u64> {
        let Stat::Percentile(percentile) = self.rule.stat else {
            return None;
        };
        let value = times?.percentiles.get(percentile)?;
        u64::try_from(value).ok()
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
