//! `perf-analyze attach`: what a running recorder does, and switching it from outside.

use std::path::PathBuf;

use anyhow::{Result, bail};
use perf_recorder::control::{self, ControlError, Remote, RemoteStatus};
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::output::{Answer, give};
use crate::page;
use crate::page::attach::{Attached, One};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze attach
      the recorders of this user
  perf-analyze attach 4711
      what the recorder of process 4711 does
  perf-analyze attach 4711 --snapshot --why \"slow since the deployment\"
      everything that it recorded is in a file; a flight recorder writes its last seconds
  perf-analyze attach 4711 --off
      from here on a probe costs a load and a branch; --on ends that
  perf-analyze attach 1 --arena-directory /proc/4711/root/dev/shm/perf-1000
      the recorder of process 1 in the container of process 4711";

const ABOUT: &str = "\
Asks the recorder of a running process, of the same user, what it does; switches its probes on or off; or has it bring \
everything that it recorded into a file. Switching is noted in the capture. Without a process, lists the recorders of this user.

A recorder of a whole process listens, unless PERF_CONTROL=0 or its program says otherwise.";

/// Ask a running recorder for its status or a snapshot, or switch it on or off
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The process [default: list the recorders of this user]
    #[arg(value_name = "PID")]
    pid: Option<u32>,

    #[command(flatten)]
    action: Action,

    /// Why, in a few words that the snapshot keeps
    #[arg(long, value_name = "WORDS", requires = "snapshot")]
    why: Option<String>,

    /// Where the process has its arena [default: /dev/shm/perf-<uid>]
    #[arg(long, value_name = "DIR")]
    arena_directory: Option<PathBuf>,

    /// The form of the answer, on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What to do with it.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Action {
    /// Say what it does: this is what happens without any of these
    #[arg(long, requires = "pid")]
    status: bool,

    /// Switch the probes on
    #[arg(long, requires = "pid")]
    on: bool,

    /// Switch the probes off
    #[arg(long, requires = "pid")]
    off: bool,

    /// Bring everything that was recorded into a file, and name it
    #[arg(long, requires = "pid")]
    snapshot: bool,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let directory = args.arena_directory.as_deref();
    let attached = match args.pid {
        Some(pid) => {
            let remotes = control::of_process(directory, pid)?;
            Attached::to_process(answers(args, &remotes)?)
        }
        None => {
            let listed = control::list(directory)?;
            let one = |listed: control::Listed| One::new(listed.pid, listed.status);
            Attached::list(listed.into_iter().map(one).collect())
        }
    };
    let output = OutputArgs {
        format: args.format,
        output: None,
        wide: false,
    };
    give(&AttachAnswer(attached), &output)?;
    Ok(Verdict::Fine)
}

/// What the recorders of a process answer. Those that refuse do no harm as long as one does what was asked for.
fn answers(args: &Args, remotes: &[Remote]) -> Result<Vec<One>> {
    let mut refused = None;
    let mut answers = Vec::new();
    for remote in remotes {
        match ask(args, remote) {
            Ok(status) => answers.push(One::new(remote.pid(), Ok(status))),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if answers.is_empty() => Err(error.into()),
        None if answers.is_empty() => bail!("no recorder answers"),
        _ => Ok(answers),
    }
}

fn ask(args: &Args, remote: &Remote) -> Result<RemoteStatus, ControlError> {
    let Action {
        on, off, snapshot, ..
    } = args.action;
    match (on, off, snapshot) {
        (true, ..) => remote.switch(true),
        (_, true, _) => remote.switch(false),
        (.., true) => remote.snapshot(args.why.as_deref().unwrap_or_default()),
        _ => remote.status(),
    }
}

struct AttachAnswer(Attached);

impl Answer for AttachAnswer {
    fn value(&self) -> &impl Serialize {
        &self.0
    }

    fn document(&self) -> Document {
        page::attach::document(&self.0)
    }

    fn sheet(&self) -> Table {
        page::attach::sheet(&self.0)
    }
}
