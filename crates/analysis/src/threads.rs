//! Worker threads.

use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Runs `work` on a pool of its own, so that its size is the caller's choice and nobody else's tasks get in
/// between. `None`: one thread a core.
///
/// # Errors
/// Those of `work`; threads that cannot be started.
pub fn with_threads<T: Send>(
    threads: Option<usize>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build();
    let pool =
        pool.map_err(|error| Error::new(Path::new("."), ErrorKind::Threads(error.to_string())))?;
    pool.install(work)
}
