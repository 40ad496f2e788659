//! A ring from end to end: what is pushed is drained, in order, whole, or counted.

mod common;

use common::{Item, SLOTS, attached, config, directory, drain_one, items, owner, span};
use perf_arena::{
    AnnotationValue, LossCause, MAX_ANNOTATION_BYTES, Mode, Owner, Producer, RECORD_BYTES, Record,
    Rejected, SpanSlot, create, tag,
};

fn push_and_expect(producer: &Producer, owner: &mut Owner, from: u64, count: u64) {
    for n in from..from + count {
        producer.push(span(n)).unwrap();
    }
    let expected: Vec<_> = (from..from + count).map(|n| Record(span(n))).collect();
    assert_eq!(drain_one(owner), expected);
}

#[test]
fn records_come_out_at_every_offset_of_the_ring() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    for n in 0..2 * SLOTS {
        // Batches of every small length begin at every offset in the course of two rounds.
        push_and_expect(&producer, &mut owner, n * 100, n % 7 + 1);
    }
    push_and_expect(&producer, &mut owner, 1 << 40, SLOTS);
}

#[test]
fn sequence_numbers_pass_two_to_the_32_and_wrap_at_two_to_the_64() {
    for first_seq in [(1 << 32) - SLOTS / 2, u64::MAX - SLOTS / 2, u64::MAX] {
        let directory = directory();
        let mut config = config(directory.path());
        config.first_seq = first_seq;
        let mut owner = create(&config).unwrap();
        let producer = attached(&owner);
        for round in 0..5 {
            push_and_expect(&producer, &mut owner, round * 1000, SLOTS - round);
        }
        let written: u64 = (0..5).map(|round| SLOTS - round).sum();
        assert_eq!(
            owner.rings()[0].write_index,
            first_seq.wrapping_add(written)
        );
    }
}

#[test]
fn a_full_ring_counts_and_tells_exactly() {
    for first_seq in [0, u64::MAX - SLOTS] {
        let directory = directory();
        let mut config = config(directory.path());
        config.first_seq = first_seq;
        let mut owner = create(&config).unwrap();
        let producer = attached(&owner);
        for n in 0..SLOTS {
            producer.push(span(n)).unwrap();
        }
        for n in SLOTS..SLOTS + 10 {
            assert_eq!(producer.push(span(n)), Err(Rejected::Full));
        }
        assert_eq!(owner.lost(LossCause::RingFull), 10);
        assert_eq!(drain_one(&mut owner).len() as u64, SLOTS);
        producer.push(span(1000)).unwrap();
        producer.push(span(1001)).unwrap();
        let expected = [
            Item::Lost {
                cause: u32::from(LossCause::RingFull.code()),
                count: 10,
                from: SLOTS,
                to: SLOTS + 9,
            },
            Item::Record(Record(span(1000))),
            Item::Record(Record(span(1001))),
        ];
        assert_eq!(items(&drain_one(&mut owner)), expected);
        let loss = owner.rings()[0].losses[0];
        assert_eq!((loss.total, loss.pending()), (10, 0));
    }
}

#[test]
fn a_loss_needs_room_of_its_own_before_the_next_record() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    // Leave exactly one slot: the notice would fit, the record after it would not.
    for n in 0..SLOTS - 1 {
        producer.push(span(n)).unwrap();
    }
    assert!(producer.count_loss(LossCause::NestedSignal, 3, 7));
    assert_eq!(producer.push(span(1)), Err(Rejected::Full));
    let slots = drain_one(&mut owner);
    assert_eq!(slots.len() as u64, SLOTS - 1);
    producer.push(span(2)).unwrap();
    let counts: Vec<_> = items(&drain_one(&mut owner))
        .into_iter()
        .filter_map(|item| match item {
            Item::Lost { cause, count, .. } => Some((cause, count)),
            _ => None,
        })
        .collect();
    let code = |cause: LossCause| u32::from(cause.code());
    let expected = [
        (code(LossCause::RingFull), 1),
        (code(LossCause::NestedSignal), 3),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn annotations_come_out_whole_at_every_offset() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    let text = "x".repeat(100);
    for offset in 0..SLOTS + 3 {
        let value = &text[..(offset % 101) as usize];
        producer
            .push_annotation(offset, 5, "symbol", AnnotationValue::Str(value))
            .unwrap();
        producer.push(span(offset)).unwrap();
        let [Item::Annotation(head, payload), Item::Record(_)] = &items(&drain_one(&mut owner))[..]
        else {
            panic!("an annotation and a span");
        };
        assert_eq!(
            (head.tag(), head.event(), head.trace()),
            (tag::ANNOTATION_STR, 6, 5)
        );
        let (key, rest) = payload.split_at(6);
        assert_eq!(key, b"symbol");
        assert_eq!(&rest[..head.value() as usize], value.as_bytes());
        assert!(!head.is_truncated());
    }
}

