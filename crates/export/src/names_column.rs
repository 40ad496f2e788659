//! Columns of names as Parquet column chunks, written here.
//!
//! Names come as numbers into a dictionary, and that is how Parquet keeps them: what is to be done is to number those that
//! occur anew and to pack the numbers. The writer of Arrow's crate looks at the text of every row instead, for which it
//! needed half of the time of an export. The layout is that of the Parquet format, version 1 of the data page: a dictionary
//! page of plain strings, then pages of definition levels and of numbers, both in the hybrid of runs and packed groups.

use arrow_array::{Array, StringArray};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Rows of a page.
const PAGE_ROWS: usize = 20_000;
const NONE: u32 = u32::MAX;

/// A column chunk and what is known of it.
pub(crate) struct NamesChunk {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

/// Encodes numbers of `names`, none of which is absent.
pub(crate) fn encode(
    keys: &[i32],
    names: &StringArray,
    column: ColumnDescPtr,
) -> Result<NamesChunk> {
    let mut used: Vec<u32> = Vec::new();
    let mut number_of = vec![NONE; names.len()];
    let numbers: Vec<u32> = { keys.iter() }
        .map(|key| {
            let number = &mut number_of[*key as usize];
            if *number == NONE {
                *number = used.len() as u32;
                used.push(*key as u32);
            }
            *number
        })
        .collect();
    let text = |number: u32| names.value(used[number as usize] as usize).as_bytes();
    let mut file = Pages::new()?;
    let mut dictionary = Vec::new();
    for number in 0..used.len() as u32 {
        dictionary.extend_from_slice(&(text(number).len() as u32).to_le_bytes());
        dictionary.extend_from_slice(text(number));
    }
    file.dictionary(&dictionary, used.len() as u32)?;
    let width = (32 - (used.len().max(2) as u32 - 1).leading_zeros()) as u8;
    let mut column_index = ColumnIndexBuilder::new(Type::BYTE_ARRAY);
    let mut offset_index = OffsetIndexBuilder::new();
    let mut seen = vec![0_usize; used.len()];
    for (page, numbers) in (1..).zip(numbers.chunks(PAGE_ROWS)) {
        let mut extremes: Option<(&[u8], &[u8])> = None;
        for number in numbers {
            if std::mem::replace(&mut seen[*number as usize], page) != page {
                let text = text(*number);
                let (least, most) = extremes.unwrap_or((text, text));
                extremes = Some((least.min(text), most.max(text)));
            }
        }
        let spec = file.data(numbers, width, column.max_def_level())?;
        let (least, most) = extremes.unwrap_or_default();
        column_index.append(false, least.to_vec(), most.to_vec(), 0);
        offset_index.append_row_count(numbers.len() as i64);
        offset_index.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
    }
    let extreme = |bytes: Option<&[u8]>| bytes.map(|bytes| ByteArray::from(bytes.to_vec()));
    let all = || (0..used.len() as u32).map(text);
    let statistics = ValueStatistics::new(
        extreme(all().min()),
        extreme(all().max()),
        None,
        Some(0),
        false,
    );
    let metadata = ColumnChunkMetaData::builder(column)
        .set_encodings(vec![
            Encoding::PLAIN,
            Encoding::RLE,
            Encoding::RLE_DICTIONARY,
        ])
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_num_values(keys.len() as i64)
        .set_total_compressed_size(file.compressed as i64)
        .set_total_uncompressed_size(file.uncompressed as i64)
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(file.data_begins as i64)
        .set_statistics(Statistics::ByteArray(statistics))
        .build()?;
    Ok(NamesChunk {
        close: ColumnCloseResult {
            bytes_written: file.compressed,
            rows_written: keys.len() as u64,
            metadata,
            bloom_filter: None,
            column_index: Some(column_index.build()?),
            offset_index: Some(offset_index.build()),
        },
        bytes: Bytes::from(file.out.into_inner()?),
    })
}

/// Pages, one after another.
struct Pages {
    out: TrackedWrite<Vec<u8>>,
    packer: zstd::bulk::Compressor<'static>,
    compressed: u64,
    uncompressed: u64,
    data_begins: u64,
}

impl Pages {
    fn new() -> Result<Self> {
        Ok(Self {
            out: TrackedWrite::new(Vec::new()),
            packer: zstd::bulk::Compressor::new(1).map_err(ParquetError::from)?,
            compressed: 0,
            uncompressed: 0,
            data_begins: 0,
        })
    }

    fn write(&mut self, page: Page, uncompressed: usize) -> Result<PageWriteSpec> {
        let mut writer = SerializedPageWriter::new(&mut self.out);
        let spec = writer.write_page(CompressedPage::new(page, uncompressed))?;
        self.compressed += spec.bytes_written;
        self.uncompressed += spec.uncompressed_size as u64;
        Ok(spec)
    }

    fn dictionary(&mut self, plain: &[u8], names: u32) -> Result<()> {
        let page = Page::DictionaryPage {
            buf: self.packer.compress(plain)?.into(),
            num_values: names,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.write(page, plain.len())?;
        self.data_begins = self.compressed;
        Ok(())
    }

    fn data(&mut self, numbers: &[u32], width: u8, max_level: i16) -> Result<PageWriteSpec> {
        let mut plain = Vec::with_capacity(numbers.len() * usize::from(width) / 8 + 32);
        if max_level > 0 {
            // Nothing is absent: one run of the greatest level.
            let mut levels = Vec::new();
            put_run(&mut levels, numbers.len(), max_level as u32, 1);
            plain.extend_from_slice(&(levels.len() as u32).to_le_bytes());
            plain.extend_from_slice(&levels);
        }
        plain.push(width);
        match numbers.iter().all(|number| *number == numbers[0]) {
            true => put_run(
                &mut plain,
                numbers.len(),
                numbers[0],
                usize::from(width).div_ceil(8),
            ),
            false => put_packed(&mut plain, numbers, width),
        }
        let page = Page::DataPage {
            buf: self.packer.compress(&plain)?.into(),
            num_values: numbers.len() as u32,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.write(page, plain.len())
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A value that is repeated, in so many bytes.
fn put_run(out: &mut Vec<u8>, count: usize, value: u32, bytes: usize) {
    put_varint(out, (count as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Groups of eight values, `width` bits each, the last group filled up.
fn put_packed(out: &mut Vec<u8>, values: &[u32], width: u8) {
    put_varint(out, (values.len().div_ceil(8) as u64) << 1 | 1);
    for group in values.chunks(8) {
        let (mut bits, mut held) = (0_u64, 0_u32);
        for at in 0..8 {
            bits |= u64::from(group.get(at).copied().unwrap_or(0)) << held;
            held += u32::from(width);
            while held >= 8 {
                out.push(bits as u8);
                bits >>= 8;
                held -= 8;
            }
        }
    }
}
