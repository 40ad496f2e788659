//! What an arena has of a capture and no file has.

use std::io::{self, Write};

use perf_arena::reader::Reader;
use perf_arena::{Loss, Record};
use perf_format::{
    Anchors, ChunkEncoder, ChunkKind, ChunkStream, Close, CloseReason, FileHeader, FormatError,
    Frame, Index, LossCause, LossEntry, MAGIC, Notes, RingId, SAMPLING_LABEL, Tables,
    ThreadDescriptor, ThreadId, Warning, WarningCode,
};

use super::goes_on;
use super::known::Known;
use crate::calibrate::NO_EVENT;
use crate::housekeeping::{event_descriptor, open_span};
use crate::loss;
use crate::rows::{self, Slots};
use crate::sampling;
use crate::warning;

/// Descriptors of one chunk.
const DESCRIPTORS_A_CHUNK: usize = 1_024;

/// What was saved out of an arena.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// Encoded chunks that were on their way to the file.
    pub chunks: u64,
    /// Records that no chunk held yet, annotations included.
    pub records: u64,
    /// Spans that had begun and not ended.
    pub open_spans: u64,
    /// Records that the process had lost, or that could not be read, and that nothing told of yet.
    pub lost: u64,
    /// What did not hold together in the arena, in words.
    pub damage: Vec<String>,
}

/// Writes chunks of a remainder.
pub(super) struct Remainder<'k, W> {
    out: W,
    known: &'k mut Known,
    stream: ChunkStream,
    encoder: ChunkEncoder,
    buffer: Vec<u8>,
    /// Spans that ended before they began.
    reversed: u64,
    /// The dead process did not keep everything. What is saved of a trace may be the rest of one that it left out.
    is_sampled: bool,
    pub(super) saved: Saved,
}

impl<'k, W: Write> Remainder<'k, W> {
    pub(super) fn new(out: W, known: &'k mut Known) -> Self {
        let stream = ChunkStream::resume(known.next_seq, known.segment);
        Self {
            out,
            known,
            stream,
            encoder: ChunkEncoder::new(),
            buffer: Vec::new(),
            reversed: 0,
            is_sampled: false,
            saved: Saved::default(),
        }
    }

    /// Writes everything that the arena has and `known` has not, without a file header and without an end.
    ///
    /// # Errors
    /// What the writer says.
    pub(super) fn write_arena(&mut self, reader: &mut Reader<'_>) -> io::Result<()> {
        self.spooled(reader)?;
        let header = FileHeader::parse(&reader.about().metadata);
        self.is_sampled = header.is_ok_and(|(header, _)| {
            header
                .labels
                .iter()
                .any(|label| label.key == SAMPLING_LABEL)
        });
        // New chunks come after those of the spool, in number and in clock segment.
        self.stream = ChunkStream::resume(self.known.next_seq, self.known.segment);
        let rings = reader.rings();
        for ring in &rings {
            let known = self.known.tables.thread(ThreadId(ring.thread));
            if known.is_none_or(|known| known.name != ring.name) {
                self.known.tables.threads.push(ThreadDescriptor {
                    id: ThreadId(ring.thread),
                    os_tid: ring.os_thread.into(),
                    name: ring.name.clone(),
                });
            }
        }
        self.known
            .tables
            .events
            .extend(reader.events().into_iter().map(event_descriptor));
        self.tables()?;
        self.anchors()?;

        for run in reader.staged() {
            self.run(run.ring, run.thread, run.first_seq, &run.records)?;
        }
        let mut losses = Vec::new();
        for ring in &rings {
            let found = reader.records(ring);
            for run in &found.runs {
                self.run(ring.ring, ring.thread, run.first_seq, &run.records)?;
            }
            let unreadable = found.volatile_slots + found.damaged_slots;
            if unreadable > 0 {
                let (ring, thread) = (RingId(ring.ring), ThreadId(ring.thread));
                losses.push(LossEntry {
                    ring,
                    thread,
                    cause: LossCause::SALVAGE,
                    count: unreadable,
                    ..Default::default()
                });
            }
        }
        self.chunk()?;
        for ring in &rings {
            losses.extend(
                ring.losses
                    .iter()
                    .filter_map(|loss| self.untold(ring.ring, ring.thread, loss)),
            );
        }
        losses.extend(
            reader
                .losses()
                .iter()
                .filter_map(|loss| self.untold(0, 0, loss)),
        );
        if !self.known.has_open_spans {
            let of_program = |open: &perf_arena::OpenSpan| open.event != NO_EVENT;
            let open = reader.open_spans().into_iter().filter(of_program);
            let open: Vec<_> = open.map(open_span).collect();
            self.saved.open_spans = open.len() as u64;
            self.stream.open_spans(&open, &mut self.buffer);
        }
        self.saved.damage.extend(
            reader
                .damage()
                .iter()
                .map(|damage| format!("at {}: {}", damage.offset, damage.what)),
        );
        self.notes(losses)
    }

