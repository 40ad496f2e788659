//! Builds the world of some captures.

use std::collections::{BTreeSet, HashMap};

use perf_format::{ClockSource, EventId, SegmentId, ThreadId};

use super::{Convert, Domain, World};
use crate::capture::Capture;
use crate::options::ReportOptions;
use crate::report::CaptureState;
use crate::report::rows::unnamed;
use crate::report::survey::Survey;
use crate::report::timeline::Timeline;
use crate::report::window::Lifetime;
use crate::traces::hash::NumberMap;
use crate::traces::intervals::Intervals;
use crate::traces::options::TraceOptions;

/// Into so many blocks the selected time is cut, about: standard errors are over them.
const BLOCKS: i64 = 32;
/// More parts than this come of a clock that was set about wildly: then there is one block.
const MAX_PARTS: u64 = 4096;

/// Builds the world of some captures.
pub(crate) struct Builder<'a> {
    pub(crate) captures: &'a [&'a Capture],
    pub(crate) surveys: &'a [Survey],
    pub(crate) lifetimes: &'a [Option<Lifetime>],
    pub(crate) options: &'a TraceOptions,
}

/// What the selection is, in the words of a report.
pub(crate) fn selection(options: &TraceOptions) -> ReportOptions {
    ReportOptions {
        since: options.since,
        until: options.until,
        skip_ns: options.skip_ns,
        ..ReportOptions::default()
    }
}

