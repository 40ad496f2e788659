//! The files of a capture, as one storage: the writer gives it bytes of the whole capture at their offsets.
//!
//! The file that is being written is locked, so that other processes that delete old parts leave it alone; the lock goes
//! with the process, however that ends. It is of the open file: a child that is forked off holds it, too, until it ends or execs, or
//! until the part is closed here.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};

use super::keeper::{Duties, Keeper};
use super::retention::{self, Retention};
use super::{PartSettings, Parts, names};
use crate::builder::Settings;
use crate::error::StartError;
use crate::path::{self, Place};
use crate::progress::Progress;
use crate::storage::Storage;

/// After so long a part that got no file of its own is ended, so that the next one may have better luck. The time doubles from one
/// to the next.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// One part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    /// Where in the capture it begins.
    from: u64,
    /// All of it is on the disk, as far as anybody was told.
    pub(crate) is_sound: bool,
}

impl Part {
    pub(super) fn new(file: File, path: PathBuf, from: u64) -> Self {
        // Where there are no locks, nobody can tell that a part is closed, and nobody deletes it.
        let _ = file.try_lock();
        Self {
            file: Arc::new(file),
            path,
            from,
            is_sound: true,
        }
    }

    /// Lets others have it.
    pub(crate) fn unlock(&self) {
        let _ = self.file.unlock();
    }

    fn is_reachable(&self) -> bool {
        self.file.metadata().is_ok_and(|status| status.nlink() > 0)
    }
}

/// What became of the next part.
#[derive(Debug)]
pub(crate) enum Next {
    /// It has a file of its own.
    Begun,
    /// It goes on in the file that there is, since it cannot have one.
    Refused { path: PathBuf, error: io::Error },
}

/// All parts of one capture, or its only file.
pub(crate) struct PartFiles {
    place: Place,
    /// Bytes that are allocated at a time; 0 for none.
    step: u64,
    /// Bytes of the file that are allocated, or were refused.
    allocated: AtomicU64,
    state: Mutex<State>,
    /// Who gets the parts that are closed, if anybody does something with them.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

struct State {
    current: Part,
    /// Closed, and perhaps not on the disk yet.
    closed: Vec<Part>,
    begun: u64,
    /// A name came up that a crash of the host may cost.
    is_name_new: bool,
    /// When the next part shall begin, as the last one got no file of its own.
    retry: Option<Instant>,
    /// How long after that failed, too.
    next_wait: Duration,
}

impl PartFiles {
    /// Creates the file that was asked for, or the first part.
    ///
    /// # Errors
    /// It exists, or it or its directory cannot be created.
    pub(crate) fn create(asked: &Path, settings: &PartSettings) -> Result<Self, StartError> {
        let (file, place) = path::create(asked, settings.is_rotating())?;
        if settings.is_rotating() {
            retention::remove_unfinished(place.directory());
        }
        let is_kept = settings.is_retaining() || settings.compress.is_some();
        let keeper = is_kept.then(Arc::default);
        Ok(Self::new(file, place, settings.allocation_step(), keeper))
    }

    /// Starts the thread that looks after closed parts, if there is something to do.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start_keeper(
        &self,
        settings: &Settings,
        command: &str,
        progress: &Arc<Progress>,
    ) -> io::Result<()> {
        let Some(keeper) = &self.keeper else {
            return Ok(());
        };
        let parts = &settings.parts;
        let retention = parts.is_retaining().then(|| Retention {
            directory: self.place.directory().to_owned(),
            command: command.to_owned(),
            keep_bytes: parts.keep_bytes,
            keep_for: parts.keep_for,
            reserve: parts.rotate_bytes.unwrap_or(0),
        });
        let duties = Duties {
            retention,
            compress: parts.compress,
            hook: settings.hook,
        };
        keeper.start(duties, Arc::clone(progress)).map(drop)
    }

    /// `file` is the first part.
    fn new(file: File, place: Place, step: u64, keeper: Option<Arc<Keeper>>) -> Self {
        let current = Part::new(file, place.first.clone(), 0);
        if let Some(keeper) = &keeper {
            keeper.begins(&current.path);
        }
        Self {
            place,
            step,
            allocated: AtomicU64::new(0),
            state: Mutex::new(State {
                current,
                closed: Vec::new(),
                begun: 1,
                is_name_new: true,
                retry: None,
                next_wait: FIRST_RETRY,
            }),
            keeper,
        }
    }

