//! LTTng-UST: two tracepoints a span, in a small library of C, into a session of its own with LTTng's defaults.
//!
//! The session daemon has to run; `cargo xtask bench --peers` starts one. `PERF_BENCH_LTTNG` names the library.

use std::ffi::{CString, c_ulong};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::peer::Peer;

/// The environment variable with the path of the library.
const LIBRARY: &str = "PERF_BENCH_LTTNG";

pub(crate) struct Lttng {
    spans: extern "C" fn(c_ulong),
    session: Option<String>,
}

fn lttng(arguments: &[&str]) -> Result<String> {
    let output = Command::new("lttng")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot start `lttng`")?;
    ensure!(
        output.status.success(),
        "`lttng {}` ended with {}: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The function that records spans.
fn load() -> Result<extern "C" fn(c_ulong)> {
    let path = std::env::var_os(LIBRARY).with_context(|| format!("{LIBRARY} is not set"))?;
    let path = CString::new(path.as_bytes())?;
    // SAFETY: both strings end with a zero byte; the library is the one that was built from `lttng/spans.c`, stays loaded,
    // and its function of this name takes an unsigned long and gives nothing.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        ensure!(!library.is_null(), "cannot load {}", path.to_string_lossy());
        let function = libc::dlsym(library, c"perf_bench_spans".as_ptr());
        ensure!(
            !function.is_null(),
            "{} has no spans",
            path.to_string_lossy()
        );
        Ok(std::mem::transmute::<
            *mut libc::c_void,
            extern "C" fn(c_ulong),
        >(function))
    }
}

impl Peer for Lttng {
    type Thread = ();

    fn start(dir: &Path, on: bool) -> Result<Self> {
        let session = on.then(|| format!("perf-bench-{}", std::process::id()));
        if let Some(session) = &session {
            let output = format!("--output={}", dir.join("trace").display());
            lttng(&["create", session, &output])?;
            lttng(&[
                "enable-event",
                "--session",
                session,
                "--userspace",
                "perf_bench:*",
            ])?;
            lttng(&["start", session])?;
        }
        // It registers with the daemon while it is loaded.
        let spans = load()?;
        Ok(Self { spans, session })
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        (self.spans)(count as c_ulong);
    }

    fn finish(self) -> Result<Option<u64>> {
        if let Some(session) = &self.session {
            lttng(&["stop", session])?;
            lttng(&["destroy", session])?;
        }
        Ok(None)
    }

    /// What babeltrace2 reads, ends of spans.
    fn written(dir: &Path) -> Result<Option<u64>> {
        use std::io::{BufRead, BufReader};
        let mut child = Command::new("babeltrace2")
            .arg(dir.join("trace"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `babeltrace2`")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut written = 0;
        for line in BufReader::new(output).split(b'\n') {
            written += u64::from(line?.windows(15).any(|part| part == b" perf_bench:end"));
        }
        child.wait()?;
        Ok(Some(written))
    }
}
