//! Parquet: how a table is encoded.
//!
//! Times and durations are packed as differences; names and trace ids as numbers in a dictionary; all of it is compressed
//! with zstd. Row groups are encoded each on its own and spliced into the file.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, ColumnPath};

use crate::batch::Shape;
use crate::error::Error;
use crate::names_column::{self, NamesChunk};
use crate::table::Kind;

/// Trace ids of a row group are told apart up to so many bytes of them; beyond, they stand one by one.
const DICTIONARY_BYTES: usize = 4 << 20;
/// Of so many trace ids that are not there, one seems to be.
const BLOOM_ONE_IN: f64 = 100.0;
/// What is told of a file beside its rows: keys and values.
pub(crate) type About = Vec<(String, String)>;

/// Encodes row groups of one table.
pub(crate) struct Encoder {
    factory: ArrowRowGroupWriterFactory,
    columns: Vec<ColumnDescPtr>,
    shape: Shape,
}

/// A column of a row group.
pub(crate) enum Chunk {
    Names(Box<NamesChunk>),
    Other(Box<ArrowColumnChunk>),
}

impl Encoder {
    pub(crate) fn new(shape: &Shape) -> Result<Self, Error> {
        let (file, factory) = open(shape, &Vec::new(), io::sink())?;
        Ok(Self {
            factory,
            columns: file.schema_descr().columns().to_vec(),
            shape: shape.clone(),
        })
    }

    /// A row group.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Vec<Chunk>, Error> {
        let failed = Error::encode(self.shape.table.name());
        let encode = || -> parquet::errors::Result<Vec<_>> {
            let mut chunks = Vec::new();
            let mut writers = self.factory.create_column_writers(0)?.into_iter();
            for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                if let Some(names) = array.as_dictionary_opt::<Int32Type>()
                    && names.null_count() == 0
                    && let Some(texts) = names.values().as_string_opt::<i32>()
                {
                    let column = self.columns[chunks.len()].clone();
                    let chunk = names_column::encode(names.keys().values(), texts, column)?;
                    chunks.push(Chunk::Names(Box::new(chunk)));
                    drop(writers.next());
                    continue;
                }
                for leaf in compute_leaves(field, array)? {
                    if let Some(mut writer) = writers.next() {
                        writer.write(&leaf)?;
                        chunks.push(Chunk::Other(Box::new(writer.close()?)));
                    }
                }
            }
            Ok(chunks)
        };
        encode().map_err(|error| failed(error.to_string()))
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
            Chunk::Names(chunk) => group.append_column(&chunk.bytes, chunk.close)?,
            Chunk::Other(chunk) => chunk.append_to_row_group(&mut group)?,
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
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_key_value_metadata((!about.is_empty()).then_some(about));
    for column in shape.table.columns() {
        let path = ColumnPath::from(column.name);
        properties = match column.kind {
            Kind::Time | Kind::Int | Kind::OptInt | Kind::OptTime => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Kind::Id => properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path, 1.0 / BLOOM_ONE_IN),
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
