//! When each capture ran, and which part of that is selected.

use std::collections::BTreeMap;

use perf_format::CloseReason;
use rayon::prelude::*;

use super::survey::Survey;
use super::timeline::Timeline;
use crate::capture::Capture;
use crate::cover::covered_ns;
use crate::error::Error;
use crate::options::{ReportOptions, TimeBound};
use crate::value::UnixNs;

/// When a capture ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) start: i64,
    /// The last thing known of it.
    pub(crate) end: i64,
}

/// What the heads of each capture say, and when it ran.
///
/// # Errors
/// A file cut short.
pub(crate) fn surveyed(
    captures: &[&Capture],
) -> Result<(Vec<Survey>, Vec<Option<Lifetime>>), Error> {
    let surveys: Vec<_> = captures
        .par_iter()
        .map(|capture| Survey::of(capture))
        .collect();
    let surveys = surveys.into_iter().collect::<Result<Vec<_>, _>>()?;
    let lifetimes = captures
        .iter()
        .zip(&surveys)
        .map(|(capture, survey)| Lifetime::of(capture, survey))
        .collect();
    Ok((surveys, lifetimes))
}

impl Lifetime {
    /// `None` when neither header nor records nor anchors tell.
    pub(crate) fn of(capture: &Capture, survey: &Survey) -> Option<Self> {
        let clock = &capture.clock;
        let ends = survey.ends.iter().map(|(segment, (first, last))| {
            (
                clock.unix_ns(*segment, *first),
                clock.unix_ns(*segment, *last),
            )
        });
        let anchors = capture
            .anchors
            .iter()
            .map(|anchor| (anchor.realtime_ns, anchor.realtime_ns));
        let closes = capture
            .files
            .iter()
            .filter_map(|file| file.index.close.as_ref());
        // A salvage closes a capture long after its end.
        let closes = closes
            .filter(|close| close.reason != CloseReason::SALVAGED)
            .map(|close| close.unix_ns)
            .filter(|at| *at != 0)
            .map(|at| (at, at));
        let known: Vec<(i64, i64)> = ends.chain(anchors).chain(closes).collect();
        let header = capture.header().map(|header| header.start_unix_ns);
        let start = header.or(known.iter().map(|(first, _)| *first).min())?;
        let end = known
            .iter()
            .map(|(_, last)| *last)
            .max()
            .unwrap_or(start)
            .max(start);
        Some(Self { start, end })
    }

    /// What `options` select of it.
    pub(crate) fn timeline(self, options: &ReportOptions) -> Timeline {
        let at = |bound: TimeBound| match bound {
            TimeBound::At(UnixNs(at)) => at,
            TimeBound::FromStart(ns) => self.start.saturating_add_unsigned(ns),
            TimeBound::FromEnd(ns) => self.end.saturating_sub_unsigned(ns),
        };
        let skip =
            (options.skip_ns > 0).then(|| self.start.saturating_add_unsigned(options.skip_ns));
        Timeline {
            since: options.since.map(at).max(skip),
            until: options.until.map(at),
            every: None,
        }
    }

    /// The first and the last instant of it that `timeline` selects; `None` if it selects nothing.
    pub(crate) fn touched(self, timeline: &Timeline) -> Option<(i64, i64)> {
        let from = (timeline.since).map_or(self.start, |since| since.max(self.start));
        let before = timeline.until.map(|until| until.saturating_sub(1));
        let to = before.map_or(self.end, |before| before.min(self.end));
        (from <= to).then_some((from, to))
    }

    /// The stretch of it that `timeline` selects, half open.
    pub(crate) fn selected(self, timeline: &Timeline) -> (i64, i64) {
        let from = timeline
            .since
            .map_or(self.start, |since| since.max(self.start));
        let to = timeline.until.map_or(self.end, |until| until.min(self.end));
        (from, to.max(from))
    }
}

/// The selected stretches of captures.
#[derive(Debug, Default)]
pub(crate) struct Stretches(Vec<(Option<String>, (i64, i64))>);

impl Stretches {
    pub(crate) fn push(&mut self, group: Option<String>, lifetime: Lifetime, timeline: &Timeline) {
        self.0.push((group, lifetime.selected(timeline)));
    }

    /// The earliest and the latest instant; `None` without captures.
    pub(crate) fn bounds(&self) -> Option<(i64, i64)> {
        let from = self.0.iter().map(|(_, (from, _))| *from).min()?;
        let to = self.0.iter().map(|(_, (_, to))| *to).max()?;
        Some((from, to))
    }

    /// The time covered within `[from, to)`, over all captures.
    pub(crate) fn covered_within(&self, from: i64, to: i64) -> u64 {
        covered_ns(
            self.0
                .iter()
                .map(|(_, stretch)| cut(*stretch, from, to))
                .collect(),
        )
    }

    /// The same by group.
    pub(crate) fn covered_by_group(&self, from: i64, to: i64) -> BTreeMap<Option<String>, u64> {
        let mut groups: BTreeMap<Option<String>, Vec<(i64, i64)>> = BTreeMap::new();
        for (group, stretch) in &self.0 {
            groups
                .entry(group.clone())
                .or_default()
                .push(cut(*stretch, from, to));
        }
        groups
            .into_iter()
            .map(|(group, stretches)| (group, covered_ns(stretches)))
            .collect()
    }
}

fn cut((from, to): (i64, i64), first: i64, last: i64) -> (i64, i64) {
    (from.max(first), to.min(last))
}
