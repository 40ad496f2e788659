//! Two bare clock reads: no peer, but what all are measured against.

use std::path::Path;

use anyhow::Result;

use crate::cost::clock_reads;
use crate::peer::Peer;

pub(crate) struct Reads;

impl Peer for Reads {
    type Thread = ();

    fn start(_: &Path, _: bool) -> Result<Self> {
        Ok(Self)
    }

    fn thread(&self) {}

    fn spans(&self, (): &mut (), count: usize) {
        clock_reads(count);
    }

    fn finish(self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn written(_: &Path) -> Result<Option<u64>> {
        Ok(None)
    }
}
