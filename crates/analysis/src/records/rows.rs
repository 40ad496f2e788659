//! The rows of one chunk, with their times on the wall clock and their names as numbers.

use perf_format::{
    AnnotationValue, ClockLine, ClockMap, Columns, EventsChunk, Range, SegmentId, Tag, TagClass,
};

use super::{Names, Records};
use crate::report::timeline::Timeline;

/// The rows of one chunk.
#[derive(Debug)]
pub struct ChunkRows<'a> {
    columns: &'a Columns,
    capture: usize,
    ranges: &'a [Range],
    skipped: &'a [bool],
    strings: Vec<&'a [u8]>,
    segment: SegmentId,
    clock: &'a ClockMap,
    timeline: Timeline,
    names: &'a Names,
    series: Vec<Series>,
}

/// What the rows of one series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// How to read the value.
    pub tag: Tag,
    /// What the tag means.
    pub class: TagClass,
    /// The number of the event (of [`Names::events`]); in annotations the index of the key.
    pub event: u32,
    /// Whether its rows are shown.
    is_wanted: bool,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// Its series: an index into [`ChunkRows::series`].
    pub series: u16,
    /// When it was recorded: the end of a span. Unix ns.
    pub end_unix_ns: i64,
    /// When a span began; of anything else the same as its end. Unix ns.
    pub start_unix_ns: i64,
    /// The duration of a span in ns; of anything else the value as recorded.
    pub value: u64,
    /// Its trace, 0 for none.
    pub trace: u64,
    /// The number of its thread (of [`Names::threads`]).
    pub thread: u32,
}

impl<'a> ChunkRows<'a> {
    pub(super) fn new(
        (records, capture): (&'a Records<'_>, usize),
        chunk: &'a EventsChunk<'_>,
        columns: &'a Columns,
        skipped: &'a [bool],
        strings: Vec<&'a [u8]>,
    ) -> Self {
        let names = &records.names;
        let series = chunk.series().iter().map(|series| {
            let (tag, class) = (series.key.tag, series.key.tag.class());
            let (event, is_wanted) = match class {
                TagClass::Annotation | TagClass::Due => (series.key.event.0, true),
                TagClass::Unknown => (0, false),
                _ => {
                    let event = names.event(capture, series.key.event);
                    (event, names.events()[event as usize].is_wanted)
                }
            };
            Series {
                tag,
                class,
                event,
                is_wanted,
            }
        });
        Self {
            columns,
            capture,
            ranges: chunk.ranges(),
            skipped,
            strings,
            segment: chunk.head().segment,
            clock: &records.captures[capture].clock,
            timeline: records.timelines[capture],
            names,
            series: series.collect(),
        }
    }

    /// What the rows are, series by series.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Calls `f` with every row that is selected, in the order of the chunk: thread by thread, by rising end.
    pub fn for_each(&self, mut f: impl FnMut(&Record)) {
        let columns = self.columns;
        let ns_per_tick = self.clock.ns_per_tick(self.segment);
        let bounded = self.timeline.is_bounded();
        let mut ends = Converter::new(self.clock, self.segment);
        let mut starts = Converter::new(self.clock, self.segment);
        let mut row = 0;
        for (number, range) in self.ranges.iter().enumerate() {
            let rows = row..row + range.rows as usize;
            row = rows.end;
            if self.skipped.get(number).copied().unwrap_or(false) {
                continue;
            }
            let thread = self.names.thread(self.capture, range.thread);
            for row in rows {
                let series = &self.series[usize::from(columns.series[row])];
                if !series.is_wanted {
                    continue;
                }
                let (end_ticks, value) = (columns.end_ticks[row], columns.values[row]);
                let end_unix_ns = ends.unix_ns(end_ticks);
                if bounded && self.timeline.slot(end_unix_ns).is_none() {
                    continue;
                }
                let (start_unix_ns, value) = match series.tag.is_span() {
                    true => (
                        starts.unix_ns(end_ticks.saturating_sub(value)),
                        perf_format::round_u64(value as f64 * ns_per_tick),
                    ),
                    false => (end_unix_ns, value),
                };
                f(&Record {
                    series: columns.series[row],
                    end_unix_ns,
                    start_unix_ns,
                    value,
                    trace: columns.trace(row).0,
                    thread,
                });
            }
        }
    }

    /// Key and value of a row that is an annotation; `None` if its strings are not there.
    pub fn annotation(&self, record: &Record) -> Option<(&'a [u8], AnnotationValue<'a>)> {
        let series = self.series.get(usize::from(record.series))?;
        let key = *self.strings.get(series.event as usize)?;
        let value = match series.tag {
            Tag::ANNOTATION_STR => {
                AnnotationValue::Str(self.strings.get(usize::try_from(record.value).ok()?)?)
            }
            Tag::ANNOTATION_INT => AnnotationValue::Int(record.value as i64),
            Tag::ANNOTATION_FLOAT => AnnotationValue::Float(f64::from_bits(record.value)),
            _ => return None,
        };
        Some((key, value))
    }
}

/// Converts ticks that lie near each other.
struct Converter<'a> {
    clock: &'a ClockMap,
    segment: SegmentId,
    line: ClockLine,
}

impl<'a> Converter<'a> {
    fn new(clock: &'a ClockMap, segment: SegmentId) -> Self {
        let line = clock.line(segment, 0);
        Self {
            clock,
            segment,
            line,
        }
    }

    #[inline]
    fn unix_ns(&mut self, ticks: u64) -> i64 {
        if !self.line.holds(ticks) {
            self.line = self.clock.line(self.segment, ticks);
        }
        self.line.unix_ns(ticks)
    }
}