impl Builder<'_> {
    pub(crate) fn build(&self) -> World {
        let (events, event_of) = self.events();
        let (threads, thread_of) = self.threads();
        let groups = self.groups();
        let scales: BTreeSet<u64> = groups
            .iter()
            .map(|streams| self.scale(streams[0]).to_bits())
            .collect();
        let in_ns = self.options.join || scales.len() > 1;
        let ns_per_unit = match (in_ns, groups.first()) {
            (false, Some(streams)) => self.scale(streams[0]),
            _ => 1.0,
        };
        let mut world = World {
            events,
            threads,
            ns_per_unit,
            event_of,
            thread_of,
            domains: Vec::new(),
        };
        let blocks = self.blocks();
        for streams in groups {
            let domain = self.domain(&world, streams, in_ns, blocks);
            world.domains.push(domain);
        }
        world
    }

    fn scale(&self, (capture, segment): (usize, SegmentId)) -> f64 {
        self.captures[capture].clock.ns_per_tick(segment)
    }

    fn events(&self) -> (Vec<String>, Vec<HashMap<EventId, u32>>) {
        let mut by_capture: Vec<HashMap<EventId, String>> = Vec::new();
        for (capture, survey) in self.captures.iter().zip(self.surveys) {
            let open = capture.open_spans.iter().map(|open| open.event);
            let ids = survey.reported_by_event.keys().copied().chain(open);
            let name = |id: EventId| match capture.events.get(&id) {
                Some(named) => named.name.clone(),
                None => unnamed(id),
            };
            by_capture.push(ids.map(|id| (id, name(id))).collect());
        }
        let names: BTreeSet<&String> = by_capture.iter().flat_map(HashMap::values).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let number = |name: &String| names.binary_search(name).unwrap_or(0) as u32;
        let event_of = by_capture
            .iter()
            .map(|ids| ids.iter().map(|(id, name)| (*id, number(name))).collect())
            .collect();
        (names, event_of)
    }

    fn threads(&self) -> (Vec<String>, Vec<HashMap<ThreadId, u32>>) {
        let mut names = Vec::new();
        let mut by_capture = Vec::new();
        for (capture, survey) in self.captures.iter().zip(self.surveys) {
            let mut numbers = HashMap::new();
            for id in survey.records_by_thread.keys() {
                numbers.insert(*id, names.len() as u32);
                let tables = capture.files.iter().map(|file| &file.index.tables);
                let named = tables
                    .flat_map(|tables| &tables.threads)
                    .find(|thread| thread.id == *id && !thread.name.is_empty());
                names.push(
                    named.map_or_else(|| format!("thread#{id}"), |thread| thread.name.clone()),
                );
            }
            by_capture.push(numbers);
        }
        (names, by_capture)
    }

    /// Captures and segments by clock.
    fn groups(&self) -> Vec<Vec<(usize, SegmentId)>> {
        let mut groups: Vec<Vec<(usize, SegmentId)>> = Vec::new();
        let mut shared: HashMap<&str, usize> = HashMap::new();
        for (number, survey) in self.surveys.iter().enumerate() {
            let header = self.captures[number].header();
            let boot = header
                .filter(|header| header.clock.source == ClockSource::TSC)
                .map(|header| header.origin.boot_id.as_str())
                .filter(|boot| !boot.is_empty() && survey.ends.len() == 1);
            for segment in survey.ends.keys() {
                let stream = (number, *segment);
                let known = match (self.options.join, boot) {
                    (true, _) => (!groups.is_empty()).then_some(0),
                    (false, Some(boot)) => shared.get(boot).copied(),
                    (false, None) => None,
                };
                match known {
                    Some(group) => groups[group].push(stream),
                    None => {
                        boot.map(|boot| shared.insert(boot, groups.len()));
                        groups.push(vec![stream]);
                    }
                }
            }
        }
        groups
    }

    /// The length of a block of time in ns, and the number of the first; `None` without any time.
    fn blocks(&self) -> Option<(i64, i64)> {
        let options = selection(self.options);
        let stretches: Vec<(i64, i64)> = self
            .lifetimes
            .iter()
            .flatten()
            .map(|life| life.selected(&life.timeline(&options)))
            .collect();
        let from = stretches.iter().map(|(from, _)| *from).min()?;
        let to = stretches.iter().map(|(_, to)| *to).max()?;
        let every = (to.saturating_sub(from) / BLOCKS).max(1);
        Some((every, from.div_euclid(every)))
    }

    fn domain(
        &self,
        world: &World,
        streams: Vec<(usize, SegmentId)>,
        in_ns: bool,
        blocks: Option<(i64, i64)>,
    ) -> Domain {
        let lifetimes = streams
            .iter()
            .filter_map(|(capture, _)| self.lifetimes[*capture]);
        let life = lifetimes.reduce(|a, b| Lifetime {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
        });
        let convert = match (self.options.join, in_ns) {
            (true, _) => {
                let all = self.lifetimes.iter().flatten().map(|life| life.start);
                // Spans may have begun before recording did; a day is more than enough.
                let base_ns = all.min().unwrap_or(0).saturating_sub(86_400_000_000_000);
                Convert::Wall { base_ns }
            }
            (false, true) => Convert::Linear {
                base: self.first_start(&streams),
                ns_per_tick: self.scale(streams[0]),
            },
            (false, false) => Convert::Same,
        };
        let mut domain = Domain {
            convert,
            parts: Timeline {
                since: None,
                until: None,
                every: None,
            }
            .parts(0, u64::MAX, &[], |_| 0),
            first_slot: 0,
            losses: Intervals::default(),
            opens: NumberMap::default(),
            begin: u64::MAX,
            last: 0,
            unclosed: false,
            idle: (self.options.idle_ns as f64 / world.ns_per_unit).round() as u64,
            streams,
        };
        self.fill(world, &mut domain);
        if let Some(life) = life {
            let timeline = Timeline {
                every: blocks.map(|(every, _)| every),
                ..life.timeline(&selection(self.options))
            };
            if self.set_parts(&mut domain, timeline) {
                domain.first_slot = blocks.map_or(0, |(_, first)| first);
            }
        }
        domain
    }

    fn first_start(&self, streams: &[(usize, SegmentId)]) -> u64 {
        let heads = streams.iter().flat_map(|(capture, segment)| {
            let capture = self.captures[*capture];
            let chunks = self.surveys_chunks(*segment, capture);
            chunks.map(|head| head.min_start)
        });
        heads.min().unwrap_or(0)
    }

    fn surveys_chunks<'c>(
        &self,
        segment: SegmentId,
        capture: &'c Capture,
    ) -> impl Iterator<Item = &'c perf_format::ChunkHead> + use<'c> {
        let entries = capture
            .files
            .iter()
            .flat_map(|file| file.index.event_chunks());
        entries
            .map(|entry| &entry.head)
            .filter(move |head| head.segment == segment && head.record_count > 0)
    }

    /// Ends, losses, open spans.
    fn fill(&self, world: &World, domain: &mut Domain) {
        let mut losses = Vec::new();
        for (number, segment) in &domain.streams {
            let (capture, survey) = (self.captures[*number], &self.surveys[*number]);
            let units = |ticks| domain.convert.units(capture, *segment, ticks);
            domain.unclosed |= capture.state != CaptureState::Closed;
            if let Some((_, last)) = survey.ends.get(segment) {
                domain.last = domain.last.max(units(*last));
            }
            let anchors = capture
                .anchors
                .iter()
                .filter(|anchor| anchor.segment == *segment);
            let begin = anchors.map(|anchor| units(anchor.ticks)).min().unwrap_or(0);
            domain.begin = domain.begin.min(begin);
            let of_segment = survey
                .lost_between
                .iter()
                .filter(|lost| lost.segment == *segment);
            losses.extend(
                of_segment
                    .filter(|lost| lost.to != 0)
                    .map(|lost| (units(lost.from.min(lost.to)), units(lost.to))),
            );
            // Which segment an open span is of is not kept: the last, in which the capture ended.
            if survey.ends.keys().next_back() == Some(segment) {
                for open in capture
                    .open_spans
                    .iter()
                    .filter(|open| !open.trace.is_none())
                {
                    let event = world.event(*number, open.event).unwrap_or(0);
                    let spans = domain.opens.entry(open.trace.0).or_default();
                    spans.push((units(open.start_ticks), event));
                }
            }
        }
        domain.losses = Intervals::new(losses);
    }

    /// Finds which units are selected and in which block; false if there is one block.
    fn set_parts(&self, domain: &mut Domain, mut timeline: Timeline) -> bool {
        let (capture, segment) = domain.streams[0];
        let anchors = self.captures[capture].clock.anchor_ticks(segment);
        let breaks: Vec<u64> = match domain.convert {
            Convert::Wall { .. } => Vec::new(),
            convert => anchors
                .map(|ticks| convert.units(self.captures[capture], segment, ticks))
                .collect(),
        };
        let unix_ns = |units| domain.unix_ns(self.captures, units);
        let first = domain.begin.min(domain.last);
        if timeline.most_slots(first, domain.last, &breaks, unix_ns) > MAX_PARTS {
            timeline.every = None;
        }
        domain.parts = timeline.parts(first, domain.last, &breaks, unix_ns);
        timeline.every.is_some()
    }
}