#[test]
fn a_record_that_claims_more_than_there_can_be_takes_nobody_with_it() {
    // The longest payload that a slot can claim, and the shortest that no record has.
    let claims = [0xffff, MAX_ANNOTATION_BYTES / RECORD_BYTES + 1];
    let strays = claims
        .map(|slots| u64::from(tag::ANNOTATION_STR) << 32 | (slots as u64) << 40)
        .map(|word| Record([1, 2, 3, word]));
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    let mut expected = Vec::new();
    for n in 0..400 {
        match n {
            0 => expected.push(strays[0]),
            // More follows than it claims.
            150 => expected.push(strays[1]),
            _ => expected.push(Record(span(n))),
        }
        producer.push(expected[n as usize].0).unwrap();
    }
    let mut drained = Vec::new();
    // A few at a time, so that no copy but the last ends where the ring does.
    for _ in 0..3 {
        owner.drain(200);
        drained.extend(owner.staged().flat_map(|block| block.records.to_vec()));
        owner.clear_staged();
    }
    assert!(drained == expected, "{} slots", drained.len());
    assert!(strays.iter().all(Record::is_stray));
    assert!(!drained[1].is_stray());
}

#[test]
fn numbers_are_annotated_bit_for_bit() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    producer
        .push_annotation(1, 2, "k", AnnotationValue::Int(-5))
        .unwrap();
    producer
        .push_annotation(1, 2, "", AnnotationValue::Float(-0.5))
        .unwrap();
    let items = items(&drain_one(&mut owner));
    let [Item::Annotation(int, key), Item::Annotation(float, no_key)] = &items[..] else {
        panic!("two annotations");
    };
    assert_eq!(
        (int.tag(), int.value().cast_signed(), key[0]),
        (tag::ANNOTATION_INT, -5, b'k')
    );
    assert_eq!(
        (float.tag(), f64::from_bits(float.value())),
        (tag::ANNOTATION_FLOAT, -0.5)
    );
    assert_eq!((float.event(), no_key.len()), (0, 0));
}

#[test]
fn long_text_is_cut_at_a_character_and_says_so() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    let text = "ä".repeat(1 << 19);
    producer
        .push_annotation(1, 2, &text, AnnotationValue::Str(&text))
        .unwrap();
    let items = items(&drain_one(&mut owner));
    let [Item::Annotation(head, payload)] = &items[..] else {
        panic!("one annotation");
    };
    assert!(head.is_truncated());
    let key = head.event() as usize;
    let kept = key + head.value() as usize;
    assert!(kept > MAX_ANNOTATION_BYTES - 4 && kept <= MAX_ANNOTATION_BYTES);
    assert!(std::str::from_utf8(&payload[..key]).is_ok());
    assert!(std::str::from_utf8(&payload[key..kept]).is_ok());
}

#[test]
fn an_annotation_that_does_not_fit_now_is_lost_whole() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    for n in 0..SLOTS - 2 {
        producer.push(span(n)).unwrap();
    }
    let long = "y".repeat(200);
    let pushed = producer.push_annotation(1, 2, "k", AnnotationValue::Str(&long));
    assert_eq!(pushed, Err(Rejected::Full));
    // Room for one more record is left, but not for it and the notice that must come first.
    producer.push(span(1)).unwrap();
    let slots = items(&drain_one(&mut owner));
    assert_eq!(slots.len() as u64, SLOTS);
    assert!(matches!(
        slots[slots.len() - 2],
        Item::Lost { count: 1, .. }
    ));
}

