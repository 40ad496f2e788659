//! How often each annotation goes with which end-to-end time.

use std::collections::HashMap;

use perf_format::AnnotationValue;

use super::hash::NumberMap;

/// Values of one key that are told apart in one flow. A key with more, such as an order's number, tells nothing of the tail.
pub const MAX_VALUES: usize = 512;
/// Keys that are told apart in one flow.
pub const MAX_KEYS: usize = 64;

/// Counts by bin.
pub(crate) type ByBin = NumberMap<u32, u64>;

/// Counts by value.
pub(crate) type Values = HashMap<Box<[u8]>, ByBin>;

/// Annotations of one flow. What is kept does not depend on the order in which traces come: a key is given up when it
/// has too many values, all keys when there are too many of them.
#[derive(Debug, Default)]
pub(crate) struct NoteCounts {
    /// By key: counts by value; absent when there were too many.
    pub(crate) keys: HashMap<Box<[u8]>, Option<Values>>,
    pub(crate) too_many_keys: bool,
}

impl NoteCounts {
    /// Adds one trace that has `key` with `value`.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8], bin: u32) {
        if self.too_many_keys {
            return;
        }
        if !self.keys.contains_key(key) {
            self.keys.insert(key.into(), Some(HashMap::new()));
            self.check_keys();
        }
        let Some(slot) = self.keys.get_mut(key) else {
            return;
        };
        let Some(values) = slot else { return };
        if let Some(bins) = values.get_mut(value) {
            *bins.entry(bin).or_default() += 1;
        } else if values.len() >= MAX_VALUES {
            *slot = None;
        } else {
            let bins = ByBin::from_iter([(bin, 1)]);
            values.insert(value.into(), bins);
        }
    }

    fn check_keys(&mut self) {
        if self.keys.len() > MAX_KEYS {
            self.too_many_keys = true;
            self.keys = HashMap::new();
        }
    }

    pub(crate) fn merge(&mut self, other: NoteCounts) {
        self.too_many_keys |= other.too_many_keys;
        if self.too_many_keys {
            self.keys = HashMap::new();
            return;
        }
        for (key, values) in other.keys {
            let mine = self.keys.entry(key).or_insert_with(|| Some(HashMap::new()));
            let (Some(counts), Some(values)) = (mine.as_mut(), values) else {
                *mine = None;
                continue;
            };
            for (value, bins) in values {
                let sums = counts.entry(value).or_default();
                for (bin, count) in bins {
                    *sums.entry(bin).or_default() += count;
                }
            }
            if counts.len() > MAX_VALUES {
                *mine = None;
            }
        }
        self.check_keys();
    }
}

/// A value as bytes that tell values apart.
pub(crate) fn encode(value: AnnotationValue<'_>, out: &mut Vec<u8>) {
    out.clear();
    match value {
        AnnotationValue::Str(text) => {
            out.push(b's');
            out.extend_from_slice(text);
        }
        AnnotationValue::Int(value) => {
            out.push(b'i');
            out.extend_from_slice(&value.to_le_bytes());
        }
        AnnotationValue::Float(value) => {
            out.push(b'f');
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

/// An encoded value as text.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or(0);
    match bytes.split_first() {
        Some((b'i', rest)) => (number(rest) as i64).to_string(),
        Some((b'f', rest)) => f64::from_bits(number(rest)).to_string(),
        Some((_, rest)) => String::from_utf8_lossy(rest).into_owned(),
        None => String::new(),
    }
}