    /// The spool's chunks that the file does not have, byte for byte. Only its clean end is left out: there was none.
    fn spooled(&mut self, reader: &mut Reader<'_>) -> io::Result<()> {
        for piece in reader.spooled() {
            let mut rest = piece.bytes.as_slice();
            if rest.starts_with(&MAGIC) {
                // The next part would have begun here. What it begins with is in the chunks that follow.
                continue;
            }
            while !rest.is_empty() {
                let Some((chunk, after)) = split_chunk(rest) else {
                    self.saved
                        .damage
                        .push("a spooled piece is no chunk".to_owned());
                    break;
                };
                rest = after;
                if let Err(error) = self.spooled_chunk(chunk)? {
                    self.saved.damage.push(error.to_string());
                }
            }
        }
        Ok(())
    }

    fn spooled_chunk(&mut self, chunk: &[u8]) -> io::Result<Result<(), FormatError>> {
        let kind = match Frame::parse(chunk, 0) {
            Ok(frame) => frame.head.kind,
            Err(error) => return Ok(Err(error)),
        };
        if kind == ChunkKind::CLOSE && !goes_on(chunk) {
            return Ok(Ok(()));
        }
        match self.known.add_chunk(chunk, 0) {
            Err(error) => return Ok(Err(error)),
            Ok(false) => return Ok(Ok(())),
            Ok(true) => {}
        }
        // What it describes is needed here, too; an index reads a chunk without a file around it.
        if let Ok(index) = Index::build(chunk) {
            index
                .notes
                .losses
                .iter()
                .for_each(|loss| self.known.add_loss(loss));
            self.known.add_anchors(index.anchors.anchors);
            self.known.tables.events.extend(index.tables.events);
            self.known.tables.threads.extend(index.tables.threads);
            self.known.has_open_spans |= !index.open_spans.is_empty();
        }
        self.saved.chunks += 1;
        self.out.write_all(chunk)?;
        Ok(Ok(()))
    }

    fn tables(&mut self) -> io::Result<()> {
        self.known.tidy_tables();
        let Tables {
            events, threads, ..
        } = &self.known.tables;
        let of_events = events.chunks(DESCRIPTORS_A_CHUNK).map(|events| Tables {
            events: events.to_vec(),
            ..Tables::default()
        });
        let of_threads = threads.chunks(DESCRIPTORS_A_CHUNK).map(|threads| Tables {
            threads: threads.to_vec(),
            ..Tables::default()
        });
        for tables in of_events.chain(of_threads) {
            self.stream.tables(&tables, &mut self.buffer);
        }
        self.flush()
    }

    fn anchors(&mut self) -> io::Result<()> {
        let Anchors { anchors, .. } = Anchors {
            anchors: self.known.anchors.clone(),
            ..Anchors::default()
        };
        self.stream.anchors(&anchors, &mut self.buffer);
        self.flush()
    }

