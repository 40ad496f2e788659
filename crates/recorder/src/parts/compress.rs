//! A closed part as `STEM.00000.bin.zst`: zstd frames that each hold whole chunks, and a table of them at the end, so that a
//! reader decompresses only what it needs. Any tool that knows zstd decompresses the whole file. FORMAT.md has the bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use perf_format::{FileHeader, Index, SeekEntry, encode_seek_table};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::files::Part;
use super::keeper::Keeper;
use super::names;
use crate::handoff::{Handoff, Hook};
use crate::path::CAPTURE_MODE;

/// Bytes of the part that one frame holds, about. A chunk is never cut.
const FRAME_BYTES: u64 = 1 << 20;

/// Puts a compressed file in the place of a part that is closed. Whenever it is killed, one of the two is whole. If the keeper is
/// in a hurry the part is left as it is.
///
/// # Errors
/// What the system or the compressor says; the part is left as it is.
pub(super) fn compress(
    part: &Part,
    level: i32,
    keeper: &Keeper,
    hook: Option<Hook>,
) -> io::Result<()> {
    let target = names::with_suffix(&part.path, names::COMPRESSED_SUFFIX);
    let temporary = names::with_suffix(&target, names::UNFINISHED);
    // One that is left over is of somebody who died: the part is locked.
    let _ = fs::remove_file(&temporary);
    let written = write(&part.file, level, &temporary, keeper);
    let is_whole = match written {
        Ok(is_whole) => is_whole,
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
    };
    if !is_whole {
        return fs::remove_file(&temporary);
    }
    told(hook, Handoff::PartCompressed);
    let renamed = fs::rename(&temporary, &target);
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed?;
    // Only then is it safe to do without the other.
    names::sync_directory_of(&target)?;
    told(hook, Handoff::PartRenamed);
    fs::remove_file(&part.path)
}

fn told(hook: Option<Hook>, handoff: Handoff) {
    if let Some(hook) = hook {
        hook(handoff);
    }
}

/// Writes the whole file and brings it to the disk. False if there is no time for it.
fn write(plain: &File, level: i32, to: &Path, keeper: &Keeper) -> io::Result<bool> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(CAPTURE_MODE)
        .open(to)?;
    let _ = file.try_lock();
    let mut compressor = Compressor::new(level)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut out = BufWriter::new(&file);
    let mut frames = Vec::new();
    let (mut bytes, mut packed) = (Vec::new(), Vec::new());
    for (from, upto) in frames_of(plain)? {
        if keeper.is_hurried() {
            return Ok(false);
        }
        bytes.resize(usize::try_from(upto - from).unwrap_or(usize::MAX), 0);
        plain.read_exact_at(&mut bytes, from)?;
        packed.clear();
        packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        compressor.compress_to_buffer(&bytes, &mut packed)?;
        out.write_all(&packed)?;
        frames.push(SeekEntry {
            stored_bytes: length(packed.len())?,
            content_bytes: length(bytes.len())?,
        });
    }
    out.write_all(&encode_seek_table(&frames))?;
    out.flush()?;
    drop(out);
    // It is as old as what it holds.
    file.set_modified(plain.metadata()?.modified()?)?;
    file.sync_all()?;
    Ok(true)
}

/// Where frames begin and end in a part: at chunks, the first at the header.
fn frames_of(plain: &File) -> io::Result<Vec<(u64, u64)>> {
    let index = Index::read(plain).map_err(io::Error::other)?;
    let mut frames = Vec::new();
    let mut from = 0;
    for chunk in &index.chunks {
        let end = chunk.offset + chunk.head.chunk_len();
        // A frame ends before the chunk that is too much for it.
        if end - from > FRAME_BYTES && chunk.offset > from {
            frames.push((from, chunk.offset));
            from = chunk.offset;
        }
    }
    if index.file_len > from {
        frames.push((from, index.file_len));
    }
    Ok(frames)
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(io::Error::other)
}

/// The header of the part in a compressed file.
pub(crate) fn header_of(file: &File) -> Option<FileHeader> {
    let mut plain = zstd::Decoder::new(file).ok()?;
    let mut bytes = vec![0; names::HEAD_BYTES];
    plain.read_exact(&mut bytes).ok()?;
    let length = names::header_length(&bytes)?;
    let rest = length.checked_sub(bytes.len())? as u64;
    plain.take(rest).read_to_end(&mut bytes).ok()?;
    FileHeader::parse(&bytes).ok().map(|(header, _)| header)
}

