//! micromegas-tracing with the buffers that its documentation sets up. Its own sinks print or send; this one writes the blocks
//! as they are, from a thread of its own, behind a head of their lengths.

use std::collections::HashMap;
use std::fmt::Arguments;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use micromegas_tracing::event::{EventSink, TracingBlock};
use micromegas_tracing::flush_monitor::FlushMonitor;
use micromegas_tracing::guards::{TracingSystemGuard, TracingThreadGuard};
use micromegas_tracing::logs::{LogBlock, LogMetadata, LogStream};
use micromegas_tracing::metrics::{MetricsBlock, MetricsStream};
use micromegas_tracing::prelude::{DynProperty, ProcessInfo, span_scope};
use micromegas_tracing::spans::{ThreadBlock, ThreadStream};
use micromegas_transit::HeterogeneousQueue;

use super::{bytes_of, only_file, take};
use crate::peer::Peer;

pub(crate) struct Micromegas {
    running: Option<Running>,
}

struct Running {
    system: TracingSystemGuard,
    blocks: Arc<Blocks>,
    writer: JoinHandle<std::io::Result<()>>,
    flusher: JoinHandle<()>,
    is_ending: Arc<AtomicBool>,
}

/// Hands blocks to the thread that writes them.
struct Blocks(Mutex<Option<Sender<Arc<ThreadBlock>>>>);

impl EventSink for Blocks {
    fn on_startup(&self, _: Arc<ProcessInfo>) {}
    fn on_shutdown(&self) {}
    fn on_log_enabled(&self, _: &LogMetadata) -> bool {
        false
    }
    fn on_log(&self, _: &LogMetadata, _: &[DynProperty<'_>], _: i64, _: Arguments<'_>) {}
    fn on_init_log_stream(&self, _: &LogStream) {}
    fn on_process_log_block(&self, _: Arc<LogBlock>) {}
    fn on_init_metrics_stream(&self, _: &MetricsStream) {}
    fn on_process_metrics_block(&self, _: Arc<MetricsBlock>) {}
    fn on_init_thread_stream(&self, _: &ThreadStream) {}

    fn on_process_thread_block(&self, block: Arc<ThreadBlock>) {
        let sender = self.0.lock().expect("nobody panics with the lock");
        if let Some(sender) = &*sender {
            let _ = sender.send(block);
        }
    }

    fn is_busy(&self) -> bool {
        false
    }
}

fn write_block(file: &mut File, block: &ThreadBlock) -> std::io::Result<()> {
    let bytes = block.events.as_bytes();
    file.write_all(&(block.nb_objects() as u64).to_le_bytes())?;
    file.write_all(&(bytes.len() as u64).to_le_bytes())?;
    file.write_all(bytes)
}

impl Peer for Micromegas {
    type Thread = Option<TracingThreadGuard>;

    fn start(dir: &Path, on: bool) -> Result<Self> {
        if !on {
            return Ok(Self { running: None });
        }
        let (sender, receiver) = channel::<Arc<ThreadBlock>>();
        let mut file = File::create(only_file(dir))?;
        let writer = thread::spawn(move || {
            receiver
                .into_iter()
                .try_for_each(|block| write_block(&mut file, &block))
        });
        let blocks = Arc::new(Blocks(Mutex::new(Some(sender))));
        let system = TracingSystemGuard::new(
            8 << 20,
            1 << 20,
            16 << 20,
            blocks.clone(),
            HashMap::new(),
            true,
        )
        .map_err(|error| anyhow!("{error}"))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let flusher = thread::spawn({
            let is_ending = is_ending.clone();
            move || {
                let monitor = FlushMonitor::default();
                while !is_ending.load(Ordering::Relaxed) {
                    monitor.tick();
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        Ok(Self {
            running: Some(Running {
                system,
                blocks,
                writer,
                flusher,
                is_ending,
            }),
        })
    }

    fn thread(&self) -> Self::Thread {
        self.running.as_ref().map(|_| TracingThreadGuard::new())
    }

    #[inline]
    fn spans(&self, _: &mut Self::Thread, count: usize) {
        for _ in 0..count {
            span_scope!("span");
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        let Some(running) = self.running else {
            return Ok(None);
        };
        running.is_ending.store(true, Ordering::Relaxed);
        let _ = running.flusher.join();
        drop(running.system);
        *running
            .blocks
            .0
            .lock()
            .expect("nobody panics with the lock") = None;
        running
            .writer
            .join()
            .map_err(|_| anyhow!("the writer panicked"))??;
        Ok(None)
    }

    /// A span is a begin and an end.
    fn written(dir: &Path) -> Result<Option<u64>> {
        let bytes = bytes_of(dir)?;
        let mut rest = &bytes[..];
        let mut events = 0;
        while let (Some(count), Some(length)) = (take(&mut rest), take(&mut rest)) {
            let Some(after) = rest.get(u64::from_le_bytes(length) as usize..) else {
                break;
            };
            events += u64::from_le_bytes(count);
            rest = after;
        }
        Ok(Some(events / 2))
    }
}
