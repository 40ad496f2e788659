//! Metadata: the file header, and the records of the small chunks.

use perf_format::{ChunkKind, ChunkStream, Close, FileHeader, Index};

use super::{capture, repair};

/// Reads the bytes as a file header, and as the records of one chunk whose kind the first byte gives.
pub fn metadata(bytes: &[u8]) {
    header(bytes);
    let mut mended = bytes.to_vec();
    repair::file_header(&mut mended);
    header(&mended);
    if let Some((kind, records)) = bytes.split_first() {
        chunk(u16::from(kind % 8), records);
    }
}

/// A header that can be read can be written and read again. Writing may cut its texts; after that nothing changes.
fn header(bytes: &[u8]) {
    let Ok((header, len)) = FileHeader::parse(bytes) else {
        return;
    };
    assert!(len <= bytes.len());
    let first = written(&header);
    let (second, len) = FileHeader::parse(&first).expect("a header that was just written");
    assert_eq!(len, first.len());
    assert_eq!(second.capture_id, header.capture_id);
    assert!(second.labels.len() <= header.labels.len());
    assert_eq!(written(&second), first);
}

fn written(header: &FileHeader) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    bytes
}

/// A file of a header and one chunk of records.
fn chunk(kind: u16, records: &[u8]) {
    let mut file = written(&FileHeader::default());
    let start = file.len();
    // The frame comes from the writer, and its one column is then replaced.
    ChunkStream::new().close(Close::default(), &mut file);
    let head_len = 72 + 16 + 4;
    file.truncate(start + head_len);
    file[start + 8..start + 10].copy_from_slice(&kind.to_le_bytes());
    let len = records.len() as u32;
    file[start + 16..start + 24].copy_from_slice(&u64::from(len).to_le_bytes());
    file[start + 80..start + 84].copy_from_slice(&len.to_le_bytes());
    file.extend_from_slice(records);
    repair::file(&mut file[..start + head_len + records.len()]);
    capture::capture(&file);
    let index = Index::build(&file).expect("the header is intact");
    if kind == ChunkKind::EVENTS.0 || kind == ChunkKind::ROLLUP.0 {
        return;
    }
    assert_eq!(index.chunks.len(), 1, "the frame is intact");
    if index.damage.is_empty() {
        again(&index);
    }
}

/// Records that were read can be written and read again.
fn again(index: &Index) {
    let first = rewritten(index);
    let read = Index::build(&first).expect("a file that was just written");
    assert!(read.damage.is_empty(), "{:?}", read.damage);
    assert_eq!(read.tables.events.len(), index.tables.events.len());
    assert_eq!(read.anchors.anchors, index.anchors.anchors);
    assert_eq!(read.open_spans, index.open_spans);
    assert_eq!(rewritten(&read), first);
}

fn rewritten(index: &Index) -> Vec<u8> {
    let mut file = written(&FileHeader::default());
    let mut stream = ChunkStream::new();
    stream.tables(&index.tables, &mut file);
    stream.anchors(&index.anchors.anchors, &mut file);
    stream.notes(&index.notes, &mut file);
    stream.open_spans(&index.open_spans, &mut file);
    if let Some(close) = &index.close {
        stream.close(close.clone(), &mut file);
    }
    file
}
