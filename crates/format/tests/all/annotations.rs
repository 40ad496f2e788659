//! Keys and texts of traces.

use perf_format::{
    AnnotationValue, ChunkEncoder, ChunkFull, EventsChunk, RingId, RunHead, SegmentId, Tag,
    ThreadId, TraceId, limits,
};

fn encoder() -> ChunkEncoder {
    let mut encoder = ChunkEncoder::new();
    let head = RunHead {
        ring: RingId(0),
        thread: ThreadId(0),
        first_seq: 0,
    };
    encoder.begin_run(head).unwrap();
    encoder
}

fn encode(encoder: &mut ChunkEncoder) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    bytes
}

#[test]
fn keys_and_texts_are_shared_in_a_chunk() {
    let mut encoder = encoder();
    let hostile: &[u8] = &[0, 0xFF, b'<', 0x1B];
    let values = [
        (&b"symbol"[..], AnnotationValue::Str(b"EURUSD")),
        (b"symbol", AnnotationValue::Str(hostile)),
        (b"symbol", AnnotationValue::Int(-7)),
        (b"EURUSD", AnnotationValue::Float(-0.0)),
        (b"", AnnotationValue::Str(b"")),
        (hostile, AnnotationValue::Str(b"EURUSD")),
    ];
    for (number, (key, value)) in values.iter().enumerate() {
        encoder
            .push_annotation(number as u64, TraceId(3), key, *value)
            .unwrap();
    }
    encoder.end_run(30);
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    let strings = chunk.strings().unwrap();
    assert_eq!(strings, [b"symbol", b"EURUSD", hostile, b""]);
    let decoded = chunk.decode_rows().unwrap();
    assert_eq!(decoded.len(), values.len());
    for (row, (key, value)) in decoded.iter().zip(values) {
        assert_eq!(strings[row.event.0 as usize], key);
        let found = match row.tag {
            Tag::ANNOTATION_STR => AnnotationValue::Str(strings[row.value as usize]),
            Tag::ANNOTATION_INT => AnnotationValue::Int(row.value as i64),
            _ => AnnotationValue::Float(f64::from_bits(row.value)),
        };
        assert_eq!(found, value);
        assert_eq!(row.trace, TraceId(3));
    }
    assert_eq!(chunk.ranges()[0].slots, 30);
}

#[test]
fn long_strings_are_cut_and_fill_the_chunk_at_its_limit() {
    let mut encoder = encoder();
    let mut taken = 0;
    loop {
        let mut text = vec![b'x'; limits::MAX_STRING_BYTES + 10];
        text[0] = taken as u8;
        let value = AnnotationValue::Str(&text);
        match encoder.push_annotation(taken, TraceId(1), b"key", value) {
            Ok(()) => taken += 1,
            Err(ChunkFull) => break,
        }
    }
    assert_eq!(
        taken as usize,
        limits::MAX_CHUNK_STRING_BYTES / limits::MAX_STRING_BYTES - 1
    );
    // Other rows still fit.
    encoder.push(&perf_format::Row::default()).unwrap();
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert!(
        chunk.strings().unwrap()[1..]
            .iter()
            .all(|text| text.len() == limits::MAX_STRING_BYTES)
    );
}