/// What a compressed part holds, in a file without a name in `directory`.
///
/// # Errors
/// What the system or the decompressor says.
pub(crate) fn unpacked(path: &Path, directory: &Path) -> io::Result<File> {
    let packed = File::open(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{}", std::process::id(), names::UNFINISHED));
    let temporary = directory.join(name);
    let plain = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(CAPTURE_MODE)
        .open(&temporary)?;
    fs::remove_file(&temporary)?;
    zstd::stream::copy_decode(packed, &plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use perf_format::{CaptureWriter, ChunkEncoder, Close, Origin, RingId, Row, RunHead, Tag};

    use super::*;

    /// A part with so many chunks of random numbers.
    fn part(path: &Path, chunks: u64) -> Vec<u8> {
        let header = FileHeader {
            part: 3,
            origin: Origin {
                command: "mine".to_owned(),
                ..Origin::default()
            },
            ..FileHeader::default()
        };
        let mut writer = CaptureWriter::new(Vec::new(), &header).expect("written");
        let mut random = 7_u64;
        for chunk in 0..chunks {
            let rows = (0..20_000).map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                Row {
                    tag: Tag::OBSERVATION,
                    value: random >> 40,
                    ..Row::default()
                }
            });
            let mut encoder = ChunkEncoder::new();
            let head = RunHead {
                ring: RingId(1),
                first_seq: chunk * 20_000,
                ..RunHead::default()
            };
            encoder.push_run(head, rows);
            writer.events(&mut encoder).expect("written");
        }
        let bytes = writer.close(Close::default()).expect("written");
        fs::write(path, &bytes).expect("a file");
        bytes
    }

    fn opened(path: &Path) -> Part {
        Part::new(File::open(path).expect("a file"), path.to_owned(), 0)
    }

    fn files_in(dir: &tempfile::TempDir) -> usize {
        fs::read_dir(dir.path()).expect("listed").count()
    }

    #[test]
    fn the_whole_comes_back_and_each_frame_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.00003.bin");
        let plain = part(&path, 60);
        assert!(plain.len() as u64 > 2 * FRAME_BYTES);
        compress(&opened(&path), 3, &Keeper::default(), None).expect("compressed");
        assert!(!path.exists());
        let packed_path = dir.path().join("x.00003.bin.zst");
        let packed = fs::read(&packed_path).expect("a file");
        println!("{} bytes became {}", plain.len(), packed.len());
        assert_eq!(zstd::decode_all(&packed[..]).expect("decoded"), plain);
        assert_eq!(files_in(&dir), 1, "nothing else is left");

        let word = |at: usize| {
            let bytes = packed[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        let end = packed.len();
        assert_eq!((word(end - 4), packed[end - 5]), (0x8F92_EAB1, 0));
        let frames = word(end - 9) as usize;
        let entries = end - 9 - 8 * frames;
        assert_eq!(word(entries - 8), 0x184D_2A5E);
        assert_eq!(word(entries - 4) as usize, 8 * frames + 9);
        assert!(frames > 2);
        let index = Index::build(&plain).expect("a capture");
        let (mut at, mut from) = (0, 0);
        for frame in 0..frames {
            let entry = entries + 8 * frame;
            let (here, there) = (word(entry) as usize, word(entry + 4) as usize);
            let bytes = zstd::decode_all(&packed[at..at + here]).expect("a frame");
            assert_eq!(bytes, plain[from..from + there]);
            let is_chunk = index.chunks.iter().any(|it| it.offset == from as u64);
            assert!(frame == 0 || is_chunk, "frame {frame} begins at {from}");
            (at, from) = (at + here, from + there);
        }
        assert_eq!((at, from), (entries - 8, plain.len()));

        let file = File::open(&packed_path).expect("a file");
        let header = header_of(&file).expect("a header");
        assert_eq!((header.part, header.origin.command.as_str()), (3, "mine"));
        let file = unpacked(&packed_path, dir.path()).expect("unpacked");
        assert_eq!(file.metadata().expect("a file").len(), plain.len() as u64);
        assert_eq!(files_in(&dir), 1, "nothing else is left");
    }

    #[test]
    fn without_time_the_part_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.00003.bin");
        let plain = part(&path, 2);
        let keeper = Keeper::default();
        assert!(!keeper.end(Duration::ZERO, Duration::ZERO));
        compress(&opened(&path), 3, &keeper, None).expect("left alone");
        assert_eq!(fs::read(&path).expect("a file"), plain);
        assert_eq!(files_in(&dir), 1);
    }

    #[test]
    fn what_cannot_be_compressed_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.00003.bin");
        fs::write(&path, b"no capture").expect("a file");
        let tried = compress(&opened(&path), 3, &Keeper::default(), None);
        tried.expect_err("it is no capture");
        assert_eq!(files_in(&dir), 1);
    }
}
