//! What encoding and scanning cost, in ns a row, on the generated load and on the
//! tight loop. `cargo run --release -p perf-format --example codec_speed`

use std::hint::black_box;
use std::time::Instant;

use perf_format::load::{Load, THREADS, TightLoop};
use perf_format::{
    ChunkEncoder, Columns, EventsChunk, RingId, Rollup, RollupChunk, Row, RunHead, SegmentId,
    ThreadId, bins, encode_rollup, limits,
};

const CHUNKS: usize = 8;
const ROUNDS: usize = 48;

/// The rows of one chunk, by thread.
type Batch = Vec<Vec<Row>>;

fn main() {
    let mut load = Load::new(1);
    let generated: Vec<Batch> = (0..CHUNKS)
        .map(|_| load.next_traces(limits::MAX_CHUNK_ROWS / 8).to_vec())
        .collect();
    measure("generated load", &generated);
    let mut spans = TightLoop::new(1);
    let tight: Vec<Batch> = (0..CHUNKS)
        .map(|_| vec![spans.by_ref().take(limits::MAX_CHUNK_ROWS).collect()])
        .collect();
    measure("tight loop", &tight);
    assert_eq!(generated[0].len(), THREADS);
}

/// Fastest of the rounds, in ns a row.
fn fastest(rows: usize, mut round: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / rows as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

fn push(encoder: &mut ChunkEncoder, batch: &Batch) {
    encoder.clear();
    for (thread, rows) in batch.iter().enumerate() {
        let head = RunHead {
            ring: RingId(thread as u32),
            thread: ThreadId(thread as u32),
            first_seq: 0,
        };
        encoder.begin_run(head).expect("few runs");
        let taken = encoder.push_rows(rows, |&row| row);
        encoder.end_run(taken as u32);
    }
}

/// What the steps of a chunk took, in ns: push, roll, encode.
type Steps = [f64; 3];

/// Encodes a batch, and times each step.
fn steps(
    encoder: &mut ChunkEncoder,
    rollup: &mut Rollup,
    batch: &Batch,
    out: &mut Vec<u8>,
) -> Steps {
    let mut last = Instant::now();
    let mut lap = || {
        std::mem::replace(&mut last, Instant::now())
            .elapsed()
            .as_nanos() as f64
    };
    push(encoder, batch);
    let pushing = lap();
    encoder.roll_into(rollup);
    let rolling = lap();
    encoder.encode(0, SegmentId(0), out);
    [pushing, rolling, lap()]
}

fn measure(name: &str, batches: &[Batch]) {
    let rows: usize = batches.iter().flatten().map(Vec::len).sum();
    println!(
        "{name}: {rows} rows, {CHUNKS} chunks, each step the fastest of {ROUNDS} rounds, ns a row"
    );
    let mut encoder = ChunkEncoder::new();
    let mut rollup = Rollup::new(SegmentId(0));
    let mut out = Vec::new();
    // A step of one chunk is short enough to be seldom interrupted; the whole of a round is not.
    let mut fastest_of = vec![[f64::INFINITY; 3]; batches.len()];
    for _ in 0..ROUNDS {
        out.clear();
        for (batch, fastest) in batches.iter().zip(&mut fastest_of) {
            let took = steps(&mut encoder, &mut rollup, batch, &mut out);
            *fastest = std::array::from_fn(|step| fastest[step].min(took[step]));
        }
    }
    let mut sums: Steps = [0.0; 3];
    for fastest in &fastest_of {
        sums = std::array::from_fn(|step| sums[step] + fastest[step] / rows as f64);
    }
    let [pushing, rolling, encoding] = sums;
    println!(
        "  push {pushing:.2} + roll {rolling:.2} + encode {encoding:.2} = {:.2}",
        sums.iter().sum::<f64>()
    );
    println!("  {:.3} bytes a row", out.len() as f64 / rows as f64);
    columns_of(&out, rows);
    scan(&out, rows);
}

fn chunks_of(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let len = EventsChunk::parse(bytes, 0)
            .expect("a chunk was just written")
            .head()
            .chunk_len() as usize;
        let (chunk, rest) = bytes.split_at(len);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

fn columns_of(bytes: &[u8], rows: usize) {
    let mut sizes = std::collections::BTreeMap::new();
    for chunk in chunks_of(bytes) {
        let frame = perf_format::Frame::parse(chunk, 0).expect("a chunk was just written");
        *sizes.entry("head".to_owned()).or_insert(0) += frame.head.head_len as usize;
        for column in &frame.columns {
            *sizes.entry(format!("{:?}", column.id)).or_insert(0) += column.len as usize;
        }
    }
    for (name, size) in sizes {
        println!("    {name}: {:.3}", size as f64 / rows as f64);
    }
}

fn scan(bytes: &[u8], rows: usize) {
    let chunks = chunks_of(bytes);
    let mut counts = vec![vec![0u64; bins::COUNT]; 16];
    let counting = fastest(rows, || {
        for chunk in &chunks {
            let chunk = EventsChunk::parse(chunk, 0).expect("intact");
            for (number, series) in chunk.series().iter().enumerate() {
                let counts = counts[series.key.event.0 as usize].as_mut_slice();
                let count = |values: &[u64]| {
                    values
                        .iter()
                        .for_each(|&value| counts[bins::index(value)] += 1)
                };
                chunk.values_of(number, count).expect("intact");
            }
        }
    });
    black_box(&counts);
    let unpacking = fastest(rows, || {
        for chunk in &chunks {
            let chunk = EventsChunk::parse(chunk, 0).expect("intact");
            for number in 0..chunk.series().len() {
                chunk
                    .values_of(number, |values| {
                        black_box(values);
                    })
                    .expect("intact");
            }
        }
    });
    let mut rollup = Rollup::new(SegmentId(0));
    let rolling = fastest(rows, || {
        for chunk in &chunks {
            EventsChunk::parse(chunk, 0)
                .expect("intact")
                .roll_into(&mut rollup, |_| true)
                .expect("intact");
        }
    });
    let mut columns = Columns::default();
    let decoding = fastest(rows, || {
        for chunk in &chunks {
            columns
                .decode(&EventsChunk::parse(chunk, 0).expect("intact"))
                .expect("intact");
            black_box(&columns);
        }
    });
    let verifying = fastest(rows, || {
        for chunk in &chunks {
            EventsChunk::parse(chunk, 0)
                .expect("intact")
                .verify()
                .expect("intact");
        }
    });
    println!(
        "  unpack {unpacking:.2}, unpack and count {counting:.2}, into a rollup {rolling:.2}, all columns {decoding:.2}, checksums {verifying:.2}"
    );
    let mut encoded = Vec::new();
    let encoding = fastest(1, || {
        encoded.clear();
        encode_rollup(&rollup, 0, &mut encoded).expect("within the limits");
    });
    let nonempty: usize = rollup
        .series
        .keys()
        .filter_map(|key| rollup.histogram(*key))
        .map(|h| h.nonempty().count())
        .sum();
    let reading = fastest(nonempty, || {
        black_box(
            RollupChunk::parse(&encoded, 0)
                .and_then(|chunk| chunk.rollup())
                .expect("intact"),
        );
    });
    println!(
        "  a rollup: {} bytes, {nonempty} bins, {:.2} ns a bin to write, {reading:.2} to read",
        encoded.len(),
        encoding / nonempty as f64
    );
}
