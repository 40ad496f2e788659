//! Chromium, in which the tests open the pages that are written.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::shell;

/// Names under which the tests look for it.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Installs Debian's package if there is no browser. Says so if it cannot: the tests that need one then fail.
pub fn ensure() {
    if is_there() {
        return;
    }
    println!("── installing chromium, in which the tests open pages");
    let installed = apt_get(&["update"])
        .and_then(|()| apt_get(&["install", "-y", "--no-install-recommends", "chromium"]));
    match installed {
        Ok(()) if is_there() => println!("── chromium is installed\n"),
        Ok(()) => println!("── the package `chromium` has no browser in it: {BY_HAND}\n"),
        Err(error) => println!("── cannot install chromium: {error:#}\n   {BY_HAND}\n"),
    }
}

const BY_HAND: &str = "the tests `browser::…` will fail; install Chromium or Chrome, in any way that puts it on the PATH";

fn is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files =
        std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    files.any(|file: PathBuf| file.is_file())
}

/// Debian's package tool, as root or else through a `sudo` that asks for no password.
pub fn apt_get(args: &[&str]) -> anyhow::Result<()> {
    let is_root = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    let is_root = is_root.is_ok_and(|id| id.stdout == b"0\n");
    let mut command = match is_root {
        true => Command::new("apt-get"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["--non-interactive", "apt-get"]);
            sudo
        }
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
    command.stdout(Stdio::null());
    shell::run(&mut command)
}
