//! The pass that tells what else happened: annotations of the traces of violations, and what was recorded during the
//! largest episodes. Only chunks are read that overlap one of these in time.

use std::collections::{BTreeMap, HashMap};

use perf_format::{ColumnId, Columns, EventsChunk, Row, Series, Tag, TagClass};
use rayon::prelude::*;

use super::episodes::Found;
use super::ledger::{Account, Kept};
use super::result::{Also, AlsoKind};
use super::scan::{Scan, Site, read_columns};
use super::series::is_hot;
use super::watch::Watcher;
use crate::error::Error;
use crate::report::rows::unnamed;
use crate::report::survey::KeptChunk;

/// Annotations that are shown of one violation.
pub const MAX_ANNOTATIONS: usize = 32;
/// Bytes of a text that are shown, at most.
const MAX_TEXT: usize = 200;
/// An annotation belongs to a violation of the same trace if it was made no longer before its start or after its end.
pub const NEAR_NS: i64 = 10_000_000_000;

/// What is looked for.
pub(super) struct Details<'a> {
    pub(super) scan: &'a Scan<'a>,
    pub(super) violations: &'a [(Account, Kept)],
    /// The episodes of which it is told what else happened.
    pub(super) episodes: &'a [Found],
    /// By capture and trace: violations.
    of_trace: HashMap<(u32, u64), Vec<u32>>,
    /// By capture: stretches in which annotations are looked for; ascending, not touching.
    near: Vec<Vec<(i64, i64)>>,
}

/// When an annotation was made, and its file, chunk and row.
type Place = (i64, u32, u32, u32);
/// The episode, the kind, the name and the unit.
type What = (u32, AlsoKind, String, String);

/// What was found.
#[derive(Default)]
pub(super) struct Told {
    /// By violation: in the order of time.
    annotations: HashMap<u32, BTreeMap<Place, (String, String)>>,
    /// By episode.
    also: BTreeMap<What, (u64, Option<i128>)>,
}

/// What the rows of a series of a chunk are looked at for.
enum Use<'a> {
    Nothing,
    /// They may be of a trace with a violation.
    Annotation,
    /// What else happened; with the rules that spans of the series may break.
    During(Vec<&'a Watcher>),
}

#[derive(Default)]
struct Seat {
    told: Told,
    bytes: Vec<u8>,
    columns: Columns,
}

