//! What the machine tells of itself, for the capture's header and the recorder's own cost.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use perf_probe::clock::thread_cpu_ns;

/// Gives the calling thread another nice value; on Linux each thread has its own.
///
/// # Errors
/// The system refuses it: a value below the present one takes a privilege.
pub(crate) fn renice_thread(nice: i32) -> std::io::Result<()> {
    rustix::process::setpriority_process(None, nice)?;
    Ok(())
}

/// The host's name; empty if the kernel does not tell.
pub(crate) fn host_name() -> String {
    line_of("/proc/sys/kernel/hostname")
}

/// Names this run of the kernel: ticks of captures with equal boot ids compare directly. Empty if there is none.
pub(crate) fn boot_id() -> String {
    line_of("/proc/sys/kernel/random/boot_id")
}

/// The boot id's 16 bytes; zeros if there is none.
pub(crate) fn boot_id_bytes(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).map_or([0; 16], u128::to_be_bytes)
}

/// The control groups that the process is in, a line each; empty if the kernel does not tell.
pub(crate) fn control_groups() -> String {
    line_of("/proc/self/cgroup")
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// The program's name, without its directory. Not its arguments: they may hold secrets.
pub(crate) fn command() -> String {
    let name = std::env::current_exe().ok();
    let name = name.as_deref().and_then(Path::file_name);
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Sixteen random bytes.
pub(crate) fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    Ok(id)
}

/// The time of day in ns since 1970; 0 before that.
pub(crate) fn unix_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_ids_keep_their_digits() {
        let bytes = boot_id_bytes("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        assert_eq!(bytes[..4], [0x0f, 0x1e, 0x2d, 0x3c]);
        assert_eq!(bytes[15], 0xf0);
        assert_eq!(boot_id_bytes(""), [0; 16]);
        assert_eq!(boot_id_bytes(&boot_id()), boot_id_bytes(&boot_id()));
    }

    #[test]
    fn ids_differ_and_work_takes_time() {
        assert_ne!(
            random_id().expect("random bytes"),
            random_id().expect("random bytes")
        );
        let before = thread_cpu_ns();
        let mut sum = 0u64;
        while thread_cpu_ns() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(thread_cpu_ns() > before);
    }
}
