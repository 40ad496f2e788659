//! Sockets, their names, and lines that come in time or not at all.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use perf_arena::Directory;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, send,
    socket_with,
};

const PREFIX: &str = "control-";
/// What a socket's name ends in once somebody answers there, and before.
const ENDING: &str = ".sock";
const NEW_ENDING: &str = ".new";
/// How many may wait to be answered.
const BACKLOG: i32 = 16;
/// One that is not ready after so long never will be: its process died meanwhile.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// A socket that waits for connections, and its path.
pub(super) struct Listening {
    pub(super) socket: std::os::fd::OwnedFd,
    pub(super) path: PathBuf,
}

/// A process's socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) pid: u32,
    pub(super) path: PathBuf,
}

/// Opens a socket for this process. It has its name only when it answers: whoever finds one that does not may remove it.
pub(super) fn open(directory: &Directory, capture: &[u8; 16]) -> io::Result<Listening> {
    let id: String = capture[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let stem = format!("{PREFIX}{}-{id}", std::process::id());
    let path = directory.path().join(format!("{stem}{ENDING}"));
    let new = directory.path().join(format!("{stem}{NEW_ENDING}"));
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    bind(&socket, &SocketAddrUnix::new(&new)?)?;
    let ready = listen(&socket, BACKLOG)
        .map_err(io::Error::from)
        .and_then(|()| fs::rename(&new, &path));
    if let Err(error) = ready {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    Ok(Listening { socket, path })
}

/// The sockets in a directory, by process.
pub(super) fn find(directory: &Directory) -> io::Result<Vec<Found>> {
    let entries = fs::read_dir(directory.path())?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<Found> = paths.filter_map(|path| found(&path, ENDING)).collect();
    found.sort();
    Ok(found)
}

fn found(path: &Path, ending: &str) -> Option<Found> {
    let name = path.file_name()?.to_str()?;
    let (pid, _) = name
        .strip_prefix(PREFIX)?
        .strip_suffix(ending)?
        .split_once('-')?;
    Some(Found {
        pid: pid.parse().ok()?,
        path: path.to_owned(),
    })
}

/// Removes the sockets that dead processes left.
pub(super) fn remove_dead(directory: &Directory) {
    let Ok(entries) = fs::read_dir(directory.path()) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_left = found(&path, ENDING).is_some()
            || found(&path, NEW_ENDING).is_some_and(|new| is_old(&new.path));
        if is_left && dial(&path).is_err_and(|errno| errno == Errno::CONNREFUSED) {
            // Somebody else may have been quicker.
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_old(path: &Path) -> bool {
    let modified = path.symlink_metadata().and_then(|status| status.modified());
    let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.is_ok_and(|age| age > ABANDONED_AFTER)
}

/// Connects, without waiting for a process that is too busy to take connections.
pub(super) fn dial(path: &Path) -> Result<UnixStream, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(UnixStream::from(socket))
}

/// Says all of it. Without a signal, if nobody listens any more.
pub(super) fn say(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(stream.as_fd(), bytes, SendFlags::NOSIGNAL) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => bytes = &bytes[sent..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The lines that come in.
pub(super) struct Lines<'s> {
    stream: &'s UnixStream,
    pending: Vec<u8>,
    /// Bytes that may still come.
    room: usize,
}

impl<'s> Lines<'s> {
    /// Reads `most` bytes at most.
    pub(super) fn new(stream: &'s UnixStream, most: usize) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            room: most,
        }
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// It did not come by `deadline`, is too long, is no text, or there is none.
    pub(super) fn next(&mut self, deadline: Instant) -> io::Result<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                line.pop();
                return String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into());
            }
            if self.room == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut bytes = [0; 1_024];
            let most = bytes.len().min(self.room);
            let mut stream = self.stream;
            match stream.read(&mut bytes[..most]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.room -= count;
                    self.pending.extend_from_slice(&bytes[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
