//! What is written here, read by the reader of Arrow's crate.

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::statistics::Statistics;
use perf_analysis::records::Names;

use super::PAGE_ROWS;
use crate::batch::Shape;
use crate::dictionary::{Dictionaries, Dictionary};
use crate::frame::{Frame, Values};
use crate::options::{Options, Output};
use crate::parquet_form::{self, Encoder};
use crate::table::Table;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Spans with so many traces (0: none has one) and names; `wide` durations are of all sizes.
fn spans(rows: usize, traces: u64, names: u64, wide: bool, random: &mut Random) -> Frame {
    let mut each = |of: &mut dyn FnMut(&mut Random) -> u64| -> Vec<u64> {
        (0..rows).map(|_| of(random)).collect()
    };
    let ints =
        |values: Vec<u64>| Values::Int(values.into_iter().map(|value| value as i64).collect());
    let numbers =
        |values: Vec<u64>| Values::Name(values.into_iter().map(|value| value as u32).collect());
    let trace = |random: &mut Random| match traces {
        0 => 0,
        // Some have none, one is the greatest there can be.
        traces => match random.below(traces) {
            1 if traces > 2 => 0,
            2 => u64::MAX,
            trace => trace.wrapping_mul(0xD6E8_FEB8_6659_FD93) | 1,
        },
    };
    let columns = vec![
        ints(each(&mut |random| random.below(1 << 40))),
        ints(each(&mut |random| match wide {
            true => random.next() >> (random.below(64)),
            false => 7,
        })),
        numbers(each(&mut |random| random.below(names))),
        numbers(each(&mut |_| 0)),
        Values::Id(each(&mut |random| trace(random))),
        numbers(each(&mut |random| random.below(2))),
        Values::Same(1, rows),
        Values::Same(0, rows),
    ];
    Frame::new(Table::Spans, columns)
}

fn dictionaries() -> Dictionaries {
    let mut known = Dictionaries::new(&Names::default(), &[]);
    // The order of names is not that of their numbers.
    let events = (0..300).map(|number| format!("event {}", number * 7919 % 300));
    known.set("spans", "event", Dictionary::of(events));
    known.set("spans", "thread", Dictionary::of(["b", "a"]));
    known.set("spans", "capture", Dictionary::of(["", "0101"]));
    known.set("spans", "host", Dictionary::of(["höst"]));
    known
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let known = dictionaries();
    let shape = Shape::of(Table::Spans, &Options::new(Output::Stdout)).expect("all columns");
    let encoder = Encoder::new(&shape).expect("an encoder");
    let mut random = Random(7);
    for (rows, traces, names, wide) in [
        (1, 0, 1, false),
        (2, 3, 2, true),
        (8, 1, 1, false),
        (31, 100, 3, true),
        (129, 4, 300, true),
        (PAGE_ROWS - 1, 1 << 40, 5, true),
        (PAGE_ROWS, 500, 1, true),
        (2 * PAGE_ROWS + 1, 1 << 20, 255, false),
        (3 * PAGE_ROWS + 77, 9000, 256, true),
    ] {
        let mut frame = spans(rows, traces, names, wide, &mut random);
        let mut own = frame.clone();
        own.sort();
        let own = shape.batch(own.columns, &known).expect("a batch");
        let chunks = encoder.encode(&mut frame, &known).expect("it is encoded");
        let (mut file, _) = parquet_form::open(&shape, &Vec::new(), Vec::new()).expect("a file");
        parquet_form::append(&mut file, chunks).expect("a row group");
        let bytes = Bytes::from(file.into_inner().expect("a whole file"));
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options);
        let reader = reader.expect("a file of Parquet").with_batch_size(rows);
        let group = reader.metadata().row_group(0).clone();
        let pages = reader.metadata().offset_index().expect("an index")[0][0].clone();
        for column in 0..8 {
            let bloom = reader
                .get_row_group_column_bloom_filter(0, column)
                .expect("it can be read");
            assert_eq!(bloom.is_some(), column == 4);
        }
        let ids = own.column(4).to_data().buffers()[0].typed_data::<u64>()[..rows].to_vec();
        let bloom = reader
            .get_row_group_column_bloom_filter(0, 4)
            .expect("it can be read");
        let bloom = bloom.expect("it is there");
        assert!(ids.iter().filter(|id| **id != 0).all(|id| bloom.check(id)));
        let strangers = (0..1000).filter(|_| bloom.check(&random.next())).count();
        assert!(
            strangers < 60,
            "{strangers} of 1000 ids that are not there seem to be"
        );
        let read = reader
            .build()
            .expect("a reader")
            .next()
            .expect("a batch")
            .expect("rows");
        for (at, field) in own.schema().fields().iter().enumerate() {
            assert_eq!(
                read.column(at),
                own.column(at),
                "{} of {rows} rows",
                field.name()
            );
        }
        assert_eq!(pages.page_locations().len(), rows.div_ceil(PAGE_ROWS));
        // Ids are compared without a sign.
        let known = { ids.iter().copied() }.filter(|id| *id != 0);
        let extremes = (known.clone().min(), known.max());
        let Some(Statistics::Int64(told)) = group.column(4).statistics() else {
            panic!("ids have statistics");
        };
        let unsigned = |id: Option<&i64>| id.map(|id| *id as u64);
        assert_eq!(
            (unsigned(told.min_opt()), unsigned(told.max_opt())),
            extremes
        );
        let nulls = ids.iter().filter(|id| **id == 0).count() as u64;
        assert_eq!(told.null_count_opt(), Some(nulls));
    }
}
