//! The table at the end of a compressed part, which says of what frames it is made. FORMAT.md has the bytes.

/// First bytes of a zstd frame.
pub const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// First word of the table: a skippable frame.
const SKIPPABLE: u32 = 0x184D_2A5E;
/// Last word of the table.
const SEEKABLE: u32 = 0x8F92_EAB1;
const HEAD_BYTES: usize = 8;
const ENTRY_BYTES: usize = 8;
/// What the descriptor says of the entries: whether each has a checksum behind it.
const HAS_CHECKSUMS: u8 = 0x80;
const CHECKSUM_BYTES: usize = 4;

/// One frame of a compressed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeekEntry {
    /// Bytes of it as it is stored.
    pub stored_bytes: u32,
    /// Bytes of the part that it holds.
    pub content_bytes: u32,
}

/// The table of these frames, to be written behind them.
pub fn encode_seek_table(frames: &[SeekEntry]) -> Vec<u8> {
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    let follow = frames.len() * ENTRY_BYTES + SeekFooter::BYTES;
    let follow = u32::try_from(follow).unwrap_or(u32::MAX);
    let entries = frames
        .iter()
        .flat_map(|frame| [frame.stored_bytes, frame.content_bytes]);
    let words = [SKIPPABLE, follow].into_iter().chain(entries);
    let mut table: Vec<u8> = words.chain([count]).flat_map(u32::to_le_bytes).collect();
    // No checksums here: each frame has its own.
    table.push(0);
    table.extend(SEEKABLE.to_le_bytes());
    table
}

/// The end of the table, and of the file: from it a reader finds the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeekFooter {
    /// How many frames there are.
    pub frames: u32,
    has_checksums: bool,
}

impl SeekFooter {
    /// Bytes of a footer.
    pub const BYTES: usize = 9;

    /// Reads the last bytes of a file; `None` if they are no footer.
    pub fn parse(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let [n0, n1, n2, n3, descriptor, mark @ ..] = bytes;
        (u32::from_le_bytes(mark) == SEEKABLE).then(|| Self {
            frames: u32::from_le_bytes([n0, n1, n2, n3]),
            has_checksums: descriptor & HAS_CHECKSUMS != 0,
        })
    }

    fn entry_bytes(self) -> usize {
        match self.has_checksums {
            true => ENTRY_BYTES + CHECKSUM_BYTES,
            false => ENTRY_BYTES,
        }
    }

    /// Bytes of the whole table, this footer included.
    pub fn table_bytes(self) -> u64 {
        u64::from(self.frames) * self.entry_bytes() as u64 + (HEAD_BYTES + Self::BYTES) as u64
    }

    /// The frames that a whole table tells of; `None` if it is damaged.
    pub fn entries(self, table: &[u8]) -> Option<Vec<SeekEntry>> {
        let (head, rest) = table.split_first_chunk::<HEAD_BYTES>()?;
        let entries = rest.get(..rest.len().checked_sub(Self::BYTES)?)?;
        let (mark, follow) = (word(head, 0)?, word(head, 4)?);
        let is_whole = mark == SKIPPABLE
            && follow as usize == rest.len()
            && table.len() as u64 == self.table_bytes();
        if !is_whole {
            return None;
        }
        let entries = entries.chunks_exact(self.entry_bytes());
        entries
            .map(|entry| {
                Some(SeekEntry {
                    stored_bytes: word(entry, 0)?,
                    content_bytes: word(entry, 4)?,
                })
            })
            .collect()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let frames: Vec<SeekEntry> = (0..5)
            .map(|number| SeekEntry {
                stored_bytes: number * 7 + 1,
                content_bytes: number * 1000,
            })
            .collect();
        let table = encode_seek_table(&frames);
        let footer = SeekFooter::parse(*table.last_chunk().unwrap()).unwrap();
        assert_eq!(footer.frames, 5);
        assert_eq!(footer.table_bytes(), table.len() as u64);
        assert_eq!(footer.entries(&table), Some(frames));
        for len in 0..table.len() {
            assert_eq!(footer.entries(&table[..len]), None, "{len} bytes");
        }
        assert_eq!(SeekFooter::parse([0; SeekFooter::BYTES]), None);
    }

    #[test]
    fn checksums_of_others_are_passed_over() {
        let mut table = Vec::new();
        for word in [SKIPPABLE, 2 * 12 + 9, 10, 100, 1, 20, 200, 2, 2] {
            table.extend(u32::to_le_bytes(word));
        }
        table.push(HAS_CHECKSUMS);
        table.extend(SEEKABLE.to_le_bytes());
        let footer = SeekFooter::parse(*table.last_chunk().unwrap()).unwrap();
        let read = footer.entries(&table).unwrap();
        let read: Vec<(u32, u32)> = read
            .iter()
            .map(|entry| (entry.stored_bytes, entry.content_bytes))
            .collect();
        assert_eq!(read, [(10, 100), (20, 200)]);
    }
}
