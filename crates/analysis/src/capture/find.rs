//! From what a user names to a list of files.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// How the names of captures end in a directory.
const ENDING: &str = ".bin";
/// What is added to the name of one that was compressed.
const COMPRESSED: &str = ".zst";

/// The files that `patterns` name, each once, or why a pattern names none.
pub(super) fn find(patterns: &[PathBuf]) -> Vec<Result<PathBuf, Error>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for pattern in patterns {
        match expand(pattern) {
            Ok(paths) => {
                found.extend(
                    paths
                        .into_iter()
                        .filter_map(|path| match fs::metadata(&path) {
                            Ok(meta) => seen.insert((meta.dev(), meta.ino())).then_some(Ok(path)),
                            Err(error) => Some(Err(io_error(&path, error))),
                        }),
                )
            }
            Err(error) => found.push(Err(error)),
        }
    }
    found
}

/// What a file is called once a recorder has compressed it.
pub(super) fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(COMPRESSED);
    PathBuf::from(name)
}

/// Sorts what a directory or a glob yields, without the compressed copies of what is there as it was, too: a recorder that
/// was killed between the two steps leaves both.
fn sorted(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    let plain: HashSet<PathBuf> = paths.iter().map(|path| compressed(path)).collect();
    paths.retain(|path| !plain.contains(path));
    paths
}

/// An existing path stands for itself, whatever characters it holds; only then is it a glob.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::metadata(pattern) {
        Ok(meta) if meta.is_dir() => in_directory(pattern),
        Ok(meta) => regular(pattern, &meta).map(|()| vec![pattern.to_owned()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match pattern.to_str() {
            Some(text) if text.contains(['*', '?', '[']) => by_glob(pattern, text),
            _ => Err(Error::new(pattern, ErrorKind::NotFound)),
        },
        Err(error) => Err(io_error(pattern, error)),
    }
}

fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(directory).map_err(|error| io_error(directory, error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| io_error(directory, error))?.path();
        let name = path.as_os_str().as_bytes();
        let is_capture =
            (name.strip_suffix(COMPRESSED.as_bytes()).unwrap_or(name)).ends_with(ENDING.as_bytes());
        if is_capture && path.is_file() {
            paths.push(path);
        }
    }
    let paths = sorted(paths);
    match paths.is_empty() {
        true => Err(Error::new(directory, ErrorKind::NoCaptures)),
        false => Ok(paths),
    }
}

fn by_glob(pattern: &Path, text: &str) -> Result<Vec<PathBuf>, Error> {
    let matches = glob::glob(text)
        .map_err(|error| Error::new(pattern, ErrorKind::BadPattern(error.to_string())))?;
    // A directory that may not be listed hides files: say so rather than leave them out.
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            io_error(&path, error.into())
        })?;
        if path.is_file() {
            paths.push(path);
        }
    }
    let paths = sorted(paths);
    match paths.is_empty() {
        true => Err(Error::new(pattern, ErrorKind::NotFound)),
        false => Ok(paths),
    }
}

/// Opening a pipe would wait for a writer, reading a device may never end.
fn regular(path: &Path, meta: &Metadata) -> Result<(), Error> {
    match meta.is_file() {
        true => Ok(()),
        false => Err(Error::new(path, ErrorKind::NotAFile)),
    }
}

pub(crate) fn io_error(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io(error),
    };
    Error::new(path, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: Vec<Result<PathBuf, Error>>) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        found
            .into_iter()
            .map(|each| each.map_or_else(|error| error.kind.to_string(), name))
            .collect()
    }

    #[test]
    fn files_directories_and_globs() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["b.bin", "a.bin", "c.txt", "[x].bin"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::create_dir(at("empty")).unwrap();
        std::os::unix::fs::symlink(at("a.bin"), at("z.bin")).unwrap();

        assert_eq!(
            names(find(&[dir.path().into()])),
            ["[x].bin", "a.bin", "b.bin"],
            "z.bin is a.bin"
        );
        assert_eq!(
            names(find(&[at("b*.bin"), at("a.bin"), at("b.bin")])),
            ["b.bin", "a.bin"]
        );
        fs::write(at("a.bin.zst"), "x").unwrap();
        fs::write(at("d.bin.zst"), "x").unwrap();
        assert_eq!(
            names(find(&[dir.path().into()])),
            ["[x].bin", "a.bin", "b.bin", "d.bin.zst"],
            "a.bin is there as it was"
        );
        assert_eq!(
            names(find(&[at("*.bin*")])),
            ["[x].bin", "a.bin", "b.bin", "d.bin.zst"]
        );
        assert_eq!(
            names(find(&[at("a.bin.zst")])),
            ["a.bin.zst"],
            "as it was named"
        );
        assert_eq!(
            names(find(&[at("[x].bin")])),
            ["[x].bin"],
            "an existing name is no glob"
        );
        assert_eq!(
            names(find(&[at("c.txt")])),
            ["c.txt"],
            "a named file may have any extension"
        );
        assert!(names(find(&[at("none")]))[0].contains("no such file"));
        assert!(names(find(&[at("none*")]))[0].contains("no such file"));
        assert!(names(find(&[at("a[")]))[0].contains("not a usable pattern"));
        assert!(names(find(&[at("empty")]))[0].contains("holds no capture"));
        assert!(names(find(&["/dev/null".into()]))[0].contains("not a regular file"));
    }
}
