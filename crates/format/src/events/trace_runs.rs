//! Runs of rows of one trace, collected as rows are pushed.

use std::ops::Range;

use super::dictionary::Dictionary;
use crate::limits;

/// Room for a new run with every row, after an empty one without a trace.
const ROOM: usize = limits::MAX_CHUNK_ROWS + 1;
/// Runs looked up at once.
const BATCH: usize = 256;

/// Which rows belong to which trace. Rows of one trace often follow one another:
/// looked up, and stored, is one number a run instead of one a row.
#[derive(Debug)]
pub(super) struct TraceRuns {
    /// By run, as pushed: the trace, and the row after its last one.
    traces: Box<[u64; ROOM]>,
    ends: Box<[u32; ROOM]>,
    /// The run of the last row.
    last: usize,
    /// The chunk's traces; 0, for none, has number 0.
    dictionary: Dictionary,
    /// In the order of the file, once ordered: number in the dictionary, and rows.
    numbers: Vec<u64>,
    lengths: Vec<u64>,
}

impl TraceRuns {
    pub(super) fn new() -> Self {
        let boxed = "the length is that of the type";
        let mut runs = TraceRuns {
            traces: vec![0; ROOM].into_boxed_slice().try_into().expect(boxed),
            ends: vec![0; ROOM].into_boxed_slice().try_into().expect(boxed),
            last: 0,
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
        self.dictionary.clear();
        self.dictionary.intern(0);
        self.numbers.clear();
        self.lengths.clear();
    }

    /// Notes that row `row`, the one after the last, belongs to `trace`.
    ///
    /// Without a branch on the ids, which come in no order that could be foretold.
    #[inline]
    pub(super) fn push(&mut self, row: usize, trace: u64) {
        let last = self.last + usize::from(trace != self.traces[self.last]);
        self.traces[last] = trace;
        self.ends[last] = row as u32 + 1;
        self.last = last;
    }

    /// Looks the traces up and puts the runs in the order in which `stretches` of
    /// rows come in the file.
    pub(super) fn order(&mut self, stretches: impl Iterator<Item = Range<usize>>) {
        if self.last == 0 && self.traces[0] == 0 {
            return;
        }
        let traces = &self.traces[..=self.last];
        let mut indexes = vec![0; traces.len()];
        for (traces, indexes) in traces.chunks(BATCH).zip(indexes.chunks_mut(BATCH)) {
            self.dictionary.intern_all(traces, indexes);
        }
        let ends = &self.ends[..=self.last];
        let mut next = 0;
        for rows in stretches {
            let mut start = rows.start;
            // Stretches mostly come as they were pushed; else look for the first run.
            let follows = next > 0 && ends[next - 1] as usize == start;
            let first = if follows {
                next
            } else {
                ends.partition_point(|&end| end as usize <= start)
            };
            next = first;
            while start < rows.end {
                let end = (ends[next] as usize).min(rows.end);
                self.numbers.push(indexes[next].into());
                self.lengths.push((end - start) as u64);
                next += usize::from(end == ends[next] as usize);
                start = end;
            }
        }
    }

    /// Numbers of the traces, run by run; empty if no row has a trace.
    pub(super) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Rows, run by run.
    pub(super) fn lengths(&self) -> &[u64] {
        &self.lengths
    }

    /// The distinct traces; the first has number 1.
    pub(super) fn ids(&self) -> &[u64] {
        &self.dictionary.keys()[1..]
    }
}
