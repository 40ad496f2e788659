//! What several tests need.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use perf_arena::{Config, Owner, Producer, Record, create, tag};
use tempfile::TempDir;

/// A directory of its own in shared memory, mode 0700.
pub(crate) fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("perf-arena-test-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in("/dev/shm")
        .unwrap()
}

/// A small arena in this directory, with rings that do not grow.
pub(crate) fn config(directory: &Path) -> Config {
    Config {
        directory: Some(directory.to_owned()),
        ring_bytes: 16 << 10,
        max_ring_bytes: 16 << 10,
        data_bytes: 16 << 20,
        staging_bytes: 1 << 20,
        spool_bytes: 1 << 20,
        ..Config::default()
    }
}

/// Slots of the rings of [`config`].
pub(crate) const SLOTS: u64 = 512;

pub(crate) fn owner(directory: &Path) -> Owner {
    create(&config(directory)).unwrap()
}

pub(crate) fn attached(owner: &Owner) -> Producer {
    let producer = Producer::detached();
    owner.arena().attach(&producer, "test").unwrap();
    producer
}

/// A span that can be told apart by its number.
pub(crate) fn span(n: u64) -> [u64; 4] {
    Record::new(n, n ^ 0xff, n.wrapping_mul(3), n as u32, tag::SPAN_OK).0
}

/// What a stream of slots says, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Record(Record),
    Annotation(Record, Vec<u8>),
    Lost {
        cause: u32,
        count: u64,
        from: u64,
        to: u64,
    },
}

/// Takes slots apart, as a drainer does.
pub(crate) fn items(slots: &[Record]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = slots;
    while let Some((record, after)) = rest.split_first() {
        let (payload, next) = after.split_at(record.payload_slots() as usize);
        rest = next;
        match record.tag() {
            tag::PAD => {}
            tag::LOSS => items.push(Item::Lost {
                cause: record.event(),
                count: record.value(),
                from: record.trace(),
                to: record.end_ticks(),
            }),
            tag::ANNOTATION_STR | tag::ANNOTATION_INT | tag::ANNOTATION_FLOAT => {
                let words = payload.iter().flat_map(|slot| slot.0);
                items.push(Item::Annotation(
                    *record,
                    words.flat_map(u64::to_le_bytes).collect(),
                ));
            }
            _ => items.push(Item::Record(*record)),
        }
    }
    items
}

/// Drains once, and gives each ring's slots after checking that their numbers follow one another.
pub(crate) fn drain(owner: &mut Owner) -> BTreeMap<u32, Vec<Record>> {
    owner.drain(usize::MAX);
    owner.maintain();
    let mut rings: BTreeMap<u32, (u64, Vec<Record>)> = BTreeMap::new();
    for block in owner.staged() {
        let ring = rings
            .entry(block.ring)
            .or_insert((block.first_seq, Vec::new()));
        assert_eq!(block.first_seq, ring.0, "slots follow one another");
        ring.0 = ring.0.wrapping_add(block.records.len() as u64);
        ring.1.extend(block.records);
    }
    owner.clear_staged();
    rings
        .into_iter()
        .map(|(ring, (_, slots))| (ring, slots))
        .collect()
}

/// As [`drain`], where there is one ring.
pub(crate) fn drain_one(owner: &mut Owner) -> Vec<Record> {
    let rings = drain(owner);
    assert!(rings.len() <= 1, "one ring");
    rings.into_values().next().unwrap_or_default()
}
