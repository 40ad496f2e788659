//! FORMAT.md, "Conventions" and "Packed blocks".

/// What is wrong with bytes, in words.
pub(super) type Result<T> = std::result::Result<T, String>;

/// The checksum, bit by bit.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = 0xFFFF_FFFF_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0x82F6_3B78;
            }
        }
    }
    crc ^ 0xFFFF_FFFF
}

/// Bytes that are read from front to back.
pub(super) struct Bytes<'a> {
    pub(super) left: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes { left: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.left.len() {
            return Err(format!("{count} bytes wanted, {} left", self.left.len()));
        }
        let (taken, left) = self.left.split_at(count);
        self.left = left;
        Ok(taken)
    }

    /// A little-endian number of `size` bytes.
    fn number(&mut self, size: usize) -> Result<u128> {
        let mut number = 0;
        for (place, byte) in self.take(size)?.iter().enumerate() {
            number += u128::from(*byte) << (8 * place);
        }
        Ok(number)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(self.number(8)? as u64)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        Ok(self.u64()? as i64)
    }

    pub(super) fn u128(&mut self) -> Result<u128> {
        self.number(16)
    }

    pub(super) fn i128(&mut self) -> Result<i128> {
        Ok(self.u128()? as i128)
    }

    pub(super) fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// Text of a metadata record.
    pub(super) fn text(&mut self) -> Result<String> {
        let length = self.u64()?;
        let length = usize::try_from(length).map_err(|_| format!("a text of {length} bytes"))?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A varint.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut zigzagged = 0_u64;
        for place in 0..10 {
            let byte = self.u8()?;
            for bit in 0..7 {
                let at = 7 * place + bit;
                if at < 64 && byte >> bit & 1 == 1 {
                    zigzagged |= 1 << at;
                }
            }
            if byte < 128 {
                let half = zigzagged / 2;
                return Ok(if zigzagged.is_multiple_of(2) {
                    half
                } else {
                    !half
                });
            }
        }
        Err("a varint of more than ten bytes".to_owned())
    }

    /// Packed blocks with `count` values in all.
    pub(super) fn packed(&mut self, count: usize) -> Result<Vec<u64>> {
        let mut values = Vec::new();
        while values.len() < count {
            let here = (count - values.len()).min(128);
            let head = self.u8()?;
            let (is_delta, width) = (head >= 128, usize::from(head % 128));
            if width > 64 {
                return Err(format!("items of {width} bits"));
            }
            let first = if is_delta { self.varint()? } else { 0 };
            let base = self.varint()?;
            let bytes = self.take((here * width).div_ceil(8))?;
            let mut value = first;
            for index in 0..here {
                let item = item(bytes, width, index);
                if !is_delta {
                    value = base.wrapping_add(item);
                } else if index > 0 {
                    value = value.wrapping_add(base).wrapping_add(item);
                }
                values.push(value);
            }
        }
        Ok(values)
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(format!("{} bytes left over", self.left.len()))
    }
}

fn item(bytes: &[u8], width: usize, index: usize) -> u64 {
    let mut item = 0;
    for bit in 0..width {
        let place = index * width + bit;
        if bytes[place / 8] >> (place % 8) & 1 == 1 {
            item |= 1 << bit;
        }
    }
    item
}

/// MurmurHash3's finalizer, `mix` in FORMAT.md.
pub(super) fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ hash >> 33
}

/// The trace id of a key.
pub(super) fn from_key(key: &str, time: i64) -> u64 {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0xFF);
    bytes.extend(time.to_le_bytes());
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in bytes {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x100_0000_01B3);
    }
    match mix(hash) {
        0 => 1,
        id => id,
    }
}
