//! Which parts are deleted: the oldest, until those that stay have no more bytes than they may.
//!
//! Only what this product named and wrote, of the same program and the same user, is counted and deleted; and never a file
//! that somebody has locked, which is how a living process says that it is not done with it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::names::{self, Named};

/// What may stay.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    pub(crate) directory: PathBuf,
    /// The program's name, as headers have it.
    pub(crate) command: String,
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) keep_for: Option<Duration>,
    /// What the part that is being written counts for, at least.
    pub(crate) reserve: u64,
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// The newest of them.
    pub(crate) last: PathBuf,
    /// One that could not be deleted, and why.
    pub(crate) refused: Option<(PathBuf, String)>,
}

impl Deleted {
    /// Both, the other one later.
    pub(crate) fn and(self, later: &Self) -> Self {
        let last = match later.files {
            0 => self.last,
            _ => later.last.clone(),
        };
        Self {
            files: self.files + later.files,
            bytes: self.bytes + later.bytes,
            last,
            refused: later.refused.clone().or(self.refused),
        }
    }
}

/// A file that counts. Ordered by age, the oldest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    modified: SystemTime,
    path: PathBuf,
    bytes: u64,
    inode: u64,
}

impl Retention {
    /// Deletes what is too old or too much. `current` is the part that this process is writing. `None` if another process is
    /// about the same in this directory.
    pub(crate) fn run(&self, current: &Path, now: SystemTime) -> Option<Deleted> {
        // Two that count at once would both delete what is too much.
        let directory = File::open(&self.directory).ok();
        let locked = directory.as_ref().map(File::try_lock);
        if let Some(Err(TryLockError::WouldBlock)) = locked {
            return None;
        }
        let mut found = self.list();
        found.sort();
        let mut total: u64 = found.iter().map(|it| it.bytes).sum();
        let of_current = found.iter().find(|it| it.path == current);
        total += self
            .reserve
            .saturating_sub(of_current.map_or(0, |it| it.bytes));
        let mut deleted = Deleted::default();
        for old in found.iter().filter(|it| it.path != current) {
            let age = now.duration_since(old.modified).unwrap_or_default();
            let is_old = self.keep_for.is_some_and(|limit| age > limit);
            let is_too_much = self.keep_bytes.is_some_and(|limit| total > limit);
            if !is_old && !is_too_much {
                continue;
            }
            match old.delete() {
                Ok(true) => {
                    total -= old.bytes;
                    deleted.files += 1;
                    deleted.bytes += old.bytes;
                    deleted.last.clone_from(&old.path);
                }
                Ok(false) => {}
                Err(error) => deleted.refused = Some((old.path.clone(), error.to_string())),
            }
        }
        Some(deleted)
    }

    fn list(&self) -> Vec<Found> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let user = rustix::process::geteuid().as_raw();
        let found = |entry: fs::DirEntry| {
            let named = names::parse(&entry.file_name())?;
            // Of the entry itself: a link is not ours.
            let status = entry.metadata().ok()?;
            let path = entry.path();
            let is_ours = status.is_file() && status.uid() == user && self.wrote(&named, &path);
            is_ours.then_some(Found {
                modified: status.modified().ok()?,
                path,
                bytes: status.len(),
                inode: status.ino(),
            })
        };
        entries.flatten().filter_map(found).collect()
    }

    /// Whether a file says itself that this program recorded it, and is what it is called.
    fn wrote(&self, named: &Named, path: &Path) -> bool {
        let Ok(file) = File::open(path) else {
            return false;
        };
        let header = match named {
            Named::Part {
                is_compressed: true,
                ..
            } => names::packed_header_of(&file),
            _ => names::header_of(&file),
        };
        header.is_some_and(|header| {
            let is_number = match named {
                Named::Part { number, .. } => header.part == *number,
                Named::Remainder => true,
            };
            is_number && header.origin.command == self.command
        })
    }
}

impl Found {
    /// Deletes it, unless somebody holds it or it is another file by now.
    fn delete(&self) -> std::io::Result<bool> {
        let Ok(file) = File::open(&self.path) else {
            return Ok(false);
        };
        // Also without locks on this file system: nobody knows whether it is closed.
        if file.try_lock().is_err() || file.metadata()?.ino() != self.inode {
            return Ok(false);
        }
        fs::remove_file(&self.path).map(|()| true)
    }
}

