//! SIGKILL, at random moments and between any two instructions: the reader finds each published record exactly once.

mod common;
#[cfg(target_arch = "x86_64")]
#[path = "common/step.rs"]
mod step;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use common::{config, directory, span};
use perf_arena::reader::{Damage, Reader};
use perf_arena::{Arena, Config, Directory, Liveness, Owner, Producer, Record, create, tag};

const THREADS: u64 = 3;
/// Bytes that the child's "file" takes.
const SINK_BYTES: usize = 16 << 20;

/// What parent and child share.
#[repr(C)]
struct Shared {
    /// How many numbers each thread has recorded, and was told so.
    acknowledged: [AtomicU64; THREADS as usize],
    /// Bytes of the sink that count.
    written: AtomicU64,
    sink: [AtomicU8; SINK_BYTES],
}

/// A mapping that a fork shares.
struct Mapping(*mut Shared);

impl Mapping {
    fn new() -> Self {
        let (access, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        );
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Shared>(),
                access,
                flags,
                -1,
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED);
        Self(at.cast())
    }

    fn get(&self) -> &'static Shared {
        // SAFETY: zeros are a value of it, it is made of atomics, and no test keeps it beyond the mapping.
        unsafe { &*self.0 }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is the whole mapping.
        unsafe { libc::munmap(self.0.cast(), size_of::<Shared>()) };
    }
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts `work` in the child of a fork, which ends with it.
fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs `work` and leaves, without the test harness's own end.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: no precondition.
        unsafe { libc::_exit(if ended.is_ok() { 0 } else { 101 }) };
    }
    pid
}

/// Waits for a child; whether it was killed, rather than done.
fn was_killed(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if libc::WIFSIGNALED(status) {
        assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
        return true;
    }
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child's own checks");
    false
}

/// Puts the staged records into the spool, as a frame of blocks: ring, slots, first number, records.
fn spool_staged(owner: &mut Owner) {
    let mut frame = Vec::new();
    for block in owner.staged() {
        frame.extend(block.ring.to_le_bytes());
        frame.extend((block.records.len() as u32).to_le_bytes());
        frame.extend(block.first_seq.to_le_bytes());
        let words = block.records.iter().flat_map(|record| record.0);
        frame.extend(words.flat_map(u64::to_le_bytes));
    }
    if owner.spool().push(0, &frame).is_ok() {
        owner.clear_staged();
    }
}

/// Writes the spool's frames to the sink. False when that is full.
fn write_spooled(spool: &mut perf_arena::SpoolReader, shared: &Shared) -> bool {
    while let Some(frame) = spool.front() {
        let bytes = frame.parts.concat();
        let at = shared.written.load(Ordering::Relaxed) as usize;
        let Some(place) = shared.sink.get(at..at + bytes.len()) else {
            return false;
        };
        for (to, byte) in place.iter().zip(&bytes) {
            to.store(*byte, Ordering::Relaxed);
        }
        shared
            .written
            .store((at + bytes.len()) as u64, Ordering::Release);
        spool.pop();
    }
    true
}

/// Every record that was found, by ring and number: the same in two places counts once.
#[derive(Default)]
struct Found {
    slots: HashMap<(u32, u64), Record>,
    open: Vec<perf_arena::OpenSpan>,
    damage: Vec<Damage>,
}

impl Found {
    fn add(&mut self, ring: u32, first_seq: u64, records: &[Record]) {
        for (seq, record) in (first_seq..).zip(records) {
            let earlier = self.slots.insert((ring, seq), *record);
            assert!(
                earlier.is_none_or(|it| it == *record),
                "two records are {ring}/{seq}"
            );
        }
    }

    fn add_blocks(&mut self, mut bytes: &[u8]) {
        while let Some((head, rest)) = bytes.split_first_chunk::<16>() {
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
            let (records, next) = rest.split_at(word(4) as usize * 32);
            let words = |record: &[u8]| {
                let word = |at: usize| record[at * 8..at * 8 + 8].try_into().unwrap();
                Record(std::array::from_fn(|at| u64::from_le_bytes(word(at))))
            };
            let records: Vec<_> = records.chunks(32).map(words).collect();
            self.add(
                word(0),
                u64::from(word(8)) | u64::from(word(12)) << 32,
                &records,
            );
            bytes = next;
        }
    }

