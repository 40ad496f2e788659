//! puffin with a frame every 10 ms, whose sink writes them to a file from a thread of its own, as puffin's server sends them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use puffin::{FrameData, GlobalProfiler, Reader, profile_scope};

use super::{bytes_of, only_file};
use crate::peer::Peer;

const FRAME: Duration = Duration::from_millis(10);

pub(crate) struct Puffin {
    running: Option<Running>,
}

struct Running {
    frames: JoinHandle<()>,
    writer: JoinHandle<Result<()>>,
    is_ending: Arc<AtomicBool>,
}

fn add_sink(sender: Sender<Arc<FrameData>>) -> puffin::FrameSinkId {
    GlobalProfiler::lock().add_sink(Box::new(move |frame| {
        let _ = sender.send(frame);
    }))
}

impl Peer for Puffin {
    type Thread = ();

    fn start(dir: &Path, on: bool) -> Result<Self> {
        puffin::set_scopes_on(on);
        if !on {
            return Ok(Self { running: None });
        }
        let (sender, receiver) = channel::<Arc<FrameData>>();
        let mut file = File::create(only_file(dir))?;
        let writer = thread::spawn(move || {
            receiver
                .into_iter()
                .try_for_each(|frame| frame.write_into(None, &mut file))
        });
        let sink = add_sink(sender);
        let is_ending = Arc::new(AtomicBool::new(false));
        let frames = thread::spawn({
            let is_ending = is_ending.clone();
            move || {
                while !is_ending.load(Ordering::Relaxed) {
                    thread::sleep(FRAME);
                    GlobalProfiler::lock().new_frame();
                }
                GlobalProfiler::lock().new_frame();
                drop(GlobalProfiler::lock().remove_sink(sink));
            }
        });
        Ok(Self {
            running: Some(Running {
                frames,
                writer,
                is_ending,
            }),
        })
    }

    fn thread(&self) {}

    /// The scope around them: a thread reports, under a global lock, whenever its outermost scope ends.
    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        profile_scope!("batch");
        for _ in 0..count {
            profile_scope!("span");
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        if let Some(running) = self.running {
            running.is_ending.store(true, Ordering::Relaxed);
            let _ = running.frames.join();
            running
                .writer
                .join()
                .map_err(|_| anyhow!("the writer panicked"))??;
        }
        Ok(None)
    }

    fn written(dir: &Path) -> Result<Option<u64>> {
        let bytes = bytes_of(dir)?;
        let mut rest = &bytes[..];
        let mut written = 0;
        // A frame that is cut short is an error, and the end.
        while let Ok(Some(frame)) = FrameData::read_next(&mut rest) {
            for stream in frame.unpacked()?.thread_streams.values() {
                let around = Reader::from_start(&stream.stream)
                    .read_top_scopes()
                    .map_err(|error| anyhow!("{error:?}"))?
                    .len();
                written += (stream.num_scopes - around) as u64;
            }
        }
        Ok(Some(written))
    }
}
