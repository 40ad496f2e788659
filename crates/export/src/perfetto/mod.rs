//! Perfetto traces: a process a capture, a track a thread, a counter track a counter or gauge, flows by trace id.

mod proto;

use std::collections::BTreeMap;
use std::io::Write;

use perf_analysis::records::Records;
use perf_format::{Outcome, TagClass};
use prost::Message;

use crate::error::Error;
use crate::single::{MAX_SPANS, SingleExported, read_all, written};
use proto::{
    COUNTER, CounterDescriptor, DebugAnnotation, ProcessDescriptor, SLICE_BEGIN, SLICE_END,
    STATE_CLEARED, ThreadDescriptor, TracePacket, TrackDescriptor, TrackEvent,
};

/// All packets are of one sequence.
const SEQUENCE: u32 = 1;

#[derive(Debug, Clone, Copy)]
struct Slice {
    start: u64,
    end: u64,
    trace: u64,
    event: u32,
    outcome: Outcome,
}

/// Whether the values are steps, and each with its time.
type Counted = (bool, Vec<(u64, i64)>);

/// Slices by capture and thread; values by capture and event.
#[derive(Default)]
struct Collected {
    slices: BTreeMap<(usize, u32), Vec<Slice>>,
    values: BTreeMap<(usize, u32), Counted>,
    count: u64,
}