    /// The records of a run that nothing has yet.
    fn run(
        &mut self,
        ring: u32,
        thread: u32,
        first_seq: u64,
        records: &[Record],
    ) -> io::Result<()> {
        for (offset, slots) in self.known.missing(ring, first_seq, records.len() as u64) {
            let mut part = Slots {
                ring,
                thread,
                first_seq: first_seq.wrapping_add(offset),
                cpu: None,
                records: &records[offset as usize..(offset + slots) as usize],
            };
            self.known.add_slots(ring, part.first_seq, slots);
            while !part.records.is_empty() {
                let before = self.encoder.rows();
                let was_empty = self.encoder.is_empty();
                let mut told = Vec::new();
                let pushed = rows::push(&mut self.encoder, &part, &mut |entry| told.push(*entry));
                self.reversed += pushed.reversed;
                let taken = pushed.slots;
                told.iter().for_each(|entry| self.known.add_loss(entry));
                if self.is_sampled {
                    for row in before..self.encoder.rows() {
                        self.encoder.set_extra(row, sampling::lone());
                    }
                }
                self.saved.records += (self.encoder.rows() - before) as u64;
                if taken < part.records.len() {
                    self.chunk()?;
                }
                // An empty chunk takes any record; should it not, the record is passed over.
                let taken = if taken == 0 && was_empty { 1 } else { taken };
                part.first_seq = part.first_seq.wrapping_add(taken as u64);
                part.records = &part.records[taken.min(part.records.len())..];
            }
        }
        Ok(())
    }

    fn chunk(&mut self) -> io::Result<()> {
        self.stream.events(&mut self.encoder, &mut self.buffer);
        self.flush()
    }

    /// The part of a loss that neither a chunk nor a note tells of.
    fn untold(&self, ring: u32, thread: u32, loss: &Loss) -> Option<LossEntry> {
        let cause = loss::cause_of(loss.cause);
        let mut count = loss.total.saturating_sub(self.known.told(ring, cause.0));
        if self.known.is_partial {
            // The thread itself noted, a moment later, what it had told the stream.
            count = count.min(loss.pending());
        }
        let (from_ticks, to_ticks) = (loss.from_ticks, loss.to_ticks);
        (loss.cause.is_loss() && count > 0).then_some(LossEntry {
            ring: RingId(ring),
            thread: ThreadId(thread),
            cause,
            count,
            from_ticks,
            to_ticks,
        })
    }

    fn notes(&mut self, losses: Vec<LossEntry>) -> io::Result<()> {
        self.saved.lost = losses
            .iter()
            .fold(0, |sum: u64, loss| sum.saturating_add(loss.count));
        losses.iter().for_each(|loss| self.known.add_loss(loss));
        let mut notes = Notes {
            losses,
            ..Notes::default()
        };
        if let Some(first) = self.saved.damage.first() {
            let count = self.saved.damage.len();
            let message = format!(
                "{count} parts of the arena of the dead process could not be read; the first {first}"
            );
            notes.warnings.push(Warning {
                code: WarningCode::SALVAGE,
                ticks: 0,
                message,
            });
        }
        if self.reversed > 0 {
            notes.warnings.push(Warning {
                code: WarningCode::CLOCK,
                ticks: 0,
                message: warning::reversed(self.reversed),
            });
        }
        self.stream.notes(&notes, &mut self.buffer);
        self.flush()
    }

    /// Writes the end: the last rollup, and that the capture was saved after its process had died.
    ///
    /// # Errors
    /// What the writer says.
    pub(super) fn close(mut self, unix_ns: i64) -> io::Result<(W, Saved)> {
        let close = Close {
            reason: CloseReason::SALVAGED,
            unix_ns,
            lost: self.known.lost(),
            ..Close::default()
        };
        self.stream.close(close, &mut self.buffer);
        self.flush()?;
        Ok((self.out, self.saved))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// The first chunk of `bytes`, and what follows it.
fn split_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = Frame::parse(bytes, 0).ok()?.head;
    bytes.split_at_checked(usize::try_from(head.chunk_len()).ok()?)
}
