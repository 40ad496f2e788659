//! Writes the golden capture of this format version and damaged copies of it.
//!
//! ```sh
//! cargo run -p perf-format --example golden -- captures
//! ```

mod capture;
mod damage;

use std::io;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("give the folder of captures"));
    };
    let golden = capture::bytes()?;
    std::fs::write(folder.join("golden/v1.bin"), &golden)?;
    for (name, bytes) in damage::files(&golden) {
        std::fs::write(folder.join("damaged").join(name), bytes)?;
    }
    Ok(())
}
