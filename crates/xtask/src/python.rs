//! The Python that reads exports back and runs the notebooks: an environment of its own under `target`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::chromium::apt_get;
use crate::shell;

/// What is installed, by version.
const REQUIREMENTS: &str = "notebooks/requirements.txt";

fn folder() -> PathBuf {
    shell::root().join("target/venv")
}

/// A command of the environment's Python, at the project's root, with the program that is tested first on the path.
pub fn python(args: &[&str]) -> Command {
    let mut command = Command::new(folder().join("bin/python"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&path);
    let program = [shell::root().join("target/debug")];
    let path = std::env::join_paths(program.into_iter().chain(paths)).unwrap_or(path);
    command
        .args(args)
        .current_dir(shell::root())
        .env("PATH", path);
    command
}

/// Makes the environment unless it is what the requirements say. Says so if it cannot: the steps that need it then fail.
pub fn ensure() {
    if let Err(error) = make() {
        println!(
            "── cannot make target/venv: {error:#}\n   needed: python3 with `venv` (Debian: python3-venv), and PyPI\n"
        );
    }
}

fn make() -> Result<()> {
    let wanted = fs::read_to_string(shell::root().join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let stamp = folder().join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("── installing what {REQUIREMENTS} names, under target/venv");
    let venv = || shell::run(Command::new("python3").args(["-m", "venv"]).arg(folder()));
    if venv().is_err() {
        // Debian keeps that part of Python in a package of its own.
        apt_get(&["update"])?;
        apt_get(&["install", "-y", "--no-install-recommends", "python3-venv"])?;
        venv()?;
    }
    shell::run(&mut python(&[
        "-m",
        "pip",
        "install",
        "--quiet",
        "-r",
        REQUIREMENTS,
    ]))?;
    fs::write(&stamp, wanted).context("the stamp")
}
