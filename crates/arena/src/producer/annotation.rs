//! Annotations: a head record and the slots that hold the key and a string value, published together.

use super::Producer;
use crate::error::Rejected;
use crate::record::{RECORD_BYTES, TRUNCATED, tag, word3};

/// Bytes of key and string value that an annotation keeps; the value is cut, at a character, to what the key leaves.
/// With its head it then fills a quarter of the smallest ring, the most that overwrite mode can publish at once.
pub const MAX_ANNOTATION_BYTES: usize = 127 * RECORD_BYTES;

/// Bytes of a key that are kept.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// What an annotation says about its trace.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AnnotationValue<'a> {
    /// A string.
    Str(&'a str),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
}

impl Producer {
    /// Publishes an annotation of `trace`.
    ///
    /// # Errors
    /// As [`push`](Self::push); [`Rejected::TooLarge`] when the ring could not hold it even if it were empty.
    pub fn push_annotation(
        &self,
        ticks: u64,
        trace: u64,
        key: &str,
        value: AnnotationValue<'_>,
    ) -> Result<(), Rejected> {
        let whole_key = key;
        let key = cut(key, MAX_KEY_BYTES);
        let (code, word, text, whole) = match value {
            AnnotationValue::Int(value) => (tag::ANNOTATION_INT, value.cast_unsigned(), "", ""),
            AnnotationValue::Float(value) => (tag::ANNOTATION_FLOAT, value.to_bits(), "", ""),
            AnnotationValue::Str(whole) => {
                let text = cut(whole, MAX_ANNOTATION_BYTES - key.len());
                (tag::ANNOTATION_STR, text.len() as u64, text, whole)
            }
        };
        let payload = (key.len() + text.len()).div_ceil(RECORD_BYTES);
        let mut word3 = word3(key.len() as u32, code, payload as u32);
        if text.len() < whole.len() || key.len() < whole_key.len() {
            word3 |= TRUNCATED;
        }
        let slots = 1 + payload as u64;
        let head = self.claim_many(ticks, slots)?;
        self.write(head, [ticks, word, trace, word3]);
        for index in 0..payload {
            let words = payload_words(key.as_bytes(), text.as_bytes(), index * RECORD_BYTES);
            self.write(head.wrapping_add(1 + index as u64), words);
        }
        // As if the payload came first: they are published together, and so it adjoins what made room for them.
        self.note_extras(head, payload as u64);
        self.publish(head, slots);
        Ok(())
    }

    /// As `claim`, for several slots.
    fn claim_many(&self, ticks: u64, slots: u64) -> Result<u64, Rejected> {
        let head = self.claim(ticks)?;
        let room = self.limit.get().wrapping_sub(head);
        if room.cast_signed() >= slots.cast_signed() {
            return Ok(head);
        }
        self.make_room(slots, ticks)
    }
}

/// `text`, cut at a character to at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The four words of the payload slot that begins at byte `from` of key and text, zero-padded.
fn payload_words(key: &[u8], text: &[u8], from: usize) -> [u64; 4] {
    let mut bytes = [0; RECORD_BYTES];
    for (at, byte) in (from..).zip(&mut bytes) {
        let found = match at.checked_sub(key.len()) {
            None => key.get(at),
            Some(at) => text.get(at),
        };
        *byte = found.copied().unwrap_or(0);
    }
    core::array::from_fn(|word| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[word * 8..word * 8 + 8]);
        u64::from_le_bytes(eight)
    })
}
