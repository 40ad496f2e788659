//! measureme, the profiler of rustc, into its file.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use analyzeme::ProfilingData;
use anyhow::{Result, anyhow};
use measureme::rustc::GENERIC_ACTIVITY_EVENT_KIND;
use measureme::{EventId, PageTag, Profiler, RawEvent, StringId};

use super::take;
use crate::peer::Peer;

const STEM: &str = "spans";
const STREAM_HEADER: usize = 8;

pub(crate) struct Measureme {
    /// rustc, too, holds it in an option.
    profiler: Option<Profiler>,
    kind: StringId,
    event: EventId,
    threads: AtomicU32,
}

impl Peer for Measureme {
    type Thread = u32;

    fn start(dir: &Path, on: bool) -> Result<Self> {
        let profiler = on.then(|| Profiler::new(dir.join(STEM))).transpose();
        let profiler = profiler.map_err(|error| anyhow!("{error}"))?;
        let name = |name: &str| {
            profiler
                .as_ref()
                .map(|profiler| profiler.alloc_string(name))
        };
        Ok(Self {
            kind: name(GENERIC_ACTIVITY_EVENT_KIND).unwrap_or(StringId::INVALID),
            event: EventId::from_label(name("span").unwrap_or(StringId::INVALID)),
            threads: AtomicU32::new(0),
            profiler,
        })
    }

    fn thread(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    fn spans(&self, thread: &mut u32, count: usize) {
        for _ in 0..count {
            let _span = std::hint::black_box(&self.profiler)
                .as_ref()
                .map(|profiler| {
                    profiler.start_recording_interval_event(self.kind, self.event, *thread)
                });
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Pages of a tag, a length and so many bytes; all events are of one size.
    fn written(dir: &Path) -> Result<Option<u64>> {
        let bytes = std::fs::read(dir.join(STEM).with_extension("mm_profdata"))?;
        let mut rest = bytes.get(STREAM_HEADER..).unwrap_or_default();
        let mut events = 0;
        while let (Some([tag]), Some(length)) = (take(&mut rest), take(&mut rest)) {
            let length = u32::from_le_bytes(length) as usize;
            if tag == PageTag::Events as u8 {
                events += length.min(rest.len());
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Some(
            (events.saturating_sub(STREAM_HEADER) / size_of::<RawEvent>()) as u64,
        ))
    }

    /// What `summarize` does before it prints: times and counts by the name of the event.
    fn read(dir: &Path) -> Result<Option<u64>> {
        let data = ProfilingData::new(&dir.join(STEM)).map_err(|error| anyhow!("{error}"))?;
        let events = data.perform_analysis().query_data;
        let counts = events.iter().map(|event| event.invocation_count as u64);
        Ok(Some(counts.sum()))
    }
}
