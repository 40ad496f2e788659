//! The two decoders on captures made here and on those in the repository.

use std::path::{Path, PathBuf};

use perf_format::load::{TightLoop, write_capture};
use perf_format::{
    Anchor, CaptureId, CaptureWriter, ChunkEncoder, FileHeader, Index, RingId, Row, RunHead,
    SegmentId, ThreadId, bins, trace_from_key,
};

use super::compare::{assert_same, assert_sound};
use super::file::Capture;
use super::foreign;
use super::made::{Chance, capture};
use super::numbers::{Bytes, crc32c, from_key};
use super::rollup::{Rollup, bin, bounds};

/// Both read the same, and each rollup is what the rows of the chunks it covers come to.
#[track_caller]
fn assert_agree(file: &[u8]) -> Capture {
    let plain = assert_same(file).expect("both read it");
    for (head, events) in plain.events() {
        assert_sound(head, events);
    }
    for (head, rollup) in plain.rollups() {
        let covered = plain.events().filter(|(events, _)| {
            (rollup.first_chunk..=rollup.last_chunk).contains(&events.chunk_seq)
                && events.segment == head.segment
        });
        assert_eq!(
            *rollup,
            Rollup::of(covered),
            "the rollup {} and its rows",
            head.chunk_seq
        );
    }
    plain
}

#[test]
fn the_load() {
    let plain =
        assert_agree(&write_capture(Vec::new(), 100_000, 1).expect("a vector takes every byte"));
    assert_eq!(
        plain
            .events()
            .map(|(_, events)| events.rows.len())
            .sum::<usize>(),
        100_000
    );
    assert!(plain.closed_cleanly());
}

#[test]
fn a_tight_loop() {
    let mut encoder = ChunkEncoder::new();
    let head = RunHead {
        ring: RingId(3),
        thread: ThreadId(4),
        first_seq: 5,
    };
    encoder.push_run(head, TightLoop::new(1).take(20_000));
    let mut writer =
        CaptureWriter::new(Vec::new(), &FileHeader::default()).expect("a vector takes every byte");
    writer
        .events(&mut encoder)
        .expect("a vector takes every byte");
    assert_agree(
        &writer
            .close(Default::default())
            .expect("a vector takes every byte"),
    );
}

#[test]
fn captures_of_chance() {
    let (mut rows, mut strings, mut losses, mut rollups, mut chunks) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let plain = assert_agree(&capture(seed));
        assert!(
            plain.damage.is_empty() && plain.torn_tail.is_none(),
            "seed {seed}"
        );
        for (_, events) in plain.events() {
            rows += events.rows.len();
            strings += events.strings.len();
            losses += events.losses.len();
        }
        rollups += plain.rollups().count();
        chunks += plain.chunks.len();
    }
    assert!(
        rows > 50_000 && strings > 500 && losses > 500 && rollups > 150 && chunks > 1000,
        "{rows} {strings} {losses} {rollups} {chunks}"
    );
}

/// A ring's slots may tell of nothing but losses at first; then its range begins with a run that has no rows.
#[test]
fn ranges_that_begin_without_rows() {
    let mut encoder = ChunkEncoder::new();
    let row = |end_ticks| Row {
        end_ticks,
        value: 3,
        ..Row::default()
    };
    for (ring, first_seq, ends, slots) in [
        (0, 0, vec![50, 60], 2),
        (1, 7, vec![], 1),
        (1, 8, vec![1000, 1001], 2),
        (1, 10, vec![], 4),
        (1, 14, vec![1005], 1),
        (2, 0, vec![40], 1),
    ] {
        let head = RunHead {
            ring: RingId(ring),
            thread: ThreadId(1),
            first_seq,
        };
        encoder.begin_run(head).expect("there is room");
        for end in ends {
            encoder.push(&row(end)).expect("there is room");
        }
        encoder.end_run(slots);
    }
    let mut writer =
        CaptureWriter::new(Vec::new(), &FileHeader::default()).expect("a vector takes every byte");
    writer
        .events(&mut encoder)
        .expect("a vector takes every byte");
    let file = writer
        .close(Default::default())
        .expect("a vector takes every byte");
    let plain = assert_agree(&file);
    let (_, events) = plain.events().next().expect("a chunk");
    let ends: Vec<u64> = events.rows.iter().map(|row| row.end).collect();
    assert_eq!(ends, [50, 60, 1000, 1001, 1005, 40]);
    let firsts: Vec<u64> = events.ranges.iter().map(|range| range.first_end).collect();
    assert_eq!(firsts, [50, 1000, 40]);
}