#[test]
fn a_ring_grows_into_spare_segments_and_keeps_the_order() {
    let directory = directory();
    let mut config = config(directory.path());
    config.max_ring_bytes = 1 << 20;
    let mut owner = create(&config).unwrap();
    let producer = attached(&owner);
    // 512 slots, then 2048, 8192, 32768, all without a drain: the stock has one of each.
    let room = 512 + 2048 + 8192 + 32768;
    for n in 0..room {
        producer.push(span(n)).unwrap();
    }
    assert_eq!(producer.push(span(0)), Err(Rejected::Full));
    let mut got = Vec::new();
    for _ in 0..4 {
        got.extend(drain_one(&mut owner));
    }
    assert_eq!(got, (0..room).map(|n| Record(span(n))).collect::<Vec<_>>());
    assert_eq!(owner.rings()[0].segment_slots, 32768);
    // From now on it wraps in place.
    producer.push(span(1)).unwrap();
    assert_eq!(drain_one(&mut owner).len(), 2);
    for round in 0..3 {
        push_and_expect(&producer, &mut owner, round * 100_000, 30_000);
    }
    assert_eq!(owner.rings()[0].segment_slots, 32768);
}

#[test]
fn a_large_spare_is_allocated_a_piece_a_round_while_rings_are_drained() {
    use std::os::unix::fs::MetadataExt;
    let directory = directory();
    let mut config = config(directory.path());
    config.max_ring_bytes = 16 << 20;
    config.data_bytes = 256 << 20;
    let mut owner = create(&config).unwrap();
    let producer = attached(&owner);
    let arena = owner.path().unwrap().to_owned();
    let allocated = || arena.metadata().unwrap().blocks() * 512;
    // All that lies ready: from 16 KiB to 4 MiB. The drainer comes late.
    let room = 512 + 2048 + 8192 + 32_768 + 131_072;
    for n in 0..room {
        producer.push(span(n)).unwrap();
    }
    assert_eq!(producer.push(span(0)), Err(Rejected::Full));
    let first = allocated();
    for round in 0..60 {
        let before = allocated();
        owner.drain(4096);
        owner.maintain();
        owner.clear_staged();
        let more = allocated() - before;
        assert!(more <= 1 << 20, "{more} bytes in round {round}");
        // It stays full.
        for n in 0..4096 {
            let _ = producer.push(span(n));
        }
    }
    assert!(allocated() >= first + (16 << 20));
    // It went on in the large one, and has room there.
    for n in 0..300_000 {
        assert_eq!(producer.push(span(n)), Ok(()), "record {n}");
    }
}

#[test]
fn a_ring_that_is_hardly_used_becomes_small_again_and_keeps_the_order() {
    let directory = directory();
    let mut config = config(directory.path());
    config.max_ring_bytes = 1 << 20;
    let mut owner = create(&config).unwrap();
    let producer = attached(&owner);
    let mut next = 0;
    let mut push = |count: u64| {
        for n in next..next + count {
            producer.push(span(n)).unwrap();
        }
        next += count;
    };
    let mut expected = 0;
    let mut check = |owner: &mut Owner| loop {
        let got = drain_one(owner);
        if got.is_empty() {
            return;
        }
        let count = got.len() as u64;
        let records = (expected..expected + count).map(|n| Record(span(n)));
        assert_eq!(got, records.collect::<Vec<_>>());
        expected += count;
    };
    // A burst that fills all sizes, and then a trickle that is drained in time.
    push(512 + 2048 + 8192 + 32768);
    // No room for a record with its block's head: it only looks.
    let fullest = owner.drain(1);
    assert_eq!(
        (
            fullest.high_water_permille,
            fullest.high_water_slots,
            fullest.high_water_of_slots
        ),
        (1000, 512 + 2048 + 8192 + 32768, 512 + 2048 + 8192 + 32768),
        "full, and not fuller than full"
    );
    assert_eq!(owner.rings()[0].capacity_slots, fullest.high_water_slots);
    check(&mut owner);
    assert_eq!(owner.rings()[0].segment_slots, 32768);
    for _ in 0..2_000 {
        push(30);
        check(&mut owner);
    }
    assert_eq!(owner.rings()[0].segment_slots, SLOTS);
    let slots = |bytes: u64| bytes / size_of::<Record>() as u64;
    assert!(
        slots(owner.memory().segment_bytes) < 4 * 32768,
        "segments are used again"
    );
    // And bursts find room as before.
    push(512 + 2048 + 8192);
    check(&mut owner);
    assert!(owner.rings()[0].segment_slots >= 8192);
}

