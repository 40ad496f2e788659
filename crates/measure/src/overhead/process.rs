//! A program that runs, its processor time, and the blocks of load that it got.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::clients;
use super::figures::{Block, Round};
use super::subject::{Arm, Load, Subject};
use xtask::shell;

/// A program between two blocks.
pub(crate) struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it listens, if it does.
    address: Option<SocketAddr>,
    /// Its processor time when the last block began.
    cpu: Cpu,
    blocks: Vec<Block>,
}

/// Processor time, ns.
#[derive(Clone, Copy, Default)]
struct Cpu {
    all: u64,
    /// That of the recorder's own threads.
    recorder: u64,
}

impl Running {
    pub(crate) fn start(subject: &Subject, arm: &Arm, captures: &Path) -> Result<Self> {
        let program = shell::root()
            .join("target/release/examples")
            .join(subject.program);
        let mut child = Command::new(&program)
            .args(arm.arguments(captures))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let input = child.stdin.take().context("the input is piped")?;
        let output = child.stdout.take().context("the output is piped")?;
        let mut running = Self {
            child,
            input,
            output: BufReader::new(output),
            address: None,
            cpu: Cpu::default(),
            blocks: Vec::new(),
        };
        if let Load::Requests = subject.load {
            running.address = Some(running.line()?.parse()?);
        }
        Ok(running)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the program ended before its time");
        Ok(line.trim().to_owned())
    }

    /// Gives it a block of the load.
    pub(crate) fn block(&mut self, subject: &Subject) -> Result<()> {
        self.settle();
        let block = match subject.load {
            Load::Candles(candles) => {
                writeln!(self.input, "{candles}")?;
                Block::parse(&self.line()?)?
            }
            Load::Requests => clients::block(self.address.context("it listens")?)?,
        };
        self.blocks.push(block);
        Ok(())
    }

    /// Books what it has computed since its last block began.
    fn settle(&mut self) {
        let now = cpu_of(self.child.id());
        let before = std::mem::replace(&mut self.cpu, now);
        if let Some(block) = self.blocks.last_mut() {
            block.cpu_ns = now.all.saturating_sub(before.all);
            block.recorder_cpu_ns = now.recorder.saturating_sub(before.recorder);
        }
    }

    /// Lets it end, and gives what its blocks come to, without the first.
    pub(crate) fn end(mut self) -> Result<Round> {
        self.settle();
        drop(self.input);
        let status = self.child.wait()?;
        ensure!(status.success(), "a measured program ended with {status}");
        Round::of(self.blocks.split_off(1))
    }
}

/// What all threads of a process have computed so far. None of those that are measured ends before its process does.
fn cpu_of(pid: u32) -> Cpu {
    let mut cpu = Cpu::default();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return cpu;
    };
    for task in tasks.flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let schedstat = read("schedstat");
        let ns = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
        let ns: u64 = ns.unwrap_or(0);
        cpu.all += ns;
        if read("comm").starts_with("perf-") {
            cpu.recorder += ns;
        }
    }
    cpu
}