impl<'a> Details<'a> {
    pub(super) fn new(
        scan: &'a Scan<'a>,
        violations: &'a [(Account, Kept)],
        episodes: &'a [Found],
    ) -> Self {
        let mut of_trace: HashMap<(u32, u64), Vec<u32>> = HashMap::new();
        let mut near = vec![Vec::new(); scan.captures.len()];
        for (number, (_, kept)) in violations.iter().enumerate() {
            if kept.trace != 0 {
                let mine = of_trace.entry((kept.capture, kept.trace)).or_default();
                mine.push(number as u32);
                near[kept.capture as usize].push(around(kept));
            }
        }
        near.iter_mut().for_each(join);
        Self {
            scan,
            violations,
            episodes,
            of_trace,
            near,
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// A file cut short.
    pub(super) fn run(&self) -> Result<Told, Error> {
        let mut tasks: Vec<(usize, &KeptChunk)> = Vec::new();
        for (number, survey) in self.scan.surveys.iter().enumerate() {
            tasks.extend(survey.chunks.iter().map(|kept| (number, kept)));
        }
        let read = |mut seat: Seat, (number, kept): &(usize, &KeptChunk)| {
            let site = Site::new(*number, self.scan.captures[*number], kept);
            self.chunk(&mut seat, &site)?;
            Ok(seat)
        };
        tasks
            .par_iter()
            .try_fold(Seat::default, read)
            .map(|seat| seat.map(|seat: Seat| seat.told))
            .try_reduce(Told::default, |one, two| Ok(one.merge(two)))
    }

    fn chunk(&self, seat: &mut Seat, site: &Site<'_>) -> Result<(), Error> {
        let head = &site.entry.head;
        if head.record_count == 0 {
            return Ok(());
        }
        let (from, to) = (site.unix_ns(head.min_end), site.unix_ns(head.max_end));
        let (from, to) = (from.min(to), to.max(from));
        let near = &self.near[site.number];
        let at = near.partition_point(|(_, until)| *until < from);
        let near = near.get(at).is_some_and(|(since, _)| *since <= to);
        let meets = |found: &&Found| found.cluster.start <= to && from <= found.cluster.last_end;
        let during = self.episodes.iter().any(|found| meets(&found));
        if !near && !during {
            return Ok(());
        }
        let met: Vec<u32> = (0..self.episodes.len() as u32)
            .filter(|number| meets(&&self.episodes[*number as usize]))
            .collect();
        site.file.read_head(site.entry, &mut seat.bytes)?;
        let Ok(chunk) = EventsChunk::parse(&seat.bytes, site.entry.offset) else {
            return Ok(());
        };
        let uses: Vec<Use<'_>> = (chunk.series().iter())
            .map(|series| self.use_of(series, site, near, &met))
            .collect();
        let is_during = uses.iter().any(|each| matches!(each, Use::During(_)));
        let is_annotated = uses.iter().any(|each| matches!(each, Use::Annotation));
        if !(is_during || is_annotated && self.has_violation(seat, site)?) {
            return Ok(());
        }
        site.file.read_chunk(site.entry, &mut seat.bytes)?;
        let Ok(chunk) = EventsChunk::parse(&seat.bytes, site.entry.offset) else {
            return Ok(());
        };
        // What cannot be read was said when it was to be counted.
        let Ok(strings) = chunk.strings() else {
            return Ok(());
        };
        if seat.columns.decode(&chunk).is_err() {
            return Ok(());
        }
        let (told, columns) = (&mut seat.told, &seat.columns);
        let mut first = 0;
        for (number, range) in chunk.ranges().iter().enumerate() {
            let rows = first..first + range.rows as usize;
            first = rows.end;
            if site.kept.skipped.get(number).copied().unwrap_or(false) {
                continue;
            }
            for row in rows {
                match &uses[usize::from(columns.series[row])] {
                    Use::Nothing => {}
                    Use::Annotation => {
                        self.annotation(told, site, &columns.row(row), row, &strings);
                    }
                    Use::During(breaks) => {
                        self.during(told, site, &columns.row(row), &met, breaks);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the rows of a series are looked at for, in a chunk that meets the episodes `met`.
    fn use_of(&self, series: &Series, site: &Site<'_>, near: bool, met: &[u32]) -> Use<'a> {
        let class = series.key.tag.class();
        if class == TagClass::Annotation {
            return if near { Use::Annotation } else { Use::Nothing };
        }
        if met.is_empty() {
            return Use::Nothing;
        }
        let watch = (self.scan.watches.of).get(&(site.number, site.entry.head.segment));
        let watchers = watch.and_then(|watch| watch.get(&series.key));
        // An episode is not told of its own rule.
        let is_other = |watcher: &&Watcher| {
            let rule = watcher.rule as u32;
            (met.iter()).any(|number| self.episodes[*number as usize].account.0 != rule)
        };
        let breaks: Vec<&Watcher> = (watchers.into_iter().flatten())
            .filter(|watcher| watcher.lists && is_hot(watcher, series.max_value))
            .filter(is_other)
            .collect();
        match class {
            TagClass::Span(_) if breaks.is_empty() => Use::Nothing,
            TagClass::Span(_) | TagClass::Observation | TagClass::Gauge => Use::During(breaks),
            _ => Use::Nothing,
        }
    }

    /// Whether the chunk, whose head lies in the seat, has rows of a trace with a violation.
    fn has_violation(&self, seat: &mut Seat, site: &Site<'_>) -> Result<bool, Error> {
        if read_columns(site, &[ColumnId::TRACE_DICT], &mut seat.bytes)?.is_err() {
            return Ok(false);
        }
        let ids = EventsChunk::parse(&seat.bytes, site.entry.offset)
            .and_then(|chunk| chunk.trace_ids(&mut seat.columns.trace_ids));
        let capture = site.number as u32;
        let mut traces = seat.columns.trace_ids.iter();
        Ok(ids.is_ok() && traces.any(|id| self.of_trace.contains_key(&(capture, *id))))
    }

    fn annotation(
        &self,
        told: &mut Told,
        site: &Site<'_>,
        row: &Row,
        number: usize,
        strings: &[&[u8]],
    ) {
        let trace = (site.number as u32, row.trace.0);
        let Some(violations) = self.of_trace.get(&trace) else {
            return;
        };
        let at = site.unix_ns(row.end_ticks);
        let text = |index: u64| {
            let bytes = strings.get(usize::try_from(index).ok()?)?;
            Some(cut(&String::from_utf8_lossy(bytes)))
        };
        let value = match row.tag {
            Tag::ANNOTATION_STR => text(row.value),
            Tag::ANNOTATION_INT => Some((row.value as i64).to_string()),
            _ => Some(f64::from_bits(row.value).to_string()),
        };
        let (Some(key), Some(value)) = (text(row.event.0.into()), value) else {
            return;
        };
        for violation in violations {
            let (_, kept) = &self.violations[*violation as usize];
            let (from, to) = around(kept);
            if (from..=to).contains(&at) {
                let place = (at, site.kept.file, site.kept.entry, number as u32);
                let mine = told.annotations.entry(*violation).or_default();
                mine.insert(place, (key.clone(), value.clone()));
                if mine.len() > MAX_ANNOTATIONS {
                    mine.pop_last();
                }
            }
        }
    }

    /// Adds a row to the episodes during which it was recorded; `breaks` are the rules that its series may break.
    fn during(
        &self,
        told: &mut Told,
        site: &Site<'_>,
        row: &Row,
        met: &[u32],
        breaks: &[&Watcher],
    ) {
        let is_beyond = |limit: Option<u64>| limit.is_some_and(|limit| row.value >= limit);
        let mut breaks = (breaks.iter())
            .filter(|watcher| watcher.failures || is_beyond(watcher.limit))
            .peekable();
        if row.tag.is_span() && breaks.peek().is_none() {
            return;
        }
        let at = site.unix_ns(row.end_ticks);
        for number in met {
            let found = &self.episodes[*number as usize];
            if !(found.cluster.start..=found.cluster.last_end).contains(&at) {
                continue;
            }
            for watcher in breaks.clone() {
                if watcher.rule as u32 != found.account.0 && self.is_selected(site, at) {
                    let what = self.scan.rules[watcher.rule].to_string();
                    let unit = self.scan.watches.units[watcher.rule]
                        .clone()
                        .unwrap_or_default();
                    let value = i128::from(watcher.scale.value(row.value));
                    told.add((*number, AlsoKind::Violations, what, unit), value);
                }
            }
            if row.tag.is_span() {
                continue;
            }
            let (kind, value) = match row.tag {
                Tag::GAUGE => (AlsoKind::Gauge, i128::from(row.value as i64)),
                _ => (AlsoKind::Observations, i128::from(row.value)),
            };
            let (what, unit) = match site.capture.events.get(&row.event) {
                Some(named) => (named.name.clone(), named.unit.clone()),
                None => (unnamed(row.event), String::new()),
            };
            told.add((*number, kind, what, unit), value);
        }
    }

    fn is_selected(&self, site: &Site<'_>, at: i64) -> bool {
        self.scan.timelines[site.number].slot(at).is_some()
    }
}

impl Told {
    fn add(&mut self, what: What, value: i128) {
        let (count, greatest) = self.also.entry(what).or_default();
        *count += 1;
        *greatest = (*greatest).max(Some(value));
    }

    fn merge(mut self, other: Told) -> Told {
        for (violation, annotations) in other.annotations {
            let mine = self.annotations.entry(violation).or_default();
            mine.extend(annotations);
            while mine.len() > MAX_ANNOTATIONS {
                mine.pop_last();
            }
        }
        for (what, (count, value)) in other.also {
            let (mine, greatest) = self.also.entry(what).or_default();
            *mine += count;
            *greatest = (*greatest).max(value);
        }
        self
    }

    /// The annotations of a violation.
    pub(super) fn annotations(&mut self, violation: usize) -> Vec<(String, String)> {
        let mine = self.annotations.remove(&(violation as u32));
        mine.unwrap_or_default().into_values().collect()
    }

    /// What else happened during an episode.
    pub(super) fn also(&self, episode: usize) -> Vec<Also> {
        let from = (
            episode as u32,
            AlsoKind::Violations,
            String::new(),
            String::new(),
        );
        let mine = self.also.range(from..);
        mine.take_while(|((number, ..), _)| *number == episode as u32)
            .map(|((_, kind, what, unit), (count, greatest))| Also {
                kind: *kind,
                what: what.clone(),
                unit: unit.clone(),
                count: *count,
                greatest: *greatest,
            })
            .collect()
    }
}

fn around(kept: &Kept) -> (i64, i64) {
    (
        kept.start.saturating_sub(NEAR_NS),
        kept.end.saturating_add(NEAR_NS),
    )
}

/// Sorts stretches and joins those that touch.
fn join(stretches: &mut Vec<(i64, i64)>) {
    stretches.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, to) in stretches.drain(..) {
        match joined.last_mut() {
            Some((_, until)) if from <= *until => *until = to.max(*until),
            _ => joined.push((from, to)),
        }
    }
    *stretches = joined;
}

/// At most [`MAX_TEXT`] bytes of a text.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let mut end = MAX_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
