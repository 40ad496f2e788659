//! A ring from end to end, as its two users see it.

use perf_arena::{Config, Owner, Producer, Record, create, tag};

fn small() -> Owner {
    create(&Config {
        ring_bytes: 16 << 10,
        data_bytes: 16 << 20,
        staging_bytes: 1 << 20,
        spool_bytes: 1 << 20,
        ..Config::default()
    })
    .unwrap()
}

#[test]
fn what_is_pushed_is_staged() {
    let mut owner = small();
    assert_eq!(owner.take_warnings(), []);
    let producer = Producer::detached();
    owner.arena().attach(&producer, "one").unwrap();
    let records: Vec<_> = (1..=100)
        .map(|n| Record::new(n, n * 2, n * 3, 7, tag::SPAN_OK))
        .collect();
    for record in &records {
        producer.push(record.0).unwrap();
    }
    assert_eq!(owner.drain(usize::MAX).slots, 100);
    let blocks: Vec<_> = owner.staged().collect();
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0].records, records);
    owner.close().unwrap();
}
