//! Records so many spans, at a pace at which no peer loses any: files of the same spans, to be read by each one's own tool.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::cost::BATCH;
use crate::figure;
use crate::peer::Peer;

/// Between two thousand spans: at most some five million a second.
const PAUSE: Duration = Duration::from_micros(200);

pub(crate) fn run<P: Peer>(dir: &Path, spans: u64) -> Result<()> {
    let peer = P::start(dir, true)?;
    let mut thread = peer.thread();
    let mut recorded = 0;
    while recorded < spans {
        let burst = (spans - recorded).min(16 * BATCH as u64);
        for from in (0..burst).step_by(BATCH) {
            peer.spans(&mut thread, BATCH.min((burst - from) as usize));
        }
        recorded += burst;
        thread::sleep(PAUSE);
    }
    drop(thread);
    peer.finish()?;
    figure("recorded", recorded as f64);
    Ok(())
}