pub(crate) fn write(
    records: &Records<'_>,
    out: &mut dyn Write,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<SingleExported, Error> {
    let mut all = Collected::default();
    let time = |ns: i64| u64::try_from(ns).unwrap_or(0);
    let warnings = read_all(records, progress, |capture, rows| {
        rows.for_each(|record| {
            let series = rows.series()[usize::from(record.series)];
            let start = time(record.start_unix_ns);
            match series.class {
                TagClass::Span(outcome) => {
                    let slice = Slice {
                        start,
                        end: start.saturating_add(record.value),
                        trace: record.trace,
                        event: series.event,
                        outcome,
                    };
                    let thread = (capture, record.thread);
                    all.slices.entry(thread).or_default().push(slice);
                    all.count += 1;
                }
                TagClass::Counter | TagClass::Gauge => {
                    let is_step = series.class == TagClass::Counter;
                    let of = (capture, series.event);
                    let (_, values) = all.values.entry(of).or_insert((is_step, Vec::new()));
                    values.push((start, record.value as i64));
                    all.count += 1;
                }
                _ => {}
            }
        });
        match all.count > MAX_SPANS {
            true => Err(Error::TooMany {
                form: "a Perfetto trace",
                spans: records.summaries().iter().map(|each| each.records).sum(),
                limit: MAX_SPANS,
            }),
            false => Ok(()),
        }
    })?;
    let mut trace = Writer {
        out,
        records,
        first: true,
    };
    trace.processes()?;
    let count = all.slices.values().map(|slices| slices.len() as u64).sum();
    for ((capture, thread), slices) in all.slices {
        trace.thread(capture, thread, slices)?;
    }
    for ((capture, event), (is_step, values)) in all.values {
        trace.counter(capture, event, is_step, values)?;
    }
    Ok(SingleExported {
        written: count,
        left_out: 0,
        warnings,
    })
}

/// Slices that nest, of one thread.
#[derive(Default)]
struct Lane {
    /// Ends of what is open.
    open: Vec<u64>,
    slices: Vec<Slice>,
}

impl Lane {
    /// Whether `slice` lies in what is open then, and not across its end. Slices come by start.
    fn takes(&mut self, slice: &Slice) -> bool {
        while self.open.last().is_some_and(|end| *end <= slice.start) {
            self.open.pop();
        }
        self.open.last().is_none_or(|end| slice.end <= *end)
    }
}

/// Slices by lane: a track shows only what nests, and spans of one thread may overlap.
fn lanes(mut slices: Vec<Slice>) -> Vec<Lane> {
    slices.sort_by_key(|slice| (slice.start, std::cmp::Reverse(slice.end)));
    let mut lanes: Vec<Lane> = Vec::new();
    for slice in slices {
        let free = lanes.iter_mut().position(|lane| lane.takes(&slice));
        let lane = free.unwrap_or_else(|| {
            lanes.push(Lane::default());
            lanes.len() - 1
        });
        lanes[lane].open.push(slice.end);
        lanes[lane].slices.push(slice);
    }
    lanes
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    records: &'a Records<'a>,
    first: bool,
}

impl Writer<'_> {
    fn packet(&mut self, packet: TracePacket) -> Result<(), Error> {
        let flags = std::mem::take(&mut self.first).then_some(STATE_CLEARED);
        let packet = TracePacket {
            trusted_packet_sequence_id: Some(SEQUENCE),
            sequence_flags: flags,
            ..packet
        };
        // A trace is a message whose field 1 is its packets, one after another.
        let mut bytes = vec![0x0A];
        bytes.extend(packet.encode_length_delimited_to_vec());
        written(self.out.write_all(&bytes))
    }

    fn describe(&mut self, descriptor: TrackDescriptor) -> Result<(), Error> {
        self.packet(TracePacket {
            track_descriptor: Some(descriptor),
            ..TracePacket::default()
        })
    }

    fn event(&mut self, at: u64, event: TrackEvent) -> Result<(), Error> {
        self.packet(TracePacket {
            timestamp: Some(at),
            track_event: Some(event),
            ..TracePacket::default()
        })
    }

    fn processes(&mut self) -> Result<(), Error> {
        for (capture, summary) in self.records.summaries().into_iter().enumerate() {
            self.describe(TrackDescriptor {
                uuid: Some(uuid(1, capture, 0)),
                process: Some(ProcessDescriptor {
                    pid: Some(pid(capture)),
                    process_name: Some(summary.command.unwrap_or(summary.path)),
                }),
                ..TrackDescriptor::default()
            })?;
        }
        Ok(())
    }

    fn thread(&mut self, capture: usize, thread: u32, slices: Vec<Slice>) -> Result<(), Error> {
        let name = self.records.names().threads()[thread as usize].clone();
        for (number, lane) in lanes(slices).into_iter().enumerate() {
            let track = uuid(2, capture, u64::from(thread) << 24 | number as u64);
            let descriptor = match number {
                0 => TrackDescriptor {
                    thread: Some(ThreadDescriptor {
                        pid: Some(pid(capture)),
                        tid: Some(thread as i32 + 1),
                        thread_name: Some(name.clone()),
                    }),
                    ..TrackDescriptor::default()
                },
                _ => TrackDescriptor {
                    name: Some(format!("{name}, overlapping")),
                    ..TrackDescriptor::default()
                },
            };
            let parent = match number {
                0 => uuid(1, capture, 0),
                _ => uuid(2, capture, u64::from(thread) << 24),
            };
            self.describe(TrackDescriptor {
                uuid: Some(track),
                parent_uuid: Some(parent),
                ..descriptor
            })?;
            self.slices(track, &lane.slices)?;
        }
        Ok(())
    }

    /// Begins and ends, in the order in which they nest.
    fn slices(&mut self, track: u64, slices: &[Slice]) -> Result<(), Error> {
        let mut open: Vec<&Slice> = Vec::new();
        let end = |kind| TrackEvent {
            kind: Some(kind),
            track_uuid: Some(track),
            ..TrackEvent::default()
        };
        for slice in slices {
            while let Some(last) = open.pop_if(|last| last.end <= slice.start) {
                self.event(last.end, end(SLICE_END))?;
            }
            let is_known = open.last().is_some_and(|outer| outer.trace == slice.trace);
            let name = self.records.names().events()[slice.event as usize]
                .name
                .clone();
            let mut notes = Vec::new();
            if slice.trace != 0 {
                notes.push(note("trace", format!("{:016x}", slice.trace)));
            }
            if slice.outcome != Outcome::Ok {
                notes.push(note("outcome", slice.outcome.name().to_owned()));
            }
            let begin = TrackEvent {
                debug_annotations: notes,
                name: Some(name),
                // Arrows lead from thread to thread, not into what lies in a slice anyway.
                flow_ids: Vec::from_iter((slice.trace != 0 && !is_known).then_some(slice.trace)),
                ..end(SLICE_BEGIN)
            };
            self.event(slice.start, begin)?;
            open.push(slice);
        }
        while let Some(last) = open.pop() {
            self.event(last.end, end(SLICE_END))?;
        }
        Ok(())
    }

    fn counter(
        &mut self,
        capture: usize,
        event: u32,
        is_step: bool,
        mut values: Vec<(u64, i64)>,
    ) -> Result<(), Error> {
        let track = uuid(3, capture, event.into());
        let named = &self.records.names().events()[event as usize];
        let descriptor = TrackDescriptor {
            uuid: Some(track),
            name: Some(named.name.clone()),
            parent_uuid: Some(uuid(1, capture, 0)),
            counter: Some(CounterDescriptor {
                unit_name: Some(named.unit.clone()),
            }),
            ..TrackDescriptor::default()
        };
        self.describe(descriptor)?;
        values.sort_by_key(|(at, _)| *at);
        let mut sum = 0_i64;
        for (at, value) in values {
            sum = sum.saturating_add(value);
            let event = TrackEvent {
                kind: Some(COUNTER),
                track_uuid: Some(track),
                counter_value: Some(if is_step { sum } else { value }),
                ..TrackEvent::default()
            };
            self.event(at, event)?;
        }
        Ok(())
    }
}

fn note(name: &str, value: String) -> DebugAnnotation {
    DebugAnnotation {
        name: Some(name.to_owned()),
        string_value: Some(value),
    }
}

/// Processes of different hosts may have one id; captures are told apart.
fn pid(capture: usize) -> i32 {
    capture as i32 + 1
}

fn uuid(kind: u64, capture: usize, number: u64) -> u64 {
    kind << 60 | (capture as u64 & 0xFFF) << 48 | number & 0xFFFF_FFFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::{Slice, lanes};

    #[test]
    fn what_overlaps_gets_a_lane_of_its_own() {
        let slice = |start, end| Slice {
            start,
            end,
            trace: 0,
            event: 0,
            outcome: perf_format::Outcome::Ok,
        };
        let found = lanes(vec![
            slice(5, 15),
            slice(0, 10),
            slice(2, 3),
            slice(10, 20),
            slice(10, 10),
        ]);
        let of = |at: usize| {
            let slices = found[at].slices.iter();
            slices
                .map(|slice| (slice.start, slice.end))
                .collect::<Vec<_>>()
        };
        assert_eq!(found.len(), 2);
        assert_eq!(of(0), [(0, 10), (2, 3), (10, 20), (10, 10)]);
        assert_eq!(of(1), [(5, 15)]);
    }
}
