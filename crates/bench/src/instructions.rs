//! A fixed number of spans in a function that callgrind can be told to count.

use std::path::Path;

use anyhow::Result;

use crate::cost::BATCH;
use crate::figure;
use crate::peer::Peer;

const BATCHES: usize = 100;

pub(crate) fn run<P: Peer>(dir: &Path) -> Result<()> {
    let peer = P::start(dir, true)?;
    let mut thread = peer.thread();
    for _ in 0..10 {
        peer.spans(&mut thread, BATCH);
    }
    counted_burst(&peer, &mut thread);
    drop(thread);
    peer.finish()?;
    figure("spans", (BATCHES * BATCH) as f64);
    Ok(())
}

/// `--toggle-collect` names it.
#[inline(never)]
fn counted_burst<P: Peer>(peer: &P, thread: &mut P::Thread) {
    for _ in 0..BATCHES {
        peer.spans(thread, BATCH);
    }
}
