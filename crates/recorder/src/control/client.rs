//! The other side: whoever asks.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use perf_arena::Directory;
use rustix::io::Errno;

use super::ControlError;
use super::protocol::{self, MAX_ANSWER_BYTES, Request};
use super::socket::{self, Found, Lines, say};
use crate::flight::FlightStatus;

/// How long a recorder may take to answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A recorder of another process, or of this one.
#[derive(Clone, Debug)]
pub struct Remote(Found);

/// What a recorder says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RemoteStatus {
    /// The program's name, without its directory.
    pub program: String,
    /// Where the capture goes; of a flight recorder, what its parts are named after.
    pub capture: Option<PathBuf>,
    /// Whether it records; `None`: it has no switch, as it records only scopes.
    pub is_on: Option<bool>,
    /// How long it has been running.
    pub uptime: Duration,
    /// Records that were encoded so far.
    pub records: u64,
    /// Records that sampling left out.
    pub sampled_out: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Bytes of the capture; of a flight recorder, of all that went through its window.
    pub bytes: u64,
    /// Shared memory of the rings, in bytes.
    pub memory_bytes: u64,
    /// Threads that record.
    pub threads: u64,
    /// Why it cannot write at present.
    pub failing: Option<String>,
    /// Of a flight recorder.
    pub flight: Option<FlightStatus>,
    /// The file of the snapshot that was asked for.
    pub snapshot: Option<PathBuf>,
}

/// A recorder in the list, and what it says.
#[derive(Debug)]
pub struct Listed {
    /// The process.
    pub pid: u32,
    /// What it says, or why it says nothing.
    pub status: Result<RemoteStatus, ControlError>,
}

/// The recorders of this user whose arenas are in `directory`, by process; by default `/dev/shm/perf-<uid>`.
///
/// # Errors
/// The directory cannot be read. One that is not there has no recorders.
pub fn list(directory: Option<&Path>) -> Result<Vec<Listed>, ControlError> {
    let Some(directory) = open(directory)? else {
        return Ok(Vec::new());
    };
    let found = find(&directory)?;
    let listed = found.into_iter().filter_map(|found| {
        let pid = found.pid;
        match Remote(found).status() {
            Err(ControlError::NoRecorder { .. }) => None,
            status => Some(Listed { pid, status }),
        }
    });
    Ok(listed.collect())
}

/// The recorders of one process: there may be several.
///
/// # Errors
/// There is no such process, it is somebody else's, or it has none.
pub fn of_process(directory: Option<&Path>, pid: u32) -> Result<Vec<Remote>, ControlError> {
    let usual = Directory::default_path();
    let mut found = match open(directory)? {
        Some(directory) => find(&directory)?,
        None => Vec::new(),
    };
    found.retain(|found| found.pid == pid && !socket::dial(&found.path).is_err_and(is_gone));
    if !found.is_empty() {
        return Ok(found.into_iter().map(Remote).collect());
    }
    let Ok(process) = Path::new("/proc").join(pid.to_string()).metadata() else {
        return Err(ControlError::NoProcess { pid });
    };
    if process.uid() != rustix::process::geteuid().as_raw() {
        let owner = process.uid();
        return Err(ControlError::OtherUser { pid, owner });
    }
    let directory = directory.unwrap_or(&usual).to_owned();
    Err(ControlError::NoRecorder { pid, directory })
}

fn open(directory: Option<&Path>) -> Result<Option<Directory>, ControlError> {
    let usual = Directory::default_path();
    let path = directory.unwrap_or(&usual);
    if directory.is_none() && !path.exists() {
        return Ok(None);
    }
    Ok(Some(Directory::open_existing(path)?))
}

fn find(directory: &Directory) -> Result<Vec<Found>, ControlError> {
    socket::find(directory).map_err(|source| ControlError::Io {
        action: "read",
        path: directory.path().to_owned(),
        source,
    })
}

/// Nobody answers there any more.
fn is_gone(errno: Errno) -> bool {
    errno == Errno::CONNREFUSED || errno == Errno::NOENT
}

impl Remote {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// What it does.
    ///
    /// # Errors
    /// It does not answer, or is gone.
    pub fn status(&self) -> Result<RemoteStatus, ControlError> {
        self.ask(&Request::Status)
    }

    /// Switches recording on or off, as [`Recorder::enable`](crate::Recorder::enable) and
    /// [`disable`](crate::Recorder::disable) do. The capture notes it.
    ///
    /// # Errors
    /// It does not answer, or has no switch.
    pub fn switch(&self, on: bool) -> Result<RemoteStatus, ControlError> {
        self.ask(if on { &Request::On } else { &Request::Off })
    }