#[test]
fn a_ring_that_began_small_for_want_of_memory_grows_to_the_usual_size() {
    let directory = directory();
    let mut config = config(directory.path());
    config.ring_bytes = 256 << 10;
    config.max_ring_bytes = 256 << 10;
    let mut owner = create(&config).unwrap();
    let producer = attached(&owner);
    drain_one(&mut owner);
    let first = owner.rings()[0].segment_slots;
    assert!(first < 8192, "a fair share of 16 MiB is {first} slots");
    for round in 0..20 {
        let full = (0..)
            .take_while(|n| producer.push(span(*n)).is_ok())
            .count();
        assert!(full > 0, "round {round}");
        drain_one(&mut owner);
        drain_one(&mut owner);
    }
    assert_eq!(owner.rings()[0].segment_slots, 8192);
}

#[test]
fn small_spares_are_laid_out_where_large_ones_cannot_be_had() {
    let directory = directory();
    let mut config = config(directory.path());
    // Spares may take a quarter of this: some of 64 and 256 KiB, and none of a megabyte.
    config.data_bytes = 4 << 20;
    config.max_ring_bytes = 4 << 20;
    let mut owner = create(&config).unwrap();
    for thread in 0..12 {
        let producer = attached(&owner);
        for n in 0..=SLOTS {
            let pushed = producer.push(span(n));
            assert_eq!(pushed, Ok(()), "record {n} of thread {thread}");
        }
        // The thread ends, and what it leaves is used again.
        producer.detach();
        for _ in 0..4 {
            drain_one(&mut owner);
        }
    }
}

#[test]
fn scarce_room_is_shared_out_by_what_each_ring_has() {
    let directory = directory();
    let mut config = config(directory.path());
    config.ring_bytes = 256 << 10;
    config.max_ring_bytes = 256 << 10;
    config.data_bytes = 256 << 20;
    let mut owner = create(&config).unwrap();
    let producers: Vec<_> = (0..3).map(|_| attached(&owner)).collect();
    for (producer, count) in producers.iter().zip([8000, 4000, 10]) {
        (0..count).for_each(|n| producer.push(span(n)).unwrap());
    }
    // 6000 slots: 512 each, and of the other 4464 two thirds and one third.
    let drained = owner.drain(6000);
    assert!(drained.is_full);
    let taken: Vec<usize> = owner.staged().map(|block| block.records.len()).collect();
    assert_eq!(taken.len(), 3);
    for (taken, about) in taken.iter().zip([3486, 1998, 10]) {
        assert!(taken.abs_diff(about) <= 4, "{taken} and not about {about}");
    }
    // Nothing is left behind for good.
    let mut total = taken.iter().sum::<usize>();
    owner.clear_staged();
    while owner.drain(6000).slots > 0 {
        total += owner
            .staged()
            .map(|block| block.records.len())
            .sum::<usize>();
        owner.clear_staged();
    }
    assert_eq!(total, 12_010);
}

#[test]
fn a_ring_that_was_full_takes_what_fits_as_soon_as_there_is_room() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    (0..SLOTS).for_each(|n| producer.push(span(n)).unwrap());
    for lost in 1..200 {
        assert_eq!(producer.push(span(lost)), Err(Rejected::Full));
        assert_eq!(owner.lost(LossCause::RingFull), lost);
    }
    assert_eq!(drain_one(&mut owner).len(), SLOTS as usize);
    producer.push(span(7)).unwrap();
    let got = items(&drain_one(&mut owner));
    let lost = Item::Lost {
        cause: u32::from(LossCause::RingFull.code()),
        count: 199,
        from: 1,
        to: 199,
    };
    assert_eq!(got, [lost, Item::Record(Record(span(7)))]);
}

