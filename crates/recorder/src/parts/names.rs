//! The names of parts: `STEM.00000.bin`, and `STEM.00000.bin.zst` of one that was compressed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use perf_format::{CaptureId, FileHeader, MAGIC, limits};

const PLAIN: &[u8] = b".bin";
const COMPRESSED: &[u8] = b".bin.zst";
const SALVAGED: &[u8] = b".salvaged.bin";
/// What the name of a compressed file ends in.
pub(crate) const COMPRESSED_SUFFIX: &str = ".zst";
/// What the name of a file ends in that is not yet whole.
pub(crate) const UNFINISHED: &str = ".tmp";
/// Digits of a part's number, at least.
const DIGITS: usize = 5;
/// Bytes of a header up to its length, which is the last of them.
pub(crate) const HEAD_BYTES: usize = 16;
/// Where a header has the capture's id.
const ID_AT: usize = 16;

/// What a file is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Part {
        stem: OsString,
        number: u32,
        is_compressed: bool,
    },
    /// What was left of a capture whose process had died.
    Remainder,
}

/// The name of a part.
pub(crate) fn name_of(stem: &OsStr, number: u32) -> OsString {
    let mut name = stem.to_owned();
    name.push(format!(".{number:0DIGITS$}.bin"));
    name
}

/// What the file of this name is; `None` if no recorder gives such a name.
pub(crate) fn parse(name: &OsStr) -> Option<Named> {
    let bytes = name.as_bytes();
    if bytes
        .strip_suffix(SALVAGED)
        .is_some_and(|it| !it.is_empty())
    {
        return Some(Named::Remainder);
    }
    let compressed = bytes.strip_suffix(COMPRESSED);
    let rest = compressed.or_else(|| bytes.strip_suffix(PLAIN))?;
    let dot = rest.iter().rposition(|byte| *byte == b'.')?;
    let (stem, digits) = (&rest[..dot], &rest[dot + 1..]);
    let is_number = digits.len() == DIGITS || (digits.len() > DIGITS && digits[0] != b'0');
    if stem.is_empty() || !is_number || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(Named::Part {
        stem: OsString::from_vec(stem.to_vec()),
        number: std::str::from_utf8(digits).ok()?.parse().ok()?,
        is_compressed: compressed.is_some(),
    })
}

/// What the name of a capture is built on: `x` of `x.bin` and of `x.00003.bin`.
pub(crate) fn stem_of(capture: &Path) -> OsString {
    let name = capture.file_name().unwrap_or_default();
    match parse(name) {
        Some(Named::Part { stem, .. }) => stem,
        _ => capture.file_stem().unwrap_or_default().to_owned(),
    }
}

/// Another file beside a capture: `x.bin`, and `x.00003.bin`, become `x.EXTENSION`.
pub(crate) fn beside(capture: &Path, extension: &str) -> PathBuf {
    let mut name = stem_of(capture);
    name.push(".");
    name.push(extension);
    capture.with_file_name(name)
}

/// A part of a capture, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sibling {
    pub(crate) number: u32,
    pub(crate) is_compressed: bool,
    pub(crate) path: PathBuf,
}

impl Sibling {
    /// Whether it begins with the header of this capture.
    pub(crate) fn is_of(&self, id: CaptureId) -> bool {
        let file = File::open(&self.path).ok();
        let header = file.and_then(|file| match self.is_compressed {
            true => packed_header_of(&file),
            false => header_of(&file),
        });
        header.is_some_and(|header| header.capture_id == id)
    }
}

/// The parts of the capture beside the part `capture`, in their order; of one that is there both plain and compressed, the plain
/// one. Empty if the capture has no parts.
pub(crate) fn siblings(capture: &Path) -> Vec<Sibling> {
    let name = capture.file_name().unwrap_or_default();
    let Some(Named::Part { stem: own, .. }) = parse(name) else {
        return Vec::new();
    };
    let Some(Ok(entries)) = directory_of(capture).map(fs::read_dir) else {
        return Vec::new();
    };
    let sibling = |entry: fs::DirEntry| match parse(&entry.file_name()) {
        Some(Named::Part {
            stem,
            number,
            is_compressed,
        }) if stem == own => Some(Sibling {
            number,
            is_compressed,
            path: capture.with_file_name(entry.file_name()),
        }),
        _ => None,
    };
    let mut found: Vec<_> = entries.flatten().filter_map(sibling).collect();
    found.sort();
    found.dedup_by_key(|sibling| sibling.number);
    found
}

/// Whether the directory has a part of this stem, compressed or not.
pub(crate) fn has_parts(directory: &Path, own: &OsStr) -> bool {
    let is_ours =
        |name: &OsStr| matches!(parse(name), Some(Named::Part { stem, .. }) if stem == own);
    fs::read_dir(directory)
        .is_ok_and(|entries| entries.flatten().any(|entry| is_ours(&entry.file_name())))
}