#[test]
fn an_empty_capture() {
    let writer =
        CaptureWriter::new(Vec::new(), &FileHeader::default()).expect("a vector takes every byte");
    let closed = writer
        .close(Default::default())
        .expect("a vector takes every byte");
    assert!(assert_agree(&closed).closed_cleanly());
    let mut header = Vec::new();
    FileHeader::default().encode(&mut header);
    assert!(!assert_agree(&header).closed_cleanly());
    assert!(assert_same(&[]).is_none());
}

#[test]
fn captures_cut_short() {
    for seed in 300..308 {
        let file = capture(seed);
        for len in (0..file.len()).step_by(1 + file.len() / 30) {
            assert_same(&file[..len]);
        }
    }
}

#[test]
fn captures_with_damage() {
    let mut chance = Chance::new(9);
    for seed in 400..460 {
        let file = capture(seed);
        let place = chance.below(file.len() as u64) as usize;
        let mut flipped = file.clone();
        flipped[place] ^= 1 << chance.below(8);
        assert_same(&flipped);
        let mut inserted = file.clone();
        inserted.splice(place..place, b"\xABPERFCK\xBB and garbage".iter().copied());
        assert_same(&inserted);
        let mut cut_out = file.clone();
        cut_out.drain(place..(place + 1 + chance.below(300) as usize).min(file.len()));
        assert_same(&cut_out);
        let mut twice = file[..place].to_vec();
        twice.extend(&file);
        assert_same(&twice);
    }
}

/// Blocks of every mode and width, and whatever a reader of this version is to skip.
#[test]
fn captures_of_another_writer() {
    for seed in 0..100 {
        let mut chance = Chance::new(seed);
        let mut file = Vec::new();
        FileHeader::default().encode(&mut file);
        let rows = chance.below(600) as usize;
        file.extend(foreign::events(&mut chance, 0, rows));
        file.extend(foreign::chunk(
            200,
            1,
            3,
            1,
            b"tables",
            &[(1, 0, b"a kind of a later version".to_vec())],
        ));
        file.extend(foreign::chunk(
            1,
            2,
            3,
            2,
            b"",
            &[(1, 0, b"a version of a kind".to_vec())],
        ));
        let event = [
            &[9, 0, 0, 0, 3][..],
            &[1, 0, 0, 0, 0, 0, 0, 0, b'A'],
            &[0; 8],
            b"later fields",
        ]
        .concat();
        let tables = [
            foreign::record(1, &event),
            foreign::record(77, b"a later record"),
        ]
        .concat();
        file.extend(foreign::chunk(2, 1, 2, 3, b"", &[(1, 0, tables)]));
        let self_cost = foreign::record(1, &[7; 80]);
        file.extend(foreign::chunk(
            4,
            1,
            1,
            4,
            b"more tables",
            &[(98, 1, vec![1, 2]), (1, 0, self_cost)],
        ));
        file.extend(foreign::rollup(&mut chance, 5));
        let later = foreign::record(78, b"of a later version");
        file.extend(foreign::chunk(6, 1, 1, 6, b"", &[(1, 0, later.clone())]));
        let plain = assert_same(&file).expect("both read it");
        assert_eq!(
            plain
                .events()
                .map(|(_, events)| events.rows.len())
                .sum::<usize>(),
            rows
        );
        assert_eq!(plain.chunks.len(), 7);
        let (_, rollup) = plain.rollups().next().expect("it is read");
        let series: Vec<_> = rollup.series.keys().copied().collect();
        assert_eq!(series, [(1, 1), (3, 8)]);
        assert_eq!(
            (
                plain.metadata.events[0].name.as_str(),
                plain.metadata.unknown_records
            ),
            ("A", 2)
        );
        assert_eq!(plain.metadata.self_costs[0].ns_per_record, 0.0);
        assert!(plain.damage.is_empty() && plain.torn_tail.is_none());
    }
}