    /// What the child had written.
    fn add_sink(&mut self, shared: &Shared) {
        let length = shared.written.load(Ordering::Acquire) as usize;
        let sink = shared.sink[..length].iter();
        self.add_blocks(
            &sink
                .map(|it| it.load(Ordering::Relaxed))
                .collect::<Vec<_>>(),
        );
    }

    /// What lies in the arena that a killed child left in `directory`, which is removed. `None`: it was not even made.
    fn in_arena(directory: &Path) -> Option<Self> {
        let directory = Directory::open(directory).unwrap();
        let listed = directory.list().unwrap();
        let [listed] = listed.as_slice() else {
            assert_eq!(listed, []);
            return None;
        };
        assert_eq!(listed.liveness, Liveness::Dead);
        let dead = directory.claim(&listed.path).unwrap().unwrap();
        let mut reader = Reader::from_file(dead.file()).unwrap();
        let mut found = Self::default();
        for chunk in reader.spooled() {
            found.add_blocks(&chunk.bytes);
        }
        for run in reader.staged() {
            found.add(run.ring, run.first_seq, &run.records);
        }
        for ring in reader.rings() {
            for run in reader.records(&ring).runs {
                found.add(ring.ring, run.first_seq, &run.records);
            }
        }
        found.open = reader.open_spans();
        found.damage = reader.damage().to_vec();
        drop(reader);
        dead.remove().unwrap();
        Some(found)
    }

    /// The numbers of each thread are those that were acknowledged, and perhaps one more, each once; and the span that is
    /// open is the next one's.
    fn check(&self, shared: &Shared) -> u64 {
        assert_eq!(self.damage, []);
        let mut numbers = vec![Vec::new(); THREADS as usize];
        for record in self.slots.values().filter(|it| it.tag() == tag::SPAN_OK) {
            let n = record.end_ticks();
            assert_eq!(*record, Record(span(n)), "torn");
            numbers[(n >> 48) as usize].push(n & 0xffff_ffff);
        }
        for (thread, numbers) in numbers.iter_mut().enumerate() {
            numbers.sort_unstable();
            let acknowledged = shared.acknowledged[thread].load(Ordering::Acquire);
            let count = numbers.len() as u64;
            assert!(
                numbers.iter().copied().eq(0..count),
                "thread {thread}: none missing, none twice"
            );
            assert!(
                count == acknowledged || count == acknowledged + 1,
                "thread {thread}: {count} found, {acknowledged} acknowledged"
            );
            let open = self.open.iter().filter(|it| it.trace == thread as u64);
            let open: Vec<_> = open.map(|it| it.start_ticks - 1).collect();
            assert!(
                open.is_empty() || open == [count],
                "thread {thread}: {count} ended, {open:?} open"
            );
        }
        numbers.iter().map(|it| it.len() as u64).sum()
    }
}

/// Records the next number of a thread, now as a span and now as a record alone. A full ring takes it later.
fn record_next(producer: &Producer, thread: u64, shared: &Shared) {
    let acknowledged = &shared.acknowledged[thread as usize];
    let n = acknowledged.load(Ordering::Relaxed);
    let words = span(thread << 48 | n);
    let recorded = if n.is_multiple_of(3) {
        let slot = producer.begin(n + 1, thread, 1);
        producer.end(slot, words)
    } else {
        producer.push(words)
    };
    if recorded.is_ok() {
        acknowledged.store(n + 1, Ordering::Release);
    }
}

fn record_for_ever(arena: Arena, thread: u64, shared: &Shared) {
    let producer = Producer::detached();
    for round in 0_u64.. {
        if round.is_multiple_of(1_000) {
            // Another ring for the same numbers: what the one before holds must not be lost by it.
            arena.attach(&producer, "killed").unwrap();
        }
        record_next(&producer, thread, shared);
        if round.is_multiple_of(64) {
            thread::sleep(Duration::from_micros(20));
        }
    }
}

/// The child: threads that record, one that drains, one that writes.
fn run_for_ever(config: &Config, shared: &'static Shared) {
    let mut owner = create(config).unwrap();
    let mut spool = owner.take_spool_reader().unwrap();
    let arena = owner.arena();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || record_for_ever(arena, thread, shared));
        }
        scope.spawn(move || {
            while write_spooled(&mut spool, shared) {
                thread::sleep(Duration::from_micros(50));
            }
        });
        loop {
            owner.drain(usize::MAX);
            owner.maintain();
            if owner.staging_slots().0 > 2_000 {
                spool_staged(&mut owner);
            }
            thread::sleep(Duration::from_micros(30));
        }
    });
}