/// The path with more at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The directory of a file.
pub(crate) fn directory_of(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Bytes of a header, of which these are the beginning; `None` if there can be no such header.
pub(crate) fn header_length(beginning: &[u8]) -> Option<usize> {
    let bytes = beginning.get(12..HEAD_BYTES)?.try_into().ok()?;
    let length = u32::from_le_bytes(bytes) as usize;
    (length <= limits::MAX_FILE_HEAD_BYTES).then_some(length)
}

/// The header at the beginning of a file; `None` if there is none that is whole.
pub(crate) fn header_of(file: &File) -> Option<FileHeader> {
    let mut head = [0; HEAD_BYTES];
    file.read_exact_at(&mut head, 0).ok()?;
    let mut bytes = vec![0; header_length(&head)?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    FileHeader::parse(&bytes).ok().map(|(header, _)| header)
}

#[cfg(feature = "zstd")]
pub(crate) use super::compress::header_of as packed_header_of;

/// What cannot be read may be anybody's.
#[cfg(not(feature = "zstd"))]
pub(crate) fn packed_header_of(_: &File) -> Option<FileHeader> {
    None
}

/// Whether the file at `path` begins with the header of this capture.
pub(crate) fn is_of(path: &Path, id: CaptureId) -> bool {
    let header = File::open(path).ok().and_then(|file| header_of(&file));
    header.is_some_and(|header| header.capture_id == id)
}

/// Whether the file is the beginning of a header of this capture, and no more: its process died before it had written that.
pub(crate) fn is_stump(path: &Path, id: CaptureId) -> bool {
    let mut bytes = Vec::new();
    let most = limits::MAX_FILE_HEAD_BYTES as u64;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    if read.is_err() {
        return false;
    }
    let has = |at: usize, expected: &[u8]| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.iter().zip(expected).all(|(one, other)| one == other)
    };
    let is_short = bytes.len() < HEAD_BYTES
        || header_length(&bytes).is_some_and(|length| bytes.len() < length);
    is_short && has(0, &MAGIC) && has(ID_AT, &id.0)
}

/// Makes a new name in this directory survive a crash of the host.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The same for the name of this file.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    sync_directory(directory_of(path).unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (number, name) in [
            (0, "x.y.00000.bin"),
            (99_999, "x.y.99999.bin"),
            (100_000, "x.y.100000.bin"),
            (u32::MAX, "x.y.4294967295.bin"),
        ] {
            assert_eq!(name_of(OsStr::new("x.y"), number), name);
            let part = |is_compressed| {
                Some(Named::Part {
                    stem: "x.y".into(),
                    number,
                    is_compressed,
                })
            };
            assert_eq!(parse(OsStr::new(name)), part(false));
            assert_eq!(parse(OsStr::new(&format!("{name}.zst"))), part(true));
        }
        assert_eq!(parse(OsStr::new("x.salvaged.bin")), Some(Named::Remainder));
    }

    #[test]
    fn what_no_recorder_names_is_nothing() {
        for name in [
            "x.bin",
            ".00000.bin",
            "00000.bin",
            "x.0000.bin",
            "x.000000.bin",
            "x.0000a.bin",
            "x.+0000.bin",
            "x.99999999999.bin",
            "x.00000.bin.zst.tmp",
            "x.00000.bin.gz",
            "x.00000.bin.tmp",
            ".salvaged.bin",
            "x.salvaged.bin.tmp",
        ] {
            assert_eq!(parse(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_beginning_of_a_header_is_a_stump_and_a_whole_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.00001.bin");
        let header = FileHeader {
            capture_id: CaptureId([5; 16]),
            ..FileHeader::default()
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        for length in 0..=bytes.len() {
            fs::write(&path, &bytes[..length]).expect("a file");
            let is_whole = length == bytes.len();
            assert_eq!(is_stump(&path, header.capture_id), !is_whole, "{length}");
            let of_another = is_stump(&path, CaptureId([6; 16]));
            assert_eq!(of_another, length <= ID_AT, "{length}");
        }
        fs::write(&path, b"notes").expect("a file");
        assert!(!is_stump(&path, header.capture_id));
        assert!(!is_stump(dir.path(), header.capture_id));
    }

    #[test]
    fn what_lies_beside_a_part_is_named_by_the_capture() {
        let beside = |path| beside(Path::new(path), "salvaged.bin");
        assert_eq!(beside("a/x.00007.bin"), Path::new("a/x.salvaged.bin"));
        assert_eq!(beside("a/x.bin"), Path::new("a/x.salvaged.bin"));
        assert_eq!(beside("x.y.bin"), Path::new("x.y.salvaged.bin"));
    }
}
