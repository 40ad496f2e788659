//! A capture written straight into a file.

use std::io::{self, Write};

use crate::notes::{Close, Notes, OpenSpan};
use crate::{Anchor, ChunkEncoder, ChunkHead, ChunkStream, FileHeader, SegmentId, Tables};

/// Writes a capture, chunk by chunk: a [`ChunkStream`] and the file that it goes to.
///
/// For importers, tests and tools. The recorder keeps encoding and writing apart.
#[derive(Debug)]
pub struct CaptureWriter<W> {
    sink: W,
    stream: ChunkStream,
    buffer: Vec<u8>,
    written: u64,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture with its header.
    ///
    /// # Errors
    /// What the sink says; so with every other method. After an error the file
    /// ends in a torn chunk; whatever came before it can be read.
    pub fn new(sink: W, header: &FileHeader) -> io::Result<Self> {
        let mut writer = CaptureWriter {
            sink,
            stream: ChunkStream::new(),
            buffer: Vec::new(),
            written: 0,
        };
        header.encode(&mut writer.buffer);
        writer.flush_buffer()?;
        Ok(writer)
    }

    /// Goes on with a file whose chunks were already written.
    pub fn resume(sink: W, stream: ChunkStream) -> Self {
        CaptureWriter {
            sink,
            stream,
            buffer: Vec::new(),
            written: 0,
        }
    }

    /// The books: chunk numbers, segment, histograms.
    pub fn stream(&self) -> &ChunkStream {
        &self.stream
    }

    /// Bytes given to the sink.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes descriptors of events and threads. To be done before their first use.
    ///
    /// # Errors
    /// What the sink says.
    pub fn tables(&mut self, tables: &Tables) -> io::Result<()> {
        self.stream.tables(tables, &mut self.buffer);
        self.flush_buffer()
    }

    /// Writes clock anchors.
    ///
    /// # Errors
    /// What the sink says.
    pub fn anchors(&mut self, anchors: &[Anchor]) -> io::Result<()> {
        self.stream.anchors(anchors, &mut self.buffer);
        self.flush_buffer()
    }

    /// Writes self-cost, warnings, losses.
    ///
    /// # Errors
    /// What the sink says.
    pub fn notes(&mut self, notes: &Notes) -> io::Result<()> {
        self.stream.notes(notes, &mut self.buffer);
        self.flush_buffer()
    }

    /// Writes spans that had not ended.
    ///
    /// # Errors
    /// What the sink says.
    pub fn open_spans(&mut self, spans: &[OpenSpan]) -> io::Result<()> {
        self.stream.open_spans(spans, &mut self.buffer);
        self.flush_buffer()
    }

    /// Writes the rows of `encoder` as a chunk and clears it; returns the chunk's
    /// head, or `None` if there was nothing to write.
    ///
    /// # Errors
    /// What the sink says.
    pub fn events(&mut self, encoder: &mut ChunkEncoder) -> io::Result<Option<ChunkHead>> {
        let head = self.stream.events(encoder, &mut self.buffer);
        self.flush_buffer()?;
        Ok(head)
    }

    /// Writes a rollup if one is due, see [`ChunkStream::rollup_if_due`].
    ///
    /// # Errors
    /// What the sink says.
    pub fn rollup_if_due(&mut self, unix_ns: i64) -> io::Result<bool> {
        let wrote = self.stream.rollup_if_due(unix_ns, &mut self.buffer);
        self.flush_buffer()?;
        Ok(wrote)
    }

    /// Writes a rollup of what no rollup covers yet.
    ///
    /// # Errors
    /// What the sink says.
    pub fn rollup(&mut self) -> io::Result<bool> {
        let wrote = self.stream.rollup(&mut self.buffer);
        self.flush_buffer()?;
        Ok(wrote)
    }

    /// Ends the clock segment; rows to come belong to the next one.
    ///
    /// # Errors
    /// What the sink says.
    pub fn begin_segment(&mut self) -> io::Result<SegmentId> {
        let segment = self.stream.begin_segment(&mut self.buffer);
        self.flush_buffer()?;
        Ok(segment)
    }

    /// Writes the last rollup and the clean end; gives the sink back, flushed.
    ///
    /// # Errors
    /// What the sink says.
    pub fn close(mut self, close: Close) -> io::Result<W> {
        self.stream.close(close, &mut self.buffer);
        self.flush_buffer()?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn flush_buffer(&mut self) -> io::Result<()> {
        let result = self.sink.write_all(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        result
    }
}
