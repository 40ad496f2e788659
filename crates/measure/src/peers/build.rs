//! What has to be built and started before anything can be measured.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use xtask::chromium::apt_get;
use xtask::shell;

/// The measured program, and which subjects it has.
pub(crate) struct Bench {
    pub(crate) program: PathBuf,
    /// The library with LTTng's tracepoints, if there is one.
    pub(crate) lttng: Option<PathBuf>,
    pub(crate) has_tracy: bool,
}

/// Where everything of this is built.
fn target() -> PathBuf {
    shell::root().join("target/peers")
}

/// Builds `crates/bench`; what is missing goes to `skipped`.
///
/// # Errors
/// When it cannot be built even without Tracy, which needs a C++ compiler.
pub(crate) fn bench(skipped: &mut Vec<String>) -> Result<Bench> {
    let build = |features: &[&str]| {
        shell::run(
            shell::cargo()
                .args([
                    "build",
                    "--release",
                    "--locked",
                    "--manifest-path",
                    "crates/bench/Cargo.toml",
                ])
                .arg("--target-dir")
                .arg(target())
                .args(features),
        )
    };
    let has_tracy = build(&["--features", "tracy"]).is_ok();
    if !has_tracy {
        skipped.push("tracy-client: it does not build here; it needs a C++ compiler".to_owned());
        build(&[])?;
    }
    let lttng = match lttng() {
        Ok(library) => Some(library),
        Err(error) => {
            skipped.push(format!("LTTng-UST: {error:#}"));
            None
        }
    };
    Ok(Bench {
        program: target().join("release/perf-bench"),
        lttng,
        has_tracy,
    })
}

/// Builds the library of LTTng's tracepoints, and installs what that needs if this user may.
fn lttng() -> Result<PathBuf> {
    let library = target().join("libspans.so");
    let sources = shell::root().join("crates/bench/lttng");
    let compile = || -> Result<()> {
        let output = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-I"])
            .arg(&sources)
            .arg(sources.join("spans.c"))
            .arg("-o")
            .arg(&library)
            .args(["-llttng-ust", "-ldl"])
            .stdin(Stdio::null())
            .output()
            .context("cannot start `cc`")?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "{}",
            errors.lines().next().unwrap_or_default()
        );
        Ok(())
    };
    let has = |program| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    if compile().is_err() || !has("lttng") || !has("babeltrace2") {
        let packages = ["liblttng-ust-dev", "lttng-tools", "babeltrace2"];
        let install = ["install", "-y", "--no-install-recommends"];
        apt_get(&[&install[..], &packages[..]].concat())
            .with_context(|| format!("the Debian packages {} are missing", packages.join(", ")))?;
        compile()?;
    }
    Ok(library)
}

/// LTTng's session daemon while it is needed, if none runs already.
pub(crate) struct SessionDaemon {
    pid_file: Option<PathBuf>,
}

impl SessionDaemon {
    /// Starts it unless one answers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start() -> Result<Self> {
        let answers = Command::new("lttng")
            .args(["--no-sessiond", "list"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if answers {
            return Ok(Self { pid_file: None });
        }
        let pid_file = target().join("lttng-sessiond.pid");
        let _ = std::fs::remove_file(&pid_file);
        shell::run(
            Command::new("lttng-sessiond")
                .args(["--daemonize", "--no-kernel", "--pidfile"])
                .arg(&pid_file)
                .stderr(Stdio::null()),
        )?;
        Ok(Self {
            pid_file: Some(pid_file),
        })
    }
}

impl Drop for SessionDaemon {
    fn drop(&mut self) {
        let pid = self
            .pid_file
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        if let Some(pid) = pid {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
    }
}
