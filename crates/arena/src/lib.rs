//! Every byte in shared memory: rings, open-span slots, staging and spool, and the reader that treats them as hostile
//! input.
//!
//! An arena is one file in shared memory. The threads of a program record into it; a drainer in the same program empties
//! it; and when the program is killed, whatever was published in it is still there for another process to read.
//!
//! ```text
//!   thread ── Producer ──► ring ──┐
//!   thread ── Producer ──► ring ──┤ Owner::drain   ┌────────────────┐  encode   ┌───────┐  SpoolReader
//!   thread ── Producer ──► ring ──┴──────────────► │ staging area   │ ────────► │ spool │ ─────────────► file
//!        └──► open-span slots                      └────────────────┘           └───────┘
//! ```
//!
//! Each hand-off is published at the receiver before the giver forgets, so a kill at any point leaves every published
//! record in at least one place, and its ring id and sequence number tell whether it is in two.
//!
//! - [`create`] makes an arena and gives its [`Owner`], the draining half; [`Owner::arena`] is the handle to record with.
//! - [`Producer`] is what a recording thread keeps; [`Arena::attach`] gives it a ring.
//! - [`Directory`] finds the arenas that dead processes left.
//! - [`layout`](mod@layout), [`Record`] and the modules beside them have the layout as byte tables.

// Loom's model uses the ring, the slots and the spool, not the file around them.
#![cfg_attr(loom, allow(dead_code))]

#[macro_use]
mod sync;

mod consumer;
mod error;
mod loss;
mod open;
mod producer;
mod record;
mod ring;
mod slot;
mod space;
mod spare;
mod spool;

#[cfg(loom)]
#[doc(hidden)]
pub mod model;

#[cfg(not(loom))]
mod alloc;
#[cfg(not(loom))]
mod arena;
#[cfg(not(loom))]
mod backing;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod create;
#[cfg(not(loom))]
mod directory;
#[cfg(not(loom))]
mod drain;
#[cfg(not(loom))]
pub mod layout;
#[cfg(not(loom))]
mod names;
#[cfg(not(loom))]
mod owner;
#[cfg(not(loom))]
pub mod reader;
#[cfg(not(loom))]
mod recycle;
#[cfg(not(loom))]
mod staging;
#[cfg(not(loom))]
mod stock;
#[cfg(not(loom))]
mod sys;

pub use consumer::{Batch, Consumer};
pub use error::{AttachError, CreateError, DirectoryError, EventTableError, Rejected, Warning};
pub use loss::{LOSS_CAUSES, Loss, LossCause, count_process_loss, process_loss};
pub use open::OpenSpan;
pub use producer::{AnnotationValue, MAX_ANNOTATION_BYTES, Producer};
pub use record::{RECORD_BYTES, Record, tag};
pub use ring::THREAD_NAME_BYTES;
pub use slot::{BLOCK_SLOTS, SpanSlot};
pub use spool::{Frame, SpoolFull, SpoolReader, SpoolWriter};

#[cfg(not(loom))]
pub use {
    alloc::Memory,
    arena::Arena,
    config::{About, Config, Mode},
    create::create,
    directory::{DeadArena, Directory, Listed, Liveness},
    drain::{DrainStep, Drained},
    names::{EventEntry, MAX_EVENT_NAME_BYTES, MAX_UNIT_BYTES},
    owner::{Owner, RingStatus, ThreadEntry},
    staging::StagedBlock,
    sys::block_signals,
};
