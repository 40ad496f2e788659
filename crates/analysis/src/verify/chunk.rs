//! Every row of one Events chunk, and the head against the rows.

use perf_format::{Columns, EventsChunk, FormatError, Tag};

use super::Finding;

/// Buffers that are reused from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct RowCheck {
    columns: Columns,
    cpus: Vec<Option<u32>>,
}

impl RowCheck {
    /// Decodes every row of `chunk` and compares them with its head; what is wrong goes to `findings`.
    pub(super) fn check(
        &mut self,
        chunk: &EventsChunk<'_>,
        offset: u64,
        findings: &mut Vec<Finding>,
    ) {
        let len = chunk.head().chunk_len();
        if let Err(error) = self.columns.decode(chunk) {
            findings.push(finding(offset, len, &error));
            return;
        }
        let others = chunk.strings().and_then(|_| chunk.cpus(&mut self.cpus));
        if let Err(error) = others {
            findings.push(finding(offset, len, &error));
            return;
        }
        let mut wrong = |message: String| {
            findings.push(Finding {
                offset,
                len,
                kind: "head",
                message,
            })
        };
        self.check_times(chunk, &mut wrong);
        self.check_maxima(chunk, &mut wrong);
        self.check_annotations(chunk, &mut wrong);
    }

    fn check_times(&self, chunk: &EventsChunk<'_>, wrong: &mut impl FnMut(String)) {
        let head = chunk.head();
        let ends = || self.columns.rows().map(|row| row.end_ticks);
        let actual = [
            (
                "smallest start",
                head.min_start,
                self.columns.rows().map(|row| row.start_ticks()).min(),
            ),
            ("smallest end", head.min_end, ends().min()),
            ("largest end", head.max_end, ends().max()),
        ];
        for (what, stated, actual) in actual {
            let actual = actual.unwrap_or(0);
            if stated != actual {
                wrong(format!(
                    "the {what} in the head should be {actual} ticks, as in the rows, and is {stated}"
                ));
            }
        }
    }

    fn check_maxima(&self, chunk: &EventsChunk<'_>, wrong: &mut impl FnMut(String)) {
        for (index, series) in chunk.series().iter().enumerate() {
            let tag = series.key.tag;
            let compared = tag.is_span() || tag == Tag::OBSERVATION || tag.is_signed();
            let mut max: Option<u64> = None;
            let larger = |a: u64, b: u64| {
                if tag.is_signed() {
                    (a as i64).max(b as i64) as u64
                } else {
                    a.max(b)
                }
            };
            // The column was decoded before.
            let read = chunk.values_of(index, |values| {
                max = values.iter().copied().chain(max).reduce(larger);
            });
            let max = max.unwrap_or(0);
            if read.is_ok() && compared && max != series.max_value {
                let (event, stated) = (series.key.event, series.max_value);
                wrong(format!(
                    "the maximum of event {event} in the head should be {max}, as in the rows, and is {stated}"
                ));
            }
        }
    }

    fn check_annotations(&self, chunk: &EventsChunk<'_>, wrong: &mut impl FnMut(String)) {
        let strings = chunk.strings().map_or(0, |strings| strings.len()) as u64;
        let beyond = self.columns.rows().filter(|row| {
            let text = if row.tag == Tag::ANNOTATION_STR {
                row.value
            } else {
                0
            };
            row.tag.is_annotation() && (u64::from(row.event.0) >= strings || text >= strings)
        });
        match beyond.count() {
            0 => {}
            rows => wrong(format!(
                "{rows} annotations name strings beyond the chunk's {strings}"
            )),
        }
    }
}

/// A finding for bytes that cannot be read.
pub(super) fn finding(offset: u64, len: u64, error: &FormatError) -> Finding {
    let offset = error.offset().unwrap_or(offset);
    Finding {
        offset,
        len,
        kind: "column",
        message: error.to_string(),
    }
}
