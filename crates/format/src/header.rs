//! The file header: who recorded, where, with which clock.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | magic `89 50 45 52 46 0D 0A 1A` |
//! | 8 | 2 | major version |
//! | 10 | 2 | minor version |
//! | 12 | 4 | `head_len`: bytes of the whole header with metadata and checksum |
//! | 16 | 16 | capture id |
//! | 32 | 8 | start of the capture, unix ns (i64) |
//! | 40 | 4 | part number |
//! | 44 | 4 | flags, 0 |
//! | 48 | 16 | reserved, 0 |
//! | 64 | … | metadata records |
//! | head_len − 4 | 4 | CRC-32C of all bytes before |

use crate::bytes::{Cursor, Put, patch_u32};
use crate::error::{FormatError, Result, check_sum, within};
use crate::limits;
use crate::metadata::{Record, cut, read_records, record};
use crate::{CaptureId, ClockSource};

/// First bytes of a capture. The high bit, the CR LF pair and the end-of-file
/// character catch transfers that are not binary, as in PNG.
pub const MAGIC: [u8; 8] = *b"\x89PERF\r\n\x1a";
/// The key of a label that says of a capture that it holds a sample of what its rollups count; its value says which.
pub const SAMPLING_LABEL: &str = "perf.sampling";
/// The key of a label that says of a part of a flight recorder why it was written.
pub const TRIGGER_LABEL: &str = "perf.trigger";
/// The key of a label that says when, in ns since 1970-01-01 UTC.
pub const TRIGGER_AT_LABEL: &str = "perf.trigger_at";
/// The key of a label that says how many triggers since the part before were not written, and what the last was.
pub const TRIGGERS_MORE_LABEL: &str = "perf.triggers_more";
/// The key of a label that says that a flight recorder recorded it, and how long its window is, in ns.
pub const FLIGHT_LABEL: &str = "perf.flight";
/// A reader refuses a file of a newer major version.
pub const VERSION_MAJOR: u16 = 1;
/// A newer minor version only adds what older readers may skip.
pub const VERSION_MINOR: u16 = 0;
/// Bytes before the metadata records.
pub(crate) const FILE_HEAD_FIXED_BYTES: usize = 64;

record! {
    /// Where and by whom the capture was recorded.
    pub struct Origin = 1 {
        /// Name of the host.
        pub host: String,
        /// Process id.
        pub pid: u32,
        /// The kernel's boot id. Equal boot ids and TSC: ticks compare directly.
        pub boot_id: String,
        /// Name of the program.
        pub command: String,
        /// The process's arena file, so that `recover` finds it; empty if none.
        pub arena: String,
    }
}

record! {
    /// The clock that gave the ticks.
    pub struct ClockDescriptor = 2 {
        /// Which clock.
        pub source: ClockSource,
        /// Why this clock was taken and not another.
        pub reason: String,
        /// Estimated rate, in Hz; anchors replace it.
        pub ticks_per_second: f64,
    }
}

record! {
    /// A key and a value that the program's owner gave to the capture.
    pub struct Label = 3 {
        /// The key.
        pub key: String,
        /// The value.
        pub value: String,
    }
}

/// The header of a capture file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileHeader {
    /// Names the capture, whatever its file is called.
    pub capture_id: CaptureId,
    /// When recording into this file began, in ns since 1970-01-01 UTC.
    pub start_unix_ns: i64,
    /// Number of this file among the parts of its capture, from 0; 0 if it is the only one.
    pub part: u32,
    /// Who recorded.
    pub origin: Origin,
    /// With which clock.
    pub clock: ClockDescriptor,
    /// Labels of the build or deployment, in the order given.
    pub labels: Vec<Label>,
    /// Metadata records that this version does not know, on reading.
    pub unknown_records: u64,
    /// Minor version of the file, on reading; written as [`VERSION_MINOR`].
    pub minor_version: u16,
}

