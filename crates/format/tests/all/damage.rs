//! Every cut and every flipped bit of a small capture: nothing panics, every intact
//! chunk is read, and the damage is located.

use perf_format::{ChunkEntry, ChunkKind, Columns, EventsChunk, Index, RollupChunk, SYNC_MARK};

use crate::sample;

/// Reads all there is of an index's chunks; the number of Events and Rollup chunks
/// that are intact.
fn read_all(bytes: &[u8], index: &Index) -> usize {
    index
        .chunks
        .iter()
        .filter(|entry| is_intact(bytes, index, entry))
        .count()
}

/// Reads the chunk in every way; true if nothing is wrong with it.
fn is_intact(bytes: &[u8], index: &Index, entry: &ChunkEntry) -> bool {
    let chunk = index.chunk_bytes(bytes, entry);
    match entry.head.kind {
        ChunkKind::EVENTS => EventsChunk::parse(chunk, entry.offset).is_ok_and(|chunk| {
            let columns = Columns::default().decode(&chunk);
            let strings = chunk.strings();
            let intact = chunk.verify().is_ok();
            // A sum that is right means that everything can be read.
            assert!(!intact || (columns.is_ok() && strings.is_ok()));
            intact
        }),
        ChunkKind::ROLLUP => RollupChunk::parse(chunk, entry.offset)
            .and_then(|chunk| chunk.rollup())
            .is_ok(),
        _ => !index
            .damage
            .iter()
            .any(|damage| damage.offset == entry.offset),
    }
}

#[test]
fn the_whole_capture_is_intact() {
    let bytes = sample::capture(40);
    let index = Index::build(&bytes).unwrap();
    assert!(index.closed_cleanly() && index.damage.is_empty() && index.torn_tail.is_none());
    assert_eq!(read_all(&bytes, &index), index.chunks.len());
    let kinds: Vec<u16> = index.chunks.iter().map(|entry| entry.head.kind.0).collect();
    assert_eq!(kinds, [2, 3, 1, 1, 5, 4, 1, 3, 6, 5, 7]);
    assert_eq!(index.header.as_ref(), Some(&sample::header()));
    assert_eq!(index.tables, sample::tables());
    assert_eq!(index.notes, sample::notes());
    assert_eq!(index.open_spans, [sample::open_span()]);
    assert_eq!(
        index.anchors.anchors,
        [sample::anchor(0), sample::anchor(2_000_000)]
    );
    let close = index.close.as_ref().unwrap();
    assert_eq!(
        (close.event_chunks, close.rows, close.ticks),
        (3, 3 * 42, 9)
    );
    assert_eq!(index.missing_chunks(), 0);
}

#[test]
fn cut_at_every_byte() {
    let bytes = sample::capture(40);
    let whole = Index::build(&bytes).unwrap();
    let header = whole.chunks[0].offset as usize;
    for len in 0..bytes.len() {
        let cut = &bytes[..len];
        let Ok(index) = Index::build(cut) else {
            assert!(len < header, "{len}");
            continue;
        };
        assert!(len >= header, "{len}");
        let end = |entry: &&ChunkEntry| entry.offset + entry.head.chunk_len();
        let expected: Vec<_> = whole
            .chunks
            .iter()
            .filter(|entry| end(entry) <= len as u64)
            .cloned()
            .collect();
        assert_eq!(index.chunks, expected, "cut at {len}");
        assert_eq!(read_all(cut, &index), expected.len());
        assert!(index.damage.is_empty(), "cut at {len}: {:?}", index.damage);
        let last = expected
            .iter()
            .map(|entry| end(&entry))
            .max()
            .unwrap_or(header as u64);
        match &index.torn_tail {
            None => assert_eq!(last, len as u64),
            Some(tail) => assert_eq!((tail.offset, tail.offset + tail.len), (last, len as u64)),
        }
        assert!(!index.closed_cleanly());
    }
}

#[test]
fn one_bit_flipped_in_every_byte() {
    let bytes = sample::capture(40);
    let whole = Index::build(&bytes).unwrap();
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            check_flip(&flipped, &whole, at);
        }
    }
}

