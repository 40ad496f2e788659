//! One judgement from beginning to end.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use perf_format::{CloseReason, Outcome as Ended, SegmentId, SeriesKey};

use super::flows::Judgement;
use super::ledger::{Keeping, Kept, Ledger, Tally, Unknown};
use super::options::{MAX_RULES, MAX_VIOLATIONS, MAX_WINDOWS, SlaOptions};
use super::rule::{Rule, Target};
use super::scan::Scan;
use super::unknown::{Missing, missing};
use super::watch::{Watch, Watches};
use crate::capture::{Capture, CaptureSet};
use crate::error::{Error, ErrorKind};
use crate::report::survey::Survey;
use crate::report::timeline::{SlotNumber, Timeline};
use crate::report::window::{Lifetime, Stretches, surveyed};

/// Stretches of time by which violations are first put together, at most about: episodes of a longer recording are wider apart.
const MAX_CLUSTERS: u64 = 200_000;

/// Everything that is known before any record is read.
pub(super) struct Run<'a> {
    pub(super) set: &'a CaptureSet,
    pub(super) options: &'a SlaOptions,
    pub(super) captures: Vec<&'a Capture>,
    pub(super) surveys: Vec<Survey>,
    pub(super) lifetimes: Vec<Option<Lifetime>>,
    pub(super) timelines: Vec<Timeline>,
    pub(super) stretches: Stretches,
    pub(super) watches: Watches,
    pub(super) faces: Vec<Option<i64>>,
    pub(super) face_of: Vec<usize>,
    /// By face: the windows that are covered by a capture, at least partly.
    pub(super) slots: Vec<BTreeSet<SlotNumber>>,
    pub(super) keeping: Keeping,
}

/// What was read.
pub(super) struct Read {
    pub(super) ledger: Ledger,
    pub(super) judgements: Vec<Judgement>,
    /// By capture.
    pub(super) missing: Vec<Vec<Missing>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(set: &'a CaptureSet, options: &'a SlaOptions) -> Result<Self, Error> {
        let rules = &options.rules;
        check(rules)?;
        let captures: Vec<&Capture> = set.captures().iter().collect();
        let (surveys, lifetimes) = surveyed(&captures)?;
        let selection = options.selection();
        let everything = Timeline {
            since: None,
            until: None,
            every: None,
        };
        let timelines: Vec<Timeline> = lifetimes
            .iter()
            .map(|lifetime| lifetime.map_or(everything, |life| life.timeline(&selection)))
            .collect();
        let mut stretches = Stretches::default();
        for (lifetime, timeline) in lifetimes.iter().zip(&timelines) {
            if let Some(lifetime) = lifetime {
                stretches.push(None, *lifetime, timeline);
            }
        }
        let watches = Watches::new(rules, &captures, &surveys)
            .map_err(|(number, kind)| Error::new(Path::new(&rules[number].to_string()), kind))?;
        let mut faces: Vec<Option<i64>> = Vec::new();
        let face_of = rules.iter().map(|rule| face(rule, &mut faces)).collect();
        let covered = stretches.covered_within(i64::MIN, i64::MAX);
        let gap = options.gap_ns.max(1).max(covered / MAX_CLUSTERS);
        let keep = options.violations.min(MAX_VIOLATIONS) / rules.len().max(1);
        let mut run = Self {
            set,
            options,
            captures,
            surveys,
            lifetimes,
            timelines,
            stretches,
            watches,
            faces,
            face_of,
            slots: Vec::new(),
            keeping: Keeping {
                gap: i64::try_from(gap).unwrap_or(i64::MAX),
                keep,
            },
        };
        run.slots = run.windows()?;
        Ok(run)
    }

    /// By face: the windows that captures touch.
    fn windows(&self) -> Result<Vec<BTreeSet<SlotNumber>>, Error> {
        let mut total = 0_u64;
        let mut all = Vec::new();
        for (number, every) in self.faces.iter().enumerate() {
            let users = self.face_of.iter().filter(|face| **face == number).count() as u64;
            let mut slots = BTreeSet::new();
            for ((lifetime, timeline), capture) in self
                .lifetimes
                .iter()
                .zip(&self.timelines)
                .zip(&self.captures)
            {
                let Some((from, to)) = lifetime.and_then(|life| life.touched(timeline)) else {
                    continue;
                };
                let every = every.unwrap_or(i64::MAX);
                let (first, last) = match self.faces[number] {
                    Some(_) => (from.div_euclid(every), to.div_euclid(every)),
                    None => (0, 0),
                };
                let more = (last.abs_diff(first).saturating_add(1)).saturating_mul(users);
                total = total.saturating_add(more);
                if total > MAX_WINDOWS {
                    let kind = ErrorKind::TooManySlots {
                        slots: total,
                        limit: MAX_WINDOWS,
                    };
                    return Err(Error::new(capture.files[0].source.path(), kind));
                }
                slots.extend(first..=last);
            }
            all.push(slots);
        }
        Ok(all)
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        Scan {
            rules: &self.options.rules,
            captures: &self.captures,
            surveys: &self.surveys,
            timelines: &self.timelines,
            faces: &self.faces,
            face_of: &self.face_of,
            watches: &self.watches,
            keeping: self.keeping,
            strict: self.options.strict,
        }
    }

    /// Reads all that is to be read, but for details.
    pub(super) fn read(&self) -> Result<Read, Error> {
        let mut ledger = self.scan().run()?;
        let judgements = self.judgements(&mut ledger)?;
        let mut all = Vec::new();
        for (number, (capture, survey)) in self.captures.iter().zip(&self.surveys).enumerate() {
            self.add_open(&mut ledger, number, capture, survey);
            let missing = missing(number, capture, survey);
            for each in &missing {
                self.add_missing(&mut ledger, number, each, &judgements);
            }
            all.push(missing);
        }
        ledger.finish(self.keeping);
        Ok(Read {
            ledger,
            judgements,
            missing: all,
        })
    }