/// Columns that share a byte are no chunk; those in another order than their bytes are.
#[test]
fn columns_out_of_place() {
    let mut chance = Chance::new(3);
    let chunk = foreign::events(&mut chance, 0, 300);
    let entry = |column: usize| 72 + 16 * column;
    let mut shared = chunk.clone();
    let second = shared[entry(1) + 4..entry(1) + 8].to_vec();
    shared[entry(5) + 4..entry(5) + 8].copy_from_slice(&second);
    let mut reversed = chunk.clone();
    for column in 0..8 {
        reversed[entry(column)..entry(column + 1)]
            .copy_from_slice(&chunk[entry(7 - column)..entry(8 - column)]);
    }
    for (mut chunk, intact) in [(shared, false), (reversed, true)] {
        let end = u32::from_le_bytes(chunk[12..16].try_into().expect("four bytes")) as usize - 4;
        let sum = crc32c(&chunk[..end]);
        chunk[end..end + 4].copy_from_slice(&sum.to_le_bytes());
        let mut file = Vec::new();
        FileHeader::default().encode(&mut file);
        file.extend(chunk);
        let plain = assert_same(&file).expect("both read it");
        assert_eq!(plain.events().count(), usize::from(intact));
        assert_eq!(plain.damage.is_empty(), intact);
    }
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures")
}

/// The captures of the repository, the damaged ones as well.
#[test]
fn captures_of_the_repository() {
    let mut seen = 0;
    for folder in ["", "golden", "damaged"] {
        let entries =
            std::fs::read_dir(captures().join(folder)).expect("the folder is part of the checkout");
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "bin") {
                let file = std::fs::read(&path).expect("a file can be read");
                match folder {
                    "damaged" => drop(assert_same(&file)),
                    _ => drop(assert_agree(&file)),
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 7, "only {seen} captures");
}

/// Times around anchors of clocks that run, step, stand still and go back.
#[test]
fn ticks_become_nanoseconds() {
    let mut chance = Chance::new(5);
    for _ in 0..300 {
        let mut header = FileHeader {
            start_unix_ns: 1_790_000_000_000_000_000,
            ..FileHeader::default()
        };
        header.clock.ticks_per_second = [0.0, 2.5e9, f64::INFINITY, 1e9][chance.below(4) as usize];
        let (mut ticks, mut raw, mut realtime) =
            (chance.below(1 << 50), 0_i64, header.start_unix_ns);
        let anchors = (0..chance.below(12)).map(|_| {
            let elapsed = [0, 1, 400_000, 1_000_000, 30_000_000_000][chance.below(5) as usize]
                + chance.below(1000) as i64;
            ticks += (elapsed as f64 * 2.5) as u64;
            raw += elapsed;
            realtime += elapsed
                + [0, 3, -200, 999_999, 1_000_001, -16_000_000, 1 << 40][chance.below(7) as usize];
            let segment = SegmentId(chance.below(2) as u32);
            Anchor {
                ticks,
                monotonic_raw_ns: raw,
                realtime_ns: realtime,
                uncertainty_ns: 30,
                segment,
            }
        });
        let anchors: Vec<Anchor> = anchors.collect();
        let mut writer =
            CaptureWriter::new(Vec::new(), &header).expect("a vector takes every byte");
        writer.anchors(&anchors).expect("a vector takes every byte");
        assert_same(
            &writer
                .close(Default::default())
                .expect("a vector takes every byte"),
        );
    }
}

#[test]
fn bins_are_the_same() {
    let mut chance = Chance::new(3);
    let edges = (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift, (1 << shift) + 1]);
    let numbers: Vec<u64> = (0..20_000).map(|_| chance.number()).collect();
    for value in edges.chain(numbers) {
        let number = bin(value);
        assert_eq!(number, bins::index(value) as u64, "{value}");
        assert_eq!(
            bounds(number),
            (bins::low(number as usize), bins::high(number as usize))
        );
        let (low, high) = bounds(number);
        assert!((low..=high).contains(&value));
    }
    assert_eq!(bin(u64::MAX) + 1, bins::COUNT as u64);
}

