//! FORMAT.md, "Events chunk".

use super::file::{Head, needed_column};
use super::metadata::Loss;
use super::numbers::{Bytes, Result};

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Events {
    pub(super) ranges: Vec<Range>,
    pub(super) series: Vec<Series>,
    pub(super) losses: Vec<Loss>,
    pub(super) traces: Vec<u64>,
    pub(super) strings: Vec<Vec<u8>>,
    pub(super) rows: Vec<Row>,
    pub(super) extras: Vec<Extra>,
    /// Of each range the processor; `None` if the column cannot be read.
    pub(super) cpus: Option<Vec<Option<u32>>>,
}

/// What the optional columns say of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extra {
    pub(super) weight: u32,
    pub(super) span_id: u64,
    pub(super) parent_id: u64,
    pub(super) is_lone: bool,
}

/// How many there are of what is not in the head's tables.
struct Counts {
    strings: usize,
    traces: usize,
    trace_runs: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    pub(super) ring: u32,
    pub(super) thread: u32,
    pub(super) first_seq: u64,
    pub(super) slots: u32,
    pub(super) rows: u32,
    pub(super) first_end: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) event: u32,
    pub(super) tag: u8,
    pub(super) rows: u32,
    pub(super) value_offset: u32,
    pub(super) max_value: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) end: u64,
    pub(super) value: u64,
    pub(super) trace: u64,
    pub(super) event: u32,
    pub(super) tag: u8,
}

impl Row {
    pub(super) fn start(&self) -> u64 {
        if matches!(self.tag, 1..=4) {
            self.end.saturating_sub(self.value)
        } else {
            self.end
        }
    }
}

impl Events {
    pub(super) fn read(head: &Head, body: &[u8]) -> Result<Events> {
        let mut events = Events::default();
        let Counts {
            traces,
            trace_runs,
            strings,
        } = events.read_tables(&head.tables)?;
        let rows = head.records as usize;
        if [rows, traces, trace_runs, strings]
            .iter()
            .any(|count| *count > 65_536)
        {
            return Err(format!(
                "{rows} rows, {traces} traces in {trace_runs} runs, {strings} strings"
            ));
        }
        let in_ranges: usize = events.ranges.iter().map(|range| range.rows as usize).sum();
        let in_series: usize = events
            .series
            .iter()
            .map(|series| series.rows as usize)
            .sum();
        if in_ranges != rows || in_series != rows {
            return Err(format!(
                "{rows} rows, {in_ranges} in ranges, {in_series} in series"
            ));
        }
        if traces > 0 {
            let mut bytes = Bytes::new(needed_column(head, body, 20, 1)?);
            events.traces = bytes.packed(traces)?;
            bytes.end()?;
        }
        if strings > 0 {
            events.strings = read_strings(needed_column(head, body, 21, 0)?, strings)?;
        }
        let ends = events.ends(needed_column(head, body, 17, 1)?, rows)?;
        let mut series_of = Bytes::new(needed_column(head, body, 16, 1)?);
        let indexes = series_of.packed(rows)?;
        series_of.end()?;
        let mut values = events.values(needed_column(head, body, 18, 1)?)?;
        let trace_of = events.trace_of(head, body, rows, trace_runs)?;
        for row in 0..rows {
            let index = indexes[row] as usize;
            let series = events
                .series
                .get(index)
                .ok_or("an index beyond the series")?;
            let value = values[index]
                .next()
                .ok_or("more rows of a series than it has")?;
            events.rows.push(Row {
                end: ends[row],
                value,
                trace: trace_of[row],
                event: series.event,
                tag: series.tag,
            });
        }
        events.cpus = cpus(head, body, events.ranges.len()).ok();
        let weights = optional(head, body, 24, rows, 1)?;
        let span_ids = optional(head, body, 26, rows, 0)?;
        let parent_ids = optional(head, body, 27, rows, 0)?;
        let lone = optional(head, body, 28, rows, 0)?;
        for row in 0..rows {
            let weight = u32::try_from(weights[row]).map_err(|_| "a weight above 32 bits")?;
            if weight == 0 {
                return Err("a weight of 0".into());
            }
            events.extras.push(Extra {
                weight,
                span_id: span_ids[row],
                parent_id: parent_ids[row],
                is_lone: lone[row] != 0,
            });
        }
        Ok(events)
    }