    /// Has it bring everything that was recorded into a file, as [`Recorder::snapshot`](crate::Recorder::snapshot) does, and waits
    /// for it.
    ///
    /// # Errors
    /// It does not answer, or could not write it.
    pub fn snapshot(&self, why: &str) -> Result<RemoteStatus, ControlError> {
        self.ask(&Request::Snapshot(why.to_owned()))
    }

    fn ask(&self, request: &Request) -> Result<RemoteStatus, ControlError> {
        let Found { pid, path } = &self.0;
        let pid = *pid;
        let stream = socket::dial(path).map_err(|errno| match errno {
            Errno::AGAIN => no_answer(pid, Duration::ZERO),
            errno if is_gone(errno) => self.gone(),
            errno => ControlError::Io {
                action: "connect to",
                path: path.clone(),
                source: errno.into(),
            },
        })?;
        let facts = self.speak(&stream, request)?;
        Ok(RemoteStatus::of(facts))
    }

    fn gone(&self) -> ControlError {
        let directory = self.0.path.parent().unwrap_or(Path::new("/"));
        ControlError::NoRecorder {
            pid: self.0.pid,
            directory: directory.to_owned(),
        }
    }

    fn speak(
        &self,
        stream: &UnixStream,
        request: &Request,
    ) -> Result<HashMap<String, String>, ControlError> {
        let pid = self.0.pid;
        let failed = |waited: Duration| {
            move |error: std::io::Error| match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => no_answer(pid, waited),
                ErrorKind::InvalidData => ControlError::Malformed { pid },
                _ => self.gone(),
            }
        };
        let mut lines = Lines::new(stream, MAX_ANSWER_BYTES);
        let first = lines
            .next(Instant::now() + ANSWER_WITHIN)
            .map_err(failed(ANSWER_WITHIN))?;
        if let Some(Err(message)) = protocol::parse_answer(std::slice::from_ref(&first)) {
            return Err(ControlError::Refused { pid, message });
        }
        let patience = protocol::parse_greeting(&first).map_err(|version| match version {
            Some(version) => ControlError::Version { pid, version },
            None => ControlError::Malformed { pid },
        })?;
        // Rings and then the disk may each take as long as the recorder is patient.
        let waited = match request {
            Request::Snapshot(_) => ANSWER_WITHIN + patience.min(MAX_PATIENCE) * 2,
            _ => ANSWER_WITHIN,
        };
        let deadline = Instant::now() + waited;
        stream
            .set_write_timeout(Some(ANSWER_WITHIN))
            .map_err(failed(ANSWER_WITHIN))?;
        say(stream, format!("{}\n", request.line()).as_bytes()).map_err(failed(ANSWER_WITHIN))?;
        let mut answer = Vec::new();
        loop {
            let line = lines.next(deadline).map_err(failed(waited))?;
            if protocol::is_end(&line) {
                break;
            }
            answer.push(line);
        }
        match protocol::parse_answer(&answer) {
            Some(Ok(facts)) => Ok(facts.into_iter().collect()),
            Some(Err(message)) => Err(ControlError::Refused { pid, message }),
            None => Err(ControlError::Malformed { pid }),
        }
    }
}

/// The patience of a recorder that is believed.
const MAX_PATIENCE: Duration = Duration::from_secs(300);

fn no_answer(pid: u32, waited: Duration) -> ControlError {
    ControlError::NoAnswer { pid, waited }
}

impl RemoteStatus {
    fn of(mut facts: HashMap<String, String>) -> Self {
        let number = |facts: &HashMap<String, String>, key: &str| {
            facts
                .get(key)
                .and_then(|value| value.parse().ok())
                .unwrap_or(0)
        };
        let ms = |facts: &HashMap<String, String>, key| Duration::from_millis(number(facts, key));
        let flight = facts.contains_key("flight_ms").then(|| FlightStatus {
            last: ms(&facts, "flight_ms"),
            window: ms(&facts, "window_ms"),
            window_bytes: number(&facts, "window_bytes"),
            window_records: number(&facts, "window_records"),
            snapshots: number(&facts, "snapshots"),
            last_snapshot: facts.get("last_snapshot").map(PathBuf::from),
            suppressed: number(&facts, "suppressed"),
            failing: facts.get("failing").cloned(),
        });
        Self {
            is_on: match facts.get("recording").map(String::as_str) {
                Some("on") => Some(true),
                Some("off") => Some(false),
                _ => None,
            },
            uptime: ms(&facts, "uptime_ms"),
            records: number(&facts, "records"),
            sampled_out: number(&facts, "sampled_out"),
            lost: number(&facts, "lost"),
            bytes: number(&facts, "bytes"),
            memory_bytes: number(&facts, "memory_bytes"),
            threads: number(&facts, "threads"),
            flight,
            program: facts.remove("program").unwrap_or_default(),
            capture: facts.remove("capture").map(PathBuf::from),
            failing: facts.remove("failing"),
            snapshot: facts.remove("snapshot").map(PathBuf::from),
        }
    }
}