#[test]
fn keys_become_the_same_traces() {
    for (key, time) in [
        ("", 0),
        ("EURUSD", 1_700_000_000),
        ("été", i64::MIN),
        ("naïve", -1),
        ("a\0b", 1),
    ] {
        assert_eq!(from_key(key, time), trace_from_key(key, time).0);
    }
}

/// Every example in FORMAT.md that is given as bytes or numbers.
#[test]
fn the_examples_of_the_page() {
    for (bytes, check) in [
        (&b"123456789"[..], 0xE306_9283),
        (b"", 0),
        (&[0; 32], 0x8A91_36AA),
    ] {
        assert_eq!(crc32c(bytes), check);
    }
    let varint = |bytes: &[u8]| Bytes::new(bytes).varint().map(|value| value as i64);
    let examples: [(&[u8], i64); 8] = [
        (&[0], 0),
        (&[1], -1),
        (&[2], 1),
        (&[0x7E], 63),
        (&[0x7F], -64),
        (&[0x80, 1], 64),
        (&[0xD8, 4], 300),
        (&[255, 255, 255, 255, 255, 255, 255, 255, 255, 1], i64::MIN),
    ];
    for (bytes, value) in examples {
        assert_eq!(varint(bytes), Ok(value));
    }
    let packed = |bytes: &[u8], count| Bytes::new(bytes).packed(count).expect("an example");
    assert_eq!(
        packed(&[0x03, 0xC8, 0x01, 0x58, 0x0E], 4),
        [100, 103, 101, 107]
    );
    assert_eq!(
        packed(&[0x83, 0xD0, 0x0F, 0x14, 0x40, 0x05], 4),
        [1000, 1010, 1025, 1037]
    );
    assert_eq!(packed(&[0x00, 0x0E], 5), [7; 5]);
    assert_eq!(packed(&[0x00, 0x01], 1), [u64::MAX]);
    assert_eq!(packed(&[0x02, 0x00, 0x51, 0x02], 5), [1, 0, 1, 1, 2]);
    assert_eq!(packed(&[0x06, 0x02, 0x27, 0x10, 0x00], 3), [40, 1, 2]);
    assert_eq!(
        super::numbers::mix(5 ^ 0xDEAD_BEEF << 32),
        0xEDA6_6E41_EA49_2199
    );
    assert_eq!(
        (bin(1_000_000), bounds(11_169)),
        (11_169, (999_936, 1_000_447))
    );
    assert_eq!(from_key("EURUSD", 1_700_000_000), 0x259F_1402_A315_D680);
}

#[test]
fn parts_put_one_behind_another() {
    for seed in 0..40 {
        let file = capture(seed);
        let Ok(index) = Index::build(&file) else {
            continue;
        };
        let Some(header) = index.header.clone() else {
            continue;
        };
        let encoded = |header: FileHeader| {
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            bytes
        };
        let same = encoded(FileHeader {
            part: header.part + 1,
            ..header.clone()
        });
        let foreign = encoded(FileHeader {
            capture_id: CaptureId([0x5A; 16]),
            ..header
        });
        for entry in &index.chunks {
            let (before, after) = file.split_at(entry.offset as usize);
            let joined = [before, &same, after].concat();
            let plain = assert_same(&joined).expect("both read it");
            assert_eq!(plain.damage.len(), index.damage.len(), "seed {seed}");
            assert_same(&[before, &foreign, after].concat()).expect("both read it");
        }
    }
}
