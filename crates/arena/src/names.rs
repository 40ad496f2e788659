//! The event-name table: what events are called, so that records of a crash can be told apart.
//!
//! Entries are appended and never changed:
//!
//! | offset | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | bytes of the entry, a multiple of 8 |
//! | 4 | 4 | event id |
//! | 8 | 1 | kind, the recorder's code |
//! | 9 | 1 | reserved, 0 |
//! | 10 | 2 | bytes of the unit |
//! | 12 | 4 | bytes of the name |
//! | 16 | … | name, then unit, UTF-8, zero-padded |

/// Bytes of an event's name that the table takes.
pub const MAX_EVENT_NAME_BYTES: usize = 4096;
/// Bytes of an event's unit that the table takes.
pub const MAX_UNIT_BYTES: usize = 255;
/// Bytes of an entry before the name.
pub(crate) const ENTRY_HEAD_BYTES: usize = 16;

/// An entry of the event-name table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventEntry {
    /// The event's id in the records of this arena.
    pub id: u32,
    /// Its kind, in the recorder's code.
    pub kind: u8,
    /// Its name.
    pub name: String,
    /// The unit of its values.
    pub unit: String,
}

impl EventEntry {
    /// The entry's bytes.
    pub(crate) fn encode(id: u32, kind: u8, name: &str, unit: &str) -> Vec<u8> {
        let bytes = (ENTRY_HEAD_BYTES + name.len() + unit.len()).next_multiple_of(8);
        let mut entry = Vec::with_capacity(bytes);
        entry.extend((bytes as u32).to_le_bytes());
        entry.extend(id.to_le_bytes());
        entry.extend([kind, 0]);
        entry.extend((unit.len() as u16).to_le_bytes());
        entry.extend((name.len() as u32).to_le_bytes());
        entry.extend(name.as_bytes());
        entry.extend(unit.as_bytes());
        entry.resize(bytes, 0);
        entry
    }

    /// The first entry of `bytes`, and how many of them it takes. `None` if they do not begin with a whole entry that makes
    /// sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (head, _) = bytes.split_at_checked(ENTRY_HEAD_BYTES)?;
        let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let taken = word(0)? as usize;
        let unit_bytes = usize::from(u16::from_le_bytes([head[10], head[11]]));
        let name_bytes = word(12)? as usize;
        let name_end = ENTRY_HEAD_BYTES.checked_add(name_bytes)?;
        let unit_end = name_end.checked_add(unit_bytes)?;
        if unit_end.checked_next_multiple_of(8)? != taken {
            return None;
        }
        let text = |range| Some(String::from_utf8_lossy(bytes.get(range)?).into_owned());
        let entry = Self {
            id: word(4)?,
            kind: head[8],
            name: text(ENTRY_HEAD_BYTES..name_end)?,
            unit: text(name_end..unit_end)?,
        };
        bytes.get(..taken)?;
        Some((entry, taken))
    }
}