    /// Adds records of which nothing is known to every window of every rule that they may belong to.
    fn add_missing(
        &self,
        ledger: &mut Ledger,
        number: usize,
        missing: &Missing,
        judgements: &[Judgement],
    ) {
        let touched = self.lifetimes[number].and_then(|life| life.touched(&self.timelines[number]));
        let Some((first, last)) = touched else {
            return;
        };
        // What was lost before the first known instant or after the last belongs to the nearest window.
        let life = self.lifetimes[number].map_or((first, last), |life| (life.start, life.end));
        let from = missing.from.clamp(life.0, life.1);
        let to = missing.to.clamp(life.0, life.1);
        let (from, to) = (from.max(first), to.min(last));
        if from > to {
            return;
        }
        for judgement in judgements {
            let face = self.face_of[judgement.account.0 as usize];
            let (first, last) = match self.faces[face] {
                Some(every) => (from.div_euclid(every), to.div_euclid(every)),
                None => (0, 0),
            };
            let slots = self.slots[face].range(first..=last).copied();
            ledger.unknown(judgement.account, slots, missing.amount);
        }
    }

    /// Adds spans that had not ended, and were already over a threshold when the capture did.
    fn add_open(&self, ledger: &mut Ledger, number: usize, capture: &Capture, survey: &Survey) {
        let Some((segment, last)) = last_ticks(capture, survey) else {
            return;
        };
        let Some(watch) = self.watches.of.get(&(number, segment)) else {
            return;
        };
        let end = capture.clock.unix_ns(segment, last);
        for (place, span) in capture.open_spans.iter().enumerate() {
            let age = last.saturating_sub(span.start_ticks);
            for (rule, value, decided) in self.broken_by_age(watch, span.event, age) {
                let timeline = Timeline {
                    every: self.faces[self.face_of[rule]],
                    ..self.timelines[number]
                };
                let Some(slot) = timeline.slot(end) else {
                    continue;
                };
                let account = (rule as u32, 0);
                if !decided {
                    ledger.unknown(account, [slot], Unknown::Count(1));
                    continue;
                }
                let tally = Tally {
                    samples: 1,
                    beyond: 1,
                    open: 1,
                    worst: value,
                    ..Tally::default()
                };
                ledger.tally(account, slot, &tally);
                let kept = Kept {
                    value,
                    end,
                    start: end.saturating_sub_unsigned(value),
                    slot,
                    capture: number as u32,
                    place: (u32::MAX, place as u32, 0),
                    trace: span.trace.0,
                    thread: Some(span.thread),
                    outcome: None,
                    open: true,
                };
                ledger.violation(account, kept, self.keeping);
            }
        }
    }

    /// Rules that a span of this age breaks or, where they ask for an outcome that it does not have yet, may break:
    /// with its age in ns, and which of both.
    fn broken_by_age(
        &self,
        watch: &Watch,
        event: perf_format::EventId,
        age: u64,
    ) -> Vec<(usize, u64, bool)> {
        let mut broken = HashMap::new();
        for ended in Ended::ALL {
            let key = SeriesKey {
                event,
                tag: ended.tag(),
            };
            for watcher in watch.get(&key).into_iter().flatten() {
                let over = watcher.limit.is_some_and(|limit| age >= limit);
                let rule = &self.options.rules[watcher.rule];
                if over && watcher.lists {
                    let any = matches!(rule.target, Target::Event { outcome: None, .. });
                    broken.insert(watcher.rule, (watcher.scale.value(age), any));
                }
            }
        }
        let mut broken: Vec<_> = broken
            .into_iter()
            .map(|(rule, (value, any))| (rule, value, any))
            .collect();
        broken.sort_unstable();
        broken
    }
}

fn check(rules: &[Rule]) -> Result<(), Error> {
    let refuse = |rule: &Rule, message: String| {
        Err(Error::new(
            Path::new(&rule.to_string()),
            ErrorKind::Rule(message),
        ))
    };
    if let Some(rule) = rules.get(MAX_RULES) {
        return refuse(rule, format!("more than {MAX_RULES} rules"));
    }
    Ok(())
}

/// The place of a rule's window among `faces`, where it is added if it is new.
fn face(rule: &Rule, faces: &mut Vec<Option<i64>>) -> usize {
    let every = rule
        .over_ns
        .map(|ns| i64::try_from(ns).unwrap_or(i64::MAX).max(1));
    let known = faces.iter().position(|face| *face == every);
    known.unwrap_or_else(|| {
        faces.push(every);
        faces.len() - 1
    })
}

/// The last tick that is known of a capture, and its segment: when spans that were still open had not ended.
fn last_ticks(capture: &Capture, survey: &Survey) -> Option<(SegmentId, u64)> {
    let ends = survey
        .ends
        .iter()
        .map(|(segment, (_, last))| (*segment, *last));
    let anchors = capture
        .anchors
        .iter()
        .map(|anchor| (anchor.segment, anchor.ticks));
    let (segment, last) = ends.chain(anchors).max()?;
    let closes = capture
        .files
        .iter()
        .filter_map(|file| file.index.close.as_ref());
    let closes = closes.filter(|close| close.reason != CloseReason::SALVAGED);
    let closed = closes.map(|close| close.ticks).max().unwrap_or(0);
    Some((segment, last.max(closed)))
}
