//! Records against the encoding that they claim to be in.

use super::*;

record! {
    /// With one field that later writers add.
    pub struct Sample = 7 {
        /// Always there.
        pub id: u32,
        /// Always there.
        pub name: String,
        later {
            /// Absent in old files.
            pub weight: f64,
        }
    }
}

fn sample() -> Sample {
    Sample {
        id: 9,
        name: "naïve".into(),
        weight: 2.5,
    }
}

#[test]
fn payload_is_bincode_1() {
    let mut out = Vec::new();
    sample().put_fields(&mut out);
    assert_eq!(out, bincode::serialize(&sample()).unwrap());
}

#[test]
fn later_fields_default_and_more_bytes_are_ignored() {
    let mut out = Vec::new();
    sample().put_fields(&mut out);
    let mut without_tail = &out[..out.len() - 8];
    assert_eq!(
        Sample::take_fields(&mut without_tail),
        Some(Sample {
            weight: 0.0,
            ..sample()
        })
    );
    let mut cut = &out[..out.len() - 3];
    assert_eq!(Sample::take_fields(&mut cut), None);
    let mut short = &out[..10];
    assert_eq!(Sample::take_fields(&mut short), None);
    out.extend_from_slice(b"more");
    assert_eq!(Sample::take_fields(&mut &out[..]), Some(sample()));
}

#[test]
fn a_length_beyond_the_bytes_allocates_nothing() {
    for length in [6u64, 1 << 20, 1 << 40, u64::MAX] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"hello");
        assert_eq!(String::take(&mut &bytes[..]), None);
    }
}

#[test]
fn invalid_utf8_becomes_replacement_characters() {
    let mut bytes = 3u64.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[b'a', 0xFF, b'b']);
    assert_eq!(String::take(&mut &bytes[..]).as_deref(), Some("a\u{FFFD}b"));
}

#[test]
fn frames_are_bounded() {
    let mut out = Vec::new();
    sample().put_record(&mut out);
    sample().put_record(&mut out);
    let mut seen = 0;
    let mut skipped = 0;
    read_records(&out, 100, &mut skipped, |record| {
        seen += 1;
        assert_eq!(record.decode::<Sample>()?, sample());
        Ok(seen == 2)
    })
    .unwrap();
    assert_eq!((seen, skipped), (2, 1));
    for len in 1..out.len() {
        if len != out.len() / 2 {
            assert!(
                read_records(&out[..len], 0, &mut 0, |_| Ok(true)).is_err(),
                "{len}"
            );
        }
    }
    patch_length(&mut out, u32::MAX);
    let error = read_records(&out, 100, &mut 0, |_| Ok(true)).unwrap_err();
    assert!(
        matches!(error, FormatError::Limit { offset: 100, .. }),
        "{error}"
    );
}

fn patch_length(out: &mut [u8], length: u32) {
    crate::bytes::patch_u32(out, 2, length);
}

#[test]
fn a_record_goes_where_its_tag_and_the_limit_say() {
    let mut out = Vec::new();
    sample().put_record(&mut out);
    let mut list: Vec<Sample> = Vec::new();
    let mut label = crate::Label::default();
    read_records(&out, 0, &mut 0, |record| {
        assert!(!record.push_to(&mut list, 0)?);
        assert!(record.push_to(&mut list, 1)?);
        assert!(!record.push_to(&mut list, 1)?);
        assert!(!record.put_into(&mut label)?, "a label has another tag");
        record.put_into(&mut list[0])
    })
    .unwrap();
    assert_eq!(list, [sample()]);
}

/// The payload of `record` is what bincode 1.x makes of it, and comes back.
fn check<R: Record + serde::Serialize + PartialEq + std::fmt::Debug>(record: R) {
    let mut payload = Vec::new();
    record.put_fields(&mut payload);
    assert_eq!(payload, bincode::serialize(&record).unwrap(), "{record:?}");
    assert_eq!(R::take_fields(&mut &payload[..]).as_ref(), Some(&record));
    let mut framed = Vec::new();
    record.put_record(&mut framed);
    assert_eq!(framed[..2], R::TAG.to_le_bytes());
    assert_eq!(framed[2..6], (payload.len() as u32).to_le_bytes());
    assert_eq!(framed[6..], payload);
}

/// Numbers and texts at their edges.
const CASES: [(u64, &str); 3] = [
    (0, ""),
    (1, "ORDER_SUBMIT"),
    (u64::MAX, "naïve\0<script>\u{1F600}"),
];

#[test]
fn records_of_the_header_and_the_tables_are_bincode_1() {
    for (number, text) in CASES {
        let small = number as u32;
        check(crate::Origin {
            host: text.into(),
            pid: small,
            boot_id: text.into(),
            command: text.into(),
            arena: text.into(),
        });
        check(crate::ClockDescriptor {
            source: crate::ClockSource(number as u16),
            reason: text.into(),
            ticks_per_second: number as f64 / 3.0,
        });
        check(crate::Label {
            key: text.into(),
            value: text.into(),
        });
        check(crate::EventDescriptor {
            id: crate::EventId(small),
            kind: crate::EventKind(number as u8),
            name: text.into(),
            unit: text.into(),
        });
        check(crate::ThreadDescriptor {
            id: crate::ThreadId(small),
            os_tid: number,
            name: text.into(),
        });
        check(crate::Anchor {
            ticks: number,
            monotonic_raw_ns: number as i64,
            realtime_ns: number as i64,
            uncertainty_ns: number,
            segment: crate::SegmentId(small),
        });
    }
}

#[test]
fn records_of_the_recorder_are_bincode_1() {
    for (number, text) in CASES {
        let small = number as u32;
        check(crate::SelfCost {
            from_ticks: number,
            to_ticks: 2,
            records: 3,
            file_bytes: 4,
            drainer_cpu_ns: 5,
            writer_cpu_ns: 6,
            drain_lag_max_ns: 7,
            ring_high_water_slots: 8,
            ring_slots: 9,
            spool_high_water_bytes: number,
            ns_per_record: -1.5,
        });
        check(crate::Warning {
            code: crate::WarningCode(number as u16),
            ticks: number,
            message: text.into(),
        });
        check(crate::LossEntry {
            ring: crate::RingId(small),
            thread: crate::ThreadId(small),
            cause: crate::LossCause(small),
            count: number,
            from_ticks: number,
            to_ticks: number,
        });
        check(crate::OpenSpan {
            thread: crate::ThreadId(small),
            event: crate::EventId(small),
            start_ticks: number,
            trace: crate::TraceId(number),
        });
        check(crate::Close {
            reason: crate::CloseReason(number as u16),
            ticks: number,
            unix_ns: number as i64,
            event_chunks: number,
            rows: number,
            lost: number,
        });
    }
}

#[test]
fn a_text_is_cut_at_a_character() {
    let long = "é".repeat(limits::MAX_RECORD_BYTES);
    let mut out = Vec::new();
    long.put(&mut out);
    let back = String::take(&mut &out[..]).unwrap();
    assert_eq!(back.len(), limits::MAX_RECORD_BYTES / 2);
    assert!(long.starts_with(&back));
    assert_eq!(cut("aé", 2), "a");
    assert_eq!(cut("aé", 9), "aé");
}
