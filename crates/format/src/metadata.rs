//! Metadata records: `tag u16 · length u32 · payload`, the payload in bincode's
//! 1.x encoding (fixed-width little-endian numbers, u64 lengths), written and
//! read with `wincode`.
//!
//! A reader skips tags that it does not know, ignores bytes after the fields
//! that it knows, and takes the default for fields under `later` when an older
//! writer left them out. So a field can be added at the end of a record, under
//! `later`, without a new version.

use crate::bytes::{Cursor, Put};
use crate::error::{FormatError, Result, within};
use crate::limits;

/// A field of a record, in bincode's encoding.
pub(crate) trait Field: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the field off the front of `input`; `None` if it is not all there.
    fn take(input: &mut &[u8]) -> Option<Self>;
}

macro_rules! wincode_fields {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                wincode::serialize_into(out, self).expect("a vector takes every byte, and numbers have no limits");
            }
            fn take(input: &mut &[u8]) -> Option<Self> {
                wincode::deserialize_from(&mut *input).ok()
            }
        }
    )*};
}

wincode_fields!(u8, u16, u32, u64, i64, f64, [u8; 16]);

/// Text is cut to [`limits::MAX_RECORD_BYTES`] on writing, and read leniently:
/// bytes that are not UTF-8 become replacement characters, not an error.
impl Field for String {
    fn put(&self, out: &mut Vec<u8>) {
        // Half the record, so that one text never makes a record too long.
        let text = cut(self, limits::MAX_RECORD_BYTES / 2);
        wincode::serialize_into(out, text).expect("a text below wincode's limit of 4 MiB");
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        // The length is checked against what is there before anything is allocated.
        let declared: u64 = wincode::deserialize(input).ok()?;
        if declared > (input.len() as u64).checked_sub(8)? {
            return None;
        }
        let bytes: Vec<u8> = wincode::deserialize_from(&mut *input).ok()?;
        Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }
}

macro_rules! newtype_fields {
    ($($ty:ident),*) => {$(
        impl Field for crate::$ty {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn take(input: &mut &[u8]) -> Option<Self> {
                Field::take(input).map(crate::$ty)
            }
        }
    )*};
}

newtype_fields!(
    EventId,
    ThreadId,
    RingId,
    SegmentId,
    TraceId,
    LossCause,
    EventKind,
    ClockSource,
    CloseReason,
    WarningCode
);

/// The longest prefix of `text` of at most `limit` bytes that ends at a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// A record type: a struct whose fields are written one after another.
pub(crate) trait Record: Sized {
    const TAG: u16;
    fn put_fields(&self, out: &mut Vec<u8>);
    fn take_fields(input: &mut &[u8]) -> Option<Self>;

    /// Appends `tag · length · payload`.
    fn put_record(&self, out: &mut Vec<u8>) {
        out.put_u16(Self::TAG);
        let length_at = out.len();
        out.put_u32(0);
        self.put_fields(out);
        let length = out.len() - length_at - 4;
        crate::bytes::patch_u32(out, length_at, length as u32);
    }
}

/// Declares a record: its struct, its tag, its encoding. Fields under `later`
/// may be absent and are then their type's default.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident = $tag:literal {
            $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)*
            $(later { $($(#[$lmeta:meta])* pub $later:ident: $lty:ty,)* })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $ty,)*
            $($($(#[$lmeta])* pub $later: $lty,)*)?
        }

        $crate::metadata::record_fields! {
            $name = $tag { $($field,)* } later { $($($later,)*)? }
        }
    };
}
pub(crate) use record;

/// Makes a struct that is declared elsewhere a record.
macro_rules! record_fields {
    ($name:ident = $tag:literal { $($field:ident,)* } later { $($later:ident,)* }) => {
        impl $crate::metadata::Record for $name {
            const TAG: u16 = $tag;

            fn put_fields(&self, out: &mut Vec<u8>) {
                $($crate::metadata::Field::put(&self.$field, out);)*
                $($crate::metadata::Field::put(&self.$later, out);)*
            }

            fn take_fields(input: &mut &[u8]) -> Option<Self> {
                Some($name {
                    $($field: $crate::metadata::Field::take(input)?,)*
                    $($later: if input.is_empty() {
                        Default::default()
                    } else {
                        $crate::metadata::Field::take(input)?
                    },)*
                })
            }
        }
    };
}
pub(crate) use record_fields;

/// One framed record, not yet decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    pub(crate) tag: u16,
    pub(crate) payload: &'a [u8],
    /// File offset of the frame.
    pub(crate) offset: u64,
}

impl RawRecord<'_> {
    /// Decodes the payload.
    pub(crate) fn decode<R: Record>(&self) -> Result<R> {
        let mut input = self.payload;
        R::take_fields(&mut input).ok_or(FormatError::CutShort {
            offset: self.offset,
            what: "a metadata record",
            expected: self.payload.len() as u64 + 1,
            got: self.payload.len() as u64,
        })
    }

    /// Decodes the record into `slot` if it is an `R`; says whether it was.
    pub(crate) fn put_into<R: Record>(&self, slot: &mut R) -> Result<bool> {
        let is_one = self.tag == R::TAG;
        if is_one {
            *slot = self.decode()?;
        }
        Ok(is_one)
    }

    /// Appends the record to `list` if it is an `R` and `list` has fewer than
    /// `limit`; says whether it did.
    pub(crate) fn push_to<R: Record>(&self, list: &mut Vec<R>, limit: usize) -> Result<bool> {
        let is_one = self.tag == R::TAG && list.len() < limit;
        if is_one {
            list.push(self.decode()?);
        }
        Ok(is_one)
    }
}

/// Calls `take` with each record of `bytes`, which lie at `offset` in the file;
/// counts in `skipped` those for which it returns false.
///
/// # Errors
/// A frame that is cut short or above the limits, or what `take` returns.
pub(crate) fn read_records<'a>(
    bytes: &'a [u8],
    offset: u64,
    skipped: &mut u64,
    mut take: impl FnMut(RawRecord<'a>) -> Result<bool>,
) -> Result<()> {
    let mut cursor = Cursor::new(bytes, offset, "metadata records");
    let mut count = 0u64;
    while !cursor.is_empty() {
        count += 1;
        within(
            offset,
            "number of metadata records",
            count,
            limits::MAX_RECORDS,
        )?;
        let offset = cursor.offset();
        let tag = cursor.u16()?;
        let length = within(
            offset,
            "length of a metadata record",
            cursor.u32()?.into(),
            limits::MAX_RECORD_BYTES,
        )?;
        let payload = cursor.take(length)?;
        let record = RawRecord {
            tag,
            payload,
            offset,
        };
        *skipped += u64::from(!take(record)?);
    }
    Ok(())
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro makes public structs")]
mod tests;
