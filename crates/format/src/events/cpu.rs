//! On which processor the thread of each range was last seen: a column that is there only if one was seen.

use super::{ChunkEncoder, EventsChunk};
use crate::chunk::{ChunkBuilder, ColumnId, encoding};
use crate::error::{FormatError, Result};
use crate::packed::{Modes, encode};

/// The column in the making: of each range 1 + the processor's number, 0 if it is not known. It ends with the last range of
/// which it is.
#[derive(Debug, Default)]
pub(super) struct CpuColumn(Vec<u64>);

impl CpuColumn {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn truncate(&mut self, ranges: usize) {
        self.0.truncate(ranges);
    }

    fn set(&mut self, range: usize, cpu: u32) {
        if self.0.len() <= range {
            self.0.resize(range + 1, 0);
        }
        self.0[range] = u64::from(cpu) + 1;
    }

    /// How many columns the chunk has of this, of so many ranges.
    pub(super) fn columns(&self, ranges: usize) -> usize {
        usize::from(self.0.iter().take(ranges).any(|cpu| *cpu > 0))
    }

    pub(super) fn encode(&mut self, ranges: usize, chunk: &mut ChunkBuilder<'_>) {
        if self.columns(ranges) > 0 {
            self.0.resize(ranges, 0);
            chunk.column(ColumnId::CPU, encoding::PACKED, |out| {
                encode(&self.0, Modes::Both, out);
            });
        }
    }
}

impl ChunkEncoder {
    /// Says on which processor the thread of the run that was begun last was last seen; nothing if no run is open.
    pub fn set_cpu(&mut self, cpu: u32) {
        if let Some(range) = self.open_range() {
            self.cpus.set(range, cpu);
        }
    }
}

impl EventsChunk<'_> {
    /// By range, the number of the processor that its thread was last seen on when the chunk was made, into `cpus` (cleared
    /// first); no entries if the chunk says it of none.
    ///
    /// # Errors
    /// A damaged column, and a number above [`u32::MAX`].
    pub fn cpus(&self, cpus: &mut Vec<Option<u32>>) -> Result<()> {
        cpus.clear();
        if !self.has_column(ColumnId::CPU) {
            return Ok(());
        }
        let mut numbers = Vec::new();
        self.unpack(ColumnId::CPU, self.ranges().len(), &mut numbers)?;
        for number in numbers {
            let cpu = match number.checked_sub(1).map(u32::try_from) {
                None => None,
                Some(Ok(cpu)) => Some(cpu),
                Some(Err(_)) => {
                    let (_, offset) = self.column(ColumnId::CPU)?;
                    let expected = format!("at most 1 + {}", u32::MAX);
                    let what = "the processor of a range";
                    return Err(FormatError::malformed(offset, what, expected, number));
                }
            };
            cpus.push(cpu);
        }
        Ok(())
    }
}
