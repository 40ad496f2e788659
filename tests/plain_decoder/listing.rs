//! A capture as text, one line a thing: what captures/golden/*.txt hold.

use std::fmt::Write;

use super::clock::Clock;
use super::events::{Events, Row};
use super::file::{Capture, Content, Head};
use super::metadata::Header;
use super::rollup::{Rollup, Summary, bounds};

/// Lists everything in `capture`.
pub(crate) fn listing(capture: &Capture) -> String {
    let mut out = String::new();
    list(capture, &mut out).expect("a string takes every line");
    out
}

fn list(capture: &Capture, out: &mut String) -> std::fmt::Result {
    match &capture.header {
        Some(header) => list_header(header, out)?,
        None => writeln!(out, "no header")?,
    }
    list_metadata(capture, out)?;
    for chunk in &capture.chunks {
        let head = &chunk.head;
        writeln!(
            out,
            "\nchunk {} at {}: kind {} version {}, {} + {} bytes, {} records, segment {}, starts {}, ends {} to {}",
            head.chunk_seq,
            chunk.offset,
            head.kind,
            head.version,
            head.head_len,
            head.body_len,
            head.records,
            head.segment,
            head.min_start,
            head.min_end,
            head.max_end
        )?;
        for column in &head.columns {
            writeln!(
                out,
                "  column {} encoding {}: {} bytes",
                column.id, column.encoding, column.len
            )?;
        }
        match &chunk.content {
            Ok(Content::Events(events)) => list_events(capture, head, events, out)?,
            Ok(Content::Rollup(rollup)) => list_rollup(rollup, out)?,
            Ok(Content::Metadata) => {}
            Ok(Content::Unknown) => writeln!(out, "  unknown")?,
            Err(reason) => writeln!(out, "  damaged: {reason}")?,
        }
    }
    for (offset, len) in &capture.damage {
        writeln!(out, "\ndamage: {len} bytes at {offset}")?;
    }
    if let Some((offset, len)) = capture.torn_tail {
        writeln!(out, "\ntorn tail: {len} bytes at {offset}")?;
    }
    writeln!(out, "\nclosed cleanly: {}", capture.closed_cleanly())
}

fn list_header(header: &Header, out: &mut String) -> std::fmt::Result {
    let id: String = header
        .capture_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    writeln!(
        out,
        "capture {id} version 1.{} part {} start {}",
        header.minor, header.part, header.start_unix_ns
    )?;
    writeln!(out, "{:?}", header.origin)?;
    writeln!(out, "{:?}", header.clock)?;
    for (key, value) in &header.labels {
        writeln!(out, "label {key:?} = {value:?}")?;
    }
    Ok(())
}

fn list_metadata(capture: &Capture, out: &mut String) -> std::fmt::Result {
    let metadata = &capture.metadata;
    for event in &metadata.events {
        writeln!(out, "{event:?}")?;
    }
    for thread in &metadata.threads {
        writeln!(out, "{thread:?}")?;
    }
    for anchor in &metadata.anchors {
        writeln!(out, "{anchor:?}")?;
    }
    for cost in &metadata.self_costs {
        writeln!(out, "{cost:?}")?;
    }
    for warning in &metadata.warnings {
        writeln!(out, "{warning:?}")?;
    }
    for loss in &metadata.losses {
        writeln!(out, "{loss:?}")?;
    }
    for span in &metadata.open_spans {
        writeln!(out, "{span:?}")?;
    }
    if let Some(close) = &metadata.close {
        writeln!(out, "{close:?}")?;
    }
    Ok(())
}

fn list_events(
    capture: &Capture,
    head: &Head,
    events: &Events,
    out: &mut String,
) -> std::fmt::Result {
    for range in &events.ranges {
        writeln!(out, "  {range:?}")?;
    }
    for series in &events.series {
        writeln!(out, "  {series:?}")?;
    }
    for loss in &events.losses {
        writeln!(out, "  {loss:?}")?;
    }
    for string in &events.strings {
        writeln!(out, "  string \"{}\"", string.escape_ascii())?;
    }
    let clock = Clock::new(
        capture.header.as_ref(),
        &capture.metadata.anchors,
        head.segment,
    );
    for row in &events.rows {
        let Row {
            end,
            value,
            trace,
            event,
            tag,
        } = row;
        write!(
            out,
            "  end {end} ({} ns) event {event} tag {tag} ",
            clock.unix_ns(*end)
        )?;
        match tag {
            1..=4 => write!(out, "duration {value} ({} ns)", clock.duration_ns(*value))?,
            8 | 9 | 17 | 20 => write!(out, "value {}", *value as i64)?,
            18 => write!(out, "value {:?}", f64::from_bits(*value))?,
            _ => write!(out, "value {value}")?,
        }
        writeln!(out, " trace {trace:016x}")?;
    }
    Ok(())
}

fn list_rollup(rollup: &Rollup, out: &mut String) -> std::fmt::Result {
    let Rollup {
        first_chunk,
        last_chunk,
        chunks,
        rows,
        digest,
        series,
    } = rollup;
    writeln!(
        out,
        "  covers {chunks} chunks, {first_chunk} to {last_chunk}, {rows} rows, digest {digest:016x}"
    )?;
    for ((event, tag), summary) in series {
        write!(out, "  event {event} tag {tag} ")?;
        match summary {
            Summary::Distribution(all) => {
                writeln!(
                    out,
                    "count {} sum {} min {} max {}",
                    all.count, all.sum, all.min, all.max
                )?;
                for (bin, count) in &all.bins {
                    let (low, high) = bounds(*bin);
                    writeln!(out, "    bin {bin}, {low} to {high}: {count}")?;
                }
            }
            Summary::Counter(all) => writeln!(out, "{all:?}")?,
            Summary::Gauge(all) => writeln!(out, "{all:?}")?,
        }
    }
    Ok(())
}
