//! An arena whose bytes were flipped, cut off or forged: reading it ends, does not panic, and allocates within a bound.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use common::{attached, config, directory, span};
use perf_arena::reader::Reader;
use perf_arena::{About, AnnotationValue, Config, Mode, create};

/// Counts what a thread has allocated at a time.
struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it passes everything on to the system's allocator, and counts in thread-locals without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        NOW.set(NOW.get() + layout.size());
        PEAK.set(PEAK.get().max(NOW.get()));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.set(NOW.get().saturating_sub(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Sections, as the header has their entries.
const SECTIONS: usize = 9;

/// A dead arena in which everything is in use: rings of two sizes, staged records, chunks, open spans, names.
struct Dead {
    bytes: Vec<u8>,
    /// Offset and allocated bytes of each section.
    sections: [(usize, usize); SECTIONS],
}

impl Dead {
    fn new(mode: Mode) -> Self {
        let directory = directory();
        let mut owner = create(&Config {
            mode,
            max_ring_bytes: 64 << 10,
            data_bytes: 1 << 20,
            staging_bytes: 256 << 10,
            spool_bytes: 256 << 10,
            about: About {
                capture_path: "/captures/x.bin".into(),
                metadata: vec![7; 100],
                ..About::default()
            },
            ..config(directory.path())
        })
        .unwrap();
        owner.arena().add_event(1, 1, "ORDER_SUBMIT", "ns").unwrap();
        owner.arena().add_event(2, 2, "ORDERS", "orders").unwrap();
        let (grown, small) = (attached(&owner), attached(&owner));
        for n in 0..40 {
            grown.push(span(n)).unwrap();
        }
        owner.drain(usize::MAX);
        owner.spool().push(1, &[1; 1000]).unwrap();
        owner.spool().push(2, &[2; 77]).unwrap();
        for n in 0..common::SLOTS + 100 {
            grown.push(span(n)).unwrap();
        }
        small
            .push_annotation(1, 2, "key", AnnotationValue::Str("value"))
            .unwrap();
        for n in 0..70 {
            assert!(!small.begin(n + 1, n, 1).is_none());
        }
        assert!(small.count_loss(perf_arena::LossCause::RingFull, 3, 1));
        let path = owner.path().unwrap().to_owned();
        drop(owner);
        let bytes = fs::read(path).unwrap();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let sections = std::array::from_fn(|index| {
            let entry = 256 + index * 32;
            (number(entry), number(entry + 16))
        });
        Self { bytes, sections }
    }

    /// The bytes that are worth changing: the header, and the beginning of each section with something in it.
    fn places(&self) -> Vec<usize> {
        let mut places: Vec<_> = (0..1024).collect();
        for (offset, bytes) in self.sections {
            places.extend(offset..offset + bytes.min(256));
        }
        // The second ring and the rest of the segment table.
        let (rings, segments) = (self.sections[2].0, self.sections[3].0);
        places.extend(rings + 256..rings + 2 * 768);
        places.extend(segments + 256..segments + 320);
        places
    }
}

/// Reads all that there is, within the stated bounds, and says how much that was.
fn read(bytes: &[u8]) -> usize {
    let before = NOW.get();
    PEAK.set(before);
    let slots = read_all(bytes);
    let peak = PEAK.get() - before;
    // What is given back, its copy, and a vector's spare half; and damage, which is bounded by itself.
    let bound = 6 * bytes.len() + (1 << 20);
    assert!(peak <= bound, "{peak} bytes allocated for {}", bytes.len());
    assert!(
        slots * 32 <= 2 * bytes.len(),
        "{slots} slots out of {} bytes",
        bytes.len()
    );
    slots
}

fn read_all(bytes: &[u8]) -> usize {
    let Ok(mut reader) = Reader::from_bytes(bytes) else {
        return 0;
    };
    let mut slots = 0;
    for ring in reader.rings() {
        let runs = reader.records(&ring).runs;
        slots += runs.iter().map(|run| run.records.len()).sum::<usize>();
    }
    slots += reader
        .staged()
        .iter()
        .map(|run| run.records.len())
        .sum::<usize>();
    let spooled: usize = reader.spooled().iter().map(|chunk| chunk.bytes.len()).sum();
    let open = reader.open_spans().len();
    let named = reader.events().len();
    assert!(spooled <= bytes.len() && open * 32 <= bytes.len() && named * 16 <= bytes.len());
    assert!(reader.damage().len() <= 1000);
    slots
}

#[test]
fn the_whole_arena_is_read_without_damage() {
    for mode in [Mode::DropNewest, Mode::Overwrite] {
        let dead = Dead::new(mode);
        assert!(read(&dead.bytes) > 40);
        let mut reader = Reader::from_bytes(&dead.bytes).unwrap();
        for ring in reader.rings() {
            assert_eq!(reader.records(&ring).damaged_slots, 0);
        }
        assert_eq!(reader.open_spans().len(), 70);
        assert_eq!((reader.events().len(), reader.spooled().len()), (2, 2));
        assert_eq!(reader.damage(), []);
    }
}

#[test]
fn one_flipped_bit_anywhere_harms_nobody() {
    for mode in [Mode::DropNewest, Mode::Overwrite] {
        let mut dead = Dead::new(mode);
        let whole = read(&dead.bytes);
        for (step, at) in dead.places().into_iter().enumerate() {
            let bit = 1 << (step % 8);
            dead.bytes[at] ^= bit;
            read(&dead.bytes);
            dead.bytes[at] ^= bit;
        }
        assert_eq!(read(&dead.bytes), whole, "all is as it was");
    }
}

#[test]
fn forged_numbers_anywhere_harm_nobody() {
    let mut dead = Dead::new(Mode::DropNewest);
    let length = dead.bytes.len() as u64;
    let data = dead.sections[8].0 as u64;
    let forged = [
        0,
        1,
        u64::MAX,
        1 << 63,
        u64::from(u32::MAX),
        length,
        length - 1,
        data,
        4096,
    ];
    let places: Vec<_> = dead.places().into_iter().filter(|at| at % 4 == 0).collect();
    for (step, at) in places.into_iter().enumerate() {
        // Each place meets some of the numbers, and each number all kinds of places.
        for number in forged.iter().cycle().skip(step % forged.len()).take(3) {
            let width = if at % 8 == 0 { 8 } else { 4 };
            let before = dead.bytes[at..at + width].to_vec();
            dead.bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
            read(&dead.bytes);
            dead.bytes[at..at + width].copy_from_slice(&before);
        }
    }
}

#[test]
fn an_arena_cut_off_anywhere_gives_what_is_left() {
    let dead = Dead::new(Mode::DropNewest);
    let mut cuts: Vec<_> = (0..5000).step_by(97).collect();
    for (offset, bytes) in dead.sections {
        let around = [0, 1, 31, 768, bytes / 2, bytes.saturating_sub(1), bytes];
        cuts.extend(around.map(|it| offset + it));
    }
    cuts.retain(|cut| *cut <= dead.bytes.len());
    cuts.sort_unstable();
    let mut most = 0;
    for cut in cuts {
        let slots = read(&dead.bytes[..cut]);
        assert!(slots >= most, "a longer part gives no less");
        most = slots;
    }
    assert_eq!(most, read(&dead.bytes));
}

#[test]
fn segments_that_go_round_in_circles_are_read_once() {
    let mut dead = Dead::new(Mode::DropNewest);
    let (rings, segments) = (dead.sections[2].0, dead.sections[3].0);
    let u32_at =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let first = u32_at(&dead.bytes, rings + 16) - 1;
    // Its first segment follows itself, with a head as far away as there is.
    let entry = segments + first as usize * 32;
    dead.bytes[entry + 12..entry + 16].copy_from_slice(&(first + 1).to_le_bytes());
    dead.bytes[rings + 128..rings + 136].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    let mut reader = Reader::from_bytes(&dead.bytes).unwrap();
    let ring = reader.rings().swap_remove(0);
    let records = reader.records(&ring);
    assert!(records.damaged_slots > 0);
    assert!(!reader.damage().is_empty());
    read(&dead.bytes);
}

#[test]
fn noise_is_no_arena_and_a_header_before_noise_is_no_trouble() {
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    let dead = Dead::new(Mode::DropNewest);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..8192).map(|_| noise()).collect();
        assert!(Reader::from_bytes(&bytes).is_err());
        // The real header, with the sections close behind it, over noise.
        let mut forged = dead.bytes[..4096].to_vec();
        for index in 0..SECTIONS {
            let entry = 256 + index * 32;
            forged[entry..entry + 8]
                .copy_from_slice(&(4096 * (1 + index as u64 % 4)).to_le_bytes());
            forged[entry + 16..entry + 24].copy_from_slice(&4096_u64.to_le_bytes());
        }
        forged.extend((0..4 * 4096).map(|_| noise()));
        read(&forged);
    }
}
