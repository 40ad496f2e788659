//! Every byte of a capture file: writer, reader, limits.
//!
//! The layout is specified in `FORMAT.md` beside this crate. Writing:
//!
//! ```
//! use perf_format::{
//!     CaptureWriter, ChunkEncoder, Close, CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Index,
//!     EventsChunk, RingId, Row, RunHead, Tables, Tag, ThreadId, TraceId,
//! };
//!
//! let mut writer = CaptureWriter::new(Vec::new(), &FileHeader::default())?;
//! let parse = EventDescriptor { id: EventId(7), kind: EventKind::SPAN, name: "PARSE".into(), unit: "ns".into() };
//! writer.tables(&Tables { events: vec![parse], ..Tables::default() })?;
//!
//! let mut encoder = ChunkEncoder::new();
//! let row = Row { end_ticks: 1000, value: 40, trace: TraceId(0xFEED), event: EventId(7), tag: Tag::SPAN_OK };
//! let run = RunHead { ring: RingId(0), thread: ThreadId(1), first_seq: 0 };
//! encoder.push_run(run, [row, Row { end_ticks: 1010, ..row }]);
//! writer.events(&mut encoder)?;
//! let file = writer.close(Close { reason: CloseReason::STOPPED, ..Close::default() })?;
//!
//! // Reading: first the index, then the chunks that are needed.
//! let index = Index::build(&file)?;
//! assert!(index.closed_cleanly());
//! for entry in index.event_chunks() {
//!     let chunk = EventsChunk::parse(index.chunk_bytes(&file, entry), entry.offset)?;
//!     for (number, series) in chunk.series().iter().enumerate() {
//!         let mut ticks = 0;
//!         chunk.values_of(number, |values| ticks += values.iter().sum::<u64>())?;
//!         assert_eq!((series.key.event, ticks), (EventId(7), 80));
//!     }
//!     assert_eq!(chunk.decode_rows()?[0], row);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The recorder, which encodes now and writes later, uses [`ChunkStream`]: the
//! same methods, appending to a `Vec<u8>`.
//!
//! No bytes make the reading side panic, loop, or allocate more than a constant
//! times their length; see [`limits`].

// One call of a function compiled for more than the baseline, in `wide`; nothing else.
#![deny(unsafe_code)]

mod anchors;
pub mod bins;
mod bytes;
mod chunk;
mod clock;
mod codes;
mod error;
mod events;
mod header;
mod ids;
mod index;
pub mod limits;
pub mod load;
mod metadata;
mod notes;
mod packed;
mod read_at;
mod rollup;
mod round;
mod row;
mod seek;
mod stream;
mod tables;
mod tag;
mod trace_key;
mod wide;
mod writer;

pub use anchors::{Anchor, Anchors};
pub use chunk::{CHUNK_VERSION, ChunkHead, ChunkKind, Column, ColumnId, Frame, SYNC_MARK};
pub use clock::{ClockLine, ClockMap, ClockStep, MIN_RATE_SPAN_NS, STEP_NS, STEP_PPM};
pub use codes::{ClockSource, CloseReason, EventKind, WarningCode};
pub use error::{FormatError, Result};
pub use events::{ChunkEncoder, ChunkFull, Columns, EventsChunk, Extra, Range, RunHead, Series};
pub use header::{
    ClockDescriptor, FLIGHT_LABEL, FileHeader, Label, MAGIC, Origin, SAMPLING_LABEL,
    TRIGGER_AT_LABEL, TRIGGER_LABEL, TRIGGERS_MORE_LABEL, VERSION_MAJOR, VERSION_MINOR,
};
pub use ids::{CaptureId, EventId, RingId, SegmentId, SpanId, ThreadId, TraceId};
pub use index::{ChunkEntry, Damage, Index, TornTail};
pub use notes::{Close, Notes, OpenSpan, SelfCost, Warning};
pub use read_at::ReadAt;
pub use rollup::{
    Aggregate, CounterSummary, Coverage, GaugeSummary, Histogram, Rollup, RollupChunk, SeriesKey,
    SparseAggregate, SparseHistogram, SparseRollup, chunk_digest, encode_rollup,
};
pub use round::{round_i64, round_u64};
pub use row::{AnnotationValue, LossCause, LossEntry, Row};
pub use seek::{SeekEntry, SeekFooter, ZSTD_MAGIC, encode_seek_table};
pub use stream::{ChunkStream, ROLLUP_SHARE};
pub use tables::{EventDescriptor, Tables, ThreadDescriptor};
pub use tag::{Outcome, Tag, TagClass};
pub use trace_key::{trace_from_key, trace_hash};
pub use writer::CaptureWriter;
