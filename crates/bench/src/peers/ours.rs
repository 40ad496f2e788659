//! perf-probe and perf-recorder with their defaults, into a capture file.

use std::path::Path;

use anyhow::Result;
use perf_probe::measure;
use perf_recorder::Recorder;

use crate::peer::Peer;

perf_probe::events! {
    SPAN: span = "span";
}

pub(crate) struct Ours {
    recorder: Recorder,
}

impl Peer for Ours {
    type Thread = ();

    fn start(dir: &Path, on: bool) -> Result<Self> {
        let recorder = Recorder::builder()
            .capture(dir.join("capture.bin"))
            .start()?;
        if !on {
            recorder.disable();
        }
        Ok(Self { recorder })
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        for _ in 0..count {
            let _span = measure!(SPAN);
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        Ok(Some(self.recorder.stop()?.lost.total()))
    }

    /// `perf-analyze` counts them.
    fn written(_: &Path) -> Result<Option<u64>> {
        Ok(None)
    }
}
