//! Values out of a fuzzer's bytes. When they run out, every value is 0.

/// Bytes, taken from the front.
pub(super) struct Feed<'a>(&'a [u8]);

impl<'a> Feed<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Feed(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number of any size, from one to nine bytes: the first says how many follow.
    pub(super) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let head = self.u8();
        let given = self.take(usize::from(head % 9));
        bytes[..given.len()].copy_from_slice(given);
        let value = u64::from_le_bytes(bytes);
        // The high bits of the first byte make the ends of the range cheap to reach.
        match head / 9 {
            28 => u64::MAX - value,
            27 => (i64::MIN as u64).wrapping_add(value),
            _ => value,
        }
    }
}
