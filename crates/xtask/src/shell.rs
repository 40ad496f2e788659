//! Running other programs from the project's root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the checkout, wherever `cargo xtask` was called from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/xtask lies two folders below the root")
        .to_path_buf()
}

/// The cargo that runs us, at the project's root, without what it set for this crate alone.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `command`, passing what it prints through line by line to `each_line` too: its standard output and its
/// standard error, in the order of a terminal.
///
/// # Errors
/// When the program cannot be started. Its exit status is the caller's to judge.
pub fn run_and_read(command: &mut Command, mut each_line: impl FnMut(&str)) -> Result<bool> {
    use std::io::{BufRead, BufReader, Write};
    let name = command.get_program().to_string_lossy().into_owned();
    let (output, input) = std::io::pipe().context("no pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(input.try_clone().context("no second end of a pipe")?)
        .stderr(input)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    // The command holds our ends of the pipe, which would keep it from ending.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(stdout, "{line}")?;
        each_line(&line);
    }
    Ok(child.wait()?.success())
}

/// Runs `command` with its output passed through.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status();
    match status.with_context(|| format!("cannot start `{name}`"))? {
        status if status.success() => Ok(()),
        status => bail!("`{name}` ended with {status}"),
    }
}