    /// Reads the head's tables; returns how many there are of what the columns hold.
    fn read_tables(&mut self, tables: &[u8]) -> Result<Counts> {
        let mut tables = Bytes::new(tables);
        let (ranges, series, losses) = (tables.u32()?, tables.u32()?, tables.u32()?);
        let counts = Counts {
            strings: tables.u32()? as usize,
            traces: tables.u32()? as usize,
            trace_runs: tables.u32()? as usize,
        };
        if ranges > 65_536 || series > 16_384 || losses > 65_536 {
            return Err(format!("{ranges} ranges, {series} series, {losses} losses"));
        }
        for _ in 0..ranges {
            self.ranges.push(Range {
                ring: tables.u32()?,
                thread: tables.u32()?,
                first_seq: tables.u64()?,
                slots: tables.u32()?,
                rows: tables.u32()?,
                first_end: tables.u64()?,
            });
        }
        for _ in 0..series {
            let (event, tag) = (tables.u32()?, tables.u8()?);
            tables.take(3)?;
            self.series.push(Series {
                event,
                tag,
                rows: tables.u32()?,
                value_offset: tables.u32()?,
                max_value: tables.u64()?,
            });
        }
        for _ in 0..losses {
            let (ring, thread, cause) = (tables.u32()?, tables.u32()?, tables.u32()?);
            tables.take(4)?;
            self.losses.push(Loss {
                ring,
                thread,
                cause,
                count: tables.u64()?,
                from_ticks: tables.u64()?,
                to_ticks: tables.u64()?,
            });
        }
        Ok(counts)
    }

    fn ends(&self, column: &[u8], rows: usize) -> Result<Vec<u64>> {
        let mut bytes = Bytes::new(column);
        let mut differences = bytes.packed(rows)?.into_iter();
        bytes.end()?;
        let mut ends = Vec::new();
        for range in &self.ranges {
            let mut end = range.first_end;
            for difference in differences.by_ref().take(range.rows as usize) {
                end = end.wrapping_add(difference);
                ends.push(end);
            }
        }
        Ok(ends)
    }

    /// For each series its values, in row order.
    fn values(&self, column: &[u8]) -> Result<Vec<std::vec::IntoIter<u64>>> {
        let mut values = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            let end = match self.series.get(index + 1) {
                Some(next) => next.value_offset as usize,
                None => column.len(),
            };
            let blocks = column.get(series.value_offset as usize..end);
            let mut bytes = Bytes::new(blocks.ok_or("a series' values lie beyond the column")?);
            values.push(bytes.packed(series.rows as usize)?.into_iter());
            bytes.end()?;
        }
        Ok(values)
    }

    /// The trace of each row.
    fn trace_of(&self, head: &Head, body: &[u8], rows: usize, runs: usize) -> Result<Vec<u64>> {
        if self.traces.is_empty() {
            return Ok(vec![0; rows]);
        }
        let mut indexes = Bytes::new(needed_column(head, body, 19, 1)?);
        let mut lengths = Bytes::new(needed_column(head, body, 22, 1)?);
        let mut traces = Vec::new();
        for (index, length) in indexes.packed(runs)?.into_iter().zip(lengths.packed(runs)?) {
            let trace = match index {
                0 => 0,
                _ => *self
                    .traces
                    .get(index as usize - 1)
                    .ok_or("an index beyond the traces")?,
            };
            if length > (rows - traces.len()) as u64 {
                return Err(format!("a trace run of {length} rows"));
            }
            for _ in 0..length {
                traces.push(trace);
            }
        }
        indexes.end()?;
        lengths.end()?;
        if traces.len() < rows {
            return Err(format!("{} rows in trace runs", traces.len()));
        }
        Ok(traces)
    }
}

/// The values of a column of rows; `absent` of each row if the chunk has no such column.
fn optional(head: &Head, body: &[u8], id: u16, rows: usize, absent: u64) -> Result<Vec<u64>> {
    if head.columns.iter().all(|column| column.id != id) {
        return Ok(vec![absent; rows]);
    }
    let mut bytes = Bytes::new(needed_column(head, body, id, 1)?);
    let values = bytes.packed(rows)?;
    bytes.end()?;
    Ok(values)
}

fn cpus(head: &Head, body: &[u8], ranges: usize) -> Result<Vec<Option<u32>>> {
    let cpu = |number: u64| match number {
        0 => Ok(None),
        _ => match u32::try_from(number - 1) {
            Ok(cpu) => Ok(Some(cpu)),
            Err(_) => Err("a processor's number above 32 bits".into()),
        },
    };
    let numbers = optional(head, body, 25, ranges, 0)?;
    numbers.into_iter().map(cpu).collect()
}

fn read_strings(column: &[u8], count: usize) -> Result<Vec<Vec<u8>>> {
    let mut bytes = Bytes::new(column);
    let mut strings = Vec::new();
    for length in bytes.packed(count)? {
        strings.push(bytes.take(length as usize)?.to_vec());
    }
    bytes.end()?;
    Ok(strings)
}
