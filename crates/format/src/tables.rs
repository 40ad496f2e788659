//! The Tables chunk: descriptors of events and threads, written before their
//! first use. A later descriptor of the same id replaces the earlier one.

use crate::error::Result;
use crate::limits;
use crate::metadata::{cut, read_records, record};
use crate::stream::RecordChunks;
use crate::{EventId, EventKind, ThreadId};

record! {
    /// An event: its id in this capture, and the name that is its identity everywhere.
    pub struct EventDescriptor = 1 {
        /// Id in rows of this capture.
        pub id: EventId,
        /// What it records.
        pub kind: EventKind,
        /// Its unique name. May hold any character: escape it before showing it.
        pub name: String,
        /// Unit of values: `ns` for spans, free text for the others, or empty.
        pub unit: String,
    }
}

record! {
    /// A recording thread.
    pub struct ThreadDescriptor = 2 {
        /// Id in this capture.
        pub id: ThreadId,
        /// The system's thread id; 0 if not known.
        pub os_tid: u64,
        /// Its name, or empty.
        pub name: String,
    }
}

/// What Tables chunks describe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    /// Events, in the order written.
    pub events: Vec<EventDescriptor>,
    /// Threads, in the order written.
    pub threads: Vec<ThreadDescriptor>,
    /// Records that were skipped on reading: unknown tags, or beyond the limits.
    pub skipped_records: u64,
}

impl Tables {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.threads.is_empty()
    }

    /// The newest descriptor of `id`. Walks the list: index it for hot use.
    pub fn event(&self, id: EventId) -> Option<&EventDescriptor> {
        self.events.iter().rev().find(|event| event.id == id)
    }

    /// The newest descriptor of `id`. Walks the list: index it for hot use.
    pub fn thread(&self, id: ThreadId) -> Option<&ThreadDescriptor> {
        self.threads.iter().rev().find(|thread| thread.id == id)
    }

    pub(crate) fn put_records(&self, out: &mut RecordChunks<'_>) {
        for event in &self.events {
            let short = |text: &str| cut(text, limits::MAX_NAME_BYTES).to_owned();
            out.put(&EventDescriptor {
                name: short(&event.name),
                unit: short(&event.unit),
                ..*event
            });
        }
        for thread in &self.threads {
            let name = cut(&thread.name, limits::MAX_NAME_BYTES).to_owned();
            out.put(&ThreadDescriptor { name, ..*thread });
        }
    }

    /// Adds the records of a body that lies at `offset` in the file.
    pub(crate) fn read_records(&mut self, body: &[u8], offset: u64) -> Result<()> {
        read_records(body, offset, &mut self.skipped_records, |record| {
            Ok(record.push_to(&mut self.events, limits::MAX_EVENTS)?
                || record.push_to(&mut self.threads, limits::MAX_THREADS)?)
        })
    }
}
