//! Records, and counts what it recorded, until it is killed.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::acknowledged::Acknowledged;
use crate::peer::Peer;

/// Spans between two naps of a millisecond: some 50 000 a second.
const AT_ONCE: usize = 64;

pub(crate) fn run<P: Peer>(dir: &Path, acknowledged: Option<&Path>) -> Result<()> {
    let path = acknowledged.context("where are the spans counted? (--acknowledged)")?;
    let peer = P::start(dir, true)?;
    let mut thread = peer.thread();
    let acknowledged = Acknowledged::create(path)?;
    loop {
        for _ in 0..AT_ONCE {
            peer.spans(&mut thread, 1);
            acknowledged.add(1);
        }
        thread::sleep(Duration::from_millis(1));
    }
}
