//! fastrace with a reporter that writes a file: it has none of its own that does.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::local::LocalSpan;
use fastrace::{Span, prelude::SpanContext};

use super::{bytes_of, only_file, take};
use crate::peer::Peer;

const SPAN: &str = "span";
/// The span around the others, which fastrace wants: it is not counted.
const AROUND: &str = "batch";

pub(crate) struct Fastrace;

/// Ids, times and the name of each span, in binary.
struct ToFile(BufWriter<File>);

impl ToFile {
    fn write(&mut self, span: &SpanRecord) -> std::io::Result<()> {
        self.0.write_all(&span.trace_id.0.to_le_bytes())?;
        self.0.write_all(&span.span_id.0.to_le_bytes())?;
        self.0.write_all(&span.parent_id.0.to_le_bytes())?;
        self.0.write_all(&span.begin_time_unix_ns.to_le_bytes())?;
        self.0.write_all(&span.duration_ns.to_le_bytes())?;
        self.0.write_all(&[span.name.len() as u8])?;
        self.0.write_all(span.name.as_bytes())
    }
}

impl Reporter for ToFile {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        let written = spans.iter().try_for_each(|span| self.write(span));
        if let Err(error) = written.and_then(|()| self.0.flush()) {
            eprintln!("cannot write the spans: {error}");
        }
    }
}

impl Peer for Fastrace {
    type Thread = ();

    fn start(dir: &Path, on: bool) -> Result<Self> {
        if on {
            let file = BufWriter::new(File::create(only_file(dir))?);
            fastrace::set_reporter(ToFile(file), Config::default());
        }
        Ok(Self)
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        let around = Span::root(AROUND, SpanContext::random());
        let _parent = around.set_local_parent();
        for _ in 0..count {
            let _span = LocalSpan::enter_with_local_parent(SPAN);
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        fastrace::flush();
        Ok(None)
    }

    fn written(dir: &Path) -> Result<Option<u64>> {
        let bytes = bytes_of(dir)?;
        let mut rest = &bytes[..];
        let mut written = 0;
        while let Some(head) = take::<49>(&mut rest) {
            let Some((name, after)) = rest.split_at_checked(usize::from(head[48])) else {
                break;
            };
            written += u64::from(name == SPAN.as_bytes());
            rest = after;
        }
        Ok(Some(written))
    }
}