#[test]
fn a_limited_drain_leaves_the_rest_and_cuts_at_records() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producer = attached(&owner);
    let value = "v".repeat(90);
    for n in 0..20 {
        producer
            .push_annotation(n, 1, "k", AnnotationValue::Str(&value))
            .unwrap();
    }
    // Each annotation takes four slots: three rounds of at most 30 slots with a block head.
    let mut total = 0;
    while owner.drain(30).slots > 0 {
        let slots: Vec<_> = owner
            .staged()
            .flat_map(|block| block.records.to_vec())
            .collect();
        assert_eq!(slots.len() % 4, 0);
        assert!(slots.len() < 30);
        total += items(&slots).len();
        owner.clear_staged();
    }
    assert_eq!(total, 20);
}

#[test]
fn a_full_staging_area_holds_the_rings_back_and_each_gets_its_turn() {
    let directory = directory();
    let mut owner = owner(directory.path());
    let producers: Vec<_> = (0..4).map(|_| attached(&owner)).collect();
    for producer in &producers {
        for n in 0..300 {
            producer.push(span(n)).unwrap();
        }
    }
    let mut rings = Vec::new();
    for _ in 0..4 {
        assert!(owner.drain(301).slots <= 300);
        let ring = owner.staged().next().unwrap().ring;
        assert!(!rings.contains(&ring));
        rings.push(ring);
        owner.clear_staged();
    }
    assert!(!owner.drain(301).is_full);
}

#[test]
fn a_detached_producer_refuses_and_counts_nothing() {
    let producer = Producer::detached();
    assert!(!producer.is_attached());
    assert_eq!(producer.push(span(1)), Err(Rejected::Detached));
    assert_eq!(producer.begin(1, 2, 3), SpanSlot::NONE);
    assert_eq!(
        producer.push_annotation(1, 2, "k", AnnotationValue::Int(1)),
        Err(Rejected::Detached)
    );
    assert!(!producer.count_loss(LossCause::RingFull, 1, 1));
    // Still usable: a refusal leaves no trace.
    let directory = directory();
    let mut owner = owner(directory.path());
    owner.arena().attach(&producer, "late").unwrap();
    push_and_expect(&producer, &mut owner, 0, 5);
}

#[test]
fn a_flight_recorder_keeps_the_newest_and_counts_the_rest() {
    for first_seq in [0, 100, u64::MAX - 700] {
        let directory = directory();
        let mut config = config(directory.path());
        config.mode = Mode::Overwrite;
        config.first_seq = first_seq;
        let mut owner = create(&config).unwrap();
        let producer = attached(&owner);
        let mut pushed = 0;
        for round in 0..40_u64 {
            let count = 37 * round;
            for n in pushed..pushed + count {
                producer.push(span(n)).unwrap();
            }
            pushed += count;
            let before = owner.lost(LossCause::Overwritten);
            owner.drain(usize::MAX);
            let slots: Vec<_> = owner
                .staged()
                .flat_map(|block| block.records.to_vec())
                .collect();
            owner.clear_staged();
            let lost = owner.lost(LossCause::Overwritten) - before;
            assert_eq!(
                lost + slots.len() as u64,
                count,
                "kept and lost make up all"
            );
            assert!(slots.len() as u64 >= count.min(SLOTS * 3 / 4));
            let newest: Vec<_> = (pushed - slots.len() as u64..pushed)
                .map(|n| Record(span(n)))
                .collect();
            assert_eq!(slots, newest);
        }
    }
}

#[test]
fn a_flight_recorder_finds_the_start_of_a_record_after_a_skip() {
    let directory = directory();
    let mut config = config(directory.path());
    config.mode = Mode::Overwrite;
    let mut owner = create(&config).unwrap();
    let producer = attached(&owner);
    let text = "z".repeat(4000);
    for round in 0..200_u64 {
        for n in 0..round % 23 {
            producer.push(span(n)).unwrap();
            let length = (n * 97 + round * 31) % 4000;
            producer
                .push_annotation(n, 1, "key", AnnotationValue::Str(&text[..length as usize]))
                .unwrap();
        }
        owner.drain(usize::MAX);
        for block in owner.staged() {
            for item in items(block.records) {
                match item {
                    Item::Annotation(_, payload) => assert_eq!(&payload[..3], b"key"),
                    Item::Record(record) => assert_eq!(record, Record(span(record.end_ticks()))),
                    Item::Lost { .. } => panic!("nothing is lost in band"),
                }
            }
        }
        owner.clear_staged();
    }
}