#[test]
fn at_random_moments() {
    let _alone = alone();
    let directory = directory();
    let config = Config {
        max_ring_bytes: 256 << 10,
        ..config(directory.path())
    };
    let mut seed = 0x9e37_79b9_u64;
    let (mut records, mut written) = (0, 0);
    for _ in 0..300 {
        let mapping = Mapping::new();
        let shared = mapping.get();
        let pid = fork(|| run_for_ever(&config, shared));
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_micros((seed >> 33) % 15_000));
        // SAFETY: the child is ours, and not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
        assert!(was_killed(pid));
        let Some(mut found) = Found::in_arena(directory.path()) else {
            assert_eq!(shared.acknowledged[0].load(Ordering::Relaxed), 0);
            continue;
        };
        found.add_sink(shared);
        records += found.check(shared);
        written += u64::from(shared.written.load(Ordering::Relaxed) > 0);
    }
    println!("{records} records were compared, {written} children had written some of theirs");
    assert!(records > 0);
}

#[cfg(target_arch = "x86_64")]
mod between_instructions {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Instructions until the process kills itself.
        static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
    }

    fn count_down() {
        let left = LEFT.get();
        if left == 0 {
            // SAFETY: no precondition.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        LEFT.set(left.wrapping_sub(1));
    }

    /// Forks children that kill themselves after `stride` instructions of `work`, after twice as many, and so on, until one
    /// comes to its end. With `PERF_LONG=1` it is after every single one.
    fn kill_after_each(
        stride: usize,
        prepare: impl Fn(&Producer, &Shared),
        work: impl Fn(&mut Owner, &Producer, &'static Shared),
    ) -> usize {
        let _alone = alone();
        let long = std::env::var_os("PERF_LONG").is_some();
        let stride = if long { 1 } else { stride };
        let directory = directory();
        let config = Config {
            max_ring_bytes: 64 << 10,
            staging_bytes: 256 << 10,
            spool_bytes: 256 << 10,
            ..config(directory.path())
        };
        for kill in 0.. {
            let mapping = Mapping::new();
            let shared = mapping.get();
            let pid = fork(|| {
                let mut owner = create(&config).unwrap();
                let producer = common::attached(&owner);
                prepare(&producer, shared);
                LEFT.set((kill * stride) as u64);
                step::stepped(count_down, || work(&mut owner, &producer, shared));
                LEFT.set(u64::MAX);
                // Its arena stays, as if it had been killed now.
                std::mem::forget(owner);
            });
            let killed = was_killed(pid);
            let mut found = Found::in_arena(directory.path()).unwrap();
            found.add_sink(shared);
            found.check(shared);
            if !killed {
                return kill;
            }
        }
        unreachable!()
    }

    #[test]
    fn of_a_recording() {
        let kills = kill_after_each(
            5,
            |_, _| {},
            |_, producer, shared| {
                // A span, and a record without one.
                for _ in 0..2 {
                    record_next(producer, 0, shared);
                }
            },
        );
        println!("{kills} children were killed");
        assert!(kills > 50);
    }

    #[test]
    fn of_a_recording_into_a_ring_that_grows() {
        let kills = kill_after_each(
            5,
            |producer, shared| {
                for _ in 0..common::SLOTS - 1 {
                    record_next(producer, 0, shared);
                }
            },
            |_, producer, shared| {
                for _ in 0..4 {
                    record_next(producer, 0, shared);
                }
            },
        );
        assert!(kills > 50);
    }

    #[test]
    fn of_a_drain() {
        let kills = kill_after_each(
            293,
            |producer, shared| {
                for _ in 0..5 {
                    record_next(producer, 0, shared);
                }
            },
            |owner, producer, shared| {
                let mut spool = owner.take_spool_reader().unwrap();
                for _ in 0..2 {
                    owner.drain(usize::MAX);
                    owner.maintain();
                    spool_staged(owner);
                    record_next(producer, 0, shared);
                    write_spooled(&mut spool, shared);
                }
            },
        );
        println!("{kills} children were killed");
        assert!(kills > 20);
    }
}
