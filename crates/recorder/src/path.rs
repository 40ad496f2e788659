//! Where a capture goes: the path that was asked for becomes a file that did not exist before.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StartError;
use crate::parts::names;
use crate::{flight, machine};

/// How many names are tried in a directory before giving up: recorders of one process, started in one second.
const NAMES_TRIED: u32 = 1_000;
/// Captures may hold names and ids of customers: nobody but the owner and the group reads them.
pub(crate) const CAPTURE_MODE: u32 = 0o640;

/// Where the files of a capture are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    /// What the names of all parts begin with; `None` if there is one file only.
    stem: Option<OsString>,
    /// The one file, or the first part.
    pub(crate) first: PathBuf,
    /// The directory was not there before, and is the recorder's to make again.
    is_made: bool,
}

impl Place {
    /// The file of a part.
    pub(crate) fn path_of(&self, number: u32) -> PathBuf {
        match &self.stem {
            Some(stem) => self.directory.join(names::name_of(stem, number)),
            None => self.first.clone(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates the file of a part. A directory that the recorder has made is made again if it is gone.
    ///
    /// # Errors
    /// It exists, or cannot be created.
    pub(crate) fn create_part(&self, number: u32) -> io::Result<File> {
        let path = self.path_of(number);
        match create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_made => {
                fs::create_dir_all(&self.directory)?;
                create_new(&path)
            }
            created => created,
        }
    }
}

/// Creates the capture's file, or its first part if it `has_parts`.
///
/// A path that ends in `/`, or that is a directory, gets a file named by the UTC time and the process id; the
/// directory is made if it is missing. Any other path is the file itself, in a directory that must exist; parts have their
/// number before its extension.
///
/// # Errors
/// The file exists (it is never overwritten), or it or its directory cannot be created.
pub(crate) fn create(asked: &Path, has_parts: bool) -> Result<(File, Place), StartError> {
    if is_directory(asked) {
        let is_made = !asked.is_dir();
        fs::create_dir_all(asked).map_err(|source| StartError::Directory {
            path: asked.into(),
            source,
        })?;
        let directory = absolute(asked);
        let (file, stem, first) = create_named_by_time(&directory, has_parts)?;
        let stem = has_parts.then_some(stem);
        return Ok((
            file,
            Place {
                directory,
                stem,
                first,
                is_made,
            },
        ));
    }
    let asked = absolute(asked);
    let directory = names::directory_of(&asked).unwrap_or(Path::new("/"));
    let stem = has_parts.then(|| stem_of(&asked));
    let exists = || StartError::CaptureExists {
        path: asked.clone(),
    };
    if let Some(stem) = &stem
        && names::has_parts(directory, stem)
    {
        return Err(exists());
    }
    let first = match &stem {
        Some(stem) => directory.join(names::name_of(stem, 0)),
        None => asked.clone(),
    };
    match create_new(&first) {
        Ok(file) => Ok((
            file,
            Place {
                directory: directory.to_owned(),
                stem,
                first,
                is_made: false,
            },
        )),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(source) => Err(StartError::CreateCapture {
            path: first,
            source,
        }),
    }
}

/// What the parts of a capture of this name are called: `x` for `x.bin`, and the whole name for any other.
fn stem_of(asked: &Path) -> OsString {
    let is_usual = asked.extension().is_some_and(|it| it == "bin");
    let stem = if is_usual {
        asked.file_stem()
    } else {
        asked.file_name()
    };
    stem.unwrap_or_default().to_owned()
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
        let first = flight::part_path(&base, 0);
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

fn create_named_by_time(
    directory: &Path,
    has_parts: bool,
) -> Result<(File, OsString, PathBuf), StartError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let usual = format!("{}-{}", utc_stamp(now), std::process::id());
    for number in 1..=NAMES_TRIED {
        let stem = OsString::from(if number == 1 {
            usual.clone()
        } else {
            format!("{usual}-{number}")
        });
        let mut name = stem.clone();
        if has_parts {
            name = names::name_of(&stem, 0);
        } else {
            name.push(".bin");
        }
        let path = directory.join(name);
        match create_new(&path) {
            Ok(file) => return Ok((file, stem, path)),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(StartError::CreateCapture { path, source }),
        }
    }
    Err(StartError::CaptureExists {
        path: directory.join(usual),
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
        for has_parts in [false, true] {
            let created = |which| create(Path::new(&asked), has_parts).expect(which).1;
            let (first, second) = (created("a first file").first, created("a second").first);
            assert_ne!(first, second);
            assert!(first.starts_with(dir.path().join("new/deep")));
            let name = first.to_string_lossy();
            assert_eq!(name.ends_with(".00000.bin"), has_parts, "{name}");
            assert!(name.ends_with(".bin"));
        }
    }

    #[test]
    fn a_name_gets_numbers_for_parts_and_no_part_may_be_there() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let create = |name: &str| create(&dir.path().join(name), true);
        let (_, place) = create("x.bin").expect("a part");
        assert_eq!(place.first, dir.path().join("x.00000.bin"));
        assert_eq!(place.path_of(12), dir.path().join("x.00012.bin"));
        place.create_part(1).expect("the next");
        let taken = place.create_part(1).expect_err("not twice");
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&place.first).expect("removed");
        let error = create("x.bin").expect_err("its second part is there");
        assert!(matches!(error, StartError::CaptureExists { .. }), "{error}");
        let (_, place) = create("x.perf").expect("a part");
        assert_eq!(place.first, dir.path().join("x.perf.00000.bin"));
    }

    #[test]
    fn only_a_directory_that_was_made_is_made_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("captures");
        for is_made in [true, false] {
            let asked = format!("{}/", path.display());
            let (_, place) = create(Path::new(&asked), true).expect("a part");
            fs::remove_dir_all(&path).expect("gone");
            assert_eq!(place.create_part(1).is_ok(), is_made);
            if is_made {
                assert!(place.path_of(1).exists());
            }
        }
    }

    #[test]
    fn an_existing_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("mine.bin");
        fs::write(&path, b"precious").expect("a file");
        let error = create(&path, false).expect_err("refused");
        assert!(
            matches!(&error, StartError::CaptureExists { path: named } if *named == path),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
    }

    #[test]
    fn a_file_in_a_missing_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = create(&dir.path().join("missing/mine.bin"), false).expect_err("refused");
        assert!(matches!(error, StartError::CreateCapture { .. }), "{error}");
    }
}
