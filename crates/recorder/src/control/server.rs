//! The recorder's side: a thread that answers.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use perf_arena::Directory;
use rustix::io::Errno;
use rustix::net::{Shutdown, accept_with, shutdown, sockopt};

use super::protocol::{self, Answer, MAX_REQUEST_BYTES, Request};
use super::socket::{self, Lines, Listening, say};
use crate::flight::Kind;
use crate::front::Front;
use crate::machine;

/// How long somebody may take to say what is wanted, and to take the answer.
pub const SLOWEST_CLIENT: Duration = Duration::from_secs(2);
/// The pause after a connection could not be taken: there may be no descriptor to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is being answered.
pub(crate) struct Control {
    line: Arc<Line>,
    thread: JoinHandle<()>,
}

/// What the thread and whoever ends it share.
struct Line {
    socket: OwnedFd,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With whom the thread speaks.
    speaking: Option<UnixStream>,
    is_ending: bool,
}

/// Opens the socket in the directory of arenas, and starts the thread that answers.
///
/// # Errors
/// In words, why there is none.
pub(crate) fn start(front: &Front, directory: Option<&Path>) -> Result<Control, String> {
    let usual = Directory::default_path();
    let directory = directory.unwrap_or(&usual);
    let directory = Directory::open(directory).map_err(|error| error.to_string())?;
    socket::remove_dead(&directory);
    let Listening { socket, path } =
        socket::open(&directory, &front.capture_id).map_err(|error| error.to_string())?;
    front.close_in_child(Some(socket.as_fd()));
    let line = Arc::new(Line {
        socket,
        path,
        state: Mutex::default(),
    });
    let (for_thread, front_of_thread) = (Arc::clone(&line), front.clone());
    let thread = thread::Builder::new()
        .name("perf-control".into())
        .spawn(move || for_thread.run(&front_of_thread));
    match thread {
        Ok(thread) => Ok(Control { line, thread }),
        Err(error) => {
            front.close_in_child(None);
            let _ = std::fs::remove_file(&line.path);
            Err(error.to_string())
        }
    }
}

impl Control {
    /// Takes no more questions, and breaks off with whoever has not asked one yet. Waits for nothing.
    pub(crate) fn close(&self, front: &Front) {
        front.close_in_child(None);
        let _ = std::fs::remove_file(&self.line.path);
        let mut state = self.line.state();
        state.is_ending = true;
        // Wakes the thread out of its wait for the next one.
        let _ = shutdown(&self.line.socket, Shutdown::Both);
        if let Some(stream) = &state.speaking {
            let _ = stream.shutdown(std::net::Shutdown::Read);
        }
    }

    /// Waits for the end of the thread: after [`close`](Self::close), for as long as what was asked for last takes.
    pub(crate) fn join(self) {
        // A panic in there would be a bug, and is no reason not to end well.
        let _ = self.thread.join();
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, front: &Front) {
        loop {
            let taken = accept_with(&self.socket, rustix::net::SocketFlags::CLOEXEC);
            if self.state().is_ending {
                return;
            }
            match taken {
                Ok(stream) => {
                    // Whoever went away in the midst of it does not matter.
                    let _ = self.speak(&UnixStream::from(stream), front);
                    self.state().speaking = None;
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn speak(&self, stream: &UnixStream, front: &Front) -> io::Result<()> {
        let deadline = Instant::now() + SLOWEST_CLIENT;
        stream.set_write_timeout(Some(SLOWEST_CLIENT))?;
        let peer = sockopt::socket_peercred(stream)?;
        if peer.uid != rustix::process::geteuid() {
            let refused = Err("only the user whose process this is may attach".to_owned());
            return say(stream, protocol::lines_of(&refused).as_bytes());
        }
        {
            let mut state = self.state();
            if state.is_ending {
                return Ok(());
            }
            state.speaking = Some(stream.try_clone()?);
        }
        let greeting = format!("{}\n", protocol::greeting(front.patience()));
        say(stream, greeting.as_bytes())?;
        let line = Lines::new(stream, MAX_REQUEST_BYTES).next(deadline)?;
        let answer = match Request::parse(&line) {
            Some(request) => serve(&request, front, peer.pid.as_raw_nonzero().get()),
            None => Err("no such request".to_owned()),
        };
        say(stream, protocol::lines_of(&answer).as_bytes())
    }
}

fn serve(request: &Request, front: &Front, peer: i32) -> Answer {
    match request {
        Request::Status => Ok(status(front)),
        Request::On | Request::Off => {
            let on = *request == Request::On;
            match front.switch(on, Some(peer)) {
                true => Ok(status(front)),
                false => Err("it records only scopes, which have no switch".to_owned()),
            }
        }
        Request::Snapshot(words) => {
            let path = front.snapshot(Kind::Attach, words);
            let path = path.map_err(|error| error.to_string())?;
            let mut facts = status(front);
            facts.push(("snapshot".to_owned(), path.display().to_string()));
            Ok(facts)
        }
    }
}

fn status(front: &Front) -> Vec<(String, String)> {
    let status = front.status();
    let recording = match (front.has_switch(), status.enabled) {
        (false, _) => "scopes",
        (true, true) => "on",
        (true, false) => "off",
    };
    let mut facts = vec![
        ("program", machine::command()),
        ("recording", recording.to_owned()),
        ("uptime_ms", status.uptime.as_millis().to_string()),
        ("records", status.records.to_string()),
        ("sampled_out", status.sampled_out.to_string()),
        ("lost", status.lost.total().to_string()),
        ("bytes", status.bytes.to_string()),
        ("memory_bytes", status.memory_bytes.to_string()),
        ("threads", status.rings.len().to_string()),
    ];
    let shown = |path: PathBuf| path.display().to_string();
    facts.extend(status.capture.map(|path| ("capture", shown(path))));
    let failing = status.failing;
    if let Some(flight) = status.flight {
        facts.extend([
            ("flight_ms", flight.last.as_millis().to_string()),
            ("window_ms", flight.window.as_millis().to_string()),
            ("window_bytes", flight.window_bytes.to_string()),
            ("window_records", flight.window_records.to_string()),
            ("snapshots", flight.snapshots.to_string()),
            ("suppressed", flight.suppressed.to_string()),
        ]);
        let last = flight.last_snapshot;
        facts.extend(last.map(|path| ("last_snapshot", shown(path))));
        facts.extend(flight.failing.map(|error| ("failing", error)));
    }
    facts.extend(failing.map(|error| ("failing", error)));
    facts
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
