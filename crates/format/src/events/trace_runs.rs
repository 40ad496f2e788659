//! Runs of rows of one trace, packed as rows are pushed.

use super::dictionary::Dictionary;
use crate::packed::{BLOCK, Block, Modes, encode_block};

/// Runs that are looked up and packed at once.
pub(super) const BATCH: usize = 4 * BLOCK;
/// Room for a batch, and a block of rows before it is noticed, each with a trace of its own.
const ROOM: usize = BATCH + BLOCK + 1;

/// Which rows belong to which trace. Rows of one trace often follow one another:
/// looked up, and stored, is one number a run instead of one a row.
#[derive(Debug)]
pub(super) struct TraceRuns {
    /// By run that is not packed yet: the trace, and the row after its last one.
    traces: Box<[u64; ROOM]>,
    ends: Box<[u32; ROOM]>,
    /// The run of the last row.
    last: usize,
    /// The row after the last run that is packed.
    packed_rows: u32,
    packed_runs: usize,
    /// The chunk's traces; 0, for none, has number 0.
    dictionary: Dictionary,
    numbers: Vec<u8>,
    lengths: Vec<u8>,
}

impl TraceRuns {
    pub(super) fn new() -> Self {
        let mut runs = TraceRuns {
            traces: Box::new([0; ROOM]),
            ends: Box::new([0; ROOM]),
            last: 0,
            packed_rows: 0,
            packed_runs: 0,
            dictionary: Dictionary::new(),
            numbers: Vec::new(),
            lengths: Vec::new(),
        };
        runs.clear();
        runs
    }

    pub(super) fn clear(&mut self) {
        self.last = 0;
        self.traces[0] = 0;
        self.ends[0] = 0;
        self.packed_rows = 0;
        self.packed_runs = 0;
        self.dictionary.clear();
        self.dictionary.intern(0);
        self.numbers.clear();
        self.lengths.clear();
    }

    /// Notes the traces of the rows from `row` on, which follow the last. No more than
    /// [`BLOCK`] before the next [`TraceRuns::pack`].
    ///
    /// Without a branch on the ids, which come in no order that could be foretold.
    #[inline(always)]
    pub(super) fn push_all(&mut self, row: usize, traces: impl Iterator<Item = u64>) {
        let mut last = self.last;
        let mut before = self.traces[last];
        for (row, trace) in (row as u32 + 1..).zip(traces) {
            last += usize::from(trace != before);
            before = trace;
            self.traces[last] = trace;
            self.ends[last] = row;
        }
        self.last = last;
    }

    /// Packs runs that cannot grow any more, if there are many.
    #[inline]
    pub(super) fn pack(&mut self) {
        if self.last >= BATCH {
            self.skip_empty();
            self.pack_first(self.last / BLOCK * BLOCK);
        }
    }

    /// Packs the rest.
    pub(super) fn finish(&mut self) {
        self.skip_empty();
        let is_untraced = self.packed_runs == 0 && self.last == 0 && self.traces[0] == 0;
        if !is_untraced {
            self.pack_first(self.last + 1);
            self.last = 0;
        }
    }

    /// Drops the run without a trace with which every chunk begins, if it stayed empty.
    fn skip_empty(&mut self) {
        if self.ends[0] == 0 && self.last > 0 {
            self.drop_first(1);
        }
    }

    fn drop_first(&mut self, runs: usize) {
        self.traces.copy_within(runs..=self.last, 0);
        self.ends.copy_within(runs..=self.last, 0);
        self.last -= runs;
    }

    fn pack_first(&mut self, runs: usize) {
        let mut indexes = [0; ROOM];
        self.dictionary
            .intern_all(&self.traces[..runs], &mut indexes[..runs]);
        let (mut numbers, mut lengths): (Block, Block) = ([0; BLOCK], [0; BLOCK]);
        for (indexes, ends) in indexes[..runs]
            .chunks(BLOCK)
            .zip(self.ends[..runs].chunks(BLOCK))
        {
            for (number, &index) in numbers.iter_mut().zip(indexes) {
                *number = index.into();
            }
            for (length, &end) in lengths.iter_mut().zip(ends) {
                *length = (end - self.packed_rows).into();
                self.packed_rows = end;
            }
            encode_block(&numbers[..ends.len()], Modes::Both, &mut self.numbers);
            encode_block(&lengths[..ends.len()], Modes::Plain, &mut self.lengths);
        }
        self.packed_runs += runs;
        if runs <= self.last {
            self.drop_first(runs);
        }
    }

    /// Runs, once finished; 0 if no row has a trace.
    pub(super) fn len(&self) -> usize {
        self.packed_runs
    }

    /// Packed numbers of the traces, run by run.
    pub(super) fn numbers(&self) -> &[u8] {
        &self.numbers
    }

    /// Packed numbers of rows, run by run.
    pub(super) fn lengths(&self) -> &[u8] {
        &self.lengths
    }

    /// The distinct traces; the first has number 1.
    pub(super) fn ids(&self) -> &[u64] {
        &self.dictionary.keys()[1..]
    }
}
