//! What the writers write, the readers read back: rows, their histograms, and a whole file.

use perf_format::{
    AnnotationValue, CaptureWriter, ChunkEncoder, Close, EventId, EventsChunk, FileHeader,
    Histogram, Index, LossCause, LossEntry, RingId, Rollup, RollupChunk, Row, RunHead, SegmentId,
    Tag, ThreadId, TraceId, bins, encode_rollup,
};

use super::chunk::with_encoder;
use super::feed::Feed;

/// Makes rows of the bytes, writes them, reads them.
pub fn round_trip(bytes: &[u8]) {
    let made = with_encoder(|encoder| {
        let made = fill(&mut Feed::new(bytes), encoder);
        one_chunk(encoder, &made);
        a_file(encoder, &made);
        made
    });
    quantiles(
        made.runs
            .iter()
            .flat_map(|(_, rows)| rows)
            .map(|row| row.value)
            .collect(),
    );
}

/// What was pushed: plain rows by run, and the texts of annotations in the order of their rows.
#[derive(Default)]
struct Made {
    runs: Vec<(RunHead, Vec<Row>)>,
    losses: Vec<LossEntry>,
    strings: Vec<Vec<u8>>,
}

impl Made {
    fn number(&mut self, string: &[u8]) -> u32 {
        let found = self.strings.iter().position(|known| known == string);
        let number = found.unwrap_or_else(|| {
            self.strings.push(string.to_vec());
            self.strings.len() - 1
        });
        number as u32
    }

    /// All rows, in the order in which they are pushed and a chunk has them.
    fn rows(&self) -> Vec<Row> {
        let runs = self.runs.iter();
        runs.flat_map(|(_, rows)| rows.iter().copied()).collect()
    }
}

const TAGS: [Tag; 10] = [
    Tag::SPAN_OK,
    Tag::SPAN_ERROR,
    Tag::SPAN_CANCELLED,
    Tag::SPAN_PANICKED,
    Tag::COUNTER,
    Tag::GAUGE,
    Tag::OBSERVATION,
    Tag::DUE,
    Tag(99),
    Tag(0),
];

fn fill(feed: &mut Feed<'_>, encoder: &mut ChunkEncoder) -> Made {
    let mut made = Made::default();
    let mut row = Row::default();
    while !feed.is_empty() {
        let action = feed.u8();
        if made.runs.is_empty() || action.is_multiple_of(16) {
            let ring = u32::from(feed.u8() % 4);
            let head = RunHead {
                ring: RingId(ring),
                thread: ThreadId(ring / 2),
                first_seq: feed.number(),
            };
            encoder.begin_run(head).expect("few runs");
            made.runs.push((head, Vec::new()));
        }
        match action % 16 {
            1 => push_loss(feed, encoder, &mut made),
            2..4 => push_annotation(feed, encoder, &mut made),
            // Many rows from few bytes: full blocks, joined and steady ones too.
            4 => {
                let step = feed.number();
                for _ in 0..feed.u8() {
                    row.end_ticks = row.end_ticks.wrapping_add(step);
                    row.value = row.value.wrapping_mul(step | 1).wrapping_add(1);
                    push(row, encoder, &mut made);
                }
            }
            _ => {
                row.end_ticks = row.end_ticks.wrapping_add(feed.number());
                row.value = feed.number();
                row.tag = TAGS[usize::from(action / 16) % TAGS.len()];
                row.event = EventId(u32::from(feed.u8() % 3));
                row.trace = if action.is_multiple_of(2) {
                    row.trace
                } else {
                    TraceId(feed.number())
                };
                push(row, encoder, &mut made);
            }
        }
    }
    made
}

fn push(row: Row, encoder: &mut ChunkEncoder, made: &mut Made) {
    if encoder.push(&row).is_ok() {
        made.runs.last_mut().expect("a run was begun").1.push(row);
    }
}

fn push_loss(feed: &mut Feed<'_>, encoder: &mut ChunkEncoder, made: &mut Made) {
    let loss = LossEntry {
        ring: RingId(feed.u8().into()),
        thread: ThreadId(feed.u8().into()),
        cause: LossCause(feed.u8().into()),
        count: feed.number(),
        from_ticks: feed.number(),
        to_ticks: feed.number(),
    };
    encoder.push_loss(loss).expect("few losses");
    made.losses.push(loss);
}

