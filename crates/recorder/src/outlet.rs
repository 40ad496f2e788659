//! Where the drainer's pieces go: into the spool, for the writer thread, or straight to a sink.

use std::thread::Thread;

use perf_arena::Owner;

use crate::sink::{Refused, Sink};

/// Takes pieces of the capture in their order.
pub(crate) trait Outlet {
    /// Takes one piece, whole or not at all.
    fn put(&mut self, owner: &mut Owner, piece: &[u8]) -> Result<(), Refused>;

    /// Where in the storage the next piece goes: what the writer has to reach. `None` if there is no writer.
    fn end_offset(&self) -> Option<u64>;

    /// Bytes of the capture that were put so far.
    fn bytes(&self) -> u64;
}

/// The spool in the arena; the writer thread empties it.
pub(crate) struct SpoolOutlet {
    pub(crate) writer: Thread,
    /// Where in the file the next piece goes. Each frame is tagged with it.
    pub(crate) offset: u64,
}

impl Outlet for SpoolOutlet {
    fn put(&mut self, owner: &mut Owner, piece: &[u8]) -> Result<(), Refused> {
        owner
            .spool()
            .push(self.offset, piece)
            .map_err(|_| Refused)?;
        self.offset += piece.len() as u64;
        // No system call unless the writer sleeps.
        self.writer.unpark();
        Ok(())
    }

    fn end_offset(&self) -> Option<u64> {
        Some(self.offset)
    }

    fn bytes(&self) -> u64 {
        self.offset
    }
}

/// Somebody's sink.
pub(crate) struct SinkOutlet<S> {
    pub(crate) sink: S,
    pub(crate) bytes: u64,
}

impl<S: Sink> Outlet for SinkOutlet<S> {
    fn put(&mut self, _owner: &mut Owner, piece: &[u8]) -> Result<(), Refused> {
        self.sink.accept(piece)?;
        self.bytes += piece.len() as u64;
        Ok(())
    }

    fn end_offset(&self) -> Option<u64> {
        None
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Lends a sink to an outlet.
pub(crate) struct SinkRef<'a, S>(pub(crate) &'a mut S);

impl<S: Sink> Sink for SinkRef<'_, S> {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.0.accept(piece)
    }
}