    /// Never held during a call that a disk may delay: whoever asks for the status takes it, too.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Part {
        self.state().current.clone()
    }

    /// The file that is being written.
    pub(crate) fn path(&self) -> PathBuf {
        self.state().current.path.clone()
    }

    /// The first file.
    pub(crate) fn first(&self) -> PathBuf {
        self.place.first.clone()
    }

    /// The last file, as it is called after the end.
    pub(crate) fn last(&self) -> PathBuf {
        let plain = self.path();
        let packed = names::with_suffix(&plain, names::COMPRESSED_SUFFIX);
        if !plain.exists() && packed.exists() {
            packed
        } else {
            plain
        }
    }

    /// What there is, for whoever asks.
    pub(crate) fn parts(&self) -> Parts {
        let keeper = self.keeper.as_ref();
        let (deleted_files, deleted_bytes) = keeper.map_or((0, 0), |keeper| keeper.deleted());
        let state = self.state();
        Parts {
            begun: state.begun,
            first: Some(self.first()),
            last: Some(state.current.path.clone()),
            deleted_files,
            deleted_bytes,
        }
    }

    /// Closes the file, all of which is written, and begins that of the part `number`. What is at `offset` in the capture is at its
    /// beginning.
    ///
    /// # Errors
    /// It cannot be created, and the one that there is was deleted: there is no place to write to.
    pub(crate) fn begin(&self, number: u32, offset: u64) -> io::Result<Next> {
        let path = self.place.path_of(number);
        let file = match self.place.create_part(number) {
            Ok(file) => file,
            Err(error) if self.current().is_reachable() => {
                let mut state = self.state();
                state.retry = Some(Instant::now() + state.next_wait);
                state.next_wait = (state.next_wait * 2).min(LONGEST_RETRY);
                return Ok(Next::Refused { path, error });
            }
            Err(error) => return Err(error),
        };
        let next = Part::new(file, path, offset);
        if let Some(keeper) = &self.keeper {
            keeper.begins(&next.path);
        }
        let mut state = self.state();
        let before = std::mem::replace(&mut state.current, next);
        state.closed.push(before.clone());
        state.begun += 1;
        state.is_name_new = true;
        state.retry = None;
        state.next_wait = FIRST_RETRY;
        drop(state);
        self.trim(&before);
        self.allocated.store(0, Ordering::Relaxed);
        Ok(Next::Begun)
    }

    /// Whether it is time to try again for a file of its own, as some part has none. Says so once.
    pub(crate) fn take_retry(&self) -> bool {
        let mut state = self.state();
        state
            .retry
            .take_if(|retry| Instant::now() >= *retry)
            .is_some()
    }

    /// The capture is complete: nothing more is written.
    pub(crate) fn finish(&self) {
        let last = self.current();
        self.trim(&last);
        let mut closed = std::mem::take(&mut self.state().closed);
        closed.push(last);
        self.hand_over(closed);
    }

    /// Parts that are closed and as safe as they will be are the keeper's.
    pub(crate) fn hand_over_closed(&self) {
        let closed = std::mem::take(&mut self.state().closed);
        self.hand_over(closed);
    }

    fn hand_over(&self, parts: Vec<Part>) {
        for part in parts {
            match &self.keeper {
                Some(keeper) => keeper.take_over(part),
                None => part.unlock(),
            }
        }
    }

    /// Makes sure that the disk has room for the bytes before `end`, and for some more. Whether it has is for the write to
    /// tell: a file system may not know how, and one without room for so much may have enough for the write.
    fn allocate(&self, file: &File, end: u64) {
        let allocated = self.allocated.load(Ordering::Relaxed);
        if self.step == 0 || end <= allocated {
            return;
        }
        let up_to = end.div_ceil(self.step).saturating_mul(self.step);
        // The file keeps its length: readers do not see what is not written.
        let _ = fallocate(
            file,
            FallocateFlags::KEEP_SIZE,
            allocated,
            up_to - allocated,
        );
        self.allocated.store(up_to, Ordering::Relaxed);
    }

    /// Gives back what is allocated behind the end of the file.
    fn trim(&self, part: &Part) {
        if self.step > 0
            && let Ok(status) = part.file.metadata()
        {
            let _ = part.file.set_len(status.len());
        }
    }
}