fn check_flip(flipped: &[u8], whole: &Index, at: usize) {
    let index = Index::build(flipped).unwrap_or_else(|error| panic!("flip at {at}: {error}"));
    let hit = |entry: &ChunkEntry| {
        (entry.offset..entry.offset + entry.head.chunk_len()).contains(&(at as u64))
    };
    // Every chunk but the one that was hit is there, and intact.
    for entry in whole.chunks.iter().filter(|entry| !hit(entry)) {
        assert!(index.chunks.contains(entry), "flip at {at}: {entry:?}");
        assert!(is_intact(flipped, &index, entry), "flip at {at}: {entry:?}");
    }
    // The one that was hit is either reported, or found bad when it is read.
    let broken: Vec<_> = index
        .chunks
        .iter()
        .filter(|entry| !is_intact(flipped, &index, entry))
        .collect();
    let located = index
        .damage
        .iter()
        .any(|damage| (damage.offset..damage.offset + damage.len).contains(&(at as u64)));
    // A length that points beyond the end of the file looks like a file that was cut there.
    let torn = index
        .torn_tail
        .as_ref()
        .is_some_and(|tail| tail.offset <= at as u64);
    assert!(
        located || torn || broken.iter().any(|entry| hit(entry)),
        "flip at {at} was not seen"
    );
    assert!(
        index.damage.len() + broken.len() <= 2,
        "flip at {at}: {:?}",
        index.damage
    );
}

#[test]
fn bytes_cut_out_cost_only_the_chunks_they_touch() {
    let bytes = sample::capture(40);
    let whole = Index::build(&bytes).unwrap();
    let first = whole.chunks[0].offset as usize;
    for len in [1usize, 9, 100, 700] {
        for start in (first..bytes.len() - len).step_by(13) {
            let mut short = bytes[..start].to_vec();
            short.extend_from_slice(&bytes[start + len..]);
            let index = Index::build(&short).unwrap();
            for entry in &whole.chunks {
                let end = (entry.offset + entry.head.chunk_len()) as usize;
                let moved = if end <= start {
                    entry.offset
                } else if entry.offset as usize >= start + len {
                    entry.offset - len as u64
                } else {
                    continue;
                };
                let found = index.chunks.iter().find(|found| found.offset == moved);
                let found =
                    found.unwrap_or_else(|| panic!("{len} bytes cut at {start}: {entry:?}"));
                assert!(
                    is_intact(&short, &index, found),
                    "{len} bytes cut at {start}: {entry:?}"
                );
            }
            assert!(!index.damage.is_empty() || index.torn_tail.is_some());
        }
    }
}

#[test]
fn garbage_between_chunks_is_skipped_and_located() {
    let bytes = sample::capture(40);
    let whole = Index::build(&bytes).unwrap();
    let mut garbage: Vec<u8> = (0..3000u32).map(|number| (number * 7) as u8).collect();
    // Marks, whole and torn, that no chunk follows.
    for at in [0, 100, 2996] {
        let len = SYNC_MARK.len().min(garbage.len() - at);
        garbage[at..at + len].copy_from_slice(&SYNC_MARK[..len]);
    }
    for position in 1..whole.chunks.len() {
        let at = whole.chunks[position].offset as usize;
        let mut dirty = bytes[..at].to_vec();
        dirty.extend_from_slice(&garbage);
        dirty.extend_from_slice(&bytes[at..]);
        let index = Index::build(&dirty).unwrap();
        assert_eq!(index.chunks.len(), whole.chunks.len());
        assert_eq!(read_all(&dirty, &index), whole.chunks.len());
        assert_eq!(index.damage.len(), 1);
        let damage = &index.damage[0];
        assert_eq!((damage.offset, damage.len), (at as u64, 3000));
        assert!(index.closed_cleanly());
    }
}

#[test]
fn a_mark_across_the_edge_of_the_search_window_is_found() {
    let bytes = sample::capture(40);
    let whole = Index::build(&bytes).unwrap();
    let at = whole.chunks[2].offset as usize;
    // The search reads a mebibyte at a time.
    for gap in (1 << 20) - 9..=(1 << 20) + 1 {
        let mut dirty = bytes[..at].to_vec();
        dirty.resize(at + gap, 0x55);
        dirty.extend_from_slice(&bytes[at..]);
        let index = Index::build(&dirty).unwrap();
        assert_eq!(index.chunks.len(), whole.chunks.len(), "{gap}");
        assert_eq!((index.damage.len(), index.damage[0].len), (1, gap as u64));
    }
}
