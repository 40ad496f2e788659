//! The few system calls that the standard library does not have.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

/// Turns the −1 of a C function into the error that `errno` names; asks again after an interruption.
fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        let result = call();
        if result != -1 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Opens `name` within `directory`, never through a symbolic link, closed on exec.
pub(crate) fn open_at(directory: &File, name: &Path, flags: libc::c_int) -> io::Result<File> {
    let name = c_string(name)?;
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let mode: libc::c_uint = 0o600;
    // SAFETY: the name is a C string, the descriptor is open.
    let fd = retry(|| unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, mode) })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

pub(crate) fn rename_at(directory: &File, from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    let fd = directory.as_raw_fd();
    // SAFETY: both are C strings, the descriptor is open.
    retry(|| unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) })?;
    Ok(())
}

pub(crate) fn unlink_at(directory: &File, name: &Path) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: the name is a C string, the descriptor is open.
    retry(|| unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), 0) })?;
    Ok(())
}

/// Makes sure that the file system has pages for these bytes, zeroed if new; the file grows to hold them.
pub(crate) fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (Ok(offset), Ok(bytes)) = (i64::try_from(offset), i64::try_from(bytes)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    loop {
        // SAFETY: the descriptor is open.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), offset, bytes) } {
            0 => return Ok(()),
            libc::EINTR => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// A lock of a whole file, or none.
fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: all fields are integers; zero is a value of each.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

/// Takes the write lock of a whole file. `false`: somebody else has it, in this process or another.
///
/// The lock is of the open file, not of the process. One of the process would be dropped as soon as anybody in it (a second
/// copy of this crate, linked in another version) opened and closed the same file, and would not keep them apart at all.
/// The child of a fork shares this one until it [forgets](crate::Arena::forget) the arena, or execs: no living arena ever
/// looks dead, and a dead one may look alive for a while.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    let lock = whole_file(libc::F_WRLCK);
    // SAFETY: `lock` is a flock, the descriptor is open.
    match retry(|| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EACCES | libc::EAGAIN) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Lets go of a lock at once. To close the file would do so only when no child of a fork has the descriptor any more.
pub(crate) fn unlock(file: &File) {
    let lock = whole_file(libc::F_UNLCK);
    // SAFETY: `lock` is a flock, the descriptor is open. An error means that the lock goes with the descriptor.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
}

/// Whether somebody holds a lock of this file, in this process or another, but for a lock of this descriptor.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    // SAFETY: `lock` is a flock, the descriptor is open.
    retry(|| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) })?;
    Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
}

/// Type of the file system, and bytes of it that are free to this process.
pub(crate) fn file_system(file: &File) -> io::Result<(u64, u64)> {
    // SAFETY: all fields are integers; zero is a value of each.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is a statfs, the descriptor is open.
    retry(|| unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut stat) })?;
    let free = stat.f_bavail.saturating_mul(stat.f_bsize.cast_unsigned());
    Ok((stat.f_type.cast_unsigned(), free))
}

/// The effective user of this process.
pub(crate) fn user() -> u32 {
    // SAFETY: it cannot fail and has no arguments.
    unsafe { libc::geteuid() }
}

/// Sixteen random hexadecimal digits.
pub(crate) fn random_name() -> io::Result<String> {
    let mut bytes = [0_u8; 8];
    // SAFETY: the buffer has the length that is given.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len().cast_signed() {
        return Err(io::Error::last_os_error());
    }
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// New zero pages of nobody else's, which cost nothing until they are touched.
pub(crate) fn map_anonymous(bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new private mapping at an address of the kernel's choice disturbs nothing.
    unsafe { map_private(std::ptr::null_mut(), bytes, 0) }
}

/// Puts private zero pages in the place of whatever is mapped there, in one step.
///
/// # Safety
/// The range is a mapping of the caller's, behind which there are only atomics, or memory that nobody reads any more.
pub(crate) unsafe fn replace_by_zeros(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: as the caller promised.
    unsafe { map_private(base.as_ptr().cast(), bytes, libc::MAP_FIXED) }.map(drop)
}

unsafe fn map_private(
    at: *mut libc::c_void,
    bytes: usize,
    flags: libc::c_int,
) -> io::Result<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: as the caller promised.
    let got = unsafe { libc::mmap(at, bytes, access, flags, -1, 0) };
    if got == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(got.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Gives the memory behind private zero pages back; the addresses stay, and read as zero.
pub(crate) fn release_anonymous(base: NonNull<u8>, bytes: usize) {
    // SAFETY: it only drops contents; callers pass anonymous mappings whose contents nobody needs. An error is harmless.
    unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
}

/// Brings pages into this process's page tables, so that the first store to each does not fault.
pub(crate) fn populate(base: NonNull<u8>, bytes: usize) {
    // SAFETY: it changes no contents. An error (a kernel before 5.14) only means that the faults come later.
    unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_POPULATE_WRITE) };
}

/// Closes a descriptor that this process inherited and that nothing else will close; −1 = none.
pub(crate) fn close(descriptor: libc::c_int) {
    if descriptor >= 0 {
        // SAFETY: the caller says that nobody else uses or closes it.
        unsafe { libc::close(descriptor) };
    }
}

/// Bytes that a file of this process may have (`ulimit -f`); all that there are if there is no limit. Who makes one longer is
/// sent SIGXFSZ, which ends the process.
pub(crate) fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the call only writes into `limit`. Should it fail, there is no limit to keep to.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}

/// Keeps signals from the calling thread: those of the process go to its other threads, whose they are. A write beyond the
/// limit of a file's size (`ulimit -f`) then fails, where SIGXFSZ would end the process.
pub fn block_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is made before it is read; the calls write nothing else, and cannot fail with these arguments.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// The kernel's id of this thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: it cannot fail and has no arguments.
    unsafe { libc::gettid() }.cast_unsigned()
}
