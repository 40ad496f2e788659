//! The load of the sustained figures: 16 events over 4 threads, traces of 8 spans across 3 of them, random 64-bit ids.
//!
//! The spans are real guards around next to nothing, so their durations are what the clock shows. The generated load of
//! `perf_format::load`, with log-normal durations, is what file sizes and scans are measured on.

use perf_probe::{Event, TraceId, measure, trace};

perf_probe::events! {
    E0: span = "stage_0"; E1: span = "stage_1"; E2: span = "stage_2"; E3: span = "stage_3";
    E4: span = "stage_4"; E5: span = "stage_5"; E6: span = "stage_6"; E7: span = "stage_7";
    E8: span = "stage_8"; E9: span = "stage_9"; E10: span = "stage_10"; E11: span = "stage_11";
    E12: span = "stage_12"; E13: span = "stage_13"; E14: span = "stage_14"; E15: span = "stage_15";
}

const EVENTS: [Event; 16] = [
    E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13, E14, E15,
];

pub(crate) const THREADS: usize = 4;

/// One thread's share of the load.
pub(crate) struct Load {
    thread: usize,
    trace: u64,
}

impl Load {
    pub(crate) fn new(thread: usize) -> Self {
        Self { thread, trace: 0 }
    }

    /// Records this thread's spans of the next traces: each has 8 spans, on three of the four threads.
    /// Returns how many were recorded.
    #[inline]
    pub(crate) fn some_spans(&mut self) -> u64 {
        let number = self.trace;
        self.trace += 1;
        // The thread that a trace leaves out changes from trace to trace; 3 + 3 + 2 spans on the others.
        let place = (self.thread + number as usize) % THREADS;
        let spans = [3, 3, 2, 0][place];
        if spans == 0 {
            return 0;
        }
        let _trace = trace::enter(TraceId::from_raw(splitmix(number)));
        for span in 0..spans {
            let _guard =
                measure!(EVENTS[(place * 3 + span + number as usize % 2 * 8) % EVENTS.len()]);
        }
        spans as u64
    }
}

/// Random-looking 64-bit ids, the same on every thread (Steele et al., SplitMix64).
fn splitmix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) | 1
}
