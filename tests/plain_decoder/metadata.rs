//! FORMAT.md, "Metadata records".

use super::numbers::{Bytes, Result};

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Header {
    pub(super) minor: u16,
    pub(super) capture_id: [u8; 16],
    pub(super) start_unix_ns: i64,
    pub(super) part: u32,
    pub(super) origin: Origin,
    pub(super) clock: Clock,
    pub(super) labels: Vec<(String, String)>,
    pub(super) unknown_records: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) pid: u32,
    pub(super) boot_id: String,
    pub(super) command: String,
    pub(super) arena: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Clock {
    pub(super) source: u16,
    pub(super) reason: String,
    pub(super) ticks_per_second: f64,
}

/// What the metadata chunks of a file hold, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metadata {
    pub(super) events: Vec<Event>,
    pub(super) threads: Vec<Thread>,
    pub(super) anchors: Vec<Anchor>,
    pub(super) self_costs: Vec<SelfCost>,
    pub(super) warnings: Vec<Warning>,
    pub(super) losses: Vec<Loss>,
    pub(super) open_spans: Vec<OpenSpan>,
    pub(super) close: Option<Close>,
    pub(super) unknown_records: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) id: u32,
    pub(super) kind: u8,
    pub(super) name: String,
    pub(super) unit: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) os_tid: u64,
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Anchor {
    pub(super) ticks: u64,
    pub(super) raw: i64,
    pub(super) realtime: i64,
    pub(super) uncertainty: u64,
    pub(super) segment: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SelfCost {
    /// From the start of the interval to the spool's high water, in FORMAT.md's order.
    pub(super) numbers: [u64; 10],
    pub(super) ns_per_record: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Warning {
    pub(super) code: u16,
    pub(super) ticks: u64,
    pub(super) message: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loss {
    pub(super) ring: u32,
    pub(super) thread: u32,
    pub(super) cause: u32,
    pub(super) count: u64,
    pub(super) from_ticks: u64,
    pub(super) to_ticks: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenSpan {
    pub(super) thread: u32,
    pub(super) event: u32,
    pub(super) start_ticks: u64,
    pub(super) trace: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Close {
    pub(super) reason: u16,
    pub(super) ticks: u64,
    pub(super) unix_ns: i64,
    pub(super) event_chunks: u64,
    pub(super) rows: u64,
    pub(super) lost: u64,
}

/// The next record: its tag and its payload.
fn next_record<'a>(bytes: &mut Bytes<'a>) -> Result<Option<(u16, Bytes<'a>)>> {
    if bytes.left.is_empty() {
        return Ok(None);
    }
    let tag = bytes.u16()?;
    let length = bytes.u32()?;
    if length > 1 << 20 {
        return Err(format!("a record of {length} bytes"));
    }
    Ok(Some((tag, Bytes::new(bytes.take(length as usize)?))))
}

/// Reads the file header from its capture id on.
pub(super) fn read_header(minor: u16, bytes: &[u8]) -> Result<Header> {
    let mut bytes = Bytes::new(bytes);
    let mut header = Header {
        minor,
        ..Header::default()
    };
    header.capture_id.copy_from_slice(bytes.take(16)?);
    header.start_unix_ns = bytes.i64()?;
    header.part = bytes.u32()?;
    bytes.take(20)?;
    while let Some((tag, mut payload)) = next_record(&mut bytes)? {
        match tag {
            1 => {
                header.origin = Origin {
                    host: payload.text()?,
                    pid: payload.u32()?,
                    boot_id: payload.text()?,
                    command: payload.text()?,
                    arena: payload.text()?,
                };
            }
            2 => {
                header.clock = Clock {
                    source: payload.u16()?,
                    reason: payload.text()?,
                    ticks_per_second: payload.f64()?,
                };
            }
            3 => header.labels.push((payload.text()?, payload.text()?)),
            _ => header.unknown_records += 1,
        }
    }
    Ok(header)
}

impl Metadata {
    /// Adds the records of a chunk of `kind`.
    pub(super) fn read(&mut self, kind: u16, records: &[u8]) -> Result<()> {
        let mut bytes = Bytes::new(records);
        while let Some((tag, mut payload)) = next_record(&mut bytes)? {
            self.read_record(kind, tag, &mut payload)?;
        }
        Ok(())
    }

    fn read_record(&mut self, kind: u16, tag: u16, record: &mut Bytes<'_>) -> Result<()> {
        match (kind, tag) {
            (2, 1) => self.events.push(Event {
                id: record.u32()?,
                kind: record.u8()?,
                name: record.text()?,
                unit: record.text()?,
            }),
            (2, 2) => self.threads.push(Thread {
                id: record.u32()?,
                os_tid: record.u64()?,
                name: record.text()?,
            }),
            (3, 1) => self.anchors.push(Anchor {
                ticks: record.u64()?,
                raw: record.i64()?,
                realtime: record.i64()?,
                uncertainty: record.u64()?,
                segment: record.u32()?,
            }),
            (4, 1) => {
                let mut numbers = [0; 10];
                for number in &mut numbers {
                    *number = record.u64()?;
                }
                let ns_per_record = if record.left.is_empty() {
                    0.0
                } else {
                    record.f64()?
                };
                self.self_costs.push(SelfCost {
                    numbers,
                    ns_per_record,
                });
            }
            (4, 2) => self.warnings.push(Warning {
                code: record.u16()?,
                ticks: record.u64()?,
                message: record.text()?,
            }),
            (4, 3) => self.losses.push(Loss {
                ring: record.u32()?,
                thread: record.u32()?,
                cause: record.u32()?,
                count: record.u64()?,
                from_ticks: record.u64()?,
                to_ticks: record.u64()?,
            }),
            (6, 1) => self.open_spans.push(OpenSpan {
                thread: record.u32()?,
                event: record.u32()?,
                start_ticks: record.u64()?,
                trace: record.u64()?,
            }),
            (7, 1) => {
                self.close = Some(Close {
                    reason: record.u16()?,
                    ticks: record.u64()?,
                    unix_ns: record.i64()?,
                    event_chunks: record.u64()?,
                    rows: record.u64()?,
                    lost: record.u64()?,
                });
            }
            _ => self.unknown_records += 1,
        }
        Ok(())
    }
}