/// Deletes what is left of compressing parts in processes that have died since. The part itself is still there.
pub(crate) fn remove_unfinished(directory: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let whole = name.as_bytes().strip_suffix(names::UNFINISHED.as_bytes());
        let named = whole.and_then(|name| names::parse(OsStr::from_bytes(name)));
        let is_part = matches!(
            named,
            Some(Named::Part {
                is_compressed: true,
                ..
            })
        );
        let is_ours = || {
            let status = entry.metadata();
            status.is_ok_and(|status| status.is_file() && status.uid() == user)
        };
        if is_part
            && is_ours()
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use perf_format::{FileHeader, Origin};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn files(deleted: Option<Deleted>) -> u64 {
        deleted.expect("nobody else is about it").files
    }

    struct Place {
        dir: tempfile::TempDir,
        now: SystemTime,
    }

    impl Place {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().expect("a directory"),
                now: SystemTime::now(),
            }
        }

        /// A file of 1000 bytes, which `command` wrote so many days ago.
        fn file(&self, name: &str, command: &str, part: u32, days: u32) -> PathBuf {
            let header = FileHeader {
                part,
                origin: Origin {
                    command: command.to_owned(),
                    ..Origin::default()
                },
                ..FileHeader::default()
            };
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            bytes.resize(1_000, 0);
            let path = self.dir.path().join(name);
            fs::write(&path, bytes).expect("a file");
            let file = File::options().append(true).open(&path).expect("a file");
            file.set_modified(self.now - days * DAY).expect("aged");
            path
        }

        fn retention(&self) -> Retention {
            Retention {
                directory: self.dir.path().to_owned(),
                command: "mine".to_owned(),
                keep_bytes: None,
                keep_for: None,
                reserve: 0,
            }
        }

        fn left(&self) -> Vec<String> {
            let entries = fs::read_dir(self.dir.path()).expect("listed").flatten();
            let mut names: Vec<_> = entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits_with_the_part_to_come() {
        let place = Place::new();
        for part in 0..5 {
            place.file(&format!("x.{part:05}.bin"), "mine", part, 9 - part);
        }
        place.file("y.salvaged.bin", "mine", 0, 7);
        let current = place.dir.path().join("x.00004.bin");
        let retention = Retention {
            keep_bytes: Some(5_500),
            reserve: 2_000,
            ..place.retention()
        };
        let deleted = retention.run(&current, place.now).expect("alone");
        assert_eq!((deleted.files, deleted.bytes), (2, 2_000));
        assert_eq!(deleted.last, place.dir.path().join("x.00001.bin"));
        let rest = [
            "x.00002.bin",
            "x.00003.bin",
            "x.00004.bin",
            "y.salvaged.bin",
        ];
        assert_eq!(place.left(), rest);
        let nothing = Some(Deleted::default());
        assert_eq!(retention.run(&current, place.now), nothing);
        let directory = File::open(place.dir.path()).expect("a directory");
        directory.try_lock().expect("free");
        assert_eq!(retention.run(&current, place.now), None, "another is");
    }

    #[test]
    fn what_is_too_old_goes() {
        let place = Place::new();
        place.file("x.00000.bin", "mine", 0, 3);
        place.file("x.00001.bin", "mine", 1, 1);
        place.file("x.00002.bin", "mine", 2, 30);
        place.file("y.salvaged.bin", "mine", 0, 3);
        let retention = Retention {
            keep_for: Some(2 * DAY),
            ..place.retention()
        };
        let current = place.dir.path().join("x.00002.bin");
        assert_eq!(files(retention.run(&current, place.now)), 2);
        assert_eq!(place.left(), ["x.00001.bin", "x.00002.bin"]);
    }

    #[test]
    fn what_is_not_ours_is_not_touched_and_does_not_count() {
        let place = Place::new();
        place.file("x.00000.bin", "another", 0, 9);
        place.file("x.bin", "mine", 0, 9);
        place.file("x.00002.bin", "mine", 7, 9);
        place.file("x.00003.txt", "mine", 3, 9);
        place.file("x.salvaged.bin", "another", 0, 9);
        fs::write(place.dir.path().join("x.00004.bin"), b"no capture").expect("a file");
        fs::write(place.dir.path().join("x.00005.bin"), b"").expect("a file");
        fs::create_dir(place.dir.path().join("x.00006.bin")).expect("a directory");
        let mine = place.file("z.00000.bin", "mine", 0, 9);
        std::os::unix::fs::symlink(&mine, place.dir.path().join("w.00000.bin")).expect("a link");
        let retention = Retention {
            keep_bytes: Some(0),
            keep_for: Some(DAY),
            ..place.retention()
        };
        let before = place.left();
        assert_eq!(files(retention.run(Path::new(""), place.now)), 1);
        let without: Vec<_> = before
            .into_iter()
            .filter(|name| name != "z.00000.bin")
            .collect();
        assert_eq!(place.left(), without);
    }

    #[test]
    fn what_a_dead_process_began_to_compress_is_removed() {
        let place = Place::new();
        let at = |name: &str| place.dir.path().join(name);
        let begun = [
            "x.00000.bin.zst.tmp",
            "y.00000.bin.zst.tmp",
            "z.00000.bin.tmp",
            "z.zst.tmp",
        ];
        for name in begun {
            fs::write(at(name), b"begun").expect("a file");
        }
        let held = File::open(at(begun[1])).expect("a file");
        held.try_lock().expect("free");
        remove_unfinished(place.dir.path());
        assert_eq!(place.left(), begun[1..]);
    }

    #[test]
    fn what_somebody_holds_stays() {
        let place = Place::new();
        let held = place.file("x.00000.bin", "mine", 0, 9);
        place.file("x.00001.bin", "mine", 1, 8);
        let retention = Retention {
            keep_bytes: Some(1_000),
            ..place.retention()
        };
        let file = File::open(&held).expect("a file");
        file.try_lock().expect("free");
        assert_eq!(files(retention.run(Path::new(""), place.now)), 1);
        assert_eq!(place.left(), ["x.00000.bin"]);
        file.unlock().expect("let go");
        let retention = Retention {
            keep_bytes: Some(0),
            ..retention
        };
        assert_eq!(files(retention.run(Path::new(""), place.now)), 1);
    }
}
