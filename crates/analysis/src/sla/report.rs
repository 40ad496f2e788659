//! From what was added up to the answer.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::details::{Details, Told};
use super::episodes::{Found, episodes};
use super::judge::{Covered, badness, judge};
use super::ledger::{Account, Kept, Ledger, Tally};
use super::options::MAX_TOLD;
use super::result::{
    Also, AlsoKind, Budget, Episode, RuleResult, SCHEMA, Sla, Verdict, Violation, Window, Windows,
};
use super::rule::{Bound, Rule, Stat, Target};
use super::run::{Read, Run};
use super::unknown::Missing;
use super::watch::missing_event;
use crate::error::{Error, ErrorKind};
use crate::report::timeline::SlotNumber;
use crate::report::{Selected, integrity};
use crate::value::{Number, UnixNs};
use crate::warning::{Warning, WarningKind};

impl Run<'_> {
    pub(super) fn report(&self) -> Result<Sla, Error> {
        let read = self.read()?;
        let ledger = &read.ledger;
        let mut rules = self.rules(&read);
        self.measure(&mut rules)?;
        let places: HashMap<Account, usize> = (read.judgements.iter().enumerate())
            .map(|(place, judgement)| (judgement.account, place))
            .collect();
        let mut kept: Vec<(Account, Kept)> = Vec::new();
        let mut count = 0;
        // Flows that no rule names are not judged.
        let judged = |account: &Account| places.contains_key(account);
        for (account, violations) in ledger
            .violations
            .iter()
            .filter(|(account, _)| judged(account))
        {
            count += violations.count;
            kept.extend(violations.kept.iter().map(|kept| (*account, *kept)));
        }
        kept.sort_by_key(|(account, kept)| (kept.time(), *account));
        let (found, more_episodes) = episodes(ledger, judged, self.keeping.gap);
        let mut told = (Told::default(), Vec::new());
        if self.options.details {
            told = self.details(&kept, &found)?;
        }
        let (mut told, numbers) = told;
        let violations: Vec<Violation> = kept
            .iter()
            .enumerate()
            .map(|(number, (account, kept))| {
                let annotations = told.annotations(number);
                let violation = self.violation(*account, kept, ledger, annotations);
                Violation {
                    rule: places[account],
                    event: rules[places[account]]
                        .flow
                        .clone()
                        .unwrap_or(violation.event),
                    ..violation
                }
            })
            .collect();
        let episodes = found.iter().enumerate().map(|(number, found)| {
            let place = numbers.iter().position(|told| *told == number);
            let also = place.map(|place| {
                let mut also = told.also(place);
                also.extend(lost_during(found, &read.missing));
                also
            });
            episode(found, places[&found.account], also)
        });
        let episodes: Vec<Episode> = episodes.collect();
        let (captures, warnings) = self.warnings(ledger)?;
        Ok(Sla {
            schema: SCHEMA,
            captures,
            selected: self.stretches.bounds().map(|(from, to)| Selected {
                start_unix_ns: UnixNs(from),
                end_unix_ns: UnixNs(to),
                covered_ns: self.stretches.covered_within(i64::MIN, i64::MAX),
            }),
            verdict: overall(&rules),
            more_violations: count - violations.len() as u64,
            rules,
            violations,
            episodes,
            more_episodes,
            episode_gap_ns: self.keeping.gap.unsigned_abs(),
            warnings,
        })
    }

    fn rules(&self, read: &Read) -> Vec<RuleResult> {
        let ledger = &read.ledger;
        let judged = read.judgements.iter().map(|judgement| {
            let account = judgement.account;
            let number = account.0 as usize;
            let rule = &self.options.rules[number];
            let first = (account, SlotNumber::MIN);
            let last = (account, SlotNumber::MAX);
            let mut total = Tally::default();
            for (_, tally) in ledger.tallies.range(first..=last) {
                total.add(tally);
            }
            // What may belong to one of several windows is still only once in the whole.
            total.unknown = ledger.unknown.get(&account).copied().unwrap_or_default();
            let mut judged = judge(rule, &total, self.covered(None, 0));
            if let Some(percentile) = judgement.percentile {
                judged.measured = Some(Number::Int(percentile.into()));
            }
            let windows = rule
                .over_ns
                .map(|ns| self.windows_of(account, rule, ns, ledger));
            RuleResult {
                rule: rule.clone(),
                flow: judgement.flow.clone(),
                verdict: windows.as_ref().map_or(judged.verdict, Windows::verdict),
                unit: self.watches.units[number].clone().unwrap_or_default(),
                total: judged,
                windows,
            }
        });
        judged.collect()
    }

    fn covered(&self, every: Option<i64>, slot: SlotNumber) -> Covered {
        let (from, to) = match every {
            Some(every) => (
                slot.saturating_mul(every),
                slot.saturating_add(1).saturating_mul(every),
            ),
            None => (i64::MIN, i64::MAX),
        };
        let ns = self.stretches.covered_within(from, to);
        Covered {
            ns,
            whole: ns == to.abs_diff(from),
        }
    }

    fn windows_of(
        &self,
        account: Account,
        rule: &Rule,
        length_ns: u64,
        ledger: &Ledger,
    ) -> Windows {
        let face = self.face_of[account.0 as usize];
        let every = self.faces[face];
        let mut slots: BTreeSet<SlotNumber> = self.slots[face].clone();
        let tallied = ledger
            .tallies
            .range((account, SlotNumber::MIN)..=(account, SlotNumber::MAX));
        slots.extend(tallied.map(|((_, slot), _)| *slot));
        let mut windows = Windows {
            length_ns,
            pass: 0,
            no_data: 0,
            unproven: 0,
            fail: 0,
            worst: None,
        };
        let mut worst: Option<(Verdict, f64, u64)> = None;
        for slot in slots {
            let tally = ledger
                .tallies
                .get(&(account, slot))
                .copied()
                .unwrap_or_default();
            let covered = self.covered(every, slot);
            let judged = judge(rule, &tally, covered);
            match judged.verdict {
                Verdict::Pass => windows.pass += 1,
                Verdict::NoData => windows.no_data += 1,
                Verdict::Unproven => windows.unproven += 1,
                Verdict::Fail => windows.fail += 1,
            }
            let rank = (judged.verdict, badness(rule, &tally, covered), tally.worst);
            if judged.verdict != Verdict::NoData && worst.is_none_or(|worst| rank > worst) {
                worst = Some(rank);
                let start = slot.saturating_mul(every.unwrap_or(i64::MAX));
                windows.worst = Some(Window {
                    start_unix_ns: UnixNs(start),
                    end_unix_ns: UnixNs(start.saturating_add(every.unwrap_or(0))),
                    judged,
                });
            }
        }
        windows
    }

    fn details(
        &self,
        kept: &[(Account, Kept)],
        found: &[Found],
    ) -> Result<(Told, Vec<usize>), Error> {
        // The largest episodes, in the order of the list.
        let mut numbers: Vec<usize> = (0..found.len()).collect();
        numbers.sort_by_key(|number| (Reverse(found[*number].cluster.count), *number));
        numbers.truncate(MAX_TOLD);
        numbers.sort_unstable();
        let largest: Vec<Found> = numbers.iter().map(|number| found[*number]).collect();
        let scan = self.scan();
        let told = Details::new(&scan, kept, &largest).run()?;
        Ok((told, numbers))
    }

    fn violation(
        &self,
        account: Account,
        kept: &Kept,
        ledger: &Ledger,
        annotations: Vec<(String, String)>,
    ) -> Violation {
        let number = account.0 as usize;
        let rule = &self.options.rules[number];
        let capture = self.captures[kept.capture as usize];
        let thread = kept.thread.map(|id| {
            let tables = capture
                .files
                .iter()
                .flat_map(|file| &file.index.tables.threads);
            let named = tables.filter(|thread| thread.id == id && !thread.name.is_empty());
            let mut names = named.map(|thread| thread.name.clone());
            names.next().unwrap_or_else(|| format!("thread#{id}"))
        });
        let tally = ledger
            .tallies
            .get(&(account, kept.slot))
            .copied()
            .unwrap_or_default();
        let covered = Covered { ns: 1, whole: true };
        let event = match &rule.target {
            Target::Event { name, .. } => name.clone(),
            other => other.to_string(),
        };
        Violation {
            rule: number,
            end_unix_ns: UnixNs(kept.end),
            event,
            outcome: kept.outcome,
            value: kept.value,
            over_by: over_by(rule, kept.value),
            budget: match judge(rule, &tally, covered).verdict {
                Verdict::Fail => Budget::Beyond,
                Verdict::NoData => Budget::Undecided,
                Verdict::Pass | Verdict::Unproven => Budget::Within,
            },
            open: kept.open,
            thread,
            trace: (kept.trace != 0).then(|| format!("{:016x}", kept.trace)),
            annotations,
            capture: capture.path().to_owned(),
        }
    }

    /// The integrity of the captures, and what a reader must know.
    fn warnings(
        &self,
        ledger: &Ledger,
    ) -> Result<(Vec<crate::report::CaptureSummary>, Vec<Warning>), Error> {
        let mut warnings = self.set.warnings().to_vec();
        let mut summaries = Vec::new();
        for (((capture, survey), lifetime), timeline) in (self.captures.iter())
            .zip(&self.surveys)
            .zip(&self.lifetimes)
            .zip(&self.timelines)
        {
            let summary = integrity::summary(capture, survey, *lifetime);
            warnings.extend(integrity::warnings(capture, &summary, survey, timeline));
            summaries.push(summary);
        }
        warnings.extend(ledger.damage.values().cloned());
        let mut unknown: Vec<&str> = Vec::new();
        for (rule, unit) in self.options.rules.iter().zip(&self.watches.units) {
            let name = match &rule.target {
                Target::Event { name, .. } => Some(name.as_str()),
                _ => missing_event(rule, &self.captures),
            };
            unknown.extend(name.filter(|name| unit.is_none() && !unknown.contains(name)));
        }
        warnings.extend(unknown.into_iter().map(|name| Warning {
            capture: None,
            kind: WarningKind::NoEventMatches {
                pattern: name.to_owned(),
            },
        }));
        let damage = warnings.iter().find(|warning| warning.kind.is_damage());
        match damage.filter(|_| self.options.strict) {
            Some(damage) => Err(Error::new(
                Path::new(&damage.capture.clone().unwrap_or_default()),
                ErrorKind::Incomplete(damage.message()),
            )),
            None => Ok((summaries, warnings)),
        }
    }
}

