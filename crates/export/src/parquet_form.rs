//! Parquet: how a table is encoded.
//!
//! Times and durations are packed as differences; names and trace ids as numbers in a dictionary; all of it is compressed
//! with zstd. Row groups are encoded each on its own and spliced into the file.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions,
    compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, ColumnPath};

use crate::batch::{Shape, Written};
use crate::column::{self, ColumnChunk, Desk};
use crate::dictionary::Dictionaries;
use crate::error::Error;
use crate::frame::{Frame, Order, Values};
use crate::table::Kind;

/// What is told of a file beside its rows: keys and values.
pub(crate) type About = Vec<(String, String)>;

/// Encodes row groups of one table.
pub(crate) struct Encoder {
    factory: ArrowRowGroupWriterFactory,
    columns: Vec<ColumnDescPtr>,
    shape: Shape,
    /// One for each of those that ever encoded at a time.
    desks: Mutex<Vec<Desk>>,
}

/// A column of a row group.
pub(crate) enum Chunk {
    Own(Box<ColumnChunk>),
    Arrow(Box<ArrowColumnChunk>),
}

impl Encoder {
    pub(crate) fn new(shape: &Shape) -> Result<Self, Error> {
        let (file, factory) = open(shape, &Vec::new(), io::sink())?;
        Ok(Self {
            factory,
            columns: file.schema_descr().columns().to_vec(),
            shape: shape.clone(),
            desks: Mutex::new(Vec::new()),
        })
    }

    /// A row group: the rows, sorted. Some columns stay in `frame`.
    pub(crate) fn encode(
        &self,
        frame: &mut Frame,
        names: &Dictionaries,
    ) -> Result<Vec<Chunk>, Error> {
        let desks = || self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        let free = desks().pop();
        let encoded = free.map_or_else(Desk::new, Ok).and_then(|mut desk| {
            let chunks = self.encode_at(&mut desk, frame, names)?;
            desks().push(desk);
            Ok(chunks)
        });
        encoded.map_err(|error| Error::encode(self.shape.table.name())(error.to_string()))
    }

    fn encode_at(
        &self,
        desk: &mut Desk,
        frame: &mut Frame,
        names: &Dictionaries,
    ) -> Result<Vec<Chunk>, ParquetError> {
        let (table, order) = (frame.table, frame.order(&mut desk.times));
        let mut chunks = Vec::new();
        // Arrow's writers of all columns, made if one is needed.
        let mut writers: Vec<Option<ArrowColumnWriter>> = Vec::new();
        for (field, written) in self.shape.schema.fields().iter().zip(&self.shape.columns) {
            let (Written::Plain(at) | Written::Timestamp(at)) = *written;
            let dictionary = || names.get(table.name(), table.columns()[at].name);
            let texts = || dictionary().0.as_string_opt::<i32>().cloned();
            let values = &frame.columns[at];
            let column = &self.columns[chunks.len()];
            let own = match written {
                Written::Plain(_) => column::encode(desk, values, &order, column, texts),
                Written::Timestamp(_) => None,
            };
            if let Some(chunk) = own {
                chunks.push(Chunk::Own(Box::new(chunk?)));
                continue;
            }
            if writers.is_empty() {
                let all = self.factory.create_column_writers(0)?;
                writers = all.into_iter().map(Some).collect();
            }
            let array = written.array(sorted(frame, at, &order), dictionary)?;
            for leaf in compute_leaves(field, &array)? {
                let writer = writers.get_mut(chunks.len()).and_then(Option::take);
                let mut writer = writer.ok_or_else(|| {
                    ParquetError::General("a column has more leaves than its schema".to_owned())
                })?;
                writer.write(&leaf)?;
                chunks.push(Chunk::Arrow(Box::new(writer.close()?)));
            }
        }
        Ok(chunks)
    }
}

/// The values of a column in their order.
fn sorted(frame: &mut Frame, at: usize, order: &Order) -> Values {
    let rows = frame.len() as u32;
    match &order.0 {
        Some(places) => frame.columns[at].picked(places),
        None => frame.columns[at].picked(&(0..rows).collect::<Vec<_>>()),
    }
}

/// Opens a file.
pub(crate) fn open<W: Write + Send>(
    shape: &Shape,
    about: &About,
    out: W,
) -> Result<(SerializedFileWriter<W>, ArrowRowGroupWriterFactory), Error> {
    let options = ArrowWriterOptions::new().with_properties(properties(shape, about));
    let schema = Arc::clone(&shape.schema);
    ArrowWriter::try_new_with_options(out, schema, options)
        .and_then(ArrowWriter::into_serialized_writer)
        .map_err(|error| Error::encode(shape.table.name())(error.to_string()))
}

/// Adds a row group to a file.
pub(crate) fn append<W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    chunks: Vec<Chunk>,
) -> parquet::errors::Result<()> {
    let mut group = file.next_row_group()?;
    for chunk in chunks {
        match chunk {
            Chunk::Own(chunk) => group.append_column(&chunk.bytes, chunk.close)?,
            Chunk::Arrow(chunk) => chunk.append_to_row_group(&mut group)?,
        }
    }
    group.close()?;
    Ok(())
}

fn properties(shape: &Shape, about: &About) -> WriterProperties {
    let about = about.iter();
    let about: Vec<_> = about
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect();
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("perf-analyze ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_key_value_metadata((!about.is_empty()).then_some(about));
    for column in shape.table.columns() {
        let path = ColumnPath::from(column.name);
        properties = match column.kind {
            Kind::Time | Kind::Int | Kind::OptInt | Kind::OptTime => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            _ => properties,
        };
    }
    let sorted_by = shape.table.sort_column().and_then(|at| {
        let name = shape.table.columns()[at].name;
        shape.schema.index_of(name).ok()
    });
    let sorting = sorted_by.map(|at| {
        vec![SortingColumn {
            column_idx: at as i32,
            descending: false,
            nulls_first: false,
        }]
    });
    properties.set_sorting_columns(sorting).build()
}
