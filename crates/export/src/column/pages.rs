//! Pages of a column chunk, compressed one after another, and what is told of them.

use std::fmt;

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, Type, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::ids::IdTable;

/// The level of zstd: what more would win is little, as the columns are packed already.
const ZSTD_LEVEL: i32 = 1;

/// A column chunk and what is known of it.
pub(crate) struct ColumnChunk {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

/// What whoever encodes needs again and again.
pub(crate) struct Desk {
    packer: zstd::bulk::Compressor<'static>,
    /// A page before it is compressed.
    pub(super) page: Vec<u8>,
    pub(super) numbers: Vec<u32>,
    pub(super) ids: IdTable,
    /// Times with their places, to be sorted.
    pub(crate) times: Vec<u64>,
}

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            packer: zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(ParquetError::from)?,
            page: Vec::new(),
            numbers: Vec::new(),
            ids: IdTable::default(),
            times: Vec::new(),
        })
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// What a data page holds, beside its bytes.
pub(super) struct Held<'a> {
    pub(super) rows: usize,
    pub(super) nulls: usize,
    pub(super) encoding: Encoding,
    /// The least and the greatest value, as they stand in the index; `None` if all are absent.
    pub(super) extremes: Option<(&'a [u8], &'a [u8])>,
}

/// Pages, one after another.
pub(super) struct Pages {
    out: TrackedWrite<Vec<u8>>,
    compressed: u64,
    uncompressed: u64,
    /// Where the first data page is, and whether a dictionary stands before it.
    data_begins: u64,
    rows: u64,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
}

impl Pages {
    pub(super) fn new(kind: Type) -> Self {
        Self {
            out: TrackedWrite::new(Vec::new()),
            compressed: 0,
            uncompressed: 0,
            data_begins: 0,
            rows: 0,
            column_index: ColumnIndexBuilder::new(kind),
            offset_index: OffsetIndexBuilder::new(),
        }
    }

    fn write(&mut self, page: Page, uncompressed: usize) -> Result<PageWriteSpec> {
        let mut writer = SerializedPageWriter::new(&mut self.out);
        let spec = writer.write_page(CompressedPage::new(page, uncompressed))?;
        self.compressed += spec.bytes_written;
        self.uncompressed += spec.uncompressed_size as u64;
        Ok(spec)
    }

    /// Writes the dictionary: so many values, which `desk` has as a page.
    pub(super) fn dictionary(&mut self, desk: &mut Desk, values: usize) -> Result<()> {
        let page = Page::DictionaryPage {
            buf: desk.packer.compress(&desk.page)?.into(),
            num_values: values as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.write(page, desk.page.len())?;
        self.data_begins = self.compressed;
        Ok(())
    }

    /// Writes the data page that `desk` has.
    pub(super) fn data(&mut self, desk: &mut Desk, held: &Held<'_>) -> Result<()> {
        let page = Page::DataPage {
            buf: desk.packer.compress(&desk.page)?.into(),
            num_values: held.rows as u32,
            encoding: held.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = self.write(page, desk.page.len())?;
        let (least, most) = held.extremes.unwrap_or_default();
        let nulls = held.nulls as i64;
        let is_null = held.extremes.is_none();
        self.column_index
            .append(is_null, least.to_vec(), most.to_vec(), nulls);
        self.offset_index.append_row_count(held.rows as i64);
        self.offset_index
            .append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        self.rows += held.rows as u64;
        Ok(())
    }

    /// The extremes of the pages rise from page to page.
    pub(super) fn rise(&mut self) {
        self.column_index
            .set_boundary_order(BoundaryOrder::ASCENDING);
    }

    pub(super) fn finish(
        self,
        column: &ColumnDescPtr,
        encodings: Vec<Encoding>,
        statistics: Statistics,
        bloom_filter: Option<Sbbf>,
    ) -> Result<ColumnChunk> {
        let has_dictionary = self.data_begins > 0;
        let metadata = ColumnChunkMetaData::builder(column.clone())
            .set_encodings(encodings)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(self.compressed as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_dictionary_page_offset(has_dictionary.then_some(0))
            .set_data_page_offset(self.data_begins as i64)
            .set_statistics(statistics)
            .build()?;
        Ok(ColumnChunk {
            close: ColumnCloseResult {
                bytes_written: self.compressed,
                rows_written: self.rows,
                metadata,
                bloom_filter,
                column_index: Some(self.column_index.build()?),
                offset_index: Some(self.offset_index.build()),
            },
            bytes: Bytes::from(self.out.into_inner()?),
        })
    }
}
