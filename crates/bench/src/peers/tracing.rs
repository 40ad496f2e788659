//! `tracing` with tracing-subscriber: into a file as text, a line a span when it closes; and with the registry alone.

use std::path::Path;

use anyhow::Result;
use tracing::info_span;
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

use super::{bytes_of, only_file};
use crate::peer::Peer;

/// Lines through tracing-appender's thread into a file.
pub(crate) struct File {
    /// Writes what is left when it is dropped.
    writer: Option<(WorkerGuard, ErrorCounter)>,
}

/// Nothing is kept.
pub(crate) struct Registry;

#[inline]
fn spans(count: usize) {
    for _ in 0..count {
        let _span = info_span!("span").entered();
    }
}

impl Peer for File {
    type Thread = ();

    fn start(dir: &Path, on: bool) -> Result<Self> {
        if !on {
            return Ok(Self { writer: None });
        }
        let file = std::fs::File::create(only_file(dir))?;
        let (writer, guard) = tracing_appender::non_blocking(file);
        let counter = writer.error_counter();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(writer);
        tracing_subscriber::registry().with(layer).try_init()?;
        Ok(Self {
            writer: Some((guard, counter)),
        })
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        spans(count);
    }

    fn finish(self) -> Result<Option<u64>> {
        Ok(self.writer.map(|(guard, counter)| {
            drop(guard);
            counter.dropped_lines() as u64
        }))
    }

    fn written(dir: &Path) -> Result<Option<u64>> {
        let bytes = bytes_of(dir)?;
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        Ok(Some(
            lines.filter(|line| line.ends_with(b"\n")).count() as u64
        ))
    }
}

impl Peer for Registry {
    type Thread = ();

    fn start(_: &Path, on: bool) -> Result<Self> {
        if on {
            tracing_subscriber::registry().try_init()?;
        }
        Ok(Self)
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        spans(count);
    }

    fn finish(self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn written(_: &Path) -> Result<Option<u64>> {
        Ok(None)
    }
}