impl Windows {
    /// The verdict on all of them.
    fn verdict(&self) -> Verdict {
        match (self.fail, self.unproven, self.pass) {
            (1.., ..) => Verdict::Fail,
            (_, 1.., _) => Verdict::Unproven,
            (_, _, 1..) => Verdict::Pass,
            _ => Verdict::NoData,
        }
    }
}

/// The verdict on all rules.
fn overall(rules: &[RuleResult]) -> Verdict {
    let has = |verdict| rules.iter().any(|rule| rule.verdict == verdict);
    let order = [
        Verdict::Fail,
        Verdict::Unproven,
        Verdict::NoData,
        Verdict::Pass,
    ];
    order
        .into_iter()
        .find(|verdict| has(*verdict))
        .unwrap_or(Verdict::NoData)
}

/// By how much a value is above the bound.
fn over_by(rule: &Rule, value: u64) -> Option<Number> {
    if rule.stat == Stat::ErrorRate {
        return None;
    }
    match rule.bound {
        Bound::Ns(ns) => Some(Number::Int(i128::from(value) - i128::from(ns))),
        Bound::Number(number) if number.millionths() % 1_000_000 == 0 => {
            let bound = i128::from(number.millionths() / 1_000_000);
            Some(Number::Int(i128::from(value) - bound))
        }
        Bound::Number(number) => Some(Number::Real(value as f64 - number.as_f64())),
        Bound::Percent(_) | Bound::PerSecond(_) => None,
    }
}

fn episode(found: &Found, rule: usize, also: Option<Vec<Also>>) -> Episode {
    let cluster = &found.cluster;
    Episode {
        rule,
        start_unix_ns: UnixNs(cluster.start),
        end_unix_ns: UnixNs(cluster.last_end),
        length_ns: cluster.last_end.abs_diff(cluster.start),
        violations: cluster.count,
        worst: cluster.worst,
        also,
    }
}

/// Records that were lost in intervals that touch an episode.
fn lost_during(found: &Found, missing: &[Vec<Missing>]) -> Option<Also> {
    let cluster = &found.cluster;
    let touching = missing.iter().flatten().filter(|missing| {
        missing.lost && missing.from <= cluster.last_end && missing.to >= cluster.start
    });
    let count = touching.fold(0_u64, |sum, missing| match missing.amount {
        super::ledger::Unknown::Count(count) => sum.saturating_add(count),
        super::ledger::Unknown::Endless => sum,
    });
    (count > 0).then(|| Also {
        kind: AlsoKind::Lost,
        what: String::new(),
        unit: String::new(),
        count,
        greatest: None,
    })
}
