//! From sums to the result.

use std::cmp::Reverse;
use std::collections::HashMap;

use perf_format::Histogram;

use super::ahead::Ahead;
use super::analyst::Analyst;
use super::bands::{bands, means};
use super::counts::Counts;
use super::flow_key::FlowKey;
use super::flows::{FlowSums, StageSums, Unmeasured};
use super::met::Met;
use super::notes::{ByBin, decode};
use super::options::TraceOptions;
use super::owners::Owner;
use super::result::*;
use super::run::FlowNames;
use super::tail::{annotations, in_order, shares, varied};
use super::times::times;
use super::trace::TraceSink;
use super::world::World;
use crate::capture::Capture;
use crate::report::{CaptureSummary, Selected};
use crate::warning::Warning;

/// Values of `--by` that are shown of one flow.
const MAX_BY: usize = 32;

/// What the result is made from, besides the sums.
pub(crate) struct Summary<'a> {
    pub(crate) world: &'a World,
    pub(crate) captures: &'a [&'a Capture],
    pub(crate) options: &'a TraceOptions,
    pub(crate) selected: Option<Selected>,
    pub(crate) ahead: &'a Ahead,
    pub(crate) early: u64,
}

impl Summary<'_> {
    pub(crate) fn finish<S: TraceSink>(
        &self,
        sums: Analyst<S>,
        captures: Vec<CaptureSummary>,
        mut warnings: Vec<Warning>,
    ) -> (Traces, S, FlowNames) {
        let Analyst {
            flows: mut table,
            slowest,
            mut asked,
            totals,
            sink,
            ..
        } = sums;
        let level = table.level;
        let mut flows = std::mem::take(&mut table.flows);
        flows.sort_by(|a, b| {
            let key = |flow: &FlowSums| Reverse(flow.traces());
            key(a).cmp(&key(b)).then_with(|| a.key.cmp(&b.key))
        });
        let patterns = self.patterns();
        let orders: Vec<Vec<u32>> = (flows.iter())
            .map(|flow| self.events_in_order(flow))
            .collect();
        let names = self.names(&flows, &orders);
        let mut by_id: FlowNames = Vec::new();
        for (flow, name) in flows.iter().zip(&names) {
            let place = flow.id as usize;
            by_id.resize(by_id.len().max(place + 1), None);
            by_id[place] = Some(name.clone());
        }
        let mut shown = Vec::new();
        let mut rest = 0;
        let other = &mut table.other;
        let (mut incomplete, mut lossy) = (incomplete(other.unmeasured), other.lossy);
        incomplete.sampled = totals.fragments;
        for (at, flow) in flows.iter().enumerate() {
            let mine = self::incomplete(flow.unmeasured);
            incomplete.open += mine.open;
            incomplete.cut += mine.cut;
            incomplete.memory += mine.memory;
            lossy += flow.lossy;
            if at < self.options.max_flows || matches!(flow.key, FlowKey::Rule(_)) {
                let matches = patterns.is_empty()
                    || orders[at].iter().any(|event| {
                        let name = self.world.event_name(*event);
                        patterns.iter().any(|pattern| pattern.matches(name))
                    });
                if matches {
                    shown.push(self.flow(flow, &names[at], &orders[at], level));
                }
            } else {
                other.merge_counts(flow);
                rest += 1;
            }
        }
        let undivided = table.other_was_used();
        let other = &table.other;
        let other = (other.traces() > 0).then(|| OtherFlows {
            flows: (!undivided).then_some(rest),
            count: other.e2e.count,
            failed: other.failed,
            incomplete: self::incomplete(other.unmeasured),
            end_to_end: self.units(&other.e2e),
        });
        asked.sort_by_key(|kept| (kept.domain, kept.start, kept.id.0));
        let traces = Traces {
            schema: SCHEMA,
            captures,
            selected: self.selected,
            traces: totals.measured,
            spans: totals.spans,
            incomplete,
            lossy,
            reused_ids: totals.reused,
            without_spans: totals.without_spans,
            not_selected: totals.not_selected,
            overlapping_spans: totals.overlaps,
            clipped_children: totals.clipped,
            stand_for: totals.standing,
            clock_error_ns: self.clock_error(),
            band_bins_per_octave: 64 >> level.min(6),
            flows: shown,
            other,
            slowest: slowest
                .finish()
                .iter()
                .map(|kept| self.kept(kept, &by_id))
                .collect(),
            asked: asked.iter().map(|kept| self.kept(kept, &by_id)).collect(),
            warnings: Vec::new(),
        };
        warnings.extend(super::caveats::caveats(self, &traces));
        (Traces { warnings, ..traces }, sink, by_id)
    }

    fn patterns(&self) -> Vec<glob::Pattern> {
        // Those that cannot be parsed were refused at the start.
        let parsed = self
            .options
            .events
            .iter()
            .map(|text| glob::Pattern::new(text));
        parsed.filter_map(Result::ok).collect()
    }

    fn flow(&self, flow: &FlowSums, name: &str, events: &[u32], level: u32) -> Flow {
        let order = match self.options.dissects() {
            true => in_order(flow, events),
            false => Vec::new(),
        };
        let found = bands(
            &flow.cells,
            &order,
            &self.options.percentiles,
            self.world.ns_per_unit,
        );
        let ranges: Vec<((u32, u32), u64)> = found
            .iter()
            .map(|found| (found.bins, found.band.count))
            .collect();
        let covered = self.selected.map_or(0, |selected| selected.covered_ns);
        let [_, errors, cancelled, panicked] = flow.outcomes;
        Flow {
            flow: name.to_owned(),
            events: events
                .iter()
                .map(|event| self.world.event_name(*event).to_owned())
                .collect(),
            by_rule: matches!(flow.key, FlowKey::Rule(_)),
            count: flow.e2e.count,
            rate_per_s: (covered > 0).then(|| flow.e2e.count as f64 / (covered as f64 / 1e9)),
            failed: flow.failed,
            errors,
            cancelled,
            panicked,
            lossy: flow.lossy,
            incomplete: incomplete(flow.unmeasured),
            open_beyond: self.open_beyond(flow),
            end_to_end: self.units(&flow.e2e),
            lag: self.times(&flow.lag.histogram(), |ns| ns),
            response: self.times(&flow.response.histogram(), |ns| ns),
            early: flow.early,
            owners: self.owners(flow, &order),
            background: self.background(flow, &ranges, level),
            annotations: annotations(flow, &ranges, &found, level),
            varied_annotations: varied(flow),
            fan_out: self.fan_out(flow, events),
            by: self.by(flow),
            bands: found.into_iter().map(|found| found.band).collect(),
        }
    }

    fn units(&self, counts: &Counts) -> Option<Times> {
        self.times(&counts.histogram(), |units| self.world.ns(units))
    }

    fn times(&self, histogram: &Histogram, ns: impl Fn(u64) -> u64) -> Option<Times> {
        times(histogram, self.options, ns)
    }

    fn open_beyond(&self, flow: &FlowSums) -> Option<Vec<u64>> {
        if flow.ages.count == 0 || flow.e2e.count == 0 {
            return None;
        }
        let (ages, e2e) = (flow.ages.histogram(), flow.e2e.histogram());
        let beyond = self.options.percentiles.iter().map(|percentile| {
            let rank = percentile.rank(e2e.count());
            let limit = e2e.bin_of_rank(rank).map_or(0, |(bin, _)| bin);
            let above = ages.nonempty().filter(|(bin, _)| *bin > limit);
            above.map(|(_, count)| count).sum()
        });
        Some(beyond.collect())
    }

    fn owners(&self, flow: &FlowSums, order: &[usize]) -> Vec<OwnerStats> {
        let own = flow.own();
        let error = self.clock_error();
        let sums: Vec<u128> = order.iter().map(|number| own[*number]).collect();
        let total: u128 = sums.iter().sum();
        let means = means(&sums, flow.e2e.count, self.world.ns_per_unit);
        let name = |event: u32| self.world.event_name(event).to_owned();
        order
            .iter()
            .zip(sums)
            .zip(means)
            .map(|((number, sum), own_mean_ns)| {
                let own_share = match total {
                    0 => 0.0,
                    total => sum as f64 / total as f64,
                };
                match flow.owners.list[*number] {
                    Owner::Stage(event) => {
                        let stage = &flow.stages[*number];
                        let inclusive = sum.saturating_add(flow.shared[*number].into());
                        let inclusive = inclusive as f64 * self.world.ns_per_unit;
                        let spans = flow.plain + stage.spans;
                        OwnerStats {
                            kind: OwnerKind::Stage,
                            owner: name(event),
                            from: None,
                            to: None,
                            spans: Some(spans),
                            traces: Some(flow.plain + stage.traces),
                            inclusive_mean_ns: (spans > 0)
                                .then(|| (inclusive / spans as f64).round() as u64),
                            own_mean_ns,
                            own_share,
                            within_clock_error: false,
                        }
                    }
                    Owner::Gap(from, to) => OwnerStats {
                        kind: OwnerKind::Gap,
                        owner: format!("{}→{}", name(from), name(to)),
                        from: Some(name(from)),
                        to: Some(name(to)),
                        spans: None,
                        traces: None,
                        inclusive_mean_ns: None,
                        own_mean_ns,
                        own_share,
                        within_clock_error: error.is_some_and(|error| own_mean_ns <= error),
                    },
                }
            })
            .collect()
    }

    fn background(
        &self,
        flow: &FlowSums,
        ranges: &[((u32, u32), u64)],
        level: u32,
    ) -> Vec<Background> {
        let mut all = flow.met.by_met();
        let looked = all.remove(&Met::Looked).map(|bins| {
            let total: u64 = bins.values().sum();
            (total, shares(&bins, ranges, level))
        });
        let row = |(met, bins): (Met, ByBin)| {
            let count: u64 = bins.values().sum();
            let (event, kind) = match met {
                Met::Ran(event) => (event, BackgroundKind::Ran),
                Met::High(event) => (event, BackgroundKind::High),
                Met::Busy(event) => (event, BackgroundKind::Busy),
                Met::Looked => return None,
            };
            let looked = looked.as_ref().filter(|_| kind == BackgroundKind::Busy);
            let of = looked.map_or(flow.e2e.count, |(total, _)| *total);
            let mut bands = shares(&bins, ranges, level);
            if let Some((_, looked)) = looked {
                let parts = bands.iter_mut().zip(looked).filter(|(_, all)| **all > 0.0);
                parts.for_each(|(share, all)| *share /= all);
            }
            let usual = self.ahead.usual.get(&event);
            Some(Background {
                kind,
                usual: usual
                    .filter(|_| kind == BackgroundKind::High)
                    .map(|(_, most)| *most),
                event: self.world.event_name(event).to_owned(),
                count,
                share: count as f64 / of.max(1) as f64,
                bands,
            })
        };
        all.into_iter().filter_map(row).collect()
    }

    fn fan_out(&self, flow: &FlowSums, events: &[u32]) -> Vec<FanOut> {
        let numbers: HashMap<u32, &StageSums> = flow
            .owners
            .list
            .iter()
            .zip(&flow.stages)
            .filter_map(|(owner, stage)| match owner {
                Owner::Stage(event) => Some((*event, stage)),
                Owner::Gap(..) => None,
            })
            .collect();
        let stages = events
            .iter()
            .filter_map(|event| Some((*event, *numbers.get(event)?)));
        let mean =
            |sum: u128, of: u64| (sum as f64 * self.world.ns_per_unit / of as f64).round() as u64;
        stages
            .filter(|(_, stage)| stage.fan_traces > 0)
            .map(|(event, stage)| FanOut {
                event: self.world.event_name(event).to_owned(),
                traces: stage.fan_traces,
                mean_spans: stage.fan_spans as f64 / stage.fan_traces as f64,
                max_spans: stage.fan_most,
                first_end_mean_ns: mean(stage.fan_first, stage.fan_traces),
                last_end_mean_ns: mean(stage.fan_last, stage.fan_traces),
            })
            .collect()
    }

    fn by(&self, flow: &FlowSums) -> Option<Vec<ByValue>> {
        if self.options.by.is_none() || flow.too_many_by {
            return None;
        }
        let mut values: Vec<_> = flow.by.iter().collect();
        values.sort_by_key(|(value, counts)| (Reverse(counts.e2e.count), *value));
        let shown = values
            .into_iter()
            .take(MAX_BY)
            .filter_map(|(value, counts)| {
                Some(ByValue {
                    value: decode(value),
                    failed: counts.failed,
                    end_to_end: self.units(&counts.e2e)?,
                })
            });
        Some(shown.collect())
    }
}

fn incomplete(counts: Unmeasured) -> IncompleteCounts {
    let Unmeasured { open, cut, memory } = counts;
    let sampled = 0;
    IncompleteCounts {
        open,
        cut,
        memory,
        sampled,
    }
}
