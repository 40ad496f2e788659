//! The shared memory of a dead process, read by another.

use std::collections::HashSet;
use std::io::Write;

use perf_arena::reader::{Damage, Reader, RingInfo, RingRecords, SpooledChunk, StagedRun};
use perf_arena::{EventEntry, OpenSpan, RECORD_BYTES, Record, layout};

use super::{chunk, repair};

/// Reads the bytes as an arena.
pub fn arena(bytes: &[u8]) {
    read(bytes);
    let mut mended = bytes.to_vec();
    repair::arena(&mut mended);
    read(&mended);
    if mended.len().is_multiple_of(16) {
        from_a_file(&mended);
    }
}

/// All that a reader tells.
#[derive(Debug, PartialEq)]
struct Told {
    events: Vec<EventEntry>,
    rings: Vec<(RingInfo, RingRecords)>,
    staged: Vec<StagedRun>,
    spooled: Vec<SpooledChunk>,
    open: Vec<OpenSpan>,
    damage: Vec<Damage>,
}

fn tell(mut reader: Reader<'_>) -> Told {
    let about = reader.about();
    let meta = about.capture_path.as_os_str().len() + about.metadata.len();
    assert!(meta as u64 <= layout::MAX_META_BYTES);
    let rings = reader.rings();
    Told {
        events: reader.events(),
        rings: rings
            .into_iter()
            .map(|ring| (ring.clone(), reader.records(&ring)))
            .collect(),
        staged: reader.staged(),
        spooled: reader.spooled(),
        open: reader.open_spans(),
        damage: reader.damage().to_vec(),
    }
}

fn read(bytes: &[u8]) {
    let Ok(reader) = Reader::from_bytes(bytes) else {
        return;
    };
    let told = tell(reader);
    let mut ids = HashSet::new();
    let mut slots = 0;
    for (ring, records) in &told.rings {
        assert!(ids.insert(ring.ring), "ring {} twice", ring.ring);
        slots += one_ring(ring, records);
    }
    assert!(
        slots * RECORD_BYTES <= bytes.len(),
        "{slots} slots out of {} bytes",
        bytes.len()
    );
    let staged: usize = told.staged.iter().map(|run| whole(&run.records)).sum();
    assert!(staged * RECORD_BYTES <= bytes.len());
    let spooled: usize = told.spooled.iter().map(|chunk| chunk.bytes.len()).sum();
    assert!(spooled <= bytes.len());
    assert!(told.open.iter().all(|span| span.start_ticks != 0));
    assert!(told.damage.iter().all(|damage| !damage.what.is_empty()));
    for spooled in &told.spooled {
        chunk::decode(&spooled.bytes, 0);
    }
}

/// The runs of a ring lie in order between its tail and its head, and nothing is counted twice.
fn one_ring(ring: &RingInfo, records: &RingRecords) -> usize {
    let published = ring.head.wrapping_sub(ring.tail);
    let mut found = 0;
    let mut next = 0;
    for run in &records.runs {
        let from = run.first_seq.wrapping_sub(ring.tail);
        assert!(
            from >= next,
            "a run at {from} after one that ended at {next}"
        );
        next = from + run.records.len() as u64;
        found += whole(&run.records);
    }
    let counted = found as u64 + records.volatile_slots + records.damaged_slots;
    assert!(
        next <= published && counted <= published,
        "{counted} of {published} slots, the last at {next}"
    );
    found
}

/// Number of slots, which must be those of whole records.
fn whole(records: &[Record]) -> usize {
    let mut next = 0;
    while let Some(record) = records.get(next) {
        next += 1 + record.payload_slots() as usize;
    }
    assert_eq!(next, records.len(), "a record without all of its payload");
    next
}

fn from_a_file(bytes: &[u8]) {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file takes bytes");
    let (Ok(one), Ok(other)) = (Reader::from_bytes(bytes), Reader::from_file(&file)) else {
        return;
    };
    assert_eq!(tell(one), tell(other), "from memory and from a file");
}