impl FileHeader {
    /// Appends the header's bytes. Long texts are cut, labels beyond
    /// [`limits::MAX_LABELS`] dropped.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.put_u16(VERSION_MAJOR);
        out.put_u16(VERSION_MINOR);
        out.put_u32(0);
        out.extend_from_slice(&self.capture_id.0);
        out.put_i64(self.start_unix_ns);
        out.put_u32(self.part);
        out.extend_from_slice(&[0; 20]);
        self.encode_records(out);
        let head_len = out.len() - start + 4;
        patch_u32(out, start + 12, head_len as u32);
        let crc = crc32c::crc32c(&out[start..]);
        out.put_u32(crc);
    }

    fn encode_records(&self, out: &mut Vec<u8>) {
        let short = |text: &str, limit| cut(text, limit).to_owned();
        let Origin {
            host,
            pid,
            boot_id,
            command,
            arena,
        } = &self.origin;
        let origin = Origin {
            host: short(host, limits::MAX_NAME_BYTES),
            pid: *pid,
            boot_id: short(boot_id, limits::MAX_NAME_BYTES),
            command: short(command, limits::MAX_NAME_BYTES),
            arena: short(arena, limits::MAX_NAME_BYTES),
        };
        origin.put_record(out);
        let reason = short(&self.clock.reason, limits::MAX_NAME_BYTES);
        ClockDescriptor {
            reason,
            ..self.clock.clone()
        }
        .put_record(out);
        for label in self.labels.iter().take(limits::MAX_LABELS) {
            let key = short(&label.key, LABEL_BYTES);
            let value = short(&label.value, LABEL_BYTES);
            Label { key, value }.put_record(out);
        }
    }

    /// Reads the header at the start of `bytes`; returns it with its length.
    ///
    /// # Errors
    /// [`FormatError::Empty`], [`FormatError::NotACapture`] and
    /// [`FormatError::NewerVersion`] mean that this is no capture that can be
    /// read. Any other error means a damaged header: chunks may still follow.
    pub fn parse(bytes: &[u8]) -> Result<(FileHeader, usize)> {
        let head_len = FileHeader::peek_len(bytes)?;
        let mut cursor = Cursor::new(bytes, 0, "the file header");
        let head = cursor.take(head_len)?;
        let (summed, stored) = head.split_at(head_len - 4);
        let expected = Cursor::new(stored, 0, "the file header").u32()?;
        check_sum(0, "the file header", expected, summed)?;
        let mut fixed = Cursor::new(&summed[8..], 8, "the file header");
        let major = fixed.u16()?;
        let minor_version = fixed.u16()?;
        if major > VERSION_MAJOR {
            return Err(FormatError::NewerVersion {
                major,
                minor: minor_version,
                supported: VERSION_MAJOR,
            });
        }
        fixed.u32()?;
        let mut header = FileHeader {
            capture_id: CaptureId(fixed.bytes16()?),
            start_unix_ns: fixed.i64()?,
            part: fixed.u32()?,
            minor_version,
            ..FileHeader::default()
        };
        header.parse_records(&summed[FILE_HEAD_FIXED_BYTES..])?;
        Ok((header, head_len))
    }

    /// The header's length, from its first 16 bytes.
    pub(crate) fn peek_len(bytes: &[u8]) -> Result<usize> {
        if bytes.is_empty() {
            return Err(FormatError::Empty);
        }
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if *magic != MAGIC[..magic.len()] {
            return Err(FormatError::NotACapture {
                expected: MAGIC,
                got: magic.to_vec(),
            });
        }
        let mut cursor = Cursor::new(bytes, 0, "the file header");
        cursor.take(MAGIC.len())?;
        // The version is believed only once the checksum was found right: length and
        // checksum have these places in every version.
        cursor.u32()?;
        let head_len = within(
            12,
            "the length of the file header",
            cursor.u32()?.into(),
            limits::MAX_FILE_HEAD_BYTES,
        )?;
        if head_len < FILE_HEAD_FIXED_BYTES + 4 {
            return Err(FormatError::malformed(
                12,
                "the length of the file header",
                "at least 68",
                head_len,
            ));
        }
        Ok(head_len)
    }

    fn parse_records(&mut self, bytes: &[u8]) -> Result<()> {
        let offset = FILE_HEAD_FIXED_BYTES as u64;
        read_records(bytes, offset, &mut self.unknown_records, |record| {
            Ok(record.put_into(&mut self.origin)?
                || record.put_into(&mut self.clock)?
                || record.push_to(&mut self.labels, limits::MAX_LABELS)?)
        })
    }
}

/// Bytes of a label's key or value.
const LABEL_BYTES: usize = 1024;

// A header with every text at its limit stays below the header's own limit.
const _: () = assert!(
    limits::MAX_LABELS * (2 * LABEL_BYTES + 32) + 8 * limits::MAX_NAME_BYTES + 1024
        <= limits::MAX_FILE_HEAD_BYTES
);
