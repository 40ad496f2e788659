//! Where a capture goes: the path that was asked for becomes a file that did not exist before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StartError;
use crate::machine;

/// How many names are tried in a directory before giving up: recorders of one process, started in one second.
const NAMES_TRIED: u32 = 1_000;
/// Captures may hold names and ids of customers: nobody but the owner and the group reads them.
pub(crate) const CAPTURE_MODE: u32 = 0o640;

/// Creates the capture's file.
///
/// A path that ends in `/`, or that is a directory, gets a file named by the UTC time and the process id; the
/// directory is made if it is missing. Any other path is the file itself, in a directory that must exist.
///
/// # Errors
/// The file exists (it is never overwritten), or it or its directory cannot be created.
pub(crate) fn create(asked: &Path) -> Result<(File, PathBuf), StartError> {
    if is_directory(asked) {
        fs::create_dir_all(asked).map_err(|source| StartError::Directory {
            path: asked.into(),
            source,
        })?;
        return create_named_by_time(asked);
    }
    match create_new(asked) {
        Ok(file) => Ok((file, absolute(asked))),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(StartError::CaptureExists { path: asked.into() })
        }
        Err(source) => Err(StartError::CreateCapture {
            path: asked.into(),
            source,
        }),
    }
}

fn is_directory(asked: &Path) -> bool {
    asked.as_os_str().as_bytes().ends_with(b"/") || asked.is_dir()
}

/// The directory that the capture will be in, made if [`create`] would make it. `None` if there is none.
pub(crate) fn directory_of(asked: &Path) -> Option<PathBuf> {
    let directory = if is_directory(asked) {
        fs::create_dir_all(asked).ok()?;
        asked.to_owned()
    } else {
        absolute(asked).parent()?.to_owned()
    };
    Some(absolute(&directory))
}

/// The path for the child of a fork: a directory stays, a file gets the child's process id before its extension.
pub(crate) fn for_child(asked: &Path) -> PathBuf {
    if is_directory(asked) {
        return asked.to_owned();
    }
    let mut name = asked.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", std::process::id()));
    if let Some(extension) = asked.extension() {
        name.push(".");
        name.push(extension);
    }
    asked.with_file_name(name)
}

/// What the parts of a flight recorder are named after; nothing is created. A path that ends in `/`, or that is a directory,
/// gets a name by UTC time, process id and chance: there is no file that would keep others from it.
///
/// # Errors
/// There is such a file, the directory cannot be made, or there is no chance to be had.
pub(crate) fn base(asked: &Path) -> Result<PathBuf, StartError> {
    if !is_directory(asked) {
        let base = absolute(asked);
        let first = base.with_extension("00000.bin");
        return match [&base, &first]
            .iter()
            .find(|path| path.symlink_metadata().is_ok())
        {
            Some(path) => Err(StartError::CaptureExists {
                path: path.to_path_buf(),
            }),
            None => Ok(base),
        };
    }
    fs::create_dir_all(asked).map_err(|source| StartError::Directory {
        path: asked.into(),
        source,
    })?;
    let id = machine::random_id().map_err(|source| StartError::System {
        action: "read random bytes for a name",
        source,
    })?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let pid = std::process::id();
    let name = format!("{}-{pid}-{:02x}{:02x}.bin", utc_stamp(now), id[0], id[1]);
    Ok(absolute(&asked.join(name)))
}

fn create_named_by_time(directory: &Path) -> Result<(File, PathBuf), StartError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let stem = format!("{}-{}", utc_stamp(now), std::process::id());
    for number in 1..=NAMES_TRIED {
        let name = if number == 1 {
            format!("{stem}.bin")
        } else {
            format!("{stem}-{number}.bin")
        };
        let path = directory.join(name);
        match create_new(&path) {
            Ok(file) => return Ok((file, absolute(&path))),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(StartError::CreateCapture { path, source }),
        }
    }
    Err(StartError::CaptureExists {
        path: directory.join(stem),
    })
}

fn create_new(path: &Path) -> io::Result<File> {
    // The standard library opens with O_CLOEXEC; `create_new` is O_CREAT | O_EXCL.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(CAPTURE_MODE)
        .open(path)
}

/// The path that `recover` finds later, wherever it is started. Falls back to what was asked.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// `20261124T142233Z` for a time in seconds since 1970.
fn utc_stamp(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Days since 1970-01-01 as year, month, day (Hinnant, "chrono-compatible low-level date algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_utc() {
        assert_eq!(utc_stamp(0), "19700101T000000Z");
        assert_eq!(utc_stamp(951_782_399), "20000228T235959Z");
        assert_eq!(utc_stamp(951_782_400), "20000229T000000Z");
        assert_eq!(utc_stamp(1_795_530_153), "20261124T142233Z");
        assert_eq!(utc_stamp(4_107_542_400), "21000301T000000Z");
    }

    #[test]
    fn a_directory_gets_a_file_of_its_own_each_time() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let asked = format!("{}/new/deep/", dir.path().display());
        let (_, first) = create(Path::new(&asked)).expect("a first file");
        let (_, second) = create(Path::new(&asked)).expect("a second file");
        assert_ne!(first, second);
        assert!(
            first
                .extension()
                .is_some_and(|extension| extension == "bin")
        );
        assert!(first.starts_with(dir.path().join("new/deep")));
    }

    #[test]
    fn an_existing_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("mine.bin");
        fs::write(&path, b"precious").expect("a file");
        let error = create(&path).expect_err("refused");
        assert!(
            matches!(&error, StartError::CaptureExists { path: named } if *named == path),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
    }

    #[test]
    fn a_file_in_a_missing_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = create(&dir.path().join("missing/mine.bin")).expect_err("refused");
        assert!(matches!(error, StartError::CreateCapture { .. }), "{error}");
    }
}