fn push_annotation(feed: &mut Feed<'_>, encoder: &mut ChunkEncoder, made: &mut Made) {
    let (end_ticks, trace) = (feed.number(), TraceId(feed.number()));
    let key_len = usize::from(feed.u8());
    let key = feed.take(key_len);
    let value = match feed.u8() % 3 {
        0 => {
            let len = usize::from(feed.u8());
            AnnotationValue::Str(feed.take(len))
        }
        1 => AnnotationValue::Int(feed.number() as i64),
        _ => AnnotationValue::Float(f64::from_bits(feed.number())),
    };
    if encoder
        .push_annotation(end_ticks, trace, key, value)
        .is_err()
    {
        return;
    }
    let event = EventId(made.number(key));
    let (tag, value) = match value {
        AnnotationValue::Str(text) => (Tag::ANNOTATION_STR, u64::from(made.number(text))),
        AnnotationValue::Int(value) => (Tag::ANNOTATION_INT, value as u64),
        AnnotationValue::Float(value) => (Tag::ANNOTATION_FLOAT, value.to_bits()),
    };
    let row = Row {
        end_ticks,
        value,
        trace,
        event,
        tag,
    };
    made.runs.last_mut().expect("a run was begun").1.push(row);
}

fn one_chunk(encoder: &mut ChunkEncoder, made: &Made) {
    let expected = made.rows();
    let mut written = Rollup::default();
    encoder.roll_into(&mut written);
    let mut bytes = Vec::new();
    let head = encoder.encode(3, SegmentId(0), &mut bytes);
    let chunk = EventsChunk::parse(&bytes, 0).expect("a chunk that was just encoded");
    assert_eq!(chunk.head(), &head);
    chunk.verify().expect("its sums are right");
    assert_eq!(chunk.decode_rows().as_deref(), Ok(&*expected));
    assert_eq!(chunk.losses(), made.losses);
    assert_eq!(chunk.strings().expect("its strings"), made.strings);
    assert_eq!(
        head.max_end,
        expected.iter().map(|row| row.end_ticks).max().unwrap_or(0)
    );
    assert_eq!(
        head.min_end,
        expected.iter().map(|row| row.end_ticks).min().unwrap_or(0)
    );
    assert_eq!(
        head.min_start,
        expected.iter().map(Row::start_ticks).min().unwrap_or(0)
    );

    let mut scanned = Rollup::default();
    chunk
        .roll_into(&mut scanned, |_| true)
        .expect("its columns");
    assert_eq!(
        scanned.series, written.series,
        "the writer's histograms and a scan's"
    );
    scanned.coverage.add(&head);
    bytes.clear();
    encode_rollup(&scanned, 4, &mut bytes).expect("a small rollup");
    let rollup = RollupChunk::parse(&bytes, 0)
        .and_then(|chunk| chunk.rollup())
        .expect("a rollup that was just encoded");
    assert_eq!(rollup, scanned);
}

fn a_file(encoder: &mut ChunkEncoder, made: &Made) {
    let mut writer =
        CaptureWriter::new(Vec::new(), &FileHeader::default()).expect("a vector takes every byte");
    let wrote = writer
        .events(encoder)
        .expect("a vector takes every byte")
        .is_some();
    assert!(wrote || (made.rows().is_empty() && made.losses.is_empty()));
    let file = writer
        .close(Close::default())
        .expect("a vector takes every byte");
    let index = Index::build(&file).expect("a file that was just written");
    assert!(index.closed_cleanly() && index.damage.is_empty() && index.missing_chunks() == 0);
    let rows: u64 = index
        .event_chunks()
        .map(|entry| u64::from(entry.head.record_count))
        .sum();
    assert_eq!(
        (rows, index.close.as_ref().map(|close| close.rows)),
        (made.rows().len() as u64, Some(rows))
    );
    let (_, coverage) = index
        .rollups()
        .next()
        .map_or((0, None), |(_, coverage)| (0, Some(coverage)));
    assert_eq!(
        coverage.map_or(0, |coverage| coverage.rows),
        rows,
        "the rollup at the end covers every row"
    );
}

/// Quantiles against the sorted values: the bin of the true order statistic, and never beyond the extremes.
fn quantiles(mut values: Vec<u64>) {
    let mut histogram = Histogram::new();
    histogram.record_all(&values);
    let (front, back) = values.split_at(values.len() / 2);
    let (mut merged, mut other) = (Histogram::new(), Histogram::new());
    front.iter().for_each(|&value| merged.record(value));
    other.record_all(back);
    merged.merge(&other);
    assert_eq!(merged, histogram);
    assert_eq!(
        histogram.sum(),
        values.iter().map(|&value| u128::from(value)).sum()
    );
    values.sort_unstable();
    // To find a rank is to walk the bins: a few ranks are enough.
    let step = values.len() / 8 + 1;
    for (rank, &value) in (1..).zip(&values).step_by(step) {
        let (bin, below) = histogram.bin_of_rank(rank).expect("a rank that exists");
        assert_eq!(bin, bins::index(value));
        assert!(below < rank && (bins::low(bin)..=bins::high(bin)).contains(&value));
    }
    assert_eq!(histogram.quantile(1.0), values.last().copied());
    assert_eq!(histogram.quantile(0.0), values.first().copied());
}
