//! Captures of several parts, as their files lie in a directory.

use std::path::{Path, PathBuf};

use super::Capture;

/// The parts of the capture `stem`, in their order; of one that is there both plain and compressed the plain one, as readers take
/// them.
pub(crate) fn parts_of(directory: &Path, stem: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = names_in(directory)
        .into_iter()
        .filter_map(|name| {
            let rest = name.strip_prefix(stem)?.strip_prefix('.')?;
            let number = rest.strip_suffix(".zst").unwrap_or(rest);
            let number = number.strip_suffix(".bin")?;
            let is_number = number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number
                .then(|| number.parse().ok())?
                .map(|number| (number, directory.join(&name)))
        })
        .collect();
    // The plain one has the shorter name.
    found.sort();
    found.dedup_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, path)| path).collect()
}

/// All names in a directory, sorted.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Reads a part, compressed or not.
pub(crate) fn open(path: &Path) -> Capture {
    if path.extension().is_some_and(|it| it == "zst") {
        let bytes = zstd::decode_all(std::fs::File::open(path).expect("a file"));
        let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return Capture::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    Capture::open(path)
}

/// The part's number, by its header.
pub(crate) fn number(part: &Capture) -> u32 {
    part.index.header.as_ref().expect("a header").part
}