impl Storage for PartFiles {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let Part { file, from, .. } = self.current();
        let at = offset - from;
        self.allocate(&file, at + bytes.len() as u64);
        FileExt::write_at(&*file, bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        let mut closed = std::mem::take(&mut state.closed);
        let current = state.current.clone();
        let is_name_new = std::mem::take(&mut state.is_name_new);
        drop(state);
        let mut result = Ok(());
        for part in &mut closed {
            let synced = part.file.sync_data();
            part.is_sound = synced.is_ok();
            result = result.and(synced);
        }
        result = result.and(current.file.sync_data());
        if is_name_new && current.is_reachable() {
            result = result.and(names::sync_directory(self.place.directory()));
        }
        self.hand_over(closed);
        result
    }

    fn is_reachable(&self) -> bool {
        self.current().is_reachable()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Bytes on the disk, with those that lie behind the end.
    fn allocated(path: &Path) -> u64 {
        fs::metadata(path).expect("a file").blocks() * 512
    }

    fn files(directory: &Path, step: u64) -> PartFiles {
        let (file, place) = path::create(&directory.join("x.bin"), true).expect("a part");
        PartFiles::new(file, place, step, None)
    }

    #[test]
    fn offsets_go_on_over_the_parts() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path(), 0);
        let write = |bytes: &[u8], at| {
            assert_eq!(files.write_at(bytes, at).expect("written"), bytes.len());
        };
        write(b"one", 0);
        write(b"two", 3);
        assert!(matches!(files.begin(1, 6), Ok(Next::Begun)));
        write(b"three", 6);
        assert!(matches!(files.begin(2, 11), Ok(Next::Begun)));
        write(b"four", 11);
        files.sync().expect("synced");
        files.finish();
        let read = |number| fs::read(files.place.path_of(number)).expect("a part");
        assert_eq!((read(0), read(1)), (b"onetwo".to_vec(), b"three".to_vec()));
        assert_eq!((read(2), files.parts().begun), (b"four".to_vec(), 3));
    }

    #[test]
    fn what_is_allocated_ahead_is_not_seen_and_is_given_back() {
        // A file system that cannot allocate leaves the length alone all the same.
        for directory in [tempfile::tempdir(), tempfile::tempdir_in("/dev/shm")] {
            let dir = directory.expect("a directory");
            let files = files(dir.path(), 1 << 20);
            let first = files.path();
            files.write_at(&[1; 5_000], 0).expect("written");
            assert_eq!(fs::metadata(&first).expect("a file").len(), 5_000);
            println!("{}: {} bytes", first.display(), allocated(&first));
            files.begin(1, 5_000).expect("the next");
            assert!(allocated(&first) < 64 << 10, "{}", allocated(&first));
            files.write_at(&[2; 5_000], 5_000).expect("written");
            files.finish();
            assert!(allocated(&files.path()) < 64 << 10);
            assert_eq!(fs::read(&first).expect("a part"), vec![1; 5_000]);
            assert_eq!(fs::read(files.path()).expect("a part"), vec![2; 5_000]);
        }
    }

    #[test]
    fn the_part_that_is_written_is_locked_and_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path(), 0);
        let is_locked = |path: &Path| {
            let file = File::open(path).expect("a part");
            file.try_lock().is_err()
        };
        let first = files.path();
        assert!(is_locked(&first));
        files.begin(1, 0).expect("the next");
        files.sync().expect("synced");
        assert!(!is_locked(&first) && is_locked(&files.path()));
        files.finish();
        assert!(!is_locked(&files.path()));
    }

    #[test]
    fn without_a_file_of_its_own_a_part_goes_on_in_the_one_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = files(dir.path(), 0);
        files.write_at(b"one", 0).expect("written");
        let in_the_way = dir.path().join("x.00001.bin");
        fs::create_dir(&in_the_way).expect("a directory");
        match files.begin(1, 3).expect("goes on") {
            Next::Refused { path, .. } => assert_eq!(path, in_the_way),
            other => panic!("{other:?}"),
        }
        files.write_at(b"two", 3).expect("written");
        assert_eq!(fs::read(files.path()).expect("a part"), b"onetwo");
        fs::remove_file(files.path()).expect("removed");
        assert!(files.begin(1, 6).is_err(), "there is no place left");
        fs::remove_dir(&in_the_way).expect("removed");
        assert!(matches!(files.begin(1, 6), Ok(Next::Begun)));
    }
}
