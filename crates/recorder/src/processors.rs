//! On which processor each thread runs, as the kernel tells: looked up by the drainer when it cuts a chunk, so that no recording
//! thread has anything to do with it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// Threads that one chunk has looked up at most, those with the oldest look first: a look takes the drainer some 15 µs.
const LOOKS_A_CHUNK: usize = 64;
/// For so long a look holds. It also keeps a drainer that cuts hundreds of chunks a second from looking each time.
const HOLDS: Duration = Duration::from_secs(1);
/// The place of the processor in `/proc/PID/stat`, counted from the field behind the name, which is the third.
const PROCESSOR: usize = 39 - 3;

/// A thread and the last look at it.
#[derive(Debug)]
struct Seen {
    os_tid: u32,
    cpu: Option<u32>,
    /// Since the drainer's start; `None` before the first look.
    at: Option<Duration>,
}

impl Seen {
    fn is_fresh(&self, now: Duration) -> bool {
        self.at.is_some_and(|at| now.saturating_sub(at) < HOLDS)
    }
}

/// What is known of the threads of a capture.
#[derive(Debug, Default)]
pub(crate) struct Processors {
    threads: HashMap<u32, Seen>,
    /// To be looked at for the present chunk.
    stale: Vec<(Option<Duration>, u32)>,
}

impl Processors {
    /// A thread is new: its number in the capture, and the kernel's.
    pub(crate) fn meet(&mut self, thread: u32, os_tid: u32) {
        let (cpu, at) = (None, None);
        self.threads.insert(thread, Seen { os_tid, cpu, at });
    }

    /// Forgets the threads that are gone.
    pub(crate) fn retain(&mut self, is_living: impl Fn(u32) -> bool) {
        self.threads.retain(|thread, _| is_living(*thread));
    }

    /// Looks where these threads run, as far as that is not known from a moment ago.
    pub(crate) fn look(&mut self, threads: impl Iterator<Item = u32>, now: Duration) {
        self.look_with(threads, now, processor_of);
    }

    fn look_with(
        &mut self,
        threads: impl Iterator<Item = u32>,
        now: Duration,
        processor_of: impl Fn(u32) -> Option<u32>,
    ) {
        self.stale.clear();
        for thread in threads {
            match self.threads.get(&thread) {
                Some(seen) if !seen.is_fresh(now) => self.stale.push((seen.at, thread)),
                _ => {}
            }
        }
        self.stale.sort_unstable();
        self.stale.dedup();
        for (_, thread) in self.stale.drain(..).take(LOOKS_A_CHUNK) {
            if let Some(seen) = self.threads.get_mut(&thread) {
                seen.at = Some(now);
                seen.cpu = processor_of(seen.os_tid);
            }
        }
    }

    /// Where the thread ran a moment ago, if that is known.
    pub(crate) fn of(&self, thread: u32, now: Duration) -> Option<u32> {
        let seen = self.threads.get(&thread)?;
        seen.cpu.filter(|_| seen.is_fresh(now))
    }
}

/// The processor that a thread of this process is on, or was on last; `None` once it has ended.
fn processor_of(os_tid: u32) -> Option<u32> {
    // A line of at most some 400 bytes.
    let mut line = [0; 1024];
    let mut file = File::open(format!("/proc/self/task/{os_tid}/stat")).ok()?;
    let length = file.read(&mut line).ok()?;
    processor_in(&line[..length])
}

/// The thread's name, the second field, is in parentheses and may hold anything, parentheses too.
fn processor_in(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(PROCESSOR)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_processor_is_found_whatever_the_thread_is_called() {
        let stat = b"77 (a) 9 ) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 17 5 42";
        // The fields 4, 5 … are 1, 2 …: the 38th is 35, which stands as 17 here, and the 39th 5.
        assert_eq!(processor_in(stat), Some(5));
        assert_eq!(processor_in(b"77 (short) R 1 2"), None);
        assert_eq!(processor_in(b""), None);
    }

    #[test]
    fn this_thread_runs_somewhere() {
        let own = std::fs::read_link("/proc/thread-self").expect("a link");
        let tid = own.file_name().and_then(|tid| tid.to_str()?.parse().ok());
        let cpu = processor_of(tid.expect("a number")).expect("a processor");
        let there = std::fs::read_to_string("/sys/devices/system/cpu/possible");
        let last = there.ok().and_then(|text| {
            let last = text.trim().rsplit(['-', ',']).next()?;
            last.parse::<u32>().ok()
        });
        assert!(last.is_none_or(|last| cpu <= last), "{cpu} of {last:?}");
        assert_eq!(processor_of(u32::MAX), None);
    }

    #[test]
    fn many_threads_are_looked_at_in_turn_and_no_look_is_taken_for_a_fresh_one() {
        const THREADS: u32 = 150;
        let mut processors = Processors::default();
        (0..THREADS).for_each(|thread| processors.meet(thread, 1_000 + thread));
        let looked = RefCell::new(Vec::new());
        let mut look = |at_ms: u64| {
            let now = Duration::from_millis(at_ms);
            // Each thread has several blocks in a chunk.
            let threads = (0..THREADS).chain(0..THREADS);
            processors.look_with(threads, now, |os_tid| {
                looked.borrow_mut().push(os_tid);
                Some(os_tid - 1_000)
            });
            let known = (0..THREADS).filter(|thread| {
                let cpu = processors.of(*thread, now);
                assert!(cpu.is_none_or(|cpu| cpu == *thread));
                cpu.is_some()
            });
            (known.count(), looked.borrow_mut().split_off(0))
        };
        let (known, first) = look(0);
        assert_eq!((known, first.len()), (64, 64));
        // Soon after, those that no look was taken at; what was seen still holds.
        assert_eq!(look(100).0, 128);
        let (known, third) = look(200);
        assert_eq!((known, third.len()), (150, 22));
        assert_eq!(look(300), (150, Vec::new()));
        // Much later, the oldest looks are renewed first.
        let (known, again) = look(5_000);
        assert_eq!((known, again), (64, first));
    }
}
